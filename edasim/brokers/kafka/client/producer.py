"""The producer, with confluent-kafka's verbs."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.configuration import Configuration, producer_options
from edasim.brokers.kafka.client.errors import KafkaError, failure
from edasim.brokers.kafka.client.knowledge import Knowledge
from edasim.brokers.kafka.client.partitioners import Partitioner
from edasim.brokers.kafka.client.payload import Payload
from edasim.brokers.kafka.client.sending import SAME_INSTANT_NS, PlainProducer, TransactionProducer
from edasim.brokers.kafka.client.transactions import Transactions
from edasim.brokers.kafka.client.values import (
    OFFSET_INVALID,
    Message,
    TopicPartition,
    as_bytes,
    as_headers,
    checked_places,
)
from edasim.core.clock import SECOND
from edasim.scenario.broker_options import resolve

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.group_metadata import ConsumerGroupMetadata
    from edasim.brokers.kafka.client.metadata import ClusterMetadata
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

MS = 1_000_000
KILOBYTE = 1024
_NAMES = {"TIMED_OUT": "_MSG_TIMED_OUT", "BUFFER_EXHAUSTED": "_QUEUE_FULL", "NETWORK_EXCEPTION": "_TRANSPORT"}
Report = Callable[[KafkaError | None, Message], None]


class Sending:
    """One record between produce() and its delivery report."""

    __slots__ = ("callback", "partition", "payload", "since_ns", "topic")

    def __init__(self, topic: str, partition: int, payload: Payload, callback: Report | None, since_ns: int) -> None:
        self.topic = topic
        self.partition = partition
        self.payload = payload
        self.callback = callback
        self.since_ns = since_ns


class Producer:
    """Sends records.  Made by `kafka.Producer(conf)`; conf has librdkafka's names, unknown ones raise KafkaException.

    produce() only puts a record into the buffer; poll() and flush() let simulated time pass and run the delivery
    reports `on_delivery(error, message)` of what was answered meanwhile.  `len(producer)` counts the records and
    reports that are not yet served.
    """

    def __init__(self, kafka: SimulatedKafka, conf: Configuration) -> None:
        self.kafka = kafka
        self.conf = conf
        self.clock = kafka.world.clock
        self._name = kafka.client_name("producer", conf["client.id"])
        self.links = kafka.links(self._name)
        options = resolve("kafka producer", kafka.version, producer_options(conf))
        kind = TransactionProducer if conf["transactional.id"] else PlainProducer
        self.engine = kind(kafka.cluster, self._name, self.links, options, conf["batch.num.messages"])
        self._transactions = Transactions(self)
        self._knowledge = Knowledge(kafka, self.links, conf, True, self._topic_known)
        self._partitioner = Partitioner(conf["partitioner"], conf["sticky.partitioning.linger.ms"] * MS,
                                        kafka.world.draws.sequential("client partitioner", self._name))
        self._waiting: dict[str, list[Sending]] = {}
        self._reports: deque[tuple[Report | None, KafkaError | None, Message]] = deque()
        self._outstanding = 0
        self._outstanding_bytes = 0
        self._closed = False

    # --- produce ----------------------------------------------------------------------------------------------

    def produce(self, topic: str, value: Any = None, key: Any = None, partition: int = -1,  # noqa: PLR0913
                callback: Report | None = None, on_delivery: Report | None = None, timestamp: int = 0,
                headers: Any = None) -> None:
        """Put a record into the buffer; takes no time.

        Text is encoded as UTF-8; `timestamp` is in milliseconds since 1970 (0: now); `partition` -1 leaves the choice
        to the partitioner.  Raises BufferError when the buffer is full, KafkaException when the record can never be
        sent (too large, unknown partition, outside of a transaction).
        """
        if not isinstance(topic, str):
            raise TypeError(f"a topic is a str, not {type(topic).__name__}")
        self._check_state()
        self._transactions.check_produce()
        time_ms = timestamp or self.clock.now_ns // MS
        payload = Payload(as_bytes(key), as_bytes(value), as_headers(headers), time_ms)
        self._check_room(payload)
        report = on_delivery or callback or self.conf.get("on_delivery")
        sending = Sending(topic, partition, payload, report, self.clock.now_ns)
        count = self._knowledge.want(topic)
        if count == 0:
            raise failure("_UNKNOWN_TOPIC", f'the cluster has no topic "{topic}": create it first')
        if count is not None and not -1 <= partition < count:
            raise failure("_UNKNOWN_PARTITION", f'topic "{topic}" has {count} partitions, 0 to {count - 1}')
        self._outstanding += 1
        self._outstanding_bytes += payload.size
        if count is None:
            self._waiting.setdefault(topic, []).append(sending)
        else:
            self._send(sending, count)

    def _check_state(self) -> None:
        if self._closed:
            raise RuntimeError("this producer is closed: make another one")

    # --- transactions -----------------------------------------------------------------------------------------

    def init_transactions(self, timeout: float = -1) -> None:
        """Once, before the first transaction: an earlier producer with this transactional.id is fenced."""
        self._check_state()
        self._transactions.init(timeout)

    def begin_transaction(self) -> None:
        """What is produced from now on belongs to a transaction."""
        self._check_state()
        self._transactions.begin()

    def send_offsets_to_transaction(self, positions: list[TopicPartition], group_metadata: ConsumerGroupMetadata,
                                    timeout: float = -1) -> None:
        """Commit a consumer's offsets with the transaction; `group_metadata` is its consumer_group_metadata()."""
        self._check_state()
        self._transactions.send_offsets(checked_places(positions), group_metadata, timeout)

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what waits, and make the transaction's records visible to read_committed, all at once."""
        self._check_state()
        self._transactions.end(True, timeout)

    def abort_transaction(self, timeout: float = -1) -> None:
        """Give the transaction up: its records stay in the log, and read_committed passes them over."""
        self._check_state()
        self._transactions.end(False, timeout)

    def _check_room(self, payload: Payload) -> None:
        largest = self.conf["message.max.bytes"]
        if payload.size > largest:
            raise failure("MSG_SIZE_TOO_LARGE", f"the record has {payload.size} bytes, message.max.bytes is {largest}")
        most = self.conf["queue.buffering.max.messages"] or 2**31
        if len(self) >= most:
            raise BufferError(f"the producer's queue is full with {most} records: poll() or flush() before producing "
                              "more, or raise queue.buffering.max.messages")
        if self._outstanding_bytes + payload.size > self.conf["queue.buffering.max.kbytes"] * KILOBYTE:
            raise BufferError("the producer's queue is full with queue.buffering.max.kbytes: poll() or flush() before "
                              "producing more")

    def _topic_known(self, topic: str, count: int) -> None:
        for sending in self._waiting.pop(topic, []):
            if not count:
                self._report(sending, KafkaError("UNKNOWN_TOPIC_OR_PART", f'the cluster has no topic "{topic}"'))
            elif not -1 <= sending.partition < count:
                self._report(sending, KafkaError("_UNKNOWN_PARTITION"))
            else:
                self._send(sending, count)

    def _send(self, sending: Sending, count: int) -> None:
        if sending.partition < 0:
            sending.partition = self._partitioner.choose(sending.topic, sending.payload.key, count, self.clock.now_ns)
        message = self.kafka.remember(sending.topic, sending.payload)
        view = self.kafka.one_partition(sending.topic, sending.partition)
        self.engine.send(message, view, self._delivered, sending)

    # --- delivery reports -------------------------------------------------------------------------------------

    def _delivered(self, sending: Sending, ok: bool) -> None:
        engine = self.engine
        offset = OFFSET_INVALID
        if ok and engine.next_offset >= 0 and engine.acks != "0":
            offset = engine.next_offset
            engine.next_offset += 1
        self._report(sending, None if ok else KafkaError(_NAMES.get(engine.error, engine.error)), offset)

    def _report(self, sending: Sending, error: KafkaError | None, offset: int = OFFSET_INVALID) -> None:
        self._outstanding -= 1
        self._outstanding_bytes -= sending.payload.size
        if error is not None:
            self._transactions.failed(error)
        if error is None and self.conf["delivery.report.only.error"]:
            return
        if sending.callback is not None:
            latency_s = (self.clock.now_ns - sending.since_ns) / SECOND
            message = sending.payload.message(sending.topic, sending.partition, offset, error, latency_s)
            message.set_headers(None)  # librdkafka's reports come without them.
            self._reports.append((sending.callback, error, message))

    def serve(self) -> int:
        """Run the callbacks of the reports that are there; how many."""
        served = 0
        while self._reports:
            callback, error, message = self._reports.popleft()
            served += 1
            if callback is not None:
                callback(error, message)
        return served

    def poll(self, timeout: float | None = None) -> int:
        """Let time pass until there is a delivery report, at most `timeout` seconds; how many reports were served."""
        self._check_state()
        self.kafka.stepper.until(lambda: bool(self._reports), timeout)
        return self.serve()

    def flush(self, timeout: float | None = None) -> int:
        """Send what lingers, and let time pass until all is reported, at most `timeout` seconds; how many are left."""
        self._check_state()
        clock, engine = self.clock, self.engine
        deadline_ns = clock.now_ns + round((3600.0 if timeout is None or timeout < 0 else timeout) * SECOND)
        linger_ns, engine.buffer.linger_ns = engine.buffer.linger_ns, SAME_INSTANT_NS
        engine.hurry()
        while True:
            self.kafka.stepper.until(self._something_to_serve, (deadline_ns - clock.now_ns) / SECOND)
            self.serve()
            if (not len(self) and not self._on_its_way()) or clock.now_ns >= deadline_ns:
                break
        engine.buffer.linger_ns = linger_ns
        return len(self)

    def _something_to_serve(self) -> bool:
        return bool(self._reports) or not (self._outstanding or self._on_its_way())

    def _on_its_way(self) -> bool:
        """Without acks nothing is reported back: what counts is whether it has left."""
        return self.engine.acks == "0" and self.engine.owes()

    def __len__(self) -> int:
        return self._outstanding + len(self._reports)

    def __bool__(self) -> bool:
        return True

    # --- the rest ---------------------------------------------------------------------------------------------

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """The cluster's brokers and topics, or one topic."""
        return self.kafka.metadata(self.links, topic, timeout)

    def close(self) -> None:
        """Flush, and be of no more use."""
        if not self._closed:
            self.flush()
            self._closed = True
            self._knowledge.alive = False

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def vanish(self) -> None:
        """The process dies: what is in the buffer is gone, and nobody hears the answers."""
        self._closed = True
        self._knowledge.alive = False
        self._waiting.clear()
        self.engine.forget()

    def __repr__(self) -> str:
        return f"<Producer {self._name}: {self._outstanding} records not yet answered>"
