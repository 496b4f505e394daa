"""When and where a failed attempt is tried again, and what customers and callers do who run out of patience."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edasim.core.world import World
from edasim.scenario.retry_policy import Retry
from edasim.services.retry import RetryPolicy
from edasim.simulate import Run, simulate
from tests.worlds import ARCHITECTURES, BROKERED, MS, one_order, orders_of, outcome, shop, times_s

QUICK = {"kafka": {"producer": {"linger.ms": 0}}, "rabbitmq": {}, "monolith": {}, "rpc": {}}


def waits_ms(attempt: int, number: int = 2000, last_ms: float = 0, **spec: str) -> np.ndarray:
    """Many waits of one policy before the attempt after `attempt`."""
    policy = RetryPolicy(World(seed=1), "payment", Retry.model_validate(spec))
    return np.array([policy.wait_ns(attempt, round(last_ms * MS)) for _ in range(number)]) / MS


# --- how long ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attempt", "wait_ms"), [(1, 100), (2, 200), (3, 400), (4, 500), (100, 500)])
def test_without_jitter_the_wait_is_the_backoff(attempt: int, wait_ms: float) -> None:
    assert set(waits_ms(attempt, 5, backoff="exponential 100ms x2 max 500ms", jitter="none")) == {wait_ms}


@pytest.mark.parametrize(("jitter", "low", "high"), [("full", 0, 200), ("equal", 100, 200), ("decorrelated", 100, 300)])
def test_jitter_spreads_the_wait_evenly(jitter: str, low: float, high: float) -> None:
    waits = waits_ms(2, backoff="exponential 100ms x2 max 5s", jitter=jitter)
    assert low <= waits.min() and waits.max() <= high
    spread = (high - low) / 12**0.5
    assert waits.mean() == pytest.approx((low + high) / 2, abs=4 * spread / 2000**0.5)
    assert waits.std() == pytest.approx(spread, rel=0.05)


def test_decorrelated_jitter_reaches_to_three_times_the_wait_before_and_no_higher_than_the_maximum() -> None:
    waits = waits_ms(2, last_ms=1000, backoff="exponential 100ms x2 max 2s", jitter="decorrelated")
    assert waits.min() >= 100 and waits.max() == 2000
    assert np.mean(waits == 2000) == pytest.approx(1000 / 2900, abs=0.05)


def test_without_backoff_nobody_waits() -> None:
    assert set(waits_ms(1, 5, backoff="none", jitter="full")) == {0}


@pytest.mark.parametrize(("attempts", "made", "allowed"), [(3, 2, True), (3, 3, False), (1, 1, False)])
def test_attempts_count_the_first(attempts: int, made: int, allowed: bool) -> None:
    policy = RetryPolicy(World(seed=1), "payment", Retry(attempts=attempts))
    assert policy.allows(made) is allowed


def test_unlimited_attempts_are_always_allowed() -> None:
    policy = RetryPolicy(World(seed=1), "payment", Retry.model_validate({"attempts": "unlimited"}))
    assert policy.allows(10**9)


# --- where ---------------------------------------------------------------------------------------------------


def hopeless(architecture: str, where: str = "worker", **parts: Any) -> Run:
    """An order at 1 s whose attempts of 10 ms all fail; three attempts, 200 ms between them."""
    retry = {"attempts": 3, "backoff": "fixed 200ms", "jitter": "none", "where": where}
    return simulate(one_order(work="10ms", payment={"fails": "100%"}, retry=retry, architectures=QUICK, **parts),
                    architecture)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_attempts_follow_each_other_at_the_backoffs_pace(architecture: str) -> None:
    run = hopeless(architecture)
    assert times_s(run, "started", "") == [1.0, 1.21, 1.42]
    assert len(times_s(run, "retried", "payment")) == 2


@pytest.mark.parametrize("where", ["back", "aside"])
def test_attempts_keep_their_pace_by_way_of_rabbitmq(where: str) -> None:
    assert times_s(hopeless("rabbitmq", where), "started") == [1.0, 1.21, 1.42]


@pytest.mark.parametrize("where", ["back", "aside"])
def test_on_kafka_they_may_come_later_by_the_fetch_that_waits_for_others(where: str) -> None:
    # A record that is not due yet stays with the client, and the fetch that is out leaves its partition out.
    _, second, third = times_s(hopeless("kafka", where), "started")
    assert second == 1.21
    assert 1.42 <= third <= 1.42 + 0.5


@pytest.mark.parametrize("architecture", BROKERED)
@pytest.mark.parametrize("where", ["worker", "back", "aside"])
def test_after_the_last_attempt_a_message_is_put_aside(architecture: str, where: str) -> None:
    run = hopeless(architecture, where)
    assert (outcome(run, "parked"), len(times_s(run, "failed"))) == (1, 3)
    assert (run.quiet, len(times_s(run, "applied"))) == (True, 0)


@pytest.mark.parametrize("architecture", BROKERED)
@pytest.mark.parametrize("where", ["worker", "back", "aside"])
def test_without_dead_letters_it_is_dropped_and_the_order_lost(architecture: str, where: str) -> None:
    retry = {"attempts": 2, "backoff": "fixed 10ms", "where": where}
    run = simulate(one_order(work="10ms", payment={"fails": "100%", "dead-letters": False}, retry=retry), architecture)
    assert (outcome(run, "lost"), outcome(run, "parked"), run.quiet) == (1, 0, True)


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_a_customer_who_waits_for_it_is_refused_after_the_last_attempt(architecture: str) -> None:
    run = hopeless(architecture)
    assert times_s(run, "refused") == [1.43]


def second_order_behind_a_poisoned_one(architecture: str, where: str) -> list[int]:
    """One worker; order 1 fails twice and waits 500 ms each time, order 2 comes 100 ms after it."""
    retry = {"attempts": 3, "backoff": "fixed 500ms", "jitter": "none", "where": where}
    services = {"payment": {"handles": "OrderPlaced", "work": "10ms", "workers": 1, "retry": retry}}
    # The failing fault hits order 1's first attempts only.
    run = simulate(shop(
        orders=2, services=services, architectures=QUICK,
        producers={"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 10/s", "keys": "hot 99% over 2"}},
        faults={"bad": {"failing": "payment", "at": "90ms", "for": "50ms"}},
    ), architecture)
    return orders_of(run, "handled")


@pytest.mark.parametrize("architecture", BROKERED)
@pytest.mark.parametrize(("where", "handled"), [("worker", [1, 2]), ("back", [2, 1]), ("aside", [2, 1])])
def test_only_a_worker_that_waits_keeps_others_waiting(architecture: str, where: str, handled: list[int]) -> None:
    assert second_order_behind_a_poisoned_one(architecture, where) == handled


def test_aside_on_rabbitmq_goes_through_a_queue_of_its_own_and_comes_back_expired() -> None:
    run = hopeless("rabbitmq", "aside")
    assert times_s(run, "routed", "payment.retry") == [1.01, 1.22]
    assert times_s(run, "expired", "payment.retry") == [1.21, 1.42]
    assert len(times_s(run, "routed", "payment.dlq")) == 1


def test_aside_on_kafka_goes_through_a_topic_of_its_own() -> None:
    run = hopeless("kafka", "aside")
    assert times_s(run, "appended", "payment-retry") == [1.01, 1.22]
    assert len(times_s(run, "appended", "payment-dlt")) == 1


def growing(topics: str) -> Run:
    """Order 1 fails twice, and waits 100 ms and then 10 s; order 2 fails once, while order 1 waits for so long."""
    retry = {"attempts": 3, "backoff": "exponential 100ms x100", "jitter": "none", "where": "aside"}
    services = {"payment": {"handles": "OrderPlaced", "work": "1ms", "workers": 1, "retry": retry}}
    kafka = {"retry-topics": topics, "topic": {"partitions": 1}, "producer": {"linger.ms": 0}}
    return simulate(shop(
        orders=2, services=services, architectures={"kafka": kafka},
        producers={"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 1/s"}},
        faults={"first": {"failing": "payment", "at": "900ms", "for": "300ms"},
                "second": {"failing": "payment", "at": "1900ms", "for": "150ms"}},
    ), "kafka")


@pytest.mark.parametrize(("topics", "handled"), [
    ("one", [(1, 11.101), (2, 11.102)]),
    ("each", [(2, 2.101), (1, 11.101)]),
])
def test_in_a_topic_for_each_attempt_nobody_waits_behind_a_longer_delay(
        topics: str, handled: list[tuple[int, float]]) -> None:
    run = growing(topics)
    assert list(zip(orders_of(run, "handled"), times_s(run, "handled"), strict=True)) == handled


def test_retry_topics_grow_with_the_attempts_and_end_among_the_dead_letters() -> None:
    retry = {"attempts": 4, "backoff": "exponential 100ms x2", "jitter": "none", "where": "aside"}
    run = simulate(one_order(work="10ms", payment={"fails": "100%", "retry": retry},
                             architectures={"kafka": {"retry-topics": "each", "producer": {"linger.ms": 0}}}), "kafka")
    names = ("payment-retry-1", "payment-retry-2", "payment-retry-3", "payment-dlt")
    assert [times_s(run, "appended", name) for name in names] == [[1.01], [1.12], [1.33], [1.74]]


def test_a_retry_topic_waits_until_its_record_is_due_and_keeps_its_order() -> None:
    retry = {"attempts": 2, "backoff": "fixed 1s", "jitter": "full", "where": "aside"}
    services = {"payment": {"handles": "OrderPlaced", "work": "1ms", "workers": 1, "fails": "60%", "retry": retry}}
    run = simulate(shop(services=services), "kafka", 3)
    retried = orders_of(run, "appended", "payment-retry")
    assert len(retried) > 10
    started = orders_of(run, "started")
    second_starts = [order for place, order in enumerate(started) if order in started[:place]]
    assert second_starts == retried


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_service_may_have_a_policy_of_its_own(architecture: str) -> None:
    own = {"attempts": 2, "backoff": "fixed 50ms", "jitter": "none"}
    scenario = one_order(work="10ms", payment={"fails": "100%", "retry": own}, architectures=QUICK,
                         retry={"attempts": 5, "backoff": "fixed 1s"})
    assert times_s(simulate(scenario, architecture), "started") == [1.0, 1.06]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_poisoned_message_fails_every_attempt_and_others_none(architecture: str) -> None:
    services = {"payment": {"handles": "OrderPlaced", "work": "1ms", "workers": 5, "poison": "30%"}}
    run = simulate(shop(services=services, retry={"attempts": 3, "backoff": "fixed 1ms"}), architecture)
    failed = orders_of(run, "failed")
    assert 3 < len(set(failed)) < 25
    assert all(failed.count(order) == 3 for order in failed)
    assert sorted(orders_of(run, "handled")) == sorted(set(range(1, 41)) - set(failed))


def test_decorrelated_jitter_grows_by_way_of_the_broker_too() -> None:
    retry = {"attempts": 12, "backoff": "exponential 100ms x2 max 1h", "jitter": "decorrelated", "where": "back"}
    services = {"payment": {"handles": "OrderPlaced", "work": "0s", "workers": 5, "fails": "100%", "retry": retry}}
    run = simulate(shop(services=services, orders=5, drain="10h"), "rabbitmq")
    starts: dict[int, list[float]] = {}
    for order, time in zip(orders_of(run, "started"), times_s(run, "started"), strict=True):
        starts.setdefault(order, []).append(time)
    waits = [later - earlier for times in starts.values() for earlier, later in pairwise(times)]
    assert len(waits) == 55 and max(waits) > 0.31


# --- customers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_a_customer_leaves_after_the_timeout_and_the_work_is_done_all_the_same(architecture: str) -> None:
    run = simulate(one_order(work="3s", client={"timeout": "2s"}), architecture)
    assert (times_s(run, "refused"), times_s(run, "applied")) == ([3.0], [4.0])
    assert (outcome(run, "refused"), run.summary().orphan_effects, run.quiet) == (1, 1, True)


def test_with_cancels_the_monolith_stops_work_whose_customer_has_gone() -> None:
    options = {"monolith": {"cancels": True}}
    run = simulate(one_order(work="3s", client={"timeout": "2s"}, architectures=options), "monolith")
    assert (times_s(run, "refused"), times_s(run, "applied"), times_s(run, "failed")) == ([3.0], [], [3.0])


def test_with_cancels_rpc_drops_calls_that_nobody_waits_for() -> None:
    options = {"rpc": {"cancels": True}}
    payment = {"handles": "OrderPlaced", "workers": 1, "work": "3s"}
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 1/s"}}
    scenario = shop(orders=3, producers=producers, services={"payment": payment},
                    client={"timeout": "1900ms"}, architectures=options)
    run = simulate(scenario, "rpc")
    # Order 1 is at work when its customer leaves; orders 2 and 3 wait for the one worker until theirs leave.
    assert (orders_of(run, "started"), orders_of(run, "dropped")) == ([1, 3], [2])


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_without_a_timeout_a_customer_waits_for_ever(architecture: str) -> None:
    faults = {"outage": {"unavailable": "payment", "at": "0s"}}
    run = simulate(one_order(client={"timeout": "none"}, faults=faults, drain="30s"), architecture)
    assert (outcome(run, "pending"), run.quiet, len(run.owed)) == (1, False, 1)


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_a_customer_tries_again_as_often_as_allowed(architecture: str) -> None:
    client = {"timeout": "1s", "retries": 2, "backoff": "fixed 500ms"}
    faults = {"outage": {"unavailable": "payment", "at": "0s"}}
    run = simulate(one_order(client=client, faults=faults, drain="30s"), architecture)
    assert times_s(run, "retried", "customers") == [2.0, 3.5]
    assert (times_s(run, "refused"), len(times_s(run, "placed"))) == ([5.0], 1)


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_a_second_try_may_succeed_and_then_the_effect_exists_twice(architecture: str) -> None:
    client = {"timeout": "1s", "retries": 1}
    faults = {"outage": {"unavailable": "payment", "at": "0s", "for": "2100ms"}}
    run = simulate(one_order(work="500ms", client=client, faults=faults, payment={"workers": 2}), architecture)
    assert (outcome(run, "done"), outcome(run, "refused")) == (1, 0)
    assert run.summary().services["payment"].duplicated_effects == 1


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_an_idempotent_service_recognises_a_customers_second_try(architecture: str) -> None:
    client = {"timeout": "1s", "retries": 1}
    faults = {"outage": {"unavailable": "payment", "at": "0s", "for": "2100ms"}}
    payment = {"workers": 2, "idempotent": True}
    run = simulate(one_order(work="500ms", client=client, faults=faults, payment=payment), architecture)
    assert (outcome(run, "done"), len(times_s(run, "applied"))) == (1, 1)
    assert len(times_s(run, "deduplicated")) == 1


@pytest.mark.parametrize("architecture", BROKERED)
def test_a_broker_accepts_before_the_work_is_done(architecture: str) -> None:
    run = simulate(one_order(work="30s", client={"timeout": "1s"}, architectures=QUICK), architecture)
    assert (times_s(run, "accepted"), times_s(run, "applied"), outcome(run, "done")) == ([1.0], [31.0], 1)


def test_an_rpc_call_times_out_on_its_own_and_is_made_again() -> None:
    options = {"rpc": {"timeout": "500ms"}}
    retry = {"attempts": 3, "backoff": "fixed 100ms", "jitter": "none"}
    run = simulate(one_order(work="2s", payment={"workers": 3}, retry=retry, architectures=options), "rpc")
    assert times_s(run, "started") == [1.0, 1.6, 2.2]
    assert (times_s(run, "refused"), outcome(run, "refused")) == ([2.7], 1)
    assert len(times_s(run, "applied")) == 3  # three orphan effects


def test_an_idempotent_rpc_service_answers_a_repeated_call_as_it_answered_the_first() -> None:
    options = {"rpc": {"timeout": "500ms"}}
    services = {
        "payment": {"handles": "OrderPlaced", "workers": 2, "work": "600ms", "idempotent": True, "publishes": "Paid"},
        "shipping": {"handles": "Paid", "work": "10ms"},
    }
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 1/s"}}
    run = simulate(shop(orders=1, producers=producers, services=services, architectures=options,
                        retry={"attempts": 3, "backoff": "fixed 1s", "jitter": "none"}), "rpc")
    assert len(times_s(run, "accepted")) == 1
    assert (outcome(run, "done"), outcome(run, "lost")) == (1, 0)
