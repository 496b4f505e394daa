"""The transaction coordinator: who may write under a transactional.id, and how a transaction ends.

Sources in apache/kafka: TransactionCoordinator.scala (handleInitProducerId, endTransaction,
abortTimedOutTransactions), TransactionMetadata, TransactionMarkerChannelManager; KIP-98, KIP-447, and KIP-890: from
4.0 on (transaction.version 2) each end of a transaction raises the epoch.  The coordinator's own log takes no time,
and it is there as long as one node is.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from edasim.brokers.kafka.segments import MILLISECOND, SegmentedPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster
    from edasim.brokers.kafka.group_offsets import GroupOffsets
    from edasim.brokers.kafka.log import Partition
    from edasim.brokers.kafka.member import Member

FENCED = "PRODUCER_FENCED"
OLD_EPOCH = "INVALID_PRODUCER_EPOCH"
CONCURRENT = "CONCURRENT_TRANSACTIONS"
MARKER_BACKOFF_NS = 100 * MILLISECOND
"""How long until markers are sent again to a partition without a leader: retry.backoff.ms."""


class Identity(NamedTuple):
    """What InitProducerId is answered: "" or the error, the producer's id and its epoch."""

    error: str
    producer: int = -1
    epoch: int = -1


class Transaction:
    """What the coordinator knows of one transactional.id.

    `since_ns` is None while no transaction is open; `unmarked` are the partitions that still lack the marker of the
    last one, until when there is no next one.
    """

    def __init__(self, producer: int) -> None:
        self.producer = producer
        self.epoch = -1
        self.timeout_ns = 0
        self.since_ns: int | None = None
        self.partitions: dict[SegmentedPartition, None] = {}
        self.unmarked: dict[SegmentedPartition, None] = {}
        self.offsets: list[tuple[GroupOffsets, dict[Partition, int]]] = []


class TransactionCoordinator:
    """All transactional ids of a cluster; `bumps`: whether the end of a transaction raises the epoch."""

    def __init__(self, cluster: Cluster, options: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.clock = cluster.world.clock
        self.bumps: bool = options["transaction.version"] == 2
        self.by_name: dict[str, Transaction] = {}
        self._by_producer: dict[int, Transaction] = {}
        self._most_ms: int = options["transaction.max.timeout.ms"]
        self._interval_ns: int = (
            options["transaction.abort.timed.out.transaction.cleanup.interval.ms"] * MILLISECOND)
        self._phase = cluster.world.draws.sequential("phase", "transaction timeouts")

    def init(self, name: str, timeout_ms: int) -> Identity:
        """A producer begins: what an earlier one left open is aborted, and that one is fenced."""
        if not 0 < timeout_ms <= self._most_ms:
            return Identity("INVALID_TRANSACTION_TIMEOUT")
        known = self.by_name.get(name)
        if known is None:
            if not self.by_name:
                self.clock.at(self.clock.now_ns + round(self._phase.draw() * self._interval_ns), self._look)
            known = self.by_name[name] = Transaction(self.cluster.next_producer_id())
            self._by_producer[known.producer] = known
        elif known.since_ns is not None:
            self._fence(known)
        if known.unmarked:
            return Identity(CONCURRENT)
        known.timeout_ns = timeout_ms * MILLISECOND
        known.epoch += 1
        return Identity("", known.producer, known.epoch)

    def _fence(self, transaction: Transaction) -> None:
        transaction.epoch += 1
        self._finish(transaction, committed=False)

    def admits(self, producer: int, epoch: int, partition: SegmentedPartition) -> str:
        """Let a transaction have records in a partition, which begins it if need be; else Kafka's name of the error."""
        transaction = self._by_producer.get(producer)
        if transaction is None:
            return "INVALID_PRODUCER_ID_MAPPING"
        error = self._begin(transaction, epoch, OLD_EPOCH)
        if not error:
            transaction.partitions[partition] = None
        return error

    def _begin(self, transaction: Transaction, epoch: int, stale: str) -> str:
        if epoch != transaction.epoch:
            return stale
        if transaction.unmarked:
            return CONCURRENT
        if transaction.since_ns is None:
            transaction.since_ns = self.clock.now_ns
        return ""

    def add_offsets(self, name: str, epoch: int, group: GroupOffsets, member: Member | None,
                    offsets: Mapping[Partition, int]) -> str:
        """Offsets that are to be committed with the transaction; "" or the error."""
        transaction = self.by_name[name]
        error = self._begin(transaction, epoch, FENCED)
        if error:
            return error
        error = "" if member is None else group.commit_error(member, member.generation)
        if error and error != "REBALANCE_IN_PROGRESS":
            # Source: ClassicGroup.validateOffsetCommit, which lets transactions commit while a group rebalances.
            return error
        transaction.offsets.append((group, dict(offsets)))
        for partition in offsets:
            group.pending[partition] = group.pending.get(partition, 0) + 1
        return ""

    def end(self, name: str, epoch: int, committed: bool) -> tuple[str, int]:
        """Commit or abort; ("" or the error, the epoch from now on)."""
        transaction = self.by_name[name]
        if epoch != transaction.epoch:
            return FENCED, epoch
        if transaction.unmarked:
            return CONCURRENT, epoch
        if transaction.since_ns is None and committed:
            return "INVALID_TXN_STATE", epoch
        # KIP-890: an abort of what never began is answered with a new epoch all the same.
        transaction.epoch += self.bumps
        if transaction.since_ns is not None:
            self._finish(transaction, committed)
        return "", transaction.epoch

    def _finish(self, transaction: Transaction, committed: bool) -> None:
        """Markers in each partition, and the offsets: each marker takes one offset at the end of its log."""
        transaction.since_ns = None
        offsets, transaction.offsets = transaction.offsets, []
        transaction.unmarked, transaction.partitions = transaction.partitions, {}
        self._mark(transaction, committed)
        for group, moved in offsets:
            for waiting in moved:
                group.pending[waiting] -= 1
            if committed:
                group.apply(moved)

    def _mark(self, transaction: Transaction, committed: bool) -> None:
        for partition in list(transaction.unmarked):
            if partition.has_leader:
                del transaction.unmarked[partition]
                partition.append_marker((transaction.producer, transaction.epoch), committed)
        if transaction.unmarked:
            self.clock.at(self.clock.now_ns + MARKER_BACKOFF_NS, lambda: self._mark(transaction, committed))

    def mark_again(self, partition: SegmentedPartition, producer: int, committed: bool) -> None:
        """A marker is gone with the end of a log before all replicas had it: it is written again."""
        transaction = self._by_producer[producer]
        if partition.stability.is_open(producer):
            transaction.unmarked[partition] = None
            self._mark(transaction, committed)

    def _look(self) -> None:
        """Abort what has been open for longer than its transaction.timeout.ms, and fence its producer."""
        now_ns = self.clock.now_ns
        for transaction in self.by_name.values():
            if transaction.since_ns is not None and transaction.since_ns + transaction.timeout_ns < now_ns:
                self._fence(transaction)
        self.clock.at(now_ns + self._interval_ns, self._look)
