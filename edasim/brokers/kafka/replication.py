"""A Kafka cluster whose nodes can fail one by one: replicas on each, failover, and what clients notice of it.

A shop without a fault on a node keeps the plain `Cluster`, whose followers are never late; this one is for all others
and for the step-by-step client.  Helper methods, with nodes numbered from 1 as in a scenario's `broker-2`:

- `kill(number)`: the node's process dies; `stop(number)`: it is shut down properly; `start(number)`: it comes back;
- `freeze(number)`: the process is stuck, and no connection breaks; `thaw(number)`: it goes on;
- `leader(topic, partition)`: the number of the live node that leads a partition, None while none does;
- `in_sync(topic, partition)`: the numbers of its in-sync replicas as the leader knows them;
- `high_watermark` and `end` of `topics[topic].partitions[partition]` say how far consumers see and how long the log is.

Sources in apache/kafka: BrokerServer (startup, beginShutdown), BrokerLifecycleManager, ReplicaManager (appendRecords,
isr-expiration), ReplicaFetcherThread.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.accumulator import Batch
from edasim.brokers.kafka.cluster import BROKER_DEFAULTS, Cluster, ClusterTimes
from edasim.brokers.kafka.controller import MILLISECOND, Controller
from edasim.brokers.kafka.failover_fetch import Reader
from edasim.brokers.kafka.failover_producer import OUT_OF_ORDER, FailoverProducer
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.nodes import NOWHERE, Node
from edasim.brokers.kafka.producer import Request
from edasim.brokers.kafka.replicas import Replica, ReplicatedPartition
from edasim.core.draws import SequentialDraw, StreamBundle
from edasim.core.link import sum_of
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member
    from edasim.brokers.kafka.metadata import Metadata


class ReplicatedCluster(Cluster):
    """`nodes` brokers, each of which can die, be stopped and come back; `options` are resolved broker options."""

    producer_kind = FailoverProducer

    def __init__(self, world: World, times: ClusterTimes, nodes: int,
                 options: Mapping[str, Any] | None = None) -> None:
        super().__init__(world, times, nodes, options)
        options = BROKER_DEFAULTS if options is None else options
        self.lines = nodes + 1  # The last one is for what has no leader; its index is NOWHERE.
        self.keeps_segments = True
        self.clock = world.clock
        self.controlled_shutdown: bool = options["controlled.shutdown.enable"]
        self.fetch_bytes: int = options["replica.fetch.max.bytes"]
        self._lag_ns: int = options["replica.lag.time.max.ms"] * MILLISECOND
        heartbeat_ns = options["broker.heartbeat.interval.ms"] * MILLISECOND
        self._phase = world.draws.sequential("phase", "broker heartbeat")
        self.brokers = [Node(index, round(self._phase.draw() * heartbeat_ns)) for index in range(nodes)]
        self._hop = SequentialDraw(world.draws.stream("latency", "controller"), times.hop)
        self._delays: list[tuple[SequentialDraw, SequentialDraw]] = []
        self.controller = Controller(self, options)
        self.clients: list[Metadata] = []
        self.reach: Callable[[bool], None] = lambda reached: None
        """Told False when the last node has gone, and True when the first one is back."""
        self._readers: dict[Member, Reader] = {}
        self.chosen: dict[str, list[int]] = {}
        """The numbers of the nodes for a partition's replicas by its name, where somebody has chosen them."""
        lag_phase = world.draws.sequential("phase", "isr expiration")
        for node in self.brokers:
            self._expire_later(node, round(lag_phase.draw() * self._lag_ns / 2))

    # --- for clients and tests --------------------------------------------------------------------------------

    def leader(self, topic: str, partition: int) -> int | None:
        """The number of the live node that leads a partition, None while none does."""
        serving = self._replicated(topic, partition).serving
        return None if serving == NOWHERE else serving + 1

    def in_sync(self, topic: str, partition: int) -> tuple[int, ...]:
        """The numbers of a partition's in-sync replicas, as its leader knows them."""
        return tuple(index + 1 for index in self._replicated(topic, partition).isr)

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
            self.controller.fence(node)
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

    # --- nodes ------------------------------------------------------------------------------------------------

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

    def _expire_later(self, node: Node, wait_ns: int) -> None:
        def check() -> None:
            for partition in self.partitions_on(node):
                if partition.serving == node.index:
                    partition.check_lag(self._lag_ns)
            self._expire_later(node, max(1, self._lag_ns // 2))

        self.clock.at(self.clock.now_ns + wait_ns, check)

    # --- partitions -------------------------------------------------------------------------------------------

    def partitions(self) -> Iterator[ReplicatedPartition]:
        """All of them."""
        for topic in self.topics.values():
            for partition in topic.partitions:
                assert isinstance(partition, ReplicatedPartition), "this cluster makes no others"
                yield partition

    def partitions_on(self, node: Node) -> list[ReplicatedPartition]:
        """Those with a replica on a node."""
        return [one for one in self.partitions() if node.index in one.rules.replicas]

    def _replicated(self, topic: str, number: int) -> ReplicatedPartition:
        partition = self.topics[topic].partitions[number]
        assert isinstance(partition, ReplicatedPartition), "this cluster makes no others"
        return partition

    def published(self, partition: Partition) -> int:
        """The index of the leader as the brokers' metadata has it, dead or alive; NOWHERE when there is none."""
        assert isinstance(partition, ReplicatedPartition), "this cluster makes no others"
        return NOWHERE if partition.known.leader is None else partition.known.leader

    def _kind_of_partition(self, options: Mapping[str, Any]) -> Callable[..., Partition]:
        return partial(ReplicatedPartition, options=options, cluster=self)

    def place_replicas(self, name: str, number: int, count: int) -> list[Replica]:
        """Replicas on nodes one after another, the first of which is to lead."""
        assert count <= self.nodes, "a cluster has at least as many nodes as a partition has replicas"
        numbers = self.chosen.get(name) or [(number + position) % self.nodes + 1 for position in range(count)]
        replicas = []
        for position in range(count):
            follower = (position - 1) % count
            streams = [self.world.draws.stream(f"replication {part} {follower}", name)
                       for part in ("there", "append", "back")]
            there = SequentialDraw(StreamBundle(streams[:2]), sum_of([self.times.hop, self.times.append]))
            back = SequentialDraw(StreamBundle(streams[2:]), sum_of([self.times.hop]))
            self._delays.append((there, back))
            replicas.append(Replica(self._node(numbers[position]), there, back))
        return replicas

    def configure_topic(self, name: str, options: Mapping[str, Any]) -> None:
        """Another configuration of a topic from now on."""
        super().configure_topic(name, options)
        for partition in self.topics[name].partitions:
            assert isinstance(partition, ReplicatedPartition), "this cluster makes no others"
            partition.rules = replace(partition.rules, unclean=options["unclean.leader.election.enable"],
                                      min_isr=min(options["min.insync.replicas"], len(partition.replicas)))

    def use(self, times: ClusterTimes) -> None:
        """Other latencies of the cluster's own steps from now on."""
        super().use(times)
        self._hop.use(times.hop)
        for there, back in self._delays:
            there.use(sum_of([times.hop, times.append]))
            back.use(sum_of([times.hop]))

    def leader_changed(self, partition: ReplicatedPartition, before: int | None) -> None:
        """Whoever has a request at the old leader is told, unless that is stuck."""
        since_ns = None if before is None else self.brokers[before].paused_since_ns
        for client in self.clients:
            if since_ns is None:
                client.leader_changed(partition)
            else:
                client.leader_silent(partition, since_ns)

    def reader(self, member: Member) -> Reader:
        """What a member of a group knows of the cluster."""
        reader = self._readers.get(member)
        if reader is None:
            reader = self._readers[member] = Reader(self, member)
        return reader

    def truncated(self, partition: ReplicatedPartition, offset: int) -> None:
        """What groups read and committed beyond an offset is no part of the log any more."""
        for group in partition.groups:
            group.truncated(partition, offset)
            for member in group.members.values():
                self.reader(member).truncated(partition, offset)

    # --- a produce request ------------------------------------------------------------------------------------

    def receive(self, request: Request) -> None:
        """Append the batches of a request; at a node that is gone there is nobody, and the connection breaks."""
        node = self.brokers[request.node]
        if node.alive and not node.answers:
            node.held.append(lambda: self.receive(request))
        elif node.alive:
            request.errors = {}
            super().receive(request)
        else:
            self._nobody(node, request)

    def _nobody(self, node: Node, request: Request) -> None:
        producer = request.producer
        assert isinstance(producer, FailoverProducer), "no other finds its leaders"
        producer.metadata.connection_breaks(node)
        if producer.acks == "0":
            self.lost(request.batches[0].records[0][0].id)

    def _append(self, request: Request, batch: Batch) -> None:
        self._append_at_leader(request, batch, super()._append)

    def _append_in_transaction(self, request: Request, batch: Batch) -> None:
        self._append_at_leader(request, batch, super()._append_in_transaction)

    def _append_at_leader(self, request: Request, batch: Batch, append: Callable[[Request, Batch], None]) -> None:
        partition = batch.partition
        assert isinstance(partition, ReplicatedPartition), "this cluster makes no others"
        error = partition.refuses(request)
        if error:
            self._refuse(request, batch, error)
            return
        end = partition.end
        append(request, batch)
        if request.refused and batch in request.refused:
            request.errors[batch] = OUT_OF_ORDER
        if partition.end > end and request.producer.idempotent:
            partition.note_batch(request.producer.id, batch.epoch, batch.sequence)

    def _refuse(self, request: Request, batch: Batch, error: str) -> None:
        request.refused = [*(request.refused or ()), batch]
        request.errors[batch] = error

    def refuse_all(self, request: Request, partition: Partition, error: str) -> None:
        """A partition's batches in a request that was waiting are not acknowledged."""
        for batch in request.batches:
            if batch.partition is partition:
                self._refuse(request, batch, error)
