"""What each fault does to work in progress, to what waits, and to what architectures lack."""

from __future__ import annotations

from typing import Any

import pytest

from edasim.scenario.errors import ScenarioError
from edasim.simulate import Run, simulate
from tests.worlds import ARCHITECTURES, BROKERED, one_order, orders_of, outcome, shop, times_s

QUICK: dict[str, Any] = {"monolith": {}, "rpc": {}, "rabbitmq": {}, "kafka": {
    "topic": {"partitions": 4}, "producer": {"linger.ms": 0},
    "consumer": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000}}}
PATIENT = {"timeout": "none"}


def broken(architecture: str, *faults: dict[str, Any], **parts: Any) -> Run:
    """One order at 1 s that needs 1 s of payment, under some faults."""
    named = {f"fault-{number}": fault for number, fault in enumerate(faults)}
    given = {"client": PATIENT, "architectures": QUICK, **parts}
    return simulate(one_order(faults=named, **given), architecture)


def stream(architecture: str, *faults: dict[str, Any], **parts: Any) -> Run:
    """Two orders a second for 10 s, each 400 ms of payment for two workers, under some faults."""
    named = {f"fault-{number}": fault for number, fault in enumerate(faults)}
    payment = {"handles": "OrderPlaced", "workers": 2, "work": "400ms", **parts.pop("payment", {})}
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 2/s"}}
    given = {"duration": "10s", "producers": producers, "services": {"payment": payment, **parts.pop("more", {})},
             "client": PATIENT, "architectures": QUICK, "wire": "default", **parts}
    return simulate(shop(faults=named, **given), architecture)


# --- unavailable, slow, failing ------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_unavailable_freezes_work_in_progress_and_then_it_goes_on(architecture: str) -> None:
    run = broken(architecture, {"unavailable": "payment", "at": "1300ms", "for": "5s"})
    assert (times_s(run, "started"), times_s(run, "handled")) == ([1.0], [7.0])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_work_that_begins_while_unavailable_waits_for_the_end(architecture: str) -> None:
    run = broken(architecture, {"unavailable": "payment", "at": "0s", "for": "5s"})
    assert (times_s(run, "started"), times_s(run, "handled")) == ([1.0], [6.0])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("length", "handled"), [("10s", 4.25), ("1s", 2.75)])
def test_slow_stretches_what_is_left_of_the_work(architecture: str, length: str, handled: float) -> None:
    # 250 ms done, 750 ms left at a quarter of the speed; within 1 s of that only 250 ms get done.
    run = broken(architecture, {"slow": "payment", "by": "4x", "at": "1250ms", "for": length})
    assert times_s(run, "handled") == [handled]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_failing_fails_every_attempt_at_once(architecture: str) -> None:
    retry = {"attempts": 3, "backoff": "fixed 200ms", "jitter": "none"}
    run = broken(architecture, {"failing": "payment", "at": "0s", "for": "1300ms"}, retry=retry)
    assert (times_s(run, "started"), times_s(run, "failed")) == ([1.0, 1.2, 1.4], [1.0, 1.2])
    assert times_s(run, "handled") == [2.4]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_share_of_the_attempts_fails(architecture: str) -> None:
    run = simulate(shop(orders=400, faults={"bad": {"failing": "payment", "at": "0s", "share": "25%"}},
                        retry={"attempts": 1}), architecture)
    failed = len(times_s(run, "failed"))
    assert failed == pytest.approx(100, abs=4 * (400 * 0.25 * 0.75) ** 0.5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_two_faults_on_one_part_add_up_and_end_one_by_one(architecture: str) -> None:
    run = broken(architecture, {"unavailable": "payment", "at": "1200ms", "for": "2s"},
                 {"unavailable": "payment", "at": "2s", "for": "3s"})
    assert times_s(run, "handled") == [5.8]  # 200 ms were done, 800 ms are left at 5 s
    slow = broken(architecture, {"slow": "payment", "by": "2x", "at": "0s"},
                  {"slow": "payment", "by": "5x", "at": "0s", "for": "6s"})
    assert times_s(slow, "handled") == [7.0]  # half of it at a tenth of the speed in 5 s, half at half in 1 s


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_slow_while_unavailable_makes_no_progress(architecture: str) -> None:
    run = broken(architecture, {"unavailable": "payment", "at": "1s", "for": "2s"},
                 {"slow": "payment", "by": "2x", "at": "2s", "for": "2s"})
    assert times_s(run, "handled") == [4.5]  # from 3 s to 4 s at half speed, then at full speed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_fault_that_lasts_no_time_does_nothing(architecture: str) -> None:
    faults = [{kind: "payment", "at": "1500ms", "for": "0s"} for kind in ("unavailable", "failing", "crash", "stop")]
    run = broken(architecture, *faults)
    assert (times_s(run, "handled"), run.bands) == ([2.0], [])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_fault_leaves_a_band_and_one_that_never_ends_an_open_one(architecture: str) -> None:
    run = broken(architecture, {"unavailable": "payment", "at": "500ms", "for": "250ms"},
                 {"slow": "payment", "by": "2x", "at": "1500ms"})
    assert [(band.text, band.start_ns / 1e9, band.end_ns and band.end_ns / 1e9) for band in run.bands] == [
        ("payment down", 0.5, 0.75), ("payment 2 times slower", 1.5, None)]


def test_a_fault_that_comes_again_and_again() -> None:
    run = simulate(shop(duration="10s", faults={"blip": {"slow": "payment", "by": "2x", "every": "2s", "for": "1s"}}),
                   "rabbitmq")
    assert [(band.start_ns / 1e9, band.end_ns and band.end_ns / 1e9) for band in run.bands][:3] == [
        (2, 3), (5, 6), (8, 9)]


# --- crash, stop, deploy -------------------------------------------------------------------------------------


def test_a_crash_on_rabbitmq_requeues_at_once_and_a_new_worker_begins_anew() -> None:
    run = broken("rabbitmq", {"crash": "payment", "at": "1500ms", "for": "2s"})
    assert (times_s(run, "crashed"), times_s(run, "started"), times_s(run, "handled")) == ([1.5], [1.0, 3.5], [4.5])
    assert (len(times_s(run, "redelivered")), outcome(run, "done")) == (1, 1)


def test_a_crash_on_kafka_makes_its_partitions_wait_for_the_session_timeout() -> None:
    run = broken("kafka", {"crash": "payment", "at": "1500ms", "for": "100ms"})
    (_, again) = times_s(run, "started")
    assert -2.0 <= again - 1.5 - 6.0 <= 0.0  # from the last heartbeat, one every 2 s
    assert (outcome(run, "done"), len(times_s(run, "applied"))) == (1, 1)


def test_a_crash_over_rpc_answers_with_an_error_and_the_caller_tries_again() -> None:
    retry = {"attempts": 5, "backoff": "fixed 1s", "jitter": "none"}
    run = broken("rpc", {"crash": "payment", "at": "1500ms", "for": "1700ms"}, retry=retry)
    assert (times_s(run, "started"), times_s(run, "handled")) == ([1.0, 3.5], [4.5])
    assert (outcome(run, "done"), len(times_s(run, "retried"))) == (1, 2)


def test_a_crash_of_the_monolith_rolls_back_and_answers_with_an_error() -> None:
    run = broken("monolith", {"crash": "payment", "at": "1500ms", "for": "2s"})
    assert (times_s(run, "refused"), len(times_s(run, "applied")), outcome(run, "refused")) == ([1.5], 0, 1)


@pytest.mark.parametrize("architecture", BROKERED)
def test_a_crash_after_the_effect_but_before_it_is_settled_repeats_the_effect(architecture: str) -> None:
    architectures = {**QUICK, "kafka": {**QUICK["kafka"], "commit": "record"}}
    run = broken(architecture, {"cut": "payment", "at": "1500ms", "for": "2s"},
                 {"crash": "payment", "at": "2500ms", "for": "10ms"}, architectures=architectures, wire="default")
    assert len(times_s(run, "applied")) in (1, 2)  # 1 where the settlement that was held still arrives
    assert (outcome(run, "done"), run.quiet) == (1, True)


@pytest.mark.parametrize("architecture", ["rpc", "kafka", "rabbitmq"])
def test_who_stops_finishes_what_it_has_in_hands(architecture: str) -> None:
    run = broken(architecture, {"stop": "payment", "at": "1500ms", "for": "5s"})
    assert (times_s(run, "handled"), times_s(run, "started")) == ([2.0], [1.0])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_rolling_deploy_loses_and_repeats_nothing(architecture: str) -> None:
    run = stream(architecture, {"deploy": "payment", "at": "3s", "rolling": "500ms"})
    accepted = outcome(run, "accepted")
    assert outcome(run, "done") == accepted >= (18 if architecture == "monolith" else 19)
    assert len(times_s(run, "applied")) == accepted
    assert run.quiet


@pytest.mark.parametrize("architecture", BROKERED)
def test_a_rolling_deploy_of_a_service_that_publishes_repeats_nothing_either(architecture: str) -> None:
    shipping = {"shipping": {"handles": "Paid", "work": "10ms"}}
    run = stream(architecture, {"deploy": "payment", "at": "3s", "rolling": "500ms"}, more=shipping,
                 payment={"publishes": "Paid"})
    assert outcome(run, "done") == outcome(run, "placed") >= 19
    assert run.summary().services["payment"].duplicated_effects == 0


def test_a_consumer_that_stops_while_a_copy_waits_to_be_sent_back_does_not_fork_its_message() -> None:
    # The attempt at 1 s fails; the copy would be sent at 3 s, the worker leaves at 2 s.
    retry = {"attempts": 3, "backoff": "fixed 2s", "jitter": "none", "where": "back"}
    run = broken("rabbitmq", {"failing": "payment", "at": "0s", "for": "1100ms"},
                 {"stop": "payment", "at": "2s", "for": "100ms"}, retry=retry)
    assert len(times_s(run, "applied")) == 1



@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
def test_a_consumer_that_stops_before_its_event_is_confirmed_settles_first(architecture: str) -> None:
    shipping = {"handles": "Paid", "work": "10ms"}
    payment = {"handles": "OrderPlaced", "workers": 1, "work": "1s", "publishes": "Paid"}
    run = broken(architecture, {"stop": "payment", "at": "1500ms", "for": "2s"}, wire="default",
                 services={"payment": payment, "shipping": shipping})
    assert len(times_s(run, "applied", "payment")) == len(times_s(run, "applied", "shipping")) == 1


def test_a_consumer_that_stops_keeps_nothing_from_the_others_while_it_finishes() -> None:
    # The first of two workers has an order of 10 s in hands when it stops; the other is free.
    payment = {"handles": "OrderPlaced", "workers": 2, "work": "10s"}
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 1/s"}}
    scenario = shop(duration="9s", producers=producers, services={"payment": payment},
                    faults={"leave": {"stop": "payment", "at": "1700ms", "workers": 1}})
    run = simulate(scenario.change({"services.payment.work": "10ms"}, at="1500ms"), "rabbitmq")
    assert orders_of(run, "started") == list(range(1, 10))
    assert times_s(run, "started") == times_s(run, "placed")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_crashing_twice_is_crashing_once_and_all_come_back(architecture: str) -> None:
    run = stream(architecture, {"crash": "payment", "at": "3s", "for": "2s"},
                 {"crash": "payment", "at": "4s", "for": "2s"})
    assert run.quiet
    assert outcome(run, "done") == outcome(run, "accepted") > 10
    late = {fact.place.name for fact in run.journal if fact.verb == "started" and fact.time_s > 8}
    assert len(late) == 2


def test_a_worker_that_crashes_while_it_was_to_leave_is_not_missed_twice() -> None:
    # One of two busy workers is told to leave, then both crash: two must come back and stay.
    run = stream("rpc", {"stop": "payment", "at": "3100ms", "for": "3s", "workers": 1},
                 {"crash": "payment", "at": "3200ms", "for": "1s"}, payment={"work": "900ms"},
                 retry={"attempts": 1})
    late = {fact.place.name for fact in run.journal if fact.verb == "started" and fact.time_s > 8}
    assert len(late) == 2


# --- links, brokers, databases, producers --------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "target"), [
    ("rpc", "gateway <-> payment"), ("kafka", "payment <-> broker"), ("rabbitmq", "payment <-> broker"),
    ("rpc", "payment"), ("kafka", "payment"), ("rabbitmq", "payment"),
])
def test_a_cut_link_holds_everything_until_it_is_over(architecture: str, target: str) -> None:
    run = broken(architecture, {"cut": target, "at": "500ms", "for": "3s"})
    assert times_s(run, "handled") == [4.5]


@pytest.mark.parametrize("architecture", BROKERED)
def test_a_broker_that_cannot_be_reached_holds_orders_and_customers(architecture: str) -> None:
    run = broken(architecture, {"unavailable": "broker", "at": "500ms", "for": "3s"})
    assert (times_s(run, "accepted"), times_s(run, "handled")) == ([3.5], [4.5])


def test_a_database_that_is_down_holds_the_commit() -> None:
    run = broken("monolith", {"unavailable": "database", "at": "500ms", "for": "3s"})
    assert (times_s(run, "handled"), times_s(run, "applied")) == ([2.0], [3.5])


@pytest.mark.parametrize("architecture", ["rpc", "kafka", "rabbitmq"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_a_repeating_wire_doubles_effects_unless_they_are_idempotent(architecture: str, idempotent: bool) -> None:
    run = stream(architecture, {"duplicating": "payment", "share": "40%", "at": "0s", "for": "8s"},
                 payment={"idempotent": idempotent})
    duplicated = run.summary().services["payment"].duplicated_effects
    assert (duplicated == 0) if idempotent else (duplicated > 3)
    assert outcome(run, "done") == outcome(run, "placed")
    assert len(times_s(run, "deduplicated", "payment")) > 3 or not idempotent



@pytest.mark.parametrize("architecture", ["rpc", "kafka", "rabbitmq"])
@pytest.mark.parametrize("share", ["30%", "100%"])
def test_a_lossy_wire_loses_no_accepted_order(architecture: str, share: str) -> None:
    run = stream(architecture, {"lossy": "payment", "share": share, "at": "2s", "for": "5s"},
                 retry={"attempts": 1000, "backoff": "fixed 50ms"})
    assert (outcome(run, "lost"), outcome(run, "pending"), run.quiet) == (0, 0, True)
    assert outcome(run, "done") == outcome(run, "placed")


@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
def test_a_deploy_on_a_lossy_wire_ends(architecture: str) -> None:
    run = stream(architecture, {"lossy": "payment", "share": "50%", "at": "2s", "for": "5s"},
                 {"deploy": "payment", "at": "3s", "rolling": "500ms"})
    assert (outcome(run, "done"), run.quiet) == (outcome(run, "placed"), True)


def test_with_acks_0_a_lossy_wire_loses_accepted_orders() -> None:
    architectures = {"kafka": {"producer": {"acks": "0", "enable.idempotence": False}}}
    run = stream("kafka", {"lossy": "checkout -> broker", "share": "50%", "at": "0s"}, architectures=architectures)
    assert outcome(run, "accepted") == outcome(run, "placed")
    assert outcome(run, "lost") == len(times_s(run, "lost")) > 3
    assert run.quiet


def test_without_confirms_a_lossy_wire_loses_accepted_orders() -> None:
    run = stream("rabbitmq", {"lossy": "checkout -> broker", "share": "50%", "at": "0s"},
                 architectures={"rabbitmq": {"confirms": False}})
    assert outcome(run, "accepted") == outcome(run, "placed")
    assert outcome(run, "lost") > 3 and run.quiet


@pytest.mark.parametrize("architecture", ["monolith", "kafka", "rabbitmq"])
@pytest.mark.parametrize(("share", "low", "high"), [("0%", 0, 0), ("50%", 1, 199), ("100%", 200, 200)])
def test_a_broker_or_database_fails_for_the_share_that_is_written(
    architecture: str, share: str, low: int, high: int
) -> None:
    part = "database" if architecture == "monolith" else "broker"
    once = {"kafka": {"producer": {"retries": 0, "enable.idempotence": False}}, "rabbitmq": {}, "monolith": {}}
    run = simulate(shop(orders=200, faults={"bad": {"failing": part, "at": "0s", "share": share}},
                        architectures=once), architecture)
    assert low <= outcome(run, "refused") <= high


@pytest.mark.parametrize("architecture", ["monolith", "kafka", "rabbitmq"])
@pytest.mark.parametrize("share", ["0%", "50%", "100%"])
def test_a_broker_or_database_that_failed_is_well_again(architecture: str, share: str) -> None:
    part = "database" if architecture == "monolith" else "broker"
    run = broken(architecture, {"failing": part, "at": "0s", "for": "500ms", "share": share})
    assert outcome(run, "done") == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_shop_whose_checkout_is_down_turns_its_customers_away(architecture: str) -> None:
    run = stream(architecture, {"unavailable": "checkout", "at": "2900ms", "for": "2s"})
    assert outcome(run, "refused") == 4  # at 3.0, 3.5, 4.0 and 4.5 s
    assert outcome(run, "done") == outcome(run, "placed") - 4


@pytest.mark.parametrize("architecture", BROKERED)
@pytest.mark.parametrize("factor", ["1x", "0.5x"])
def test_a_broker_may_be_slow_by_nothing_or_quick(architecture: str, factor: str) -> None:
    run = broken(architecture, {"slow": "broker", "by": factor, "at": "500ms", "for": "1s"}, wire="default")
    assert outcome(run, "done") == 1


# --- what an architecture lacks ------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "lacking"), [
    ({"unavailable": "broker"}, "monolith rpc"),
    ({"unavailable": "database"}, "rpc kafka rabbitmq"),
    ({"cut": "payment <-> broker"}, "monolith rpc"),
    ({"lossy": "gateway -> payment", "share": "5%"}, "monolith kafka rabbitmq"),
    ({"cut": "payment"}, "monolith"),
    ({"slow": "checkout -> broker", "by": "2x"}, "monolith rpc"),
    ({"unavailable": "payment"}, ""),
    ({"crash": "payment"}, ""),
    ({"crash": "checkout"}, ""),
], ids=lambda value: ", ".join(sorted(value)) or "none")
def test_a_fault_on_a_part_that_is_not_there_is_named_and_does_nothing(
    fault: dict[str, str], lacking: str
) -> None:
    for architecture in ARCHITECTURES:
        run = broken(architecture, {**fault, "at": "500ms", "for": "200ms"})
        assert (run.not_applicable == ["fault-0"]) == (architecture in lacking.split()), architecture
        assert (len(run.bands) == 0) == (architecture in lacking.split())
        assert outcome(run, "done") == 1


@pytest.mark.parametrize("target", ["broker", "checkout", "database"])
def test_only_a_service_is_deployed(target: str) -> None:
    with pytest.raises(ScenarioError, match="deploy"):
        one_order(faults={"deploy": {"deploy": target, "at": "500ms", "rolling": "1s"}})


@pytest.mark.parametrize("architecture", [
    "monolith", "rpc", "kafka", "rabbitmq",
])
def test_a_backlog_is_worked_off_in_its_order_on_a_wire_without_latency(architecture: str) -> None:
    # A hop without latency is a direct call: the acknowledgement of one order may bring the next within it.
    one_partition = {**QUICK, "kafka": {}}
    payment = {"handles": "OrderPlaced", "workers": 1, "work": "100ms"}
    run = simulate(shop(services={"payment": payment}, architectures=one_partition,
                        client={"timeout": "none"}), architecture)
    assert orders_of(run, "handled") == list(range(1, 41))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("fault", [
    {"crash": "payment", "for": "200ms"}, {"stop": "payment", "for": "200ms"},
    {"deploy": "payment", "rolling": "200ms"}, {"unavailable": "payment", "for": "200ms"},
], ids=str)
def test_a_fault_on_a_service_that_has_not_joined_yet_does_no_harm(
    architecture: str, fault: dict[str, str]
) -> None:
    run = stream(architecture, {"at": "1s", **fault}, payment={"joins": "3s"})
    assert run.quiet and len(times_s(run, "applied")) >= 10


# --- the end of a run ----------------------------------------------------------------------------------------


def test_what_a_worker_has_in_hands_keeps_the_run_going_under_auto_ack() -> None:
    run = broken("rabbitmq", architectures={"rabbitmq": {"auto-ack": True}})
    assert (times_s(run, "handled"), outcome(run, "done"), outcome(run, "lost")) == ([2.0], 1, 0)


def test_what_a_worker_has_in_hands_keeps_the_run_going_when_it_committed_before() -> None:
    run = broken("kafka", architectures={"kafka": {"commit": "before"}})
    assert (len(times_s(run, "handled")), outcome(run, "done"), outcome(run, "lost")) == (1, 1, 0)


def test_a_crash_loses_what_auto_ack_forgot() -> None:
    run = broken("rabbitmq", {"crash": "payment", "at": "1500ms", "for": "1s"},
                 architectures={"rabbitmq": {"auto-ack": True}})
    assert (outcome(run, "lost"), run.quiet, times_s(run, "handled")) == (1, True, [])


def test_a_crash_loses_what_was_committed_before() -> None:
    kafka = {**QUICK["kafka"], "commit": "before"}
    run = broken("kafka", {"crash": "payment", "at": "1500ms", "for": "1s"}, architectures={"kafka": kafka})
    assert (outcome(run, "lost"), times_s(run, "handled")) == (1, [])


def test_a_lossy_wire_loses_what_auto_ack_forgot_and_the_run_ends() -> None:
    run = stream("rabbitmq", {"lossy": "broker -> payment", "share": "50%", "at": "2s", "for": "5s"},
                 architectures={"rabbitmq": {"auto-ack": True}})
    assert outcome(run, "lost") > 2
    assert (outcome(run, "pending"), run.quiet) == (0, True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("drain", "ended"), [("0s", "pending"), ("500ms", "pending"), ("2s", "done")])
def test_a_drain_that_ends_in_the_middle_of_it_leaves_orders_pending(
    architecture: str, drain: str, ended: str
) -> None:
    run = broken(architecture, drain=drain)
    assert (outcome(run, ended), outcome(run, "lost")) == (1, 0)
    assert run.quiet == (ended == "done")
    assert run.end_ns == (2_000_000_000 if run.quiet and architecture != "kafka" else run.end_ns)


@pytest.mark.parametrize("architecture", BROKERED)
def test_a_retry_that_waits_aside_when_the_drain_ends_is_pending(architecture: str) -> None:
    retry = {"attempts": 3, "backoff": "fixed 10s", "jitter": "none", "where": "aside"}
    run = broken(architecture, {"failing": "payment", "at": "0s"}, retry=retry, drain="5s")
    assert (outcome(run, "pending"), outcome(run, "lost"), run.quiet) == (1, 0, False)


# --- cut off for longer than a connection lives --------------------------------------------------------------


LONG_CUT = {"kafka": "30s", "rabbitmq": "90s"}


@pytest.mark.parametrize("architecture", BROKERED)
def test_a_service_that_is_cut_off_for_long_comes_back_and_finishes(architecture: str) -> None:
    kafka = {**QUICK["kafka"], "consumer": {"session.timeout.ms": 10_000}}
    run = stream(architecture, {"cut": "payment", "at": "3s", "for": LONG_CUT[architecture]}, drain="5min",
                 architectures={**QUICK, "kafka": kafka}, client={"timeout": "none"})
    assert run.quiet and outcome(run, "done") == outcome(run, "placed")
    if architecture == "kafka":
        # The coordinator gives the members up session.timeout.ms after their last heartbeat, and lets them in again.
        assert len([fact for fact in run.journal if fact.verb == "rebalanced"]) > 1
    else:
        # The broker gives the connection up after 60 s and takes its deliveries back.
        assert [fact for fact in run.journal if fact.verb == "redelivered"]


ON_DISK = [(True, "classic", 0), (False, "classic", 8), (False, "quorum", 0)]


@pytest.mark.parametrize(("persistent", "kind", "lost"), ON_DISK)
def test_a_broker_that_crashes_forgets_what_is_not_on_disk(persistent: bool, kind: str, lost: int) -> None:
    # The consumers are away from 3 s on, so that what is placed until the crash at 7 s lies in the queue.
    rabbit = {"persistent": persistent, "queue": {"x-queue-type": kind}}
    run = stream("rabbitmq", {"stop": "payment", "at": "2900ms", "for": "6s"},
                 {"crash": "broker", "at": "6900ms", "for": "500ms"},
                 architectures={"rabbitmq": rabbit}, payment={"work": "10ms"})
    assert (outcome(run, "lost"), run.quiet) == (lost, True)
    assert outcome(run, "done") == outcome(run, "placed") - lost


@pytest.mark.parametrize("architecture", BROKERED)
def test_what_a_dying_producer_had_not_sent_is_lost_with_it(architecture: str) -> None:
    # Nobody waits for an answer, and the wire is cut when the producer dies: orders 6 to 8 are still at its end.
    careless = {"kafka": {**QUICK["kafka"], "producer": {"acks": "0", "linger.ms": 0}}, "rabbitmq": {"confirms": False}}
    run = stream(architecture, {"cut": "checkout", "at": "2900ms", "for": "4s"},
                 {"crash": "checkout", "at": "4400ms", "for": "10s"}, architectures=careless)
    assert (outcome(run, "lost"), run.quiet) == (3, True)
