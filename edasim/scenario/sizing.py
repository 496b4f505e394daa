"""How large what a scenario sets up is, before the first order: workers, partitions, replicas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from edasim.scenario.broker_options import OptionError, resolve
from edasim.scenario.errors import Finding
from edasim.scenario.value import Scenario, Service

MOST_PARTITIONS: Final = 100_000
MOST_WORKERS: Final = 50_000

# Measured as the growth of a process's peak memory: a consumer of a broker, a partition, each replica of one, a member
# of a quorum queue.
_BYTES_PER_WORKER: Final = 15_000.0
_BYTES_PER_PARTITION: Final = 8_000.0
_BYTES_PER_REPLICA: Final = 1_100.0
_BYTES_PER_MEMBER: Final = 9_000.0


def check_size(scenario: Scenario) -> Iterator[Finding]:
    """All findings about too many workers or partitions."""
    number = workers(scenario)
    if number > MOST_WORKERS:
        found = f"all services together have {number} workers"
        yield ("services",), f"{found}: at most {MOST_WORKERS} are allowed, so give them fewer"
    path = ("architectures", "kafka", "topic", "partitions")
    for found, number in (
        ("all topics together (one for each event, and retry and dead-letter topics)", partitions(scenario)),
        ("all groups together (each service reads the topics of its events)", partitions_read(scenario)),
    ):
        if number > MOST_PARTITIONS:
            yield path, f"{found} have {number} partitions: at most {MOST_PARTITIONS} are allowed, so write fewer"
            return


def workers(scenario: Scenario) -> int:
    """The workers of all services, without unlimited ones."""
    return sum(int(service.workers) for service in scenario.services.values() if service.workers != math.inf)


def partitions(scenario: Scenario) -> int:
    """The partitions of all of Kafka's topics: each event's, and each service's for retries and dead letters."""
    events = {producer.publishes for producer in scenario.producers.values()}
    topics = 0
    for service in scenario.services.values():
        events.update(service.handles)
        events.update(publication.event for publication in service.publishes)
        topics += _retries_aside(scenario, service) + service.dead_letters
    return _topic_option(scenario, "partitions") * (len(events) + topics)


def partitions_read(scenario: Scenario) -> int:
    """The partitions that groups read, counted once for each group."""
    topics = sum(len(service.handles) + _retries_aside(scenario, service) for service in scenario.services.values())
    return _topic_option(scenario, "partitions") * topics


def standing_bytes(scenario: Scenario) -> float:
    """The memory of what stands before the first order."""
    replicas = _topic_option(scenario, "replication.factor")
    kafka = partitions(scenario) * (_BYTES_PER_PARTITION + _BYTES_PER_REPLICA * replicas)
    rabbitmq = sum(_members(scenario, name) for name in scenario.services) * _BYTES_PER_MEMBER
    return workers(scenario) * _BYTES_PER_WORKER + max(kafka, rabbitmq)


def _retries_aside(scenario: Scenario, service: Service) -> bool:
    return (service.retry or scenario.retry).where != "worker"


def _topic_option(scenario: Scenario, name: str) -> int:
    """A number of the topics' options; 0 without Kafka, or where the options are refused anyway."""
    kafka = scenario.architectures.kafka
    try:
        return int(resolve("kafka topic", kafka.version, kafka.topic)[name]) if kafka is not None else 0
    except OptionError:
        return 0


def _members(scenario: Scenario, service: str) -> int:
    """The members of a service's queue and of those beside it for retries and dead letters."""
    rabbitmq = scenario.architectures.rabbitmq
    if rabbitmq is None:
        return 0
    given = {**rabbitmq.queue, **rabbitmq.queues.get(service, {})}
    members = resolve("rabbitmq queue", rabbitmq.version, given)["x-quorum-initial-group-size"]
    return 3 * int(members or 1)
