"""The consumer protocol's coordinator without a network: who is told what with which heartbeat."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka.reconciliation import Reconciliation, State
from edasim.brokers.kafka.server_assignors import ASSIGNORS, assign_at_server

ORDERS = ("orders",)


def group(partitions: int = 4, assignor: str = "uniform", topics: Mapping[str, int] | None = None) -> Reconciliation:
    counts = {"orders": partitions} if topics is None else topics
    return Reconciliation(lambda members, subscribed, before: assign_at_server(
        assignor, members, counts, subscribed, before))


def numbers(places: Collection[tuple[str, int]] | None) -> list[int] | None:
    return None if places is None else sorted(number for _, number in places)


def places(*of_orders: int) -> list[tuple[str, int]]:
    return [("orders", number) for number in of_orders]


def test_the_first_member_has_everything_with_its_first_heartbeat() -> None:
    one = group()
    one.join("a", None, ORDERS)
    answer = one.heartbeat("a", ())
    assert (answer.epoch, numbers(answer.assignment)) == (1, [0, 1, 2, 3])
    assert one.heartbeat("a", None).assignment is None


def test_what_moves_is_given_only_after_its_reader_said_that_it_let_go() -> None:
    # CurrentAssignmentBuilder: STABLE to UNREVOKED_PARTITIONS, then to the next epoch; the newcomer is UNRELEASED.
    one = group()
    one.join("a", None, ORDERS)
    one.heartbeat("a", ())
    one.join("b", None, ORDERS)
    newcomer = one.heartbeat("b", ())
    assert (newcomer.epoch, numbers(newcomer.assignment)) == (2, [])
    assert one.seats["b"].state is State.UNRELEASED
    told = one.heartbeat("a", None)
    assert (told.epoch, numbers(told.assignment), one.seats["a"].state) == (1, [0, 1], State.UNREVOKED)
    assert one.heartbeat("a", places(0, 1, 2, 3)).assignment is None  # it still has them
    assert (one.heartbeat("b", None).assignment, one.has_news_for("b")) == (None, False)
    assert one.heartbeat("a", places(0, 1)).epoch == 2
    assert one.has_news_for("b")
    assert numbers(one.heartbeat("b", None).assignment) == [2, 3]
    assert {seat.state for seat in one.seats.values()} == {State.STABLE}


def test_a_member_that_leaves_frees_what_it_had_at_once() -> None:
    one = group()
    one.join("a", None, ORDERS)
    one.heartbeat("a", ())
    one.join("b", None, ORDERS)
    one.leave("a")
    assert numbers(one.heartbeat("b", ()).assignment) == [0, 1, 2, 3]


def test_a_static_member_that_is_back_has_what_it_had_in_the_same_epoch() -> None:
    one = group()
    one.begin({"a": "one", "b": "two"}, ORDERS)
    had = one.target["b"]
    seat = one.of_instance("two")
    assert seat is not None
    one.take_place(seat, "c")
    answer = one.heartbeat("c", ())
    assert (answer.epoch, numbers(answer.assignment)) == (1, numbers(had))
    assert not one.has_news_for("a")


def test_an_epoch_that_is_not_the_members_is_refused() -> None:
    one = group()
    one.join("a", None, ORDERS)
    epoch = one.heartbeat("a", ()).epoch
    assert one.refusal("stranger", 1, None) == "UNKNOWN_MEMBER_ID"
    assert one.refusal("a", epoch + 1, None) == "FENCED_MEMBER_EPOCH"
    assert one.refusal("a", epoch, None) == ""
    one.join("b", None, ORDERS)
    one.heartbeat("a", None)
    one.heartbeat("a", places(0, 1))
    assert one.refusal("a", epoch, places(0, 1)) == ""  # the answer with its new epoch may have been lost
    assert one.refusal("a", epoch, None) == "FENCED_MEMBER_EPOCH"


def test_range_at_the_broker_divides_each_topic() -> None:
    # RangeAssignorTest.testOneTopicTwoConsumers and its kin: the first members get what does not come out even.
    found = assign_at_server("range", {"a": None, "b": None, "c": None}, {"orders": 4, "payments": 2},
                             dict.fromkeys("abc", ("orders", "payments")), {})
    assert found == {"a": [("orders", 0), ("orders", 1), ("payments", 0)],
                     "b": [("orders", 2), ("payments", 1)], "c": [("orders", 3)]}


def test_uniform_moves_no_more_than_it_must() -> None:
    # OptimizedUniformAssignmentBuilderTest.testReassignmentWhenOneConsumerAddedAfterInitialAssignmentWithTwoConsumers.
    before = {"a": places(0, 1, 2), "b": places(3, 4, 5), "c": []}
    found = assign_at_server("uniform", dict.fromkeys("abc"), {"orders": 6}, dict.fromkeys("abc", ORDERS), before)
    assert {name: numbers(mine) for name, mine in found.items()} == {"a": [0, 1], "b": [3, 4], "c": [2, 5]}


@pytest.mark.parametrize("assignor", ASSIGNORS)
@given(st.data())
def test_nobody_ever_reads_what_another_has_and_in_the_end_all_is_read(assignor: str, data: st.DataObject) -> None:
    """Whatever joins, leaves and heartbeats come in which order: the clients do what they are told, late."""
    one = group(data.draw(st.integers(1, 7)), assignor)
    reads: dict[str, set[tuple[str, int]]] = {}
    told: dict[str, frozenset[tuple[str, int]]] = {}

    def beat(name: str, owned: Collection[tuple[str, int]] | None) -> None:
        answer = one.heartbeat(name, owned)
        if answer.assignment is not None:
            told[name] = answer.assignment
            reads[name] |= answer.assignment - {each for other, mine in reads.items() if other != name for each in mine}
            assert answer.assignment <= reads[name], "it was given what another still reads"

    for step in range(data.draw(st.integers(1, 25))):
        what = data.draw(st.sampled_from(("join", "leave", "beat", "let go")))
        name = data.draw(st.sampled_from(sorted(reads))) if reads else ""
        if what == "join":
            name = f"m{step}"
            reads[name] = set()
            one.join(name, None, ORDERS)
            beat(name, ())
        elif name and what == "leave":
            one.leave(name)
            del reads[name]
        elif name and what == "beat":
            beat(name, None)
        elif name:
            reads[name] &= told[name]
            beat(name, set(reads[name]))
    for _ in range(2 * len(reads) + 2):
        for name in reads:
            reads[name] &= told[name]
            beat(name, set(reads[name]))
    assert all(seat.state is State.STABLE and seat.epoch == one.epoch for seat in one.seats.values())
    assert {name: set(mine) for name, mine in one.target.items()} == reads
    sizes = [len(mine) for mine in reads.values()]
    assert not sizes or max(sizes) - min(sizes) <= 1
