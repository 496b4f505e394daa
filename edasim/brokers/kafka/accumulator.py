"""The producer's buffer: batches by node in the order of their making, and when they may leave.

A node is ready when a batch of it has lingered long enough, is full, has another behind it, or has waited out its
backoff; then the first batch of each of its partitions leaves in one request.  A partition whose first batch is in
its backoff stands still, so that nothing overtakes it.  Source: RecordAccumulator in apache/kafka (ready, drain).
"""
from __future__ import annotations

from collections import deque
from typing import Any

from edasim.brokers.kafka.log import Partition, Retrying
from edasim.core.message import Message

Outgoing = tuple[Message, Retrying, Any, Any]
"""A record on its way to the broker: the message, its retry headers, whom to tell, and the sender's own context."""


class Batch:
    """Records of one partition that travel together.

    `ready_ns` is when it may leave, `deadline_ns` when delivery.timeout.ms is over.  `sequence` and `epoch`
    identify it to an idempotent broker.
    """

    __slots__ = ("bytes", "deadline_ns", "done", "epoch", "partition", "ready_ns", "records", "sequence", "tries")

    def __init__(self, partition: Partition, ready_ns: int, deadline_ns: int) -> None:
        self.partition = partition
        self.ready_ns = ready_ns
        self.deadline_ns = deadline_ns
        self.records: list[Outgoing] = []
        self.bytes = 0
        self.sequence = -1
        self.epoch = 0
        self.tries = 0
        self.done = False


class Accumulator:
    """The batches that wait, by node and partition.

    `batch_bytes` is batch.size, `linger_ns` linger.ms, `delivery_timeout_ns` the rest of a batch's life.  `lines` are
    as many as there are nodes to send to.
    """

    def __init__(self, lines: int, batch_bytes: int, linger_ns: int, delivery_timeout_ns: int) -> None:
        self.batch_bytes = batch_bytes
        self.linger_ns = linger_ns
        self.delivery_timeout_ns = delivery_timeout_ns
        # By node, for each partition the batches in their order; those that are sent again stand in front.
        self.lines: list[dict[Partition, deque[Batch]]] = [{} for _ in range(lines)]

    def __bool__(self) -> bool:
        return any(self.lines)

    def batches(self) -> list[Batch]:
        """All that wait."""
        return [batch for line in self.lines for batches in line.values() for batch in batches]

    def of(self, node: int, partition: Partition) -> deque[Batch] | tuple[Batch, ...]:
        """Those of one partition, which a node leads."""
        return self.lines[node].get(partition, ())

    def clear(self) -> None:
        """Throw everything away."""
        for line in self.lines:
            line.clear()

    def add(self, node: int, partition: Partition, record: Outgoing, now_ns: int) -> int:
        """Put a record into the last batch of its partition, or a new one; returns when the partition is ready."""
        size = record[0].size
        line = self.lines[node]
        batch = None
        batches = line.get(partition)
        if batches is None:
            batches = line[partition] = deque()
        elif not batches[-1].tries:
            batch = batches[-1]
        if batch is None or batch.bytes + size > self.batch_bytes:
            if batch is not None:
                batch.ready_ns = now_ns
            batch = Batch(partition, now_ns + self.linger_ns, now_ns + self.delivery_timeout_ns)
            batches.append(batch)
        batch.records.append(record)
        batch.bytes += size
        if batch.bytes >= self.batch_bytes:
            batch.ready_ns = now_ns
        return batches[0].ready_ns

    def put_back(self, node: int, batch: Batch) -> None:
        """A batch that is to be sent again stands before what was never sent, in the order of the sequences."""
        line = self.lines[node].setdefault(batch.partition, deque())
        ahead = []
        while line and line[0].tries and (line[0].epoch, line[0].sequence) < (batch.epoch, batch.sequence):
            ahead.append(line.popleft())
        line.appendleft(batch)
        line.extendleft(reversed(ahead))

    def take(self, node: int, now_ns: int) -> list[Batch]:
        """The batches that leave now in one request; none when the node is not ready."""
        line = self.lines[node]
        if len(line) == 1:
            (batches,) = line.values()
            if batches[0].ready_ns > now_ns:
                return []
            if len(batches) == 1:
                line.clear()
                return list(batches)
        elif not any(batches[0].ready_ns <= now_ns for batches in line.values()):
            return []
        taken = []
        for partition in list(line):
            batches = line[partition]
            # A partition whose first batch is in its backoff stands still.
            if not batches[0].tries or batches[0].ready_ns <= now_ns:
                taken.append(batches.popleft())
                if not batches:
                    del line[partition]
        return taken

    def next_ready_ns(self, node: int) -> int:
        """When a node for which something waits is ready next, if nothing comes in between."""
        return min(batches[0].ready_ns for batches in self.lines[node].values())

    def expired(self, node: int, now_ns: int) -> list[Batch]:
        """Take out what waited past delivery.timeout.ms."""
        for batches in self.lines[node].values():
            if batches[0].deadline_ns <= now_ns:
                break
        else:
            return []
        over = []
        for partition, batches in list(self.lines[node].items()):
            # The first in line is the oldest.
            while batches and batches[0].deadline_ns <= now_ns:
                over.append(batches.popleft())
            if not batches:
                del self.lines[node][partition]
        return over
