"""Unlimited workers, shared cores, lines with little room and priorities: at their edges and under faults."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.worlds import ARCHITECTURES, orders_of, outcome, shop, times_s

CALLED = ("monolith", "rpc")
ENDLESS = ("monolith", "rpc", "rabbitmq")
"""Where there can be a worker for each order."""
QUICK: dict[str, Any] = {"monolith": {}, "rpc": {}, "rabbitmq": {"prefetch": 1}, "kafka": {
    "topic": {"partitions": 8}, "producer": {"linger.ms": 0}}}


def orders_at(times: str, payment: dict[str, Any], **parts: Any) -> Scenario:
    """Orders at some seconds, each a second of payment for unlimited workers unless said otherwise."""
    built = parts.pop("architectures", {"monolith": {}, "rpc": {}, "rabbitmq": {"prefetch": "unlimited"}})
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": f"times [{times}]"}}
    service = {"handles": "OrderPlaced", "work": "1s", "workers": "unlimited", **payment}
    return shop(duration="60s", producers=producers, services={"payment": service}, client={"timeout": "none"},
                retry={"attempts": 1}, architectures=built, **parts)


def done_at(run: Run) -> list[float]:
    """When each order was done, in seconds."""
    return [round(float(time_s), 6) for time_s in run.summary().orders.done_s]


# --- unlimited workers ---


@pytest.mark.parametrize("architecture", ENDLESS)
def test_with_unlimited_workers_nobody_waits(architecture: str) -> None:
    run = simulate(orders_at("1s, 1s, 1.5s, 9s", {}), architecture)
    assert done_at(run) == [2.0, 2.0, 2.5, 10.0]
    workers = {fact.place.name for fact in run.journal if fact.place.kind == "worker"}
    assert len(workers) == 3, "who is idle is asked before another one is made"


@pytest.mark.parametrize("architecture", ENDLESS)
def test_unlimited_workers_have_no_utilisation_but_a_number_at_work(architecture: str) -> None:
    run = simulate(orders_at("1s, 1s, 1.5s, 9s", {}), architecture)
    numbers = run.summary().services["payment"]
    assert math.isnan(numbers.utilisation) and numbers.at_work == pytest.approx(4 / 60)
    assert run.summary().as_dict()["services"]["payment"]["utilisation"] is None
    assert "nan" not in str(run)
    assert run.capacity == ({"process": math.inf} if architecture == "monolith" else {"payment": math.inf})


@pytest.mark.parametrize("architecture", ENDLESS)
def test_unlimited_workers_can_become_few_and_few_unlimited(architecture: str) -> None:
    few = orders_at("1s, 1s, 1s, 5s, 5s, 5s", {}).change({"services.payment.workers": 1}, at="2500ms")
    assert done_at(simulate(few, architecture)) == [2.0, 2.0, 2.0, 6.0, 7.0, 8.0]
    many = orders_at("1s, 1s, 1s, 1s", {"workers": 1}).change({"services.payment.workers": "unlimited"}, at="2500ms")
    assert done_at(simulate(many, architecture)) == [2.0, 3.0, 3.5, 3.5]


def test_few_dead_workers_of_unlimited_ones_are_not_missed() -> None:
    fault = {"crash": "payment", "workers": 1, "at": "1500ms", "for": "10s"}
    run = simulate(orders_at("1s, 1s, 3s", {}, faults={"few": fault}), "rpc")
    assert orders_of(run, "crashed") == [1]
    assert done_at(run) == [math.inf, 2.0, 4.0]


def test_when_few_die_and_no_other_was_made_yet_the_next_order_gets_a_new_worker() -> None:
    fault = {"crash": "payment", "workers": 2, "at": "1500ms", "for": "10s"}
    run = simulate(orders_at("1s, 3s", {}, faults={"few": fault}), "rpc")
    assert done_at(run) == [math.inf, 4.0]


def test_all_of_unlimited_workers_can_be_gone() -> None:
    fault = {"crash": "payment", "at": "1500ms", "for": "3s"}
    run = simulate(orders_at("1s, 1s, 3s, 5s, 5s", {}, faults={"all": fault}), "rpc")
    assert outcome(run, "refused") == 3
    assert done_at(run)[3:] == [6.0, 6.0]


def test_unlimited_workers_that_stop_finish_what_they_hold() -> None:
    fault = {"stop": "payment", "at": "1500ms", "for": "3s"}
    run = simulate(orders_at("1s, 1s, 3s, 5s", {}, faults={"all": fault}), "rpc")
    assert done_at(run) == [2.0, 2.0, math.inf, 6.0]


def test_members_have_to_be_counted() -> None:
    with pytest.raises(ScenarioError, match="write a number, or leave kafka out"):
        orders_at("1s", {}, architectures={"kafka": {}})


def test_a_prefetch_bounds_how_many_handlers_one_consumer_starts() -> None:
    run = simulate(orders_at("1s, 1s, 1s", {}, architectures={"rabbitmq": {"prefetch": 2}}, wire="none"), "rabbitmq")
    assert done_at(run) == [2.0, 2.0, 3.0]


def test_when_the_one_consumer_dies_all_that_it_had_in_hands_comes_back() -> None:
    fault = {"crash": "payment", "at": "1500ms", "for": "1s"}
    run = simulate(orders_at("1s, 1s, 2s", {}, faults={"crash": fault}, wire="none"), "rabbitmq")
    assert orders_of(run, "crashed") == [1, 2] and orders_of(run, "redelivered") == [1, 2]
    assert done_at(run) == [3.5, 3.5, 3.5]


def test_when_the_one_consumer_stops_it_finishes_what_it_has_in_hands() -> None:
    fault = {"stop": "payment", "at": "1500ms", "for": "1s"}
    run = simulate(orders_at("1s, 1s, 2s", {}, faults={"stop": fault}, wire="none"), "rabbitmq")
    assert orders_of(run, "redelivered") == []
    assert done_at(run) == [2.0, 2.0, 3.5]


def test_a_broken_connection_gives_what_is_in_hands_to_the_queue_again() -> None:
    fault = {"crash": "broker", "at": "1500ms", "for": "1s"}
    run = simulate(orders_at("1s, 1s", {"idempotent": True}, faults={"broker": fault}, wire="none"), "rabbitmq")
    assert outcome(run, "done") == 2 and orders_of(run, "redelivered") == [1, 2]


# --- shared cores ---


def shared(times: str, cores: int = 1, payment: dict[str, Any] | None = None, **parts: Any) -> Scenario:
    """The same with cores to share, in the process or the service."""
    built = {"monolith": {"cores": cores}, "rpc": {}}
    return orders_at(times, {"cores": cores, **(payment or {})}, architectures=built, **parts)


@pytest.mark.parametrize("architecture", CALLED)
def test_an_outage_in_the_middle_of_shared_work_stops_it_and_takes_no_core(architecture: str) -> None:
    fault = {"unavailable": "payment", "at": "2s", "for": "5s"}
    run = simulate(shared("1s, 1500ms, 6s", faults={"outage": fault}), architecture)
    # By 2 s the first has done 0.75 s and the second 0.25 s; at 7 s all three go on, the third with all of its second.
    assert done_at(run) == [7.75, 8.75, 9.0]


@pytest.mark.parametrize("architecture", CALLED)
def test_slow_work_shares_the_core_and_needs_more_of_it(architecture: str) -> None:
    fault = {"slow": "payment", "by": "4x", "at": "2s", "for": "2s"}
    run = simulate(shared("1s, 1s", faults={"slow": fault}), architecture)
    # At 2 s each has half a second left; for 2 s both together get half a second done.
    assert done_at(run) == [4.5, 4.5]


def test_what_is_down_leaves_the_core_of_the_process_to_the_others() -> None:
    services = {"payment": {"handles": "Paid", "work": "2s"}, "mail": {"handles": "Sent", "work": "2s"}}
    producers = {"one": {"publishes": "Paid", "arrivals": "times [1s]"},
                 "two": {"publishes": "Sent", "arrivals": "times [1s]"}}
    run = simulate(shop(duration="20s", producers=producers, services=services, client={"timeout": "none"},
                        faults={"outage": {"unavailable": "payment", "at": "2s", "for": "1s"}},
                        architectures={"monolith": {"threads": "unlimited", "cores": 1}}), "monolith")
    # While payment is down mail has the core alone: of its 2 s it has half a second left when they share it again.
    assert times_s(run, "handled") == [4.0, 5.0]


def test_two_faults_at_one_instant_leave_shared_work_as_it_was() -> None:
    faults = {"one": {"unavailable": "payment", "at": "1500ms", "for": "1s"},
              "two": {"slow": "payment", "by": "2x", "at": "1500ms", "for": "1s"}}
    assert done_at(simulate(shared("1s, 1s", faults=faults), "rpc")) == [4.0, 4.0]


@pytest.mark.parametrize("architecture", ["rpc", "rabbitmq"])
def test_a_dead_worker_leaves_its_share_to_the_others(architecture: str) -> None:
    fault = {"crash": "payment", "workers": 1, "at": "2s", "for": "1h"}
    scenario = shop(duration="60s", client={"timeout": "none"}, faults={"crash": fault}, retry={"attempts": 1},
                    producers={"checkout": {"publishes": "OrderPlaced", "arrivals": "times [1s, 1s, 40s]"}},
                    services={"payment": {"handles": "OrderPlaced", "work": "1s", "workers": 2, "cores": 1}},
                    architectures={architecture: QUICK[architecture]})
    run = simulate(scenario, architecture)
    # Each had half a second left; the survivor needs only that.
    assert times_s(run, "handled")[0] == 2.5


def test_a_cancelled_order_leaves_its_share_to_the_others() -> None:
    scenario = shared("1s, 1s, 1s, 1500ms").change(
        {"client.timeout": "2s", "architectures.monolith.cancels": True, "services.payment.work": "800ms"})
    run = simulate(scenario, "monolith")
    # By 3 s the first three had 1/6 + 3/8 each, the fourth 3/8; then it is alone.
    assert done_at(run) == [math.inf] * 3 + [pytest.approx(3 + 0.8 - 0.375)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cores_can_change_within_the_run(architecture: str) -> None:
    scenario = shop(
        duration="60s", client={"timeout": "none"},
        producers={"checkout": {"publishes": "OrderPlaced", "arrivals": "times [1s, 1s]"}},
        services={"payment": {"handles": "OrderPlaced", "work": "1s", "workers": 8}},
        architectures=QUICK, wire="none")
    path = "architectures.monolith.cores" if architecture == "monolith" else "services.payment.cores"
    run = simulate(scenario.change({path: 1}, at="1500ms").change({path: "unlimited"}, at="2s"), architecture)
    assert times_s(run, "handled") == [2.25, 2.25]


def test_waiting_for_a_retry_takes_no_core() -> None:
    scenario = shared("1s, 1s", payment={"fails": "100%"}).change(
        {"retry.attempts": 2, "retry.backoff": "fixed 1s", "retry.jitter": "none"})
    run = simulate(scenario, "monolith")
    assert times_s(run, "failed") == [3.0, 3.0, 6.0, 6.0]


# --- lines with little room ---


def narrow(times: str, limit: int | str, workers: int = 1, **parts: Any) -> Scenario:
    """Few workers and a line with little room."""
    return orders_at(times, {"workers": workers}, architectures={
        "monolith": {"queue-limit": limit}, "rpc": {"queue-limit": limit}}, **parts)


@pytest.mark.parametrize("architecture, reason", [("monolith", "queue full"), ("rpc", "payment failed")])
def test_with_no_room_whoever_finds_all_at_work_is_refused_at_once(architecture: str, reason: str) -> None:
    run = simulate(narrow("1s, 1s, 1s, 1500ms, 2500ms", 0, workers=2), architecture)
    assert done_at(run) == [2.0, 2.0, math.inf, math.inf, 3.5]
    assert times_s(run, "refused") == [1.0, 1.5]
    assert run.summary().refusals == {reason: 2}


@pytest.mark.parametrize("architecture", CALLED)
def test_who_leaves_and_who_comes_at_one_instant_follow_the_order_of_events(architecture: str) -> None:
    # The work that ends at 2 s was begun before the next arrival was foreseen: its worker takes who waited, so that
    # the first to come then finds room, and its twin does not.
    run = simulate(narrow("1s, 1s, 2s, 2s, 3s", 1), architecture)
    assert done_at(run) == [2.0, 3.0, 4.0, math.inf, 5.0]


@pytest.mark.parametrize("architecture", CALLED)
def test_the_room_can_change_within_the_run(architecture: str) -> None:
    path = f"architectures.{architecture}.queue-limit"
    scenario = narrow("1s, 1s, 1s, 1s, 2500ms, 2500ms, 2500ms", "unlimited")
    run = simulate(scenario.change({path: 2}, at="1500ms"), architecture)
    assert outcome(run, "refused") == 3, "two wait already when the third second begins"
    run = simulate(scenario.change({path: 0}).change({path: 1}, at="2250ms"), architecture)
    assert done_at(run) == [2.0, math.inf, math.inf, math.inf, 3.5, 4.5, math.inf]


def test_a_call_that_is_refused_is_tried_again_like_one_that_failed() -> None:
    scenario = narrow("1s, 1500ms", 0).change(
        {"retry.attempts": 3, "retry.backoff": "fixed 400ms", "retry.jitter": "none"})
    run = simulate(scenario, "rpc")
    assert times_s(run, "retried") == [1.5, 1.9]
    assert done_at(run) == [2.0, 3.3]


@pytest.mark.parametrize("architecture", CALLED)
def test_those_who_have_left_make_room_where_their_orders_are_cancelled(architecture: str) -> None:
    scenario = narrow("1s, 1s, 2500ms", 1).change({"services.payment.work": "10s", "client.timeout": "1s"})
    held = simulate(scenario, architecture)
    assert held.summary().refusals.get("timeout") == 2 and outcome(held, "refused") == 3
    cancelling = scenario.change({f"architectures.{architecture}.cancels": True})
    assert simulate(cancelling, architecture).summary().refusals == {"timeout": 3}


@pytest.mark.parametrize("architecture", CALLED)
def test_a_crash_is_no_full_line(architecture: str) -> None:
    fault = {"crash": "payment", "at": "1500ms", "for": "1s"}
    run = simulate(narrow("1s, 2s, 3s", 0, faults={"crash": fault}), architecture)
    assert "queue full" not in run.summary().refusals and done_at(run)[2] == 4.0


# --- priorities ---


def two_classes(high: str, low: str, priority: int = 7, **parts: Any) -> Scenario:
    """One worker with a second of work for each; `high` has a priority, `low` has none."""
    producers = {"low": {"publishes": "OrderPlaced", "arrivals": f"times [{low}]"},
                 "high": {"publishes": "OrderPlaced", "arrivals": f"times [{high}]", "priority": priority}}
    built = {"monolith": {"discipline": "priority"}, "rpc": {"discipline": "priority"}, "rabbitmq": {
        "prefetch": 1, "queue": {"x-max-priority": 9}}, "kafka": {"producer": {"linger.ms": 0}}}
    service = {"handles": "OrderPlaced", "work": "1s"}
    return shop(**{"duration": "60s", "producers": producers, "services": {"payment": service}, "wire": "none",
                   "client": {"timeout": "none"}, "architectures": built, **parts})


def waits_of(run: Run, producer: str) -> list[float]:
    return [round(float(latency), 6) for latency in run.summary().completion_latency_of(producer)]


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "rabbitmq"])
def test_the_high_overtake_who_waits_and_not_who_is_at_work(architecture: str) -> None:
    run = simulate(two_classes("1500ms, 1600ms", "1s, 1100ms, 1200ms"), architecture)
    assert waits_of(run, "high") == [1.5, 2.4]
    assert waits_of(run, "low") == [1.0, 3.9, 4.8]


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "rabbitmq"])
def test_0_is_as_good_as_none_and_equals_keep_their_order(architecture: str) -> None:
    run = simulate(two_classes("1050ms, 1150ms", "1s, 1100ms", priority=0), architecture)
    assert orders_of(run, "started") == [1, 2, 3, 4]


def test_first_come_first_served_takes_no_notice_and_says_so() -> None:
    scenario = two_classes("1500ms", "1s, 1100ms").change({"architectures.rpc.discipline": "fifo"})
    run = simulate(scenario, "rpc")
    assert waits_of(run, "high") == [2.5]
    assert "priority of high" in run.not_applicable
    assert "priority of high" not in simulate(scenario, "monolith").not_applicable


@pytest.mark.parametrize("architecture", ["rpc", "rabbitmq"])
def test_what_is_published_because_of_a_message_inherits_its_priority(architecture: str) -> None:
    services = {"payment": {"handles": "OrderPlaced", "work": "1ms", "workers": 4, "publishes": "Paid"},
                "mail": {"handles": "Paid", "work": "1s"}}
    run = simulate(two_classes("1500ms", "1s, 1100ms, 1200ms", services=services), architecture)
    assert waits_of(run, "high") == [1.501]


def test_a_priority_can_come_within_the_run() -> None:
    scenario = two_classes("1500ms, 9500ms", "1s, 1100ms, 9s, 9100ms, 9200ms", priority=3)
    plain = scenario.change({"producers.high.priority": None})
    run = simulate(plain.change({"producers.high.priority": 3}, at="5s"), "monolith")
    assert waits_of(run, "high") == [2.5, 1.5]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_latencies_by_producer_are_those_of_its_orders(architecture: str) -> None:
    summary = simulate(two_classes("1s, 3s, 5s", "2s, 4s"), architecture).summary()
    assert len(summary.completion_latency_of("high")) == 3 and len(summary.completion_latency_of("low")) == 2
    both = np.concatenate([summary.accept_latency_of(name) for name in ("high", "low")])
    assert sorted(both) == sorted(summary.accept_latency_s)
    with pytest.raises(KeyError, match="no producer"):
        summary.completion_latency_of("nobody")


def test_latencies_of_the_only_producer_are_all() -> None:
    summary = simulate(shop(), "monolith").summary()
    assert summary.completion_latency_of("checkout").tolist() == summary.completion_latency_s.tolist()
