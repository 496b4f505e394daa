"""Replicated stores: how stale reads are, and how soon all replicas agree.  Laws H01 to H07."""

from __future__ import annotations

import math

import numpy as np

from edasim.measure.replication import StoreReading
from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.validate import formulas
from edasim.study.validate.case import (
    Case,
    Experiment,
    Figure,
    Numbers,
    Percentile,
    Quantity,
    Trial,
    by_shop,
    histogram,
    mean_of,
    statistical,
)
from edasim.study.validate.rules import Exact, Meets, Relative, Statistical
from edasim.study.validate.shops import ALL, Parts, shop

ONE_ITEM = {"key": "item", "keys": "uniform over 1"}


def stored(arrivals: str, store: Parts, **rest: object) -> Scenario:
    """One service that keeps its state in a store."""
    return shop(arrivals, {"inventory": {"work": "0s", "store": store}}, **rest)


def reading(run: Run) -> StoreReading:
    """What the store did."""
    return run.summary().stores["inventory"]


# --- H01 -------------------------------------------------------------------------------------------------------------


def k_staleness(replicas: int, quorums: dict[tuple[int, int], tuple[int, ...]], ks: tuple[int, ...],
                sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Bailis et al.: a read sees one of the last k versions with 1 - (C(N-W,R)/C(N,R))^k.

    `quorums` has (read, write) and which of the ks are asked of it.
    """
    trials: list[Trial] = []
    for (read_quorum, write_quorum), known in quorums.items():
        store = {"replicas": replicas, "read-quorum": read_quorum, "write-quorum": write_quorum,
                 "replication": "quorum-only"}

        def build(size: int, store: Parts = store) -> Scenario:
            return stored("constant 10/s", store, duration=f"{2 + size / 10}s", warm_up="2s", producer=ONE_ITEM)

        def read(run: Run) -> Numbers:
            return {f"{k}": reading(run).within(k) for k in ks}

        missed = math.comb(replicas - write_quorum, read_quorum) / math.comb(replicas, read_quorum)
        quantities = []
        for place, k in enumerate(known):
            name = f"({read_quorum},{write_quorum})"
            figure: Figure = lambda means, k=k: float(means[f"{k}"])  # type: ignore[misc] # noqa: E731
            # What a quorum of two finds of one is what one finds of two: the file prints the latter alone.
            published = f"{name}.{place}" if read_quorum == 1 else ""
            quantities.append(Quantity(f"{name} k={k}", 1 - missed**k, Statistical(0.01), figure, published))
        trials += by_shop(build, ("rpc", "monolith", "kafka", "rabbitmq"), read, quantities, *sizes)
    return tuple(trials)


# --- H02 -------------------------------------------------------------------------------------------------------------


def mixed(share: float, least_ms: float, shape: float, rate_per_ms: float) -> str:
    """A share of Pareto, and the rest exponential, as the paper fits it."""
    mean_ms = f"{1 / rate_per_ms:.6f}"
    tail = f"{100 * share:g}% pareto {least_ms:g}ms shape {shape:g}"
    return f"hyper {tail}, {100 - 100 * share:.12g}% exponential {mean_ms}ms"


def t_visibility(write: str, other: str, exact: dict[str, float], sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """The WARS model of Bailis et al. with N = 3, R = W = 1, whose figures are simulated, not exact."""
    store = {"replicas": 3, "read-quorum": 1, "write-quorum": 1, "write": write,
             **dict.fromkeys(("write-ack", "read", "read-reply"), other)}

    def read(run: Run) -> Numbers:
        found = reading(run)
        return {"P(consistent,t=0)": float(np.mean(found.visible_after_s == 0)),
                "visible": histogram(found.visible_after_s), "read": histogram(found.read_latency_s),
                "write": histogram(found.write_latency_s)}

    at_once, later = exact["P(consistent,t=0)"], exact["t99.9_ms_reproduced"]

    def near(value: float, most: float) -> Relative:
        return Relative(most / value)

    quantities = [
        Quantity("P(consistent,t=0)", at_once, near(at_once, 0.005), None, "P(consistent,t=0)"),
        Quantity("published", exact["published"], near(exact["published"], 0.005),
                 mean_of("P(consistent,t=0)"), "published"),
        Quantity("t99.9_ms_reproduced", later, near(later, 0.05 * later), Percentile("visible", 0.999, 1000.0),
                 "t99.9_ms_reproduced"),
        Quantity("t99.9_ms_published", exact["t99.9_ms_published"],
                 Meets(lambda estimate: exact["t99.9_ms_published"] < estimate.value + estimate.allowance() and
                       estimate.value - estimate.allowance() < 1.25 * exact["t99.9_ms_published"],
                       "the paper's own is about 14% below what its model gives"),
                 Percentile("visible", 0.999, 1000.0), "t99.9_ms_published"),
        Quantity("read99.9_ms", exact["read99.9_ms"], near(exact["read99.9_ms"], 0.02 * exact["read99.9_ms"]),
                 Percentile("read", 0.999, 1000.0), "read99.9_ms"),
        Quantity("write99.9_ms", exact["write99.9_ms"], near(exact["write99.9_ms"], 0.02 * exact["write99.9_ms"]),
                 Percentile("write", 0.999, 1000.0), "write99.9_ms"),
    ]
    return by_shop(lambda size: stored("constant 10/s", store, orders=size), ("monolith", "rpc", "kafka", "rabbitmq"),
                   read, quantities, *sizes)


# --- H04, H06 --------------------------------------------------------------------------------------------------------


def lagging(rate: float, mean_s: float, delays: tuple[str, ...], sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """A replica that lags is stale with a chance that hangs on its mean delay alone (M/G/infinity)."""
    trials: list[Trial] = []
    for delay in delays:
        store = {"replicas": 1, "write-quorum": 0, "read-quorum": 1, "readers": False, "write": delay}

        def build(size: int, store: Parts = store) -> Scenario:
            return stored(f"poisson {rate}/s", store, duration=f"{100 * mean_s + size / rate:.6f}s",
                          warm_up=f"{100 * mean_s}s")

        def read(run: Run) -> Numbers:
            return {"P(stale)": reading(run).stale_share(run.summary().start_s, run.summary().end_s)}

        quantities = (Quantity(f"P(stale), {delay}", 1 - math.exp(-rate * mean_s), Statistical(0.01),
                               mean_of("P(stale)"), "P(stale)"),)
        trials += by_shop(build, ("rpc", "kafka"), read, quantities, *sizes)
    return tuple(trials)


def everywhere(mean_ms: float, replicas: tuple[int, ...], sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """The largest of so many delays."""
    trials: list[Trial] = []
    for number in replicas:
        store = {"replicas": number, "write-quorum": 0, "read-quorum": 1, "readers": False,
                 "write": f"exponential {mean_ms}ms"}

        def build(size: int, store: Parts = store) -> Scenario:
            return stored("constant 5/s", store, orders=size)

        quantities = statistical(0.01, {f"{number}": mean_ms * formulas.harmonic(number)})
        trials += by_shop(build, ("monolith", "rpc", "kafka", "rabbitmq"),
                          lambda run, name=f"{number}": {name: 1000 * float(reading(run).convergence_s.mean())},  # type: ignore[misc]
                          quantities, *sizes)
    return tuple(trials)


# --- H07 -------------------------------------------------------------------------------------------------------------


def agreeing(seeds: int) -> tuple[Trial, ...]:
    """Writes have stopped, all that was under way has arrived: all replicas hold the newest version of each key."""
    store = {"replicas": 4, "write-quorum": 1, "read-quorum": 1, "write": "exponential 300ms",
             "write-ack": "exponential 2ms", "read": "exponential 3ms", "read-reply": "lognormal p50 1ms p99 4ms"}
    payment = {"work": "exponential 5ms", "workers": 3, "fails": "10%", "store": store}
    faults = {"slow": {"slow": "inventory.replica-2", "by": "5x", "at": "311ms", "for": "400ms"},
              "away": {"unavailable": "inventory.replica-3", "at": "377ms", "for": "2s"}}
    scenario = shop("40/s", {"inventory": payment}, duration="1500ms", faults=faults,
                    producer={"key": "item", "keys": "uniform over 4"}, wire={"base": "none", "duplicates": "20%"})

    def read(run: Run) -> Numbers:
        found = reading(run)
        last_s = float(found.everywhere_s.max())
        newest = [np.flatnonzero(found.key_of == key)[-1] + 1 for key in range(len(found.keys))]
        equal = run.quiet and found.converged and np.array_equal(found.newest[:, 0], newest)
        fresh = last_s <= run.end_ns / 1e9 and float(found.staleness().at(np.array([last_s]))[0]) == 0.0
        overtaken = float(np.sum(np.diff(found.arrived_s, axis=0) < 0))
        return {"equal": float(equal), "fresh": float(fresh), "overtaken": overtaken}

    quantities = (Quantity("share of seeds in which all replicas are equal", 1.0, Exact(), mean_of("equal")),
                  Quantity("share of seeds with staleness 0 after the last delivery", 1.0, Exact(),
                           mean_of("fresh")),
                  Quantity("arrivals out of order for each seed", 1.0,
                           Meets(lambda e: e.value >= 1, "some, or it says nothing"),
                           mean_of("overtaken")))
    return tuple(Trial(name, Experiment(lambda _size: scenario, name, read), quantities, 1, 1, seeds // 4)
                 for name in ALL)


DISK = {"P(consistent,t=0)": 0.4366, "published": 0.439, "t99.9_ms_reproduced": 52.9, "t99.9_ms_published": 45.5,
        "read99.9_ms": 0.65, "write99.9_ms": 10.93}
QUORUMS = {(1, 1): (1, 2, 3, 5, 10), (1, 2): (1, 2, 3), (2, 1): (1, 2, 3)}
HEAVY = f"lognormal mean 1s cv {math.sqrt(math.expm1(1.5**2)):.9f}"
"""The logarithm's standard deviation is 1.5."""
CASES = (
    Case("H01", k_staleness(3, QUORUMS, (1, 2, 3, 5, 10), (3_000, 700))),
    Case("H02", t_visibility(mixed(0.38, 1.05, 1.51, 0.183), mixed(0.9122, 0.235, 10, 1.66), DISK, (45_000, 700))),
    Case("H04", lagging(0.5, 1.0, ("1s", "exponential 1s", HEAVY), (3_000, 1_000))),
    Case("H06", everywhere(100, (3, 5), (600, 300))),
    Case("H07", agreeing(200)),
)
