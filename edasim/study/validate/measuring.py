"""The measuring itself: percentiles, and intervals that hold as often as they say.  Laws J01, J05."""

from __future__ import annotations

import math

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.precision import interval
from edasim.study.replicate import replication_seed
from edasim.study.validate import formulas
from edasim.study.validate.case import Case, Experiment, Numbers, Quantity, Trial
from edasim.study.validate.rules import Exact, Meets
from edasim.study.validate.shops import ALL, lasting, single_station


def percentiles(latest_ms: int, exact: dict[str, float]) -> tuple[Trial, ...]:
    """So many orders at one instant and a millisecond of work for each: latencies of 1, 2, 3 ... ms.

    The placing of orders ends while half of them are under way; they count nonetheless.
    """
    scenario = single_station(f"batches of {latest_ms} at constant 1/s", "1ms", duration=f"{1000 + latest_ms // 2}ms")

    def read(run: Run) -> Numbers:
        spread = run.summary().as_dict()["completion_latency_s"]
        return {name: round(1000 * spread[name], 9) for name in exact}

    quantities = tuple(Quantity(name, value, Exact(), published=name) for name, value in exact.items())
    said = "numpy's linear, type 7"
    return tuple(Trial(name, Experiment(lambda _size: scenario, name, read), quantities, 1, 1, 1, said=said)
                 for name in ALL)


def type_7(values: int, share: float) -> float:
    """The percentile of 1, 2, ... `values` by Hyndman and Fan's type 7: at (n - 1) q between the neighbours."""
    return 1 + (values - 1) * share


def covered(arrivals: float, rate: float, messages: tuple[int, int], seed: int) -> bool:
    """Whether the 95% interval over 30 replications of so many messages, less the warm-up, holds the mean sojourn."""
    warm_up, measured = messages[0], messages[1] - messages[0]
    scenario = experiment(arrivals, rate, warm_up, measured)
    means = [float(simulate(scenario, "monolith", replication_seed(seed, number)).summary().completion_latency_s.mean())
             for number in range(30)]
    found = interval(means)
    return found.low <= formulas.single(arrivals, rate)["W"] <= found.high


def experiment(arrivals: float, rate: float, warm_up: int, measured: int) -> Scenario:
    """One M/M/1."""
    return single_station(f"poisson {arrivals}/s", f"exponential {1 / rate}s",
                          **lasting(measured, arrivals, warm_up / arrivals))


def coverage(arrivals: float, rate: float, level: float, sizes: tuple[int, int], experiments: int) -> tuple[Trial, ...]:
    """Fewer and shorter experiments than the audit does, whose rule is for 400 of them; half as many messages more are
    the warm-up.
    """
    lowest = level - 3.5 * math.sqrt(level * (1 - level) / experiments)

    def sample(seed: int, size: int) -> Numbers:
        return {"coverage": float(covered(arrivals, rate, (size // 2, size + size // 2), seed))}

    rule = Meets(lambda estimate: estimate.value >= lowest,
                 f"at least {lowest:.3g}, 3.5 sigma for {experiments} experiments; make audit does all 400")
    quantities = (Quantity("coverage", level, rule, published="coverage"),)
    said = f"{experiments} experiments of 30 replications of that size, and half of it as warm-up"
    return (Trial("monolith", sample, quantities, *sizes, experiments, said=said),)


CASES = (
    Case("J01", coverage(0.8, 1.0, 0.95, (2_000, 700), 50)),
    Case("J05", percentiles(100, {"p50": type_7(100, 0.5), "p95": type_7(100, 0.95), "p99": type_7(100, 0.99)})),
)
