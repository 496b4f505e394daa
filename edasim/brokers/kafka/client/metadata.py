"""What list_topics() answers: brokers, topics and their partitions."""
from __future__ import annotations

from dataclasses import dataclass, field

from edasim.brokers.kafka.client.errors import KafkaError


@dataclass(frozen=True)
class BrokerMetadata:
    """A broker: its number, and where it would listen if it were real."""

    id: int
    host: str = "simulated"
    port: int = 9092

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.id}"


@dataclass(frozen=True)
class PartitionMetadata:
    """A partition: its leader (-1: none), all its replicas and those in sync, as numbers of brokers."""

    id: int
    leader: int
    replicas: list[int]
    isrs: list[int]
    error: KafkaError | None = None

    def __str__(self) -> str:
        return str(self.id)


@dataclass(frozen=True)
class TopicMetadata:
    """A topic and its partitions by number; `error` is set when there is no such topic."""

    topic: str
    partitions: dict[int, PartitionMetadata] = field(default_factory=dict)
    error: KafkaError | None = None

    def __str__(self) -> str:
        return self.topic


@dataclass(frozen=True)
class ClusterMetadata:
    """Brokers by number and topics by name."""

    cluster_id: str
    controller_id: int
    brokers: dict[int, BrokerMetadata]
    topics: dict[str, TopicMetadata]
    orig_broker_id: int = 1
    orig_broker_name: str = "simulated"
