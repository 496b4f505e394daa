"""A Kafka cluster of three nodes that can die, and what happened to it."""

from __future__ import annotations

from typing import Any

from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.brokers.kafka.replication import ReplicatedCluster
from tests.worlds import KafkaBench


class Replicas(KafkaBench):
    """Topic `orders` on nodes 1 to 3, with node 1 as the first leader of partition 0; a hop takes 1 ms."""

    kind = ReplicatedCluster
    cluster: ReplicatedCluster

    def __init__(self, replicas: int = 3, hop_ms: float = 1, *, partitions: int = 1, nodes: int = 3,
                 version: str = "4.3", broker: dict[str, object] | None = None, **options: object) -> None:
        super().__init__(partitions, replicas, hop_ms, nodes=nodes, version=version, broker=broker, **options)

    @property
    def partition(self) -> ReplicatedPartition:
        partition = self.topic.partitions[0]
        assert isinstance(partition, ReplicatedPartition)
        return partition

    @property
    def leader(self) -> int | None:
        return self.cluster.leader("orders", 0)

    @property
    def isr(self) -> set[int]:
        return set(self.cluster.in_sync("orders", 0))

    @property
    def eligible(self) -> set[int]:
        """The eligible leader replicas, as the controller has them."""
        return {index + 1 for index in self.partition.registered.eligible}

    def kill(self, *numbers: int) -> None:
        for number in numbers:
            self.cluster.kill(number)

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self.cluster.start(number)

    def accepted(self) -> list[str]:
        """Which records the producers were told are in the log."""
        return [name for name, ok in self.answers if ok]

    def refused(self) -> list[str]:
        """Which they were told are not."""
        return [name for name, ok in self.answers if not ok]

    def isolate(self, *numbers: int) -> None:
        """Followers on these nodes get nothing more."""
        for replica in self.partition.replicas:
            if replica.node.number in numbers:
                replica.there.use(_never)


def _never(uniforms: Any) -> Any:
    from numpy import full, int64

    return full(uniforms.shape[-1], 10**15, int64)
