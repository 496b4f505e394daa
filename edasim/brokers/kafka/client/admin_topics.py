"""What an admin client's requests about topics do at the brokers.

Source in apache/kafka: ReplicationControlManager (createTopics, createPartitions), Topic.validate, KafkaApis
(handleDeleteRecordsRequest, handleListOffsetRequest).
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.admin_values import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    DeletedRecords,
    ElectionType,
    ListOffsetsResultInfo,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from edasim.brokers.kafka.client.errors import KafkaException, failure
from edasim.brokers.kafka.client.values import TopicPartition
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.scenario.broker_options import OptionError, kafka_options, resolve

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_CREATION = ("partitions", "replication.factor")


def create(kafka: SimulatedKafka, new: NewTopic, validate_only: bool) -> None:
    """Create a topic, or raise why it cannot be."""
    if not _NAME.fullmatch(new.topic) or new.topic in (".", ".."):
        raise failure("TOPIC_EXCEPTION", f'"{new.topic}" is no topic name: 1 to 249 letters, digits, dots, underscores '
                                         "and hyphens")
    if new.topic in kafka.cluster.topics:
        raise failure("TOPIC_ALREADY_EXISTS", f'there is a topic "{new.topic}" already')
    assigned = new.replica_assignment
    partitions = len(assigned) if assigned else new.num_partitions
    if partitions == -1:
        partitions = kafka.options["num.partitions"]
    if partitions < 1:
        raise failure("INVALID_PARTITIONS", f"a topic has at least one partition, not {partitions}")
    replicas = len(assigned[0]) if assigned else new.replication_factor
    if replicas == -1:
        replicas = min(kafka.options["default.replication.factor"], kafka.brokers)
    if not 1 <= replicas <= kafka.brokers:
        raise failure("INVALID_REPLICATION_FACTOR", f"{replicas} replicas need as many brokers, and there are "
                                                    f"{kafka.brokers}")
    for brokers in assigned or []:
        if len(set(brokers)) < len(brokers) or len(brokers) != replicas or not set(brokers) <= kafka.broker_numbers:
            raise failure("INVALID_REPLICA_ASSIGNMENT", f"{brokers} are not {replicas} different brokers of "
                                                        f"{sorted(kafka.broker_numbers)}")
    options = topic_options(kafka, {"partitions": partitions, "replication.factor": replicas}, new.config)
    if not validate_only:
        kafka.create_topic(new.topic, options, new.config, assigned)


def topic_options(kafka: SimulatedKafka, created: Mapping[str, int], config: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a topic; INVALID_CONFIG with a sentence for what the broker would refuse."""
    for name in config:
        if name in _CREATION:
            raise failure("INVALID_CONFIG", f"{name} is an argument of NewTopic, no configuration")
    # That more replicas have to be in sync than there are is allowed: nobody can then write with acks=all.
    alone = {name: value for name, value in config.items() if name != "min.insync.replicas"}
    try:
        options = resolve("kafka topic", kafka.version, {**created, **alone})
        if "min.insync.replicas" in config:
            least = kafka_options("topic")["min.insync.replicas"].parse(config["min.insync.replicas"], kafka.version)
            options["min.insync.replicas"] = least
    except (OptionError, ValueError) as error:
        raise failure("INVALID_CONFIG", str(error)) from None
    return options


def delete(kafka: SimulatedKafka, name: str) -> None:
    """Delete a topic."""
    known(kafka, name)
    kafka.delete_topic(name)


def known(kafka: SimulatedKafka, name: str) -> None:
    """Raise unless there is such a topic."""
    if name not in kafka.cluster.topics:
        raise failure("UNKNOWN_TOPIC_OR_PART", f'the cluster has no topic "{name}"')


def grow(kafka: SimulatedKafka, new: NewPartitions, validate_only: bool) -> None:
    """Give a topic more partitions."""
    known(kafka, new.topic)
    now = len(kafka.cluster.topics[new.topic].partitions)
    if new.new_total_count <= now:
        raise failure("INVALID_PARTITIONS", f'topic "{new.topic}" has {now} partitions, and that number only grows')
    if not validate_only:
        kafka.add_partitions(new.topic, new.new_total_count)


# --- configuration --------------------------------------------------------------------------------------------


def _configuration(kafka: SimulatedKafka, resource: ConfigResource) -> dict[str, Any]:
    if resource.restype != ResourceType.TOPIC:
        raise failure("INVALID_REQUEST", "only the configuration of topics can be looked at and altered here: that of "
                                         "the brokers is given to SimulatedKafka")
    known(kafka, resource.name)
    return kafka.topic_config(resource.name)


def described(kafka: SimulatedKafka, resource: ConfigResource) -> dict[str, ConfigEntry]:
    """All options of a topic, as text."""
    given = _configuration(kafka, resource)
    options = kafka.topic_options(resource.name)
    return {name: ConfigEntry(name, _text(options[name]), name not in given)
            for name in sorted(options) if name not in _CREATION}


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return ",".join(value)
    return None if value is None else str(value)


def alter(kafka: SimulatedKafka, resource: ConfigResource, validate_only: bool) -> None:
    """Set all options of a topic."""
    _configuration(kafka, resource)
    _set(kafka, resource.name, dict(resource.set_config_dict), validate_only)


def alter_some(kafka: SimulatedKafka, resource: ConfigResource, validate_only: bool) -> None:
    """Change some options of a topic."""
    config = dict(_configuration(kafka, resource))
    for entry in resource.incremental_configs:
        if entry.incremental_operation == AlterConfigOpType.DELETE:
            config.pop(entry.name, None)
        else:
            config[entry.name] = entry.value
    _set(kafka, resource.name, config, validate_only)


def _set(kafka: SimulatedKafka, name: str, config: dict[str, Any], validate_only: bool) -> None:
    topic = kafka.cluster.topics[name]
    created = {"partitions": len(topic.partitions), "replication.factor": topic.replicas}
    options = topic_options(kafka, created, config)
    if not validate_only:
        kafka.configure_topic(name, options, config)


# --- offsets --------------------------------------------------------------------------------------------------


def _present(kafka: SimulatedKafka, place: TopicPartition) -> ReplicatedPartition:
    """The engine's partition; librdkafka finds no leader for one that is not there."""
    partition = kafka.find(place.topic, place.partition)
    if partition is None:
        raise failure("_NOENT", f"there is no partition {place.topic} [{place.partition}]")
    return partition


def delete_records(kafka: SimulatedKafka, place: TopicPartition) -> DeletedRecords:
    """Let a partition begin at an offset."""
    partition = _present(kafka, place)
    try:
        return DeletedRecords(partition.delete_records(place.offset))
    except ValueError as error:
        raise failure("OFFSET_OUT_OF_RANGE", str(error)) from None


def offset_of(kafka: SimulatedKafka, place: TopicPartition, spec: OffsetSpec, committed: bool) -> ListOffsetsResultInfo:
    """An offset of a partition."""
    partition = _present(kafka, place)
    end = partition.last_stable() if committed else partition.high_watermark
    if spec.kind == "earliest":
        return ListOffsetsResultInfo(partition.log_start)
    if spec.kind == "latest":
        return ListOffsetsResultInfo(end)
    records = partition.read(partition.log_start, end)
    if spec.kind == "max timestamp":
        if not records:
            return ListOffsetsResultInfo(-1)
        newest = max(records, key=kafka.time_ms)
        return ListOffsetsResultInfo(newest.offset, kafka.time_ms(newest))
    for record in records:
        if kafka.time_ms(record) >= spec.timestamp_ms:
            return ListOffsetsResultInfo(record.offset, kafka.time_ms(record))
    return ListOffsetsResultInfo(-1)


# --- leaders --------------------------------------------------------------------------------------------------


def elect(kafka: SimulatedKafka, kind: ElectionType, places: list[TopicPartition] | None) -> dict[Any, Any]:
    """Have the first replica of each partition lead; why not, where that is not possible or needed."""
    if kind != ElectionType.PREFERRED:
        raise failure("INVALID_REQUEST", "only a preferred election can be asked for here; unclean ones happen by "
                                         "unclean.leader.election.enable")
    if places is None:
        places = [TopicPartition(name, number) for name, topic in kafka.cluster.topics.items()
                  for number in range(len(topic.partitions))]
    return {place: _elect(kafka, place) for place in places}


def _elect(kafka: SimulatedKafka, place: TopicPartition) -> KafkaException | None:
    partition = kafka.partition(*place.place)
    first = partition.rules.replicas[0]
    if partition.registered.leader == first:
        return failure("ELECTION_NOT_NEEDED", "the first replica leads already")
    if first not in partition.registered.isr:
        return failure("PREFERRED_LEADER_NOT_AVAILABLE", "the first replica is not in sync")
    kafka.cluster.controller.prefer(partition)
    return None
