"""A consumer group of the classic protocol and its coordinator: membership, generations, rebalances.

Members learn of a rebalance with their next heartbeat and join when they next poll; it ends when all that the
coordinator knows have joined or were given up.  Then everybody hears who is in it (JoinGroup), the leader divides, and
with the answer to SyncGroup the shares arrive.  Sources: KIP-62, KIP-345 (static members), KIP-429 (cooperative);
ClassicGroup and GroupMetadataManager in apache/kafka.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edasim.brokers.kafka.assignors import Assignment, assign, cooperative_rounds
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.group_offsets import UNSTABLE_BACKOFF_NS, GroupOffsets
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.member import Member
from edasim.core.link import CALL, Call
from edasim.core.world import World


class Group(GroupOffsets):
    """One consumer group of the classic protocol.  `initial_delay_ns` is group.initial.rebalance.delay.ms.

    `rebalancing` while members are to join again, and `joined` are those that have; `syncing` until
    the leader's shares are there, and `synced` are those that wait for theirs.
    """

    def __init__(self, world: World, name: str, topics: Sequence[Topic], options: Mapping[str, Any],
                 initial_delay_ns: int) -> None:
        super().__init__(world, name, topics, options)
        self.initial_delay_ns = initial_delay_ns
        # The protocol that all members list first: with Kafka's default list that is range, and so eager.
        self.strategy: str = options["partition.assignment.strategy"][0]
        self.joined: set[str] = set()
        self.synced: dict[str, Member] = {}
        self.leader = ""
        self.generation = 0
        self.rebalancing = self.syncing = False
        self._gathering = False
        self._rounds = 0
        self.assignment: Assignment = {}
        """What the leader has made of it: by member, (topic, number) of each partition."""

    # --- the beginning ----------------------------------------------------------------------------------------

    def begin(self, members: Sequence[Member]) -> None:
        """Joined, stable and at offset 0 of every partition: how every declared group stands at t = 0."""
        self._reset_offsets(at_start=True)
        self.members = {member.name: member for member in members}
        self._hand_out(self._target())

    # --- joining and leaving ----------------------------------------------------------------------------------

    def join(self, member: Member) -> None:
        """A new member asks to be let in."""
        member.to_broker.send(Call(self._on_join, member), CALL)

    def _on_join(self, member: Member) -> None:
        self.heard_of(member.name)
        before = self._of_instance(member)
        if before is not None:
            self._take_place(before, member)
            return
        first = not self.members
        self.members[member.name] = member
        if first:
            # An empty group waits a little for others before its first assignment.
            self.rebalancing = True
            self.joined = {member.name}
            self._reset_offsets(at_start=False)
            self._gather(self.clock.now_ns + self._rebalance_timeout_ns())
        else:
            self._prepare()
            self.joined.add(member.name)
            self._complete_if_all_joined()

    def _of_instance(self, member: Member) -> Member | None:
        """Who is in the group under the same group.instance.id."""
        if member.instance is None:
            return None
        return next((other for other in self.members.values() if other.instance == member.instance), None)

    def _take_place(self, before: Member, member: Member) -> None:
        """A static member is back, as a new process or as itself: it gets what it had, without a rebalance."""
        del self.members[before.name]
        self.members[member.name] = member
        self.assignment[member.name] = self.assignment.pop(before.name, [])
        if before is not member and before.alive:
            self.clock.at(before.next_heartbeat_ns(), lambda: before.commit_refused("FENCED_INSTANCE_ID"))
        if self.rebalancing:
            self.joined.discard(before.name)
            self.joined.add(member.name)
            self._complete_if_all_joined()
        elif self.syncing:
            # Who had just joined is not who would fetch its share: all join once more.
            self._prepare()
            self.joined.add(member.name)
            self._complete_if_all_joined()
        else:
            self._send_share(member)

    def _gather(self, latest_ns: int) -> None:
        """Wait for group.initial.rebalance.delay.ms, and again as long as others came in the meantime."""
        self._gathering = True
        there = len(self.joined)

        def over() -> None:
            if len(self.joined) > there and self.clock.now_ns < latest_ns:
                self._gather(latest_ns)
                return
            self._gathering = False
            self._complete_if_all_joined()

        self.clock.at(min(self.clock.now_ns + self.initial_delay_ns, latest_ns), over)

    def leave(self, member: Member) -> None:
        """A member says goodbye: its partitions need not wait for session.timeout.ms.  A static one just goes."""
        if member.instance is None:
            member.to_broker.send(Call(self.remove, member), CALL)
        else:
            self.lose(member)

    def remove(self, member: Member) -> None:
        """A member is no longer part of the group."""
        if self.members.get(member.name) is not member:
            return
        del self.members[member.name]
        self.joined.discard(member.name)
        self._disown(member)
        if self.members:
            self._prepare()
            self._complete_if_all_joined()
        else:
            self.rebalancing = self.syncing = False

    # --- rebalances -------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if self.rebalancing:
            return
        self.rebalancing, self.syncing = True, False
        self.joined = set()
        self._rounds += 1
        self._give_up_later(self._rounds)
        for member in self.members.values():
            if member.alive:
                self.clock.at(member.next_heartbeat_ns(), lambda member=member: self.notice(member))  # type: ignore[misc]

    def _rebalance_timeout_ns(self) -> int:
        """The rebalance timeout that members send is their max.poll.interval.ms; the longest counts."""
        return max(member.max_poll_ns for member in self.members.values())

    def _give_up_later(self, rounds: int) -> None:
        """Who has not joined when the rebalance timeout is over is out; static members may still come."""

        def over() -> None:
            if not self.rebalancing or self._rounds != rounds:
                return
            late = [one for one in self.members.values() if one.name not in self.joined and one.instance is None]
            for member in late:
                del self.members[member.name]
                self._disown(member)
            self.joined |= self.members.keys()
            self._complete_if_all_joined()

        if self.members:
            self.clock.at(self.clock.now_ns + self._rebalance_timeout_ns(), over)

    def notice(self, member: Member) -> None:
        """A member hears that a rebalance is on: it joins when it next polls."""
        if not self.rebalancing or not member.alive or member.name in self.joined:
            return
        member.rejoin_pending = True
        if member.polling:
            self.member_ready(member)

    def member_ready(self, member: Member) -> None:
        """A member that knows of the rebalance is at its poll: it commits, lets go and joins."""
        if member.auto_commit:
            member.commit()
        member.rejoin_pending = False
        if self._eager():
            # Else it reads on until it hears what to let go (KIP-429).
            member.revoke_all()
        member.to_broker.send(Call(self._on_rejoin, member), CALL)

    def _eager(self) -> bool:
        return self.strategy != "cooperative-sticky"

    def _on_rejoin(self, member: Member) -> None:
        if self.members.get(member.name) is not member:
            member.to_client.send(Call(member.commit_refused, "UNKNOWN_MEMBER_ID"), CALL)
        elif self.rebalancing:
            self.joined.add(member.name)
            self._complete_if_all_joined()
        elif not self.syncing:
            self._send_share(member)

    def _complete_if_all_joined(self) -> None:
        if self.rebalancing and not self._gathering and self.members and self.joined >= set(self.members):
            self.rebalancing = False
            target = self._target()
            if not self._eager():
                # What moves is given to nobody at first; who had to let go of something asks for the second round.
                _, target, _ = cooperative_rounds(self._owned(), target)
            self._hand_out(target)

    def applied(self, member: Member, lost: Sequence[Partition]) -> None:
        """A member has taken over its share; if it had to let go of something, it joins again at once (cooperative)."""
        if lost and not self._eager():
            member.to_broker.send(Call(self._on_second_round, member), CALL)

    def _on_second_round(self, member: Member) -> None:
        if self.members.get(member.name) is member:
            self._prepare()
            self._on_rejoin(member)

    def _owned(self) -> Assignment:
        """What members say that they have; of the eager protocol what they were given last, as sticky wants it."""
        if self._eager():
            return {name: self.assignment.get(name, []) for name in self.members}
        return {name: [(partition.topic, partition.number) for partition in member.assigned]
                for name, member in self.members.items()}

    def _target(self) -> Assignment:
        counts = {name: len(topic.partitions) for name, topic in self.topics.items()}
        instances = {name: member.instance for name, member in self.members.items()}
        return assign(self.strategy, instances, counts, dict.fromkeys(self.members, tuple(counts)),
                      self._owned())

    # --- handing out ------------------------------------------------------------------------------------------

    def _hand_out(self, assignment: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        self.generation += 1
        self.rebalanced(self.generation)
        self.assignment = {name: list(partitions) for name, partitions in assignment.items()}
        if self.clock.now_ns == 0:
            for member in self.members.values():
                member.assign({partition: self.committed[partition] for partition in self._share(member)},
                              self.generation)
            return
        self.syncing, self.synced, self.leader = True, {}, next(iter(self.members))
        for member in list(self.members.values()):
            member.to_client.send(Call(self.heard_of_members, (member, self.generation)), CALL)

    def heard_of_members(self, news: tuple[Member, int]) -> None:
        """The answer to JoinGroup is at a member: it asks for its share (SyncGroup); the leader sends all along."""
        member, generation = news
        if member.alive and generation == self.generation:
            # From now on it commits as one of this generation, of what it still has.
            member.generation = generation
            member.to_broker.send(Call(self._on_sync, news), CALL)

    def _on_sync(self, news: tuple[Member, int]) -> None:
        member, generation = news
        if self.members.get(member.name) is not member:
            return
        if generation != self.generation or self.rebalancing:
            member.to_client.send(Call(self.begins_anew, member), CALL)
        elif not self.syncing:
            self._send_share(member)
        else:
            self.synced[member.name] = member
            if member.name == self.leader:
                # Its shares are there: the group is stable, and all who wait for theirs are answered.
                self.syncing = False
                for one in self.synced.values():
                    self._send_share(one)

    def begins_anew(self, member: Member) -> None:
        """A rebalance has begun while a member waited for its share (REBALANCE_IN_PROGRESS)."""
        self.notice(member)

    def _share(self, member: Member) -> list[Partition]:
        return [self.topics[topic].partitions[number] for topic, number in self.assignment.get(member.name, ())]

    def _send_share(self, member: Member) -> None:
        # The offsets are read when the assignment arrives.
        member.to_client.send(Call(self.assigned, (member, self._share(member), self.generation)), CALL)

    def assigned(self, news: tuple[Member, list[Partition], int]) -> None:
        """An assignment arrives at its member."""
        member, partitions, generation = news
        if any(self.pending.get(partition) for partition in partitions):
            # An open transaction may yet commit offsets: UNSTABLE_OFFSET_COMMIT, and the client asks again (KIP-447).
            self.clock.at(self.clock.now_ns + UNSTABLE_BACKOFF_NS, lambda: self.assigned(news))
        elif member.alive and generation == self.generation:
            member.assign({partition: self.committed[partition] for partition in partitions}, generation)

    # --- commits ----------------------------------------------------------------------------------------------

    def commit_error(self, member: Member, generation: int) -> str:
        """Kafka's name of the error with which a commit is refused; "" for one that is taken.

        Source: ClassicGroup.validateOffsetCommit.
        """
        if self.members.get(member.name) is not member:
            return "UNKNOWN_MEMBER_ID" if self._of_instance(member) is None else "FENCED_INSTANCE_ID"
        if self.syncing and generation in (self.generation - 1, self.generation):
            return "REBALANCE_IN_PROGRESS"
        return "" if generation == self.generation else "ILLEGAL_GENERATION"
