"""Position and committed offset, commits, crashes, and where a group begins."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import (
    Member,
    committed,
    create,
    error_of,
    numbers,
    offsets,
    position,
    reader,
    send,
    values,
)


def _begin_again(kafka: Kafka, topic: str, count: int) -> list[int]:
    """A new member of the group reads `count` records: their offsets."""
    return offsets(Member(kafka, "again", [topic]).take(count))


@script()
def position_and_committed_offset(kafka: Kafka) -> None:
    """Position (what is read next) and committed offset (where the group would begin again) are two numbers."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    kafka.note("position before reading", position(kafka, member.consumer, topic))
    kafka.note("committed before", committed(kafka, member.consumer, topic))
    member.take(4)
    kafka.note("position after 4", position(kafka, member.consumer, topic))
    kafka.note("committed after 4", committed(kafka, member.consumer, topic))
    member.consumer.commit(asynchronous=False)
    kafka.note("committed after commit", committed(kafka, member.consumer, topic))
    member.take(3)
    kafka.note("position after 7", position(kafka, member.consumer, topic))
    kafka.note("committed after 7", committed(kafka, member.consumer, topic))


@script()
def commit_names_the_next_record(kafka: Kafka) -> None:
    """Who has handled offsets 0 to 4 commits 5, and the group begins again at 5."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    kafka.note("handled", offsets(member.take(5)))
    kafka.note("commit returns", [each.offset for each in member.consumer.commit(asynchronous=False)])
    member.consumer.close()
    kafka.note("begins again", _begin_again(kafka, topic, 5))


@script()
def commit_of_a_message(kafka: Kafka) -> None:
    """commit(message) commits the message's offset plus one, also when later ones have been read."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    messages = member.take(6)
    member.consumer.commit(message=messages[2], asynchronous=False)
    kafka.note("committed", committed(kafka, member.consumer, topic))
    member.consumer.close()
    kafka.note("begins again", _begin_again(kafka, topic, 7))


@script()
def commit_of_given_offsets(kafka: Kafka) -> None:
    """A group may commit any offset, earlier, later or past the end; the last commit holds."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    member.take(5)
    for offset in (8, 2, 1000):
        member.consumer.commit(offsets=[kafka.TopicPartition(topic, 0, offset)], asynchronous=False)
        kafka.note(f"committed {offset}", committed(kafka, member.consumer, topic))
    member.consumer.commit(offsets=[kafka.TopicPartition(topic, 0, 3)], asynchronous=False)
    kafka.note("position", position(kafka, member.consumer, topic))
    member.consumer.close()
    kafka.note("begins again", _begin_again(kafka, topic, 2))


@script()
def nothing_to_commit(kafka: Kafka) -> None:
    """A commit before anything was read is refused by the client: there is no offset to commit."""
    topic = create(kafka, "orders")
    member = Member(kafka, "a", [topic])
    member.idle(1.5)
    kafka.note("commit", error_of(kafka, lambda: member.consumer.commit(asynchronous=False)))
    kafka.note("committed", committed(kafka, member.consumer, topic))


@script()
def metadata_travels_with_a_commit(kafka: Kafka) -> None:
    """A commit may carry a text, which is given back with the committed offset."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 3))
    member = Member(kafka, "a", [topic])
    member.take(2)
    place = kafka.TopicPartition(topic, 0, 2, "handled by a")
    member.consumer.commit(offsets=[place], asynchronous=False)
    found = member.consumer.committed([kafka.TopicPartition(topic, 0)], timeout=10)[0]
    kafka.note("committed", [found.offset, found.metadata])


@script()
def offsets_are_stored_by_hand(kafka: Kafka) -> None:
    """With enable.auto.offset.store=false a commit without arguments commits what was stored, not what was read."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic], conf={"enable.auto.offset.store": False})
    messages = member.take(6)
    member.consumer.store_offsets(message=messages[1])
    member.consumer.commit(asynchronous=False)
    kafka.note("committed", committed(kafka, member.consumer, topic))


@script(needs="settings")
def crash_before_commit(kafka: Kafka) -> None:
    """At least once: who handles 0 to 4 but has committed 3 when it crashes, leaves 3 and 4 to be delivered again."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic], conf={"session.timeout.ms": 2000})
    member.take(3)
    member.consumer.commit(asynchronous=False)
    kafka.note("handled after the commit", offsets(member.take(2)))
    kafka.crash(member.consumer)
    again = Member(kafka, "b", [topic], conf={"session.timeout.ms": 2000})
    kafka.note("delivered again", offsets(again.take(7)))


@script(needs="settings")
def crash_after_commit(kafka: Kafka) -> None:
    """At most once: who commits 5 and crashes after handling 0 to 2, leaves 3 and 4 unhandled for good."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic], conf={"session.timeout.ms": 2000})
    member.take(5)
    member.consumer.commit(asynchronous=False)
    kafka.crash(member.consumer)
    again = Member(kafka, "b", [topic], conf={"session.timeout.ms": 2000})
    kafka.note("next delivered", offsets(again.take(5)))


@script()
def auto_commit_at_close(kafka: Kafka) -> None:
    """With enable.auto.commit close() commits what poll has returned, whether it was handled or not."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic], conf={"enable.auto.commit": True})
    member.take(4)
    kafka.note("committed before close", committed(kafka, member.consumer, topic))
    member.consumer.close()
    kafka.note("begins again", _begin_again(kafka, topic, 6))


@script()
def no_auto_commit_at_close(kafka: Kafka) -> None:
    """Without enable.auto.commit close() commits nothing: the group begins where it began."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 4))
    member = Member(kafka, "a", [topic])
    member.take(4)
    member.consumer.close()
    kafka.note("begins again", _begin_again(kafka, topic, 5))


@script(needs="settings")
def auto_commit_on_the_interval(kafka: Kafka) -> None:
    """Every auto.commit.interval.ms the position is committed; what was read after the last one is delivered again."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    conf = {"enable.auto.commit": True, "auto.commit.interval.ms": 500, "session.timeout.ms": 2000}
    member = Member(kafka, "a", [topic], conf=conf)
    member.take(10)
    member.idle(1.5)
    kafka.note("committed", committed(kafka, member.consumer, topic))
    send(kafka, topic, numbers(10, 12))
    slow = {"auto.commit.interval.ms": 60_000, "enable.auto.commit": True, "session.timeout.ms": 2000}
    kafka.crash(member.consumer)
    second = Member(kafka, "b", [topic], conf=slow)
    kafka.note("second reads", offsets(second.take(3)))
    kafka.crash(second.consumer)
    third = Member(kafka, "c", [topic], conf=slow)
    kafka.note("third reads", offsets(third.take(3)))


@script(needs="settings")
def reset_of_a_new_group(kafka: Kafka) -> None:
    """Without a committed offset auto.offset.reset decides: earliest, latest, or an error."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 4))
    for policy in ("earliest", "latest", "error"):
        member = Member(kafka, "a", [topic], group=policy, conf={"auto.offset.reset": policy})
        member.idle(3)
        send(kafka, topic, [f"after {policy}"])
        member.idle(2)
        kafka.note(f"{policy}: read", values(member.read))
        kafka.note(f"{policy}: errors", sorted(set(member.errors)))
        member.consumer.close()


@script(needs="settings")
def reset_of_an_offset_out_of_range(kafka: Kafka) -> None:
    """A committed offset past the end is out of range, and auto.offset.reset decides as for a new group."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 4))
    for policy in ("earliest", "latest", "error"):
        consumer = reader(kafka, {"auto.offset.reset": policy, "enable.partition.eof": False}, group=policy)
        consumer.commit(offsets=[kafka.TopicPartition(topic, 0, 500)], asynchronous=False)
        consumer.close()
        member = Member(kafka, "a", [topic], group=policy, conf={"auto.offset.reset": policy})
        member.idle(3)
        kafka.note(f"{policy}: read", values(member.read))
        kafka.note(f"{policy}: errors", sorted(set(member.errors)))
        member.consumer.close()
