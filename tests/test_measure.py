"""What the numbers mean: step functions, ages, percentiles, and the definitions on a shop small enough for a pencil."""
from __future__ import annotations

import numpy as np
import pytest

from edasim.core.journal import Verb
from edasim.measure.consistency import (
    OldestAge,
    convergence_s,
    read_your_writes_violations,
    staleness,
    t_visibility,
)
from edasim.measure.lag import lag, lag_age
from edasim.measure.steps import Steps
from edasim.measure.summary import Summary, spread
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


# --- step functions and ages ---------------------------------------------------------------------------------


def test_steps_count_what_came_and_went() -> None:
    steps = Steps.counting(array(1, 2, 2), array(3, 5, np.inf))
    assert steps.at(array(0.5, 1, 2, 3, 4, 9)).tolist() == [0, 1, 3, 2, 2, 1]
    assert steps.integral(0, 5) == 1 + 3 + 2 + 2
    assert (steps.mean(0, 5), steps.max(0, 1.5), steps.max(0, 5)) == (8 / 5, 1, 3)
    assert steps.share_at_least(2, 0, 5) == pytest.approx(3 / 5)


def test_the_oldest_age_grows_until_the_oldest_is_served() -> None:
    # One waits from 1 to 5, one from 2 to 3 (never the oldest), one from 4 to 6.
    age = OldestAge(array(1, 2, 4), array(5, 3, 6))
    assert age.at(array(0.5, 1, 3, 4.9, 5, 5.5, 6)).tolist() == pytest.approx([0, 0, 2, 3.9, 1, 1.5, 0])
    assert age.max(0, 10) == 4
    assert age.mean(0, 10) == pytest.approx((4 * 4 / 2 + (1 + 2) / 2) / 10)


def test_what_never_ends_keeps_growing_old() -> None:
    age = OldestAge(array(1), array(np.inf))
    assert (age.at(array(7)).tolist(), age.max(0, 9)) == ([6], 8)


def test_convergence_is_the_first_return_below_the_level_before() -> None:
    # Before the fault (10 to 20) the oldest is at most 1 s old; then one waits from 12 to 26, the next from 25.5 on.
    age = OldestAge(array(4, 12, 25.5), array(5, 26, 27))
    assert convergence_s(age, (10, 20), 100) == pytest.approx(6)
    assert convergence_s(OldestAge(array(12), array(np.inf)), (10, 20), 100) == np.inf


# --- percentiles ---------------------------------------------------------------------------------------------


def test_percentiles_are_linear() -> None:
    # J05: latencies 1 to 100.
    found = spread(np.arange(1.0, 101.0))
    assert [found[name] for name in ("p50", "p95", "p99")] == pytest.approx([50.5, 95.05, 99.01])


def test_what_is_never_done_counts_in_percentiles_and_not_in_the_mean() -> None:
    found = spread(array(1, 2, 3, np.inf))
    assert (found["mean"], found["n"], found["p50"], found["p99"]) == (2, 3, 2.5, None)
    assert spread(array())["p50"] is None


# --- a shop for a pencil -------------------------------------------------------------------------------------


def shop(**parts: object) -> Scenario:
    """An order each second from 1 s on, for 5 s; ship takes 3 s and stock none, with a worker for each order."""
    given: dict[str, object] = {
        "title": "A shop for a pencil", "duration": "5s", "wire": "none",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 1/s"}},
        "services": {"stock": {"handles": "OrderPlaced", "workers": 9, "work": "0s"},
                     "ship": {"handles": "OrderPlaced", "workers": 9, "work": "3s"}},
        "client": {"timeout": "none"}, "architectures": {"rabbitmq": {}, "monolith": {}},
        **parts,
    }
    return Scenario.from_dict(given)


def summary(**parts: object) -> Summary:
    return simulate(shop(**parts), "rabbitmq").summary()


def test_an_order_is_done_with_its_last_required_effect() -> None:
    seen = summary()
    assert seen.completion_latency_s.tolist() == pytest.approx([3] * 5)
    assert seen.accept_latency_s.tolist() == [0] * 5
    assert seen.completed().at(array(3.9, 4, 7.9, 8)).tolist() == [0, 1, 4, 5]


def test_the_last_effect_need_not_be_that_of_the_last_service() -> None:
    services = {"ship": {"handles": "OrderPlaced", "workers": 9, "work": "3s"},
                "stock": {"handles": "OrderPlaced", "workers": 9, "work": "1s"}}
    assert summary(services=services).completion_latency_s.tolist() == pytest.approx([3] * 5)


def test_a_service_that_is_not_required_is_not_waited_for() -> None:
    services = {"stock": {"handles": "OrderPlaced", "workers": 9, "work": "1s"},
                "ship": {"handles": "OrderPlaced", "workers": 9, "work": "3s", "required": False}}
    assert summary(services=services).completion_latency_s.tolist() == pytest.approx([1] * 5)


def test_an_order_is_torn_from_its_first_effect_to_its_last() -> None:
    seen = summary()
    assert seen.torn().at(array(0.9, 1, 3.9, 4, 5.5, 7.9, 8)).tolist() == [0, 1, 3, 3, 3, 1, 0]
    assert (seen.torn_peak, simulate(shop(), "monolith").summary().torn_peak) == (3, 0)


def test_orders_of_the_warm_up_are_left_out() -> None:
    seen = summary(**{"warm-up": "2500ms"})
    assert (seen.outcomes["placed"], seen.services["ship"].handled) == (3, 3)
    # Time averages cover 2.5 s to 5 s: two at work until 3, three from then on.
    assert seen.services["ship"].utilisation == pytest.approx((2 * 0.5 + 3 * 2) / 2.5 / 9)


def test_staleness_is_the_age_of_the_oldest_order_that_is_missing() -> None:
    seen = summary()
    age = staleness(seen.orders, "ship").at(array(0.5, 2.5, 3.999, 4.5))
    assert age.tolist() == pytest.approx([0, 1.5, 2.999, 2.5])
    assert staleness(seen.orders, "stock").max(0, 9) == 0


def test_visibility_and_what_a_customer_misses_who_looks_too_soon() -> None:
    seen = summary()
    assert t_visibility(seen.orders, "ship", array(0, 2.9, 3.1)).tolist() == [0, 0, 1]
    assert [read_your_writes_violations(seen.orders, "ship", after) for after in (1, 4)] == [5, 0]


def test_lag_counts_what_is_not_settled_and_backlog_what_is_not_begun() -> None:
    services = {"ship": {"handles": "OrderPlaced", "workers": 1, "work": "3s"}}
    seen = summary(services=services)
    assert seen.backlog("ship").at(array(1.5, 2.5, 4.5)).tolist() == [0, 1, 2]
    assert lag(seen.reading, "ship").at(array(1.5, 2.5, 4.5)).tolist() == [1, 2, 3]
    assert lag_age(seen.reading, "ship").at(array(3.5, 4.5)).tolist() == pytest.approx([2.5, 2.5])
    assert seen.services["ship"].wait_s.tolist() == pytest.approx([0, 2, 4, 6, 8])


def test_refused_orders_leave_orphans_and_the_first_answer_decides() -> None:
    run = simulate(shop(client={"timeout": "2s"}), "monolith")
    assert run.summary().outcomes["refused"] == 5
    assert run.summary().orphan_effects == 10
    assert run.summary().refusals == {"timeout": 5}


def test_an_order_needs_what_its_branch_reaches() -> None:
    services = {
        "pay": {"handles": "OrderPlaced", "workers": 9, "work": "1s", "publishes": {"Paid": "50%", "Unpaid": "50%"}},
        "ship": {"handles": "Paid", "workers": 9, "work": "1s"},
        "mail": {"handles": "Unpaid", "workers": 9, "work": "2s"},
    }
    seen = summary(services=services, duration="40s")
    shipped, mailed = seen.services["ship"].handled, seen.services["mail"].handled
    assert shipped + mailed == seen.outcomes["done"] == 40 and min(shipped, mailed) > 5
    assert sorted(set(np.round(seen.completion_latency_s, 6))) == [2, 3]


@pytest.mark.parametrize("architecture", ["rpc", "rabbitmq"])
def test_what_fails_without_work_and_comes_back_at_the_same_instant_waits_once_more(architecture: str) -> None:
    shop = Scenario.from_dict({
        "duration": "10s", "wire": "none",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "batches of 4 at constant 1/s"}},
        "services": {"payment": {"handles": "OrderPlaced", "workers": 1, "work": "empirical [0s, 100ms]",
                                 "fails": "40%"}},
        "retry": {"attempts": "unlimited", "backoff": "none", "where": "back"},
    })
    run = simulate(shop, architecture)
    since: dict[int, int] = {}
    waits = []
    for verb, time_ns, number, place in zip(
            run.facts.verbs, run.facts.times_ns.tolist(), run.facts.numbers.tolist(), run.facts.places, strict=True):
        if run.places[place].service != "payment":
            continue
        if verb == Verb.routed:
            since.setdefault(number, time_ns)
        elif verb == Verb.started:
            waits.append((time_ns - since.pop(number)) / 1e9)
    found = run.summary().services["payment"]
    assert len(waits) == found.attempts > 60
    assert sorted(found.wait_s.tolist()) == pytest.approx(sorted(waits))


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "kafka", "rabbitmq"])
def test_what_waits_is_not_settled_either_so_lag_is_never_below_backlog(architecture: str) -> None:
    """Over RPC with its limit of open requests reached, so that orders wait at the gateway as well."""
    shop = load("scenarios/payment-outage.yml").change({"architectures.rpc.open-requests": 20})
    summary = simulate(shop, architecture, seed=7).summary()
    for name in ("inventory", "payment", "notification"):
        settling, waiting = lag(summary.reading, name), summary.backlog(name)
        instants = np.linspace(5, 60, 500)
        assert (settling.at(instants) >= waiting.at(instants)).all()
    assert summary.services["payment"].lag_max > 100
