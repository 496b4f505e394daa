"""Prefetch, turns, acknowledgements, requeueing and closing of a RabbitMQ channel, and confirms to publishers."""

from __future__ import annotations

import pytest

from tests.worlds import MS, Rabbit


def test_consumers_with_room_take_turns() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    first, second, third = (rabbit.consumer() for _ in range(3))
    rabbit.publish("a", "b", "c", "d", "e", "f", "g")
    assert (first.got, second.got, third.got) == (["a", "d", "g"], ["b", "e"], ["c", "f"])


def test_a_consumer_without_room_is_passed_over_and_comes_back_at_the_end_of_the_line() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    slow, quick = rabbit.consumer(prefetch=1), rabbit.consumer(prefetch=3)
    rabbit.publish("a", "b", "c", "d", "e")
    assert (slow.got, quick.got, rabbit.ready()) == (["a"], ["b", "c", "d"], ["e"])
    slow.ack("a")
    assert slow.got == ["a", "e"]


def test_never_more_than_the_prefetch_is_outstanding() -> None:  # R25c
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.publish(*"abcdefghij")
    reader = rabbit.consumer(prefetch=4)
    assert reader.got == list("abcd")
    reader.ack("b")
    assert reader.got == list("abcde")
    reader.ack("a", "c", "d")
    assert reader.got == list("abcdefgh") and len(reader.subscription.unacked) == 4


def test_acknowledging_one_leaves_the_others_outstanding() -> None:  # R26c, multiple=false
    rabbit = Rabbit()
    queue = rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a", "b", "c", "d")
    reader.ack("d")
    assert (queue.in_flight, rabbit.facts("acknowledged")) == (3, ["d"])


def test_without_a_prefetch_a_classic_queue_hands_out_everything_and_a_quorum_queue_2000() -> None:
    rabbit = Rabbit()
    rabbit.queue("classic")
    rabbit.queue("quorum", queue_type="quorum")
    for name in ("classic", "quorum"):
        rabbit.publish(*(str(number) for number in range(2100)), to=name)
    rabbit.advance(1)
    assert [len(rabbit.consumer(name).got) for name in ("classic", "quorum")] == [2100, 2000]


def test_another_prefetch_widens_the_window_at_once() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.publish("a", "b", "c", "d")
    reader = rabbit.consumer(prefetch=1)
    reader.subscription.set_prefetch(3)
    assert reader.got == ["a", "b", "c"]


def test_a_narrower_window_lets_nothing_more_in_until_enough_is_acknowledged() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    reader = rabbit.consumer(prefetch=5)
    rabbit.publish("a", "b", "c")
    reader.subscription.set_prefetch(2)
    rabbit.publish("d")
    assert (reader.got, rabbit.ready()) == (["a", "b", "c"], ["d"])


def test_a_requeued_message_returns_to_its_original_place() -> None:  # R28c
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.publish("1", "2", "3")
    reader = rabbit.consumer(prefetch=2)
    reader.requeue("1")
    reader.ack("2")
    assert reader.got == ["1", "2", "1", "3"]
    assert reader.redelivered == [False, False, True, False]


def test_a_closed_channel_requeues_all_unacknowledged_in_order_as_redelivered() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.publish("a", "b", "c", "d", "e")
    crashing = rabbit.consumer(prefetch=4)
    crashing.ack("b")
    crashing.crash()
    assert rabbit.ready() == ["a", "c", "d", "e"]
    other = rabbit.consumer()
    assert list(zip(other.got, other.redelivered, strict=True)) == [
        ("a", True), ("c", True), ("d", True), ("e", True)]
    assert rabbit.facts("redelivered") == ["a", "c", "d", "e"]


def test_what_is_on_the_wire_to_a_channel_that_closes_never_arrives_there() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publish("a")
    reader = rabbit.consumer()
    rabbit.advance(15)
    reader.crash()
    other = rabbit.consumer()
    rabbit.advance(50)
    assert (reader.got, other.got, other.redelivered) == ([], ["a"], [True])


def test_an_acknowledgement_that_arrives_after_the_channel_closed_counts_for_nothing() -> None:  # R29c in part
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a")
    rabbit.advance(20)
    reader.ack("a")
    reader.crash()
    rabbit.advance(20)
    assert (rabbit.facts("acknowledged"), rabbit.ready()) == ([], ["a"])


def test_an_entry_is_acknowledged_once_however_often_that_is_said() -> None:  # R29c in part
    rabbit = Rabbit()
    queue = rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a", "b")
    reader.ack("a", "a")
    assert rabbit.facts("acknowledged") == ["a"]
    assert (queue.in_flight, rabbit.facts("redelivered")) == (1, [])


def test_auto_ack_forgets_a_message_as_it_is_sent() -> None:
    rabbit = Rabbit(hop_ms=10)
    queue = rabbit.queue()
    reader = rabbit.consumer(prefetch=1, auto_ack=True)
    rabbit.publish("a", "b")
    rabbit.advance(10)
    assert (queue.in_flight, rabbit.facts("acknowledged")) == (0, ["a", "b"])
    reader.crash()
    assert rabbit.ready() == []


def test_what_is_requeued_in_a_crash_goes_to_the_consumers_that_have_room() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    crashing, other = rabbit.consumer(prefetch=2), rabbit.consumer(prefetch=1)
    rabbit.publish("a", "b", "c")
    assert (crashing.got, other.got) == (["a", "c"], ["b"])
    other.ack("b")
    crashing.crash()
    assert (other.got, rabbit.ready()) == (["b", "a"], ["c"])


# --- publishers ----------------------------------------------------------------------------------------------


def test_an_unroutable_message_is_confirmed() -> None:  # R32c
    rabbit = Rabbit()
    rabbit.publish("a", to="nowhere")
    assert (rabbit.answers, rabbit.facts("unroutable")) == ([("a", True)], ["a"])


@pytest.mark.parametrize(("persistent", "confirmed_ms"), [(True, 27), (False, 20)])
def test_a_persistent_message_is_confirmed_when_it_is_on_disk(persistent: bool, confirmed_ms: float) -> None:
    rabbit = Rabbit(hop_ms=10, disk=7, persistent=persistent)
    rabbit.queue()
    rabbit.publish("a")
    rabbit.advance(100)
    assert rabbit.answers_ms == [confirmed_ms]
    assert rabbit.times_ms("routed") == [10]  # a classic queue has it before that


def test_a_message_on_a_quorum_queue_is_there_and_confirmed_when_a_majority_has_it() -> None:
    # 10 ms to the leader; a follower needs 10 there, 7 to its disk, 10 back; one of two is enough.
    rabbit = Rabbit(hop_ms=10, disk=7)
    rabbit.queue(queue_type="quorum")
    reader = rabbit.consumer()
    rabbit.publish("a")
    rabbit.advance(100)
    assert rabbit.times_ms("routed") == rabbit.times_ms("delivered") == [37]
    assert (rabbit.answers_ms, reader.got) == ([47], ["a"])


def test_a_confirm_waits_for_the_slowest_of_several_queues() -> None:
    rabbit = Rabbit(hop_ms=10, disk=7)
    for name, kind in (("q1", "classic"), ("q2", "quorum")):
        rabbit.queue(name, queue_type=kind)
        rabbit.broker.bind("shop", "fanout", name, "")
    rabbit.publish("a", exchange="shop")
    rabbit.advance(100)
    assert rabbit.facts("routed") == ["a", "a"]
    assert rabbit.answers_ms == [47]


def test_a_lost_publish_is_sent_again_when_the_publisher_waits_for_confirms() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publisher.to_broker.impair(loss=1.0)
    rabbit.publish("a")
    rabbit.publisher.to_broker.impair(loss=0.0)
    rabbit.advance(100)
    assert (rabbit.facts("lost"), rabbit.ready(), rabbit.answers) == (["a"], ["a"], [("a", True)])
    assert rabbit.answers_ms == [70]  # the next connection opens after 50 ms


def test_a_lost_publish_is_lost_without_confirms() -> None:
    rabbit = Rabbit(hop_ms=10, confirms=False)
    rabbit.queue()
    rabbit.publisher.to_broker.impair(loss=1.0)
    rabbit.publish("a")
    rabbit.publisher.to_broker.impair(loss=0.0)
    rabbit.advance(100)
    assert (rabbit.answers, rabbit.facts("lost"), rabbit.ready()) == ([("a", True)], ["a"], [])
    assert not rabbit.publisher.owes()


def test_a_lost_confirm_makes_a_duplicate() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publish("a")
    rabbit.publisher.to_client.impair(loss=1.0)
    rabbit.advance(15)
    rabbit.publisher.to_client.impair(loss=0.0)
    rabbit.advance(100)
    assert (rabbit.ready(), rabbit.answers) == (["a", "a"], [("a", True)])


def test_a_wire_that_repeats_makes_duplicates_until_a_confirm_gets_through_but_one_answer() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publisher.to_broker.impair(duplicates=1.0)
    rabbit.publish("a")
    rabbit.publisher.to_broker.impair(duplicates=0.0)
    rabbit.advance(100)
    # The first repetition goes out at once, the second on the next connection.
    assert (rabbit.ready(), rabbit.facts("repeated"), rabbit.answers) == (["a"] * 3, ["a"] * 2, [("a", True)])
    assert not rabbit.publisher.owes()


def test_a_publisher_that_dies_repeats_nothing() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publisher.to_broker.impair(duplicates=1.0)
    rabbit.publish("a")
    rabbit.publisher.forget()
    rabbit.advance(1000)
    assert (rabbit.ready(), rabbit.publisher.owes()) == (["a", "a"], False)


def test_without_confirms_nobody_misses_an_answer_and_repeats() -> None:
    rabbit = Rabbit(hop_ms=10, confirms=False)
    rabbit.queue()
    rabbit.publisher.to_broker.impair(duplicates=1.0)
    rabbit.publish("a")
    rabbit.advance(100)
    assert (rabbit.ready(), rabbit.facts("repeated")) == (["a"], [])


def test_an_acknowledgement_that_the_wire_swallows_brings_the_message_again() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a")
    reader.subscription.to_broker.impair(duplicates=1.0)
    reader.ack("a")
    reader.subscription.to_broker.impair(duplicates=0.0)
    rabbit.advance(50)
    assert (reader.got, reader.redelivered) == (["a", "a"], [False, True])


def test_a_publisher_that_dies_hears_nothing_but_what_it_sent_arrives() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publish("a")
    rabbit.publisher.forget()
    rabbit.advance(100)
    assert (rabbit.ready(), rabbit.answers, rabbit.publisher.owes()) == (["a"], [], False)


def test_a_cut_link_holds_everything_until_it_is_mended() -> None:
    rabbit = Rabbit(hop_ms=10)
    rabbit.queue()
    rabbit.publisher.to_broker.cut()
    rabbit.publish("a", "b")
    rabbit.advance(500)
    assert rabbit.publisher.owes() and rabbit.ready() == []
    rabbit.publisher.to_broker.mend()
    rabbit.advance(10)
    assert (rabbit.ready(), rabbit.times_ms("routed")) == (["a", "b"], [510, 510])


def test_a_refusing_broker_nacks() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.broker.refusing.append(1.0)
    rabbit.publish("a")
    rabbit.broker.refusing.clear()
    rabbit.publish("b")
    assert (rabbit.answers, rabbit.ready()) == ([("a", False), ("b", True)], ["b"])


def test_a_reconnected_subscription_takes_up_where_it_left() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    reader = rabbit.consumer(prefetch=2)
    rabbit.publish("a", "b", "c")
    reader.crash()
    reader.subscription.start()
    assert (reader.got, reader.redelivered) == (["a", "b", "a", "b"], [False, False, True, True])
    assert rabbit.world.clock.now_ns < MS
