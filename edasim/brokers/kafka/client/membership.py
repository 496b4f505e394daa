"""A consumer's part in its group: what it subscribes to, and what its callbacks are told when partitions come and go.

Callbacks run from poll() and close(), as librdkafka has it, and may let time pass themselves.  Sources in librdkafka:
rdkafka_cgrp.c (rd_kafka_cgrp_rebalance, rd_kafka_cgrp_handle_assignment, rd_kafka_cgrp_max_poll_interval_check).
"""
from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.errors import KafkaError, failure
from edasim.brokers.kafka.client.stepping import ask
from edasim.brokers.kafka.client.values import Message, TopicPartition
from edasim.brokers.kafka.log import Partition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.consumer import Consumer
    from edasim.brokers.kafka.client.coordinator import ClientGroup

MS = 1_000_000
Callback = Callable[[Any, list[TopicPartition]], None]


class Membership:
    """One consumer's subscription.  `chores` is what the next poll has to do before it looks for records."""

    def __init__(self, consumer: Consumer, member: ClientMember) -> None:
        self.consumer = consumer
        self.member = member
        self.clock = member.clock
        self.topics: list[str] = []
        self.callbacks: dict[str, Callback | None] = {}
        self.chores: deque[Callable[[], None]] = deque()
        self.joined = False
        self.lost = False
        """The group has gone on without this member, and its callbacks have not been told yet."""
        self.generation = -1
        self.giving = False
        """Whether on_assign is running."""
        self._by_hand = False
        self._counts: dict[str, int] = {}
        self._interval_ns: int = consumer.conf["max.poll.interval.ms"] * MS
        self._refresh_ns: int = consumer.conf["topic.metadata.refresh.interval.ms"] * MS
        self._idle_since_ns: int | None = None
        self._watching = self._refreshing = False

    @property
    def group(self) -> ClientGroup:
        """The engine's group that the member is in, or would join."""
        group: ClientGroup = self.member.group
        return group

    # --- subscribing ------------------------------------------------------------------------------------------

    def subscribe(self, topics: list[str], callbacks: dict[str, Callback | None]) -> None:
        """Read these topics (those that begin with ^ are patterns) with the others of the group."""
        self.topics, self.callbacks = list(topics), callbacks
        ask(self.consumer.links, lambda: self._matching(report=True), self._subscription_known)
        if self._refresh_ns > 0 and not self._refreshing:
            self._refreshing = True
            self._refresh_later()

    def _matching(self, report: bool) -> dict[str, int]:
        """At the broker: the topics that match, with their numbers of partitions."""
        present = self.consumer.kafka.cluster.topics
        found: dict[str, int] = {}
        for wanted in self.topics:
            if wanted.startswith("^"):
                found |= {name: len(topic.partitions) for name, topic in present.items() if re.match(wanted, name)}
                continue
            creates = self.consumer.conf["allow.auto.create.topics"]
            count = self.consumer.kafka.partition_count(wanted, create=creates)
            found[wanted] = count
        return found

    def _subscription_known(self, found: dict[str, int]) -> None:
        for topic in [topic for topic, count in found.items() if not count and topic not in self._counts]:
            error = KafkaError("UNKNOWN_TOPIC_OR_PART", f'subscribed topic "{topic}" is not there')
            self.consumer.reading.queue.append(Message(topic, error=error))
        self._counts = found
        before, self.member.subscribed = self.member.subscribed, tuple(found)
        if not self.joined:
            self._join()
        elif before != self.member.subscribed:
            self._later(self._rejoin)

    def _join(self) -> None:
        self.joined = True
        self.lost = False
        self.member.belong_to(self.consumer.home.speaking(self.consumer.options), self.consumer.options)
        self.group.join(self.member)

    def _refresh_later(self) -> None:
        def refresh() -> None:
            if self.topics and self.member.alive:
                ask(self.consumer.links, lambda: self._matching(report=False), self._refreshed)
                self._refresh_later()
            else:
                self._refreshing = False

        self.clock.at(self.clock.now_ns + self._refresh_ns, refresh)

    def _refreshed(self, found: dict[str, int]) -> None:
        if found != self._counts:
            self._counts = found
            self.member.subscribed = tuple(found)
            self._later(self._rejoin)

    def unsubscribe(self) -> None:
        """Leave the group at the next poll, when the callbacks can be told of it."""
        if self.topics:
            self.topics = []
            self._later(self._leave_unless_back)

    def _leave_unless_back(self) -> None:
        if not self.topics:
            self._take_away(self._all(), "on_revoke")
            self._leave()

    def _leave(self) -> None:
        if self.joined:
            self.joined = False
            self.member.rejoin_pending = self.member.rejoining = False
            if self.member.instance is None:
                self.group.leave(self.member)
            else:
                # A static member keeps its partitions until the session timeout, for it may come back.
                self.group.lose(self.member)

    def close(self) -> None:
        """Give everything up and say goodbye."""
        self._take_away(self._all(), "on_lost" if self.lost else "on_revoke")
        self.topics = []
        self._leave()

    # --- what the group says ----------------------------------------------------------------------------------

    def _later(self, chore: Callable[[], None]) -> None:
        if chore not in self.chores:
            self.chores.append(chore)

    def rebalance_begins(self) -> None:
        """A heartbeat was answered that the group is to share its partitions anew."""
        self._later(self._rejoin)

    def assignment_arrives(self, partitions: list[Partition], generation: int) -> None:
        """The group has shared its partitions."""
        self._later(lambda: self._accept(partitions, generation))

    def refused(self, error: str) -> None:
        """The coordinator does not know or take this member."""
        if error in ("UNKNOWN_MEMBER_ID", "FENCED_MEMBER_EPOCH"):
            self._fall_out()
            return
        self.joined = False
        fatal = error == "FENCED_INSTANCE_ID"
        told = KafkaError("_FATAL", KafkaError(error).str(), fatal=True) if fatal else KafkaError(error)
        self.consumer.reading.queue.append(Message(error=told))

    def serve(self) -> None:
        """What poll() does before it looks for records: run what the callbacks have to be told."""
        while self.chores:
            self.chores.popleft()()

    # --- chores -----------------------------------------------------------------------------------------------

    def _rejoin(self) -> None:
        """Give up what the protocol asks for, and join again."""
        if not self.joined or self.member.rejoining:
            return
        if self.member.eager:
            self._take_away(self._all(), "on_revoke")
        if self.joined:
            self.group.rejoin(self.member)

    def _accept(self, partitions: list[Partition], generation: int) -> None:
        member = self.member
        if not self.joined or generation < self.generation:
            return
        self.generation = generation
        member.generation = max(generation, member.generation)
        member.rejoining = False
        mine = {(one.topic, one.number) for one in partitions}
        had = set(self.consumer.reading.tracks)
        lost = [track.partition for key, track in self.consumer.reading.tracks.items() if key not in mine]
        self._take_away([TopicPartition(*key) for key in sorted(had - mine)], "on_revoke")
        gained = [TopicPartition(*key) for key in sorted(mine - had)]
        if gained or not had:
            self._give(gained)
        if self.joined:
            self.group.accepted(member, lost)

    def _give(self, places: list[TopicPartition]) -> None:
        callback = self.callbacks.get("on_assign")
        self._by_hand = False
        if callback is not None:
            self.giving = True
            try:
                callback(self.consumer, places)
            finally:
                self.giving = False
        if not self._by_hand:
            self.consumer.reading.add(places)

    def _take_away(self, places: list[TopicPartition], how: str) -> None:
        if not places:
            return
        callback = self.callbacks.get(how) or self.callbacks.get("on_revoke")
        if how != "on_lost":
            self.consumer.commit_before_losing()
        if callback is not None:
            callback(self.consumer, places)
        self.consumer.reading.remove(places)

    def assigned_by_hand(self, incremental: bool) -> None:
        """The application assigns for itself; within a group its verb has to be that of the protocol."""
        self._by_hand = True
        if self.joined and incremental == self.member.eager:
            eager = "all at once, by assign() and unassign()"
            cooperative = "one by one, by incremental_assign() and incremental_unassign()"
            raise failure("_STATE", f"the group gives and takes {eager if self.member.eager else cooperative}")

    def _all(self) -> list[TopicPartition]:
        return [TopicPartition(*key) for key in sorted(self.consumer.reading.tracks)]

    # --- max.poll.interval.ms ---------------------------------------------------------------------------------

    def poll_begins(self) -> None:
        """The application is in poll()."""
        self._idle_since_ns = None

    def poll_ends(self) -> None:
        """The application does something else."""
        self._idle_since_ns = self.clock.now_ns
        if not self._watching and self.joined:
            self._watching = True
            self.clock.at(self.clock.now_ns + self._interval_ns, self._check)

    def _check(self) -> None:
        self._watching = False
        if self._idle_since_ns is None or not self.joined or not self.member.alive:
            return
        due_ns = self._idle_since_ns + self._interval_ns
        if self.clock.now_ns < due_ns:
            self._watching = True
            self.clock.at(due_ns, self._check)
            return
        # The client itself leaves, and its next poll says why.
        self.consumer.reading.queue.clear()
        self.consumer.reading.queue.append(Message(error=KafkaError("_MAX_POLL_EXCEEDED")))
        if self.member.instance is None:
            self.group.leave(self.member)
        else:
            self.group.lose(self.member)
        self._fall_out()

    def _fall_out(self) -> None:
        self.lost = True
        self.joined = False
        self.member.rejoin_pending = self.member.rejoining = False
        self.member.pause(*self.member.assigned)
        self._later(self._come_back)

    def _come_back(self) -> None:
        if self.lost:
            self._take_away(self._all(), "on_lost")
            self.generation = self.member.generation = -1
            if self.topics:
                self._join()
