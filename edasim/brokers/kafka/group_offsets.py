"""What a consumer group has committed, where it begins, what it is owed, and who reads which partition.

Source: the Kafka documentation's consumer configuration; OffsetMetadataManager in apache/kafka.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.failover_fetch import FailoverFetch
from edasim.brokers.kafka.fetch import Fetch
from edasim.brokers.kafka.log import Partition
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

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member

MILLISECOND = 1_000_000
Request = tuple["Member", int, Mapping[Partition, int]]
"""A commit on its way: who, in which generation or member epoch, which offsets."""
UNSTABLE_BACKOFF_NS = 100_000_000
"""How long a consumer waits before it asks again for an offset that is not stable: retry.backoff.ms."""


class GroupOffsets(ABC):
    """One consumer group, whatever protocol divides its partitions.

    `committed` belongs to the group and the partition and names the next record to read; `owners` says which member
    reads a partition now.  `options` are resolved consumer options.
    """

    def __init__(self, world: World, name: str, topics: Sequence[Topic], options: Mapping[str, Any]) -> None:
        self.world = world
        self.clock = world.clock
        self.name = name
        self.topics = {topic.name: topic for topic in topics}
        self.options = options
        self.members: dict[str, Member] = {}
        self._silent: dict[str, object] = {}
        self.owners: dict[Partition, str] = {}
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
        self.fenced = world.writer(Verb.fenced, Place("group", name, name))
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

    # --- where it begins --------------------------------------------------------------------------------------

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

    # --- members that fell silent -----------------------------------------------------------------------------

    @abstractmethod
    def remove(self, member: Member) -> None:
        """A member is no longer part of the group."""

    def lose(self, member: Member) -> None:
        """A member fell silent: the coordinator waits for the session timeout from its last heartbeat."""
        watch = self._silent[member.name] = object()

        def over() -> None:
            if self._silent.get(member.name) is watch:
                self.heard_of(member.name)
                self.remove(member)

        self.clock.at(member.last_heartbeat_ns() + member.session_ns, over)

    def heard_of(self, name: str) -> None:
        """A member is there again, or has gone for good: nobody waits for it any more."""
        self._silent.pop(name, None)

    # --- who reads what ---------------------------------------------------------------------------------------

    def gave(self, partition: Partition, member: Member) -> None:
        """A member begins to read a partition."""
        self.owners[partition] = member.name
        place = self._places[partition]._replace(detail=member.name)
        self.world.journal.record(Verb.assigned, max(0, member.generation), place)

    def took(self, partition: Partition, member: Member) -> None:
        """A member reads a partition no more: it let go, died, or is no member any longer."""
        if self.owners.get(partition) == member.name:
            del self.owners[partition]
            place = self._places[partition]._replace(detail=member.name)
            self.world.journal.record(Verb.revoked, max(0, member.generation), place)

    def _disown(self, member: Member) -> None:
        """The group goes on without a member, whatever that believes."""
        for partition in [one for one, name in self.owners.items() if name == member.name]:
            self.took(partition, member)

    def heartbeat_times_ns(self, options: Mapping[str, Any]) -> tuple[int, int]:
        """How often its members send heartbeats, and after how long a silence they are given up."""
        return options["heartbeat.interval.ms"] * MILLISECOND, options["session.timeout.ms"] * MILLISECOND

    # --- commits ----------------------------------------------------------------------------------------------

    def commit(self, request: Request) -> None:
        """Offsets arrive; those of a member that may not commit are refused, and it hears why."""
        member, generation, offsets = request
        error = self.commit_error(member, generation)
        if error:
            self.fenced(max(0, generation))
            member.to_client.send(Call(member.hear_refusal, (error, generation)), CALL)
        else:
            self.apply(offsets)

    def admits(self, member: Member, generation: int) -> bool:
        """Whether a member may commit."""
        return not self.commit_error(member, generation)

    @abstractmethod
    def commit_error(self, member: Member, generation: int) -> str:
        """Kafka's name of the error with which a commit is refused; "" for one that is taken."""

    def apply(self, offsets: Mapping[Partition, int]) -> None:
        """Move committed offsets."""
        for partition, offset in offsets.items():
            if offset > partition.end:
                offset = partition.beyond(offset)
            before = self.committed[partition]
            if offset != before:
                self.committed[partition] = offset
                (self._committed_facts if offset > before else self._rewound_facts)[partition](offset)

