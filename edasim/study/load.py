"""What a scenario asks of each service: messages a second, and how many workers they would keep busy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edasim.core.quantity import SECOND_NS
from edasim.scenario.flow import Flow
from edasim.scenario.value import Scenario, Service
from edasim.study.theory.holding import attempts_of

_INSTANTS = 600


@dataclass(frozen=True)
class Load:
    """Of one service in the long run: messages per second, attempts for each, the workers that they keep busy.

    `needed` may be infinite. `peak_needed` is the same at the busiest time of the arrivals; `workers` is what there is,
    or the cores that they share where these are fewer; infinite where they are unlimited; `shared` says
    that they are cores.
    """

    per_s: float
    attempts: float
    needed: float
    peak_needed: float
    workers: float
    shared: bool = False

    @property
    def utilisation(self) -> float:
        """Workers needed for each that there is; from 1 on, the backlog grows without end."""
        return self.needed / self.workers


def event_rates(scenario: Scenario) -> dict[str, float]:
    """Messages per second of each event type in the long run, as if no message failed for good."""
    return _rates(scenario, {name: producer.arrivals.mean_rate for name, producer in scenario.producers.items()})


def loads(scenario: Scenario) -> dict[str, Load]:
    """The load of each service, in the order of the file."""
    usual = event_rates(scenario)
    busiest = _rates(scenario, {name: _peak_rate(scenario, name) for name in scenario.producers})
    return {name: _load(scenario, name, usual, busiest) for name in scenario.services}


def _load(scenario: Scenario, name: str, usual: dict[str, float], busiest: dict[str, float]) -> Load:
    service = scenario.services[name]
    per_s = sum(usual[event] for event in service.handles)
    peak_per_s = sum(busiest[event] for event in service.handles)
    attempts = attempts_each(scenario, service)
    # Who waits for a store holds a worker and no core.
    shared = service.cores < service.workers
    write_s = 0.0 if shared or service.store is None else service.store.mean_write_s()
    work_s = attempts * (service.work.mean_s + write_s)
    return Load(per_s, attempts, _product(per_s, work_s), _product(peak_per_s, work_s), service.at_once, shared)


def _product(per_s: float, work_s: float) -> float:
    return per_s * work_s if per_s else 0.0


def attempts_each(scenario: Scenario, service: Service) -> float:
    """Starts of a handler for each message."""
    return attempts_of(service, service.retry or scenario.retry)


def _peak_rate(scenario: Scenario, producer: str) -> float:
    """The highest rate while orders are placed; bursts that are drawn count with their mean."""
    arrivals = scenario.producers[producer].arrivals
    if scenario.duration is None:
        return arrivals.mean_rate
    grid = np.linspace(0.0, scenario.duration / SECOND_NS, _INSTANTS, endpoint=False)
    return max(arrivals.mean_rate, *(arrivals.rate_at(float(time)) for time in grid))


def _rates(scenario: Scenario, placed: dict[str, float]) -> dict[str, float]:
    """Messages per second of each event, when each producer places so many orders per second."""
    flow = Flow(scenario)
    rates = dict.fromkeys(flow.events, 0.0)
    for name, per_s in placed.items():
        if per_s:
            for event, number in flow.messages_per_order(scenario.producers[name].publishes).items():
                rates[event] += number * per_s
    return rates
