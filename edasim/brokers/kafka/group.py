"""A consumer group and its coordinator: membership, assignment, committed offsets, rebalances.

The classic protocol.  Members learn of a rebalance with their next heartbeat and join when they next poll; it
ends when all that the coordinator knows have joined or were given up.  Source: KIP-62, KIP-429, the Kafka
documentation's consumer configuration.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edasim.brokers.kafka.assignors import assign, cooperative_rounds
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.failover_fetch import FailoverFetch
from edasim.brokers.kafka.fetch import Fetch
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.progress import Deliveries
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.brokers.kafka.segmented_fetch import SegmentedFetch
from edasim.brokers.kafka.segments import SegmentedPartition
from edasim.core.conservation import Counts
from edasim.core.journal import Place, Verb, Writer
from edasim.core.link import CALL, Call
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.broker_option import iso_duration_ns

UNSTABLE_BACKOFF_NS = 100_000_000
"""How long a consumer waits before it asks again for an offset that is not stable: retry.backoff.ms."""


class Group:
    """One consumer group.  `committed` belongs to the group and the partition and names the next record to read.

    `options` are resolved consumer options, `initial_delay_ns` is group.initial.rebalance.delay.ms.
    """

    def __init__(self, world: World, name: str, topics: Sequence[Topic], options: Mapping[str, Any],
                 initial_delay_ns: int) -> None:
        self.world = world
        self.clock = world.clock
        self.name = name
        self.topics = {topic.name: topic for topic in topics}
        self.options = options
        self.initial_delay_ns = initial_delay_ns
        # The protocol that all members list first: with Kafka's default list that is range, and so eager.
        self.strategy: str = options["partition.assignment.strategy"][0]
        self.members: dict[str, Member] = {}
        self.joined: set[str] = set()
        self.generation = 0
        self.rebalancing = False
        self._gathering = False
        self.max_poll_ns: int = options["max.poll.interval.ms"] * 1_000_000
        self.committed: dict[Partition, int] = {}
        self.start: dict[Partition, int] = {}
        self.reads_committed: bool = options["isolation.level"] == "read_committed"
        self.fetch_kind = self._fetch_kind()
        self.pending: dict[Partition, int] = {}
        """How many open transactions hold an offset of a partition."""
        self.skipped: dict[Partition, int] = {}
        """How many offsets the group was made to skip because their records were gone."""
        self._skipped_upto: dict[Partition, int] = {}
        self._behind: Partition | None = None
        self._committed_facts: dict[Partition, Writer] = {}
        self._rewound_facts: dict[Partition, Writer] = {}
        self.deliveries: dict[Partition, Deliveries] = {}
        self.rebalanced = world.writer(Verb.rebalanced, Place("group", name, name))
        self._places = {
            partition: Place("group", f"{name} {partition.name}", name) for partition in self._partitions()
        }

    def _partitions(self) -> list[Partition]:
        return [partition for topic in self.topics.values() for partition in topic.partitions]

    def _fetch_kind(self) -> type[Fetch]:
        """How its members fetch, as its partitions want it."""
        replicated = [one for one in self._partitions() if isinstance(one, ReplicatedPartition)]
        for partition in replicated:
            partition.groups.append(self)
        if replicated:
            return FailoverFetch
        segmented = any(isinstance(partition, SegmentedPartition) for partition in self._partitions())
        return SegmentedFetch if segmented else Fetch

    def truncated(self, partition: Partition, offset: int) -> None:
        """The log ends at an offset now, and what comes there next was never delivered (KIP-320)."""
        if partition in self.committed:
            deliveries = self.deliveries[partition]
            deliveries.upto = min(deliveries.upto, offset)
            if self.committed[partition] > offset:
                self.committed[partition] = offset
                self._rewound_facts[partition](offset)

    # --- the beginning ----------------------------------------------------------------------------------------

    def begin(self, members: Sequence[Member]) -> None:
        """Joined, stable and at offset 0 of every partition: how every declared group stands at t = 0."""
        self._reset_offsets(at_start=True)
        self.members = {member.name: member for member in members}
        self._hand_out(self._target())

    def _reset_offsets(self, at_start: bool) -> None:
        for partition in self._partitions():
            if partition not in self.committed:
                offset = 0 if at_start else self.reset_offset(partition)
                self.committed[partition] = self.start[partition] = offset
                place = self._places[partition]
                self._committed_facts[partition] = self.world.writer(Verb.committed, place)
                self._rewound_facts[partition] = self.world.writer(Verb.rewound, place)
                self.deliveries[partition] = Deliveries(self.world, place, offset)
                if offset:
                    self.world.journal.record(Verb.skipped, offset, self._places[partition])

    def reset_offset(self, partition: Partition) -> int:
        """Where auto.offset.reset begins on a partition without a valid offset (none: at the end)."""
        policy: str = self.options["auto.offset.reset"]
        end = partition.last_stable() if self.reads_committed else partition.high_watermark
        if policy == "earliest":
            return partition.log_start
        if policy.startswith("by_duration:"):
            before_ns = iso_duration_ns(policy.partition(":")[2], "auto.offset.reset")
            offset = partition.offset_at(self.clock.now_ns - before_ns)
            return end if offset is None else offset
        return end

    def overtaken(self, partition: Partition, position: int) -> int | None:
        """The log begins beyond a position: where to read on by auto.offset.reset, None where that is to fail.

        Source: SubscriptionState, OffsetFetcherUtils and FetchCollector (OFFSET_OUT_OF_RANGE) in apache/kafka.
        """
        if self.options["auto.offset.reset"] == "none":
            return None
        offset = self.reset_offset(partition)
        begin = max(position, self._skipped_upto.get(partition, 0))
        if offset > begin:
            self.skipped[partition] = self.skipped.get(partition, 0) + offset - begin
            self._skipped_upto[partition] = offset
            for where, detail in ((begin, "overtaken from"), (offset, "overtaken")):
                self.world.journal.record(Verb.skipped, where, self._places[partition]._replace(detail=detail))
        return offset

    def place(self, partition: Partition) -> Place:
        """Where the group's progress on a partition is recorded."""
        return self._places[partition]

    def owes(self) -> bool:
        """Whether a record at or above a committed offset is still to be read by this group."""
        behind = self._behind
        if behind is not None and behind.holds_from(self.committed[behind], self.reads_committed):
            return True
        self._behind = next((partition for partition, offset in self.committed.items()
                             if partition.holds_from(offset, self.reads_committed)), None)
        return self._behind is not None

    def owed(self) -> Iterator[Message]:
        """What stands at or above the group's committed offsets."""
        for partition, offset in self.committed.items():
            for record in partition.readable(offset, partition.end, self.reads_committed):
                yield record.message

    def imbalance(self, counts: Counts) -> str:
        """end = start + skipped + passed + owed for each partition, with the committed offset as the journal has it."""
        for partition, committed in self.committed.items():
            start = self.start[partition]
            recorded = counts.last_offset(self._places[partition])
            # What retention removed above the committed offset will be skipped when somebody reads on.
            ahead = max(0, partition.log_start - committed)
            skipped = self.skipped.get(partition, 0)
            passed = (start if recorded is None else recorded) - start - skipped
            owed = partition.end - committed - ahead
            if partition.end != start + skipped + ahead + passed + owed:
                return (f"{self._places[partition]}: the log ends at {partition.end}, but {start} start or skipped + "
                        f"{skipped + ahead} overtaken + {passed} passed + {owed} owed = "
                        f"{start + skipped + ahead + passed + owed}")
        return ""

    # --- joining and leaving ----------------------------------------------------------------------------------

    def join(self, member: Member) -> None:
        """A new member asks to be let in."""
        member.to_broker.send(Call(self._on_join, member), CALL)

    def _on_join(self, member: Member) -> None:
        first = not self.members
        self.members[member.name] = member
        if first:
            # An empty group waits a little for others before its first assignment.
            self.rebalancing = True
            self.joined = {member.name}
            self._reset_offsets(at_start=False)
            self._gather(self.clock.now_ns + self.max_poll_ns)
        else:
            self._prepare()
            self.joined.add(member.name)
            self._complete_if_all_joined()

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
        """A member says goodbye: its partitions need not wait for session.timeout.ms."""
        member.to_broker.send(Call(self.remove, member), CALL)

    def lose(self, member: Member) -> None:
        """A member fell silent: the coordinator waits session.timeout.ms from its last heartbeat."""
        due_ns = member.last_heartbeat_ns() + member.session_ns
        self.clock.at(due_ns, lambda: self.remove(member))

    def remove(self, member: Member) -> None:
        """A member is no longer part of the group."""
        if self.members.get(member.name) is not member:
            return
        del self.members[member.name]
        self.joined.discard(member.name)
        if self.members:
            self._prepare()
            self._complete_if_all_joined()

    # --- rebalances -------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if self.rebalancing:
            return
        self.rebalancing = True
        self.joined = set()
        for member in self.members.values():
            if member.alive:
                self.clock.at(member.next_heartbeat_ns(), lambda member=member: self._notice(member))  # type: ignore[misc]

    def _notice(self, member: Member) -> None:
        if not self.rebalancing or not member.alive or member.name in self.joined:
            return
        member.rejoin_pending = True
        if member.polling:
            self.member_ready(member)

    def member_ready(self, member: Member) -> None:
        """A member that knows of the rebalance is at its poll: it commits, lets go and joins."""
        if member.auto_commit:
            member.commit()
        if self._eager():
            member.revoke_all()
        else:
            # Who has joined again reads on until it hears what to let go (KIP-429).
            member.rejoin_pending = False
        member.to_broker.send(Call(self._on_rejoin, member), CALL)

    def _eager(self) -> bool:
        return self.strategy != "cooperative-sticky"

    def _on_rejoin(self, member: Member) -> None:
        if member.name in self.members and self.rebalancing:
            self.joined.add(member.name)
            self._complete_if_all_joined()

    def _complete_if_all_joined(self) -> None:
        if self.rebalancing and not self._gathering and self.members and self.joined >= set(self.members):
            self.rebalancing = False
            target = self._target()
            if self._eager():
                self._hand_out(target)
                return
            owned = {name: [(partition.topic, partition.number) for partition in member.assigned]
                     for name, member in self.members.items()}
            revoked, first, _ = cooperative_rounds(owned, target)
            self._hand_out(first)
            if any(revoked.values()):
                self._prepare()

    def _target(self) -> dict[str, list[tuple[str, int]]]:
        counts = {name: len(topic.partitions) for name, topic in self.topics.items()}
        owned = {name: [(partition.topic, partition.number) for partition in member.assigned]
                 for name, member in self.members.items()}
        return assign(self.strategy, list(self.members), counts, dict.fromkeys(self.members, tuple(counts)), owned)

    def _hand_out(self, assignment: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        self.generation += 1
        self.rebalanced(self.generation)
        for name, member in self.members.items():
            partitions = [self.topics[topic].partitions[number] for topic, number in assignment.get(name, ())]
            if self.clock.now_ns == 0:
                member.assign({partition: self.committed[partition] for partition in partitions}, self.generation)
            else:
                # Join and sync: two answers over the wire; the offsets are read when the assignment arrives.
                member.to_client.send(Call(self.assigned, (member, partitions, self.generation)), CALL)

    def assigned(self, news: tuple[Member, list[Partition], int]) -> None:
        """An assignment arrives at its member."""
        member, partitions, generation = news
        if any(self.pending.get(partition) for partition in partitions):
            # An open transaction may yet commit offsets: UNSTABLE_OFFSET_COMMIT, and the client asks again (KIP-447).
            self.clock.at(self.clock.now_ns + UNSTABLE_BACKOFF_NS, lambda: self.assigned(news))
        elif member.alive and generation == self.generation:
            member.assign({partition: self.committed[partition] for partition in partitions}, generation)

    # --- commits ----------------------------------------------------------------------------------------------

    def commit(self, request: tuple[Member, int, Mapping[Partition, int]]) -> None:
        """Offsets arrive; those of a member that is no longer in this generation are refused."""
        member, generation, offsets = request
        if self.admits(member, generation):
            self.apply(offsets)

    def admits(self, member: Member, generation: int) -> bool:
        """Whether a member may commit: one of the present generation."""
        return self.members.get(member.name) is member and (generation == self.generation or self.rebalancing)

    def apply(self, offsets: Mapping[Partition, int]) -> None:
        """Move committed offsets."""
        for partition, offset in offsets.items():
            if offset > partition.end:
                offset = partition.beyond(offset)
            before = self.committed[partition]
            if offset != before:
                self.committed[partition] = offset
                (self._committed_facts if offset > before else self._rewound_facts)[partition](offset)

