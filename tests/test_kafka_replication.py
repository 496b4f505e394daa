"""Brokers that die, leaders that follow them, and what is lost, repeated or refused because of it.

Unless a test says otherwise a hop takes 1 ms: a record is appended after 1 ms, on the followers after 2, and
acknowledged by them at 3.
"""

from __future__ import annotations

import pytest

from edasim.brokers.kafka.failover_producer import FailoverProducer
from tests.replica_worlds import Replicas

SECOND_MS = 1000.0


# --- leaders and the high watermark ----------------------------------------------------------------------------


def test_a_consumer_sees_what_all_in_sync_replicas_have() -> None:
    kafka = Replicas()
    payment = kafka.group()
    kafka.producer().send("a")
    kafka.advance(2.5)
    assert (kafka.partition.end, kafka.partition.high_watermark, payment.seen) == (1, 0, [])
    kafka.advance(2.5)
    assert (kafka.partition.high_watermark, payment.seen, payment.readers[0].seen_ms) == (1, ["a"], [4.0])


@pytest.mark.parametrize(("acks", "answered_ms"), [("0", 0), ("1", 2), ("all", 4)])
def test_acks_say_whose_word_the_producer_waits_for(acks: str, answered_ms: float) -> None:
    kafka = Replicas()
    kafka.producer(acks=acks, enable_idempotence=acks == "all").send("a")
    kafka.advance(50)
    assert (kafka.answers, kafka.answers_ms) == ([("a", True)], [answered_ms])


def test_leaders_are_spread_over_the_nodes() -> None:
    kafka = Replicas(partitions=4)
    assert [kafka.cluster.leader("orders", number) for number in range(4)] == [1, 2, 3, 1]
    assert kafka.cluster.in_sync("orders", 1) == (2, 3, 1)


@pytest.mark.parametrize("session_ms", [9000, 3000])
def test_a_dead_leader_is_replaced_when_its_session_is_over(session_ms: int) -> None:
    kafka = Replicas(broker={"broker_session_timeout_ms": session_ms})
    kafka.kill(1)
    kafka.advance(session_ms - 2001)
    assert (kafka.leader, kafka.isr) == (None, {1, 2, 3})
    kafka.advance(2100)
    assert (kafka.leader, kafka.isr) == (2, {2, 3})


def test_a_node_that_is_back_catches_up_and_is_in_sync_again() -> None:
    kafka = Replicas()
    kafka.kill(1)
    kafka.producer().send("a")
    kafka.advance(12 * SECOND_MS)
    kafka.start(1)
    kafka.advance(SECOND_MS)
    assert (kafka.leader, kafka.isr, kafka.partition.replicas[0].end) == (2, {1, 2, 3}, 1)


def test_the_first_replica_leads_again_after_the_next_check_of_the_balance() -> None:
    kafka = Replicas(broker={"leader_imbalance_check_interval_seconds": 60})
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    kafka.start(1)
    kafka.advance(61 * SECOND_MS)
    assert kafka.leader == 1
    kafka.producer().send("a")
    kafka.advance(SECOND_MS)
    assert kafka.accepted() == ["a"]


def test_a_node_that_is_back_soon_waits_for_the_end_of_its_old_session() -> None:
    kafka = Replicas()
    kafka.kill(1)
    kafka.advance(100)
    kafka.start(1)
    kafka.advance(6 * SECOND_MS)
    assert kafka.leader is None
    kafka.advance(4 * SECOND_MS)
    assert (kafka.leader, kafka.isr) == (2, {1, 2, 3})


# --- a controlled shutdown --------------------------------------------------------------------------------------


def test_a_node_that_is_stopped_hands_its_leadership_over_first() -> None:
    kafka = Replicas()
    writer = kafka.producer()
    writer.send("a")
    kafka.advance(50)
    kafka.cluster.stop(1)
    kafka.advance(20)
    assert (kafka.leader, kafka.isr) == (2, {2, 3})
    writer.send("b")
    kafka.advance(500)
    assert kafka.accepted() == ["a", "b"] and kafka.answers_ms[-1] < 300


def test_without_a_controlled_shutdown_others_lead_when_the_session_is_over() -> None:
    kafka = Replicas(broker={"controlled_shutdown_enable": False})
    kafka.cluster.stop(1)
    kafka.advance(6 * SECOND_MS)
    assert (kafka.leader, kafka.isr) == (None, {1, 2, 3})
    kafka.advance(3.1 * SECOND_MS)
    assert (kafka.leader, kafka.isr) == (2, {2, 3})


# --- what a crash of the leader costs ---------------------------------------------------------------------------


def crash_after_the_answer(acks: str) -> Replicas:
    """The leader dies 2.1 ms after it was sent a record: it has appended it, and the followers have not got it yet."""
    kafka = Replicas(hop_ms=1)
    for replica in kafka.partition.replicas:
        replica.there.use(lambda uniforms: (uniforms[0] * 0 + 5e6).astype(int))
    kafka.producer(acks=acks, enable_idempotence=False).send("a")
    kafka.advance(2.1)
    kafka.kill(1)
    kafka.advance(60 * SECOND_MS)
    return kafka


def test_acks_1_loses_what_only_the_dead_leader_had() -> None:
    kafka = crash_after_the_answer("1")
    assert (kafka.accepted(), kafka.log()) == (["a"], [])
    assert kafka.facts("dropped") == ["a"] and kafka.partition.lost_records == 1


def test_acks_all_sends_it_again_to_the_next_leader() -> None:
    kafka = crash_after_the_answer("all")
    assert (kafka.accepted(), kafka.log()) == (["a"], ["a"])
    assert kafka.answers_ms[0] > 5 * SECOND_MS


def test_acks_0_loses_what_is_sent_to_a_dead_node_and_nobody_learns_of_it() -> None:
    kafka = Replicas()
    writer = kafka.producer(acks="0", enable_idempotence=False)
    kafka.kill(1)
    writer.send("a")
    kafka.advance(60 * SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], [])


@pytest.mark.parametrize(("idempotent", "log"), [(True, ["a"]), (False, ["a", "a"])])
def test_a_leader_that_dies_after_the_append_makes_a_duplicate_without_idempotence(
        idempotent: bool, log: list[str]) -> None:
    """The followers have the record, but the answer died with the leader: it is sent again."""
    kafka = Replicas()
    kafka.producer(enable_idempotence=idempotent).send("a")
    kafka.advance(2.5)
    kafka.kill(1)
    kafka.advance(20 * SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], log)
    assert kafka.facts("deduplicated") == (["a"] if idempotent else [])


def test_a_record_that_came_back_with_the_old_leader_is_cut_off() -> None:
    kafka = crash_after_the_answer("1")
    kafka.producer("other").send("b")
    kafka.advance(SECOND_MS)
    kafka.start(1)
    kafka.advance(SECOND_MS)
    replica = kafka.partition.replicas[0]
    assert (kafka.log(), replica.end, replica.stray, kafka.isr) == (["b"], 1, None, {1, 2, 3})


# --- min.insync.replicas ----------------------------------------------------------------------------------------


def two_down(**options: object) -> Replicas:
    kafka = Replicas(**options)  # type: ignore[arg-type]
    kafka.kill(2, 3)
    kafka.advance(12 * SECOND_MS)
    assert kafka.isr == {1}
    return kafka


def test_acks_all_is_refused_when_too_few_are_in_sync_and_nothing_is_appended() -> None:
    kafka = two_down(min_insync_replicas=2)
    writer = kafka.producer(delivery_timeout_ms=31_000, linger_ms=0)
    writer.send("a")
    kafka.advance(20 * SECOND_MS)
    assert (kafka.log(), set(writer.producer._errors.values())) == ([], {"NOT_ENOUGH_REPLICAS"})  # type: ignore[attr-defined]
    kafka.advance(20 * SECOND_MS)
    assert (kafka.refused(), kafka.log()) == (["a"], [])


def test_what_is_refused_is_taken_when_another_is_in_sync_again() -> None:
    kafka = two_down(min_insync_replicas=2)
    kafka.producer().send("a")
    kafka.advance(5 * SECOND_MS)
    kafka.start(2)
    kafka.advance(5 * SECOND_MS)
    assert (kafka.accepted(), kafka.log(), kafka.isr) == (["a"], ["a"], {1, 2})


@pytest.mark.parametrize(("acks", "minimum"), [("1", 2), ("all", 1)])
def test_one_replica_is_enough_for_acks_1_and_for_a_minimum_of_one(acks: str, minimum: int) -> None:
    kafka = two_down(min_insync_replicas=minimum)
    kafka.producer(acks=acks, enable_idempotence=False).send("a")
    kafka.advance(SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], ["a"])


def test_the_high_watermark_stands_still_while_too_few_are_in_sync() -> None:
    kafka = two_down(min_insync_replicas=2)
    payment = kafka.group()
    kafka.producer(acks="1", enable_idempotence=False).send("a")
    kafka.advance(SECOND_MS)
    assert (kafka.accepted(), kafka.partition.high_watermark, payment.seen) == (["a"], 0, [])
    kafka.start(2)
    kafka.advance(SECOND_MS)
    assert payment.seen == ["a"]


def test_a_record_appended_when_the_others_were_dead_already_is_not_acknowledged_and_makes_a_duplicate() -> None:
    """Their sessions last: the leader takes the record, waits for them in vain, and the producer sends it again."""
    kafka = Replicas(min_insync_replicas=2)
    kafka.kill(2, 3)
    kafka.producer(enable_idempotence=False, request_timeout_ms=2000).send("a")
    kafka.advance(3 * SECOND_MS)
    assert (kafka.answers, kafka.log()) == ([], ["a", "a"])


# --- replicas that lag ------------------------------------------------------------------------------------------


def test_a_follower_that_lags_leaves_the_isr_and_holds_nobody_up_any_more() -> None:
    kafka = Replicas(broker={"replica_lag_time_max_ms": 4000})
    kafka.isolate(3)
    kafka.producer().send("a")
    kafka.advance(3.9 * SECOND_MS)
    assert (kafka.isr, kafka.answers) == ({1, 2, 3}, [])
    kafka.advance(2.2 * SECOND_MS)
    assert (kafka.isr, kafka.accepted()) == ({1, 2}, ["a"])
    assert kafka.numbers("shrunk") == [3]


def test_a_follower_is_in_sync_again_when_it_has_all_that_shows_and_not_before() -> None:
    """It fetches one record in 3 ms here."""
    kafka = Replicas(broker={"replica_fetch_max_bytes": 500})
    kafka.kill(3)
    kafka.advance(12 * SECOND_MS)
    kafka.producer(batch_size=0).send(*(f"m{number}" for number in range(50)))
    kafka.advance(SECOND_MS)
    kafka.start(3)
    kafka.advance(100)
    assert (kafka.isr, 10 < kafka.partition.replicas[2].end < 50) == ({1, 2}, True)
    kafka.advance(100)
    assert (kafka.isr, kafka.partition.replicas[2].end) == ({1, 2, 3}, 50)


def test_a_follower_that_has_nothing_to_copy_never_lags() -> None:
    kafka = Replicas(broker={"replica_lag_time_max_ms": 1000})
    kafka.isolate(3)
    kafka.advance(60 * SECOND_MS)
    assert kafka.isr == {1, 2, 3}


# --- elections --------------------------------------------------------------------------------------------------


def last_one_in_sync_dies(version: str, unclean: bool) -> Replicas:
    """Nodes 2 and 3 are down when "late" is acknowledged by 1 alone, which then dies; 2 and 3 come back."""
    kafka = Replicas(version=version, unclean_leader_election_enable=unclean)
    writer = kafka.producer()
    writer.send("early")
    kafka.advance(SECOND_MS)
    kafka.kill(2, 3)
    kafka.advance(12 * SECOND_MS)
    writer.send("late")
    kafka.advance(SECOND_MS)
    assert kafka.accepted() == ["early", "late"]
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    kafka.start(2, 3)
    kafka.advance(SECOND_MS)
    return kafka


@pytest.mark.parametrize("version", ["3.9", "4.0", "4.3"])
def test_nobody_leads_while_only_replicas_are_there_that_lack_what_was_acknowledged(version: str) -> None:
    kafka = last_one_in_sync_dies(version, unclean=False)
    assert kafka.leader is None
    kafka.start(1)
    kafka.advance(SECOND_MS)
    assert (kafka.leader, kafka.log(), kafka.isr) == (1, ["early", "late"], {1, 2, 3})


def test_an_unclean_election_loses_what_was_acknowledged() -> None:
    kafka = last_one_in_sync_dies("3.9", unclean=True)
    assert (kafka.leader, kafka.log(), kafka.facts("dropped")) == (2, ["early"], ["late"])
    kafka.start(1)
    kafka.advance(SECOND_MS)
    assert (kafka.log(), kafka.isr) == (["early"], {1, 2, 3})


def test_a_consumer_goes_back_to_where_the_log_was_cut() -> None:
    kafka = Replicas(unclean_leader_election_enable=True, version="3.9")
    payment, writer = kafka.group(auto_commit_interval_ms=100), kafka.producer()
    writer.send("a")
    kafka.advance(SECOND_MS)
    kafka.kill(2, 3)
    kafka.advance(12 * SECOND_MS)
    writer.send("b", "c")
    kafka.advance(SECOND_MS)
    assert (payment.seen, payment.committed()) == (["a", "b", "c"], 3)
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    kafka.start(2, 3)
    kafka.advance(SECOND_MS)
    assert (kafka.log(), payment.committed()) == (["a"], 1)
    writer.send("d", "e")
    kafka.advance(SECOND_MS)
    assert kafka.log() == ["a", "d", "e"]
    assert payment.seen == ["a", "b", "c", "d", "e"]
    assert kafka.facts("redelivered") == []


def test_a_consumer_without_a_reset_policy_fails_when_the_log_was_cut() -> None:
    kafka = Replicas(unclean_leader_election_enable=True, version="3.9")
    payment, writer = kafka.group(auto_offset_reset="none"), kafka.producer()
    kafka.kill(2, 3)
    kafka.advance(12 * SECOND_MS)
    writer.send("a")
    kafka.advance(SECOND_MS)
    kafka.kill(1)
    kafka.start(2)
    kafka.advance(20 * SECOND_MS)
    assert (payment.seen, payment.readers[0].member.alive) == (["a"], False)


def test_an_idempotent_producer_goes_on_after_the_cluster_lost_what_it_had_acknowledged() -> None:
    """The new leader misses batches of its: out of order, and the producer begins a new epoch (KIP-360)."""
    kafka = last_one_in_sync_dies("3.9", unclean=True)
    kafka.start(1)
    kafka.advance(SECOND_MS)
    writer = kafka.producer("another")
    writer.send("x")
    kafka.advance(SECOND_MS)
    assert kafka.log() == ["early", "x"]


def test_out_of_order_after_a_loss_begins_a_new_epoch() -> None:
    kafka = Replicas(version="3.9", unclean_leader_election_enable=True)
    writer = kafka.producer()
    writer.send("early")
    kafka.advance(SECOND_MS)
    kafka.kill(2, 3)
    kafka.advance(12 * SECOND_MS)
    writer.send("late")
    kafka.advance(SECOND_MS)
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    kafka.start(2, 3)
    kafka.advance(SECOND_MS)
    writer.send("later", "latest")
    kafka.advance(5 * SECOND_MS)
    assert (kafka.log(), kafka.refused()) == (["early", "later", "latest"], [])


@pytest.mark.parametrize(("version", "broker", "eligible"), [
    ("3.9", {}, set()), ("4.0", {}, set()), ("4.0", {"eligible_leader_replicas_version": 1}, {3}), ("4.3", {}, {3})])
def test_who_left_the_isr_below_the_minimum_stays_eligible_by_version(
        version: str, broker: dict[str, object], eligible: set[int]) -> None:
    kafka = Replicas(version=version, broker=broker, min_insync_replicas=2)
    kafka.kill(2)
    kafka.advance(12 * SECOND_MS)
    assert kafka.eligible == set()
    kafka.kill(3)
    kafka.advance(12 * SECOND_MS)
    assert (kafka.isr, kafka.eligible) == ({1}, eligible)


@pytest.mark.parametrize(("version", "leader"), [("3.9", None), ("4.3", 3)])
def test_an_eligible_replica_leads_where_3_9_waits_for_the_last_one_in_sync(
        version: str, leader: int | None) -> None:
    """Node 3 is stopped properly, so that it has all on disk when the ISR falls below its minimum."""
    kafka = Replicas(version=version, min_insync_replicas=2)
    kafka.producer().send("a")
    kafka.advance(SECOND_MS)
    kafka.kill(2)
    kafka.advance(12 * SECOND_MS)
    kafka.cluster.stop(3)
    kafka.advance(SECOND_MS)
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    assert kafka.leader is None
    kafka.start(3)
    kafka.advance(SECOND_MS)
    assert (kafka.leader, kafka.log()) == (leader, ["a"])


def test_an_eligible_replica_that_crashed_is_not_trusted() -> None:
    """It may have lost what was not on disk: after a crash it is no longer eligible (KIP-966)."""
    kafka = Replicas(version="4.3", min_insync_replicas=2)
    kafka.kill(2)
    kafka.advance(12 * SECOND_MS)
    kafka.kill(3)
    kafka.advance(12 * SECOND_MS)
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    kafka.start(3)
    kafka.advance(SECOND_MS)
    assert (kafka.leader, kafka.eligible) == (None, {1})


# --- clients ----------------------------------------------------------------------------------------------------


def test_a_producer_keeps_what_it_cannot_send_until_there_is_a_leader_and_in_its_order() -> None:
    kafka = Replicas()
    writer = kafka.producer(batch_size=1000)
    kafka.kill(1)
    for name in "abcdefgh":
        writer.send(name)
        kafka.advance(300)
    kafka.advance(12 * SECOND_MS)
    assert (kafka.log(), kafka.accepted()) == (list("abcdefgh"), list("abcdefgh"))


def test_a_batch_whose_leader_has_changed_does_not_wait_out_its_backoff() -> None:
    """KIP-951: the backoff is for a leader that was asked before."""
    kafka = Replicas()
    writer = kafka.producer(retry_backoff_ms=30_000, retry_backoff_max_ms=30_000)
    kafka.advance(1)
    writer.send("a")
    kafka.kill(1)
    kafka.advance(12 * SECOND_MS)
    assert (kafka.leader, kafka.accepted()) == (2, ["a"])


def test_what_waits_for_a_leader_is_given_up_after_delivery_timeout() -> None:
    kafka = Replicas(replicas=1, nodes=1)
    kafka.kill(1)
    kafka.advance(100)
    kafka.producer(delivery_timeout_ms=30_000).send("a")
    kafka.advance(29 * SECOND_MS)
    assert kafka.answers == []
    kafka.advance(2 * SECOND_MS)
    assert kafka.refused() == ["a"]


def test_a_cluster_of_one_node_goes_on_where_it_was() -> None:
    kafka = Replicas(replicas=1, nodes=1)
    payment, writer = kafka.group(), kafka.producer()
    writer.send("a")
    kafka.advance(SECOND_MS)
    kafka.kill(1)
    writer.send("b")
    kafka.advance(12 * SECOND_MS)
    kafka.start(1)
    kafka.advance(2 * SECOND_MS)
    assert (kafka.log(), payment.seen, kafka.accepted()) == (["a", "b"], ["a", "b"], ["a", "b"])


def test_partitions_of_other_leaders_go_on_while_one_is_down() -> None:
    kafka = Replicas(partitions=6)
    payment, writer = kafka.group(), kafka.producer()
    kafka.kill(1)
    writer.send("a", key="customer-7")  # partition 1, which node 2 leads
    writer.send("b", key="order-42")  # partition 0, which node 1 leads
    kafka.advance(SECOND_MS)
    assert (payment.seen, kafka.accepted()) == ([], [])  # node 1 still is in all ISRs
    kafka.advance(12 * SECOND_MS)
    assert (sorted(payment.seen), sorted(kafka.accepted())) == (["a", "b"], ["a", "b"])


def test_nothing_new_overtakes_what_an_earlier_leader_has_not_answered_yet() -> None:
    """Five batches wait for the followers when the leader is stopped; a sixth goes to the next leader behind them."""
    kafka = Replicas()
    writer = kafka.producer()
    for name in "abcde":
        writer.send(name)
        kafka.advance(0.3)
    kafka.kill(3)
    kafka.cluster.stop(1)
    kafka.advance(1.1)
    writer.send("f")
    kafka.advance(20 * SECOND_MS)
    assert kafka.log() == kafka.accepted() == list("abcdef")


def test_why_a_producer_gives_up_is_told() -> None:
    kafka = two_down(min_insync_replicas=2)
    writer, errors = kafka.producer(retries=1, enable_idempotence=False), []
    producer = writer.producer
    assert isinstance(producer, FailoverProducer)
    message = kafka.world.messages.place("a", 1, "k", 1000, 0)
    producer.send(message, kafka.topic, lambda _, ok: errors.append((ok, producer.error)))
    kafka.advance(SECOND_MS)
    assert (errors, producer.error) == ([(False, "NOT_ENOUGH_REPLICAS")], "")


# --- a node that is stuck ---------------------------------------------------------------------------------------


def test_who_asked_a_stuck_leader_notices_only_after_request_timeout() -> None:
    """Others lead after the session, but no connection breaks; the producer tries again after 14 s."""
    kafka = Replicas()
    writer = kafka.producer(request_timeout_ms=14_000)
    kafka.cluster.freeze(1)
    writer.send("a")
    kafka.advance(13 * SECOND_MS)
    assert (kafka.leader, kafka.isr, kafka.answers) == (2, {2, 3}, [])
    kafka.advance(5 * SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], ["a"])


def test_a_consumer_at_a_stuck_leader_reads_on_after_request_timeout() -> None:
    kafka = Replicas()
    payment = kafka.group(request_timeout_ms=20_000)
    kafka.producer("early").send("a")
    kafka.advance(SECOND_MS)
    kafka.cluster.freeze(1)
    kafka.advance(12 * SECOND_MS)
    kafka.producer("late").send("b")
    kafka.advance(7 * SECOND_MS)
    assert (kafka.log(), payment.seen) == (["a", "b"], ["a"])
    kafka.advance(2 * SECOND_MS)
    assert payment.seen == ["a", "b"]


def test_a_leader_that_was_stuck_for_less_than_its_session_goes_on() -> None:
    kafka = Replicas()
    payment = kafka.group()
    writer = kafka.producer()
    writer.send("a")
    kafka.advance(2.5)
    kafka.cluster.freeze(1)
    kafka.advance(3 * SECOND_MS)
    writer.send("b")
    kafka.advance(SECOND_MS)
    assert (kafka.leader, kafka.answers) == (None, [])
    kafka.cluster.thaw(1)
    kafka.advance(100)
    assert (kafka.leader, kafka.isr, kafka.accepted()) == (1, {1, 2, 3}, ["a", "b"])
    assert payment.seen == ["a", "b"] and kafka.numbers("shrunk") == []


def test_a_leader_that_was_stuck_for_longer_follows_and_refuses_what_it_held() -> None:
    kafka = Replicas()
    writer = kafka.producer(acks="1", enable_idempotence=False)
    kafka.cluster.freeze(1)
    writer.send("a")
    kafka.advance(12 * SECOND_MS)
    assert kafka.leader == 2
    kafka.cluster.thaw(1)
    kafka.advance(SECOND_MS)
    assert (kafka.leader, kafka.isr, kafka.log(), kafka.accepted()) == (2, {1, 2, 3}, ["a"], ["a"])


def test_a_stuck_follower_holds_acks_all_up_until_it_lags_or_its_session_is_over() -> None:
    def answered_ms(**broker: object) -> float:
        kafka = Replicas(broker=dict(broker))
        kafka.cluster.freeze(3)
        kafka.producer().send("a")
        kafka.advance(40 * SECOND_MS)
        return kafka.answers_ms[0]

    assert 2 * SECOND_MS < answered_ms(replica_lag_time_max_ms=2000) < 3.1 * SECOND_MS
    assert 7 * SECOND_MS < answered_ms() < 9.1 * SECOND_MS


def test_a_node_that_dies_while_it_is_stuck_answers_nothing_afterwards() -> None:
    kafka = Replicas(replicas=1, nodes=1)
    kafka.cluster.freeze(1)
    kafka.producer(acks="1", enable_idempotence=False).send("a")
    kafka.advance(SECOND_MS)
    kafka.kill(1)
    kafka.cluster.thaw(1)
    kafka.advance(20 * SECOND_MS)
    assert (kafka.leader, kafka.answers, kafka.log()) == (None, [], [])
    kafka.start(1)
    kafka.advance(2 * SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], ["a"])
    kafka.cluster.freeze(1)
    kafka.cluster.thaw(1)
    kafka.advance(SECOND_MS)
    assert kafka.log() == ["a"]


def test_a_session_counts_from_where_a_node_got_stuck_also_if_it_dies_later() -> None:
    kafka = Replicas()
    kafka.cluster.freeze(1)
    kafka.advance(5 * SECOND_MS)
    kafka.kill(1)
    kafka.advance(4.1 * SECOND_MS)
    assert kafka.leader == 2


def test_who_waited_at_a_leader_that_was_stuck_is_told_when_it_goes_on() -> None:
    kafka = Replicas()
    kafka.producer().send("a")
    kafka.advance(2.5)
    kafka.cluster.freeze(1)
    kafka.advance(12 * SECOND_MS)
    assert (kafka.leader, kafka.answers) == (2, [])
    kafka.cluster.thaw(1)
    kafka.advance(SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], ["a"])


def test_a_minimum_that_is_altered_holds_from_then_on() -> None:
    kafka = two_down()
    writer = kafka.producer()
    writer.send("a")
    kafka.advance(SECOND_MS)
    kafka.cluster.configure_topic("orders", {**kafka.partition.options, "min.insync.replicas": 2})
    writer.send("b")
    kafka.advance(SECOND_MS)
    assert (kafka.accepted(), kafka.log()) == (["a"], ["a"])
