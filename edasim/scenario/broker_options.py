"""Real broker options by section: what each is called, what it defaults to in a release, and what is refused.

`resolve` turns the options that a scenario names into all options of their section, with the defaults of the
release. It refuses what the real client or broker would refuse, and unknown names, in one sentence each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from edasim.core.quantity import shown
from edasim.scenario.broker_option import KAFKA_VERSIONS, RABBITMQ_VERSIONS, BrokerOption
from edasim.scenario.kafka_broker_option_table import BROKER, TOPIC
from edasim.scenario.kafka_client_option_table import ASSIGNORS, CONSUMER, PRODUCER
from edasim.scenario.rabbitmq_option_table import QUEUE_ARGUMENTS

Options = dict[str, Any]

SECTIONS: Mapping[str, dict[str, BrokerOption]] = {
    "kafka topic": TOPIC,
    "kafka producer": PRODUCER,
    "kafka consumer": CONSUMER,
    "kafka broker": BROKER,
    "rabbitmq queue": QUEUE_ARGUMENTS,
}


class OptionError(ValueError):
    """Options that the real broker would refuse, or does not know: `.problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def kafka_options(section: str) -> dict[str, BrokerOption]:
    """The options of Kafka's "topic", "producer", "consumer" or "broker" by name."""
    return SECTIONS["kafka " + section]


def rabbitmq_queue_arguments() -> dict[str, BrokerOption]:
    """The optional arguments of a RabbitMQ queue by name."""
    return QUEUE_ARGUMENTS


def versions(section: str) -> tuple[str, ...]:
    """The releases of the section's broker whose defaults are known, oldest first."""
    return KAFKA_VERSIONS if section.startswith("kafka") else RABBITMQ_VERSIONS


@cache
def _defaults(section: str, version: str) -> Options:
    known = SECTIONS[section].values()
    return {option.name: option.default(version) for option in known if option.exists_in(version)}


def resolve(section: str, version: str, given: Mapping[str, object]) -> Options:
    """All options of a section in a release: its defaults, overlaid with the given values.

    Durations are whole milliseconds and sizes whole bytes, written bare or as "30s" and "16KiB"; None means
    unset or unlimited; lists are tuples. Raises OptionError with all problems together.
    """
    if version not in versions(section):
        raise OptionError([f'version "{version}" is unknown: {", ".join(versions(section))} are known'])
    problems: list[str] = []
    parsed: Options = {}
    unclear: set[str] = set()
    for name, value in given.items():
        try:
            parsed[name] = _find(section, version, name).parse(value, version)
        except ValueError as error:
            problems.append(str(error))
            unclear.add(_nearest(section, name))
    options = {**_defaults(section, version), **parsed}
    # What follows from an option that could not be read is not known; a queue's type decides about all the others.
    if section in _RULES and "x-queue-type" not in unclear:
        broken = _RULES[section](options, parsed, version)
        problems += [sentence for sentence in broken if not any(name in sentence for name in unclear)]
    if problems:
        raise OptionError(problems)
    return options


def fidelity_notes(section: str, given: Mapping[str, object]) -> dict[str, str]:
    """The given options that edasim accepts but does not model, or only in part: {name: "ignored: why"}."""
    known = SECTIONS[section]
    return {
        name: f"{known[name].status}: {known[name].note}"
        for name in given
        if name in known and known[name].status != "modelled"
    }


def kafka_conflicts(producer: Options, consumer: Options, broker: Options) -> list[str]:
    """Sentences for resolved options of different sections that the real broker would refuse together."""
    problems = []
    session_ms = _number(consumer, "session.timeout.ms")
    low = _number(broker, "group.min.session.timeout.ms")
    high = _number(broker, "group.max.session.timeout.ms")
    if not low <= session_ms <= high:
        problems.append(
            f"session.timeout.ms is {session_ms} ms, but the broker allows {low} to {high} ms "
            "(group.min.session.timeout.ms, group.max.session.timeout.ms)"
        )
    assignor, known = consumer["group.remote.assignor"], broker["group.consumer.assignors"]
    assert isinstance(known, tuple)
    if assignor is not None and assignor not in known:
        problems.append(f"group.remote.assignor is {shown(assignor)}, but the broker has {', '.join(known)} "
                        "(group.consumer.assignors)")
    timeout_ms = _number(producer, "transaction.timeout.ms")
    longest_ms = _number(broker, "transaction.max.timeout.ms")
    if producer["transactional.id"] is not None and timeout_ms > longest_ms:
        problems.append(
            f"transaction.timeout.ms is {timeout_ms} ms, but the broker allows {longest_ms} ms "
            "(transaction.max.timeout.ms)"
        )
    return problems


def _find(section: str, version: str, name: str) -> BrokerOption:
    option = SECTIONS[section].get(name)
    if option is None:
        raise ValueError(_unknown(section, name))
    if not option.exists_in(version):
        change = f"came with {option.since}" if option.since != "0" else f"was removed in {option.until}"
        raise ValueError(f"{name} {change}, but this scenario has version {version}")
    return option


def _unknown(section: str, name: str) -> str:
    elsewhere = [other for other, options in SECTIONS.items() if name in options]
    if elsewhere:
        return f"{shown(name)} is no {section} option, but it is a {elsewhere[0]} option"
    return f"{shown(name)} is no {section} option; the nearest one is {_nearest(section, name)}"


def _nearest(section: str, name: str) -> str:
    """The option itself, or of those that there are the most similar one."""
    options = SECTIONS[section]
    return name if name in options else get_close_matches(name, options, n=1, cutoff=0.0)[0]


def _number(options: Options, name: str) -> int:
    number = options[name]
    assert isinstance(number, int)
    return number


def _topic_rules(options: Options, _given: Options, _version: str) -> list[str]:
    replicas, needed = _number(options, "replication.factor"), _number(options, "min.insync.replicas")
    if needed > replicas:
        return [
            f"min.insync.replicas is {needed}, but replication.factor is {replicas}: no write would succeed"
        ]
    return []


def _producer_rules(options: Options, given: Options, version: str) -> list[str]:
    if options["acks"] == "-1":
        options["acks"] = "all"
    return [*_idempotence_rules(options, given, version), *_timeout_rules(options, given)]


def _idempotence_rules(options: Options, given: Options, version: str) -> list[str]:
    """Source: ProducerConfig.postProcessAndValidateIdempotenceConfigs in 3.9 and in 4.x."""
    if options["enable.idempotence"]:
        in_flight = "max.in.flight.requests.per.connection"
        conflicts = {
            "retries": "at least 1 is needed" if options["retries"] == 0 else "",
            "acks": "acks: all is needed" if options["acks"] != "all" else "",
            in_flight: "at most 5 is allowed" if _number(options, in_flight) > 5 else "",
        }
        found = {name: need for name, need in conflicts.items() if need}
        # Since 4.0 too many requests in flight are refused even if nobody asked for idempotence by name.
        by_name = "enable.idempotence" in given
        refused = [name for name in found if by_name or (name == in_flight and version != "3.9")]
        if refused:
            return [
                f"{name} is {options[name]}, but {found[name]} with enable.idempotence" for name in refused
            ]
        if found:
            options["enable.idempotence"] = False
    if given.get("transactional.id") is not None and not options["enable.idempotence"]:
        return ["transactional.id needs enable.idempotence"]
    return []


def _timeout_rules(options: Options, given: Options) -> list[str]:
    """A default that is too short is raised, a given one refused (KafkaProducer.configureDeliveryTimeout)."""
    least_ms = _number(options, "linger.ms") + _number(options, "request.timeout.ms")
    delivery_ms = _number(options, "delivery.timeout.ms")
    if delivery_ms >= least_ms:
        return []
    if "delivery.timeout.ms" in given:
        return [
            f"delivery.timeout.ms is {delivery_ms} ms, but at least linger.ms + request.timeout.ms "
            f"({least_ms} ms) is needed"
        ]
    options["delivery.timeout.ms"] = least_ms
    return []


_REFUSED_BY_PROTOCOL = {
    "classic": ("group.remote.assignor", "share.acknowledgement.mode"),
    "consumer": (
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "partition.assignment.strategy",
        "share.acknowledgement.mode",
    ),
}


def _consumer_rules(options: Options, given: Options, _version: str) -> list[str]:
    """Source: Heartbeat.java and ConsumerConfig.java."""
    strategies = options["partition.assignment.strategy"]
    assert isinstance(strategies, tuple)
    options["partition.assignment.strategy"] = tuple(ASSIGNORS.get(name, name) for name in strategies)
    protocol = str(options["group.protocol"])
    refused = [name for name in _REFUSED_BY_PROTOCOL[protocol] if given.get(name)]
    if refused:
        return [f"{name} cannot be set with group.protocol: {protocol}" for name in refused]
    if not strategies:
        return ["partition.assignment.strategy is empty, but at least one is needed"]
    heartbeat_ms = _number(options, "heartbeat.interval.ms")
    session_ms = _number(options, "session.timeout.ms")
    if heartbeat_ms >= session_ms:
        return [
            f"heartbeat.interval.ms is {heartbeat_ms} ms, but less than session.timeout.ms "
            f"({session_ms} ms) is needed"
        ]
    return []


def _broker_rules(options: Options, _given: Options, _version: str) -> list[str]:
    """What keeps a broker from starting.  Source: GroupCoordinatorConfig.java."""
    problems = []
    if not options["group.consumer.assignors"]:
        problems.append("group.consumer.assignors is empty, but at least one is needed")
    for what in ("session.timeout.ms", "heartbeat.interval.ms"):
        low, mine, high = (_number(options, f"group.consumer.{bound}{what}") for bound in ("min.", "", "max."))
        if not low <= mine <= high:
            problems.append(f"group.consumer.{what} is {mine} ms, but {low} to {high} ms is allowed "
                            f"(group.consumer.min.{what}, group.consumer.max.{what})")
    beat, silence = "group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms"
    if _number(options, beat) >= _number(options, silence):
        problems.append(f"{beat} is {options[beat]} ms, but less than {silence} ({options[silence]} ms) is needed")
    return problems


def _queue_rules(options: Options, given: Options, _version: str) -> list[str]:
    """An argument of another queue type is refused by name (rabbit_amqqueue.check_declare_arguments)."""
    queue_type = str(options["x-queue-type"])
    problems = []
    for name, option in QUEUE_ARGUMENTS.items():
        if name not in options or not option.queue_types or queue_type in option.queue_types:
            continue
        if name in given:
            homes = " and ".join(option.queue_types)
            problems.append(f"{name} is refused by {queue_type} queues; {homes} queues take it")
        options[name] = None
    if queue_type == "quorum" and options["x-overflow"] == "reject-publish-dlx":
        problems.append("x-overflow: reject-publish-dlx works on classic queues only; "
                        "a quorum queue would log a warning and drop its head")
    if options["x-dead-letter-routing-key"] is not None and options["x-dead-letter-exchange"] is None:
        problems.append("x-dead-letter-routing-key needs x-dead-letter-exchange")
    limit = options["x-delivery-limit"]
    if isinstance(limit, int) and limit < 0:
        options["x-delivery-limit"] = None
    return problems


_RULES: Mapping[str, Callable[[Options, Options, str], list[str]]] = {
    "kafka topic": _topic_rules,
    "kafka producer": _producer_rules,
    "kafka consumer": _consumer_rules,
    "kafka broker": _broker_rules,
    "rabbitmq queue": _queue_rules,
}
