"""The consumer protocol (group.protocol=consumer): the broker assigns, and there is no barrier."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Member, committed, create, error_of, numbers, offsets, send, settle


def _comings_and_goings(kafka: Kafka, assignor: str, dies: bool) -> None:
    topics = [create(kafka, "orders", 4), create(kafka, "payments", 3)]
    conf = {"group.protocol": "consumer", "group.remote.assignor": assignor}
    members: list[Member] = []
    for name in "abc":
        members.append(Member(kafka, name, topics, conf=conf))
        holding = settle(kafka, members, 7, calm_s=1.0)
        kafka.note(f"{name} joined, shares", sorted(len(mine) for mine in holding.values()))
        if assignor == "range":
            # uniform takes what moves in the order of the topics' random ids.
            kafka.note(f"{name} joined, by topic", _by_topic(holding))
    before = settle(kafka, members, 7)
    gone = members.pop(1)
    if dies:
        kafka.crash(gone.consumer)
    else:
        gone.consumer.close()
    after = settle(kafka, members, 7, calm_s=1.0)
    kafka.note("after b, shares", sorted(len(mine) for mine in after.values()))
    if assignor == "uniform":
        # range goes by the order of the member ids, which are random.
        kafka.note("the others keep", all(set(before[name]) <= set(mine) for name, mine in after.items()))


def _by_topic(holding: dict[str, list[str]]) -> dict[str, list[int]]:
    """How many partitions of each topic the members have, in ascending order: member ids are random."""
    topics = sorted({each.rpartition("-")[0] for mine in holding.values() for each in mine})
    return {
        topic: sorted(sum(each.rpartition("-")[0] == topic for each in mine) for mine in holding.values())
        for topic in topics
    }


@script(needs="settings")
def uniform_join_and_leave(kafka: Kafka) -> None:
    """uniform: even shares over all topics, and who stays keeps what it has."""
    _comings_and_goings(kafka, "uniform", dies=False)


@script(needs="settings")
def uniform_member_dies(kafka: Kafka) -> None:
    """uniform: a dead member is noticed after group.consumer.session.timeout.ms, and who stays keeps what it has."""
    _comings_and_goings(kafka, "uniform", dies=True)


@script(needs="settings")
def server_range_join_and_leave(kafka: Kafka) -> None:
    """The broker's range assignor: a contiguous share of each topic."""
    _comings_and_goings(kafka, "range", dies=False)


@script(needs="settings")
def server_range_member_dies(kafka: Kafka) -> None:
    """The broker's range assignor after a death."""
    _comings_and_goings(kafka, "range", dies=True)


@script(needs="settings")
def no_barrier(kafka: Kafka) -> None:
    """When b joins, a gives up only what b gets; what a keeps is never revoked."""
    topic = create(kafka, "orders", 4)
    conf = {"group.protocol": "consumer", "group.remote.assignor": "uniform"}
    first = Member(kafka, "a", [topic], conf=conf)
    settle(kafka, [first], 4)
    first.drained()
    second = Member(kafka, "b", [topic], conf=conf)
    settle(kafka, [first, second], 4, calm_s=1.0)
    revoked = [each for what, parts in first.drained() if what == "revoked" for each in parts]
    kafka.note("revoked from a", len(revoked))
    kafka.note("b has exactly these", sorted(revoked) == second.holds())


@script(needs="settings")
def more_server_members_than_partitions(kafka: Kafka) -> None:
    """Three members of a topic with two partitions under the consumer protocol: one has nothing to read."""
    topic = create(kafka, "orders", 2)
    conf = {"group.protocol": "consumer", "group.remote.assignor": "uniform"}
    members: list[Member] = []
    for name in "abc":
        members.append(Member(kafka, name, [topic], conf=conf))
        holding = settle(kafka, members, 2, calm_s=1.5) if name != "c" else _calm(members, 2.5)
    kafka.note("shares", sorted(len(mine) for mine in holding.values()))


def _calm(members: list[Member], seconds: float) -> dict[str, list[str]]:
    for _ in range(int(seconds / 0.05 / len(members))):
        for member in members:
            member.poll()
    return {member.name: member.holds() for member in members}


@script(needs="settings")
def server_group_commits(kafka: Kafka) -> None:
    """Commits work alike under the consumer protocol: the next member begins at the committed offset."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    conf = {"group.protocol": "consumer"}
    first = Member(kafka, "a", [topic], conf=conf)
    first.take(4)
    first.consumer.commit(asynchronous=False)
    kafka.note("committed", committed(kafka, first.consumer, topic))
    first.consumer.close()
    kafka.note("begins again", offsets(Member(kafka, "b", [topic], conf=conf).take(6)))


@script(needs="settings")
def server_group_poll_interval(kafka: Kafka) -> None:
    """Under the consumer protocol too, a member that does not poll for max.poll.interval.ms loses its partitions."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 4))
    conf = {"group.protocol": "consumer", "max.poll.interval.ms": 3000}
    slow = Member(kafka, "a", [topic], conf=conf)
    slow.take(3)
    kafka.sleep(4.5)
    quick = Member(kafka, "b", [topic], conf=conf)
    kafka.note("b reads", offsets(quick.take(5)))
    place = [kafka.TopicPartition(topic, 0, 3)]
    kafka.note("a's late commit", error_of(kafka, lambda: slow.consumer.commit(offsets=place, asynchronous=False)))
    kafka.note("committed", committed(kafka, quick.consumer, topic))


@script(needs="settings")
def server_static_member_returns(kafka: Kafka) -> None:
    """A static member of the consumer protocol that comes back in time has its partitions again."""
    topic = create(kafka, "orders", 4)
    conf = {"group.protocol": "consumer", "group.remote.assignor": "uniform"}
    first = Member(kafka, "a", [topic], conf={**conf, "group.instance.id": "one"})
    settle(kafka, [first], 4)
    second = Member(kafka, "b", [topic], conf={**conf, "group.instance.id": "two"})
    before = settle(kafka, [first, second], 4, calm_s=1.0)
    second.consumer.close()
    first.idle(1)
    kafka.note("while b is away a keeps its own", first.holds() == before["a"])
    again = Member(kafka, "b", [topic], conf={**conf, "group.instance.id": "two"})
    after = settle(kafka, [first, again], 4, calm_s=1.0)
    kafka.note("all as before", after == before)


@script(needs="settings")
def classic_and_server_members_mix(kafka: Kafka) -> None:
    """A group of classic members is converted when the first member of the consumer protocol joins."""
    topic = create(kafka, "orders", 4)
    first = Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "cooperative-sticky"})
    settle(kafka, [first], 4)
    second = Member(kafka, "b", [topic], conf={"group.protocol": "consumer"})
    holding = settle(kafka, [first, second], 4, calm_s=1.0)
    kafka.note("shares", sorted(len(mine) for mine in holding.values()))
