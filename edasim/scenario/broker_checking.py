"""Options of Kafka and RabbitMQ that the real ones would refuse, each found at its own line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edasim.core.quantity import shown
from edasim.scenario.architecture_options import KafkaOptions, RabbitOptions
from edasim.scenario.broker_options import OptionError, kafka_conflicts, resolve
from edasim.scenario.errors import Finding, Path
from edasim.scenario.fields import suggestion
from edasim.scenario.value import Scenario

LONGEST_NAME = 100
KAFKA_SECTIONS = ("topic", "producer", "consumer", "broker")


def check_brokers(scenario: Scenario) -> Iterator[Finding]:
    """All findings about the options of both brokers."""
    if scenario.architectures.kafka is not None:
        yield from _kafka(scenario.architectures.kafka)
        yield from _retry_topics(scenario)
    if scenario.architectures.rabbitmq is not None:
        yield from _rabbitmq(scenario.architectures.rabbitmq, scenario)


def _kafka(options: KafkaOptions) -> Iterator[Finding]:
    path = ("architectures", "kafka")
    given = {section: getattr(options, section) for section in KAFKA_SECTIONS}
    found = {
        section: _section(f"kafka {section}", options.version, given[section], (*path, section))
        for section in KAFKA_SECTIONS
    }
    for section in KAFKA_SECTIONS:
        yield from found[section]
    clients = ("producer", "consumer", "broker")
    if any(found[section] for section in clients):
        return
    resolved = {section: resolve(f"kafka {section}", options.version, given[section]) for section in clients}
    for sentence in kafka_conflicts(resolved["producer"], resolved["consumer"], resolved["broker"]):
        yield path, sentence
    if options.commit == "transaction":
        yield from _transactions(resolved["producer"], resolved["broker"], options)
    written = options.consumer.get("enable.auto.commit")
    if written is not None and resolved["consumer"]["enable.auto.commit"] != (options.commit == "auto"):
        others = "commit: record, poll, before or transaction"
        wanted = "commit: auto" if resolved["consumer"]["enable.auto.commit"] else others
        yield (*path, "commit"), f"{options.commit} contradicts enable.auto.commit: {shown(written)}: write {wanted}"


def _retry_topics(scenario: Scenario) -> Iterator[Finding]:
    """A topic for each attempt, of attempts without end."""
    kafka = scenario.architectures.kafka
    if kafka is None or kafka.retry_topics != "each":
        return
    for name, service in scenario.services.items():
        retry = service.retry or scenario.retry
        if retry.where != "worker" and retry.attempts is None:
            yield ("architectures", "kafka", "retry-topics"), (
                f"with unlimited attempts {name} would need endless retry topics: write a number of attempts, or "
                "retry-topics: one")


def _transactions(producer: Mapping[str, Any], broker: Mapping[str, Any], options: KafkaOptions) -> Iterator[Finding]:
    """What a producer in transactions cannot do, and what it cannot have."""
    path = ("architectures", "kafka", "producer")
    if producer["acks"] != "all":
        yield (*path, "acks"), f"acks is {producer['acks']}, but commit: transaction needs acks: all"
    elif not producer["enable.idempotence"]:
        yield path, "commit: transaction needs an idempotent producer: leave enable.idempotence: false away"
    longest_ms = broker["transaction.max.timeout.ms"]
    if "transactional.id" in options.producer:
        yield (*path, "transactional.id"), ("with commit: transaction each worker has a transactional.id of its own: "
                                            "leave this one away")
    elif producer["transaction.timeout.ms"] > longest_ms:
        yield (*path, "transaction.timeout.ms"), (
            f"transaction.timeout.ms is {producer['transaction.timeout.ms']} ms, but the broker allows {longest_ms} ms "
            "(transaction.max.timeout.ms)")


def _rabbitmq(options: RabbitOptions, scenario: Scenario) -> Iterator[Finding]:
    path = ("architectures", "rabbitmq")
    found = _section("rabbitmq queue", options.version, options.queue, (*path, "queue"))
    yield from found
    for service, arguments in options.queues.items():
        here = (*path, "queues", service)
        if service not in scenario.services:
            yield here, f"there is no service {shown(service)}: {suggestion(service, scenario.services)}"
            continue
        shared = {} if found else options.queue
        yield from _section("rabbitmq queue", options.version, {**shared, **arguments}, here)


def _section(section: str, version: str, given: Mapping[str, Any], path: Path) -> list[Finding]:
    too_long = [name for name in given if not isinstance(name, str) or len(name) > LONGEST_NAME]
    if too_long:
        allowed = f"names have at most {LONGEST_NAME} characters"
        return [(path, f"{shown(name)} is no {section} option: {allowed}") for name in too_long]
    try:
        resolve(section, version, given)
    except OptionError as error:
        return [((*path, *_blamed(sentence, given)), sentence) for sentence in error.problems]
    return []


def _blamed(sentence: str, given: Mapping[str, Any]) -> list[str]:
    """The option that a sentence is about: the given one that it names first, if any."""
    named = [(sentence.index(name), -len(name), name) for name in given if name in sentence]
    return [min(named)[2]] if named else []
