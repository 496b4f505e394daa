"""One server and its queue: M/M/1, M/D/1 and M/G/1, in every architecture that can be one.  Laws A01, A02, A07, A08."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edasim.simulate import Run
from tests.laws import theory
from tests.laws.estimates import assert_agrees, replicate
from tests.laws.shops import ALL, Scenario, single_station

PERCENTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


def station(run: Run) -> dict[str, float]:
    """What one station shows: latencies by order, averages over time, and the distribution of how many are in it."""
    summary = run.summary()
    service = summary.services["payment"]
    inside = summary.open_orders()
    span = summary.start_s, summary.end_s
    return {
        "W": float(summary.completion_latency_s.mean()),
        "Wq": float(service.wait_s.mean()),
        "L": inside.mean(*span),
        "Lq": service.backlog_mean,
        "utilisation": service.utilisation,
        "P0": 1 - inside.share_at_least(1, *span),
        "P(N>=10)": inside.share_at_least(10, *span),
        "P(N>=3)": inside.share_at_least(3, *span),
    }


def share_within(run: Run, limits_s: dict[str, float]) -> dict[str, float]:
    """For each limit the share of orders done by then.

    A percentile of one run is biased when few orders are independent of each other; the share below the exact
    percentile is not.
    """
    latency = run.summary().completion_latency_s
    shares = {name: float(np.mean(latency <= limit)) for name, limit in limits_s.items()}
    return shares | {"mean": float(latency.mean())}


def lasting(rate: str, work: object, orders: int) -> Scenario:
    """A station that gets about so many orders, and a sixth as many before them as warm-up."""
    per_second = float(rate.removesuffix("/s"))
    return single_station(f"poisson {rate}", work, duration=f"{orders * 7 / 6 / per_second:.6f}s",
                          warm_up=f"{orders / 6 / per_second:.6f}s")


def in_turn(first: object, others: list[object]) -> list[object]:
    """The law's own numbers in every architecture, further ones in one each, in turn."""
    return [pytest.param(first, architecture) for architecture in ALL] + [
        pytest.param(other, ALL[number % len(ALL)]) for number, other in enumerate(others)]


# --- A01 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates, architecture", in_turn((0.8, 1.0), [(3.0, 5.0), (14.0, 20.0), (0.3, 1.0)]))
def test_mm1_has_the_latencies_and_lengths_of_the_books(rates: tuple[float, float], architecture: str) -> None:
    arrivals, rate = rates
    load = arrivals / rate
    scenario = lasting(f"{arrivals}/s", f"exponential {1 / rate}s", 1800)
    found = replicate(f"A01 {arrivals}", scenario, architecture, station)
    assert_agrees(found, theory.single(arrivals, rate) | {"P(N>=10)": load**10, "P(N>=3)": load**3})


# --- A02 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates, architecture", in_turn((100.0, 125.0), [(40.0, 100.0), (7.0, 10.0)]))
def test_the_percentiles_of_mm1_are_those_of_an_exponential(rates: tuple[float, float], architecture: str) -> None:
    arrivals, rate = rates
    limits = {f"p{100 * share:g}": theory.exponential_quantile(share, rate - arrivals) for share in PERCENTILES}
    scenario = lasting(f"{arrivals}/s", f"exponential {1000 / rate}ms", 2000)
    found = replicate(f"A02 {arrivals}", scenario, architecture, lambda run: share_within(run, limits))
    exact = {f"p{100 * share:g}": share for share in PERCENTILES}
    assert_agrees(found, exact | {"mean": 1 / (rate - arrivals)})


# --- A07 and A08 ----------------------------------------------------------------------------------------------------

SIGMA = math.log(4) / 2.3263478740408408
"""Of the normal variate under a lognormal whose p99 is 4 times its p50."""
GENERAL: dict[str, tuple[float, object, float, float]] = {
    # arrivals a second, work, its mean in seconds, its variance
    "constant": (5, "100ms", 0.1, 0.0),
    "two other points": (12, "hyper 80% 20ms, 20% 120ms", 0.04, 0.8 * 4e-4 + 0.2 * 0.0144 - 0.0016),
    "lognormal by its mean": (35, "lognormal mean 20ms cv 1.5", 0.02, 2.25 * 4e-4),
    "lognormal by percentiles": (20, "lognormal p50 20ms p99 80ms", 0.02 * math.exp(SIGMA**2 / 2),
                                 4e-4 * math.exp(SIGMA**2) * math.expm1(SIGMA**2)),
    "gamma": (30, "gamma mean 20ms cv 1.4", 0.02, 1.96 * 4e-4),
    "erlang": (0.8, "erlang 2 mean 1s", 1.0, 0.5),
    "uniform": (20, "uniform 10ms..70ms", 0.04, 0.06**2 / 12),
    "pareto": (25, "pareto 20ms shape 6", 0.024, 4e-4 * 6 / (25 * 4)),
    "two exponentials": (30, "hyper 70% exponential 10ms, 30% exponential 40ms", 0.019,
                         2 * (0.7 * 1e-4 + 0.3 * 16e-4) - 0.019**2),
    "measured": (30, ["5ms", "10ms", "15ms", "70ms"], 0.025, (25 + 100 + 225 + 4900) / 4e6 - 0.025**2),
}
A07 = (0.8, "1s", 1.0, 0.0)
A08 = (30, "hyper 99% 10ms, 1% 1000ms", 0.0199, 0.99 * 1e-4 + 0.01 - 0.0199**2)


def assert_waits_as_in_the_books(law: tuple[float, object, float, float], architecture: str, orders: int) -> None:
    arrivals, work, mean, variance = law
    wait = theory.pollaczek_khinchine(arrivals, mean, variance)
    found = replicate(f"A08 {work}", lasting(f"{arrivals}/s", work, orders), architecture, station)
    assert_agrees(found, {"Wq": wait, "W": wait + mean, "Lq": arrivals * wait, "utilisation": arrivals * mean,
                          "P0": 1 - arrivals * mean})


@pytest.mark.parametrize("architecture", ALL)
def test_constant_work_waits_half_as_long_as_exponential_work(architecture: str) -> None:
    assert_waits_as_in_the_books(A07, architecture, 1300)


@pytest.mark.parametrize("architecture", ALL)
def test_one_slow_order_in_a_hundred_makes_the_others_wait(architecture: str) -> None:
    assert_waits_as_in_the_books(A08, architecture, 2000)


@pytest.mark.parametrize("law, architecture", [(law, ALL[number % 4]) for number, law in enumerate(GENERAL)])
def test_the_wait_at_a_single_server_is_that_of_pollaczek_and_khinchine(law: str, architecture: str) -> None:
    assert_waits_as_in_the_books(GENERAL[law], architecture, 1300)
