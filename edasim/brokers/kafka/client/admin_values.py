"""The values that an AdminClient takes and gives."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from edasim.brokers.kafka.client.values import TopicPartition


class NewTopic:
    """A topic to be created.  `replication_factor` -1 means the brokers' default; `replica_assignment` names the
    brokers of each partition instead; `config` are topic options by their real names.
    """

    def __init__(self, topic: str, num_partitions: int = -1, replication_factor: int = -1,
                 replica_assignment: list[list[int]] | None = None, config: Mapping[str, Any] | None = None) -> None:
        self.topic = topic
        self.num_partitions = num_partitions
        self.replication_factor = replication_factor
        self.replica_assignment = replica_assignment
        self.config = dict(config or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NewTopic) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.topic)

    def __repr__(self) -> str:
        return f"NewTopic(topic={self.topic},num_partitions={self.num_partitions})"


class NewPartitions:
    """A topic that is to have `new_total_count` partitions from now on."""

    def __init__(self, topic: str, new_total_count: int, replica_assignment: list[list[int]] | None = None) -> None:
        self.topic = topic
        self.new_total_count = new_total_count
        self.replica_assignment = replica_assignment

    def __repr__(self) -> str:
        return f"NewPartitions(topic={self.topic},new_total_count={self.new_total_count})"


class ResourceType(IntEnum):
    """What a configuration belongs to."""

    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    BROKER = 4


class AlterConfigOpType(IntEnum):
    """What happens to a configuration."""

    SET = 0
    DELETE = 1


@dataclass
class ConfigEntry:
    """One option and its value; `is_default` when nobody has set it."""

    name: str
    value: str | None
    is_default: bool = False
    incremental_operation: AlterConfigOpType | None = None


class ConfigResource:
    """A topic (or broker) whose configuration is described or altered."""

    Type = ResourceType

    def __init__(self, restype: ResourceType | str, name: str, set_config: Mapping[str, Any] | None = None,
                 incremental_configs: list[ConfigEntry] | None = None) -> None:
        self.restype = ResourceType[restype.upper()] if isinstance(restype, str) else restype
        self.name = name
        self.set_config_dict = dict(set_config or {})
        self.incremental_configs = list(incremental_configs or [])

    def set_config(self, name: str, value: Any, overwrite: bool = True) -> None:
        """Say what an option is to be."""
        if overwrite or name not in self.set_config_dict:
            self.set_config_dict[name] = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigResource) and (self.restype, self.name) == (other.restype, other.name)

    def __hash__(self) -> int:
        return hash((self.restype, self.name))

    def __repr__(self) -> str:
        return f"ConfigResource({self.restype.name},{self.name})"


class IsolationLevel(IntEnum):
    """Up to where a partition is read."""

    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1


class ElectionType(IntEnum):
    """Which replica is to lead: the first one, or in need any that lives."""

    PREFERRED = 0
    UNCLEAN = 1


class OffsetSpec:
    """Which offset list_offsets() is to find: the earliest, the latest, or the first at or after a time."""

    def __init__(self, kind: str, timestamp_ms: int = 0) -> None:
        self.kind = kind
        self.timestamp_ms = timestamp_ms

    @classmethod
    def earliest(cls) -> OffsetSpec:
        """The first offset that is kept."""
        return cls("earliest")

    @classmethod
    def latest(cls) -> OffsetSpec:
        """The end."""
        return cls("latest")

    @classmethod
    def max_timestamp(cls) -> OffsetSpec:
        """The record with the largest timestamp."""
        return cls("max timestamp")

    @classmethod
    def for_timestamp(cls, timestamp: int) -> OffsetSpec:
        """The first record whose timestamp (milliseconds since 1970) is not before this one."""
        return cls("timestamp", timestamp)


@dataclass(frozen=True)
class ListOffsetsResultInfo:
    """An offset, and the timestamp of its record where one was looked for."""

    offset: int
    timestamp: int = -1
    leader_epoch: int | None = None


@dataclass(frozen=True)
class DeletedRecords:
    """After delete_records: the first offset that is left."""

    low_watermark: int


class ConsumerGroupState(IntEnum):
    """How a group stands."""

    UNKNOWN = 0
    PREPARING_REBALANCING = 1
    COMPLETING_REBALANCING = 2
    STABLE = 3
    DEAD = 4
    EMPTY = 5


@dataclass(frozen=True)
class MemberAssignment:
    """What a member has."""

    topic_partitions: list[TopicPartition] = field(default_factory=list)


@dataclass(frozen=True)
class MemberDescription:
    """One member of a group."""

    member_id: str
    client_id: str
    host: str
    assignment: MemberAssignment
    group_instance_id: str | None = None


@dataclass(frozen=True)
class ConsumerGroupDescription:
    """A group, its members and its assignment strategy."""

    group_id: str
    is_simple_consumer_group: bool
    members: list[MemberDescription]
    partition_assignor: str
    state: ConsumerGroupState
    coordinator: Any = None


@dataclass(frozen=True)
class ConsumerGroupListing:
    """A group by its name."""

    group_id: str
    is_simple_consumer_group: bool
    state: ConsumerGroupState


@dataclass(frozen=True)
class ListConsumerGroupsResult:
    """All groups, and what could not be asked."""

    valid: list[ConsumerGroupListing]
    errors: list[Any] = field(default_factory=list)


@dataclass
class ConsumerGroupTopicPartitions:
    """A group and the partitions whose offsets are asked for (None: all), or were found."""

    group_id: str
    topic_partitions: list[TopicPartition] | None = None


@dataclass(frozen=True)
class TopicCollection:
    """Topics by name."""

    topic_names: list[str]
