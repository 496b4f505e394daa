"""Compaction: the last value of each key stays, at its own offset."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Sender, create, offsets, read_all, reader, send, wait

# segment.ms decides when a segment stops being the active one: at the next record after it.
QUICK = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "500"}


def _roll(kafka: Kafka, topic: str) -> None:
    """Let the active segment grow old, then append a record that begins a new one."""
    kafka.sleep(0.8)
    send(kafka, topic, ["-"], key="rolls")


def _records(kafka: Kafka, topic: str) -> list[list[object]]:
    """[offset, key, value] of every record but those that only roll a segment."""
    return [[m.offset(), m.key(), m.value()] for m in read_all(kafka, topic) if m.key() != b"rolls"]


@script(needs="settings")
def compaction_keeps_the_last_value(kafka: Kafka) -> None:
    """Of three values of a key the last stays, at its own offset; order and offsets never change."""
    topic = create(kafka, "users", config=QUICK)
    for key, value in (("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("a", "3"), ("b", "2")):
        send(kafka, topic, [value], key=key)
    _roll(kafka, topic)
    wait(kafka, lambda: len(_records(kafka, topic)) == 3, "three records are left")
    kafka.note("records", _records(kafka, topic))
    consumer = reader(kafka)
    kafka.note("watermarks", consumer.get_watermark_offsets(kafka.TopicPartition(topic, 0), timeout=10))


@script(needs="settings")
def compacted_offsets_are_still_positions(kafka: Kafka) -> None:
    """Reading from an offset that compaction removed begins at the next one that exists."""
    topic = create(kafka, "users", config=QUICK)
    for number in range(5):
        send(kafka, topic, [str(number)], key="a")
    _roll(kafka, topic)
    wait(kafka, lambda: len(_records(kafka, topic)) == 1, "one record is left")
    for begin in (0, 2, 3, 4):
        consumer = reader(kafka)
        consumer.assign([kafka.TopicPartition(topic, 0, begin)])
        found = None
        while found is None or found.error():
            found = consumer.poll(5)
        kafka.note(f"from {begin}", found.offset())
        consumer.close()


@script(needs="settings")
def the_active_segment_is_not_compacted(kafka: Kafka) -> None:
    """Records of the active segment all stay, however often the cleaner runs."""
    topic = create(kafka, "users", config={**QUICK, "segment.ms": "3600000"})
    for number in range(4):
        send(kafka, topic, [str(number)], key="a")
    kafka.sleep(3)
    kafka.note("records", _records(kafka, topic))


@script(needs="settings")
def a_tombstone_outlives_its_key_for_a_while(kafka: Kafka) -> None:
    """A null value deletes its key's records; the tombstone itself stays for delete.retention.ms."""
    topic = create(kafka, "users", config={**QUICK, "delete.retention.ms": "86400000"})
    sender = Sender(kafka)
    for key, value in (("a", "1"), ("b", "1"), ("a", None)):
        sender.send(topic, [value], key=key)
    _roll(kafka, topic)
    wait(kafka, lambda: len(_records(kafka, topic)) == 2, "two records are left")
    kafka.note("records", _records(kafka, topic))


@script(needs="settings")
def a_tombstone_goes_in_the_end(kafka: Kafka) -> None:
    """After delete.retention.ms a further cleaning takes the tombstone away as well."""
    topic = create(kafka, "users", config={**QUICK, "delete.retention.ms": "100"})
    sender = Sender(kafka)
    for key, value in (("a", "1"), ("b", "1"), ("a", None)):
        sender.send(topic, [value], key=key)
    for _ in range(8):
        _roll(kafka, topic)
        if len(_records(kafka, topic)) == 1:
            break
    wait(kafka, lambda: len(_records(kafka, topic)) == 1, "one record is left")
    kafka.note("records", _records(kafka, topic))


@script()
def a_compacted_topic_needs_keys(kafka: Kafka) -> None:
    """A record without a key is refused by a compacted topic, and takes no offset."""
    topic = create(kafka, "users", config={"cleanup.policy": "compact"})
    sender = Sender(kafka)
    sender.send(topic, ["x"])
    sender.send(topic, ["x"], key="a")
    kafka.note("reports", [[error, offset] for error, _, offset in sender.reports])


@script(needs="settings")
def compaction_runs_again(kafka: Kafka) -> None:
    """A later value removes what an earlier cleaning had kept."""
    topic = create(kafka, "users", config=QUICK)
    for key, value in (("a", "1"), ("b", "1"), ("a", "2")):
        send(kafka, topic, [value], key=key)
    _roll(kafka, topic)
    wait(kafka, lambda: len(_records(kafka, topic)) == 2, "two records are left")
    kafka.note("after the first", _records(kafka, topic))
    send(kafka, topic, ["2"], key="b")
    _roll(kafka, topic)
    wait(kafka, lambda: [each[2] for each in _records(kafka, topic)] == [b"2", b"2"], "the old b is gone")
    kafka.note("values after the second", [[each[1], each[2]] for each in _records(kafka, topic)])


@script(needs="settings")
def compact_and_delete(kafka: Kafka) -> None:
    """cleanup.policy=compact,delete does both: what retention.ms overtakes goes, even the last value of a key."""
    config = {**QUICK, "cleanup.policy": "compact,delete", "retention.ms": "1500"}
    topic = create(kafka, "users", config=config)
    for key, value in (("a", "1"), ("a", "2"), ("b", "1")):
        send(kafka, topic, [value], key=key)
    _roll(kafka, topic)
    wait(kafka, lambda: _records(kafka, topic) == [], "everything is gone")
    kafka.note("offsets", [each for each in offsets(read_all(kafka, topic)) if each < 3])
