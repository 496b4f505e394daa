"""The producer's buffer: batches by node in the order of their making, and when they may leave.

A node is ready when a batch of it has lingered long enough, is full, has another behind it, or has waited out its
backoff; then the first batch of each of its partitions leaves in one request.  A partition whose first batch is in
its backoff stands still, so that nothing overtakes it.  Source: RecordAccumulator in apache/kafka (ready, drain).
"""
from __future__ import annotations

from typing import Any

from edasim.brokers.kafka.log import Partition, Retrying
from edasim.core.message import Message


class Batch:
    """Records of one partition that travel together: messages with retry headers, and whom to tell.

    `ready_ns` is when it may leave, `deadline_ns` when delivery.timeout.ms is over.  `sequence` and `epoch`
    identify it to an idempotent broker.
    """

    __slots__ = ("answers", "bytes", "deadline_ns", "done", "epoch", "messages", "partition", "ready_ns", "sequence",
                 "tries")

    def __init__(self, partition: Partition, ready_ns: int, deadline_ns: int) -> None:
        self.partition = partition
        self.ready_ns = ready_ns
        self.deadline_ns = deadline_ns
        self.messages: list[tuple[Message, Retrying]] = []
        self.answers: list[tuple[Any, Any]] = []
        self.bytes = 0
        self.sequence = -1
        self.epoch = 0
        self.tries = 0
        self.done = False


class Accumulator:
    """The batches that wait.  `batch_bytes` is batch.size, `linger_ns` linger.ms, `delivery_timeout_ns` the rest."""

    def __init__(self, nodes: int, batch_bytes: int, linger_ns: int, delivery_timeout_ns: int) -> None:
        self.batch_bytes = batch_bytes
        self.linger_ns = linger_ns
        self.delivery_timeout_ns = delivery_timeout_ns
        # By node; batches that are sent again stand in front.
        self.lines: list[list[Batch]] = [[] for _ in range(nodes)]
        self._open: dict[Partition, Batch] = {}

    def __bool__(self) -> bool:
        return any(self.lines)

    def batches(self) -> list[Batch]:
        """All that wait."""
        return [batch for line in self.lines for batch in line]

    def clear(self) -> None:
        """Throw everything away."""
        self._open.clear()
        for line in self.lines:
            line.clear()

    def add(self, partition: Partition, record: tuple[Message, Retrying], tell: tuple[Any, Any], now_ns: int) -> int:
        """Put a record into the open batch of its partition, or a new one; returns when the partition is ready."""
        size = record[0].size
        batch = self._open.get(partition)
        closed = batch is not None and batch.bytes + size > self.batch_bytes
        if batch is None or closed:
            if batch is not None:
                batch.ready_ns = now_ns
            batch = self._open[partition] = Batch(partition, now_ns + self.linger_ns, now_ns + self.delivery_timeout_ns)
            self.lines[partition.node].append(batch)
        batch.messages.append(record)
        batch.answers.append(tell)
        batch.bytes += size
        if batch.bytes >= self.batch_bytes:
            batch.ready_ns = now_ns
        return now_ns if closed else batch.ready_ns

    def put_back(self, batches: list[Batch]) -> None:
        """Batches that are to be sent again stand before what was never sent, in the order of their sequences."""
        for batch in batches:
            line = self.lines[batch.partition.node]
            sent = [other for other in line if other.tries] + [batch]
            sent.sort(key=lambda other: (other.epoch, other.sequence))
            line[:] = sent + [other for other in line if not other.tries]

    def take(self, node: int, now_ns: int) -> list[Batch]:
        """The batches that leave now in one request; none when the node is not ready."""
        line = self.lines[node]
        if len(line) == 1:
            batch = line[0]
            if batch.ready_ns > now_ns:
                return []
            self.lines[node] = []
            if self._open.get(batch.partition) is batch:
                del self._open[batch.partition]
            return line
        firsts = self._firsts(line)
        if not any(batch.ready_ns <= now_ns for batch in firsts):
            return []
        taken = [batch for batch in firsts if not batch.tries or batch.ready_ns <= now_ns]
        self.lines[node] = [batch for batch in line if batch not in taken]
        for batch in taken:
            if self._open.get(batch.partition) is batch:
                del self._open[batch.partition]
        return taken

    def _firsts(self, line: list[Batch]) -> list[Batch]:
        firsts: dict[Partition, Batch] = {}
        for batch in line:
            firsts.setdefault(batch.partition, batch)
        return list(firsts.values())

    def next_ready_ns(self, node: int) -> int:
        """When a node for which something waits is ready next, if nothing comes in between."""
        line = self.lines[node]
        return line[0].ready_ns if len(line) == 1 else min(batch.ready_ns for batch in self._firsts(line))

    def expired(self, node: int, now_ns: int) -> list[Batch]:
        """Take out what waited past delivery.timeout.ms."""
        line = self.lines[node]
        # The first in line is the oldest.
        if not line or line[0].deadline_ns > now_ns:
            return []
        over = [batch for batch in line if batch.deadline_ns <= now_ns]
        if over:
            self.lines[node] = [batch for batch in line if batch not in over]
            for batch in over:
                if self._open.get(batch.partition) is batch:
                    del self._open[batch.partition]
        return over
