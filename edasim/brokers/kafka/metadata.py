"""What one client knows of the cluster: which node leads each partition, and which nodes it cannot reach.

A client asks for metadata when a connection breaks and when a leader turns out to be none, and again after a backoff
until it knows a leader that it can reach for each partition that it has to do with.  Sources in apache/kafka:
NetworkClient (DefaultMetadataUpdater, processDisconnection), ClusterConnectionStates, KIP-951 (a refusal names the new
leader).  Reconnecting and asking for metadata are one round here.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.nodes import NOWHERE, Node
from edasim.core.link import CALL, Call, Link

if TYPE_CHECKING:
    from edasim.brokers.kafka.replicas import ReplicatedPartition
    from edasim.brokers.kafka.replication import ReplicatedCluster

MILLISECOND = 1_000_000
Answer = tuple[dict[Partition, int], frozenset[int]]
"""Who leads each partition, and which nodes are there, by index."""


class Client(Protocol):
    """A producer or consumer that has to be told."""

    @property
    def alive(self) -> bool:
        """Whether it still is there."""

    def disconnected(self, index: int) -> None:
        """The connection to a node broke; what was asked of it is not answered."""

    def moved(self, partition: Partition, before: int) -> None:
        """A partition has another leader than the one of index `before`, as far as the client knows."""

    def reconnected(self, index: int) -> None:
        """A node can be reached again."""


class Metadata(dict[Partition, int]):
    """For each partition that the client has to do with, the index of its leader; NOWHERE while it knows of none.

    `unreachable` are the nodes that it found dead; `standing`: whether it always has a request at each leader, as a
    consumer has, and so hears at once when that changes.
    """

    def __init__(self, cluster: ReplicatedCluster, client: Client, name: str, links: tuple[Link, Link],
                 options: Mapping[str, Any], *, standing: bool) -> None:
        super().__init__()
        self.cluster = cluster
        self.clock = cluster.world.clock
        self.client = client
        self.to_broker, self.to_client = links
        self.standing = standing
        self.unreachable = {node.index for node in cluster.brokers if not node.alive}
        self._request_timeout_ns: int = options["request.timeout.ms"] * MILLISECOND
        self._backoff_ns: int = options["reconnect.backoff.ms"] * MILLISECOND
        self._backoff_max_ns: int = options["reconnect.backoff.max.ms"] * MILLISECOND
        self._jitter = cluster.world.draws.sequential("reconnect backoff", name)
        self._tries = 0
        self._asking = False
        cluster.clients.append(self)
        if self.unreachable:
            self.refresh()

    def __missing__(self, partition: Partition) -> int:
        leader = self[partition] = self.cluster.published(partition)
        return leader

    def reaches(self, partition: ReplicatedPartition) -> bool:
        """Whether the client knows the node that leads the partition, and can reach it."""
        leader = self[partition]
        return leader == partition.serving != NOWHERE and leader not in self.unreachable

    # --- what happens to the client ---------------------------------------------------------------------------

    def connection_breaks(self, node: Node) -> None:
        """A node dies: the client hears of it when the broken connection shows."""
        if self.client.alive:
            self.to_client.send(Call(self._disconnected, node.index), CALL)

    def _disconnected(self, index: int) -> None:
        self.unreachable.add(index)
        self.client.disconnected(index)
        self.refresh()

    def leader_changed(self, partition: ReplicatedPartition) -> None:
        """At the brokers: who has a request standing at the old leader is answered that it leads no more."""
        if self.standing and partition in self and self.client.alive:
            self.to_client.send(Call(self.learn, (partition, self.cluster.published(partition))), CALL)

    def leader_silent(self, partition: ReplicatedPartition, since_ns: int) -> None:
        """Who has a request standing at a leader that is stuck gives it up after request.timeout.ms, and asks."""
        if self.standing and partition in self:
            due_ns = max(self.clock.now_ns, since_ns + self._request_timeout_ns)
            self.clock.at(due_ns, lambda: self.refresh() if self.client.alive else None)

    def learn(self, news: tuple[Partition, int]) -> None:
        """A refusal said who leads a partition now."""
        partition, leader = news
        before = self[partition]
        if leader != before:
            self[partition] = leader
            self.client.moved(partition, before)
        if leader == NOWHERE:
            self.refresh()

    # --- asking -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask any node for metadata, and again until there is a leader within reach for everything."""
        if not self._asking:
            self._asking = True
            self._tries = 0
            self._ask()

    def _ask(self) -> None:
        self.to_broker.send(Call(self._at_broker, None), CALL)
        wait_ns = min(self._backoff_ns * 2 ** min(self._tries, 30), max(self._backoff_ns, self._backoff_max_ns))
        self._tries += 1
        self.clock.at(self.clock.now_ns + max(MILLISECOND, round(wait_ns * (0.8 + 0.4 * self._jitter.draw()))),
                      self._ask_again)

    def _ask_again(self) -> None:
        if self.client.alive and (self.unreachable or NOWHERE in self.values()):
            self._ask()
        else:
            self._asking = False

    def _at_broker(self, _: None) -> None:
        alive = frozenset(node.index for node in self.cluster.brokers if node.answers)
        if alive:
            leaders = {partition: self.cluster.published(partition) for partition in self}
            self.to_client.send(Call(self._answered, (leaders, alive)), CALL)

    def _answered(self, answer: Answer) -> None:
        leaders, alive = answer
        back = self.unreachable & alive
        self.unreachable -= alive
        for partition, leader in leaders.items():
            self.learn((partition, leader))
        for index in sorted(back):
            self.client.reconnected(index)
