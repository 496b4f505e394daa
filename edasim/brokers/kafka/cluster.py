"""A Kafka cluster: topics, their partitions on broker nodes, and what happens to a produce request."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.brokers.kafka.accumulator import Batch
from edasim.brokers.kafka.compaction import Cleaner
from edasim.brokers.kafka.log import Partition, ProducerState
from edasim.brokers.kafka.partitioner import partition_for
from edasim.brokers.kafka.producer import Producer, Request
from edasim.brokers.kafka.retention import RetentionCheck
from edasim.brokers.kafka.segments import SegmentedPartition, needs_segments
from edasim.brokers.kafka.transactions import CONCURRENT, TransactionCoordinator
from edasim.core.draws import Law, SequentialDraw, StreamBundle
from edasim.core.journal import Place, Verb
from edasim.core.world import World
from edasim.scenario.kafka_broker_option_table import BROKER

BROKER_DEFAULTS: dict[str, Any] = {
    name: option.default("4.3") for name, option in BROKER.items() if option.exists_in("4.3")
}


@dataclass(frozen=True)
class ClusterTimes:
    """How long the cluster's own steps take: laws from uniforms to nanoseconds."""

    hop: Law
    append: Law


class Topic:
    """A topic and its partitions, each with so many replicas; `keyed` says whether the shop's keys are sent along."""

    def __init__(self, name: str, partitions: list[Partition], replicas: int, keyed: bool) -> None:
        self.name = name
        self.replicas = replicas
        self.keyed = keyed
        self.partitions = partitions
        self._by_key: dict[str, Partition] = {}

    def grow(self, partitions: list[Partition]) -> None:
        """More partitions: many keys belong elsewhere from now on."""
        self.partitions += partitions
        self._by_key.clear()

    def partition_of(self, key: str) -> Partition:
        """The partition of a key, by murmur2 as every Kafka client does by default."""
        partition = self._by_key.get(key)
        if partition is None:
            partition = self._by_key[key] = self.partitions[partition_for(key, len(self.partitions))]
        return partition


class Cluster:
    """`nodes` brokers; partition leaders are spread over them in turn.  While `refusing` holds a share, requests
    are answered with an error that a producer retries."""

    producer_kind: type[Producer] = Producer
    """What its producers are."""

    def __init__(self, world: World, times: ClusterTimes, nodes: int,
                 options: Mapping[str, Any] | None = None) -> None:
        self.world = world
        self.times = times
        self.nodes = nodes
        self.lines = nodes
        """How many places a producer sorts its batches to."""
        self.topics: dict[str, Topic] = {}
        self.refusing: list[float] = []
        self.keeps_segments = False
        """Whether every topic that is created gets segments; else only one whose options ask for them."""
        options = BROKER_DEFAULTS if options is None else options
        self.retention = RetentionCheck(world, options["log.retention.check.interval.ms"])
        self.cleaner = Cleaner(world, options["log.cleaner.backoff.ms"])
        self.transactions = TransactionCoordinator(self, options)
        self._cleans: bool = options["log.cleaner.enable"]
        self._producers = 0
        self._settled = self._settle
        self._luck = world.draws.sequential("fault", "kafka")
        place = Place("broker", "kafka")
        self.repeated = world.writer(Verb.repeated, place)
        self.lost = world.writer(Verb.lost, place)

    def next_producer_id(self) -> int:
        """A producer id that nobody had before."""
        self._producers += 1
        return self._producers

    def create_topic(self, name: str, options: Mapping[str, Any], service: str = "", *,
                     parking: bool = False, keyed: bool = True) -> Topic:
        """Create a topic from resolved topic options; a `parking` topic is for people to look at."""
        self.topics[name] = topic = Topic(name, [], options["replication.factor"], keyed)
        self._add_partitions(topic, options, service, "parking" if parking else "")
        return topic

    def _add_partitions(self, topic: Topic, options: Mapping[str, Any], service: str = "", detail: str = "") -> None:
        kind = self._kind_of_partition(options)
        name = topic.name
        partitions = [
            kind(
                self.world, name, number, number % self.nodes,
                self._replication_draw(f"{name}-{number}", topic.replicas),
                Place("partition", f"{name}-{number}", service, detail),
            )
            for number in range(len(topic.partitions), options["partitions"])
        ]
        self._look_after([one for one in partitions if isinstance(one, SegmentedPartition)])
        topic.grow(partitions)

    def add_partitions(self, name: str, options: Mapping[str, Any]) -> None:
        """Let a topic have as many partitions as `options` say from now on; what is in the old ones stays there."""
        self._add_partitions(self.topics[name], options)

    def delete_topic(self, name: str) -> None:
        """Forget a topic with all its records."""
        gone = set(self.topics.pop(name).partitions)
        for watcher in (self.retention, self.cleaner):
            watcher.partitions = [one for one in watcher.partitions if one not in gone]

    def configure_topic(self, name: str, options: Mapping[str, Any]) -> None:
        """Another configuration of a topic from now on, whose partitions have segments."""
        partitions = [one for one in self.topics[name].partitions if isinstance(one, SegmentedPartition)]
        for watcher in (self.retention, self.cleaner):
            watcher.partitions = [one for one in watcher.partitions if one not in partitions]
        for partition in partitions:
            partition.configure(options)
        self._look_after(partitions)

    def _kind_of_partition(self, options: Mapping[str, Any]) -> Callable[..., Partition]:
        """What a topic's partitions are made of."""
        if self.keeps_segments or needs_segments(options):
            return partial(SegmentedPartition, options=options)
        return Partition

    def _look_after(self, partitions: list[SegmentedPartition]) -> None:
        """Have old records removed: compacted logs by the cleaner's thread, others by the retention check."""
        compacted = [partition for partition in partitions if partition.compacted]
        if compacted and self._cleans:
            self.cleaner.watch(compacted)
        elif partitions and not compacted:
            self.retention.watch(partitions)

    def _replication_draw(self, partition: str, replicas: int) -> SequentialDraw | None:
        """Until the leader knows that every follower has a record: fetch response there, append, next fetch."""
        if replicas == 1:
            return None
        streams = [self.world.draws.stream(f"replication {part} {number}", partition)
                   for number in range(replicas - 1) for part in ("there", "append", "back")]
        return SequentialDraw(StreamBundle(streams), self._replication_law(replicas - 1))

    def _replication_law(self, followers: int) -> Law:
        times = self.times

        def law(uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
            each = [
                times.hop(uniforms[3 * number]) + times.append(uniforms[3 * number + 1])
                + times.hop(uniforms[3 * number + 2])
                for number in range(followers)
            ]
            slowest: NDArray[np.int64] = np.max(np.array(each), axis=0)
            return slowest

        return law

    def use(self, times: ClusterTimes) -> None:
        """Other latencies of the cluster's own steps from now on."""
        self.times = times
        for topic in self.topics.values():
            for partition in topic.partitions:
                if partition.replication is not None:
                    partition.replication.use(self._replication_law(topic.replicas - 1))

    # --- a produce request ------------------------------------------------------------------------------------

    def receive(self, request: Request) -> None:
        """Append the batches of a request and answer when its acks are there."""
        if self.refusing and self._luck.draw() < max(self.refusing):
            request.refused = list(request.batches)
            self.world.clock.at(self.world.clock.now_ns, request.respond)
            return
        request.waiting = 1
        append = self._append_in_transaction if request.producer.transactional else self._append
        for batch in request.batches:
            append(request, batch)
        self._settle(request)

    def _append_in_transaction(self, request: Request, batch: Batch) -> None:
        producer, partition = request.producer, batch.partition
        assert isinstance(partition, SegmentedPartition), "transactions need topics with segments"
        if partition.picky and self._refused_for_good(request, batch):
            return
        error = self.transactions.admits(producer.id, batch.epoch, partition)
        if error == CONCURRENT:
            request.refused = [*(request.refused or ()), batch]
            return
        if error:
            self._fail(request, batch, error)
            return
        known = partition.producer_state(producer.id, batch.epoch)
        if known.accepts(batch.sequence):
            partition.append(batch.records, (producer.id, batch.epoch))
        elif not self._repeated(request, batch, known):
            return
        if partition.await_followers(self._settled, request):
            request.waiting += 1

    def _repeated(self, request: Request, batch: Batch, known: ProducerState) -> bool:
        """A batch that is not the next one is there already; or something before it is missing, and it is refused."""
        if not known.remembers(batch.sequence):
            request.refused = [*(request.refused or ()), batch]
            return False
        for record in batch.records:
            batch.partition.deduplicated(record[0].id)
        return True

    def _refused_for_good(self, request: Request, batch: Batch) -> bool:
        assert isinstance(batch.partition, SegmentedPartition), "no other is picky"
        error = batch.partition.refusal(batch)
        if error:
            self._fail(request, batch, error)
        return bool(error)

    def _fail(self, request: Request, batch: Batch, error: str) -> None:
        request.failed = {**(request.failed or {}), batch: error}

    def _append(self, request: Request, batch: Batch) -> None:
        producer, partition = request.producer, batch.partition
        if partition.picky and self._refused_for_good(request, batch):
            return
        if producer.idempotent:
            known = partition.producer_state(producer.id, batch.epoch)
            if known.accepts(batch.sequence):
                partition.append(batch.records)
            elif not self._repeated(request, batch, known):
                return
        else:
            partition.append(batch.records)
        if producer.awaits_followers and partition.await_followers(self._settled, request):
            request.waiting += 1

    def _settle(self, request: Request) -> None:
        request.waiting -= 1
        if request.waiting == 0:
            if request.refused or request.failed:
                # A refusal takes an event, so that a retry without delay cannot recurse.
                self.world.clock.at(self.world.clock.now_ns, request.respond)
            else:
                request.respond()
