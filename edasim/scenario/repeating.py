"""How often a message is tried, repeated and published again, as far as that is known before a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np

from edasim.core.distribution import Distribution
from edasim.core.quantity import SECOND_NS
from edasim.scenario.fault import Fault
from edasim.scenario.retry_policy import Retry
from edasim.scenario.store import replica_name
from edasim.scenario.value import Scenario, Service

SHORTEST_S: Final = 1e-6
"""No wait is counted as shorter, so that what is tried again at once is tried a finite number of times."""

# The engine's own waits, of architectures/rabbitmq.py and of brokers/*: a service that publishes again what the
# broker refused, and a broker that sees a connection end and delivers again.
_PUBLISHES_AGAIN_S: Final = 0.1
_DELIVERS_AGAIN_S: Final = 0.05

_MEAN_OF_JITTER: Final = {"none": 1.0, "full": 0.5, "equal": 0.75, "decorrelated": 1.0}
_DECORRELATED_GROWTH: Final = 1.1  # each wait is U(base, 3 x the last): the mean logarithm grows by log 3 - 1
_STEPS: Final = 200


class Repeating:
    """What comes again in one scenario whose orders are placed for `horizon_s` seconds."""

    def __init__(self, scenario: Scenario, horizon_s: float) -> None:
        self._scenario = scenario
        self._horizon_s = horizon_s
        self._whole_s = horizon_s + scenario.drain / SECOND_NS

    def attempts(self, name: str, messages: float) -> float:
        """The attempts of a service at so many messages."""
        service = self._scenario.services[name]
        retry = service.retry or self._scenario.retry
        by_worker = retry.where == "worker"
        work_s = _typical_s(service.work)
        slots = self._slots(service)
        usual = messages * (_usual(service, retry, self._whole_s) - 1.0)
        more = self._at_most(slots, usual, work_s)
        taken_away = self._nobody_there(name, service)
        for fault in chain(self._faults("failing", name), self._replicas_failing(name), taken_away):
            tries = min(_most_tries(retry, self._length_s(fault), 0.0), _geometric(_share(fault)))
            again = messages * self._met(fault) * (tries - 1.0)
            more += self._at_most(slots, again, _wait_s(retry, 1)) if by_worker else again
        pause_s = 0.0 if service.idempotent else work_s
        again = (messages + more) * self._redelivered(name)
        return messages + more + self._at_most(service.workers, again, pause_s)

    def publications(self, name: str, messages: float, attempts: float, caused: float) -> float:
        """How often a service publishes again because the broker refuses: `caused` events and what it sends back,
        aside or to its dead letters.
        """
        service = self._scenario.services[name]
        retry = service.retry or self._scenario.retry
        published = caused + (attempts - messages if retry.where != "worker" else 0.0)
        if service.dead_letters and retry.attempts is not None:
            failing = max((_share(fault) for fault in self._faults("failing", name)), default=0.0)
            published += messages * min(1.0, service.poison + max(service.fails, failing) ** retry.attempts)
        return published * math.fsum(
            self._met(fault) * min(self._length_s(fault) / _PUBLISHES_AGAIN_S, _geometric(_share(fault)))
            for fault in self._faults("failing", "broker")
        )

    def _redelivered(self, name: str) -> float:
        """How often a message is delivered again because its acknowledgement is doubtful."""
        wire = self._scenario.wire.duplicates
        again = min(_geometric(wire) - 1.0, self._whole_s / _DELIVERS_AGAIN_S)
        for fault in self._scenario.faults.values():
            if fault.kind == "duplicating" and {name, "broker", "gateway"} & {fault.target, *(fault.link or ())[:2]}:
                share = 1.0 - (1.0 - wire) * (1.0 - _share(fault))
                pause_s = _DELIVERS_AGAIN_S if fault.after is None else fault.after / SECOND_NS
                again += self._met(fault) * min(_geometric(share) - 1.0, self._length_s(fault) / pause_s)
        return again

    def _at_most(self, slots: float, more: float, pause_s: float) -> float:
        """No more attempts than fit one after another into so many that can be under way at once."""
        return min(more, slots * self._whole_s / max(pause_s, SHORTEST_S))

    def _slots(self, service: Service) -> float:
        """How many messages can be tried again at once, in the architecture that holds the most."""
        architectures = self._scenario.architectures
        slots = service.workers
        if architectures.monolith is not None:
            everybody = sum(other.workers for other in self._scenario.services.values())
            slots = max(slots, architectures.monolith.threads or everybody)
        return slots if architectures.rpc is None else max(slots, architectures.rpc.open_requests)

    def _faults(self, kind: str, target: str) -> Iterator[Fault]:
        for fault in self._scenario.faults.values():
            if fault.kind == kind and fault.target == target:
                yield fault

    def _nobody_there(self, name: str, service: Service) -> Iterator[Fault]:
        """Faults that take all workers away: a call over RPC then fails at once, while brokers keep the message."""
        if self._scenario.architectures.rpc is not None:
            for kind in ("crash", "stop"):
                for fault in self._faults(kind, name):
                    if fault.workers is None or fault.workers >= service.workers:
                        yield fault
            if service.workers == 1:
                yield from self._faults("deploy", name)

    def _replicas_failing(self, name: str) -> Iterator[Fault]:
        """The faults of a service's replicas, each as if it failed the writes, where all together can fail one."""
        store = self._scenario.services[name].store
        if store is not None:
            names = [replica_name(name, number) for number in range(1, store.replicas + 1)]
            found = [fault for replica in names for fault in self._faults("failing", replica)]
            if len({fault.target for fault in found}) > store.targets - store.write_quorum:
                yield from found

    def _length_s(self, fault: Fault) -> float:
        left_s = max(0.0, self._whole_s - (fault.at or 0) / SECOND_NS)
        if fault.kind == "deploy":
            # Of a service with one worker, which is the only deploy that is asked about.
            return min(left_s, (fault.rolling or 0) / SECOND_NS)
        return left_s if fault.for_ is None else min(left_s, _typical_s(fault.for_))

    def _met(self, fault: Fault) -> float:
        """The share of all messages that meet a fault: those placed before it ends, for they may have waited."""
        if self._horizon_s == 0.0:
            return 1.0
        length_s = self._length_s(fault)
        if fault.every is not None:
            return length_s / max(SHORTEST_S, length_s + _typical_s(fault.every))
        end_s = (fault.at or 0) / SECOND_NS + length_s
        return min(1.0, end_s / self._horizon_s) if length_s else 0.0


def _usual(service: Service, retry: Retry, whole_s: float) -> float:
    """The mean number of attempts at one message without faults: a geometric number that ends with the policy or
    with the time.
    """
    most = _most_tries(retry, whole_s, _typical_s(service.work))
    return (1.0 - service.poison) * min(most, _geometric(service.fails)) + service.poison * most


def _most_tries(retry: Retry, span_s: float, work_s: float) -> float:
    """The number of attempts that the policy allows within a time."""
    most = math.inf if retry.attempts is None else float(retry.attempts)
    tries, left_s, step_s = 1.0, span_s, SHORTEST_S
    for number in range(1, _STEPS):
        step_s = max(SHORTEST_S, work_s + _wait_s(retry, number))
        if tries >= most or left_s < step_s:
            return min(tries, most)
        tries, left_s = tries + 1.0, left_s - step_s
    return min(most, tries + left_s / step_s)


def _wait_s(retry: Retry, number: int) -> float:
    """The mean wait before a retry."""
    if retry.jitter == "decorrelated":
        longest_ns = math.inf if retry.backoff.most_ns is None else retry.backoff.most_ns
        return min(retry.backoff.delay_ns(1) * _DECORRELATED_GROWTH ** (number - 1), longest_ns) / SECOND_NS
    return retry.backoff.delay_ns(number) * _MEAN_OF_JITTER[retry.jitter] / SECOND_NS


def _geometric(share: float) -> float:
    """The mean number of tries until one is not hit, when each is with this chance."""
    return math.inf if share >= 1.0 else 1.0 / (1.0 - share)


def _share(fault: Fault) -> float:
    return 1.0 if fault.share is None else fault.share


def _typical_s(law: Distribution) -> float:
    """The mean, or the median where there is no mean."""
    return law.mean_s if math.isfinite(law.mean_s) else float(law.quantile_s(np.array([0.5]))[0])
