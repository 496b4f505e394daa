"""Priorities in RabbitMQ's queues: classic with x-max-priority, and quorum since 4.0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.worlds import Rabbit


def classic(**arguments: object) -> Rabbit:
    rabbit = Rabbit(priorities=True)
    rabbit.queue(**{"max_priority": 5, **arguments})
    return rabbit


def quorum(version: str = "4.3", **arguments: object) -> Rabbit:
    rabbit = Rabbit(priorities=True, version=version)
    rabbit.queue(queue_type="quorum", **arguments)
    return rabbit


def taken(rabbit: Rabbit) -> list[str]:
    """What a consumer that takes one at a time gets, in its order."""
    rabbit.advance(1)
    reader = rabbit.consumer(prefetch=1)
    for _ in range(1000):
        rabbit.advance(1)
        if len(reader.got) == len({*reader.got}) and reader.subscription.unacked:
            reader.ack(reader.got[-1])
        else:
            break
    return reader.got


# --- classic ------------------------------------------------------------------------------------------------------------


def test_the_higher_priority_comes_first_and_equals_in_their_order() -> None:
    rabbit = classic()
    for name, priority in [("a1", 1), ("b3", 3), ("c2", 2), ("d3", 3), ("e1", 1)]:
        rabbit.publish(name, priority=priority)
    assert taken(rabbit) == ["b3", "d3", "c2", "a1", "e1"]


def test_no_priority_is_0_and_too_much_is_the_most_that_the_queue_has() -> None:
    rabbit = classic()
    for name, priority in [("none", None), ("zero", 0), ("nine", 9), ("five", 5), ("one", 1)]:
        rabbit.publish(name, priority=priority)
    assert taken(rabbit) == ["nine", "five", "one", "none", "zero"]


def test_without_x_max_priority_a_classic_queue_takes_no_notice() -> None:
    rabbit = Rabbit(priorities=True)
    rabbit.queue()
    rabbit.publish("low", priority=0)
    rabbit.publish("high", priority=9)
    assert taken(rabbit) == ["low", "high"]


def test_what_is_with_a_consumer_is_not_overtaken() -> None:
    rabbit = classic()
    reader = rabbit.consumer(prefetch=2)
    rabbit.publish("a", "b", "c", priority=0)
    rabbit.publish("urgent", priority=5)
    reader.ack("a")
    assert reader.got == ["a", "b", "urgent"]


def test_what_is_requeued_keeps_its_place_within_its_priority() -> None:
    rabbit = classic()
    reader = rabbit.consumer(prefetch=2)
    rabbit.publish("low-1", "low-2", priority=1)
    rabbit.publish("low-3", priority=1)
    rabbit.publish("high", priority=4)
    reader.crash()
    assert taken(rabbit) == ["high", "low-1", "low-2", "low-3"]
    assert rabbit.facts("redelivered") == ["low-1", "low-2"]


def test_an_expired_one_stays_behind_a_higher_one_that_is_not() -> None:
    rabbit = classic()
    rabbit.publish("low", priority=0, ttl_ms=10)
    rabbit.publish("high", priority=5)
    rabbit.advance(50)
    assert rabbit.facts("expired") == []
    assert rabbit.broker.queues["q"].ready == 2
    assert rabbit.consumer(prefetch=1).got == ["high"]
    assert rabbit.facts("expired") == []
    rabbit.advance(1)
    assert rabbit.facts("expired") == ["low"]


def test_an_expiring_one_that_comes_to_the_head_expires_in_its_time() -> None:
    rabbit = classic()
    rabbit.publish("low", priority=0)
    rabbit.publish("high", priority=5, ttl_ms=10)
    rabbit.advance(11)
    assert rabbit.facts("expired") == ["high"]
    assert rabbit.times_ms("expired") == [10.0]


def test_over_its_length_the_head_goes_which_is_the_highest() -> None:
    rabbit = classic(max_length=2)
    rabbit.publish("low", "low too", priority=1)
    rabbit.publish("high", priority=5)
    assert rabbit.facts("dropped") == ["high"]
    assert taken(rabbit) == ["low", "low too"]


def test_a_full_queue_that_refuses_refuses_the_high_as_well() -> None:
    rabbit = classic(max_length=1, overflow="reject-publish")
    rabbit.publish("low", priority=1)
    rabbit.publish("high", priority=5)
    assert rabbit.answers == [("low", True), ("high", False)]


def test_a_dead_letter_keeps_its_priority() -> None:
    rabbit = Rabbit(priorities=True)
    rabbit.queue("dead", max_priority=5)
    rabbit.queue(max_priority=5, dead_letters_to="dead")
    reader = rabbit.consumer()
    rabbit.publish("low", priority=1)
    rabbit.publish("high", priority=4)
    reader.reject("low")
    reader.reject("high")
    rabbit.advance(1)
    assert rabbit.consumer("dead").got == ["high", "low"]


@given(some.lists(some.tuples(some.sampled_from([None, 0, 1, 2, 5, 7, 255]), some.booleans()), max_size=30))
def test_the_order_is_that_of_a_sorted_list(steps: list[tuple[int | None, bool]]) -> None:
    """Publish, or take the head and give it back or not; a list sorted by (-priority, place) is the reference."""
    rabbit = classic()
    expected: list[tuple[int, int]] = []
    for number, (priority, take) in enumerate(steps):
        rabbit.publish(str(number), priority=priority)
        expected.append((-min(priority or 0, 5), number))
        if take:
            reader = rabbit.consumer(prefetch=1)
            assert reader.got == [str(min(expected)[1])]
            reader.crash()
    assert taken(rabbit) == [str(number) for _, number in sorted(expected)]


# --- quorum -------------------------------------------------------------------------------------------------------------


def test_since_4_3_a_quorum_queue_has_32_priorities_and_4_for_those_without() -> None:
    rabbit = quorum()
    for name, priority in [("three", 3), ("none", None), ("four", 4), ("31", 31), ("99", 99), ("five", 5)]:
        rabbit.publish(name, priority=priority)
    assert taken(rabbit) == ["31", "99", "five", "none", "four", "three"]


def test_on_a_quorum_queue_what_comes_back_is_first_of_all() -> None:
    rabbit = quorum()
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("low", priority=0)
    rabbit.publish("high", priority=9)
    rabbit.advance(1)
    reader.crash()
    assert taken(rabbit) == ["low", "high"]


def test_from_4_0_to_4_2_two_high_ones_come_for_each_normal_one() -> None:
    rabbit = quorum("4.0")
    rabbit.publish(*(f"n{number}" for number in range(4)), priority=4)
    rabbit.publish(*(f"h{number}" for number in range(6)), priority=5)
    assert taken(rabbit) == ["h0", "h1", "n0", "h2", "h3", "n1", "h4", "h5", "n2", "n3"]


def test_in_4_0_a_high_one_that_came_before_the_normal_one_is_not_held_back() -> None:
    rabbit = quorum("4.0")
    rabbit.publish("h0", "h1", "h2", "h3", priority=9)
    rabbit.publish("n0")
    assert taken(rabbit) == ["h0", "h1", "h2", "h3", "n0"]


def test_in_4_0_what_goes_straight_to_a_consumer_is_a_turn_too() -> None:
    rabbit = quorum("4.0")
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("first")
    rabbit.advance(1)
    rabbit.publish("n0", "n1")
    rabbit.publish("h0", "h1", "h2", priority=9)
    rabbit.advance(1)
    for _ in range(5):
        reader.ack(reader.got[-1])
    assert reader.got == ["first", "h0", "n0", "h1", "h2", "n1"]


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_before_4_0_a_quorum_queue_has_no_priorities(version: str) -> None:
    rabbit = quorum(version)
    rabbit.publish("low", priority=0)
    rabbit.publish("high", priority=9)
    assert taken(rabbit) == ["low", "high"]
