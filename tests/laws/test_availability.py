"""Parts that are down now and then, and what a chain of steps can carry.  Laws C01, C04, C07."""

from __future__ import annotations

import numpy as np
import pytest

from edasim.simulate import Run, simulate
from tests.laws.estimates import assert_agrees, assert_near, replicate, seeds
from tests.laws.shops import BROKERS, SEPARATE, Parts, Scenario, architectures, chain, shop

REPAIR_S = 10


def breakdowns(availability: float) -> Parts:
    """Up and down by turns, both for exponential times, down for ten seconds on average."""
    up_s = REPAIR_S * availability / (1 - availability)
    return {"every": f"exponential {up_s:.6f}s", "for": f"exponential {REPAIR_S}s"}


def modules(count: int, availability: float, span_s: int, **rest: object) -> Scenario:
    """An order every ten seconds needs all modules, which take no time but are down now and then."""
    names = [f"module-{number}" for number in range(1, count + 1)]
    faults = {f"{name}-down": {"failing": name, **breakdowns(availability)} for name in names}
    return shop("constant 0.1/s", {name: {"work": "0s"} for name in names}, duration=f"{span_s}s", warm_up="100s",
                retry={"attempts": 1}, faults=faults, **rest)


def accepted_share(run: Run) -> dict[str, float]:
    outcomes = run.summary().outcomes
    return {"accepted": outcomes["accepted"] / outcomes["placed"]}


# --- C01 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count, availability, architecture, span_s", [
    (3, 0.99, "monolith", 40_000), (3, 0.99, "rpc", 15_000), (5, 0.98, "monolith", 10_000), (2, 0.9, "rpc", 10_000)])
def test_an_order_that_needs_all_modules_succeeds_as_often_as_all_are_up(
        count: int, availability: float, architecture: str, span_s: int) -> None:
    found = replicate(f"C01 {count}", modules(count, availability, span_s), architecture, accepted_share)
    assert_agrees(found, {"accepted": availability**count})
    if (count, availability, span_s) == (3, 0.99, 40_000):
        assert abs(float(np.mean(found["accepted"])) - 0.970299) <= 0.003


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_an_order_is_refused_exactly_while_a_module_is_down(architecture: str) -> None:
    run = simulate(modules(3, 0.9, 20_000), architecture, 1)
    orders = run.summary().orders
    down = np.zeros(len(orders), np.bool_)
    for band in run.bands:
        end_s = (band.end_ns or run.end_ns) / 1e9
        down |= (orders.placed_s >= band.start_ns / 1e9) & (orders.placed_s < end_s)
    assert 0.2 < down.mean() < 0.35
    assert orders.refused.tolist() == down.tolist()


# --- C04 ------------------------------------------------------------------------------------------------------------


def decoupled(span_s: int) -> Scenario:
    """Three consumers as in C01 behind a broker that is down a thousandth of the time; work is retried for ever."""
    kafka = architectures()["kafka"]
    behind = modules(3, 0.99, span_s, architectures={
        "monolith": {}, "kafka": kafka | {"producer": {"linger.ms": 0, "retries": 0}}, "rabbitmq": {}})
    fault = {"failing": "broker", **breakdowns(0.999)}
    faults = {name: {"failing": part.target, **breakdowns(0.99)} for name, part in behind.faults.items()}
    return behind.change({"faults": faults | {"broker-down": fault},
                          "retry": {"attempts": "unlimited", "backoff": "fixed 1s", "jitter": "none"}})


@pytest.mark.parametrize("architecture", BROKERS)
def test_behind_a_broker_an_order_needs_only_the_broker(architecture: str) -> None:
    def read(run: Run) -> dict[str, float]:
        outcomes = run.summary().outcomes
        assert outcomes["done"] == outcomes["accepted"], "an accepted order was not processed"
        assert outcomes["lost"] == outcomes["parked"] == outcomes["pending"] == 0
        return accepted_share(run)

    assert_agrees(replicate("C04", decoupled(15_000), architecture, read), {"accepted": 0.999})


def test_the_same_breakdowns_hit_every_architecture() -> None:
    """Law C04 compares with C01 on the same seeds: the modules are down at the same times."""
    seed = seeds("C04")[0]
    scenarios = {"monolith": modules(3, 0.99, 30_000)} | dict.fromkeys(BROKERS, decoupled(30_000))
    runs = [simulate(scenario, architecture, seed) for architecture, scenario in scenarios.items()]
    bands = [[(band.name, band.start_ns, band.end_ns) for band in run.bands
              if "module" in band.name and band.end_ns is not None and band.end_ns < run.closed_ns] for run in runs]
    assert len(bands[0]) > 50
    assert bands[0] == bands[1] == bands[2]
    assert abs(accepted_share(runs[0])["accepted"] - 0.970299) < 0.02


# --- C07 ------------------------------------------------------------------------------------------------------------

STEPS = [(10, 20, 30), (7, 7), (40, 5, 25, 13)]


def pipeline(steps_ms: tuple[int, ...], arrivals: str) -> Scenario:
    return chain(arrivals, [f"{step}ms" for step in steps_ms], duration="8s")


def highest_rate(run: Run) -> float:
    """Orders a second between the 20th and the 140th to be done, when there is always one more to do."""
    done_s = np.sort(run.summary().orders.done_s)
    return 120 / (done_s[140] - done_s[20])


@pytest.mark.parametrize("steps_ms", STEPS)
def test_a_pipeline_carries_what_its_slowest_step_carries_a_monolith_what_all_together_do(
        steps_ms: tuple[int, ...]) -> None:
    flood = pipeline(steps_ms, "batches of 150 at constant 0.2/s")
    assert_near(highest_rate(simulate(flood, "monolith", 1)), 1000 / sum(steps_ms), 1e-6)
    for architecture in SEPARATE:
        assert_near(highest_rate(simulate(flood, architecture, 1)), 1000 / max(steps_ms), 1e-6)


@pytest.mark.parametrize("steps_ms", STEPS)
@pytest.mark.parametrize("architecture", ["monolith", *SEPARATE])
def test_one_order_alone_takes_all_steps_everywhere(steps_ms: tuple[int, ...], architecture: str) -> None:
    latency = simulate(pipeline(steps_ms, "constant 4/s"), architecture, 1).summary().completion_latency_s
    assert len(latency) == 32
    for one in latency:
        assert_near(float(one), sum(steps_ms) / 1000, 1e-6)
