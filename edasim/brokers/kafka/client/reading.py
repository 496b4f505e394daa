"""What a consumer reads: its partitions, how far each has come, and the records and events that wait for poll()."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.configuration import Configuration
from edasim.brokers.kafka.client.errors import KafkaError
from edasim.brokers.kafka.client.values import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    Message,
    TopicPartition,
)
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.log import Partition, Record
from edasim.brokers.kafka.replicas import ReplicatedPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

MS = 1_000_000
LOOK_AGAIN_NS = 1_000_000_000
Key = tuple[str, int]


class Track:
    """One partition of an assignment.

    `next` is the offset that the application gets next (None while it is being looked up), `position` the one after
    the last record that it got, `stored` what the next commit says, `committed` what the last one said.
    """

    def __init__(self, place: TopicPartition, partition: ReplicatedPartition) -> None:
        self.place = place
        self.partition = partition
        self.next: int | None = None
        self.position = self.stored = self.committed = OFFSET_INVALID
        self.metadata: str | None = None
        self.paused = False
        self.failed = False
        self.told_end = OFFSET_INVALID
        self.lookup = 0
        """Counts the lookups of its beginning: the answer to an earlier one is of no more use."""

    def key(self) -> Key:
        """What tells partitions apart."""
        return self.place.place


class Reading:
    """The partitions that one consumer reads through an engine's member.  `queue` holds what poll() gives next.

    `begin(track, offset)` looks up where a partition begins, and calls `start`.
    """

    def __init__(self, kafka: SimulatedKafka, conf: Configuration, member: ClientMember) -> None:
        self.kafka = kafka
        self.conf = conf
        self.clock = kafka.world.clock
        self.member = member
        self.tracks: dict[Key, Track] = {}
        self.absent: dict[Key, TopicPartition] = {}
        self.queue: deque[Record | Message] = deque()
        self.begin: Callable[[Track, int], None] = lambda track, offset: None
        self.know: Callable[[Topic], None] = lambda topic: None
        """Told of a topic before it is read."""
        self._end_check = False
        self._wait_ns: int = conf["fetch.wait.max.ms"] * MS
        member.on_record = self.queue.append

    # --- the assignment ---------------------------------------------------------------------------------------

    def add(self, places: Iterable[TopicPartition]) -> None:
        """Read these as well, each from its offset (a logical one is looked up)."""
        added: list[tuple[Track, int]] = []
        for place in places:
            if place.offset == OFFSET_INVALID:
                place = TopicPartition(*place.place, OFFSET_STORED)
            partition = self.kafka.find(*place.place)
            if partition is None:
                self._wait_for(place)
                continue
            self.know(self.kafka.cluster.topics[place.topic])
            added.append((Track(place, partition), place.offset))
        self.tracks |= {track.key(): track for track, _ in added}
        self.tell_member()
        for track, offset in added:
            self.begin(track, offset)

    def _wait_for(self, place: TopicPartition) -> None:
        """A partition that is not there may yet be created; after topic.metadata.propagation.max.ms it is an error."""
        since_ns, wait_ns = self.clock.now_ns, self.conf["topic.metadata.propagation.max.ms"] * MS
        self.absent[place.place] = place

        def look() -> None:
            if self.absent.get(place.place) is not place or not self.member.alive:
                return
            if self.kafka.find(*place.place) is not None:
                del self.absent[place.place]
                self.add([place])
            elif self.clock.now_ns - since_ns < wait_ns:
                self.clock.at(self.clock.now_ns + LOOK_AGAIN_NS, look)
            else:
                self.fail(place, KafkaError("UNKNOWN_TOPIC_OR_PART"))

        look()

    def held(self) -> dict[Key, int]:
        """All that is assigned, with the offsets that were asked for."""
        return ({key: track.place.offset for key, track in self.tracks.items()}
                | {key: place.offset for key, place in self.absent.items()})

    def remove_all(self) -> None:
        """Read nothing."""
        self.absent.clear()
        self.remove([track.place for track in list(self.tracks.values())])

    def remove(self, places: Iterable[TopicPartition]) -> None:
        """Read these no more."""
        for place in places:
            self.absent.pop(place.place, None)
            track = self.tracks.pop(place.place, None)
            if track is not None:
                track.lookup += 1
                self._forget(track)
        self.tell_member()

    def start(self, track: Track, offset: int) -> None:
        """A partition's beginning is known."""
        if self.tracks.get(track.key()) is track:
            track.next = offset
            track.failed = False
            self.tell_member()

    def pause(self, tracks: Iterable[Track], paused: bool) -> None:
        """Let partitions rest, or go on where they are."""
        for track in tracks:
            track.paused = paused
            if paused:
                self._forget(track)
        self.tell_member()

    def seek(self, track: Track, offset: int) -> None:
        """Go on from another offset."""
        self._forget(track)
        track.lookup += 1
        track.position = track.told_end = OFFSET_INVALID
        track.next = None
        self.tell_member()
        self.begin(track, offset)

    def fail(self, place: TopicPartition, error: KafkaError) -> None:
        """An error that belongs to a partition."""
        self.queue.append(Message(place.topic, error=error, partition=place.partition, offset=place.offset))

    def give_up(self, track: Track, error: KafkaError) -> None:
        """A partition has no place to read on from: it stands still until it is sought in."""
        track.failed = True
        self.fail(track.place, error)
        self.clock.at(self.clock.now_ns, self.tell_member)

    def _forget(self, track: Track) -> None:
        """What is queued of a partition is not given any more."""
        kept = [one for one in self.queue if not (
            one.partition is track.partition if isinstance(one, Record)
            else (one.topic(), one.partition()) == track.key())]
        self.queue.clear()
        self.queue.extend(kept)

    def tell_member(self) -> None:
        """The member has what is assigned, and reads of it what has begun and is not paused."""
        member = self.member
        wanted: dict[Partition, int] = {track.partition: track.next or 0 for track in self.tracks.values()}
        resting = {track.partition for track in self.tracks.values()
                   if track.next is None or track.paused or track.failed}
        if wanted.keys() != member.assigned.keys():
            member.paused |= resting
            member.take_over(wanted, member.generation)
        for track in self.tracks.values():
            if track.partition in member.paused and track.partition not in resting and track.next is not None:
                member.seek(track.partition, track.next)
        now_resting = member.paused & resting
        if resting - now_resting:
            member.pause(*(resting - now_resting))
        if member.paused - resting:
            member.resume(*(member.paused - resting))

    # --- polling ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Begin to wait for something."""
        if not self.queue and self.member.alive:
            self.member.poll()
        if not self.queue:
            self._watch_ends()

    def rest(self) -> None:
        """The application does something else now."""
        self.member.rest()

    def take(self) -> Message | None:
        """What is next in the queue."""
        if not self.queue:
            self._pass_markers()
            return None
        first = self.queue.popleft()
        if not isinstance(first, Record):
            self._pass_markers()
            return first
        track = self.tracks[first.partition.topic, first.partition.number]
        track.next = track.position = first.offset + 1
        if self.conf["enable.auto.offset.store"]:
            track.stored = track.position
        return self.kafka.message(first)

    def _pass_markers(self) -> None:
        """A position moves over the markers of transactions when nothing else is there to read."""
        for track in self.tracks.values():
            progress = self.member.assigned.get(track.partition)
            if progress is None or not 0 <= track.position < progress.consumed or self._has_queued(track):
                continue
            if not track.partition.read(track.position, progress.consumed):
                track.next = track.position = progress.consumed
                if self.conf["enable.auto.offset.store"]:
                    track.stored = track.position

    # --- the end of a partition -------------------------------------------------------------------------------

    def _watch_ends(self) -> None:
        """The broker answers a fetch that finds nothing after fetch.wait.max.ms; then the end is known."""
        if self.conf["enable.partition.eof"] and not self._end_check:
            self._end_check = True
            self.clock.at(self.clock.now_ns + self._wait_ns + MS, self._report_ends)

    def _report_ends(self) -> None:
        self._end_check = False
        for track in self.tracks.values():
            progress = self.member.assigned.get(track.partition)
            end = self.limit(track.partition)
            if progress is None or progress.consumed != end or track.told_end == end or self._has_queued(track):
                continue
            track.told_end = end
            error = KafkaError("_PARTITION_EOF")
            self.queue.append(Message(track.place.topic, error=error, partition=track.place.partition, offset=end))
        if not self.queue and self.member.polling:
            self._watch_ends()

    def _has_queued(self, track: Track) -> bool:
        return any(isinstance(one, Record) and one.partition is track.partition for one in self.queue)

    def limit(self, partition: Partition) -> int:
        """Up to where this consumer may read."""
        committed = self.conf["isolation.level"] == "read_committed"
        return partition.last_stable() if committed else partition.high_watermark

    def logical(self, partition: Partition, offset: int) -> int:
        """The offset that a logical one stands for now."""
        return {OFFSET_BEGINNING: partition.log_start, OFFSET_END: self.limit(partition)}.get(offset, offset)
