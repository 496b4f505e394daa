"""Services one after another and side by side.  Laws B01, B03, B05, E01, E03."""

from __future__ import annotations

import numpy as np
import pytest

from edasim.simulate import Run
from tests.laws import theory
from tests.laws.estimates import Floats, assert_agrees, assert_near, replicate
from tests.laws.shops import ALL, SEPARATE, Scenario, architectures, chain, fan_out

# --- B01 ------------------------------------------------------------------------------------------------------------


def stages(run: Run) -> dict[str, float]:
    """The sojourn at each stage, all together, and how many orders are inside."""
    summary = run.summary()
    found = {f"W of {name}": float(service.wait_s.mean() + service.work_s.mean())
             for name, service in summary.services.items()}
    inside = summary.open_orders().mean(summary.start_s, summary.end_s)
    return found | {"W": float(summary.completion_latency_s.mean()), "L": inside}


@pytest.mark.parametrize("arrivals, rates, architecture", [
    *((0.6, (1.0, 0.8), architecture) for architecture in SEPARATE),
    (4.0, (6.0, 5.0, 8.0), "rabbitmq"),
])
def test_each_stage_of_a_chain_is_as_if_it_stood_alone(
        arrivals: float, rates: tuple[float, ...], architecture: str) -> None:
    scenario = chain(f"poisson {arrivals}/s", [f"exponential {1 / rate}s" for rate in rates],
                     duration=f"{1700 / arrivals}s", warm_up=f"{200 / arrivals}s")
    exact = {f"W of step-{number}": 1 / (rate - arrivals) for number, rate in enumerate(rates, start=1)}
    whole = sum(exact.values())
    found = replicate(f"B01 {arrivals}", scenario, architecture, stages)
    assert_agrees(found, exact | {"W": whole, "L": arrivals * whole})


def test_a_chain_in_a_monolith_is_one_piece_of_work() -> None:
    """Law B01 does not hold in one thread: there the two works add up before the next order begins."""
    scenario = chain("poisson 0.3/s", ["exponential 1s", "exponential 1.25s"], duration="9000s", warm_up="1500s")
    wait = theory.pollaczek_khinchine(0.3, 2.25, 1 + 1.25**2)
    found = replicate("B01 monolith", scenario, "monolith", stages)
    assert_agrees(found, {"W": wait + 2.25, "L": 0.3 * (wait + 2.25)})


# --- B03 and B05 ----------------------------------------------------------------------------------------------------


def joined(run: Run) -> dict[str, float]:
    """The mean time until all branches are done, and the mean over the branches of the time that each takes."""
    summary = run.summary()
    orders = summary.orders
    branches = [(orders.service_effect_s(name)[0] - orders.placed_s)[orders.counted] for name in summary.services]
    return {"T": float(summary.completion_latency_s.mean()), "branch": float(np.mean(branches))}


def forked(arrivals: float, rate: float, branches: int, orders: int) -> Scenario:
    return fan_out(f"poisson {arrivals}/s", [f"exponential {1 / rate}s"] * branches,
                   duration=f"{orders * 1.1 / arrivals}s", warm_up=f"{orders * 0.1 / arrivals}s")


@pytest.mark.parametrize("arrivals, rate, architecture", [
    *((0.5, 1.0, architecture) for architecture in SEPARATE), (0.75, 1.0, "rabbitmq"), (20.0, 50.0, "rpc"),
])
def test_waiting_for_both_of_two_services_takes_as_long_as_flatto_and_hahn_say(
        arrivals: float, rate: float, architecture: str) -> None:
    found = replicate(f"B03 {arrivals}", forked(arrivals, rate, 2, 1500), architecture, joined)
    assert_agrees(found, {"T": theory.fork_join_of_two(arrivals, rate), "branch": 1 / (rate - arrivals)})
    controlled = with_known_branches(found, 1 / (rate - arrivals))
    assert_agrees({"T, branches as they should be": controlled},
                  {"T, branches as they should be": theory.fork_join_of_two(arrivals, rate)})


def with_known_branches(found: dict[str, Floats], branch: float) -> Floats:
    """T with the luck of the branches taken out, whose mean is known: each run less its regression on that luck."""
    slope = np.cov(found["T"], found["branch"])[0, 1] / np.var(found["branch"], ddof=1)
    return found["T"] - slope * (found["branch"] - branch)


def test_waiting_for_three_services_takes_as_long_as_has_been_simulated_before() -> None:
    """Within 1% of 3.430, within 5% of Nelson and Tantawi, strictly between the bounds."""
    found = replicate("B05", forked(0.5, 1.0, 3, 2500), "rabbitmq", joined)
    mean = float(np.mean(with_known_branches(found, 2.0)))
    assert_near(mean, 3.430, 0.01)
    assert_near(mean, 3.39773, 0.05)
    assert 2.0 < mean < 3.66667


@pytest.mark.parametrize("branches, arrivals, architecture", [(3, 0.5, "kafka"), (3, 0.5, "rpc"), (5, 0.6, "rabbitmq")])
def test_waiting_for_several_services_stays_near_nelson_and_tantawi(
        branches: int, arrivals: float, architecture: str) -> None:
    found = replicate(f"B05 {branches}", forked(arrivals, 1.0, branches, 700), architecture, joined)
    mean = float(np.mean(with_known_branches(found, 1 / (1 - arrivals))))
    assert_near(mean, theory.nelson_tantawi(branches, arrivals, 1.0), 0.05)
    assert 1 / (1 - arrivals) < mean < theory.harmonic(branches) / (1 - arrivals)


# --- E01 and E03 ----------------------------------------------------------------------------------------------------


def alone(leaves: int, work: str, interval_s: float, orders: int, **rest: object) -> Scenario:
    """So many leaves a request, and never two requests at once."""
    return fan_out(f"constant {1 / interval_s}/s", [work] * leaves, duration=f"{interval_s * (orders + 0.5)}s", **rest)


def latencies_s(run: Run) -> Floats:
    return run.summary().completion_latency_s


@pytest.mark.parametrize("leaves, percent, architecture, orders", [
    (100, 1, "rabbitmq", 20), *((10, 3, architecture, 100) for architecture in SEPARATE), (40, 0.5, "rpc", 50),
])
def test_of_many_leaves_one_is_slow_more_often_than_each(
        leaves: int, percent: float, architecture: str, orders: int) -> None:
    scenario = alone(leaves, f"hyper {100 - percent}% 10ms, {percent}% 1001ms", 2.0, orders)
    found = replicate(f"E01 {leaves} {percent}", scenario, architecture,
                      lambda run: {"P(slow)": float(np.mean(latencies_s(run) > 1.0))})
    assert_agrees(found, {"P(slow)": theory.any_of(percent / 100, leaves)})


@pytest.mark.parametrize("leaves, architecture, orders", [
    *((1, architecture, 600) for architecture in ALL),
    *((10, architecture, 200) for architecture in SEPARATE), (100, "rabbitmq", 20), (3, "kafka", 300),
])
def test_the_slowest_of_many_leaves_decides(leaves: int, architecture: str, orders: int) -> None:
    limits = {f"p{100 * share:g}": theory.largest_quantile(share, leaves, 0.01) for share in (0.5, 0.95, 0.99)}

    def read(run: Run) -> dict[str, float]:
        latency = latencies_s(run)
        shares = {name: float(np.mean(latency <= limit)) for name, limit in limits.items()}
        return shares | {"mean": float(latency.mean()), "median": float(np.median(latency))}

    found = replicate(f"E03 {leaves}", alone(leaves, "exponential 10ms", 1.0, orders), architecture, read)
    exact = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "mean": 0.01 * theory.harmonic(leaves)}
    assert_agrees(found, exact | ({"median": limits["p50"]} if orders >= 200 else {}))


def test_a_monolith_does_the_leaves_one_after_another() -> None:
    scenario = alone(10, "exponential 10ms", 1.0, 200, architectures=architectures(threads=1))
    found = replicate("E03 monolith", scenario, "monolith", lambda run: {"mean": float(latencies_s(run).mean())})
    assert_agrees(found, {"mean": 0.1})
