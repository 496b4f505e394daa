"""What happens when the beginning of a log goes away: by hand, by time, by size."""

from __future__ import annotations

from typing import Any

from edasim.conform.script import Kafka, script
from edasim.conform.steps import (
    FOR_EVER,
    Member,
    create,
    error_of,
    numbers,
    offsets,
    read_all,
    reader,
    send,
    values,
    wait,
)


def _marks(kafka: Kafka, topic: str) -> list[int]:
    """Low and high watermark of partition 0."""
    consumer = reader(kafka)
    low, high = consumer.get_watermark_offsets(kafka.TopicPartition(topic, 0), timeout=10)
    consumer.close()
    return [low, high]


def _delete_before(kafka: Kafka, topic: str, offset: int) -> Any:
    place = kafka.TopicPartition(topic, 0, offset)
    return kafka.AdminClient({}).delete_records([place])[place].result().low_watermark


@script()
def delete_records(kafka: Kafka) -> None:
    """delete_records moves the low watermark; the records that stay keep their offsets."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    kafka.note("low watermark", _delete_before(kafka, topic, 4))
    kafka.note("watermarks", _marks(kafka, topic))
    kafka.note("offsets", offsets(read_all(kafka, topic)))
    kafka.note("past the end", error_of(kafka, lambda: _delete_before(kafka, topic, 11)))
    kafka.note("backwards", _delete_before(kafka, topic, 2))
    kafka.note("all", _delete_before(kafka, topic, 10))
    send(kafka, topic, ["next"])
    kafka.note("next offset", offsets(read_all(kafka, topic)))


@script(needs="settings")
def reset_after_deleted_records(kafka: Kafka) -> None:
    """A group whose committed offset has been deleted goes where auto.offset.reset says: loss, skip or an error."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    for policy in ("earliest", "latest", "error"):
        consumer = reader(kafka, group=policy)
        consumer.commit(offsets=[kafka.TopicPartition(topic, 0, 2)], asynchronous=False)
        consumer.close()
    _delete_before(kafka, topic, 6)
    for policy in ("earliest", "latest", "error"):
        member = Member(kafka, "a", [topic], group=policy, conf={"auto.offset.reset": policy})
        member.idle(2.5)
        kafka.note(f"{policy}: read", values(member.read))
        kafka.note(f"{policy}: errors", sorted(set(member.errors)))
        member.consumer.close()


@script()
def times_before_deleted_records(kafka: Kafka) -> None:
    """A time before all that is kept leads to the first offset that is kept."""
    topic = create(kafka, "orders", config=FOR_EVER)
    start = 1_700_000_000_000
    for number in range(6):
        send(kafka, topic, [f"r{number}"], timestamp=start + 1000 * number)
    _delete_before(kafka, topic, 3)
    consumer = reader(kafka)
    for after_ms in (0, 2000, 3500):
        place = kafka.TopicPartition(topic, 0, start + after_ms)
        kafka.note(f"{after_ms} ms", consumer.offsets_for_times([place], timeout=10)[0].offset)


@script(needs="settings")
def retention_by_time_takes_old_segments(kafka: Kafka) -> None:
    """Segments whose youngest record is older than retention.ms go; younger ones stay, with their offsets."""
    topic = create(kafka, "orders", config={"retention.ms": "3600000", "segment.ms": "86400000"})
    now_ms = kafka.now_ms
    # A record more than segment.ms younger than the first of its segment begins a new one.
    for number, age_s in enumerate((200_000, 199_000, 100_000, 99_000, 5, 4)):
        send(kafka, topic, [f"r{number}"], timestamp=now_ms - 1000 * age_s)
    wait(kafka, lambda: _marks(kafka, topic)[0] > 0, "old segments are deleted")
    kafka.sleep(1.5)
    kafka.note("watermarks", _marks(kafka, topic))
    kafka.note("records", values(read_all(kafka, topic)))


@script(needs="settings")
def retention_by_time_takes_the_last_segment_too(kafka: Kafka) -> None:
    """When all is older than retention.ms the active segment is rolled and goes too: an empty log, same end."""
    topic = create(kafka, "orders", config={"retention.ms": "1000"})
    send(kafka, topic, numbers(0, 4))
    wait(kafka, lambda: _marks(kafka, topic)[0] > 0, "the log is emptied")
    kafka.note("watermarks", _marks(kafka, topic))
    send(kafka, topic, ["next"])
    kafka.note("next offset", _marks(kafka, topic)[1] - 1)


@script(needs="settings")
def retention_waits_for_the_youngest_record(kafka: Kafka) -> None:
    """A segment stays as long as one record in it is young enough, whatever the age of the others."""
    topic = create(kafka, "orders", config={"retention.ms": "3600000"})
    now_ms = kafka.now_ms
    # The young one comes first: a retention check may fall between two of them.
    for number, age_s in enumerate((5, 8000, 7000)):
        send(kafka, topic, [f"r{number}"], timestamp=now_ms - 1000 * age_s)
    kafka.sleep(2.5)
    kafka.note("watermarks", _marks(kafka, topic))


@script(needs="settings")
def retention_by_size(kafka: Kafka) -> None:
    """With retention.bytes the oldest segments go as long as what stays is at least that large."""
    config = {"retention.bytes": "2000000", "segment.bytes": "1048576"}
    topic = create(kafka, "orders", config=config)
    send(kafka, topic, [b"x" * 200_000 for _ in range(23)])
    wait(kafka, lambda: _marks(kafka, topic)[0] > 0, "old segments are deleted")
    kafka.sleep(1.5)
    kafka.note("watermarks", _marks(kafka, topic))


@script(needs="settings")
def retention_overtakes_a_group(kafka: Kafka) -> None:
    """A group that is slower than retention finds its next offset gone; with earliest it skips to the first kept."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    conf = {"auto.offset.reset": "earliest", "queued.min.messages": 1, "fetch.message.max.bytes": 1000}
    member = Member(kafka, "a", [topic], conf=conf)
    member.take(3)
    member.consumer.commit(asynchronous=False)
    member.consumer.close()
    _delete_before(kafka, topic, 8)
    again = Member(kafka, "b", [topic])
    kafka.note("goes on at", offsets(again.take(2)))


@script(needs="settings")
def deleted_records_of_a_paused_reader(kafka: Kafka) -> None:
    """A reader that stands at a deleted offset is told out of range, and resets to the first record that is kept."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    _delete_before(kafka, topic, 5)
    consumer = reader(kafka, {"auto.offset.reset": "earliest"})
    consumer.assign([kafka.TopicPartition(topic, 0, 2)])
    found = []
    for _ in range(100):
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            found.append(message.offset())
    kafka.note("read", found)
