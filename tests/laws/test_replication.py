"""Replicated stores: stale reads, their bounds, convergence, and quorums under faults.  Laws H01, H02, H04, H06, H07,
C02, C03."""

from __future__ import annotations

from math import comb, exp, sqrt
from typing import Any

import numpy as np
import pytest

from edasim.measure.replication import StoreReading
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.laws.estimates import LIMIT, assert_agrees, assert_near, replicate, seeds
from tests.laws.shops import ALL, Parts, shop
from tests.laws.test_availability import accepted_share, breakdowns

ONE_ITEM = {"key": "item", "keys": "uniform over 1"}


def stored(arrivals: str, store: Parts, workers: int = 1, work: str = "0s", **rest: Any) -> Scenario:
    """One service that keeps its state in a store."""
    return shop(arrivals, {"inventory": {"work": work, "workers": workers, "store": store}}, **rest)


def quorums(replicas: int, read: int, write: int) -> Parts:
    return {"replicas": replicas, "read-quorum": read, "write-quorum": write}


def reading(run: Run) -> StoreReading:
    return run.summary().stores["inventory"]


# --- H01 ------------------------------------------------------------------------------------------------------------

K = (1, 2, 3, 5, 10)


@pytest.mark.parametrize("replicas, read, write, architecture", [
    (3, 1, 1, "kafka"), (3, 1, 2, "monolith"), (3, 2, 1, "rpc"), (5, 2, 1, "rabbitmq"), (5, 2, 2, "monolith")])
def test_a_read_misses_the_last_k_versions_with_the_kth_power_of_missing_one(
        replicas: int, read: int, write: int, architecture: str) -> None:
    store = quorums(replicas, read, write) | {"replication": "quorum-only"}
    scenario = stored("constant 10/s", store, duration="70s", warm_up="5s", producer=ONE_ITEM)
    found = replicate(f"H01 {replicas} {read} {write}", scenario, architecture,
                      lambda run: {f"{k}": reading(run).within(k) for k in K})
    missed = comb(replicas - write, read) / comb(replicas, read)
    # Where nearly none is missed, there are too few to tell their standard error.
    assert_agrees(found, {f"{k}": 1 - missed**k for k in K if missed**k > 0.005})


@pytest.mark.parametrize("read, write", [(1, 3), (2, 2), (3, 1)])
def test_quorums_that_overlap_always_see_the_newest_version(read: int, write: int) -> None:
    store = quorums(3, read, write) | dict.fromkeys(("write", "write-ack", "read", "read-reply"), "exponential 50ms")
    for replication in ("all", "quorum-only"):
        run = simulate(stored("40/s", store | {"replication": replication}, workers=10, duration="40s",
                              producer={"key": "item", "keys": "uniform over 7"}), "rpc", 3)
        assert reading(run).within(1) == 1.0
        assert reading(run).t_visibility(np.zeros(1)) == [1.0]


# --- H02 ------------------------------------------------------------------------------------------------------------

LNKD_DISK = {
    "write": "hyper 38% pareto 1.05ms shape 1.51, 62% exponential 5.464481ms",
    **dict.fromkeys(("write-ack", "read", "read-reply"),
                    "hyper 91.22% pareto 0.235ms shape 10, 8.78% exponential 0.60241ms"),
}
QUICK = {"write": "uniform 1ms..9ms", "write-ack": "exponential 2ms", "read": "exponential 3ms",
         "read-reply": "lognormal p50 1ms p99 4ms"}
DELAYS_S = np.array([0.0, 0.001, 0.004])


def wars(scenario: Scenario, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """(least delay, write latency) of the WARS model itself, with NumPy's own generator; seconds."""
    store = scenario.services["inventory"].store
    assert store is not None
    generator = np.random.default_rng(17)
    w, a, r, s = (law.quantile_s(generator.random((trials, store.replicas)))
                  for law in (store.write, store.write_ack, store.read, store.read_reply))
    confirmed = np.sort(w + a, axis=1)[:, store.write_quorum - 1]
    first = np.argsort(r + s, axis=1)[:, : store.read_quorum]
    needed = np.take_along_axis(w - r, first, axis=1).min(axis=1) - confirmed
    return np.maximum(needed, 0.0), confirmed


@pytest.mark.parametrize("legs, replicas, read, write, architecture", [
    (LNKD_DISK, 3, 1, 1, "monolith"), (LNKD_DISK, 3, 1, 2, "kafka"), (QUICK, 3, 2, 1, "rpc"),
    (QUICK, 5, 1, 2, "rabbitmq")])
def test_the_curve_of_t_visibility_is_that_of_the_wars_model(
        legs: Parts, replicas: int, read: int, write: int, architecture: str) -> None:
    scenario = stored("constant 10/s", quorums(replicas, read, write) | legs, orders=500)
    needed, confirmed = wars(scenario, 400_000)

    def read_curve(run: Run) -> dict[str, float]:
        store = reading(run)
        curve = dict(zip(("0", "1", "4"), store.t_visibility(DELAYS_S), strict=True))
        return {**curve, "write": float(store.write_latency_s.clip(max=0.05).mean())}

    exact = dict(zip(("0", "1", "4"), (float(np.mean(needed <= delay)) for delay in DELAYS_S), strict=True))
    exact["write"] = float(confirmed.clip(max=0.05).mean())
    assert_agrees(replicate(f"H02 {replicas} {read} {write} {architecture}", scenario, architecture, read_curve), exact)


@pytest.mark.parametrize("seed", seeds("H02", 2))
def test_t_visibility_with_the_disks_of_the_paper(seed: int) -> None:
    store = reading(simulate(stored("constant 10/s", quorums(3, 1, 1) | LNKD_DISK, orders=20_000), "rpc", seed))
    later = {
        "consistent at once": (store.visible_after_s == 0, 0.4366),
        "t99.9": (store.visible_after_s > 0.0529, 0.001),
        "read 99.9": (store.read_latency_s > 0.00065, 0.001),
        "write 99.9": (store.write_latency_s > 0.01093, 0.001),
    }
    for name, (hits, chance) in later.items():
        assert len(hits) == 20_000
        assert abs(hits.mean() - chance) < LIMIT * sqrt(chance * (1 - chance) / len(hits)), name


def test_the_same_reads_are_stale_in_every_architecture() -> None:
    inventory = {"work": "exponential 20ms", "workers": 3, "fails": "20%", "store": quorums(3, 1, 1) | QUICK}
    scenario = shop("20/s", {"inventory": inventory}, duration="20s")
    found = [reading(simulate(scenario, architecture, 5)) for architecture in ALL]
    waits = [np.sort(store.visible_after_s) for store in found]
    assert len(waits[0]) > 300
    for other in waits[1:]:
        assert np.allclose(other, waits[0], atol=2e-9)


# --- H04, H06 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay, mean_s, rate, architecture", [
    ("1s", 1.0, 0.5, "monolith"), ("exponential 1s", 1.0, 0.5, "rpc"), ("lognormal mean 1s cv 2.91", 1.0, 0.5, "kafka"),
    ("hyper 90% 100ms, 10% exponential 3s", 0.39, 2.0, "rabbitmq"), ("uniform 0s..400ms", 0.2, 3.0, "monolith")])
def test_a_lagging_replica_is_stale_with_a_chance_that_hangs_on_its_mean_delay_alone(
        delay: str, mean_s: float, rate: float, architecture: str) -> None:
    store = {"replicas": 1, "write-quorum": 0, "read-quorum": 1, "readers": False, "write": delay}
    scenario = stored(f"poisson {rate}/s", store, duration="800s", warm_up="40s")
    found = replicate(f"H04 {delay}", scenario, architecture,
                      lambda run: {"stale": reading(run).stale_share(40.0, 800.0)})
    assert_agrees(found, {"stale": 1 - exp(-rate * mean_s)})


@pytest.mark.parametrize("replicas, mean_ms", [(3, 100), (5, 100), (8, 30)])
def test_all_replicas_have_a_version_after_the_largest_of_their_delays(replicas: int, mean_ms: int) -> None:
    store = {"replicas": replicas, "write-quorum": 0, "read-quorum": 1, "readers": False,
             "write": f"exponential {mean_ms}ms"}
    found = replicate(f"H06 {replicas}", stored("constant 5/s", store, orders=300), "monolith",
                      lambda run: {"ms": float(reading(run).convergence_s.mean()) * 1000})
    assert_agrees(found, {"ms": mean_ms * sum(1 / number for number in range(1, replicas + 1))})


# --- H07 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ALL)
def test_once_writes_have_stopped_all_replicas_become_equal(architecture: str) -> None:
    store = {"replicas": 4, "write-quorum": 1, "read-quorum": 1, **QUICK, "write": "exponential 300ms"}
    scenario = shop("40/s", {"inventory": {"work": "exponential 5ms", "workers": 3, "fails": "10%", "store": store}},
                    duration="1500ms", producer={"key": "item", "keys": "uniform over 4"},
                    wire={"base": "none", "duplicates": "20%"},
                    faults={"slow": {"slow": "inventory.replica-2", "by": "5x", "at": "311ms", "for": "400ms"},
                            "away": {"unavailable": "inventory.replica-3", "at": "377ms", "for": "2s"}})
    superseded = repeated = 0
    for seed in seeds("H07", 50):
        run = simulate(scenario, architecture, seed)
        found = reading(run)
        assert run.quiet
        assert found.converged
        assert np.array_equal(found.newest[:, 0], [np.flatnonzero(found.key_of == key)[-1] + 1
                                                   for key in range(len(found.keys))])
        last_s = float(found.everywhere_s.max())
        assert last_s <= run.end_ns / 1e9
        assert found.staleness().at(np.array([last_s])) == [0.0]
        assert found.staleness().max(0.0, last_s) > 0.0
        superseded += int(np.sum(np.diff(found.arrived_s, axis=0) < 0))
        repeated += len(found) - len(run.summary().orders)
    assert superseded > 500, "no replica saw messages in another order"
    assert architecture == "monolith" or repeated > 100, "nothing came twice"


def test_writes_that_reach_a_quorum_only_leave_replicas_apart() -> None:
    store = quorums(3, 1, 1) | {"replication": "quorum-only"}
    run = simulate(stored("40/s", store, duration="2s", producer=ONE_ITEM), "rpc", 1)
    assert not reading(run).converged


# --- C02, C03 -------------------------------------------------------------------------------------------------------


def at_least(quorum: int, replicas: int, up: float) -> float:
    """The chance that so many of the replicas are up."""
    return sum(comb(replicas, number) * up**number * (1 - up) ** (replicas - number)
               for number in range(quorum, replicas + 1))


@pytest.mark.parametrize("replicas, quorum, up, architecture", [
    (3, 1, 0.7, "monolith"), (3, 2, 0.9, "rpc"), (5, 3, 0.8, "monolith"), (2, 2, 0.95, "rpc")])
def test_a_write_succeeds_as_often_as_its_quorum_is_up(
        replicas: int, quorum: int, up: float, architecture: str) -> None:
    faults = {f"down-{number}": {"failing": f"inventory.replica-{number}", **breakdowns(up)}
              for number in range(1, replicas + 1)}
    store = dict.fromkeys(("write", "write-ack", "read", "read-reply"), "0s")
    scenario = stored("constant 0.1/s", quorums(replicas, quorum, quorum) | store, duration="3000s", warm_up="100s",
                      retry={"attempts": 1}, faults=faults)

    def read(run: Run) -> dict[str, float]:
        found = reading(run)
        # Whoever can write can read at the same instant.
        assert found.failed_reads == 0
        assert len(found.versions_behind) == run.summary().outcomes["accepted"]
        return accepted_share(run)

    assert_agrees(replicate(f"C03 {replicas} {quorum}", scenario, architecture, read),
                  {"accepted": at_least(quorum, replicas, up)})


def test_two_of_three_replicas_that_are_up_99_percent_of_the_time() -> None:
    assert_near(at_least(1, 3, 0.99), 0.999999, 1e-12)
    assert_near(at_least(2, 3, 0.99), 0.999702, 1e-12)
