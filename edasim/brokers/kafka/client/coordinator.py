"""The engine's groups as clients meet them: members subscribe to topics of their own, and may be refused.

Source in apache/kafka: GroupMetadataManager (classicGroupJoin, consumerGroupHeartbeat).
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.assignors import Assignment, assign_as_librdkafka
from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.values import TopicPartition
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.failover_fetch import FailoverFetch
from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.group_offsets import MILLISECOND, GroupOffsets
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.brokers.kafka.server_group import ServerGroup
from edasim.core.journal import Place
from edasim.core.link import CALL, Call

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.group_home import GroupHome
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

    _Engine = GroupOffsets
else:
    _Engine = ABC  # A mixin: the engine's group of either protocol stands behind it.


class ClientGroup(_Engine):
    """What groups of both protocols have here; `home` keeps what is committed."""

    kafka: SimulatedKafka
    home: GroupHome
    strategy: str

    if TYPE_CHECKING:
        def join(self, member: Member) -> None: ...
        def leave(self, member: Member) -> None: ...
        def lose(self, member: Member) -> None: ...

    def _belong_to(self, kafka: SimulatedKafka, home: GroupHome) -> None:
        self.kafka, self.home = kafka, home
        self.fetch_kind = FailoverFetch

    def know(self, topic: Topic) -> None:
        """Somebody of the group reads a topic."""
        self.topics[topic.name] = topic
        for partition in topic.partitions:
            if partition not in self._places:
                self._places[partition] = Place("group", f"{self.name} {partition.name}", self.name)
                assert isinstance(partition, ReplicatedPartition), "a client's cluster has no others"
                partition.groups.append(self)
        self._reset_offsets(at_start=True)

    def know_subscription(self, member: ClientMember) -> None:
        """The topics of a member, as far as they are there."""
        for name in member.subscribed:
            if name in self.kafka.cluster.topics:
                self.know(self.kafka.cluster.topics[name])

    def clients(self) -> list[ClientMember]:
        """The members."""
        return [member for member in self.members.values() if isinstance(member, ClientMember)]

    def counts(self) -> dict[str, int]:
        """How many partitions each topic has that somebody subscribes to."""
        wanted = {name for member in self.clients() for name in member.subscribed}
        return {name: len(topic.partitions) for name, topic in self.topics.items()
                if name in wanted and name in self.kafka.cluster.topics}

    def note_committed(self, partition: Partition, offset: int) -> None:
        """Put a commit into the journal."""
        before = self.committed[partition]
        if offset != before:
            self.committed[partition] = offset
            (self._committed_facts if offset > before else self._rewound_facts)[partition](offset)

    def apply(self, offsets: Mapping[Partition, int]) -> None:
        """What a transaction commits."""
        for partition, offset in offsets.items():
            self.home.store(TopicPartition(partition.topic, partition.number, offset))

    @abstractmethod
    def rejoin(self, member: ClientMember) -> None:
        """The application has been told what it loses: the member joins again."""

    @abstractmethod
    def accepted(self, member: ClientMember, lost: Sequence[Partition]) -> None:
        """The application has been told of its share, and has let go of what it lost."""

    @property
    @abstractmethod
    def shares(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Who is to have what."""

    @property
    @abstractmethod
    def moving(self) -> bool:
        """Whether partitions are on their way between members."""


class ClassicGroup(ClientGroup, Group):
    """A group whose members divide among themselves; librdkafka's member does it as librdkafka does."""

    def __init__(self, kafka: SimulatedKafka, home: GroupHome, options: Mapping[str, Any]) -> None:
        delay_ns = kafka.options["group.initial.rebalance.delay.ms"] * MILLISECOND
        Group.__init__(self, kafka.world, home.name, [], options, delay_ns)
        self._belong_to(kafka, home)

    def _on_join(self, member: Member) -> None:
        assert isinstance(member, ClientMember), "a client's group has no others"
        error = self._refusal(member)
        if error:
            member.to_client.send(Call(member.owner.refused, error), CALL)
            return
        self.know_subscription(member)
        super()._on_join(member)

    def _refusal(self, member: ClientMember) -> str:
        """Kafka's name of the error with which a member is not let in; "" if it is."""
        options = self.kafka.options
        low, high = options["group.min.session.timeout.ms"], options["group.max.session.timeout.ms"]
        if not low * MILLISECOND <= member.session_ns <= high * MILLISECOND:
            return "INVALID_SESSION_TIMEOUT"
        before = self._of_instance(member)
        others = [other for other in self.clients() if other not in (member, before)]
        return "" if _common([*others, member]) else "INCONSISTENT_GROUP_PROTOCOL"

    # --- rebalances -------------------------------------------------------------------------------------------

    def member_ready(self, member: Member) -> None:
        """A member that knows of the rebalance is at its poll: its application is told first."""
        assert isinstance(member, ClientMember), "a client's group has no others"
        member.owner.rebalance_begins()

    def rejoin(self, member: ClientMember) -> None:
        """The application has been told what it loses: the member joins again."""
        if member.eager:
            member.revoke_all()
        # What it hears from now on is of the next rebalance.
        member.rejoining, member.rejoin_pending = True, False
        member.to_broker.send(Call(self._on_rejoin, member), CALL)

    def accepted(self, member: ClientMember, lost: Sequence[Partition]) -> None:
        """Who gave something up in the cooperative protocol asks for the second round, which gives it to others."""
        if lost and not member.eager:
            self.rejoin(member)

    def _on_rejoin(self, member: Member) -> None:
        assert isinstance(member, ClientMember), "a client's group has no others"
        if self.members.get(member.name) is not member:
            member.to_client.send(Call(member.owner.refused, "UNKNOWN_MEMBER_ID"), CALL)
            return
        self.know_subscription(member)
        self._prepare()
        self.joined.add(member.name)
        self._complete_if_all_joined()

    def begins_anew(self, member: Member) -> None:
        """A rebalance has begun while a member waited for its share: it waits no more."""
        assert isinstance(member, ClientMember), "a client's group has no others"
        member.rejoining = False
        super().begins_anew(member)

    def _eager(self) -> bool:
        return all(member.eager for member in self.clients())

    def _target(self) -> Assignment:
        members = self.clients()
        common = _common(members)
        votes = Counter(next(one for one in member.strategies if one in common) for member in members)
        self.strategy = max(votes, key=lambda one: votes[one])
        return assign_as_librdkafka(self.strategy, {member.name: member.instance for member in members}, self.counts(),
                                    {member.name: member.subscribed for member in members}, self._owned())

    @property
    def shares(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Who is to have what."""
        return self.assignment

    @property
    def moving(self) -> bool:
        """Whether members are to join again, or fetch their shares."""
        return self.rebalancing or self.syncing


def _common(members: Sequence[ClientMember]) -> set[str]:
    """The strategies that all offer."""
    return set.intersection(*(set(member.strategies) for member in members))


class ConsumerGroup(ClientGroup, ServerGroup):
    """A group with group.protocol=consumer: the broker divides."""

    def __init__(self, kafka: SimulatedKafka, home: GroupHome, options: Mapping[str, Any]) -> None:
        ServerGroup.__init__(self, kafka.world, home.name, [], options, kafka.options)
        self._belong_to(kafka, home)

    def _on_join(self, member: Member) -> None:
        assert isinstance(member, ClientMember), "a client's group has no others"
        self.know_subscription(member)
        super()._on_join(member)

    def subscription(self, member: Member) -> tuple[str, ...]:
        """The topics that a member reads."""
        assert isinstance(member, ClientMember), "a client's group has no others"
        return member.subscribed

    def rejoin(self, member: ClientMember) -> None:
        """A heartbeat says what the member subscribes to now."""
        member.to_broker.send(Call(self._on_subscription, member), CALL)

    def _on_subscription(self, member: ClientMember) -> None:
        if self.members.get(member.name) is member:
            self.know_subscription(member)
            self.reconciliation.seats[member.name].subscribed = member.subscribed
            self.reconciliation.divide()
            self._spread()

    def accepted(self, member: ClientMember, lost: Sequence[Partition]) -> None:
        """The next heartbeat is sent at once, and says what the member reads now."""
        self.applied(member, lost)

    @property
    def shares(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Who is to have what."""
        return self.reconciliation.target

    @property
    def moving(self) -> bool:
        """Whether a member has not come to the epoch of the group."""
        return any(seat.epoch != self.reconciliation.epoch for seat in self.reconciliation.seats.values())
