"""The classic group protocol: who gets which partition when members join, leave and die."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Member, create, numbers, offsets, send, settle, values

SHORT = {"session.timeout.ms": 2000}


def _comings_and_goings(kafka: Kafka, strategy: str, dies: bool) -> None:
    """Members a, b, c join one by one, then b leaves or dies: the holdings after each step.

    Who gets which partitions is the client's affair: librdkafka's cooperative-sticky takes the first ones from who has
    too many, Java's the last ones. How many everybody has, and how many it keeps, is the same.
    """
    topics = [create(kafka, "orders", 4), create(kafka, "payments", 3)]
    conf = {"partition.assignment.strategy": strategy, **(SHORT if dies else {})}
    members: list[Member] = []
    before: dict[str, list[str]] = {}
    for name in "abc":
        members.append(Member(kafka, name, topics, conf=conf))
        before = _noted(kafka, f"{name} joined", before, settle(kafka, members, 7))
    gone = members.pop(1)
    if dies:
        kafka.crash(gone.consumer)
    else:
        gone.consumer.close()
    _noted(kafka, "b died" if dies else "b left", before, settle(kafka, members, 7))


def _noted(kafka: Kafka, label: str, before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """Note who holds what, how many, and how many of them already before."""
    kafka.note(label, after)
    kafka.note(f"{label}: shares", sorted(len(mine) for mine in after.values()))
    kafka.note(f"{label}: kept", sum(len(set(before.get(name, ())) & set(mine)) for name, mine in after.items()))
    return after


@script()
def range_join_and_leave(kafka: Kafka) -> None:
    """range: topic by topic a contiguous share; the first members get the remainder of every topic."""
    _comings_and_goings(kafka, "range", dies=False)


@script()
def roundrobin_join_and_leave(kafka: Kafka) -> None:
    """roundrobin: all partitions of all topics are dealt like cards."""
    _comings_and_goings(kafka, "roundrobin", dies=False)


@script()
def cooperative_sticky_join_and_leave(kafka: Kafka) -> None:
    """cooperative-sticky: everybody keeps what it has as far as the shares are even."""
    _comings_and_goings(kafka, "cooperative-sticky", dies=False)


@script(needs="settings")
def range_member_dies(kafka: Kafka) -> None:
    """range: a member that dies is noticed after the session timeout, and the others share its partitions."""
    _comings_and_goings(kafka, "range", dies=True)


@script(needs="settings")
def roundrobin_member_dies(kafka: Kafka) -> None:
    """roundrobin: a member that dies is noticed after the session timeout, and all partitions are dealt again."""
    _comings_and_goings(kafka, "roundrobin", dies=True)


@script(needs="settings")
def cooperative_sticky_member_dies(kafka: Kafka) -> None:
    """cooperative-sticky: after a death the others keep what they have and get the dead member's partitions."""
    _comings_and_goings(kafka, "cooperative-sticky", dies=True)


@script()
def eager_revokes_everything(kafka: Kafka) -> None:
    """Eager: when b joins, a gives up all its partitions before it gets its share."""
    topic = create(kafka, "orders", 4)
    first = Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "range"})
    settle(kafka, [first], 4)
    kafka.note("a alone", first.drained())
    second = Member(kafka, "b", [topic], conf={"partition.assignment.strategy": "range"})
    settle(kafka, [first, second], 4)
    kafka.note("a when b joins", first.drained())
    kafka.note("b", second.drained())
    second.consumer.close()
    kafka.note("b closing", second.drained())
    settle(kafka, [first], 4)
    kafka.note("a when b has left", first.drained())


@script()
def cooperative_revokes_only_what_moves(kafka: Kafka) -> None:
    """Cooperative: when b joins, a gives up only what b gets, and reads the rest on."""
    topic = create(kafka, "orders", 4)
    first = Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "cooperative-sticky"})
    settle(kafka, [first], 4)
    kafka.note("a alone", first.drained())
    second = Member(kafka, "b", [topic], conf={"partition.assignment.strategy": "cooperative-sticky"})
    settle(kafka, [first, second], 4)
    revoked = [parts for what, parts in first.drained() if what == "revoked" and parts]
    given = [parts for what, parts in second.drained() if what == "assigned" and parts]
    kafka.note("a is told to give up", revoked)
    kafka.note("so many", [len(parts) for parts in revoked])
    kafka.note("b is given these", given == revoked)
    second.consumer.close()
    settle(kafka, [first], 4)
    again = [[what, parts] for what, parts in first.drained() if parts]
    kafka.note("a gets them back when b has left", again == [["assigned", *revoked]])


@script()
def more_members_than_partitions(kafka: Kafka) -> None:
    """Five members of a topic with three partitions: two have nothing to read."""
    topic = create(kafka, "orders", 3)
    members: list[Member] = []
    for name in "abcde":
        members.append(Member(kafka, name, [topic], conf={"partition.assignment.strategy": "range"}))
        settle(kafka, members, 3)
    kafka.note("holdings", settle(kafka, members, 3, calm_s=1.5))


@script()
def two_groups_are_independent(kafka: Kafka) -> None:
    """Each of two groups gets all 100 records."""
    topic = create(kafka, "orders", 4)
    for number in range(100):
        send(kafka, topic, [f"r{number}"], key=f"customer-{number}")
    for group in ("payment", "shipping"):
        member = Member(kafka, group, [topic], group=group)
        kafka.note(group, len(set(values(member.take(100)))))


@script()
def one_group_of_two_shares(kafka: Kafka) -> None:
    """The two members of one group get the 100 records once in all, each its partitions' share."""
    topic = create(kafka, "orders", 4)
    members = [Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "range"})]
    settle(kafka, members, 4)
    members.append(Member(kafka, "b", [topic], conf={"partition.assignment.strategy": "range"}))
    settle(kafka, members, 4)
    send_all = [(f"r{number}", f"customer-{number}") for number in range(100)]
    for value, key in send_all:
        send(kafka, topic, [value], key=key)
    for _ in range(200):
        for member in members:
            member.poll(0.02)
        if sum(len(member.read) for member in members) >= 100:
            break
    kafka.note("by member", {member.name: len(member.read) for member in members})
    kafka.note("different records", len({value for member in members for value in values(member.read)}))


@script()
def adding_partitions_reaches_the_group(kafka: Kafka) -> None:
    """When a topic grows, the group notices at the next metadata refresh and shares the new partitions too."""
    topic = create(kafka, "orders", 2)
    member = Member(kafka, "a", [topic], conf={"topic.metadata.refresh.interval.ms": 500})
    kafka.note("before", settle(kafka, [member], 2))
    kafka.AdminClient({}).create_partitions([kafka.NewPartitions(topic, 5)])[topic].result()
    kafka.note("after", settle(kafka, [member], 5))


@script()
def members_with_different_topics(kafka: Kafka) -> None:
    """range with mixed subscriptions: a topic is divided among those who subscribed to it."""
    orders, payments = create(kafka, "orders", 3), create(kafka, "payments", 2)
    members = []
    for name, topics in (("a", [orders]), ("b", [orders, payments]), ("c", [orders])):
        members.append(Member(kafka, name, topics, conf={"partition.assignment.strategy": "range"}))
        settle(kafka, members, 3 if name == "a" else 5)
    kafka.note("holdings", settle(kafka, members, 5))


@script()
def a_change_of_subscription(kafka: Kafka) -> None:
    """A member that subscribes to another topic gives up the old one and gets the new one."""
    orders, payments = create(kafka, "orders", 2), create(kafka, "payments", 3)
    member = Member(kafka, "a", [orders])
    kafka.note("before", settle(kafka, [member], 2))
    member.consumer.subscribe([payments])
    kafka.note("after", settle(kafka, [member], 3))
    member.consumer.unsubscribe()
    member.idle(1)
    kafka.note("unsubscribed", member.holds())


@script()
def the_group_goes_on_where_the_leaver_stopped(kafka: Kafka) -> None:
    """After b has committed and left, a goes on at b's committed offset."""
    topic = create(kafka, "orders", 2)
    members = [Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "range"})]
    settle(kafka, members, 2)
    members.append(Member(kafka, "b", [topic], conf={"partition.assignment.strategy": "range"}))
    settle(kafka, members, 2)
    send(kafka, topic, numbers(0, 5), partition=1)
    first, second = members
    second.take(4)
    second.consumer.commit(asynchronous=False)
    second.consumer.close()
    for _ in range(200):
        first.poll()
        if len(first.read) >= 2:
            break
    kafka.note("a reads of b's partition", [[each.partition(), each.offset()] for each in first.read])


@script()
def a_rebalance_without_commit_repeats(kafka: Kafka) -> None:
    """When a partition moves before its reader has committed, the new reader gets the records again."""
    topic = create(kafka, "orders", 2)
    send(kafka, topic, numbers(0, 4), partition=1)
    first = Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "range"})
    kafka.note("a read", offsets(first.take(5)))
    second = Member(kafka, "b", [topic], conf={"partition.assignment.strategy": "range"})
    settle(kafka, [first, second], 2)
    for _ in range(200):
        second.poll()
        if len(second.read) >= 5:
            break
    kafka.note("b read", offsets(second.read))


@script()
def a_group_as_its_admin_sees_it(kafka: Kafka) -> None:
    """A group is stable while it has members, empty when they have left, and gone when it is deleted."""
    topic = create(kafka, "orders", 2)
    send(kafka, topic, numbers(0, 3), partition=0)
    member = Member(kafka, "a", [topic], conf={"partition.assignment.strategy": "range"})
    member.take(4)
    member.consumer.commit(asynchronous=False)
    group, admin = kafka.name("group"), kafka.AdminClient({})

    def described() -> list[object]:
        found = admin.describe_consumer_groups([group])[group].result()
        return [found.state.name, len(found.members), found.partition_assignor]

    kafka.note("with a member", described())
    deleting = admin.delete_consumer_groups([group])[group]
    try:
        deleting.result()
    except kafka.KafkaException as error:
        kafka.note("deleting it", error.args[0].name())
    member.consumer.close()
    kafka.note("without members", described())
    admin.delete_consumer_groups([group])[group].result()
    again = Member(kafka, "b", [topic])
    kafka.note("a new group begins at", offsets(again.take(4)))
