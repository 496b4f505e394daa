"""Who goes first where some orders are more urgent than others: classes of messages, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edasim.brokers.rabbitmq.priorities import Strict, priority_queue
from edasim.scenario.broker_options import resolve
from edasim.scenario.flow import Flow
from edasim.scenario.sharing import has_priorities, queue_has_priorities, serves_by_priority
from edasim.scenario.value import Scenario
from edasim.study.theory.holding import Moments, mixture
from edasim.study.theory.streams import mean_rate


@dataclass(frozen=True)
class Urgency:
    """Messages of one priority at a station: whose they are, which share of all they are, how long each holds a server.
    """

    producers: tuple[str, ...]
    share: float
    hold: Moments


def urgencies(scenario: Scenario, architecture: str, service: str, hold_of: Callable[[str], Moments],
              ) -> tuple[Urgency, ...]:
    """The classes of a service's messages (in the monolith: of all orders), the most urgent first.

    None where nobody has a priority, or where not all of one class come before all of the next. `hold_of` says how long
    what a producer's orders bring holds a server.
    """
    level = _level(scenario, architecture, service)
    if level is None or not has_priorities(scenario):
        return ()
    per_s = _rates(scenario, architecture, service)
    total = sum(per_s.values())
    by_level: dict[int, list[str]] = {}
    for name, producer in scenario.producers.items():
        if per_s[name]:
            by_level.setdefault(level(producer.priority), []).append(name)
    if len(by_level) < 2:
        return ()
    found = []
    for _, names in sorted(by_level.items(), reverse=True):
        share = sum(per_s[name] for name in names)
        hold = _mixed([(per_s[one] / share, hold_of(one)) for one in names])
        found.append(Urgency(tuple(names), share / total, hold))
    return tuple(found)


def _mixed(parts: list[tuple[float, Moments]]) -> Moments:
    """One hold when all are alike, which keeps its shape."""
    return parts[0][1] if all(part == parts[0][1] for _, part in parts) else mixture(parts)


def _level(scenario: Scenario, architecture: str, service: str) -> Callable[[int | None], int] | None:
    """What a priority counts at a service's queue; None where it counts nothing."""
    if not serves_by_priority(scenario, architecture):
        return None
    options = scenario.architectures.rabbitmq
    if architecture != "rabbitmq" or options is None:
        return lambda priority: priority or 0
    if not queue_has_priorities(scenario, service):
        return None
    given = {**options.queue, **options.queues.get(service, {})}
    queue = priority_queue(resolve("rabbitmq queue", options.version, given), options.version)
    return queue[1].level if queue is not None and isinstance(queue[1], Strict) else None


def _rates(scenario: Scenario, architecture: str, service: str) -> dict[str, float]:
    """Messages a second that each producer's orders bring to a service; in the monolith, its orders."""
    placed = {name: mean_rate(scenario, producer.arrivals) for name, producer in scenario.producers.items()}
    if architecture == "monolith":
        return placed
    flow, handles = Flow(scenario), scenario.services[service].handles
    numbers = {name: flow.messages_per_order(one.publishes) for name, one in scenario.producers.items()}
    return {name: rate * sum(numbers[name][event] for event in handles) if rate else 0.0
            for name, rate in placed.items()}
