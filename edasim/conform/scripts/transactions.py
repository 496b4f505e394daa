"""Transactions: commit, abort, fencing, markers, the last stable offset."""

from __future__ import annotations

from typing import Any

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Sender, create, error_of, numbers, offsets, read_all, reader, send, values, wait

COMMITTED = {"isolation.level": "read_committed"}
UNCOMMITTED = {"isolation.level": "read_uncommitted"}


def transactional(kafka: Kafka, identity: str = "shop", **conf: Any) -> Any:
    """A producer with a transactional id, ready to begin."""
    settings = {"transactional.id": kafka.name(identity), "partitioner": "murmur2_random", "linger.ms": 0}
    producer = kafka.Producer({**settings, **{name.replace("_", "."): value for name, value in conf.items()}})
    producer.init_transactions(30)
    return producer


def end(kafka: Kafka, topic: str, isolation: dict[str, str], partition: int = 0) -> int:
    """The end of a partition as a reader with this isolation level is told."""
    level = isolation["isolation.level"].upper()
    place = kafka.TopicPartition(topic, partition)
    future = kafka.AdminClient({}).list_offsets(
        {place: kafka.OffsetSpec.latest()}, isolation_level=getattr(kafka.IsolationLevel, level)
    )[place]
    return int(future.result().offset)


def all_ended(kafka: Kafka, topic: str, partitions: int = 1) -> None:
    """Wait until no transaction is open: commit_transaction() returns before the markers are written."""
    for each in range(partitions):
        wait(
            kafka,
            lambda each=each: end(kafka, topic, COMMITTED, each) == end(kafka, topic, UNCOMMITTED, each),  # type: ignore[misc]
            "the last stable offset is the end",
        )


def run(producer: Any, topic: str, records: list[str], commit: bool = True) -> None:
    """One transaction with these records; its markers may still be on their way when it returns."""
    producer.begin_transaction()
    for value in records:
        producer.produce(topic, value=value)
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def _seen(kafka: Kafka, topic: str, isolation: dict[str, str]) -> list[list[Any]]:
    """[offset, value] of what a reader with this isolation level sees."""
    found = read_all(kafka, topic, conf=isolation)
    return [[offset, value] for offset, value in zip(offsets(found), values(found), strict=True)]


@script()
def transaction_committed(kafka: Kafka) -> None:
    """Committed records are seen at both isolation levels; the marker takes the offset after them."""
    topic = create(kafka, "orders")
    producer = transactional(kafka)
    run(producer, topic, ["a", "b"])
    run(producer, topic, ["c"])
    all_ended(kafka, topic)
    kafka.note("read_committed", _seen(kafka, topic, COMMITTED))
    kafka.note("read_uncommitted", _seen(kafka, topic, UNCOMMITTED))
    kafka.note("end", end(kafka, topic, UNCOMMITTED))


@script()
def transaction_aborted(kafka: Kafka) -> None:
    """Aborted records stay in the log: read_uncommitted sees them, read_committed passes them over."""
    topic = create(kafka, "orders")
    producer = transactional(kafka)
    run(producer, topic, ["a", "b"], commit=False)
    run(producer, topic, ["c"])
    all_ended(kafka, topic)
    send(kafka, topic, ["d"])
    kafka.note("read_committed", _seen(kafka, topic, COMMITTED))
    kafka.note("read_uncommitted", _seen(kafka, topic, UNCOMMITTED))


@script()
def position_jumps_over_markers(kafka: Kafka) -> None:
    """A reader's position moves past the marker, although no record with that offset exists."""
    topic = create(kafka, "orders")
    producer = transactional(kafka)
    run(producer, topic, ["a", "b"])
    run(producer, topic, ["x"], commit=False)
    run(producer, topic, ["c"])
    all_ended(kafka, topic)
    consumer = reader(kafka, COMMITTED)
    consumer.assign([kafka.TopicPartition(topic, 0, 0)])
    seen = []
    for _ in range(3):
        message = None
        while message is None or message.error():
            message = consumer.poll(1)
        seen.append([message.offset(), consumer.position([kafka.TopicPartition(topic, 0)])[0].offset])
    kafka.note("offset, position after it", seen)
    wait(kafka, lambda: consumer.poll(0.5) is not None, "the end is reported")
    kafka.note("position at the end", consumer.position([kafka.TopicPartition(topic, 0)])[0].offset)


@script()
def an_empty_transaction_leaves_no_trace(kafka: Kafka) -> None:
    """A transaction without records writes no marker."""
    topic = create(kafka, "orders")
    producer = transactional(kafka)
    run(producer, topic, [])
    run(producer, topic, [], commit=False)
    kafka.note("end", end(kafka, topic, UNCOMMITTED))
    run(producer, topic, ["a"])
    all_ended(kafka, topic)
    kafka.note("end after one record", end(kafka, topic, UNCOMMITTED))


@script()
def one_transaction_over_two_partitions(kafka: Kafka) -> None:
    """One commit makes the records of all its partitions visible, and puts a marker into each."""
    topic = create(kafka, "orders", 3)
    producer = transactional(kafka)
    producer.begin_transaction()
    for partition in (0, 0, 2):
        producer.produce(topic, value=f"p{partition}", partition=partition)
    producer.flush(30)
    producer.commit_transaction(30)
    all_ended(kafka, topic, 3)
    consumer = reader(kafka)
    for partition in range(3):
        kafka.note(f"read_committed {partition}", values(read_all(kafka, topic, partition, COMMITTED)))
        place = kafka.TopicPartition(topic, partition)
        kafka.note(f"watermarks {partition}", consumer.get_watermark_offsets(place, timeout=10))


@script()
def last_stable_offset(kafka: Kafka) -> None:
    """While a transaction is open read_committed stops before it, also for what others have written behind it."""
    topic = create(kafka, "orders")
    send(kafka, topic, ["before"])
    producer = transactional(kafka)
    producer.begin_transaction()
    producer.produce(topic, value="open")
    producer.flush(30)
    send(kafka, topic, ["behind"])
    kafka.note("open: read_committed", _seen(kafka, topic, COMMITTED))
    kafka.note("open: read_uncommitted", _seen(kafka, topic, UNCOMMITTED))
    kafka.note("open: end of read_committed", end(kafka, topic, COMMITTED))
    kafka.note("open: end of read_uncommitted", end(kafka, topic, UNCOMMITTED))
    producer.commit_transaction(30)
    all_ended(kafka, topic)
    kafka.note("committed: read_committed", _seen(kafka, topic, COMMITTED))
    kafka.note("committed: end of read_committed", end(kafka, topic, COMMITTED))


@script()
def transactions_in_each_others_way(kafka: Kafka) -> None:
    """A committed transaction behind an open one is not seen until that one ends, whichever way it ends."""
    topic = create(kafka, "orders")
    first, second = transactional(kafka, "one"), transactional(kafka, "two")
    first.begin_transaction()
    first.produce(topic, value="of one")
    first.flush(30)
    run(second, topic, ["of two"])
    wait(kafka, lambda: end(kafka, topic, UNCOMMITTED) == 3, "the marker of two is written")
    kafka.note("one open", _seen(kafka, topic, COMMITTED))
    first.abort_transaction(30)
    all_ended(kafka, topic)
    kafka.note("one aborted", _seen(kafka, topic, COMMITTED))


@script()
def fenced_by_a_second_producer(kafka: Kafka) -> None:
    """A second producer with the same transactional id fences the first, whose open transaction is aborted."""
    topic = create(kafka, "orders")
    first = transactional(kafka)
    first.begin_transaction()
    first.produce(topic, value="of the first")
    first.flush(30)
    second = transactional(kafka)
    run(second, topic, ["of the second"])
    all_ended(kafka, topic)
    kafka.note("the first commits", error_of(kafka, lambda: first.commit_transaction(30)))
    kafka.note("read_committed", _seen(kafka, topic, COMMITTED))


@script()
def fenced_while_producing(kafka: Kafka) -> None:
    """A fenced producer's next record never reaches the log; its commit fails, and the error is fatal."""
    topic = create(kafka, "orders")
    first = transactional(kafka)
    run(first, topic, ["a"])
    transactional(kafka)
    first.begin_transaction()
    first.produce(topic, value="late")
    fatal = None
    try:
        first.commit_transaction(30)
    except kafka.KafkaException as error:
        fatal = [error.args[0].name(), error.args[0].fatal()]
    kafka.note("commit", fatal)
    all_ended(kafka, topic)
    kafka.note("read_committed", _seen(kafka, topic, COMMITTED))


@script()
def a_crashed_transaction_is_aborted_by_its_successor(kafka: Kafka) -> None:
    """init_transactions of the restarted producer aborts what its predecessor left open."""
    topic = create(kafka, "orders")
    first = transactional(kafka)
    first.begin_transaction()
    for value in ("a", "b"):
        first.produce(topic, value=value)
    first.flush(30)
    kafka.crash(first)
    kafka.note("end of read_committed before", end(kafka, topic, COMMITTED))
    transactional(kafka)
    all_ended(kafka, topic)
    kafka.note("end of read_committed after", end(kafka, topic, COMMITTED))
    kafka.note("read_committed", _seen(kafka, topic, COMMITTED))


@script(needs="settings")
def transaction_timeout(kafka: Kafka) -> None:
    """A transaction open for longer than transaction.timeout.ms is aborted; its producer cannot commit any more."""
    topic = create(kafka, "orders")
    producer = transactional(kafka, transaction_timeout_ms=2000, message_timeout_ms=2000)
    producer.begin_transaction()
    producer.produce(topic, value="slow")
    producer.flush(30)
    send(kafka, topic, ["behind"])
    kafka.note("open", _seen(kafka, topic, COMMITTED))
    wait(kafka, lambda: end(kafka, topic, COMMITTED) == 3, "the transaction is aborted")
    kafka.note("timed out", _seen(kafka, topic, COMMITTED))
    kafka.note("commit", error_of(kafka, lambda: producer.commit_transaction(30)))


@script()
def transaction_verbs_out_of_order(kafka: Kafka) -> None:
    """A transaction cannot begin before init, commit before begin, or begin twice."""
    settings = {"transactional.id": kafka.name("shop")}
    producer = kafka.Producer(settings)
    kafka.note("begin before init", error_of(kafka, producer.begin_transaction))
    producer.init_transactions(30)
    kafka.note("commit before begin", error_of(kafka, lambda: producer.commit_transaction(30)))
    producer.begin_transaction()
    kafka.note("begin twice", error_of(kafka, producer.begin_transaction))
    plain = kafka.Producer({})
    kafka.note("init without an id", error_of(kafka, lambda: plain.init_transactions(5)))


@script()
def produce_outside_of_a_transaction(kafka: Kafka) -> None:
    """A transactional producer cannot produce outside of a transaction."""
    topic = create(kafka, "orders")
    producer = transactional(kafka)
    kafka.note("produce", error_of(kafka, lambda: producer.produce(topic, value="x")))


@script()
def the_transaction_timeout_has_a_maximum(kafka: Kafka) -> None:
    """A transaction.timeout.ms above the broker's transaction.max.timeout.ms (15 minutes) is refused."""
    conf = {"transactional.id": kafka.name("shop"), "transaction.timeout.ms": 900_001}
    producer = kafka.Producer(conf)
    kafka.note("init", error_of(kafka, lambda: producer.init_transactions(30)))


@script()
def aborted_records_of_many_producers(kafka: Kafka) -> None:
    """Interleaved transactions of three producers: read_committed sees the two that committed, in log order."""
    topic = create(kafka, "orders")
    producers = [transactional(kafka, name) for name in ("one", "two", "three")]
    for producer in producers:
        producer.begin_transaction()
    for turn in range(3):
        for number, producer in enumerate(producers, 1):
            producer.produce(topic, value=f"{number}-{turn}")
            producer.flush(30)
    producers[0].commit_transaction(30)
    wait(kafka, lambda: end(kafka, topic, COMMITTED) == 1, "the last stable offset has moved on")
    kafka.note("one committed", _seen(kafka, topic, COMMITTED))
    producers[1].abort_transaction(30)
    producers[2].commit_transaction(30)
    all_ended(kafka, topic)
    kafka.note("all ended", _seen(kafka, topic, COMMITTED))
    kafka.note("end", end(kafka, topic, UNCOMMITTED))


@script()
def an_idempotent_producer_needs_no_transaction(kafka: Kafka) -> None:
    """Records of a plain idempotent producer are visible at once, and take no markers."""
    topic = create(kafka, "orders")
    Sender(kafka, {"enable.idempotence": True}).send(topic, numbers(0, 4))
    kafka.note("read_committed", _seen(kafka, topic, COMMITTED))
    kafka.note("end", end(kafka, topic, UNCOMMITTED))
