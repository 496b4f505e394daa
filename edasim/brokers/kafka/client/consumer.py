"""The consumer, with confluent-kafka's verbs."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.configuration import Configuration, consumer_options
from edasim.brokers.kafka.client.errors import KafkaError, KafkaException, failure
from edasim.brokers.kafka.client.membership import Callback, Membership
from edasim.brokers.kafka.client.reading import Reading, Track
from edasim.brokers.kafka.client.stepping import answered, ask
from edasim.brokers.kafka.client.values import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    Message,
    TopicPartition,
    checked_places,
)
from edasim.brokers.kafka.log import Partition
from edasim.core.clock import SECOND
from edasim.scenario.broker_options import OptionError, resolve

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.coordinator import ClientGroup
    from edasim.brokers.kafka.client.metadata import ClusterMetadata
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

MS = 1_000_000
FOREVER_S = 3600.0


class Consumer:
    """Reads records, alone or as a member of a group.  Made by `kafka.Consumer(conf)`.

    conf has librdkafka's names, of which group.id is needed; unknown ones raise KafkaException.  poll() gives one
    record, an event (`message.error()` is set) or None, and takes simulated time forward until there is one.
    """

    def __init__(self, kafka: SimulatedKafka, conf: Configuration) -> None:
        self.kafka = kafka
        self.conf = conf
        self._clock = kafka.world.clock
        self._name = kafka.client_name("consumer", conf["client.id"])
        self.links = kafka.links(self._name)
        try:
            self._options = resolve("kafka consumer", kafka.version, consumer_options(conf))
        except OptionError as error:
            raise failure("_INVALID_ARG", str(error)) from None
        group = kafka.group(conf["group.id"], self._options)
        options = {**self._options, "enable.auto.commit": False}
        member = ClientMember(group, self._name, self.links, options, self)
        self.reading = Reading(kafka, conf, member)
        self.reading.begin = self._begin
        self._membership = Membership(self, member, group)
        self._closed = False
        if conf["enable.auto.commit"] and conf["auto.commit.interval.ms"] > 0:
            self._auto_commit_later()

    @property
    def _group(self) -> ClientGroup:
        return self.kafka.group(self.conf["group.id"], self._options)

    # --- subscription -----------------------------------------------------------------------------------------

    def subscribe(self, topics: list[str], on_assign: Callback | None = None, on_revoke: Callback | None = None,
                  on_lost: Callback | None = None) -> None:
        """Read topics together with the other members of the group; names that begin with ^ are patterns.

        poll() and close() run the callbacks `on_assign(consumer, partitions)`, `on_revoke` and `on_lost` (without it,
        on_revoke) when partitions come and go.
        """
        self._open()
        if not isinstance(topics, (list, tuple)) or not all(isinstance(topic, str) for topic in topics):
            raise TypeError("expected a list of topic names")
        if not topics:
            raise failure("_INVALID_ARG", "a subscription names at least one topic; unsubscribe() ends it")
        self._membership.subscribe(list(topics), {"on_assign": on_assign, "on_revoke": on_revoke, "on_lost": on_lost})

    def unsubscribe(self) -> None:
        """Leave the group and read nothing."""
        self._open()
        self._membership.unsubscribe()

    def rebalance_begins(self) -> None:
        """The group is to share its partitions anew; for the engine to call."""
        self._membership.rebalance_begins()

    def assignment_arrives(self, partitions: list[Partition], generation: int) -> None:
        """The group has shared its partitions; for the engine to call."""
        self._membership.assignment_arrives(partitions, generation)

    def refused(self, error: str) -> None:
        """The group does not take this consumer; for the engine to call."""
        self._membership.refused(error)

    # --- assignment -------------------------------------------------------------------------------------------

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read exactly these partitions, each from its offset: a number, OFFSET_BEGINNING, OFFSET_END, or
        OFFSET_STORED (the default: from what the group has committed).
        """
        places = checked_places(partitions)
        self._open()
        self._membership.assigned_by_hand()
        self.reading.remove([track.place for track in list(self.reading.tracks.values())])
        self.reading.add(places)

    def unassign(self) -> None:
        """Read nothing."""
        self.assign([])

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Read these as well."""
        self._open()
        for place in checked_places(partitions):
            if place.place in self.reading.tracks:
                raise failure("_CONFLICT", f"{place.topic} [{place.partition}] is already part of the assignment")
        self._membership.assigned_by_hand()
        self.reading.add(partitions)

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Read these no more."""
        self._open()
        for place in checked_places(partitions):
            self._track(place, "_INVALID_ARG")
        self.reading.remove(partitions)

    def assignment(self) -> list[TopicPartition]:
        """What is read now."""
        self._open()
        return [TopicPartition(*key, track.place.offset) for key, track in self.reading.tracks.items()]

    # --- where to begin ---------------------------------------------------------------------------------------

    def _begin(self, track: Track, offset: int) -> None:
        """Look up where a partition begins: its number, the committed offset, or what auto.offset.reset says."""
        track.lookup += 1
        lookup = track.lookup

        def found(value: Any) -> None:
            if track.lookup != lookup:
                return
            if isinstance(value, KafkaError):
                self.reading.give_up(track, value)
            elif value is None:
                self._reset(track)
            else:
                self.reading.start(track, value)

        if offset >= 0:
            self.reading.start(track, offset)
        elif offset in (OFFSET_BEGINNING, OFFSET_END):
            ask(self.links, lambda: self.reading.logical(track.partition, offset), found)
        else:
            ask(self.links, lambda: self._group.committed_offset(track.key()), found)

    def _reset(self, track: Track) -> None:
        """There is no committed offset: auto.offset.reset decides."""
        offset = {"earliest": OFFSET_BEGINNING, "latest": OFFSET_END}.get(self._options["auto.offset.reset"])
        if offset is None:
            self.reading.give_up(track, KafkaError("_AUTO_OFFSET_RESET"))
        else:
            self._begin(track, offset)

    def overtaken(self, partition: Partition, position: int) -> int | None:
        """A position is no offset of the log: go on by auto.offset.reset, or (None) stand still with an error."""
        policy = self._options["auto.offset.reset"]
        if policy == "earliest":
            return partition.log_start
        if policy == "latest":
            return self.reading.limit(partition)
        track = self.reading.tracks.get((partition.topic, partition.number))
        if track is not None and not track.failed:
            self.reading.give_up(track, KafkaError("_AUTO_OFFSET_RESET"))
        return None

    # --- poll -------------------------------------------------------------------------------------------------

    def poll(self, timeout: float | None = None) -> Message | None:
        """The next record or event; None when none comes within `timeout` seconds (None: an hour) of simulated time."""
        self._open()
        reading, membership = self.reading, self._membership
        deadline_ns = self._clock.now_ns + round((FOREVER_S if timeout is None or timeout < 0 else timeout) * SECOND)
        membership.poll_begins()
        while True:
            if not reading.queue:
                membership.serve()
            reading.look()
            left_s = max(0.0, (deadline_ns - self._clock.now_ns) / SECOND)
            self.kafka.stepper.until(lambda: bool(reading.queue or membership.chores), left_s)
            if reading.queue or self._clock.now_ns >= deadline_ns:
                break
        reading.rest()
        membership.poll_ends()
        return reading.take()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Up to so many records and events: as many as come within `timeout` seconds."""
        if not 0 <= num_messages <= 1_000_000:
            raise ValueError("num_messages is a number from 0 to 1,000,000")
        deadline_ns = self._clock.now_ns + round((FOREVER_S if timeout < 0 else timeout) * SECOND)
        found: list[Message] = []
        while len(found) < num_messages:
            message = self.poll(max(0.0, (deadline_ns - self._clock.now_ns) / SECOND))
            if message is None:
                break
            found.append(message)
        return found

    # --- positions --------------------------------------------------------------------------------------------

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """The offset after the last record that poll() gave; OFFSET_INVALID (-1001) before the first."""
        self._open()
        tracks = self.reading.tracks
        return [TopicPartition(*one.place, tracks[one.place].position if one.place in tracks else OFFSET_INVALID)
                for one in checked_places(partitions)]

    def seek(self, partition: TopicPartition) -> None:
        """Go on from the offset of `partition`; what has been committed stays."""
        self._open()
        track = self._track(partition, "_STATE")
        if partition.offset in (OFFSET_STORED, OFFSET_INVALID):
            raise failure("_INVALID_ARG", "seek needs an offset: a number, OFFSET_BEGINNING or OFFSET_END")
        self.reading.seek(track, partition.offset)

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Give no records of these until resume(); they stay assigned."""
        self._open()
        self.reading.pause(self._known(partitions), True)

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Go on with these where they are."""
        self._open()
        self.reading.pause(self._known(partitions), False)

    def _known(self, partitions: list[TopicPartition]) -> list[Track]:
        tracks = self.reading.tracks
        return [tracks[one.place] for one in checked_places(partitions) if one.place in tracks]

    def _track(self, place: TopicPartition, error: str) -> Track:
        track = self.reading.tracks.get(place.place)
        if track is None:
            raise failure(error, f"{place.topic} [{place.partition}] is not part of the assignment")
        return track

    # --- commits ----------------------------------------------------------------------------------------------

    def store_offsets(self, message: Message | None = None, offsets: list[TopicPartition] | None = None) -> None:
        """What the next commit without arguments says; needs enable.auto.offset.store=false."""
        self._open()
        if self.conf["enable.auto.offset.store"]:
            raise failure("_INVALID_ARG", "poll() stores offsets by itself: set enable.auto.offset.store to false first")
        for place in self._named(message, offsets) or []:
            track = self._track(place, "_STATE")
            track.stored, track.metadata = place.offset, place.metadata

    def _named(self, message: Message | None, offsets: list[TopicPartition] | None) -> list[TopicPartition] | None:
        if message is not None and offsets is not None:
            raise ValueError("message and offsets are mutually exclusive")
        if message is None:
            return None if offsets is None else checked_places(offsets)
        if message.error() is not None:
            raise failure("_INVALID_ARG", "an event has no offset that could be committed")
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None and partition is not None and offset is not None, "a record stands somewhere"
        return [TopicPartition(topic, partition, offset + 1)]

    def commit(self, message: Message | None = None, offsets: list[TopicPartition] | None = None,
               asynchronous: bool = True) -> list[TopicPartition] | None:
        """Commit a message (its offset plus one), given offsets, or what poll() has given so far.

        With asynchronous=False time passes until the broker has answered: the offsets are returned, or KafkaException
        raised.  Else None is returned at once and conf's on_commit(error, offsets) is called.
        """
        self._open()
        places = self._named(message, offsets)
        if places is None and self._membership.lost:
            raise failure("_ASSIGNMENT_LOST")
        places = self._stored() if places is None else places
        if not places:
            if asynchronous:
                return None
            raise failure("_NO_OFFSET")
        reply = ask(self.links, lambda: self._commit_at_broker(places), lambda value: self._committed(places, value))
        if asynchronous:
            return None
        answered(self.kafka.stepper, reply, None, "committing")
        return places

    def _stored(self) -> list[TopicPartition]:
        """What poll() has given and no commit has said."""
        return [TopicPartition(*track.key(), track.stored, track.metadata) for track in self.reading.tracks.values()
                if track.stored >= 0 and track.stored != track.committed]

    def _commit_at_broker(self, places: list[TopicPartition]) -> None:
        member = self._membership
        self._group.commit_from(self.reading.member if member.joined or member.lost else None, places)

    def _committed(self, places: list[TopicPartition], value: Any) -> None:
        error = value if isinstance(value, KafkaError) else None
        for place in places:
            track = self.reading.tracks.get(place.place)
            if track is not None and error is None:
                track.committed = place.offset
        told = self.conf.get("on_commit")
        if told is not None:
            told(error, places)

    def commit_before_losing(self, lost: bool) -> None:
        """With enable.auto.commit what is stored is committed before partitions go, if they are not lost already."""
        if self.conf["enable.auto.commit"] and not lost and self._stored():
            self.commit()

    def _auto_commit_later(self) -> None:
        """librdkafka commits in the background, also while the application does not poll."""

        def due() -> None:
            if not self._closed:
                if self._stored():
                    self.commit()
                self._auto_commit_later()

        self._clock.at(self._clock.now_ns + self.conf["auto.commit.interval.ms"] * MS, due)

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """What the group has committed: each partition with its offset, OFFSET_INVALID (-1001) where there is none."""
        self._open()
        places = checked_places(partitions)
        found: list[TopicPartition] = self._ask(lambda: [self._group.committed_place(one) for one in places], timeout,
                                                "asking for committed offsets")
        return found

    # --- questions --------------------------------------------------------------------------------------------

    def _ask(self, at_broker: Callable[[], Any], timeout: float, doing: str) -> Any:
        return answered(self.kafka.stepper, ask(self.links, at_broker), timeout, doing)

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float = -1,
                              cached: bool = False) -> tuple[int, int]:
        """(low, high): the first offset that is kept, and the one after the last that can be read."""
        self._open()

        def at_broker() -> tuple[int, int]:
            found = self.kafka.partition(partition.topic, partition.partition)
            return found.log_start, self.reading.limit(found)

        low, high = self._ask(at_broker, timeout, "asking for watermarks")
        return low, high

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """The first offset whose timestamp (ms, given as the offset) is not before that time; OFFSET_END without any."""
        self._open()
        places = checked_places(partitions)
        found: list[TopicPartition] = self._ask(lambda: [self._by_time(one) for one in places], timeout,
                                                "asking for offsets by time")
        return found

    def _by_time(self, place: TopicPartition) -> TopicPartition:
        partition = self.kafka.partition(place.topic, place.partition)
        for record in partition.read(partition.log_start, self.reading.limit(partition)):
            if self.kafka.time_ms(record) >= place.offset:
                return TopicPartition(*place.place, record.offset)
        return TopicPartition(*place.place, OFFSET_END)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """The cluster's brokers and topics, or one topic."""
        self._open()
        return self.kafka.metadata(self.links, topic, timeout)

    # --- the end ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._closed:
            raise RuntimeError("this consumer is closed: make another one")

    def close(self) -> None:
        """Commit what is stored (with enable.auto.commit), leave the group, and be of no more use."""
        if self._closed:
            return
        if self.conf["enable.auto.commit"] and self._stored() and not self._membership.lost:
            try:
                self.commit(asynchronous=False)
            except KafkaException:
                pass
        self._membership.close()
        self._closed = True
        member = self.reading.member
        self.kafka.stepper.until(lambda: member.name not in self._group.members or member.instance is not None, 1.0)
        member.die()

    def vanish(self) -> None:
        """The process dies: nothing is committed, and the group is not told."""
        self._closed = True
        self.reading.member.die()
        if self._membership.joined:
            self._group.lose(self.reading.member)

    def __repr__(self) -> str:
        held = ", ".join(f"{topic}-{number}" for topic, number in self.reading.tracks) if not self._closed else ""
        return f"<Consumer {self._name} of group {self.conf['group.id']}: {held or 'nothing assigned'}>"


