"""Partitions are divided as the real assignors divide them (K01, K03-K12), and never lost or shared."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka.assignors import Assignment, TopicPartition, assign, cooperative_rounds

Key = TypeVar("Key")
Value = TypeVar("Value")

STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")
STICKY = ("sticky", "cooperative-sticky")


def partitions(text: str) -> list[TopicPartition]:
    """ "t0p1 t2p0" -> [("t0", 1), ("t2", 0)]"""
    return [(name.split("p")[0], int(name.split("p")[1])) for name in text.split()]


def reads(**by_member: str) -> Assignment:
    return {member: partitions(text) for member, text in by_member.items()}


def sets(assignment: Mapping[str, list[TopicPartition]]) -> dict[str, set[TopicPartition]]:
    return {member: set(mine) for member, mine in assignment.items()}


def all_read(members: str, topics: str) -> dict[str, list[str]]:
    return {member: topics.split() for member in members.split()}


def test_range_gives_the_first_members_the_remainder_of_every_topic() -> None:  # K01
    expected = reads(C0="t0p0 t0p1 t1p0 t1p1", C1="t0p2 t1p2")
    assert assign("range", ["C0", "C1"], {"t0": 3, "t1": 3}, all_read("C0 C1", "t0 t1")) == expected


@pytest.mark.parametrize(
    ("count", "members", "lengths"), [(1, 2, [1, 0]), (6, 8, [1, 1, 1, 1, 1, 1, 0, 0])]
)
def test_range_leaves_members_beyond_the_partitions_idle(
    count: int, members: int, lengths: list[int]
) -> None:  # K03
    names = [f"consumer{number}" for number in range(1, members + 1)]
    assignment = assign("range", names, {"t0": count}, {name: ["t0"] for name in names})
    assert [len(assignment[name]) for name in names] == lengths


def test_range_gives_a_topic_only_to_its_subscribers() -> None:  # K04
    subscriptions = {"consumer1": ["topic1"], "consumer2": ["topic1", "topic2"], "consumer3": ["topic1"]}
    assert assign("range", list(subscriptions), {"topic1": 3, "topic2": 2}, subscriptions) == {
        "consumer1": [("topic1", 0)],
        "consumer2": [("topic1", 1), ("topic2", 0), ("topic2", 1)],
        "consumer3": [("topic1", 2)],
    }


def test_static_members_come_in_the_order_of_their_instance_ids() -> None:  # K05
    members = {"consumer-b": "instance1", "consumer-a": "instance2"}
    subscriptions = all_read("consumer-a consumer-b", "t1 t2")
    assert assign("range", members, {"t1": 3, "t2": 3}, subscriptions) == {
        "consumer-b": partitions("t1p0 t1p1 t2p0 t2p1"),
        "consumer-a": partitions("t1p2 t2p2"),
    }


def test_static_members_come_before_dynamic_ones() -> None:
    members = {"a-dynamic": None, "z-static": "instance1"}
    assignment = assign("range", members, {"t0": 1}, all_read("a-dynamic z-static", "t0"))
    assert assignment == {"a-dynamic": [], "z-static": partitions("t0p0")}


def test_roundrobin_deals_partitions_like_cards() -> None:  # K06
    expected = reads(C0="t0p0 t0p2 t1p1", C1="t0p1 t1p0 t1p2")
    assert assign("roundrobin", ["C0", "C1"], {"t0": 3, "t1": 3}, all_read("C0 C1", "t0 t1")) == expected


UNEQUAL = {"C0": ["t0"], "C1": ["t0", "t1"], "C2": ["t0", "t1", "t2"]}
ONE_TWO_THREE = {"t0": 1, "t1": 2, "t2": 3}


def test_roundrobin_is_uneven_with_unequal_subscriptions() -> None:  # K07
    expected = reads(C0="t0p0", C1="t1p0", C2="t1p1 t2p0 t2p1 t2p2")
    assert assign("roundrobin", list(UNEQUAL), ONE_TWO_THREE, UNEQUAL) == expected


EIGHT = {"t0": 2, "t1": 2, "t2": 2, "t3": 2}
EIGHT_AMONG_THREE = reads(C0="t0p0 t1p1 t3p0", C1="t0p1 t2p0 t3p1", C2="t1p0 t2p1")


def test_roundrobin_moves_much_when_a_member_leaves() -> None:  # K08
    before = assign("roundrobin", ["C0", "C1", "C2"], EIGHT, all_read("C0 C1 C2", "t0 t1 t2 t3"))
    after = assign("roundrobin", ["C0", "C2"], EIGHT, all_read("C0 C2", "t0 t1 t2 t3"), before)
    assert before == EIGHT_AMONG_THREE
    assert after == reads(C0="t0p0 t1p0 t2p0 t3p0", C2="t0p1 t1p1 t2p1 t3p1")


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("sticky", reads(C0="t0p0 t1p1 t3p0 t2p0", C2="t1p0 t2p1 t0p1 t3p1")),  # K09, the javadoc
        ("cooperative-sticky", reads(C0="t0p0 t1p1 t3p0 t0p1", C2="t1p0 t2p1 t2p0 t3p1")),  # the Java class
    ],
)
def test_sticky_moves_only_the_partitions_of_the_member_that_left(
    strategy: str, expected: Assignment
) -> None:
    before = assign(strategy, ["C0", "C1", "C2"], EIGHT, all_read("C0 C1 C2", "t0 t1 t2 t3"))
    after = assign(strategy, ["C0", "C2"], EIGHT, all_read("C0 C2", "t0 t1 t2 t3"), before)
    assert before == EIGHT_AMONG_THREE
    assert sets(after) == sets(expected)
    assert all(set(before[member]) <= set(after[member]) for member in after)


@pytest.mark.parametrize("strategy", STICKY)
def test_sticky_is_even_with_unequal_subscriptions(strategy: str) -> None:  # K10
    before = assign(strategy, list(UNEQUAL), ONE_TWO_THREE, UNEQUAL)
    after = assign(strategy, ["C1", "C2"], ONE_TWO_THREE, UNEQUAL, before)
    assert before == reads(C0="t0p0", C1="t1p0 t1p1", C2="t2p0 t2p1 t2p2")
    assert after == reads(C1="t1p0 t1p1 t0p0", C2="t2p0 t2p1 t2p2")


@pytest.mark.parametrize("strategy", STICKY)
def test_sticky_when_two_members_come_and_two_go(strategy: str) -> None:  # K12
    counts = {"t1": 3, "t2": 4}
    start = assign(strategy, ["1", "2"], counts, all_read("1 2", "t1 t2"))
    more = assign(strategy, ["1", "2", "3", "4"], counts, all_read("1 2 3 4", "t1 t2"), start)
    fewer = assign(strategy, ["3", "4"], counts, all_read("3 4", "t1 t2"), more)
    assert start == {"1": partitions("t1p0 t1p2 t2p1 t2p3"), "2": partitions("t1p1 t2p0 t2p2")}
    assert more == {
        "1": partitions("t1p0 t2p1"),
        "2": partitions("t2p0 t1p1"),
        "3": partitions("t1p2 t2p3"),
        "4": partitions("t2p2"),
    }
    assert fewer == {"3": partitions("t1p2 t2p3 t1p0 t2p1"), "4": partitions("t2p2 t1p1 t2p0")}


def test_of_two_that_have_one_more_only_one_keeps_it_when_a_third_comes() -> None:
    owned = reads(m1="t1p0 t2p0", m2="t1p1 t2p1")
    after = assign("sticky", ["m1", "m2", "m3"], {"t1": 2, "t2": 2}, all_read("m1 m2 m3", "t1 t2"), owned)
    assert after == reads(m1="t1p0 t2p0", m2="t1p1", m3="t2p1")


@pytest.mark.parametrize(
    ("counts", "subscriptions", "owned", "expected"),
    [
        (  # a partition that few can read counts before those that many can read
            {"t0": 1, "t1": 1},
            {"m0": ["t0", "t1"], "m1": ["t0"], "m2": ["t0", "t1"]},
            reads(m0="t0p0 t1p0"),
            reads(m0="t0p0", m1="", m2="t1p0"),
        ),
        (  # a partition that nobody read yet moves before one that somebody reads
            {"t0": 1, "t1": 4},
            {"m0": ["t1"], "m1": ["t0", "t1"], "m2": ["t0"]},
            reads(m0="t1p1 t1p2"),
            reads(m0="t1p1 t1p2", m1="t1p0 t1p3", m2="t0p0"),
        ),
        (  # two members do not exchange partitions of one topic
            {"t0": 4, "t1": 2},
            {"m0": ["t0", "t1"], "m1": ["t1"], "m2": ["t0"], "m3": ["t1"]},
            reads(m0="t0p1 t0p2 t1p0 t1p1", m2="t0p0"),
            reads(m0="t0p1 t0p2", m1="t1p0", m2="t0p0 t0p3", m3="t1p1"),
        ),
    ],
)
def test_sticky_with_unequal_subscriptions_decides_as_the_java_class(
    counts: dict[str, int], subscriptions: dict[str, list[str]], owned: Assignment, expected: Assignment
) -> None:
    assert sets(assign("sticky", list(subscriptions), counts, subscriptions, owned)) == sets(expected)


def test_cooperative_stops_only_what_moves() -> None:
    counts = {"t1": 3, "t2": 4}
    owned = {"1": partitions("t1p0 t1p2 t2p1 t2p3"), "2": partitions("t1p1 t2p0 t2p2")}
    target = assign("cooperative-sticky", "1234", counts, all_read("1 2 3 4", "t1 t2"), owned)
    revoked, first, second = cooperative_rounds(owned, target)
    assert sets(revoked) == sets({"1": partitions("t1p2 t2p3"), "2": partitions("t2p2"), "3": [], "4": []})
    assert first == {"1": partitions("t1p0 t2p1"), "2": partitions("t2p0 t1p1"), "3": [], "4": []}
    assert second == target


def test_cooperative_needs_one_round_when_a_member_has_left() -> None:
    owned = reads(C0="t0p0", C2="t0p2")
    target = assign("cooperative-sticky", ["C0", "C2"], {"t0": 3}, all_read("C0 C2", "t0"), owned)
    assert cooperative_rounds(owned, target) == ({"C0": [], "C2": []}, target, target)


def test_a_partition_that_two_members_claim_is_given_anew() -> None:
    owned = reads(consumer1="tp0 tp1", consumer2="tp0 tp2", consumer3="")
    target = assign("sticky", list(owned), {"t": 3}, {member: ["t"] for member in owned}, owned)
    assert target == reads(consumer1="tp1", consumer2="tp2", consumer3="tp0")


def test_topics_that_are_missing_or_unread_are_left_out() -> None:
    for strategy in STRATEGIES:
        assert assign(strategy, ["A"], {"read": 1, "unread": 2}, {"A": ["read", "missing"]}) == {
            "A": [("read", 0)]
        }
        assert assign(strategy, [], {"t": 3}, {}) == {}


TOPICS = [f"t{number}" for number in range(5)]
MEMBERS = [f"m{number}" for number in range(7)]
counts_of_topics = st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 9))
some_members = st.sets(st.sampled_from(MEMBERS), min_size=1)
strategies = st.sampled_from(STRATEGIES)
sticky_strategies = st.sampled_from(STICKY)
subscriptions_of_all = st.fixed_dictionaries(
    {member: st.sets(st.sampled_from(TOPICS)) for member in MEMBERS}
)


def owners_by_chance(random: Random, share: float) -> dict[TopicPartition, str]:
    """Some partitions in the hands of some members, as another strategy or membership left them."""
    everything = [(topic, partition) for topic in TOPICS for partition in range(10)]
    return {partition: random.choice(MEMBERS) for partition in everything if random.random() < share}


owners = st.builds(owners_by_chance, st.randoms(use_true_random=False), st.sampled_from([0.0, 0.3, 0.9]))


def owned_by(owner: Mapping[TopicPartition, str]) -> Assignment:
    owned: Assignment = {member: [] for member in MEMBERS}
    for partition, member in owner.items():
        owned[member].append(partition)
    return owned


@given(strategies, some_members, counts_of_topics, subscriptions_of_all, owners)
def test_every_partition_goes_to_exactly_one_subscriber(
    strategy: str,
    members: set[str],
    counts: dict[str, int],
    subscriptions: dict[str, set[str]],
    owner: dict[TopicPartition, str],
) -> None:
    assignment = assign(strategy, members, counts, subscriptions, owned_by(owner))
    read = [partition for mine in assignment.values() for partition in mine]
    wanted = set().union(*(subscriptions[member] for member in members))
    assert assignment.keys() == members
    assert sorted(read) == sorted((t, p) for t, count in counts.items() if t in wanted for p in range(count))
    assert all(topic in subscriptions[member] for member, mine in assignment.items() for topic, _ in mine)


@given(st.sampled_from(["roundrobin", *STICKY]), some_members, counts_of_topics, owners)
def test_equal_subscriptions_are_balanced_within_one(
    strategy: str, members: set[str], counts: dict[str, int], owner: dict[TopicPartition, str]
) -> None:
    assignment = assign(strategy, members, counts, dict.fromkeys(members, TOPICS), owned_by(owner))
    lengths = [len(mine) for mine in assignment.values()]
    assert max(lengths) - min(lengths) <= 1


@given(some_members, counts_of_topics)
def test_range_is_balanced_within_one_in_each_topic(members: set[str], counts: dict[str, int]) -> None:
    assignment = assign("range", members, counts, dict.fromkeys(members, TOPICS))
    for topic in counts:
        lengths = [sum(name == topic for name, _ in assignment[member]) for member in sorted(members)]
        assert max(lengths) - min(lengths) <= 1
        assert lengths == sorted(lengths, reverse=True)


@given(sticky_strategies, some_members, counts_of_topics, subscriptions_of_all, owners)
def test_sticky_leaves_no_partition_that_a_less_laden_member_could_have(
    strategy: str,
    members: set[str],
    counts: dict[str, int],
    subscriptions: dict[str, set[str]],
    owner: dict[TopicPartition, str],
) -> None:
    assignment = assign(strategy, members, counts, subscriptions, owned_by(owner))
    for mine in assignment.values():
        for topic, _ in mine:
            others = [len(assignment[member]) for member in members if topic in subscriptions[member]]
            assert len(mine) <= min(others) + 1


@given(sticky_strategies, some_members, counts_of_topics, owners)
def test_sticky_moves_as_few_as_any_balanced_assignment(
    strategy: str, members: set[str], counts: dict[str, int], owner: dict[TopicPartition, str]
) -> None:
    owned = owned_by(owner)
    assignment = assign(strategy, members, counts, dict.fromkeys(members, TOPICS), owned)
    least, longer = divmod(sum(counts.values()), len(members))
    had = [sum(p < counts.get(t, 0) for t, p in owned[member]) for member in members]
    most_kept = sum(min(number, least) for number in had) + min(longer, sum(n > least for n in had))
    assert sum(len(set(mine) & set(owned[member])) for member, mine in assignment.items()) == most_kept


@given(sticky_strategies, st.sets(st.sampled_from(MEMBERS), min_size=2), counts_of_topics)
def test_sticky_keeps_what_the_remaining_members_have(
    strategy: str, members: set[str], counts: dict[str, int]
) -> None:
    before = assign(strategy, members, counts, dict.fromkeys(members, TOPICS))
    remaining = members - {min(members)}
    after = assign(strategy, remaining, counts, dict.fromkeys(members, TOPICS), before)
    assert all(set(before[member]) <= set(after[member]) for member in remaining)


@given(strategies, some_members, counts_of_topics, subscriptions_of_all, owners, st.randoms())
def test_the_order_of_the_arguments_is_of_no_consequence(
    strategy: str,
    members: set[str],
    counts: dict[str, int],
    subscriptions: dict[str, set[str]],
    owner: dict[TopicPartition, str],
    random: Random,
) -> None:
    def shuffled(table: Mapping[Key, Value]) -> dict[Key, Value]:
        items = list(table.items())
        random.shuffle(items)
        return dict(items)

    one = assign(strategy, sorted(members), counts, subscriptions, owned_by(owner))
    mixed = shuffled(dict.fromkeys(members))
    other = assign(
        strategy, mixed, shuffled(counts), shuffled(subscriptions), shuffled(owned_by(shuffled(owner)))
    )
    assert sets(one) == sets(other)


@given(some_members, counts_of_topics, subscriptions_of_all, owners)
def test_cooperative_rounds_give_nothing_away_before_it_is_released(
    members: set[str],
    counts: dict[str, int],
    subscriptions: dict[str, set[str]],
    owner: dict[TopicPartition, str],
) -> None:
    owned = {member: mine for member, mine in owned_by(owner).items() if member in members}
    target = assign("cooperative-sticky", members, counts, subscriptions, owned)
    revoked, first, second = cooperative_rounds(owned, target)
    assert second == target
    for member in members:
        assert set(owned[member]) & set(target[member]) <= set(first[member]) <= set(target[member])
        for other in members - {member}:
            assert not set(first[member]) & set(owned[other])
    if not any(revoked.values()):
        assert first == second


@given(some_members, counts_of_topics, owners)
def test_the_second_cooperative_round_is_the_last(
    members: set[str], counts: dict[str, int], owner: dict[TopicPartition, str]
) -> None:
    owned = {member: mine for member, mine in owned_by(owner).items() if member in members}
    everything = dict.fromkeys(members, TOPICS)
    target = assign("cooperative-sticky", members, counts, everything, owned)
    _, first, _ = cooperative_rounds(owned, target)
    last = assign("cooperative-sticky", members, counts, everything, first)
    # What was released may go to another member than was planned, also the one partition more that some have, since
    # the second round counts from what each has by then; but nobody lets go of anything again.
    assert all(set(first[member]) <= set(last[member]) for member in members)
    assert sorted(map(len, last.values())) == sorted(len(target[member]) for member in members)
