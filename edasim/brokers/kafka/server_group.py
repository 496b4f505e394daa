"""A consumer group of the consumer protocol (KIP-848): the broker divides, and heartbeats carry it to the members.

Only those heartbeats are simulated whose answer is something new.  Sources in apache/kafka: GroupMetadataManager,
ConsumerMembershipManager, ConsumerHeartbeatRequestManager and AbstractMembershipManager (a member lets go in its poll,
after a commit, and says so at once).
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from edasim.brokers.kafka.assignors import Assignment, TopicPartition
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.group_offsets import MILLISECOND, UNSTABLE_BACKOFF_NS, GroupOffsets
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.reconciliation import Answer, Reconciliation, State
from edasim.brokers.kafka.server_assignors import assign_at_server
from edasim.core.link import CALL, Call
from edasim.core.world import World

Beat = tuple[Member, int, "Collection[TopicPartition] | None"]
"""A heartbeat on its way: who, with which member epoch, and what it reads (None: as last time)."""


class ServerGroup(GroupOffsets):
    """One group with group.protocol=consumer.  `options` are the members', `broker` those of the cluster."""

    def __init__(self, world: World, name: str, topics: Sequence[Topic], options: Mapping[str, Any],
                 broker: Mapping[str, Any]) -> None:
        super().__init__(world, name, topics, options)
        self.heartbeat_ns: int = broker["group.consumer.heartbeat.interval.ms"] * MILLISECOND
        self.session_ns: int = broker["group.consumer.session.timeout.ms"] * MILLISECOND
        self.strategy: str = options["group.remote.assignor"] or broker["group.consumer.assignors"][0]
        self.reconciliation = Reconciliation(self._divide)
        self._expected: set[str] = set()
        self._away: set[str] = set()
        """The static members that said that they would be back."""

    def heartbeat_times_ns(self, options: Mapping[str, Any]) -> tuple[int, int]:
        """The broker tells its members how often to send heartbeats, and after what silence they are given up."""
        return self.heartbeat_ns, self.session_ns

    @property
    def generation(self) -> int:
        """The epoch of the group."""
        return self.reconciliation.epoch

    def _divide(self, members: Mapping[str, str | None], subscriptions: Mapping[str, Collection[str]],
                before: Assignment) -> Assignment:
        counts = {name: len(topic.partitions) for name, topic in self.topics.items()}
        self.rebalanced(self.reconciliation.epoch)
        return assign_at_server(self.strategy, members, counts, subscriptions, before)

    # --- the beginning ----------------------------------------------------------------------------------------

    def begin(self, members: Sequence[Member]) -> None:
        """Joined, stable and at offset 0 of every partition: how every declared group stands at t = 0."""
        self._reset_offsets(at_start=True)
        self.members = {member.name: member for member in members}
        self.reconciliation.begin({member.name: member.instance for member in members}, tuple(self.topics))
        for member in members:
            self._give(member, self.reconciliation.target[member.name], self.generation)

    # --- joining and leaving ----------------------------------------------------------------------------------

    def join(self, member: Member) -> None:
        """A member's first heartbeat, with epoch 0."""
        member.begin_heartbeats()
        member.to_broker.send(Call(self._on_join, member), CALL)

    def _on_join(self, member: Member) -> None:
        reconciliation = self.reconciliation
        before = reconciliation.of_instance(member.instance)
        if before is not None and before.name not in self._away and before.name != member.name:
            # UNRELEASED_INSTANCE_ID: whoever starts it will start it again, until the name is free.
            self.clock.at(self.clock.now_ns + self.heartbeat_ns, lambda: self.join(member) if member.alive else None)
            return
        self.heard_of(member.name)
        self._reset_offsets(at_start=False)
        self.members[member.name] = member
        if before is None:
            reconciliation.join(member.name, member.instance, self.subscription(member))
        else:
            self.heard_of(before.name)
            self._away.discard(before.name)
            if before.name != member.name:
                del self.members[before.name]
            reconciliation.take_place(before, member.name)
        self._answer(member, reconciliation.heartbeat(member.name, ()))
        self._spread()

    def subscription(self, member: Member) -> tuple[str, ...]:
        """The topics that a member reads: those of the group."""
        return tuple(self.topics)

    def leave(self, member: Member) -> None:
        """A member says goodbye (epoch -1); a static one (-2) keeps its seat for the session timeout."""
        if member.instance is None:
            member.to_broker.send(Call(self.remove, member), CALL)
        else:
            self._away.add(member.name)
            self.lose(member)

    def remove(self, member: Member) -> None:
        """A member is no longer part of the group; what it had is free."""
        if self.members.get(member.name) is member:
            del self.members[member.name]
            self._disown(member)
            self.reconciliation.leave(member.name)
            self._spread()

    # --- heartbeats -------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Who has something to hear, hears it with its next heartbeat."""
        for name, member in self.members.items():
            if name not in self._expected and member.alive and self.reconciliation.has_news_for(name):
                self._expected.add(name)
                self.clock.at(member.next_heartbeat_ns(), lambda member=member: self._beat(member))  # type: ignore[misc]

    def _beat(self, member: Member) -> None:
        self._expected.discard(member.name)
        if member.alive and self.members.get(member.name) is member:
            member.to_broker.send(Call(self._on_heartbeat, (member, member.generation, None)), CALL)

    def applied(self, member: Member, lost: Sequence[Partition]) -> None:
        """A member has done what it was told, and says so in a heartbeat at once."""
        if self.clock.now_ns:
            member.begin_heartbeats()
            owned = [(partition.topic, partition.number) for partition in member.assigned]
            member.to_broker.send(Call(self._on_heartbeat, (member, member.generation, owned)), CALL)

    def _on_heartbeat(self, beat: Beat) -> None:
        member, epoch, owned = beat
        known = self.members.get(member.name) is member
        error = self.reconciliation.refusal(member.name, epoch, owned) if known else "UNKNOWN_MEMBER_ID"
        if error:
            if known:
                self.remove(member)
            member.to_client.send(Call(member.hear_refusal, (error, epoch)), CALL)
            return
        self._answer(member, self.reconciliation.heartbeat(member.name, owned))
        self._spread()

    def _answer(self, member: Member, answer: Answer) -> None:
        seat = self.reconciliation.seats[member.name]
        if seat.state is State.UNREVOKED:
            self._give_up_later(member, seat.epoch)
        member.to_client.send(Call(self.assigned, (member, answer)), CALL)

    def _give_up_later(self, member: Member, epoch: int) -> None:
        """Who has not let go within the rebalance timeout, which is its max.poll.interval.ms, is out."""

        def over() -> None:
            seat = self.reconciliation.seats.get(member.name)
            if seat is not None and seat.state is State.UNREVOKED and seat.epoch == epoch:
                self.remove(member)

        self.clock.at(self.clock.now_ns + member.max_poll_ns, over)

    def assigned(self, news: tuple[Member, Answer]) -> None:
        """An answer arrives at its member."""
        member, answer = news
        if not member.alive or self.members.get(member.name) is not member:
            return
        member.generation = answer.epoch
        if answer.assignment is not None:
            self._give(member, answer.assignment, answer.epoch)

    def _give(self, member: Member, assignment: Collection[TopicPartition], epoch: int) -> None:
        partitions = [self.topics[topic].partitions[number] for topic, number in sorted(assignment)]
        if any(self.pending.get(partition) for partition in partitions if partition not in member.assigned):
            # An open transaction may yet commit offsets: UNSTABLE_OFFSET_COMMIT, and the client asks again (KIP-447).
            due_ns = self.clock.now_ns + UNSTABLE_BACKOFF_NS
            self.clock.at(due_ns, lambda: self._give_if_still(member, assignment, epoch))
            return
        member.assign({partition: self.committed[partition] for partition in partitions}, epoch)

    def _give_if_still(self, member: Member, assignment: Collection[TopicPartition], epoch: int) -> None:
        if member.alive and self.members.get(member.name) is member and member.generation == epoch:
            self._give(member, assignment, epoch)

    def member_ready(self, member: Member) -> None:
        """Nobody has to join again before a rebalance: there is none that would wait for it."""
        raise AssertionError("a member of the consumer protocol is never asked to join again")

    # --- commits ----------------------------------------------------------------------------------------------

    def commit_error(self, member: Member, generation: int) -> str:
        """Kafka's name of the error with which a commit is refused; "" for one that is taken.

        Source: ConsumerGroup.validateOffsetCommit.
        """
        if self.members.get(member.name) is not member:
            return "UNKNOWN_MEMBER_ID"
        return "" if generation == self.reconciliation.seats[member.name].epoch else "STALE_MEMBER_EPOCH"
