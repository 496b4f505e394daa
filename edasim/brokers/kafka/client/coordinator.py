"""A consumer group as clients meet it: the engine's group, with subscriptions, refusals, and offsets with metadata.

Source in apache/kafka: GroupMetadataManager (classic groups), OffsetMetadataManager (validateOffsetCommit).
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.assignors import Assignment, assign_as_librdkafka
from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.errors import failure
from edasim.brokers.kafka.client.values import OFFSET_INVALID, TopicPartition
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.failover_fetch import FailoverFetch
from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.core.journal import Place
from edasim.core.link import CALL, Call

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

MS = 1_000_000
Stored = tuple[int, str]


class ClientGroup(Group):
    """One group.id.  `stored` is what has really been committed, by partition, as (offset, metadata)."""

    def __init__(self, kafka: SimulatedKafka, name: str, options: Mapping[str, Any]) -> None:
        delay_ns = kafka.options["group.initial.rebalance.delay.ms"] * MS
        super().__init__(kafka.world, name, [], options, delay_ns)
        self.kafka = kafka
        self.fetch_kind = FailoverFetch
        self.stored: dict[tuple[str, int], Stored] = {}
        self.assignment: Assignment = {}

    # --- topics -----------------------------------------------------------------------------------------------

    def know(self, topic: Topic) -> None:
        """Somebody of the group reads a topic."""
        self.topics[topic.name] = topic
        for partition in topic.partitions:
            if partition not in self._places:
                self._places[partition] = Place("group", f"{self.name} {partition.name}", self.name)
                assert isinstance(partition, ReplicatedPartition), "a client's cluster has no others"
                partition.groups.append(self)
        self._reset_offsets(at_start=True)

    def _know_subscription(self, member: ClientMember) -> None:
        for name in member.subscribed:
            if name in self.kafka.cluster.topics:
                self.know(self.kafka.cluster.topics[name])

    # --- joining ----------------------------------------------------------------------------------------------

    def _on_join(self, member: Member) -> None:
        assert isinstance(member, ClientMember), "a client's group has no others"
        error = self._refusal(member)
        if error:
            member.to_client.send(Call(member.owner.refused, error), CALL)
            return
        self._know_subscription(member)
        before = self._same_instance(member)
        if before is None:
            super()._on_join(member)
        else:
            self._replace(before, member)

    def _refusal(self, member: ClientMember) -> str:
        """Kafka's name of the error with which a member is not let in; "" if it is."""
        options = self.kafka.options
        low, high = options["group.min.session.timeout.ms"], options["group.max.session.timeout.ms"]
        if not low * MS <= member.session_ns <= high * MS:
            return "INVALID_SESSION_TIMEOUT"
        before = self._same_instance(member)
        others = [other for other in self._clients() if other not in (member, before)]
        if not self._common([*others, member]):
            return "INCONSISTENT_GROUP_PROTOCOL"
        return ""

    def _clients(self) -> list[ClientMember]:
        return [member for member in self.members.values() if isinstance(member, ClientMember)]

    @staticmethod
    def _common(members: Sequence[ClientMember]) -> set[str]:
        return set.intersection(*(set(member.strategies) for member in members))

    def _same_instance(self, member: ClientMember) -> ClientMember | None:
        if member.instance is None:
            return None
        return next((other for other in self._clients() if other is not member and other.instance == member.instance),
                    None)

    def _replace(self, before: ClientMember, member: ClientMember) -> None:
        """A static member comes back, or another takes its name: it gets what the other had, without a rebalance."""
        del self.members[before.name]
        self.members[member.name] = member
        self.assignment[member.name] = self.assignment.pop(before.name, [])
        if before.alive:
            self.clock.at(before.next_heartbeat_ns(), lambda: before.owner.refused("FENCED_INSTANCE_ID"))
        if self.rebalancing:
            self.joined.discard(before.name)
            self.joined.add(member.name)
            self._complete_if_all_joined()
        else:
            partitions = [self.topics[topic].partitions[number] for topic, number in self.assignment[member.name]]
            member.to_client.send(Call(self.assigned, (member, partitions, self.generation)), CALL)

    # --- rebalances -------------------------------------------------------------------------------------------

    def member_ready(self, member: Member) -> None:
        """A member that knows of the rebalance is at its poll: its application is told first."""
        assert isinstance(member, ClientMember), "a client's group has no others"
        member.owner.rebalance_begins()

    def rejoin(self, member: ClientMember) -> None:
        """The application has been told: the member gives up what it must, and joins again."""
        if member.eager:
            member.revoke_all()
        member.rejoining = True
        member.to_broker.send(Call(self._on_rejoin, member), CALL)

    def _on_rejoin(self, member: Member) -> None:
        assert isinstance(member, ClientMember), "a client's group has no others"
        if self.members.get(member.name) is not member:
            member.to_client.send(Call(member.owner.refused, "UNKNOWN_MEMBER_ID"), CALL)
            return
        self._know_subscription(member)
        self._prepare()
        self.joined.add(member.name)
        self._complete_if_all_joined()

    def _eager(self) -> bool:
        return all(member.eager for member in self._clients())

    def _target(self) -> Assignment:
        members = self._clients()
        common = self._common(members)
        votes = Counter(next(one for one in member.strategies if one in common) for member in members)
        self.strategy = max(votes, key=lambda one: votes[one])
        wanted = {name for member in members for name in member.subscribed}
        counts = {name: len(topic.partitions) for name, topic in self.topics.items()
                  if name in wanted and name in self.kafka.cluster.topics}
        owned = {member.name: [(one.topic, one.number) for one in member.assigned] for member in members}
        return assign_as_librdkafka(self.strategy, {member.name: member.instance for member in members}, counts,
                                    {member.name: member.subscribed for member in members}, owned)

    def _hand_out(self, assignment: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        self.assignment = {name: list(partitions) for name, partitions in assignment.items()}
        super()._hand_out(assignment)

    def remove(self, member: Member) -> None:
        """A member is no longer part of the group."""
        super().remove(member)
        if not self.members:
            self.rebalancing = False

    # --- offsets ----------------------------------------------------------------------------------------------

    def commit_from(self, member: ClientMember | None, places: Sequence[TopicPartition]) -> None:
        """Offsets arrive, of a member or (None) of somebody who is none; KafkaException when they are refused."""
        if member is None:
            if self.members:
                raise failure("UNKNOWN_MEMBER_ID")
        elif self.members.get(member.name) is not member:
            raise failure("UNKNOWN_MEMBER_ID" if self._same_instance(member) is None else "FENCED_INSTANCE_ID")
        elif member.generation != self.generation:
            raise failure("ILLEGAL_GENERATION")
        for place in places:
            self.store(place)

    def store(self, place: TopicPartition) -> None:
        """Keep a committed offset."""
        partition = self.kafka.partition(*place.place)
        self.know(self.kafka.cluster.topics[place.topic])
        self.stored[place.place] = (place.offset, place.metadata or "")
        facts = self._committed_facts if place.offset > self.committed[partition] else self._rewound_facts
        if place.offset != self.committed[partition]:
            facts[partition](place.offset)
        self.committed[partition] = place.offset

    def apply(self, offsets: Mapping[Partition, int]) -> None:
        """What a transaction commits."""
        for partition, offset in offsets.items():
            self.store(TopicPartition(partition.topic, partition.number, offset))

    def unstable(self, keys: Iterable[tuple[str, int]]) -> bool:
        """Whether an open transaction may yet commit an offset of one of these."""
        partitions = [self.kafka.find(*key) for key in keys]
        return any(self.pending.get(partition) for partition in partitions if partition is not None)

    def committed_place(self, one: TopicPartition) -> TopicPartition:
        """The committed offset and metadata of a partition."""
        offset, metadata = self.stored.get(one.place, (OFFSET_INVALID, None))
        return TopicPartition(*one.place, offset, metadata)

    def committed_offset(self, key: tuple[str, int]) -> int | None:
        """The committed offset of a partition, None without one."""
        return self.stored[key][0] if key in self.stored else None
