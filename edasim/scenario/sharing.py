"""Cores, priorities and limits of lines: which of those that a scenario names an architecture makes use of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from edasim.scenario.broker_options import resolve
from edasim.scenario.errors import Finding
from edasim.scenario.value import Scenario

PRIORITIES_OF_QUORUM_SINCE: Final = "4.0"


def cores(scenario: Scenario, architecture: str) -> dict[str, float]:
    """How many cores the one process or each service has; infinite where each worker has one of its own."""
    if architecture == "monolith":
        monolith = scenario.architectures.monolith
        return {"process": monolith.cores if monolith is not None else math.inf}
    return {name: service.cores for name, service in scenario.services.items()}


def check_workers(scenario: Scenario) -> Iterator[Finding]:
    """All findings about unlimited workers where there can be none."""
    for name, service in scenario.services.items():
        if service.workers == math.inf and scenario.architectures.kafka is not None:
            found = "each worker is a member of its group on kafka, so there must be so many"
            cure = "write a number, or leave kafka out of the architectures"
            yield ("services", name, "workers"), f"{found}: {cure}"


def unused(scenario: Scenario, architecture: str) -> list[str]:
    """What a scenario says and an architecture takes no notice of: `cores of payment`, `priority of checkout`."""
    found = []
    if architecture == "monolith":
        found += [f"cores of {name}" for name, service in scenario.services.items() if service.cores != math.inf]
    if not serves_by_priority(scenario, architecture):
        found += [f"priority of {name}" for name, one in scenario.producers.items() if one.priority is not None]
    return found


def serves_by_priority(scenario: Scenario, architecture: str) -> bool:
    """Whether higher priorities come first anywhere in an architecture. Kafka's partitions know none."""
    if architecture == "rabbitmq":
        return any(queue_has_priorities(scenario, name) for name in scenario.services)
    options = getattr(scenario.architectures, architecture)
    return getattr(options, "discipline", "fifo") == "priority"


def has_priorities(scenario: Scenario) -> bool:
    """Whether any message has a priority, now or after a change."""
    return any(scenario.may_have(f"producers.{name}.priority", None) for name in scenario.producers)


def queue_has_priorities(scenario: Scenario, service: str) -> bool:
    """Whether RabbitMQ's queue of a service has priorities."""
    options = scenario.architectures.rabbitmq
    if options is None:
        return False
    given = {**options.queue, **options.queues.get(service, {})}
    arguments = resolve("rabbitmq queue", options.version, given)
    if arguments["x-queue-type"] == "quorum":
        return float(options.version) >= float(PRIORITIES_OF_QUORUM_SINCE)
    return bool(arguments["x-max-priority"])
