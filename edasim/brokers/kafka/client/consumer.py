"""The consumer, with confluent-kafka's verbs."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.configuration import Configuration, consumer_options
from edasim.brokers.kafka.client.errors import KafkaException, failure
from edasim.brokers.kafka.client.group_metadata import ConsumerGroupMetadata
from edasim.brokers.kafka.client.membership import Callback, Membership
from edasim.brokers.kafka.client.offsets import Offsets
from edasim.brokers.kafka.client.reading import Reading, Track
from edasim.brokers.kafka.client.stepping import answered
from edasim.brokers.kafka.client.values import (
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
    from edasim.brokers.kafka.client.group_home import GroupHome
    from edasim.brokers.kafka.client.metadata import ClusterMetadata
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

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
            self.options = resolve("kafka consumer", kafka.version, consumer_options(conf))
        except OptionError as error:
            raise failure("_INVALID_ARG", str(error)) from None
        options = {**self.options, "enable.auto.commit": False}
        member = ClientMember(self.home.speaking(self.options), self._name, self.links, options, self)
        self.reading = Reading(kafka, conf, member)
        self._offsets = Offsets(self, self.options["auto.offset.reset"])
        self.reading.begin = self._offsets.begin
        self.reading.know = lambda topic: self.home.know(topic)
        self._membership = Membership(self, member)
        self._closed = False

    @property
    def home(self) -> GroupHome:
        """The group as its coordinator has it."""
        return self.kafka.home(self.conf["group.id"])

    @property
    def committer(self) -> ClientMember | None:
        """Who commits: the member, or None outside of the group."""
        return self.reading.member if self._membership.joined or self._membership.lost else None

    def commit_before_losing(self) -> None:
        """Partitions are about to be given up."""
        self._offsets.commit_before_losing()

    def call_later(self, chore: Callable[[], None]) -> None:
        """Call back from the next poll() or close(), as librdkafka does."""
        self._membership.chores.append(chore)

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

    def overtaken(self, partition: Partition, position: int) -> int | None:
        """A position is no offset of the log; for the engine to call."""
        return self._offsets.overtaken(partition, position)

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
        self._membership.assigned_by_hand(incremental=False)
        self.reading.remove_all()
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
        self._membership.assigned_by_hand(incremental=True)
        self.reading.add(partitions)

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        """Read these no more."""
        self._open()
        for place in checked_places(partitions):
            self._track(place, "_INVALID_ARG")
        self._membership.assigned_by_hand(incremental=True)
        self.reading.remove(partitions)

    def assignment(self) -> list[TopicPartition]:
        """What is read now."""
        self._open()
        return [TopicPartition(*key, offset) for key, offset in self.reading.held().items()]

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
        track = self._track(partition, "_UNKNOWN_PARTITION" if self._membership.giving else "_STATE")
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
            raise failure("_INVALID_ARG", "poll() stores offsets itself: set enable.auto.offset.store to false first")
        if message is None and offsets is None:
            raise ValueError("store_offsets needs a message or offsets")
        for place in self._offsets.named(message, offsets) or []:
            track = self._track(place, "_STATE")
            track.stored, track.metadata = place.offset, place.metadata

    def commit(self, message: Message | None = None, offsets: list[TopicPartition] | None = None,
               asynchronous: bool = True) -> list[TopicPartition] | None:
        """Commit a message (its offset plus one), given offsets, or what poll() has given so far.

        With asynchronous=False time passes until the broker has answered: the offsets are returned, or KafkaException
        raised.  Else None is returned at once and conf's on_commit(error, offsets) is called.
        """
        self._open()
        places = self._offsets.named(message, offsets)
        if places is None and self._membership.lost:
            raise failure("_ASSIGNMENT_LOST")
        places = self._offsets.stored() if places is None else [place for place in places if place.offset >= 0]
        if not places:
            if asynchronous:
                return None
            raise failure("_NO_OFFSET")
        reply = self._offsets.commit(places)
        if asynchronous:
            return None
        answered(self.kafka.stepper, reply, None, "committing")
        return places

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """What the group has committed: each partition with its offset, OFFSET_INVALID (-1001) where there is none."""
        self._open()
        reply = self._offsets.committed(checked_places(partitions))
        found: list[TopicPartition] = answered(self.kafka.stepper, reply, timeout, "asking for committed offsets")
        return found

    def consumer_group_metadata(self) -> ConsumerGroupMetadata:
        """Who this consumer is in its group, for send_offsets_to_transaction()."""
        self._open()
        return ConsumerGroupMetadata(self.conf["group.id"], self.committer)

    def memberid(self) -> str | None:
        """The name of the member in its group; None outside of one."""
        self._open()
        return self.reading.member.name if self._membership.joined else None

    # --- questions --------------------------------------------------------------------------------------------

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float = -1,
                              cached: bool = False) -> tuple[int, int]:
        """(low, high): the first offset that is kept, and the one after the last that can be read.

        `cached` takes no time: the end as the last fetch of an assigned partition said it, else OFFSET_INVALID (-1001).
        """
        self._open()
        if cached:
            track = self.reading.tracks.get(partition.place)
            known = track is not None and track.position >= 0
            return OFFSET_INVALID, self.reading.limit(track.partition) if track and known else OFFSET_INVALID
        low, high = answered(self.kafka.stepper, self._offsets.watermarks(partition), timeout, "asking for watermarks")
        return low, high

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """The first offset whose timestamp (ms, the given offset) is not before that time; OFFSET_END without any."""
        self._open()
        reply = self._offsets.by_time(checked_places(partitions))
        found: list[TopicPartition] = answered(self.kafka.stepper, reply, timeout, "asking for offsets by time")
        return found

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
        if self.conf["enable.auto.commit"] and self._offsets.stored() and not self._membership.lost:
            with suppress(KafkaException):
                self.commit(asynchronous=False)
        self._membership.close()
        self._closed = True
        member = self.reading.member
        group = self._membership.group
        self.kafka.stepper.until(lambda: member.name not in group.members or member.instance is not None, 1.0)
        member.die()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def vanish(self) -> None:
        """The process dies: nothing is committed, and the group is not told."""
        self._closed = True
        self.reading.member.die()
        if self._membership.joined:
            self._membership.group.lose(self.reading.member)

    def __repr__(self) -> str:
        held = ", ".join(f"{topic}-{number}" for topic, number in self.reading.tracks) if not self._closed else ""
        return f"<Consumer {self._name} of group {self.conf['group.id']}: {held or 'nothing assigned'}>"


