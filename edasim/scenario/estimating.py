"""What a run would cost, known before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from edasim.core.arrivals import Arrivals
from edasim.core.quantity import SECOND_NS
from edasim.scenario.flow import Flow
from edasim.scenario.repeating import Repeating
from edasim.scenario.sizing import standing_bytes, workers
from edasim.scenario.value import Scenario, Service

MOST_EVENTS: Final = 1e8
MOST_BYTES: Final = 2e9

# An order of the sample, which three services handle, takes 13 events of the engine. The bytes are the peak memory of a
# run with its summary, above what the process has anyway, in the dearest architecture: measured at 20,000 orders of
# eleven shops (one to eight services, chains, idempotent ones, failures, duplicates, client retries, overload).
_EVENTS_PER_ORDER: Final = 1.0
_EVENTS_PER_ATTEMPT: Final = 4.0
_BYTES_PER_ORDER: Final = 1_400.0
_BYTES_PER_ATTEMPT: Final = 600.0
_BYTES_PER_EVENT_CAUSED: Final = 600.0
_BYTES_PER_REPUBLICATION: Final = 200.0
_EVENTS_PER_TRANSMISSION: Final = 2.0
_BYTES_PER_TRANSMISSION: Final = 200.0
_EVENTS_PER_FAULT: Final = 10.0
_TIMERS_PER_WORKER_S: Final = 0.5
_BYTES_PER_WORKER_HIRED: Final = 4_000.0
_SPARE_WORKERS: Final = 100.0


@dataclass(frozen=True)
class Estimate:
    """About how many orders are placed, how many events the engine handles, and how many bytes of memory
    one run takes, its summary included.
    """

    orders: float
    events: float
    bytes: float

    @property
    def allowed(self) -> bool:
        """Whether the run may start without being asked for by name."""
        return self.events <= MOST_EVENTS and self.bytes <= MOST_BYTES


def estimate(scenario: Scenario) -> Estimate:
    """The cost of one run in one architecture, rather too high than too low. It takes no longer for a larger
    run.
    """
    horizon_s = (scenario.duration or 0) / SECOND_NS
    expected = {name: producer.arrivals.expected(0.0, horizon_s) for name, producer in scenario.producers.items()}
    if scenario.orders is not None:
        expected, horizon_s = _shares_of(scenario, scenario.orders)
    orders = math.fsum(expected.values())
    load = _load(scenario, expected, horizon_s)
    tries = 1 + scenario.client.retries
    events = orders * _EVENTS_PER_ORDER + (load.attempts + load.republications) * _EVENTS_PER_ATTEMPT
    events += load.transmissions * _EVENTS_PER_TRANSMISSION
    size = load.transmissions * _BYTES_PER_TRANSMISSION
    size += orders * _BYTES_PER_ORDER + load.attempts * _BYTES_PER_ATTEMPT
    size += load.caused * _BYTES_PER_EVENT_CAUSED + load.republications * _BYTES_PER_REPUBLICATION
    size += load.hired * _BYTES_PER_WORKER_HIRED
    return Estimate(orders, tries * events + _beside(scenario, horizon_s), tries * size + standing_bytes(scenario))


@dataclass
class _Load:
    """What the orders of a run bring: attempts of services, events that they cause, publications repeated, and
    workers of services that have unlimited ones.
    """

    attempts: float = 0.0
    caused: float = 0.0
    republications: float = 0.0
    transmissions: float = 0.0
    hired: float = 0.0


def _load(scenario: Scenario, expected: dict[str, float], horizon_s: float) -> _Load:
    flow = Flow(scenario)
    messages = dict.fromkeys(flow.events, 0.0)
    for name, orders in expected.items():
        for event, number in flow.messages_per_order(scenario.producers[name].publishes).items() if orders else ():
            messages[event] += orders * number
    repeating = Repeating(scenario, horizon_s)
    load = _Load()
    for name, service in scenario.services.items():
        handled = math.fsum(messages[event] for event in service.handles)
        if handled > 0.0:
            attempts = repeating.attempts(name, handled)
            caused = handled * math.fsum(publication.share for publication in service.publishes)
            load.attempts += attempts
            load.caused += caused
            load.transmissions += attempts * _transmissions(service)
            load.republications += repeating.publications(name, handled, attempts, caused)
            if _has_unlimited(scenario, name):
                load.hired += _hired(scenario, name, attempts / max(horizon_s, 1e-9), handled)
    return load


def _transmissions(service: Service) -> float:
    """To and from how many replicas an attempt and the read that follows it go."""
    store = service.store
    return 0.0 if store is None else float(store.targets + (store.replicas if store.readers else 0))


def _has_unlimited(scenario: Scenario, name: str) -> bool:
    monolith = scenario.architectures.monolith
    return math.inf in (scenario.services[name].workers, monolith.threads if monolith is not None else None)


def _hired(scenario: Scenario, name: str, per_s: float, messages: float) -> float:
    """About the most workers that are at work at once: what arrives while one works, or while none gets on."""
    outages = [fault.for_.mean_s if fault.for_ is not None else math.inf
               for fault in scenario.faults.values() if fault.target == name and fault.kind in ("unavailable", "slow")]
    held_s = scenario.services[name].work.mean_s + max(outages, default=0.0)
    return min(messages, 2.0 * per_s * held_s + _SPARE_WORKERS)


def _shares_of(scenario: Scenario, orders: int) -> tuple[dict[str, float], float]:
    """How many of so many orders each producer places, and how long that takes."""
    rates = {name: producer.arrivals.expected(0.0, 1e6) / 1e6 for name, producer in scenario.producers.items()}
    total = math.fsum(rates.values())
    if total == 0:
        return dict.fromkeys(rates, 0.0), 0.0
    return {name: orders * rate / total for name, rate in rates.items()}, orders / total


def _beside(scenario: Scenario, horizon_s: float) -> float:
    """Events that no order causes: faults that come again, rates that change, timers of members."""
    whole_s = horizon_s + scenario.drain / SECOND_NS
    events = workers(scenario) * (1.0 + horizon_s * _TIMERS_PER_WORKER_S)
    for fault in scenario.faults.values():
        if fault.every is not None:
            length_s = fault.for_.mean_s if fault.for_ is not None else 0.0
            events += _EVENTS_PER_FAULT * whole_s / (fault.every.mean_s + length_s)
    return events + math.fsum(_pieces(producer.arrivals, horizon_s) for producer in scenario.producers.values())


def _pieces(arrivals: Arrivals, horizon_s: float) -> float:
    return horizon_s / arrivals.segment_s
