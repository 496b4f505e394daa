"""Members that are evicted, fenced or static, in the classic protocol."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Member, committed, create, error_of, numbers, offsets, send, settle

RANGE = {"partition.assignment.strategy": "range"}


@script(needs="settings")
def session_timeout_evicts(kafka: Kafka) -> None:
    """A member that sends no heartbeat for session.timeout.ms is evicted: its uncommitted records go to the others."""
    topic = create(kafka, "orders", 2)
    conf = {**RANGE, "session.timeout.ms": 2000}
    members = [Member(kafka, "a", [topic], conf=conf)]
    settle(kafka, members, 2)
    members.append(Member(kafka, "b", [topic], conf=conf))
    settle(kafka, members, 2)
    send(kafka, topic, numbers(0, 4), partition=1)
    first, second = members
    second.take(5)
    second.consumer.commit(offsets=[kafka.TopicPartition(topic, 1, 2)], asynchronous=False)
    kafka.crash(second.consumer)
    kafka.note("a reads within 1 s", first.idle(1))
    kafka.note("a reads after the timeout", offsets(first.take(3)))


@script(needs="settings")
def poll_interval_evicts(kafka: Kafka) -> None:
    """A member that does not poll for max.poll.interval.ms leaves the group, although its heartbeats go on."""
    topic = create(kafka, "orders", 1)
    send(kafka, topic, numbers(0, 4))
    conf = {**RANGE, "session.timeout.ms": 2000, "max.poll.interval.ms": 3000}
    slow = Member(kafka, "a", [topic], conf=conf)
    kafka.note("a reads", offsets(slow.take(3)))
    kafka.sleep(4.5)
    quick = Member(kafka, "b", [topic], conf=conf)
    kafka.note("b reads", offsets(quick.take(5)))
    kafka.note("a commits", error_of(kafka, lambda: slow.consumer.commit(asynchronous=False)))
    slow.poll(1)
    kafka.note("a is told", slow.errors)
    kafka.note("committed", committed(kafka, quick.consumer, topic))


@script(needs="settings")
def commit_after_eviction(kafka: Kafka) -> None:
    """The commit of an evicted member fails, and what it had handled is delivered again."""
    topic = create(kafka, "orders", 1)
    send(kafka, topic, numbers(0, 4))
    conf = {**RANGE, "session.timeout.ms": 2000, "max.poll.interval.ms": 3000}
    slow = Member(kafka, "a", [topic], conf=conf)
    slow.take(3)
    kafka.sleep(4.5)
    place = [kafka.TopicPartition(topic, 0, 3)]
    kafka.note("a's late commit", error_of(kafka, lambda: slow.consumer.commit(offsets=place, asynchronous=False)))
    quick = Member(kafka, "b", [topic], conf=conf)
    kafka.note("b reads", offsets(quick.take(5)))
    kafka.note("committed", committed(kafka, quick.consumer, topic))


@script(needs="settings")
def an_evicted_member_comes_back(kafka: Kafka) -> None:
    """After a poll an evicted member joins again and goes on at the committed offset."""
    topic = create(kafka, "orders", 1)
    send(kafka, topic, numbers(0, 4))
    conf = {**RANGE, "session.timeout.ms": 2000, "max.poll.interval.ms": 3000}
    member = Member(kafka, "a", [topic], conf=conf)
    member.take(3)
    kafka.sleep(4.5)
    member.read.clear()
    kafka.note("reads again", offsets(member.take(5)))
    kafka.note("is told", [what for what, _ in member.told])
    member.consumer.commit(asynchronous=False)
    kafka.note("committed", committed(kafka, member.consumer, topic))


@script()
def commit_by_a_stranger(kafka: Kafka) -> None:
    """Who is no member cannot commit while the group has members, and can when it is empty."""
    topic = create(kafka, "orders", 1)
    send(kafka, topic, numbers(0, 4))
    member = Member(kafka, "a", [topic])
    member.take(3)
    stranger = kafka.Consumer({"group.id": kafka.name("group")})
    place = [kafka.TopicPartition(topic, 0, 4)]
    kafka.note("with a member", error_of(kafka, lambda: stranger.commit(offsets=place, asynchronous=False)))
    member.consumer.close()
    kafka.note("when empty", error_of(kafka, lambda: stranger.commit(offsets=place, asynchronous=False)))
    kafka.note("committed", committed(kafka, stranger, topic))


@script()
def commit_with_an_old_generation(kafka: Kafka) -> None:
    """A member that has not noticed the rebalance commits with the old generation, while the new one is being made."""
    topic = create(kafka, "orders", 2)
    send(kafka, topic, numbers(0, 2), partition=1)
    first = Member(kafka, "a", [topic], conf=RANGE)
    first.take(3)
    second = Member(kafka, "b", [topic], conf=RANGE)
    second.idle(1.5)
    place = [kafka.TopicPartition(topic, 1, 3)]
    kafka.note("before a polls", error_of(kafka, lambda: first.consumer.commit(offsets=place, asynchronous=False)))
    settle(kafka, [first, second], 2)
    kafka.note("committed", committed(kafka, second.consumer, topic, 1))


@script(needs="settings")
def static_member_returns_in_time(kafka: Kafka) -> None:
    """A static member that restarts within the session timeout gets its old partitions; the other notices nothing."""
    topic = create(kafka, "orders", 4)
    conf = {**RANGE, "session.timeout.ms": 10_000}
    first = Member(kafka, "a", [topic], conf={**conf, "group.instance.id": "one"})
    settle(kafka, [first], 4)
    second = Member(kafka, "b", [topic], conf={**conf, "group.instance.id": "two"})
    kafka.note("before", settle(kafka, [first, second], 4))
    first.drained()
    second.consumer.close()
    first.idle(1)
    again = Member(kafka, "c", [topic], conf={**conf, "group.instance.id": "two"})
    kafka.note("after", settle(kafka, [first, again], 4))
    kafka.note("a was told", first.drained())


@script(needs="settings")
def static_member_stays_away(kafka: Kafka) -> None:
    """A static member that closes keeps its partitions until the session timeout, then the others get them."""
    topic = create(kafka, "orders", 4)
    conf = {**RANGE, "session.timeout.ms": 4000}
    first = Member(kafka, "a", [topic], conf={**conf, "group.instance.id": "one"})
    settle(kafka, [first], 4)
    second = Member(kafka, "b", [topic], conf={**conf, "group.instance.id": "two"})
    settle(kafka, [first, second], 4)
    second.consumer.close()
    first.idle(2)
    kafka.note("after 2 s", first.holds())
    kafka.note("after the timeout", settle(kafka, [first], 4))


@script()
def static_member_is_fenced(kafka: Kafka) -> None:
    """A second consumer with the same group.instance.id takes the place; the first one is fenced for good."""
    topic = create(kafka, "orders", 2)
    conf = {**RANGE, "group.instance.id": "one"}
    first = Member(kafka, "a", [topic], conf=conf)
    settle(kafka, [first], 2)
    second = Member(kafka, "b", [topic], conf=conf)
    kafka.note("the second one holds", settle(kafka, [second], 2))
    first.idle(2)
    kafka.note("the first one is told", sorted(set(first.errors)))


@script()
def static_members_are_ordered_by_instance(kafka: Kafka) -> None:
    """range sorts static members by group.instance.id: the instance first in order gets the larger share."""
    topic = create(kafka, "orders", 3)
    first = Member(kafka, "a", [topic], conf={**RANGE, "group.instance.id": "instance-2"})
    settle(kafka, [first], 3)
    second = Member(kafka, "b", [topic], conf={**RANGE, "group.instance.id": "instance-1"})
    kafka.note("holdings", settle(kafka, [first, second], 3))


@script()
def strategies_that_do_not_match(kafka: Kafka) -> None:
    """A member that offers no strategy which all the others know is refused."""
    topic = create(kafka, "orders", 2)
    first = Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "range"})
    settle(kafka, [first], 2)
    second = Member(kafka, "b", [topic], conf={"partition.assignment.strategy": "roundrobin"})
    for _ in range(40):
        first.poll()
        second.poll()
    kafka.note("b is told", sorted(set(second.errors)))
    kafka.note("a holds", first.holds())


@script()
def the_strategy_that_all_know_is_taken(kafka: Kafka) -> None:
    """The first member offers range and roundrobin, the second only roundrobin: the group takes roundrobin."""
    topics = [create(kafka, "orders", 3), create(kafka, "payments", 3)]
    first = Member(kafka, "a", topics, conf={"partition.assignment.strategy": "range,roundrobin"})
    kafka.note("a alone", settle(kafka, [first], 6))
    second = Member(kafka, "b", topics, conf={"partition.assignment.strategy": "roundrobin"})
    kafka.note("both", settle(kafka, [first, second], 6))


@script(needs="settings")
def a_session_timeout_out_of_bounds(kafka: Kafka) -> None:
    """A session timeout below group.min.session.timeout.ms is refused when the member joins."""
    topic = create(kafka, "orders", 1)
    member = Member(kafka, "a", [topic], conf={"session.timeout.ms": 400, "heartbeat.interval.ms": 100})
    member.idle(2)
    kafka.note("is told", sorted(set(member.errors)))
