"""The transaction coordinator: who may write under a transactional.id, and how a transaction ends.

Sources in apache/kafka: TransactionCoordinator.scala (handleInitProducerId, endTransaction,
abortTimedOutTransactions), TransactionMetadata; KIP-98, KIP-447, and KIP-890: from 4.0 on (transaction.version 2)
each end of a transaction bumps the epoch.  The coordinator's own log takes no time.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.segments import MILLISECOND, SegmentedPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster
    from edasim.brokers.kafka.group import Group
    from edasim.brokers.kafka.log import Partition
    from edasim.brokers.kafka.member import Member

FENCED = "PRODUCER_FENCED"
OLD_EPOCH = "INVALID_PRODUCER_EPOCH"


class Transaction:
    """What the coordinator knows of one transactional.id; `since_ns` is None while no transaction is open."""

    def __init__(self, producer: int, timeout_ns: int) -> None:
        self.producer = producer
        self.epoch = -1
        self.timeout_ns = timeout_ns
        self.since_ns: int | None = None
        self.partitions: dict[SegmentedPartition, None] = {}
        self.offsets: list[tuple[Group, dict[Partition, int]]] = []


class TransactionCoordinator:
    """All transactional ids of a cluster.  `bumps`: whether the end of a transaction raises the epoch."""

    def __init__(self, cluster: Cluster, options: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.clock = cluster.world.clock
        self.bumps = True
        self.by_name: dict[str, Transaction] = {}
        self._by_producer: dict[int, Transaction] = {}
        self._interval_ns: int = (
            options["transaction.abort.timed.out.transaction.cleanup.interval.ms"] * MILLISECOND)
        self._phase = cluster.world.draws.sequential("phase", "transaction timeouts")

    def init(self, name: str, timeout_ms: int) -> tuple[int, int]:
        """A producer begins: what an earlier one left open is aborted, and that one is fenced; (id, epoch)."""
        known = self.by_name.get(name)
        if known is None:
            if not self.by_name:
                self.clock.at(self.clock.now_ns + round(self._phase.draw() * self._interval_ns), self._look)
            known = self.by_name[name] = Transaction(self.cluster.next_producer_id(), 0)
            self._by_producer[known.producer] = known
        elif known.since_ns is not None:
            self._fence(known)
        known.timeout_ns = timeout_ms * MILLISECOND
        known.epoch += 1
        return known.producer, known.epoch

    def _fence(self, transaction: Transaction) -> None:
        transaction.epoch += 1
        self._finish(transaction, committed=False)

    def admits(self, producer: int, epoch: int, partition: SegmentedPartition) -> str:
        """Let a transaction have records in a partition, which begins it if need be; else Kafka's name of the error."""
        transaction = self._by_producer.get(producer)
        if transaction is None:
            return "INVALID_PRODUCER_ID_MAPPING"
        if epoch != transaction.epoch:
            return OLD_EPOCH
        self._begin(transaction)
        transaction.partitions[partition] = None
        return ""

    def _begin(self, transaction: Transaction) -> None:
        if transaction.since_ns is None:
            transaction.since_ns = self.clock.now_ns

    def add_offsets(self, name: str, epoch: int, group: Group, member: Member | None,
                    offsets: Mapping[Partition, int]) -> str:
        """Offsets that are to be committed with the transaction; "" or the error."""
        transaction = self.by_name[name]
        if epoch != transaction.epoch:
            return FENCED
        if member is not None and not group.admits(member, member.generation):
            return "ILLEGAL_GENERATION" if member.name in group.members else "UNKNOWN_MEMBER_ID"
        self._begin(transaction)
        transaction.offsets.append((group, dict(offsets)))
        for partition in offsets:
            group.pending[partition] = group.pending.get(partition, 0) + 1
        return ""

    def end(self, name: str, epoch: int, committed: bool) -> tuple[str, int]:
        """Commit or abort; ("" or the error, the epoch from now on)."""
        transaction = self.by_name[name]
        if epoch != transaction.epoch:
            return FENCED, epoch
        if transaction.since_ns is None:
            # KIP-890: an abort of what never began is answered with a new epoch all the same.
            if committed:
                return "INVALID_TXN_STATE", epoch
            transaction.epoch += self.bumps
            return "", transaction.epoch
        transaction.epoch += self.bumps
        self._finish(transaction, committed)
        return "", transaction.epoch

    def _finish(self, transaction: Transaction, committed: bool) -> None:
        """Markers in each partition, then the offsets: each takes one offset at the end of its log."""
        transaction.since_ns = None
        offsets, transaction.offsets = transaction.offsets, []
        partitions, transaction.partitions = transaction.partitions, {}
        for partition in partitions:
            partition.append_marker((transaction.producer, transaction.epoch), committed)
        for group, moved in offsets:
            for waiting in moved:
                group.pending[waiting] -= 1
            if committed:
                group.apply(moved)

    def _look(self) -> None:
        """Abort what has been open for longer than its transaction.timeout.ms, and fence its producer."""
        now_ns = self.clock.now_ns
        for transaction in self.by_name.values():
            if transaction.since_ns is not None and transaction.since_ns + transaction.timeout_ns < now_ns:
                self._fence(transaction)
        self.clock.at(now_ns + self._interval_ns, self._look)
