"""The engine's producers as the client drives them: they say of each record where it stands, or why it failed."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.accumulator import Batch, Outgoing
from edasim.brokers.kafka.bounded_producer import BoundedAccumulator
from edasim.brokers.kafka.client.values import OFFSET_INVALID
from edasim.brokers.kafka.failover_producer import FailoverProducer
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.transactional_producer import TransactionalFailoverProducer
from edasim.core.link import Link

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster


SAME_INSTANT_NS = 1000
"""Even without linger.ms what is produced at one instant travels together: the sender takes a moment to wake."""


class CountingAccumulator(BoundedAccumulator):
    """A buffer whose batches hold at most batch.num.messages records."""

    most_records = 2**31

    def add(self, node: int, partition: Partition, record: Outgoing, now_ns: int) -> int:
        """Put a record into the last batch of its partition, or a new one; returns when the partition is ready."""
        batches = self.lines[node].get(partition)
        if batches and len(batches[-1].records) >= self.most_records:
            batches[-1].ready_ns = min(batches[-1].ready_ns, now_ns)
            batches.append(Batch(partition, now_ns + self.linger_ns, now_ns + self.delivery_timeout_ns))
        return super().add(node, partition, record, now_ns)


if TYPE_CHECKING:
    _Engine = FailoverProducer
else:
    _Engine = object  # A mixin: either kind of producer stands behind it.


class Reporting(_Engine):
    """What both kinds of producers do: `next_offset` is where the record stands whose answer is being given, `error`
    why it failed.
    """

    buffer: CountingAccumulator

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any],
                 most_records: int) -> None:
        super().__init__(cluster, name, links, options)
        plain = self.buffer
        linger_ns = max(SAME_INSTANT_NS, plain.linger_ns)
        self.buffer = CountingAccumulator(cluster.lines, plain.batch_bytes, linger_ns, plain.delivery_timeout_ns)
        self.buffer.most_bytes = plain.most_bytes
        self.buffer.most_records = most_records
        self.next_offset = OFFSET_INVALID

    def blame(self, error: str) -> None:
        """What waits in the buffer is about to fail, with this error."""
        self._errors |= dict.fromkeys(self.buffer.batches(), error)

    def _complete(self, batch: Batch, ok: bool) -> None:
        if not batch.done:
            self.next_offset = first_offset(batch) if ok else OFFSET_INVALID
            if not ok and self.clock.now_ns >= batch.deadline_ns:
                # Whatever kept it from being sent: what librdkafka reports is that the time is over.
                self._errors[batch] = "_MSG_TIMED_OUT"
        super()._complete(batch, ok)


class PlainProducer(Reporting, FailoverProducer):
    """A producer without transactions."""


class TransactionProducer(Reporting, TransactionalFailoverProducer):
    """A producer with a transactional.id."""


def first_offset(batch: Batch) -> int:
    """The offset of a batch's first record in its log, where it stands near the end; -1001 if it is there no more."""
    wanted = batch.records[0][0]
    for record in reversed(batch.partition.records):
        if record.message is wanted:
            return record.offset
    return OFFSET_INVALID
