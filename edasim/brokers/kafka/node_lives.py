"""How the nodes of a Kafka cluster come and go: they die, are stopped, get stuck, and come back.

Sources in apache/kafka: BrokerServer (startup, shutdown), BrokerLifecycleManager (a broker that is not asked to hand
over is missed when its session is over), ClusterControlManager.registerBroker (a new life waits for the end of the
session of the earlier one).
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.cluster import BROKER_DEFAULTS, Cluster, ClusterTimes
from edasim.brokers.kafka.controller import MILLISECOND, Controller
from edasim.brokers.kafka.nodes import Node
from edasim.core.draws import SequentialDraw
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.metadata import Metadata
    from edasim.brokers.kafka.replicas import ReplicatedPartition


class FailingCluster(Cluster, ABC):
    """A cluster whose nodes, the `brokers`, can fail; `clients` are told when a connection breaks.

    `reach` is told False when the last node has gone, and True when the first one is back.
    """

    def __init__(self, world: World, times: ClusterTimes, nodes: int, options: Mapping[str, Any] | None) -> None:
        super().__init__(world, times, nodes, options)
        options = BROKER_DEFAULTS if options is None else options
        self.clock = world.clock
        self.controlled_shutdown: bool = options["controlled.shutdown.enable"]
        heartbeat_ns = options["broker.heartbeat.interval.ms"] * MILLISECOND
        self._phase = world.draws.sequential("phase", "broker heartbeat")
        self.brokers = [Node(index, round(self._phase.draw() * heartbeat_ns)) for index in range(nodes)]
        self._hop = SequentialDraw(world.draws.stream("latency", "controller"), times.hop)
        self.controller = Controller(self, options)
        self.clients: list[Metadata] = []
        self.reach: Callable[[bool], None] = lambda reached: None

    @abstractmethod
    def partitions(self) -> Iterator[ReplicatedPartition]:
        """All of them."""

    def partitions_on(self, node: Node) -> list[ReplicatedPartition]:
        """Those with a replica on a node."""
        return [one for one in self.partitions() if node.index in one.rules.replicas]

    def kill(self, number: int) -> None:
        """A node's process dies; its connections break, its disk stays."""
        node = self._node(number)
        if node.alive:
            node.crashed = True
            self._down(node)
            self.controller.lost(node)
        else:
            node.life += 1  # It does not get up again.

    def stop(self, number: int) -> None:
        """A node is shut down: the controller moves its leaders first, and then it goes."""
        node = self._node(number)
        if not node.alive:
            node.life += 1  # It does not get up again.
        elif not node.answers:
            node.held.append(lambda: self.stop(number))
        elif not self.controlled_shutdown:
            self._down(node)
            self.controller.lost(node)
        elif not node.leaving:
            life = node.life
            self.after_hop(lambda: self._leaves(node, life))

    def _leaves(self, node: Node, life: int) -> None:
        if node.life != life:
            return
        self.controller.leaving(node)

        def down() -> None:
            if node.life == life:
                self._down(node)
                self.controller.fence(node)

        # When all others have heard of the new leaders, the controller lets it go.
        self.after_hop(lambda: self.after_hop(lambda: self.after_hop(down)))

    def start(self, number: int) -> None:
        """A node comes back: it registers, as soon as the session of its earlier life is over, and catches up."""
        node = self._node(number)
        if node.alive and not node.leaving:
            return
        if node.alive:
            self._down(node)
            self.controller.fence(node)
        node.life += 1
        life, wait_ns = node.life, 0 if node.fenced else node.session_until_ns - self.clock.now_ns

        def register() -> None:
            if node.life == life:
                self.controller.fence(node)
                self.controller.registers(node)
                self.after_hop(lambda: self.after_hop(lambda: self._up(node, life)))

        self.clock.at(self.clock.now_ns + max(0, wait_ns), lambda: self.after_hop(register))

    def freeze(self, number: int) -> None:
        """A node is stuck: it takes requests and does nothing about them, and its session runs out."""
        node = self._node(number)
        if node.answers:
            node.paused_since_ns = self.clock.now_ns
            for partition in self.partitions_on(node):
                partition.node_pauses(node)
            self.controller.lost(node)

    def thaw(self, number: int) -> None:
        """A node that was stuck goes on where it was, or hears that others lead by now."""
        node = self._node(number)
        if node.paused_since_ns is None or not node.alive:
            return
        node.paused_since_ns = None
        node.phase_ns = self.clock.now_ns
        if node.fenced:
            life = node.life
            self.after_hop(lambda: self.after_hop(lambda: self._heard_again(node, life)))
        else:
            for partition in self.partitions_on(node):
                partition.node_resumes(node)
        held, node.held = node.held, []
        for action in held:
            action()

    def _heard_again(self, node: Node, life: int) -> None:
        if node.life == life and node.answers:
            self.controller.unfence(node)
            for partition in self.partitions_on(node):
                partition.node_back(node)

    # --- how -------------------------------------------------------------------------------------------------

    def _node(self, number: int) -> Node:
        assert 1 <= number <= self.nodes, f"there is no broker-{number}: nodes are numbered 1 to {self.nodes}"
        return self.brokers[number - 1]

    def _down(self, node: Node) -> None:
        node.life += 1
        node.alive = False
        node.held.clear()
        for partition in self.partitions_on(node):
            partition.node_died(node)
        for client in self.clients:
            client.connection_breaks(node)
        if not any(other.alive for other in self.brokers):
            self.reach(False)

    def _up(self, node: Node, life: int) -> None:
        if node.life != life:
            return
        if not any(other.alive for other in self.brokers):
            self.reach(True)
        node.alive = True
        node.paused_since_ns = None
        node.phase_ns = self.clock.now_ns
        self.controller.unfence(node)
        for partition in self.partitions_on(node):
            partition.node_back(node)

    def after_hop(self, action: Callable[[], None]) -> None:
        """Do something when word of it has come from one node to another, the controller being one."""
        self.clock.at(self.clock.now_ns + self._hop.draw(), action)
