"""How long something holds a server: mean and variance, over attempts, the waits between them, and whole orders."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edasim.core.quantity import SECOND_NS
from edasim.core.shapes import Distribution, Exponential
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario, Service
from edasim.study.theory.networks import attempts_each

_MOST_ATTEMPTS = 10_000
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


def attempts_of(service: Service, retry: Retry) -> float:
    """Attempts for each message, poison included."""
    usual = attempts_each(service.fails, retry.attempts)
    if not service.poison:
        return usual
    return (1 - service.poison) * usual + service.poison * (math.inf if retry.attempts is None else retry.attempts)


def handled_share(service: Service, retry: Retry) -> float:
    """The share of its messages that a service handles in the end; the others are given up."""
    given_up = (1.0 if service.fails == 1 else 0.0) if retry.attempts is None else service.fails**retry.attempts
    return (1 - service.poison) * (1 - given_up)


def held(service: Service, retry: Retry) -> Moments:
    """How long a message holds a worker that waits between its attempts, exact unless the jitter is decorrelated."""
    work = Moments.of(service.work)
    if not (service.fails or service.poison):
        return work
    if service.poison and retry.attempts is None or service.fails == 1 and retry.attempts is None:
        return Moments(math.inf, math.inf)
    if retry.attempts is None and not retry.backoff.first_ns and work.exponential:
        return Moments(work.mean_s / (1 - service.fails), (work.mean_s / (1 - service.fails)) ** 2, True)
    return _over_attempts(service, retry, work)


def _over_attempts(service: Service, retry: Retry, work: Moments) -> Moments:
    """Conditioned on the number of attempts: the works and waits of so many are independent of each other."""
    most = min(retry.attempts or _MOST_ATTEMPTS, _MOST_ATTEMPTS)
    mean, variance, reached = work.mean_s, work.variance_s2, 1 - service.poison
    first = second = 0.0
    for made in range(1, most + 1):
        ends = reached * (1 - service.fails) if made < most else reached + service.poison
        first += ends * mean
        second += ends * (variance + mean**2)
        reached *= service.fails
        if reached < _RARE and not service.poison:
            break
        wait = _wait(retry, made)
        mean += work.mean_s + wait.mean_s
        variance += work.variance_s2 + wait.variance_s2
    return Moments(first, second - first**2)


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
        return _mixture(parts)
    total = NOTHING
    for _, part in parts:
        total = total.then(part)
    return total


def _mixture(parts: list[tuple[float, Moments]]) -> Moments:
    mean = sum(share * part.mean_s for share, part in parts if share)
    if not math.isfinite(mean):
        return Moments(math.inf, math.inf)
    return Moments(mean, sum(share * part.second_s2 for share, part in parts if share) - mean**2)


def _sometimes(share: float, spent: Moments) -> Moments:
    return spent if share == 1 else _mixture([(share, spent)])


def _same(one: Moments, other: Moments) -> bool:
    return one == other or abs(one.mean_s - other.mean_s) <= _RARE * one.mean_s
