"""A Kafka cluster whose nodes can fail one by one: replicas on each, failover, and what clients notice of it.

A shop without a fault on a node keeps the plain `Cluster`, whose followers are never late; this one is for all others
and for the step-by-step client.  Helper methods, with nodes numbered from 1 as in a scenario's `broker-2`:

- `kill(number)`: the node's process dies; `stop(number)`: it is shut down properly; `start(number)`: it comes back;
- `freeze(number)`: the process is stuck, and no connection breaks; `thaw(number)`: it goes on;
- `leader(topic, partition)`: the number of the live node that leads a partition, None while none does;
- `in_sync(topic, partition)`: the numbers of its in-sync replicas as the leader knows them;
- `high_watermark` and `end` of `topics[topic].partitions[partition]` say how far consumers see and how long the log is.

How nodes come and go is in node_lives.  Sources in apache/kafka: ReplicaManager (appendRecords, isr-expiration),
ReplicaFetcherThread.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.accumulator import Batch
from edasim.brokers.kafka.cluster import BROKER_DEFAULTS, ClusterTimes
from edasim.brokers.kafka.controller import MILLISECOND
from edasim.brokers.kafka.failover_fetch import Reader
from edasim.brokers.kafka.failover_producer import OUT_OF_ORDER, FailoverProducer
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.node_lives import FailingCluster
from edasim.brokers.kafka.nodes import NOWHERE, Node
from edasim.brokers.kafka.producer import Request
from edasim.brokers.kafka.replica import Replica
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.core.draws import SequentialDraw, StreamBundle
from edasim.core.link import sum_of
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member


class ReplicatedCluster(FailingCluster):
    """`nodes` brokers, each of which can die, be stopped and come back; `options` are resolved broker options."""

    producer_kind = FailoverProducer

    def __init__(self, world: World, times: ClusterTimes, nodes: int,
                 options: Mapping[str, Any] | None = None) -> None:
        super().__init__(world, times, nodes, options)
        options = BROKER_DEFAULTS if options is None else options
        self.lines = nodes + 1  # The last one is for what has no leader; its index is NOWHERE.
        self.keeps_segments = True
        self.fetch_bytes: int = options["replica.fetch.max.bytes"]
        self._lag_ns: int = options["replica.lag.time.max.ms"] * MILLISECOND
        self._delays: list[tuple[SequentialDraw, SequentialDraw]] = []
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
