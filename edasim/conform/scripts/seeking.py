"""Going where one wants to: by offset, by time, by pause and resume; watermarks and lag."""

from __future__ import annotations

from typing import Any

from edasim.conform.script import Kafka, script
from edasim.conform.steps import (
    FOR_EVER,
    Member,
    committed,
    create,
    numbers,
    offsets,
    position,
    read_all,
    reader,
    send,
    until_end,
    values,
)


@script()
def offsets_by_time(kafka: Kafka) -> None:
    """offsets_for_times finds the first record at or after a time, and the end if there is none."""
    topic = create(kafka, "orders", config=FOR_EVER)
    start = 1_700_000_000_000
    for number in range(5):
        send(kafka, topic, [f"r{number}"], timestamp=start + 1000 * number)
    consumer = reader(kafka)
    for after_ms in (-5000, 0, 1, 1000, 2500, 4000, 4001):
        place = kafka.TopicPartition(topic, 0, start + after_ms)
        kafka.note(f"{after_ms} ms", consumer.offsets_for_times([place], timeout=10)[0].offset)


@script()
def offsets_by_time_out_of_order(kafka: Kafka) -> None:
    """With timestamps out of order the answer is the first offset whose timestamp is not before the time asked for."""
    topic = create(kafka, "orders", config=FOR_EVER)
    start = 1_700_000_000_000
    for late in (5, 1, 3, 9, 2):
        send(kafka, topic, [f"r{late}"], timestamp=start + late)
    consumer = reader(kafka)
    for after_ms in (0, 2, 4, 6, 9, 10):
        place = kafka.TopicPartition(topic, 0, start + after_ms)
        kafka.note(f"{after_ms} ms", consumer.offsets_for_times([place], timeout=10)[0].offset)


@script()
def replay_by_seek(kafka: Kafka) -> None:
    """seek moves the position back or forward; the committed offset stays."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    member.take(6)
    member.consumer.commit(asynchronous=False)
    for offset in (2, 8, 0):
        member.consumer.seek(kafka.TopicPartition(topic, 0, offset))
        kafka.note(f"after seek to {offset}", offsets(member.take(2)))
    kafka.note("position", position(kafka, member.consumer, topic))
    kafka.note("committed", committed(kafka, member.consumer, topic))


@script()
def replay_by_time(kafka: Kafka) -> None:
    """A time is turned into an offset, and the reader goes there: all records since then come again."""
    topic = create(kafka, "orders", config=FOR_EVER)
    start = 1_700_000_000_000
    for number in range(8):
        send(kafka, topic, [f"r{number}"], timestamp=start + 1000 * number)
    member = Member(kafka, "a", [topic])
    member.take(8)
    place = member.consumer.offsets_for_times([kafka.TopicPartition(topic, 0, start + 4500)], timeout=10)[0]
    member.consumer.seek(place)
    kafka.note("read again", values(member.take(3)))


@script()
def begin_at_logical_offsets(kafka: Kafka) -> None:
    """assign() takes a number, the beginning or the end, without any group management."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 5))
    for label, offset in (("beginning", kafka.OFFSET_BEGINNING), ("end", kafka.OFFSET_END), ("4", 4)):
        consumer = reader(kafka)
        consumer.assign([kafka.TopicPartition(topic, 0, offset)])
        kafka.note(label, offsets(until_end(kafka, consumer)))
        consumer.close()


@script()
def pause_and_resume(kafka: Kafka) -> None:
    """A paused partition gives nothing while the others go on; resume goes on where the position is."""
    topic = create(kafka, "orders", 2)
    member = Member(kafka, "a", [topic])
    for partition in (0, 1):
        send(kafka, topic, [f"p{partition}-{number}" for number in range(3)], partition=partition)
    member.take(6)
    paused = kafka.TopicPartition(topic, 0)
    member.consumer.pause([paused])
    for partition in (0, 1):
        send(kafka, topic, [f"p{partition}-{number}" for number in range(3, 5)], partition=partition)
    before = len(member.read)
    member.idle(2)
    kafka.note("while partition 0 is paused", sorted(values(member.read[before:])))
    kafka.note("position of 0", position(kafka, member.consumer, topic))
    member.consumer.resume([paused])
    kafka.note("after resume", values(member.take(2)))


@script()
def watermarks(kafka: Kafka) -> None:
    """The low watermark is the first offset kept, the high one the next to be given."""
    topic = create(kafka, "orders", 2)
    consumer = reader(kafka)

    def marks(partition: int) -> Any:
        return consumer.get_watermark_offsets(kafka.TopicPartition(topic, partition), timeout=10)

    kafka.note("empty", marks(0))
    send(kafka, topic, numbers(0, 6), partition=0)
    kafka.note("after 7 records", marks(0))
    kafka.note("the other partition", marks(1))


@script()
def lag_of_a_group(kafka: Kafka) -> None:
    """Lag is the high watermark minus the committed offset, partition by partition."""
    topic = create(kafka, "orders", 2)
    send(kafka, topic, numbers(0, 9), partition=0)
    send(kafka, topic, numbers(0, 4), partition=1)
    member = Member(kafka, "a", [topic])
    member.take(15)
    places = [kafka.TopicPartition(topic, 0, 7), kafka.TopicPartition(topic, 1, 5)]
    member.consumer.commit(offsets=places, asynchronous=False)
    for partition in (0, 1):
        high = member.consumer.get_watermark_offsets(kafka.TopicPartition(topic, partition), timeout=10)[1]
        kafka.note(f"lag of {partition}", high - (committed(kafka, member.consumer, topic, partition) or 0))


@script()
def consume_many_at_once(kafka: Kafka) -> None:
    """consume(n) returns at most n records, in order, and advances the position by as many."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    consumer = reader(kafka, {"enable.partition.eof": False})
    consumer.assign([kafka.TopicPartition(topic, 0, 0)])
    read: list[Any] = []
    while len(read) < 4:
        read += consumer.consume(4 - len(read), timeout=5)
    kafka.note("first", offsets(read))
    kafka.note("position", position(kafka, consumer, topic))
    kafka.note("all are kept", len(read_all(kafka, topic)))
