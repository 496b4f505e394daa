"""Dead letters: why a message died, where it goes, what x-death says, and which cycles end."""

from __future__ import annotations

from tests.worlds import MS, Rabbit


def test_the_first_rejection_is_written_into_x_death() -> None:  # R09c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("q", dead_letters_to="dead")
    reader = rabbit.consumer()
    rabbit.publish("a")
    reader.reject("a")
    (death,) = rabbit.deaths("dead")
    assert (death.queue, death.reason, death.count) == ("q", "rejected", 1)
    assert (death.exchange, death.routing_key) == ("", "q")


def test_without_a_dead_letter_exchange_a_rejection_drops() -> None:
    rabbit = Rabbit()
    rabbit.queue()
    reader = rabbit.consumer()
    rabbit.publish("a")
    reader.reject("a")
    rabbit.advance(1)
    assert (rabbit.facts("dropped"), rabbit.facts("dead-lettered")) == (["a"], [])


def test_a_dead_letter_exchange_that_does_not_exist_swallows_without_a_word() -> None:  # R14c
    rabbit = Rabbit()
    rabbit.queue(dead_letter_exchange="nowhere")
    reader = rabbit.consumer()
    rabbit.publish("a")
    reader.reject("a")
    rabbit.advance(1)
    assert (rabbit.facts("dead-lettered"), rabbit.facts("dropped"), rabbit.ready()) == (["a"], [], [])


def test_without_a_routing_key_of_its_own_a_dead_letter_keeps_the_one_it_had() -> None:
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("q", dead_letter_exchange="graveyard")
    rabbit.broker.bind("graveyard", "topic", "dead", "q")
    reader = rabbit.consumer()
    rabbit.publish("a")
    reader.reject("a")
    assert rabbit.ready("dead") == ["a"]


def test_a_dead_letter_reaches_every_queue_that_its_exchange_finds() -> None:
    rabbit = Rabbit()
    for name in ("d1", "d2"):
        rabbit.queue(name)
        rabbit.broker.bind("graveyard", "fanout", name, "")
    rabbit.queue("q", dead_letter_exchange="graveyard")
    reader = rabbit.consumer()
    rabbit.publish("a")
    reader.reject("a")
    assert (rabbit.ready("d1"), rabbit.ready("d2")) == (["a"], ["a"])


def test_four_reasons_to_die() -> None:  # R13c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("rejecting", dead_letters_to="dead")
    rabbit.queue("expiring", dead_letters_to="dead")
    rabbit.queue("short", max_length=1, dead_letters_to="dead")
    rabbit.queue("limited", queue_type="quorum", delivery_limit=0, dead_letters_to="dead")
    rejecting, limited = rabbit.consumer("rejecting"), rabbit.consumer("limited")
    rabbit.publish("a", to="rejecting")
    rejecting.reject("a")
    rabbit.publish("b", to="expiring", ttl_ms=10)
    rabbit.advance(10)
    rabbit.publish("c", "d", to="short")
    rabbit.publish("e", to="limited")
    rabbit.advance(1)
    limited.crash()
    entries = rabbit.consumer("dead").entries
    assert [(entry.message.event, entry.properties.deaths[0].reason) for entry in entries] == [
        ("a", "rejected"), ("b", "expired"), ("c", "maxlen"), ("e", "delivery_limit")]


def test_an_expired_message_loses_its_expiration_which_x_death_remembers() -> None:  # R13c
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("q", dead_letters_to="dead")
    rabbit.publish("a", ttl_ms=10)
    rabbit.advance(1000)
    assert rabbit.ready("dead") == ["a"]  # it does not expire again
    (death,) = rabbit.deaths("dead")
    assert (death.original_expiration_ns, death.time_ns) == (10 * MS, 10 * MS)


def test_what_the_queue_made_expire_has_no_original_expiration() -> None:
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("q", message_ttl=10, dead_letters_to="dead")
    rabbit.publish("a")
    rabbit.advance(10)
    assert rabbit.deaths("dead")[0].original_expiration_ns is None


def test_x_death_is_newest_first_with_one_entry_for_each_queue_and_reason() -> None:
    rabbit = Rabbit()
    rabbit.queue("q", dead_letters_to="wait")
    rabbit.queue("wait", message_ttl=10, dead_letters_to="q")
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("a")
    for _ in range(3):
        reader.reject("a")
        rabbit.advance(10)
    deaths = reader.entries[-1].properties.deaths
    assert [(death.queue, death.reason, death.count) for death in deaths] == [
        ("wait", "expired", 3), ("q", "rejected", 3)]
    reader.reject("a")
    (newest, _) = rabbit.deaths("wait")
    assert (newest.queue, newest.reason, newest.count) == ("q", "rejected", 4)


def test_a_cycle_of_expiries_is_dropped() -> None:  # R11c
    rabbit = Rabbit()
    rabbit.queue("q", message_ttl=1, dead_letters_to="q")
    rabbit.publish("a", "b")
    rabbit.advance(10)
    assert (rabbit.ready(), rabbit.facts("expired"), rabbit.facts("routed", "q")) == ([], ["a", "b"], ["a", "b"])


def test_a_cycle_of_overflows_is_dropped() -> None:  # R11c
    rabbit = Rabbit()
    rabbit.queue("q", max_length=1, dead_letters_to="q")
    rabbit.publish("a", "b")
    rabbit.advance(10)
    assert rabbit.ready() == ["b"]


def test_a_longer_cycle_of_expiries_is_dropped_where_it_would_close() -> None:
    rabbit = Rabbit()
    rabbit.queue("q1", message_ttl=10, dead_letters_to="q2")
    rabbit.queue("q2", message_ttl=10, dead_letters_to="q1")
    rabbit.publish("a", to="q1")
    rabbit.advance(100)
    assert rabbit.times_ms("expired") == [10, 20]
    assert (rabbit.ready("q1"), rabbit.ready("q2")) == ([], [])


def test_a_cycle_with_a_rejection_goes_on() -> None:  # R12c
    rabbit = Rabbit()
    rabbit.queue("q1", dead_letters_to="q2")
    rabbit.queue("q2", message_ttl=10, dead_letters_to="q3")
    rabbit.queue("q3", message_ttl=10, dead_letters_to="q1")
    reader = rabbit.consumer("q1")
    rabbit.publish("a", to="q1")
    for _ in range(2):
        reader.reject("a")
        rabbit.advance(20)
    assert reader.got == ["a", "a", "a"]


def test_the_headers_of_a_dead_letter_are_those_that_it_had() -> None:
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("q", dead_letters_to="dead")
    reader = rabbit.consumer()
    rabbit.publish("a")
    attempt = reader.entries[0].attempt
    reader.reject("a")
    assert rabbit.consumer("dead").entries[0].attempt == attempt == 0


def test_a_dead_letter_leaves_room_for_the_next_delivery() -> None:
    rabbit = Rabbit()
    rabbit.queue("dead")
    rabbit.queue("q", dead_letters_to="dead")
    reader = rabbit.consumer(prefetch=1)
    rabbit.publish("a", "b")
    reader.reject("a")
    assert reader.got == ["a", "b"]
