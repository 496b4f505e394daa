"""Batches, acknowledgements, retries and idempotence of a Kafka producer."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.worlds import KafkaBench

# Of topic orders with 6 partitions: customer-7 has partition 1, order-1 has 4, order-2 has 3, order-42 has 0.


# --- batches -------------------------------------------------------------------------------------------------


def test_a_record_without_linger_leaves_at_once() -> None:
    kafka = KafkaBench(hop_ms=10)
    kafka.producer(linger_ms=0).send("a")
    kafka.advance(100)
    assert (kafka.times_ms("appended"), kafka.answers_ms) == ([10], [20])


def test_records_that_come_within_the_linger_travel_together() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(linger_ms=5)
    writer.send("a")
    kafka.advance(4)
    writer.send("b")
    kafka.advance(3)
    writer.send("c")
    kafka.advance(100)
    assert kafka.times_ms("appended") == [15, 15, 22]


@pytest.mark.parametrize(("version", "appended_ms"), [("3.9", 0), ("4.0", 5)])
def test_linger_is_0_before_4_0_and_5_ms_since(version: str, appended_ms: float) -> None:
    from edasim.brokers.kafka.producer import Producer
    from edasim.scenario.broker_options import resolve

    kafka = KafkaBench(version=version)
    producer = Producer(kafka.cluster, "p", kafka.links("p"), resolve("kafka producer", version, {}))
    producer.send(kafka.world.messages.place("a", 1, "k", 1000, 0), kafka.topic)
    kafka.advance(100)
    assert kafka.times_ms("appended") == [appended_ms]


def test_a_full_batch_does_not_wait() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(linger_ms=1000, batch_size=3000)
    writer.send("a", "b", "c", "d")
    kafka.advance(2000)
    assert kafka.times_ms("appended") == [10, 10, 10, 1010]


def test_a_record_that_does_not_fit_sends_off_the_batch_before_it() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(linger_ms=1000, batch_size=2500)
    writer.send("a", "b")
    kafka.advance(100)
    assert kafka.log() == []
    writer.send("c")
    kafka.advance(10)
    assert kafka.log()[:2] == ["a", "b"]


def test_a_record_that_begins_the_next_batch_lingers_on_its_own() -> None:
    # RecordAccumulator.ready: a partition is ready while its first batch is full or has lingered.
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(linger_ms=1000, batch_size=2500)
    writer.send("a", "b", "c")
    kafka.advance(2000)
    assert kafka.times_ms("appended") == [10, 10, 1010]


def test_a_request_takes_along_what_waits_for_the_same_node() -> None:
    kafka = KafkaBench(partitions=6, nodes=1, hop_ms=10)
    writer = kafka.producer(linger_ms=5)
    writer.send("a", key="customer-7")
    kafka.advance(3)
    writer.send("b", key="order-1")
    kafka.advance(100)
    assert kafka.times_ms("appended") == [15, 15]


def test_partitions_of_other_nodes_linger_for_themselves() -> None:
    kafka = KafkaBench(partitions=6, nodes=6, hop_ms=0)
    writer = kafka.producer(linger_ms=5)
    writer.send("a", key="customer-7")
    kafka.advance(3)
    writer.send("b", key="order-1")
    kafka.advance(100)
    assert kafka.times_ms("appended") == [5, 8]


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(max_in_flight_requests_per_connection=2)
    writer.send("a", "b", "c", "d", "e")
    kafka.advance(1000)
    # c to e go when the first answer is there, c, d and e in one batch of their own.
    assert kafka.times_ms("appended") == [10, 10, 30, 30, 30]
    assert kafka.log() == ["a", "b", "c", "d", "e"]


# --- acknowledgements ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("acks", "answered_ms"), [("0", 0), ("1", 20), ("all", 40), ("-1", 40)])
def test_who_has_a_record_when_it_is_acknowledged(acks: str, answered_ms: float) -> None:
    # 10 ms to the leader; followers fetch in 20 ms; 10 ms back.
    kafka = KafkaBench(replicas=3, hop_ms=10)
    options = {} if acks in ("all", "-1") else {"enable_idempotence": False}
    kafka.producer(acks=acks, **options).send("a")
    kafka.advance(100)
    assert (kafka.answers_ms, kafka.log()) == ([answered_ms], ["a"])


def test_with_acks_0_a_lost_request_is_lost_and_nobody_knows() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(acks="0", enable_idempotence=False)
    writer.to_broker.impair(loss=1.0)
    writer.send("a")
    kafka.advance(5000)
    assert (kafka.answers, kafka.log(), kafka.facts("lost")) == ([("a", True)], [], ["a"])
    assert not writer.producer.owes()


def test_with_acks_a_lost_request_is_sent_again_after_the_backoff() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(retry_backoff_ms=100)
    writer.to_broker.impair(loss=1.0)
    writer.send("a")
    writer.to_broker.impair(loss=0.0)
    kafka.advance(1000)
    assert (kafka.log(), kafka.answers) == (["a"], [("a", True)])
    (appended_ms,) = kafka.times_ms("appended")
    assert 90 <= appended_ms <= 130  # 100 ms and its jitter of a fifth, and the way


def test_a_lost_answer_brings_a_batch_again_and_idempotence_recognises_it() -> None:  # K24
    kafka = KafkaBench(hop_ms=10)
    lose_the_answer(kafka, kafka.producer(enable_idempotence=True))
    assert (kafka.log(), kafka.facts("deduplicated"), kafka.answers) == (["a"], ["a"], [("a", True)])


def test_without_idempotence_a_lost_answer_makes_a_duplicate() -> None:  # K24
    kafka = KafkaBench(hop_ms=10)
    lose_the_answer(kafka, kafka.producer(enable_idempotence=False))
    assert (kafka.log(), kafka.answers) == (["a", "a"], [("a", True)])


def lose_the_answer(kafka: KafkaBench, writer: object) -> None:
    writer.send("a")  # type: ignore[attr-defined]
    writer.to_client.impair(loss=1.0)  # type: ignore[attr-defined]
    kafka.advance(15)
    writer.to_client.impair(loss=0.0)  # type: ignore[attr-defined]
    kafka.advance(1000)


@pytest.mark.parametrize(("idempotent", "log"), [(True, ["a"]), (False, ["a", "a", "a"])])
def test_a_wire_that_repeats_a_request_again_and_again_is_caught_by_idempotence(
        idempotent: bool, log: list[str]) -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(enable_idempotence=idempotent)
    writer.to_broker.impair(duplicates=1.0)
    writer.send("a")
    kafka.advance(10)
    writer.to_broker.impair(duplicates=0.0)
    kafka.advance(1000)
    assert (kafka.log(), kafka.answers) == (log, [("a", True)])


def test_without_acks_nobody_misses_an_answer_and_repeats() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(enable_idempotence=False, acks="0")
    writer.to_broker.impair(duplicates=1.0)
    writer.send("a")
    kafka.advance(1000)
    assert (kafka.log(), kafka.facts("repeated")) == (["a"], [])


def test_idempotence_does_not_catch_an_application_that_sends_twice() -> None:
    kafka = KafkaBench()
    writer = kafka.producer()
    message = kafka.world.messages.place("a", 1, "k", 1000, 0)
    for _ in range(2):
        writer.producer.send(message, kafka.topic)
    kafka.advance(1)
    assert kafka.log() == ["a", "a"]


def test_a_refused_request_is_tried_again_until_the_cluster_takes_it() -> None:
    kafka = KafkaBench(hop_ms=1)
    writer = kafka.producer()
    kafka.cluster.refusing.append(1.0)
    writer.send("a")
    kafka.advance(3000)
    assert kafka.answers == []
    kafka.cluster.refusing.clear()
    kafka.advance(2000)
    assert (kafka.log(), kafka.answers) == (["a"], [("a", True)])


def test_the_waits_between_retries_double_up_to_their_maximum() -> None:
    kafka = KafkaBench()
    writer = kafka.producer(retry_backoff_ms=100, retry_backoff_max_ms=400)
    kafka.cluster.refusing.append(1.0)
    tries: list[float] = []
    hear = writer.producer.answered
    writer.producer.answered = lambda request: (tries.append(kafka.now_ms), hear(request))
    writer.send("a")
    kafka.advance(2500)
    waits = [later - earlier for earlier, later in pairwise(tries)]
    for wait, expected in zip(waits, [100, 200, 400, 400, 400], strict=False):
        assert 0.8 * expected <= wait <= 1.2 * expected
    assert len(waits) >= 5


def test_after_delivery_timeout_the_producer_gives_up() -> None:
    kafka = KafkaBench()
    writer = kafka.producer(delivery_timeout_ms=2000, request_timeout_ms=500)
    kafka.cluster.refusing.append(1.0)
    writer.send("a")
    kafka.advance(1999)
    assert kafka.answers == []
    kafka.advance(1001)
    assert (kafka.answers, writer.producer.owes()) == ([("a", False)], False)
    assert kafka.answers_ms[0] == pytest.approx(2000, abs=1)


def test_a_producer_without_retries_gives_up_at_once() -> None:
    kafka = KafkaBench()
    kafka.cluster.refusing.append(1.0)
    kafka.producer(retries=0, enable_idempotence=False).send("a")
    kafka.advance(0)
    assert kafka.answers == [("a", False)]


def test_a_request_without_an_answer_is_given_up_after_request_timeout_and_sent_again() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(request_timeout_ms=1000, enable_idempotence=False)
    writer.to_client.cut()
    writer.send("a")
    kafka.advance(1500)
    assert kafka.log() == ["a", "a"]
    writer.to_client.mend()
    kafka.advance(100)
    assert kafka.answers == [("a", True)]


@pytest.mark.parametrize("in_flight", [1, 5])
def test_an_idempotent_producer_keeps_the_order_of_a_partition_over_a_lost_request(in_flight: int) -> None:
    # RecordAccumulator.drainBatchesForOneNode: a partition whose first batch backs off is passed over, and an
    # idempotent broker refuses a sequence number out of turn.
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(max_in_flight_requests_per_connection=in_flight)
    writer.to_broker.impair(loss=1.0)
    writer.send("a")
    writer.to_broker.impair(loss=0.0)
    writer.send("b")
    kafka.advance(1000)
    assert kafka.log() == ["a", "b"]


def test_with_one_request_in_flight_order_holds_without_idempotence_too() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(max_in_flight_requests_per_connection=1, enable_idempotence=False)
    writer.to_broker.impair(loss=1.0)
    writer.send("a")
    writer.to_broker.impair(loss=0.0)
    writer.send("b")
    kafka.advance(1000)
    assert kafka.log() == ["a", "b"]


@pytest.mark.parametrize(("idempotent", "log"), [(False, ["b", "c", "a"]), (True, ["a", "b", "c"])])
def test_what_is_in_flight_behind_a_refused_request_overtakes_it_unless_sequences_are_checked(
        idempotent: bool, log: list[str]) -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(enable_idempotence=idempotent)
    kafka.cluster.refusing.append(1.0)
    for name in "abc":
        writer.send(name)
        kafka.advance(1)
    kafka.advance(7.5)
    kafka.cluster.refusing.clear()
    kafka.advance(5000)
    assert (kafka.log(), len(kafka.answers)) == (log, 3)


def test_a_producer_that_dies_takes_its_buffer_along() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(linger_ms=100)
    writer.send("a")
    writer.producer.forget()
    kafka.advance(1000)
    assert (kafka.log(), kafka.answers, writer.producer.owes()) == ([], [], False)


def test_a_producer_that_died_works_again() -> None:
    kafka = KafkaBench(hop_ms=10)
    writer = kafka.producer(linger_ms=5, max_in_flight_requests_per_connection=1)
    writer.send("a")
    kafka.advance(7)
    writer.producer.forget()
    writer.send("b")
    kafka.advance(100)
    assert (kafka.log(), kafka.answers) == (["a", "b"], [("b", True)])
