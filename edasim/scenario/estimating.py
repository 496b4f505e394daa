"""What a run would cost, known before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from edasim.core.arrivals import Arrivals
from edasim.core.quantity import SECOND_NS
from edasim.scenario.flow import Flow
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario, Service

MOST_EVENTS: Final = 1e8
MOST_BYTES: Final = 2e9

# An order of the sample, which three services handle, takes 13 events of the engine and about 1 kB of facts.
_EVENTS_PER_ORDER: Final = 1.0
_EVENTS_PER_ATTEMPT: Final = 4.0
_BYTES_PER_ORDER: Final = 100.0
_BYTES_PER_ATTEMPT: Final = 300.0
_EVENTS_PER_FAULT: Final = 10.0
_TIMERS_PER_WORKER_S: Final = 0.5


@dataclass(frozen=True)
class Estimate:
    """About how many orders are placed, how many events the engine handles, and how many bytes the facts
    take.
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
    flow = Flow(scenario)
    horizon_s = (scenario.duration or 0) / SECOND_NS
    expected = {name: producer.arrivals.expected(0.0, horizon_s) for name, producer in scenario.producers.items()}
    if scenario.orders is not None:
        expected, horizon_s = _shares_of(scenario, scenario.orders)
    orders = math.fsum(expected.values())
    attempts = math.fsum(
        number * _attempts(scenario, flow, scenario.producers[name].publishes, horizon_s)
        for name, number in expected.items()
        if number
    )
    tries = 1 + scenario.client.retries
    events = tries * (orders * _EVENTS_PER_ORDER + attempts * _EVENTS_PER_ATTEMPT) + _beside(scenario, horizon_s)
    return Estimate(orders, events, tries * (orders * _BYTES_PER_ORDER + attempts * _BYTES_PER_ATTEMPT))


def _shares_of(scenario: Scenario, orders: int) -> tuple[dict[str, float], float]:
    """How many of so many orders each producer places, and how long that takes."""
    rates = {name: producer.arrivals.expected(0.0, 1e6) / 1e6 for name, producer in scenario.producers.items()}
    total = math.fsum(rates.values())
    if total == 0:
        return dict.fromkeys(rates, 0.0), 0.0
    return {name: orders * rate / total for name, rate in rates.items()}, orders / total


def _attempts(scenario: Scenario, flow: Flow, event: str, horizon_s: float) -> float:
    """The mean number of attempts of all services that one placed event brings."""
    messages = flow.messages_per_order(event)
    services = scenario.services
    return math.fsum(
        number
        * (1.0 + scenario.wire.duplicates)
        * _tries(services[name], services[name].retry or scenario.retry, horizon_s)
        for caused, number in messages.items()
        for name in flow.handlers.get(caused, [])
    )


def _tries(service: Service, retry: Retry, horizon_s: float) -> float:
    """The mean number of attempts at one message: a geometric number that ends with the policy or with the
    time.
    """
    shortest_s = service.work.mean_s + retry.backoff.delay_ns(1) / SECOND_NS
    by_time = max(1.0, 2.0 * horizon_s / shortest_s) if shortest_s > 0 else math.inf
    most = min(math.inf if retry.attempts is None else retry.attempts, by_time)
    usual = most if service.fails == 1.0 else min(most, 1.0 / (1.0 - service.fails))
    return (1.0 - service.poison) * usual + service.poison * most if service.poison else usual


def _beside(scenario: Scenario, horizon_s: float) -> float:
    """Events that no order causes: faults that come again, rates that change, timers of members."""
    whole_s = horizon_s + scenario.drain / SECOND_NS
    workers = sum(service.workers for service in scenario.services.values())
    events = workers * (1.0 + horizon_s * _TIMERS_PER_WORKER_S)
    for fault in scenario.faults.values():
        if fault.every is not None:
            length_s = fault.for_.mean_s if fault.for_ is not None else 0.0
            events += _EVENTS_PER_FAULT * whole_s / (fault.every.mean_s + length_s)
    return events + math.fsum(_pieces(producer.arrivals, horizon_s) for producer in scenario.producers.values())


def _pieces(arrivals: Arrivals, horizon_s: float) -> float:
    return horizon_s / arrivals.segment_s
