"""The Kafka producer: what leaves its buffer when, requests in flight, retries and idempotence."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.accumulator import Accumulator, Batch
from edasim.brokers.kafka.log import FIRST, Partition, Retrying
from edasim.core.clock import Signal, Stage, Timer
from edasim.core.deadlines import Deadlines
from edasim.core.link import Link
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster, Topic

MILLISECOND = 1_000_000
Answer = Callable[[Any, bool], None]
"""Told the sender's own context, and whether the message was acknowledged."""


class Request(Signal):
    """One produce request to one node, and its response.

    `first` is the request that this one repeats, `waiting` counts the batches without their acks, `refused`
    holds those that the broker did not take, `failed` those that it will never take, with Kafka's name of the error;
    where nodes can fail, `errors` says why the others were refused, by Kafka's names.
    """

    __slots__ = ("batches", "errors", "failed", "first", "node", "producer", "refused", "sent_ns", "waiting")
    errors: dict[Batch, str]

    def __init__(self, producer: Producer, node: int, batches: list[Batch], sent_ns: int) -> None:
        self.producer = producer
        self.node = node
        self.batches = batches
        self.sent_ns = sent_ns
        self.first: Request | None = None
        self.waiting = 0
        self.refused: list[Batch] | None = None
        self.failed: dict[Batch, str] | None = None

    def respond(self) -> None:
        """At the broker: answer, over the wire."""
        if self.producer.acks != "0":
            send = self.producer.to_client.send
            send(self, self.producer.answered)


class Producer:
    """One producer client.  `options` are the resolved producer options by their real names.

    At most max.in.flight.requests.per.connection requests to a node are unanswered; what the broker refuses or
    never answers is sent again until delivery.timeout.ms is over.
    """

    transactional = False

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any]) -> None:
        world = cluster.world
        self.cluster = cluster
        self.clock = world.clock
        self.name = name
        self.to_broker, self.to_client = links
        self.id = cluster.next_producer_id()
        self.acks = str(options["acks"])
        self.awaits_followers = self.acks not in ("0", "1")
        self.idempotent = bool(options["enable.idempotence"])
        self.in_flight_limit = options["max.in.flight.requests.per.connection"]
        self.retries = options["retries"]
        self.request_timeout_ns = options["request.timeout.ms"] * MILLISECOND
        self.backoff_ns = options["retry.backoff.ms"] * MILLISECOND
        self.backoff_max_ns = options["retry.backoff.max.ms"] * MILLISECOND
        self.buffer = Accumulator(cluster.lines, options["batch.size"], options["linger.ms"] * MILLISECOND,
                                  options["delivery.timeout.ms"] * MILLISECOND)
        self._jitter = world.draws.sequential("producer backoff", name)
        self._sticky_draw = world.draws.sequential("sticky partition", name)
        self._sticky: dict[str, list[int]] = {}
        self._timers = [Timer(node) for node in range(cluster.lines)]
        self._armed_for_ns = [0] * cluster.lines
        self._in_flight = [0] * cluster.lines
        self._sequences: dict[Partition, int] = {}
        self._epochs: dict[Partition, int] = {}
        self._unanswered: OrderedDict[Request, int] = OrderedDict()
        self._on_the_wire: dict[Request, None] = {}
        self._repeating: dict[Request, None] = {}
        self._ready: Stage = self._timer_due
        self._arrives: Stage = self._on_arrival if self.acks == "0" else cluster.receive
        self.answered: Stage = self._on_response
        self._timeouts = Deadlines(self.clock, self._unanswered, self._request_failed)
        self.to_broker.on_lost = self.to_client.on_lost = self._transmission_lost

    def owes(self) -> bool:
        """Whether something is buffered, on its way, or waits to be sent again."""
        return bool(self._unanswered or self.buffer or self._on_the_wire or self._repeating)

    def owed(self) -> Iterator[Message]:
        """What is not known to be in the log."""
        sent = [batch for request in (*self._unanswered, *self._on_the_wire, *self._repeating)
                for batch in request.batches]
        for batch in sent + self.buffer.batches():
            for record in batch.records:
                yield record[0]

    def fits(self, message: Message) -> bool:
        """Whether a message can be sent at all."""
        return True

    # --- into the buffer --------------------------------------------------------------------------------------

    def send(self, message: Message, topic: Topic, answer: Answer | None = None, context: Any = None,
             retry: Retrying = FIRST) -> None:
        """Hand a message to the client; `answer(context, ok)` runs when it is acknowledged or given up.

        Without acks it counts as sent at once.  `retry` holds the headers of a retry topic.
        """
        if message.key is None or not topic.keyed:
            partition = topic.partitions[self._sticky_partition(topic, message.size)]
        else:
            partition = topic.partition_of(message.key)
        now_ns = self.clock._now
        node = partition.node
        ready_ns = self.buffer.add(node, partition, (message, retry, answer, context), now_ns)
        if ready_ns <= now_ns:
            self._drain(node)
        elif self._timers[node].stage is None or ready_ns < self._armed_for_ns[node]:
            self._arm(node, ready_ns)
        if self.acks == "0" and answer is not None:
            answer(context, True)

    def _sticky_partition(self, topic: Topic, size: int) -> int:
        # Without a key: stay with one partition until batch.size bytes went there (KIP-794).
        state = self._sticky.get(topic.name)
        if state is None or state[1] >= self.buffer.batch_bytes:
            state = self._sticky[topic.name] = [int(self._sticky_draw.draw() * len(topic.partitions)), 0]
        state[1] += size
        return state[0]

    def forget(self) -> None:
        """The client dies: its buffer is lost, and nobody hears what is answered."""
        self.buffer.clear()
        self._unanswered.clear()
        self._repeating.clear()
        for signal in self.to_broker.forget_held():
            self._on_the_wire.pop(signal, None)  # type: ignore[call-overload]
        for node in range(self.cluster.lines):
            self._in_flight[node] = 0
            self._timers[node] = self._timers[node].cancelled()

    def hurry(self) -> None:
        """What lingers leaves now."""
        now_ns = self.clock.now_ns
        for batch in self.buffer.batches():
            if not batch.tries:
                batch.ready_ns = min(batch.ready_ns, now_ns)
        for node in range(self.cluster.lines):
            self._drain(node)

    # --- requests ---------------------------------------------------------------------------------------------

    def _arm(self, node: int, due_ns: int) -> None:
        timer = self._timers[node]
        if timer.stage is not None:
            timer = self._timers[node] = timer.cancelled()
        self._armed_for_ns[node] = due_ns
        arm_timer = self.clock.arm_timer
        arm_timer(timer, self._ready, max(0, due_ns - self.clock._now))

    def _timer_due(self, timer: Timer) -> None:
        self._drain(timer.owner)

    def _drain(self, node: int) -> None:
        """Send what is ready; watch for what will be."""
        now_ns = self.clock._now
        buffer = self.buffer
        for batch in buffer.expired(node, now_ns):
            self._give_up(batch)
        while buffer.lines[node] and self._in_flight[node] < self.in_flight_limit:
            batches = buffer.take(node, now_ns)
            if not batches:
                self._arm(node, buffer.next_ready_ns(node))
                return
            self._number(batches)
            self._transmit(Request(self, node, batches, now_ns))

    def _number(self, batches: list[Batch]) -> None:
        for batch in batches:
            if batch.sequence < 0:
                partition = batch.partition
                batch.sequence = self._sequences[partition] = self._sequences.get(partition, -1) + 1
                batch.epoch = self._epochs.get(partition, 0)

    def _on_arrival(self, request: Request) -> None:
        # Without acks nobody waits; only that it is on the wire has to be known.
        self._on_the_wire.pop(request, None)
        self.cluster.receive(request)

    def _transmit(self, request: Request) -> None:
        if self.acks == "0":
            self._on_the_wire[request] = None
        else:
            self._in_flight[request.node] += 1
            due_ns = self._unanswered[request] = request.sent_ns + self.request_timeout_ns
            self._timeouts.watch(due_ns)
        send = self.to_broker.send
        send(request, self._arrives)
        if self.acks != "0" and self.to_broker.duplicates and self.to_broker.repeats():
            self._repeating[request] = None
            if self.to_broker.repeats_after_ns is None:
                self._repeat(request)
            else:
                self._repeat_later(request)

    def _repeat_later(self, request: Request) -> None:
        self.clock.at(self.to_broker.repetition_ns(), lambda: self._repeat(request))

    def _repeat(self, request: Request) -> None:
        """A response got lost, and that to the repetition may be lost as well."""
        if request not in self._repeating:
            return
        again = Request(self, request.node, request.batches, request.sent_ns)
        again.first = request
        for batch in request.batches:
            self.cluster.repeated(batch.records[0][0].id)
        once_more = self.to_broker.repeats()
        if not once_more:
            del self._repeating[request]
        self.to_broker.send(again, self._arrives)
        if once_more:
            self._repeat_later(request)

    def _on_response(self, request: Request) -> None:
        first = request.first or request
        if first not in self._unanswered:
            return
        self._close(first)
        refused, failed = request.refused, request.failed
        for batch in first.batches:
            if failed is not None and batch in failed:
                self._failed_for_good(batch, failed[batch])
            elif refused is None or batch not in refused:
                self._complete(batch, True)
        if refused:
            self._try_again(refused)
        if self.buffer.lines[first.node]:
            self._drain(first.node)

    def _close(self, request: Request) -> None:
        del self._unanswered[request]
        self._in_flight[request.node] -= 1

    def _complete(self, batch: Batch, ok: bool) -> None:
        if batch.done:
            return
        batch.done = True
        if self.acks != "0":
            for _, _, answer, context in batch.records:
                if answer is not None:
                    answer(context, ok)

    # --- what goes wrong --------------------------------------------------------------------------------------

    def _transmission_lost(self, signal: Signal) -> None:
        """The connection broke under a request or its response: the client notices and tries again."""
        if isinstance(signal, Request):
            self.cluster.lost(signal.batches[0].records[0][0].id)
            self._on_the_wire.pop(signal, None)
            if (signal.first or signal) in self._unanswered:
                self._request_failed(signal.first or signal)

    def _request_failed(self, request: Request) -> None:
        self._close(request)
        self._try_again(request.batches)
        self._drain(request.node)

    def _try_again(self, batches: list[Batch]) -> None:
        now_ns = self.clock.now_ns
        for batch in batches:
            batch.tries += 1
            if batch.tries > self.retries or now_ns >= batch.deadline_ns:
                self._give_up(batch)
                continue
            # Exponential from retry.backoff.ms with a jitter of a fifth, up to retry.backoff.max.ms (KIP-580).
            wait_ns = min(self.backoff_ns * 2 ** min(batch.tries - 1, 30), self.backoff_max_ns)
            batch.ready_ns = min(now_ns + round(wait_ns * (0.8 + 0.4 * self._jitter.draw())), batch.deadline_ns)
            self.buffer.put_back(self.node_of(batch.partition), batch)

    def node_of(self, partition: Partition) -> int:
        """The node to which a partition's batches go."""
        return partition.node

    def _failed_for_good(self, batch: Batch, error: str) -> None:
        """The broker's error is one that no repetition cures."""
        self._give_up(batch)

    def _give_up(self, batch: Batch) -> None:
        """Tell the sender no.  An idempotent producer begins a new epoch, since its sequence has a gap now."""
        self._complete(batch, False)
        if not self.idempotent or batch.sequence < 0:
            return
        partition = batch.partition
        self._epochs[partition] = self._epochs.get(partition, 0) + 1
        self._sequences[partition] = -1
        waiting = [other for other in self.buffer.of(self.node_of(partition), partition) if other.sequence >= 0]
        for other in sorted(waiting, key=lambda other: (other.epoch, other.sequence)):
            other.sequence = -1
            self._number([other])
