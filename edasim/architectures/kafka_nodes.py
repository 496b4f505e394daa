"""The broker nodes of a Kafka cluster as a scenario's faults name them: `broker-1` is one, `broker` all of them."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from edasim.brokers.kafka.bounded_producer import BoundedProducer
from edasim.brokers.kafka.cluster import Cluster, ClusterTimes
from edasim.brokers.kafka.nodes import node_name
from edasim.brokers.kafka.producer import Producer
from edasim.brokers.kafka.replication import ReplicatedCluster
from edasim.core.world import World
from edasim.scenario.value import Scenario
from edasim.services.faults import Mend

BROKER = "broker"
_BOUNDS = ("buffer.memory", "max.block.ms", "max.request.size")


def nodes_fail(scenario: Scenario, nodes: int) -> bool:
    """Whether a fault takes a node; only then does each replica have to be followed on its own."""
    names = set(map(node_name, range(1, nodes + 1)))
    return any(fault.target in names or (fault.target == BROKER and fault.kind in ("crash", "stop"))
               for fault in scenario.faults.values())


def cluster_for(scenario: Scenario, world: World, times: ClusterTimes, nodes: int,
                options: Mapping[str, Any]) -> Cluster:
    """The cluster that a scenario needs: one whose nodes can fail, or else the plain one."""
    kind = ReplicatedCluster if nodes_fail(scenario, nodes) else Cluster
    return kind(world, times, nodes, options)


def producer_kind(cluster: Cluster, scenario: Scenario, options: Mapping[str, Any]) -> type[Producer]:
    """What its producers are.  Where the broker always answers, the default buffer never gets full."""
    if cluster.producer_kind is not Producer:
        return cluster.producer_kind
    kafka = scenario.architectures.kafka
    bounded = any(name in (kafka.producer if kafka is not None else {}) for name in _BOUNDS)
    unanswered = any(BROKER in fault.target or fault.kind in ("cut", "lossy") for fault in scenario.faults.values())
    large = any(producer.size > options["max.request.size"] for producer in scenario.producers.values())
    return BoundedProducer if bounded or unanswered or large else Producer


class Nodes:
    """Takes nodes down and brings them back; one that two faults took is back when both are over.

    `reach` is told False when the last node has gone, and True when the first one is back.
    """

    def __init__(self, cluster: Cluster, reach: Callable[[bool], None]) -> None:
        self._cluster = cluster
        self._taken: Counter[int] = Counter()
        self._paused: Counter[int] = Counter()
        self.names = {node_name(number): number for number in range(1, cluster.nodes + 1)}
        if isinstance(cluster, ReplicatedCluster):
            cluster.reach = reach

    def end(self, part: str, *, properly: bool) -> Mend:
        """Processes die, or are shut down properly; returns what starts them again."""
        cluster = self._replicated()
        numbers = [self.names[part]] if part in self.names else list(self.names.values())
        for number in numbers:
            self._taken[number] += 1
            (cluster.stop if properly else cluster.kill)(number)

        def start() -> None:
            for number in numbers:
                self._taken[number] -= 1
                if not self._taken[number]:
                    cluster.start(number)

        return start

    def pause(self, part: str) -> None:
        """A process is stuck."""
        number = self.names[part]
        self._paused[number] += 1
        self._replicated().freeze(number)

    def resume(self, part: str) -> None:
        """It goes on, unless another fault holds it, too."""
        number = self.names[part]
        self._paused[number] -= 1
        if not self._paused[number]:
            self._replicated().thaw(number)

    def _replicated(self) -> ReplicatedCluster:
        assert isinstance(self._cluster, ReplicatedCluster), "a scenario with such a fault has a cluster that can fail"
        return self._cluster
