"""A producer whose memory ends: what does not fit blocks its sender, and what is too large is refused.

Sources in apache/kafka: BufferPool (allocate: first come, first served), RecordAccumulator.append (a new batch takes
batch.size bytes, or the record's size if that is more), KafkaProducer.ensureValidRecordSize, RecordAccumulator.drain.
A record's size is that of its message; headers are not counted.
"""
from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from edasim.brokers.kafka.accumulator import Accumulator, Batch, Outgoing
from edasim.brokers.kafka.log import FIRST, Partition, Retrying
from edasim.brokers.kafka.producer import MILLISECOND, Answer, Producer, Request
from edasim.core.clock import Signal
from edasim.core.deadlines import Deadlines
from edasim.core.link import Link
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster, Topic

TOO_LARGE = "MESSAGE_TOO_LARGE"
EXHAUSTED = "BUFFER_EXHAUSTED"
TIMED_OUT = "TIMED_OUT"


class Blocked(NamedTuple):
    """A send that waits for memory; `number` tells it from others."""

    number: int
    partition: Partition
    record: Outgoing


class BoundedAccumulator(Accumulator):
    """Batches that wait, of which one request takes at most `most_bytes` (but always one)."""

    most_bytes = 0

    def bytes_for(self, node: int, partition: Partition, size: int) -> int:
        """How much memory a record of this size takes: none when it fits into the batch that is being filled."""
        batches = self.lines[node].get(partition)
        if batches and not batches[-1].tries and batches[-1].bytes + size <= self.batch_bytes:
            return 0
        return max(self.batch_bytes, size)

    def take(self, node: int, now_ns: int) -> list[Batch]:
        """The batches that leave now in one request; none when the node is not ready."""
        taken = super().take(node, now_ns)
        total = 0
        for number, batch in enumerate(taken):
            total += batch.bytes
            if number and total > self.most_bytes:
                for late in taken[number:]:
                    self.lines[node].setdefault(late.partition, deque()).appendleft(late)
                return taken[:number]
        return taken


class BoundedProducer(Producer):
    """A producer with buffer.memory, max.block.ms and max.request.size.

    `send` in a real client blocks its thread while there is no memory; here the record waits in line, and its sender
    hears of it only afterwards.  `error` is Kafka's name of what went wrong while a sender is told no, else empty.
    """

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any]) -> None:
        super().__init__(cluster, name, links, options)
        self.buffer: BoundedAccumulator = BoundedAccumulator(
            cluster.lines, self.buffer.batch_bytes, self.buffer.linger_ns, self.buffer.delivery_timeout_ns)
        self.most_bytes: int = options["max.request.size"]
        self.buffer.most_bytes = self.most_bytes
        self.memory_bytes: int = options["buffer.memory"]
        self.free_bytes: int = self.memory_bytes
        self.error = ""
        self._errors: dict[Batch, str] = {}
        self._block_ns: int = options["max.block.ms"] * MILLISECOND
        self._sent = 0
        self.blocked: OrderedDict[Blocked, int] = OrderedDict()
        self._patience = Deadlines(self.clock, self.blocked, self._blocked_too_long)

    def owes(self) -> bool:
        """Whether something is blocked, buffered, on its way, or waits to be sent again."""
        return bool(self.blocked) or super().owes()

    def owed(self) -> Iterator[Message]:
        """What is not known to be in the log."""
        yield from super().owed()
        for waiting in self.blocked:
            yield waiting.record[0]

    def fits(self, message: Message) -> bool:
        """Whether a message can be sent at all."""
        size: int = message.size
        return size <= self.most_bytes and max(self.buffer.batch_bytes, size) <= self.memory_bytes

    # --- into the buffer --------------------------------------------------------------------------------------

    def send(self, message: Message, topic: Topic, answer: Answer | None = None, context: Any = None,
             retry: Retrying = FIRST) -> None:
        """Hand a message to the client; `answer(context, ok)` runs when it is acknowledged or given up."""
        if not self.fits(message):
            self._tell(answer, context, TOO_LARGE)
            return
        if message.key is None or not topic.keyed:
            partition = topic.partitions[self._sticky_partition(topic, message.size)]
        else:
            partition = topic.partition_of(message.key)
        record = (message, retry, answer, context)
        if self.blocked or not self._has_room(partition, message.size):
            self._sent += 1
            due_ns = self.clock.now_ns + self._block_ns
            self.blocked[Blocked(self._sent, partition, record)] = due_ns
            self._patience.watch(due_ns)
        else:
            self._put(partition, record)

    def _has_room(self, partition: Partition, size: int) -> bool:
        return self.buffer.bytes_for(self.node_of(partition), partition, size) <= self.free_bytes

    def _put(self, partition: Partition, record: Outgoing) -> None:
        now_ns, node = self.clock.now_ns, self.node_of(partition)
        self.free_bytes -= self.buffer.bytes_for(node, partition, record[0].size)
        ready_ns = self.buffer.add(node, partition, record, now_ns)
        if ready_ns <= now_ns:
            self._drain(node)
        elif self._timers[node].stage is None or ready_ns < self._armed_for_ns[node]:
            self._arm(node, ready_ns)
        if self.acks == "0" and record[2] is not None:
            record[2](record[3], True)

    def _blocked_too_long(self, waiting: Blocked) -> None:
        del self.blocked[waiting]
        self._tell(waiting.record[2], waiting.record[3], EXHAUSTED)

    def _tell(self, answer: Answer | None, context: Any, error: str) -> None:
        if answer is not None:
            self.error = error
            answer(context, False)
            self.error = ""

    def forget(self) -> None:
        """The client dies: its buffer is lost, and nobody hears what is answered."""
        super().forget()
        self.blocked.clear()
        self._errors.clear()
        self.free_bytes = self.memory_bytes

    def _failed_for_good(self, batch: Batch, error: str) -> None:
        self._errors[batch] = error
        super()._failed_for_good(batch, error)

    # --- out of the buffer ------------------------------------------------------------------------------------

    def _complete(self, batch: Batch, ok: bool) -> None:
        if batch.done:
            return
        self.error = "" if ok else self._errors.get(batch, TIMED_OUT)
        self._errors.pop(batch, None)
        super()._complete(batch, ok)
        self.error = ""
        self._release(batch)

    def _release(self, batch: Batch) -> None:
        self.free_bytes += max(self.buffer.batch_bytes, batch.bytes)
        while self.blocked:
            first = next(iter(self.blocked))
            if not self._has_room(first.partition, first.record[0].size):
                return
            del self.blocked[first]
            self._put(first.partition, first.record)

    def _on_arrival(self, request: Request) -> None:
        super()._on_arrival(request)
        self._gone(request)

    def _transmission_lost(self, signal: Signal) -> None:
        super()._transmission_lost(signal)
        if self.acks == "0" and isinstance(signal, Request):
            self._gone(signal)

    def _gone(self, request: Request) -> None:
        # Without acks a batch is done with when it has left.
        for batch in request.batches:
            self._complete(batch, True)
