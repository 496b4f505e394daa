"""The Kafka producer: batches by partition, one request a broker node at a time, retries and idempotence."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.log import Partition
from edasim.core.clock import Signal, Stage, Timer
from edasim.core.deadlines import Deadlines
from edasim.core.link import Link
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster, Topic

MILLISECOND = 1_000_000
Answer = Callable[[Any, bool], None]
"""Told the sender's own context, and whether the message was acknowledged."""
Headers = tuple[int, int]
"""Of a retry topic: attempts made, and when the record is due (ns)."""


class Batch:
    """Records of one partition that travel together.  `sequence` identifies it to an idempotent broker."""

    __slots__ = ("answers", "bytes", "deadline_ns", "done", "messages", "partition", "sequence", "tries")

    def __init__(self, partition: Partition, deadline_ns: int) -> None:
        self.partition = partition
        self.messages: list[tuple[Message, int, int]] = []
        self.answers: list[tuple[Answer | None, Any]] = []
        self.bytes = 0
        self.sequence = -1
        self.deadline_ns = deadline_ns
        self.tries = 0
        self.done = False


class Request(Signal):
    """One produce request to one node, and its response.  `first` is the request that it repeats."""

    __slots__ = ("batches", "first", "node", "ok", "producer", "sent_ns", "waiting")

    def __init__(self, producer: Producer, node: int, batches: list[Batch], sent_ns: int) -> None:
        self.callbacks = None
        self.producer = producer
        self.node = node
        self.batches = batches
        self.sent_ns = sent_ns
        self.first: Request | None = None
        self.waiting = 0
        self.ok = True


class Producer:
    """One producer client.  `options` are the resolved producer options by their real names.

    A batch leaves when it is full or when linger.ms is over for any batch of its node, and takes along what else
    waits for that node; at most max.in.flight.requests.per.connection requests are unanswered.
    """

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any]) -> None:
        world = cluster.world
        self.cluster = cluster
        self.clock = world.clock
        self.name = name
        self.to_broker, self.to_client = links
        self.id = cluster.next_producer_id()
        self.acks = str(options["acks"])
        self.idempotent = bool(options["enable.idempotence"])
        self.linger_ns = options["linger.ms"] * MILLISECOND
        self.batch_bytes = options["batch.size"]
        self.in_flight_limit = options["max.in.flight.requests.per.connection"]
        self.retries = options["retries"]
        self.delivery_timeout_ns = options["delivery.timeout.ms"] * MILLISECOND
        self.request_timeout_ns = options["request.timeout.ms"] * MILLISECOND
        self.backoff_ns = options["retry.backoff.ms"] * MILLISECOND
        self.backoff_max_ns = options["retry.backoff.max.ms"] * MILLISECOND
        self._jitter = world.draws.sequential("producer backoff", name)
        self._sticky_draw = world.draws.sequential("sticky partition", name)
        self._sticky: dict[str, list[int]] = {}
        self._open: dict[Partition, Batch] = {}
        self._lines: list[list[Batch]] = [[] for _ in range(cluster.nodes)]
        self._crowded: dict[Partition, None] = {}
        self._linger = [Timer(node) for node in range(cluster.nodes)]
        self._in_flight = [0] * cluster.nodes
        self._sequences: dict[Partition, int] = {}
        self._unanswered: dict[Request, int] = {}
        self._backing_off: dict[Batch, None] = {}
        self._on_the_wire: dict[Request, None] = {}
        self._lingered: Stage = (self._linger_over,)
        self._arrives: Stage = (self._on_arrival if self.acks == "0" else cluster.receive,)
        self._answered: Stage = (self._on_response,)
        self._timeouts = Deadlines(self.clock, self._unanswered, self._request_failed)
        self.to_broker.on_lost = self.to_client.on_lost = self._transmission_lost

    def owes(self) -> bool:
        """Whether something is buffered, on its way, or waits to be sent again."""
        return bool(self._unanswered or any(self._lines) or self._backing_off or self._on_the_wire)

    def owed(self) -> Iterator[Message]:
        """What is not known to be in the log."""
        batches = [batch for request in (*self._unanswered, *self._on_the_wire) for batch in request.batches]
        batches += self._backing_off
        batches += [batch for line in self._lines for batch in line]
        for batch in batches:
            for message, _, _ in batch.messages:
                yield message

    # --- into the buffer --------------------------------------------------------------------------------------

    def send(self, message: Message, topic: Topic, answer: Answer | None = None, context: Any = None,
             retry: Headers = (0, 0)) -> None:
        """Hand a message to the client; `answer(context, ok)` runs when it is acknowledged or given up.

        Without acks it counts as sent at once.  `retry` holds the headers of a retry topic.
        """
        if message.key is None or not topic.keyed:
            partition = topic.partitions[self._sticky_partition(topic, message.size)]
        else:
            partition = topic.partition_of(message.key)
        batch = self._open.get(partition)
        if batch is None or batch.bytes + message.size > self.batch_bytes:
            batch = self._open_batch(partition)
        batch.messages.append((message, *retry))
        batch.answers.append((answer, context))
        batch.bytes += message.size
        node = partition.node
        if self.linger_ns == 0 or batch.bytes >= self.batch_bytes or partition in self._crowded:
            self._drain(node)
        elif self._linger[node].callbacks is None:
            self.clock.arm(self._linger[node], self._lingered, self.linger_ns)
        if self.acks == "0" and answer is not None:
            answer(context, True)

    def _open_batch(self, partition: Partition) -> Batch:
        if partition in self._open:
            self._crowded[partition] = None
        batch = self._open[partition] = Batch(partition, self.clock._now + self.delivery_timeout_ns)
        self._lines[partition.node].append(batch)
        return batch

    def _sticky_partition(self, topic: Topic, size: int) -> int:
        # Without a key: stay with one partition until batch.size bytes went there (KIP-794).
        state = self._sticky.get(topic.name)
        if state is None or state[1] >= self.batch_bytes:
            state = self._sticky[topic.name] = [int(self._sticky_draw.draw() * len(topic.partitions)), 0]
        state[1] += size
        return state[0]

    def _linger_over(self, timer: Timer) -> None:
        self._drain(timer.owner)

    def forget(self) -> None:
        """The client dies: its buffer is lost, and nobody hears what is answered."""
        self._open.clear()
        self._crowded.clear()
        for node in range(self.cluster.nodes):
            self._lines[node].clear()
            self._in_flight[node] = 0
            self._linger[node] = self._linger[node].cancelled()
        self._unanswered.clear()
        self._backing_off.clear()

    # --- requests ---------------------------------------------------------------------------------------------

    def _drain(self, node: int) -> None:
        linger = self._linger[node]
        if linger.callbacks is not None:
            self._linger[node] = linger.cancelled()
        # What may not leave now leaves when a request is answered.
        while self._lines[node] and self._in_flight[node] < self.in_flight_limit:
            self._transmit(Request(self, node, self._next_batches(node), self.clock._now))  # type: ignore[arg-type]

    def _next_batches(self, node: int) -> list[Batch]:
        """The first batch of each partition of a node."""
        taken = self._lines[node]
        left: list[Batch] = []
        if self._crowded:
            line, taken = taken, []
            partitions: set[Partition] = set()
            for batch in line:
                (left if batch.partition in partitions else taken).append(batch)
                partitions.add(batch.partition)
            self._note_crowds(left)
        self._lines[node] = left
        for batch in taken:
            partition = batch.partition
            if self._open.get(partition) is batch:
                del self._open[partition]
            if batch.sequence < 0:
                batch.sequence = self._sequences[partition] = self._sequences.get(partition, -1) + 1
        return taken

    def _note_crowds(self, left: list[Batch]) -> None:
        """Partitions that still have a full batch waiting."""
        for partition in [batch.partition for batch in left]:
            self._crowded.pop(partition, None)
        for batch in left:
            if self._open.get(batch.partition) is not batch:
                self._crowded[batch.partition] = None

    def _on_arrival(self, request: Request) -> None:
        # Without acks nobody waits; only that it is on the wire has to be known.
        self._on_the_wire.pop(request, None)
        self.cluster.receive(request)

    def _transmit(self, request: Request) -> None:
        if self.acks == "0":
            self._on_the_wire[request] = None
        if self.acks != "0":
            self._in_flight[request.node] += 1
            due_ns = self._unanswered[request] = request.sent_ns + self.request_timeout_ns
            self._timeouts.watch(due_ns)
        self.to_broker.send(request, self._arrives)
        if self.to_broker.duplicates and self.to_broker.repeats():
            again = Request(self, request.node, request.batches, request.sent_ns)
            again.first = request
            for batch in request.batches:
                self.cluster.repeated(batch.messages[0][0].id)
            self.to_broker.send(again, self._arrives)

    def respond(self, request: Request) -> None:
        """At the broker: answer a request, over the wire."""
        if self.acks != "0":
            self.to_client.send(request, self._answered)

    def _on_response(self, request: Request) -> None:
        first = request.first or request
        if first not in self._unanswered:
            return
        if not request.ok:
            self._request_failed(first)
            return
        self._close(first)
        for batch in first.batches:
            self._complete(batch, True)
        self._go_on(first.node)

    def _go_on(self, node: int) -> None:
        # Room for another request: what has lingered long enough, or is full, was only waiting for it.
        line = self._lines[node]
        if line and self._linger[node].callbacks is None:
            self._drain(node)

    def _close(self, request: Request) -> None:
        del self._unanswered[request]
        self._in_flight[request.node] -= 1

    def _complete(self, batch: Batch, ok: bool) -> None:
        if batch.done:
            return
        batch.done = True
        if self.acks == "0":
            return
        for answer, context in batch.answers:
            if answer is not None:
                answer(context, ok)

    # --- what goes wrong --------------------------------------------------------------------------------------

    def _transmission_lost(self, signal: Signal) -> None:
        """The connection broke under a request or its response: the client notices and tries again."""
        if isinstance(signal, Request):
            self.cluster.lost(signal.batches[0].messages[0][0].id)
            self._on_the_wire.pop(signal, None)
            if (signal.first or signal) in self._unanswered:
                self._request_failed(signal.first or signal)

    def _request_failed(self, request: Request) -> None:
        self._close(request)
        for batch in request.batches:
            batch.tries += 1
            if batch.tries > self.retries or self.clock.now_ns >= batch.deadline_ns:
                self._complete(batch, False)
            else:
                self._retry_later(request.node, batch)
        self._go_on(request.node)

    def _retry_later(self, node: int, batch: Batch) -> None:
        # Exponential from retry.backoff.ms with a jitter of a fifth, up to retry.backoff.max.ms (KIP-580).
        wait_ns = min(self.backoff_ns * 2 ** min(batch.tries - 1, 30), self.backoff_max_ns)
        wait_ns = round(wait_ns * (0.8 + 0.4 * self._jitter.draw()))
        self._backing_off[batch] = None

        def again() -> None:
            if self._backing_off.pop(batch, self) is self:
                return
            if self.clock.now_ns >= batch.deadline_ns:
                self._complete(batch, False)
                return
            if any(other.partition is batch.partition for other in self._lines[node]):
                self._crowded[batch.partition] = None
            self._lines[node].insert(0, batch)
            self._drain(node)

        self.clock.at(min(self.clock.now_ns + wait_ns, batch.deadline_ns), again)
