"""Order, length limits, times to live, and quorum queues' delivery limit, as RabbitMQ has them."""

from __future__ import annotations

import pytest

from edasim.core.conservation import ConservationError
from tests.worlds import Rabbit


def test_a_queue_hands_out_in_the_order_in_which_it_took_in() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.publish("a", "b", "c")
    assert rabbit.consumer().got == ["a", "b", "c"]


# --- length --------------------------------------------------------------------------------------------------


def test_drop_head_throws_away_the_oldest_into_the_dead_letter_queue() -> None:  # R15c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue(max_length=1, dead_letters_to="dead")
    rabbit.publish("1", "2", "3")
    assert (rabbit.ready(), rabbit.ready("dead")) == (["3"], ["1", "2"])
    assert rabbit.answers == [("1", True), ("2", True), ("3", True)]


def test_drop_head_without_a_dead_letter_exchange_drops() -> None:
    rabbit = Rabbit()
    rabbit.queue(max_length=1)
    rabbit.publish("1", "2")
    rabbit.advance(1)
    assert (rabbit.ready(), rabbit.facts("dropped")) == (["2"], ["1"])


def test_reject_publish_nacks_the_newest() -> None:  # R15c
    rabbit = Rabbit()
    rabbit.queue(max_length=1, overflow="reject-publish")
    rabbit.publish("1", "2", "3")
    assert (rabbit.ready(), rabbit.answers) == (["1"], [("1", True), ("2", False), ("3", False)])


def test_reject_publish_dlx_nacks_the_newest_and_dead_letters_it() -> None:  # R15c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue(max_length=1, overflow="reject-publish-dlx", dead_letters_to="dead")
    rabbit.publish("1", "2", "3")
    assert (rabbit.ready(), rabbit.ready("dead")) == (["1"], ["2", "3"])
    assert rabbit.answers == [("1", True), ("2", False), ("3", False)]
    assert [death.reason for death in rabbit.deaths("dead")] == ["maxlen"]


def test_the_books_balance_after_reject_publish_dlx() -> None:
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue(max_length=1, overflow="reject-publish-dlx", dead_letters_to="dead")
    rabbit.publish("1", "2")
    rabbit.advance(1)  # raises when the books do not
    # What is refused at the door never was in the queue, so that it cannot leave it either.
    assert {verb: rabbit.facts(verb, "q") for verb in ("routed", "dead-lettered", "dropped")} == {
        "routed": ["1"], "dead-lettered": [], "dropped": []}
    assert rabbit.facts("routed", "dead") == ["2"]


def test_only_ready_messages_count_toward_the_length() -> None:  # R16c
    rabbit = Rabbit()
    queue = rabbit.queue(max_length=2)
    rabbit.consumer(prefetch=2)
    rabbit.publish("a", "b", "c", "d")
    assert (queue.in_flight, rabbit.ready(), rabbit.facts("dropped")) == (2, ["c", "d"], [])
    rabbit.publish("e")
    assert (rabbit.ready(), rabbit.facts("dropped")) == (["d", "e"], ["c"])


def test_a_length_in_bytes_drops_as_many_as_it_takes() -> None:
    rabbit = Rabbit()
    rabbit.queue(max_length_bytes=2500)
    rabbit.publish("a", "b", "c")  # 1000 bytes each
    assert rabbit.ready() == ["b", "c"]


def test_what_a_crash_brings_back_over_the_length_drops_the_head() -> None:
    # rabbit_amqqueue_process.erl, requeue_and_run: maybe_drop_head follows each requeue.
    rabbit = Rabbit()
    rabbit.queue(max_length=2)
    reader = rabbit.consumer(prefetch=2)
    rabbit.publish("a", "b", "c", "d")
    reader.crash()
    assert (rabbit.ready(), rabbit.facts("dropped")) == (["c", "d"], ["a", "b"])


def test_a_quorum_queue_that_rejects_publishes_never_drops_what_it_confirmed() -> None:
    # Two publishes are on their way to a majority at once; rabbit_fifo.erl drops heads for drop_head only.
    rabbit = Rabbit(disk=5)
    rabbit.queue(queue_type="quorum", max_length=1, overflow="reject-publish")
    rabbit.publish("a", "b")
    rabbit.advance(100)
    confirmed = [name for name, ok in rabbit.answers if ok]
    assert rabbit.ready() == confirmed
    assert rabbit.facts("dropped") == []


def test_a_length_of_zero_passes_a_message_on_to_a_consumer_that_has_room() -> None:
    rabbit = Rabbit()
    rabbit.queue(max_length=0)
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("a", "b")
    assert (reader.got, rabbit.ready(), rabbit.facts("dropped")) == (["a"], [], ["b"])


# --- time to live --------------------------------------------------------------------------------------------


def test_a_message_expires_when_its_time_is_over() -> None:
    rabbit = Rabbit()
    rabbit.queue(message_ttl=1000)
    rabbit.publish("a")
    rabbit.advance(999)
    assert rabbit.ready() == ["a"]
    rabbit.advance(1)
    assert (rabbit.ready(), rabbit.times_ms("expired")) == ([], [1000])


def test_a_message_behind_the_head_expires_only_when_it_reaches_it() -> None:  # R17c
    rabbit = Rabbit()
    rabbit.queue()
    rabbit.publish("m1", ttl_ms=60_000)
    rabbit.publish("m2", ttl_ms=1000)
    rabbit.advance(2000)
    assert rabbit.ready() == ["m1", "m2"]
    reader = rabbit.consumer(prefetch=1)
    reader.ack("m1")
    assert (reader.got, rabbit.facts("expired"), rabbit.ready()) == (["m1"], ["m2"], [])


def test_until_it_reaches_the_head_an_expired_message_counts_toward_the_length() -> None:
    rabbit = Rabbit()
    rabbit.queue(max_length=2)
    rabbit.publish("m1", ttl_ms=60_000)
    rabbit.publish("m2", ttl_ms=1000)
    rabbit.advance(2000)
    rabbit.publish("m3")
    assert rabbit.facts("dropped") == ["m1"]


@pytest.mark.parametrize(("queue_ms", "message_ms", "expires_ms"),
                         [(5000, 2000, 2000), (2000, 5000, 2000), (5000, None, 5000)])
def test_the_lower_time_to_live_wins(queue_ms: int, message_ms: float | None, expires_ms: float) -> None:  # R18c
    rabbit = Rabbit()
    rabbit.queue(message_ttl=queue_ms)
    rabbit.publish("a", ttl_ms=message_ms)
    rabbit.advance(10_000)
    assert rabbit.times_ms("expired") == [expires_ms]


def test_a_requeue_keeps_the_first_expiry() -> None:  # R18c
    rabbit = Rabbit()
    rabbit.queue(message_ttl=2000)
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("a")
    rabbit.advance(1500)
    reader.crash()
    rabbit.advance(5000)
    assert rabbit.times_ms("expired") == [2000]


def test_what_comes_back_after_its_expiry_expires_at_once() -> None:
    rabbit = Rabbit()
    rabbit.queue(message_ttl=1000)
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("a", "b")
    rabbit.advance(3000)
    assert rabbit.times_ms("expired") == [1000]  # b; a is in the reader's hands
    reader.crash()
    rabbit.advance(1)
    assert (rabbit.facts("expired"), rabbit.ready()) == (["b", "a"], [])


def test_a_time_to_live_of_zero_is_to_be_delivered_at_once_or_to_die() -> None:  # R19c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue(message_ttl=0, dead_letters_to="dead")
    rabbit.publish("a")
    rabbit.advance(1)
    assert (rabbit.ready(), rabbit.ready("dead")) == ([], ["a"])
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("b", "c")
    rabbit.advance(1)
    assert (reader.got, rabbit.ready("dead")) == (["b"], ["a", "c"])


# --- quorum --------------------------------------------------------------------------------------------------


def test_a_quorum_queue_gives_up_a_message_whose_deliveries_exceed_the_limit() -> None:  # R23c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue(queue_type="quorum", delivery_limit=1, dead_letters_to="dead")
    reader = rabbit.consumer()
    rabbit.publish("a")
    rabbit.advance(1)
    reader.crash()
    reader.subscription.start()
    assert [(entry.redelivered, entry.delivery_count) for entry in reader.entries] == [(False, 0), (True, 1)]
    reader.crash()
    rabbit.advance(1)
    assert (rabbit.ready(), rabbit.ready("dead")) == ([], ["a"])
    assert [death.reason for death in rabbit.deaths("dead")] == ["delivery_limit"]


def test_a_delivery_limit_of_three_gives_four_deliveries() -> None:  # seen on a real 3.10.8
    rabbit = Rabbit(version="3.10")
    rabbit.queue(queue_type="quorum", delivery_limit=3)
    reader = rabbit.consumer()
    rabbit.publish("a")
    rabbit.advance(1)
    for _ in range(10):
        if reader.subscription.unacked:
            reader.requeue("a")
    rabbit.advance(1)
    assert (len(reader.got), rabbit.facts("dropped")) == (4, ["a"])


@pytest.mark.parametrize(("version", "deliveries"), [("4.0", 21), ("3.10", 101)])
def test_the_delivery_limit_is_20_since_4_0_and_none_before(version: str, deliveries: int) -> None:
    rabbit = Rabbit(version=version)
    rabbit.queue(queue_type="quorum")
    reader = rabbit.consumer()
    rabbit.publish("a")
    rabbit.advance(1)
    for _ in range(100):
        if reader.subscription.unacked:
            reader.requeue("a")
    assert len(reader.got) == deliveries


def test_a_classic_queue_has_no_delivery_limit() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a")
    for _ in range(100):
        reader.requeue("a")
    assert len(reader.got) == 101


def test_a_quorum_queue_keeps_the_order_of_publishing_on_a_fickle_disk() -> None:
    rabbit = Rabbit(disk="exponential 10ms")
    rabbit.queue(queue_type="quorum")
    names = [str(number) for number in range(50)]
    rabbit.publish(*names)
    rabbit.advance(1000)
    assert rabbit.ready() == names


# --- the books -----------------------------------------------------------------------------------------------


def test_a_queue_that_loses_an_entry_is_found_out() -> None:
    rabbit = Rabbit()
    queue = rabbit.queue()
    rabbit.publish("a", "b")
    rabbit.advance(1)
    queue.fresh.popleft()
    with pytest.raises(ConservationError, match="queue q: 2 came in"):
        rabbit.advance(1)


def test_a_consumer_that_loses_an_entry_is_found_out() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a")
    rabbit.advance(1)
    reader.subscription.unacked.clear()
    with pytest.raises(ConservationError, match="0 in flight"):
        rabbit.advance(1)
