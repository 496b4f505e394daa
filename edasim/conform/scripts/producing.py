"""What a producer is told, and what the log keeps of a record."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import FOR_EVER, Sender, create, error_of, numbers, read_all


@script()
def delivery_reports_by_acks(kafka: Kafka) -> None:
    """With acks 1 and all the report names the offset; with acks 0 nobody knows it."""
    for acks in ("0", "1", "all"):
        topic = create(kafka, f"orders-{acks}")
        sender = Sender(kafka, {"acks": acks})
        for value in numbers(1, 3):
            sender.send(topic, [value])
        kafka.note(f"reports, acks {acks}", sender.reports)


@script()
def headers_and_timestamps_survive(kafka: Kafka) -> None:
    """Headers keep order, repeats, empty and missing values; a given timestamp is kept as CreateTime."""
    topic = create(kafka, "orders", config=FOR_EVER)
    sender = Sender(kafka)
    headers = [("trace", b"1"), ("trace", b"2"), ("empty", b""), ("none", None)]
    sender.send(topic, ["r"], key="k", timestamp=1_700_000_000_123, headers=headers)
    message = read_all(kafka, topic)[0]
    kafka.note("headers", message.headers())
    kafka.note("timestamp", message.timestamp())
    kafka.note("key and value", [message.key(), message.value()])


@script()
def log_append_time(kafka: Kafka) -> None:
    """With message.timestamp.type=LogAppendTime the broker's clock replaces the producer's timestamp."""
    topic = create(kafka, "orders", config={"message.timestamp.type": "LogAppendTime"})
    Sender(kafka).send(topic, ["r"], timestamp=1_700_000_000_123)
    kind, time_ms = read_all(kafka, topic)[0].timestamp()
    kafka.note("type", kind)
    kafka.note("the producer's timestamp is kept", time_ms == 1_700_000_000_123)


@script()
def null_and_empty_values(kafka: Kafka) -> None:
    """A null value, an empty value, no key and an empty key are four different things."""
    topic = create(kafka, "orders")
    sender = Sender(kafka)
    for key, value in ((None, None), (None, b""), (b"", b"x"), (b"k", None), (b"", b"")):
        sender.send(topic, [value], key=key)
    kafka.note("records", [[message.key(), message.value()] for message in read_all(kafka, topic)])


@script()
def message_too_large_for_the_producer(kafka: Kafka) -> None:
    """A record above message.max.bytes (the Java producer's max.request.size) is refused before it is sent."""
    topic = create(kafka, "orders")
    sender = Sender(kafka, {"message.max.bytes": 2000})
    kafka.note("3,000 bytes", error_of(kafka, lambda: sender.produce(topic, b"x" * 3000)))
    kafka.note("1,000 bytes", error_of(kafka, lambda: sender.produce(topic, b"x" * 1000)))
    sender.producer.flush(30)
    kafka.note("reports", sender.reports)


@script()
def message_too_large_for_the_topic(kafka: Kafka) -> None:
    """A batch above the topic's max.message.bytes is refused by the broker, and takes no offset."""
    topic = create(kafka, "orders", config={"max.message.bytes": "1000"})
    sender = Sender(kafka)
    for size in (100, 3000, 100):
        sender.send(topic, [b"x" * size])
    kafka.note("reports", sender.reports)


@script()
def unknown_topic(kafka: Kafka) -> None:
    """A topic that does not exist fails a record after topic.metadata.propagation.max.ms, and a consumer at once."""
    topic = kafka.name("nowhere")
    sender = Sender(kafka, {"topic.metadata.propagation.max.ms": 500, "message.timeout.ms": 3000})
    kafka.note("produce", error_of(kafka, lambda: sender.send(topic, ["r"])))
    kafka.note("report", [error for error, _, _ in sender.reports])
    consumer = kafka.Consumer({"group.id": kafka.name("group"), "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = None
    for _ in range(100):
        message = consumer.poll(0.05)
        if message is not None:
            found = message.error().name()
            break
    kafka.note("consumer", found)


@script()
def topics_are_created_once_and_deleted(kafka: Kafka) -> None:
    """Creating a topic twice, with no partitions or with more replicas than brokers fails; a deleted one is unknown."""
    topic = create(kafka, "orders", 2)
    admin = kafka.AdminClient({})

    def creating(partitions: int, replicas: int, name: str) -> str | None:
        new = kafka.NewTopic(name, partitions, replication_factor=replicas)
        return error_of(kafka, lambda: admin.create_topics([new])[name].result())

    kafka.note("again", creating(2, kafka.replicas, topic))
    kafka.note("99 replicas", creating(1, 99, kafka.name("wide")))
    kafka.note("a wrong name", creating(1, 1, kafka.name("a/b")))
    admin.delete_topics([topic])[topic].result()
    kafka.sleep(1)
    kafka.note("deleted", error_of(kafka, lambda: admin.delete_topics([topic])[topic].result()))


@script()
def idempotent_producer_keeps_order(kafka: Kafka) -> None:
    """With enable.idempotence 500 records in flight get the offsets 0 to 499 in the order of their produce()."""
    topic = create(kafka, "orders")
    sender = Sender(kafka, {"enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 10})
    sender.send(topic, numbers(1, 500))
    kafka.note("errors", [error for error, _, _ in sender.reports if error])
    kafka.note("offsets in order", [offset for _, _, offset in sender.reports] == list(range(500)))
    values = [message.value().decode() for message in read_all(kafka, topic)]
    kafka.note("log in order", values == numbers(1, 500))


@script()
def idempotence_refuses_what_it_cannot_hold(kafka: Kafka) -> None:
    """enable.idempotence by name conflicts with acks 1, acks 0, no retries and more than 5 requests in flight."""
    wrong = {"acks": "1"}, {"acks": "0"}, {"retries": 0}, {"max.in.flight.requests.per.connection": 6}
    for conf in wrong:
        name, value = next(iter(conf.items()))
        made = error_of(kafka, lambda conf=conf: kafka.Producer({"enable.idempotence": True, **conf}))  # type: ignore[misc]
        kafka.note(f"{name}={value}", made)


@script()
def a_full_buffer_refuses(kafka: Kafka) -> None:
    """When the producer's buffer is full, produce() raises BufferError; Java's producer blocks for max.block.ms."""
    topic = create(kafka, "orders")
    sender = Sender(kafka, {"queue.buffering.max.messages": 5, "linger.ms": 2000})
    accepted = 0
    try:
        for value in numbers(1, 20):
            sender.produce(topic, value)
            accepted += 1
    except BufferError:
        kafka.note("raised", "BufferError")
    kafka.note("accepted", accepted)
    sender.producer.flush(30)
    kafka.note("offsets", [offset for _, _, offset in sender.reports])


@script()
def flush_and_poll_serve_the_reports(kafka: Kafka) -> None:
    """len(producer) counts records and reports not yet served; flush waits until it is 0."""
    topic = create(kafka, "orders")
    sender = Sender(kafka, {"linger.ms": 300})
    for value in numbers(1, 7):
        sender.produce(topic, value)
    kafka.note("waiting", len(sender.producer._inner) if hasattr(sender.producer, "_inner") else len(sender.producer))
    kafka.note("reports before poll", len(sender.reports))
    kafka.note("left after flush", sender.producer.flush(30))
    kafka.note("reports", len(sender.reports))


@script()
def compression_keeps_records(kafka: Kafka) -> None:
    """Compressed batches have the same offsets and values as plain ones."""
    for codec in ("none", "gzip", "lz4", "zstd"):
        topic = create(kafka, f"orders-{codec}")
        sender = Sender(kafka, {"compression.type": codec, "linger.ms": 50})
        sender.send(topic, [f"{number}" * 50 for number in range(10)])
        messages = read_all(kafka, topic)
        kafka.note(codec, [[message.offset(), len(message.value())] for message in messages])
