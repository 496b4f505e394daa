"""Unlimited workers, and workers that share a few cores.  Laws A19 and A23."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.laws import theory
from tests.laws.estimates import assert_agrees, replicate
from tests.laws.shops import Parts, architectures, chain, shop

CALLED = ("monolith", "rpc")
"""Where there can be a worker for each order."""


def lasting(arrivals: float, work: object, orders: int, cores: int | None = None, **rest: object) -> Scenario:
    """Unlimited workers, with cores to share if given; a fifth as many orders come before as warm-up."""
    warm_up_s, all_s = (share * orders / arrivals for share in (0.2, 1.2))
    payment: Parts = {"work": work, "workers": "unlimited"}
    built: Parts = {"monolith": {}, "rpc": {"open-requests": 1_000_000}}
    if cores is not None:
        payment |= {"cores": cores}
        built["monolith"] = {"cores": cores}
    return shop(f"poisson {arrivals}/s", {"payment": payment}, duration=f"{all_s:.6f}s", warm_up=f"{warm_up_s:.6f}s",
                **{"architectures": built, **rest})


def station(run: Run) -> dict[str, float]:
    summary = run.summary()
    inside = summary.open_orders()
    span = summary.start_s, summary.end_s
    latency = summary.completion_latency_s
    widths, values = inside.widths_within(*span), inside.values_within(*span)
    mean = float(np.average(values, weights=widths))
    return {"W": float(latency[np.isfinite(latency)].mean()), "L": mean, "at work": summary.services["payment"].at_work,
            "second moment": float(np.average(values**2, weights=widths)), "P0": 1 - inside.share_at_least(1, *span),
            "P(N>5)": inside.share_at_least(6, *span), "P(N>12)": inside.share_at_least(13, *span),
            "utilisation": summary.services["payment"].utilisation,
            "loss": summary.outcomes["refused"] / summary.outcomes["placed"]}


# --- A19: M/M/infinity and M/G/infinity -------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals, work, mean, architecture", [
    (50.0, "exponential 200ms", 0.2, "monolith"), (50.0, "exponential 200ms", 0.2, "rpc"),
    (12.0, "hyper 80% 100ms, 20% 1s", 0.28, "rpc"), (30.0, "lognormal mean 300ms cv 2", 0.3, "monolith"),
])
def test_the_number_at_an_infinite_server_is_poisson_whatever_the_work(
        arrivals: float, work: str, mean: float, architecture: str) -> None:
    load = arrivals * mean
    limit = 5 if load < 5 else 12
    beyond = 1 - sum(math.exp(-load) * load**count / math.factorial(count) for count in range(limit + 1))
    found = replicate(f"A19 {arrivals} {work}", lasting(arrivals, work, 1500), architecture, station)
    assert_agrees(found, {"W": mean, "L": load, "at work": load, "second moment": load + load**2, f"P(N>{limit})": beyond})
    assert np.isnan(found["utilisation"]).all()


# --- A23: processor sharing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals, work, mean, architecture", [
    (3.0, "exponential 200ms", 0.2, "monolith"), (3.0, "200ms", 0.2, "rpc"),
    (3.0, "hyper 90% 100ms, 10% 1100ms", 0.2, "monolith"), (20.0, "hyper 60% 10ms, 40% 50ms", 0.026, "rpc"),
])
def test_one_shared_core_is_insensitive_to_the_law_of_the_work(
        arrivals: float, work: str, mean: float, architecture: str) -> None:
    load = arrivals * mean
    sojourn = mean / (1 - load)
    found = replicate(f"A23 {arrivals} {work}", lasting(arrivals, work, 1400, cores=1), architecture, station)
    assert_agrees(found, {"W": sojourn, "L": arrivals * sojourn, "P0": 1 - load})


@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
def test_consumers_share_the_cores_of_their_service(architecture: str) -> None:
    built = architectures(partitions=40)
    payment = {"work": "exponential 200ms", "workers": 40, "cores": 1}
    scenario = shop("poisson 3/s", {"payment": payment}, duration="250s", warm_up="30s", architectures={
        "kafka": built["kafka"], "rabbitmq": built["rabbitmq"]}, producer={"keys": "none"}
        if architecture == "rabbitmq" else {"key": "customer", "keys": "uniform over 100000"})
    if architecture == "rabbitmq":
        found = replicate("A23 rabbitmq", scenario, architecture, station)
        assert_agrees(found, {"W": 0.5, "L": 1.5, "P0": 0.4, "utilisation": 0.6})
        return
    # A partition is read in its order, so that some wait behind others: no law but that of work is exact here.
    found = replicate("A23 kafka", scenario, architecture, station)
    assert_agrees(found, {"P0": 0.4, "utilisation": 0.6})


def test_two_shared_cores_are_a_birth_and_death_chain() -> None:
    sojourn = 1 + theory.pooled_wait(1.5, 1.0, 2)
    found = replicate("A23 two cores", lasting(1.5, "exponential 1s", 1500, cores=2), "monolith", station)
    assert_agrees(found, {"W": sojourn, "L": 1.5 * sojourn})


@pytest.mark.parametrize("architecture", CALLED)
def test_two_shared_cores_with_room_for_five_lose_as_their_chain_has_it(architecture: str) -> None:
    built: Parts = {"monolith": {"threads": 5, "cores": 2, "queue-limit": 0}, "rpc": {"queue-limit": 0}}
    scenario = lasting(1.8, "exponential 1s", 1300, cores=2, architectures=built, retry={"attempts": 1})
    exact = theory.bounded(1.8, 1.0, 2, 5)
    found = replicate("A23 bounded", scenario.change({"services.payment.workers": 5}), architecture, station)
    assert_agrees(found, {"loss": exact["loss"], "W": exact["sojourn"], "utilisation": exact["utilisation"]})


def test_modules_of_one_process_share_its_core_and_the_whole_order_is_what_counts() -> None:
    scenario = chain("poisson 8/s", ["exponential 50ms", "30ms"], duration="220s", warm_up="40s",
                     architectures={"monolith": {"threads": "unlimited", "cores": 1}})
    found = replicate("A23 modules", scenario, "monolith",
                      lambda run: {"W": float(run.summary().completion_latency_s.mean()),
                                   **{name: one.utilisation for name, one in run.summary().services.items()}})
    assert_agrees(found, {"W": 0.08 / (1 - 0.64), "step-1": 0.4, "step-2": 0.24})


def test_on_a_shared_core_everybody_takes_as_many_times_as_long() -> None:
    scenario = Scenario.from_dict({
        "duration": "170s", "warm-up": "20s", "drain": "48h", "wire": "none", "client": {"timeout": "none"},
        "architectures": {"monolith": {"threads": "unlimited", "cores": 1}},
        "producers": {name: {"publishes": name, "arrivals": "poisson 10/s"} for name in ("Small", "Large")},
        "services": {"quick": {"handles": "Small", "work": "10ms"}, "slow": {"handles": "Large", "work": "50ms"}}})
    found = replicate("A23 stretch", scenario, "monolith", lambda run: {
        name: float(run.summary().completion_latency_of(name).mean()) for name in ("Small", "Large")})
    assert_agrees(found, {"Small": 0.010 / 0.4, "Large": 0.050 / 0.4})


@pytest.mark.parametrize("architecture", CALLED)
@pytest.mark.parametrize("cores", [1, 3])
def test_each_order_ends_when_the_exact_sharing_of_the_same_work_ends_it(architecture: str, cores: int) -> None:
    run = simulate(lasting(9.0 * cores, "100ms", 300, cores=cores), architecture, seed=3)
    orders = run.summary().orders
    placed_ns = [round(time_s * 1e9) for time_s in orders.placed_s]
    exact = theory.shared([(placed, 100_000_000) for placed in placed_ns], cores)
    off_ns = [abs(round(done_s * 1e9) - end) for done_s, end in zip(orders.done_s, exact, strict=True)]
    assert max(off_ns) <= 1
