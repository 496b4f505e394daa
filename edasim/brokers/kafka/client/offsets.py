"""Where one consumer begins to read, and what it commits.

Sources in librdkafka: rdkafka_offset.c, rdkafka_assignment.c (rd_kafka_assignment_handle_OffsetFetch), rdkafka_cgrp.c
(rd_kafka_cgrp_offsets_commit); it commits in the background every auto.commit.interval.ms, also while the application
does not poll.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.errors import KafkaError, failure
from edasim.brokers.kafka.client.reading import Track
from edasim.brokers.kafka.client.stepping import LATER, Reply, ask
from edasim.brokers.kafka.client.values import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Message,
    TopicPartition,
    checked_places,
)
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.nodes import NOWHERE
from edasim.brokers.kafka.replicas import ReplicatedPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.consumer import Consumer

MS = 1_000_000


class Offsets:
    """The offsets of one consumer's partitions; `policy` is auto.offset.reset."""

    def __init__(self, consumer: Consumer, policy: str) -> None:
        self.consumer = consumer
        self.kafka = consumer.kafka
        self.conf = consumer.conf
        self.clock = consumer.kafka.world.clock
        self.policy = policy
        self._waits_for_stable = self.conf["isolation.level"] == "read_committed"
        if self.conf["enable.auto.commit"] and self.conf["auto.commit.interval.ms"] > 0:
            self._commit_later()

    # --- where to begin ---------------------------------------------------------------------------------------

    def begin(self, track: Track, offset: int) -> None:
        """Look up where a partition begins: its number, the committed offset, or what auto.offset.reset says."""
        track.lookup += 1
        lookup, reading = track.lookup, self.consumer.reading

        def found(value: Any) -> None:
            if track.lookup != lookup:
                return
            if isinstance(value, KafkaError):
                reading.give_up(track, value)
            elif value is None:
                self._reset(track)
            else:
                reading.start(track, value)

        if offset >= 0:
            reading.start(track, offset)
        elif offset in (OFFSET_BEGINNING, OFFSET_END):
            ask(self.consumer.links, lambda: LATER if track.partition.serving == NOWHERE
                else reading.logical(track.partition, offset), found)
        else:
            self._ask_stable([track.key()], lambda: self.consumer.home.committed_offset(track.key()), found)

    def _ask_stable(self, keys: list[tuple[str, int]], question: Callable[[], Any],
                    told: Callable[[Any], None] | None = None) -> Reply:
        """Ask for committed offsets: at read_committed when no open transaction holds one of them (KIP-447)."""

        def at_broker() -> Any:
            return LATER if self._waits_for_stable and self.consumer.home.unstable(keys) else question()

        return ask(self.consumer.links, at_broker, told)

    def _reset(self, track: Track) -> None:
        """There is no committed offset: auto.offset.reset decides."""
        offset = {"earliest": OFFSET_BEGINNING, "latest": OFFSET_END}.get(self.policy)
        if offset is None:
            self.consumer.reading.give_up(track, KafkaError("_AUTO_OFFSET_RESET"))
        else:
            self.begin(track, offset)

    def overtaken(self, partition: Partition, position: int) -> int | None:
        """A position is no offset of the log: go on by auto.offset.reset, or (None) stand still with an error."""
        if self.policy == "earliest":
            return partition.log_start
        reading = self.consumer.reading
        if self.policy == "latest":
            return reading.limit(partition)
        track = reading.tracks.get((partition.topic, partition.number))
        if track is not None and not track.failed:
            reading.give_up(track, KafkaError("_AUTO_OFFSET_RESET"))
        return None

    # --- questions --------------------------------------------------------------------------------------------

    def watermarks(self, place: TopicPartition) -> Reply:
        """Ask for (low, high) of a partition."""

        def at_broker() -> Any:
            found = self._led(place)
            return LATER if found is None else (found.log_start, self.consumer.reading.limit(found))

        return ask(self.consumer.links, at_broker)

    def by_time(self, places: list[TopicPartition]) -> Reply:
        """Ask for the first offset at or after the time in milliseconds that stands in each place's offset."""

        def at_broker() -> Any:
            led = [(one, self._led(one)) for one in places]
            found = [self._first_since(one, partition) for one, partition in led if partition is not None]
            return found if len(found) == len(places) else LATER

        return ask(self.consumer.links, at_broker)

    def _led(self, place: TopicPartition) -> ReplicatedPartition | None:
        """At the broker: a partition that is led; None while nobody has noticed yet that its leader is dead."""
        partition = self.kafka.partition(*place.place, error="_UNKNOWN_PARTITION")
        if self.kafka.cluster.published(partition) == NOWHERE:
            raise failure("_UNKNOWN_PARTITION", f"{place.topic} [{place.partition}] has no leader at present")
        return None if partition.serving == NOWHERE else partition

    def _first_since(self, place: TopicPartition, partition: ReplicatedPartition) -> TopicPartition:
        for record in partition.read(partition.log_start, self.consumer.reading.limit(partition)):
            if self.kafka.time_ms(record) >= place.offset:
                return TopicPartition(*place.place, record.offset)
        return TopicPartition(*place.place, OFFSET_END)

    # --- commits ----------------------------------------------------------------------------------------------

    def named(self, message: Message | None, offsets: list[TopicPartition] | None) -> list[TopicPartition] | None:
        """What a call has named: a message (its offset plus one) or offsets; None when neither."""
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        if message is None:
            return None if offsets is None else checked_places(offsets)
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if message.error() is not None or topic is None or partition is None or offset is None:
            raise failure("_INVALID_ARG", "an event has no offset that could be committed")
        return [TopicPartition(topic, partition, offset + 1)]

    def stored(self) -> list[TopicPartition]:
        """What poll() has given and no commit has said."""
        return [TopicPartition(*track.key(), track.stored, track.metadata)
                for track in self.consumer.reading.tracks.values()
                if track.stored >= 0 and track.stored > track.committed]

    def commit(self, places: list[TopicPartition]) -> Reply:
        """Send a commit; conf's on_commit(error, offsets) is called with its answer."""
        consumer = self.consumer
        return ask(consumer.links, lambda: consumer.home.commit_from(consumer.committer, places),
                   lambda value: self._committed(places, value))

    def _committed(self, places: list[TopicPartition], value: Any) -> None:
        error = value if isinstance(value, KafkaError) else None
        for place in places:
            track = self.consumer.reading.tracks.get(place.place)
            if track is not None and error is None:
                track.committed = place.offset
        told = self.conf.get("on_commit")
        if told is not None:
            self.consumer.call_later(lambda: told(error, places))

    def commit_before_losing(self) -> None:
        """With enable.auto.commit what is stored is committed before partitions go."""
        if self.conf["enable.auto.commit"] and self.stored():
            self.commit(self.stored())

    def _commit_later(self) -> None:
        def due() -> None:
            if self.consumer.reading.member.alive:
                if self.stored():
                    self.commit(self.stored())
                self._commit_later()

        self.clock.at(self.clock.now_ns + self.conf["auto.commit.interval.ms"] * MS, due)

    def committed(self, places: list[TopicPartition]) -> Reply:
        """Ask what the group has committed: a list of places with offsets and metadata."""
        return self._ask_stable([one.place for one in places],
                                lambda: [self.consumer.home.committed_place(one) for one in places])
