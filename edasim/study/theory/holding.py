"""How long something holds a server: mean and variance, over attempts, the waits between them, and whole orders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from edasim.core.quantity import SECOND_NS
from edasim.core.shapes import Distribution, Exponential
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario, Service
from edasim.study.theory.networks import attempts_each

_MOST_ATTEMPTS = 1_000
"""Attempts beyond these wait as long as the last of them."""
_RARE = 1e-12
_ROUNDS = 500
# Mean and variance of a wait between attempts, in its own length and its square: U(0, d), and d/2 + U(0, d/2).
_JITTERS = {"none": (1.0, 0.0), "full": (1 / 2, 1 / 12), "equal": (3 / 4, 1 / 48)}


@dataclass(frozen=True)
class Moments:
    """Mean and variance of a time, in seconds and square seconds; `exponential` when that is its shape."""

    mean_s: float
    variance_s2: float
    exponential: bool = False

    @classmethod
    def of(cls, distribution: Distribution) -> Moments:
        """Those of one duration."""
        return cls(distribution.mean_s, distribution.variance_s2, isinstance(distribution, Exponential))

    @property
    def scv(self) -> float:
        """The squared coefficient of variation; 0 for a mean of 0."""
        if not self.mean_s:
            return 0.0
        return self.variance_s2 / self.mean_s**2 if math.isfinite(self.mean_s) else math.inf

    @property
    def second_s2(self) -> float:
        """The mean of the square."""
        return self.variance_s2 + self.mean_s**2

    def then(self, other: Moments) -> Moments:
        """This time and, independent of it, another."""
        if not other.mean_s:
            return self
        return other if not self.mean_s else Moments(
            self.mean_s + other.mean_s, self.variance_s2 + other.variance_s2)


NOTHING = Moments(0.0, 0.0)


def paid_retries(service: Service, retry: Retry) -> float | None:
    """Where a budget binds, how many of the attempts can afford another one after them; None where it lasts.

    In the long run retries x are what successes pay for: x = earns (1 - fails) (1 + x).
    """
    if retry.budget is None:
        return None
    paid = retry.budget.earns * (1 - service.poison) * (1 - service.fails)
    return paid if paid < 1 and 1 / (1 - paid) < _attempts_wanted(service, retry) else None


def attempts_of(service: Service, retry: Retry) -> float:
    """Attempts for each message, poison included: until one ends well, or attempts or budget are used up."""
    paid = paid_retries(service, retry)
    return _attempts_wanted(service, retry) if paid is None else 1 / (1 - paid)


def _attempts_wanted(service: Service, retry: Retry) -> float:
    usual = attempts_each(service.fails, retry.attempts)
    if not service.poison:
        return usual
    return (1 - service.poison) * usual + service.poison * (math.inf if retry.attempts is None else retry.attempts)


def handled_share(service: Service, retry: Retry) -> float:
    """The share of its messages that a service handles in the end; the others are given up."""
    paid = paid_retries(service, retry)
    if paid is not None:
        return (1 - service.poison) * (1 - service.fails) / (1 - paid)
    given_up = (1.0 if service.fails == 1 else 0.0) if retry.attempts is None else service.fails**retry.attempts
    return (1 - service.poison) * (1 - given_up)


def held(service: Service, retry: Retry) -> Moments:
    """How long a message holds a worker that waits between its attempts, and then for its store.

    Exact unless the jitter is decorrelated, a store's times have heavy tails, or a budget of retries binds: then as if
    each attempt were followed by another with the same chance.
    """
    paid = paid_retries(service, retry)
    chances = (service.fails, service.poison) if paid is None else (paid, 0.0)
    policy = retry if paid is None else retry.model_copy(update={"attempts": None})
    return _held(service.work, chances, policy).then(written(service, handled_share(service, retry)))


def written(service: Service, share: float) -> Moments:
    """How long a worker waits for the write quorum of its store, where this share of what it does is written."""
    if service.store is None:
        return NOTHING
    return mixture([(share, Moments(*service.store.write_moments_s()))])


@lru_cache(maxsize=256)
def _held(distribution: Distribution, chances: tuple[float, float], retry: Retry) -> Moments:
    work, (fails, poison) = Moments.of(distribution), chances
    if not (fails or poison):
        return work
    if retry.attempts is None and (poison or fails == 1) or not math.isfinite(work.mean_s):
        return Moments(math.inf, math.inf)
    if retry.attempts is None and not retry.backoff.first_ns and work.exponential:
        return Moments(work.mean_s / (1 - fails), (work.mean_s / (1 - fails)) ** 2, True)
    if not math.isfinite(work.variance_s2):
        return Moments(_over_attempts(Moments(work.mean_s, 0.0), chances, retry).mean_s, math.inf)
    return _over_attempts(work, chances, retry)


def _over_attempts(work: Moments, chances: tuple[float, float], retry: Retry) -> Moments:
    """Conditioned on the number of attempts: the works and waits of so many are independent of each other."""
    fails, poison = chances
    most = min(retry.attempts or _MOST_ATTEMPTS, _MOST_ATTEMPTS)
    mean, variance, reached = work.mean_s, work.variance_s2, 1 - poison
    first = second = 0.0
    for made in range(1, most):
        first += reached * (1 - fails) * mean
        second += reached * (1 - fails) * (variance + mean**2)
        reached *= fails
        if reached + poison < _RARE:
            break
        wait = _wait(retry, made)
        mean += work.mean_s + wait.mean_s
        variance += work.variance_s2 + wait.variance_s2
    more = max(0, (retry.attempts or most) - most)
    if more and reached + poison >= _RARE:
        wait = _wait(retry, most)
        mean += more * (work.mean_s + wait.mean_s)
        variance += more * (work.variance_s2 + wait.variance_s2)
    first += (reached + poison) * mean
    second += (reached + poison) * (variance + mean**2)
    return Moments(first, max(0.0, second - first**2))


def _wait(retry: Retry, number: int) -> Moments:
    """The wait before retry 1, 2, 3 ..., jitter included."""
    length_s = retry.backoff.delay_ns(number) / SECOND_NS
    if retry.jitter in _JITTERS:
        mean, variance = _JITTERS[retry.jitter]
        return Moments(mean * length_s, variance * length_s**2)
    # Decorrelated: U(base, 3 x the wait before), here about its mean, (base + 3 x mean before) / 2.
    base_s = retry.backoff.delay_ns(1) / SECOND_NS
    most_s = math.inf if retry.backoff.most_ns is None else retry.backoff.most_ns / SECOND_NS
    mean_s = base_s
    for _ in range(min(number, 100)):
        mean_s = min((base_s + 3 * mean_s) / 2, most_s)
    return Moments(mean_s, (mean_s - base_s) ** 2 / 3)


def transactions(scenario: Scenario, reached: dict[str, float]) -> dict[str, Moments]:
    """How long an order that begins with each event holds a thread of the monolith, the commit left out.

    `reached` is the share of orders in which each service is not spared by one that failed before it.  A random
    sum over the tree of what the order causes; where events come in circles, as often as they matter.
    """
    holds = {name: held(service, service.retry or scenario.retry) for name, service in scenario.services.items()}
    events = {event for service in scenario.services.values() for event in service.handles}
    found = dict.fromkeys(events, NOTHING)
    for _ in range(_ROUNDS):
        before = found
        found = {event: _order(scenario, event, (holds, reached, before)) for event in events}
        if all(_same(found[event], before[event]) for event in events):
            break
    return found


def _order(scenario: Scenario, event: str, known: tuple[dict[str, Moments], dict[str, float], dict[str, Moments]],
           ) -> Moments:
    holds, reached, below = known
    total = NOTHING
    for name, service in scenario.services.items():
        if event not in service.handles:
            continue
        spent = holds[name].then(_caused(service, below))
        total = total.then(_sometimes(reached.get(name, 1.0), spent))
    return total


def _caused(service: Service, below: dict[str, Moments]) -> Moments:
    """What the events take that a service publishes: all of them, or one by their shares."""
    parts = [(one.share, below.get(one.event, NOTHING)) for one in service.publishes]
    if service.publishes_one_of:
        return mixture(parts)
    total = NOTHING
    for _, part in parts:
        total = total.then(part)
    return total


def mixture(parts: list[tuple[float, Moments]]) -> Moments:
    """One of several, each by its share; nothing for what is left."""
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    mean = sum(share * part.mean_s for share, part in parts if share)
    if not math.isfinite(mean):
        return Moments(math.inf, math.inf)
    return Moments(mean, sum(share * part.second_s2 for share, part in parts if share) - mean**2)


def _sometimes(share: float, spent: Moments) -> Moments:
    return mixture([(share, spent)])


def _same(one: Moments, other: Moments) -> bool:
    return one == other or abs(one.mean_s - other.mean_s) <= _RARE * one.mean_s
