"""Services one after another and side by side.  Laws B01, B03, B05, B06, E01, E02, E03."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.validate import formulas
from edasim.study.validate.case import (
    Case,
    Figure,
    Numbers,
    Percentile,
    Quantity,
    Trial,
    by_shop,
    histogram,
    quotient,
    statistical,
)
from edasim.study.validate.reading import SOJOURN, orders_sums
from edasim.study.validate.rules import Between, Relative, Rule, Statistical
from edasim.study.validate.shops import ALL, SEPARATE, chain, fan_out, lasting, relaxation_s
from edasim.study.validate.single_server import WARM_UPS

SIDE_BY_SIDE = ("rabbitmq", "rpc", "kafka")


def tandem(arrivals: float, rates: tuple[float, ...], share: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Burke: each stage of a chain is as if it stood alone."""

    def build(size: int) -> Scenario:
        warm_up_s = 2 * WARM_UPS * relaxation_s(arrivals, min(rates))
        return chain(f"poisson {arrivals}/s", [f"exponential {1 / rate}s" for rate in rates],
                     **lasting(size, arrivals, warm_up_s))

    def read(run: Run) -> Numbers:
        summary = run.summary()
        found = {**orders_sums(summary), "L": summary.open_orders().mean(summary.start_s, summary.end_s)}
        for number, service in enumerate(summary.services.values(), start=1):
            found |= {f"waits {number}": float(service.wait_s.sum()), f"begun {number}": float(len(service.wait_s)),
                      f"work {number}": float(service.work_s.sum()), f"worked {number}": float(len(service.work_s))}
        return found

    def stage(number: int) -> Figure:
        wait, work = quotient(f"waits {number}", f"begun {number}"), quotient(f"work {number}", f"worked {number}")
        return lambda means: wait(means) + work(means)

    exact = {f"W{number}": 1 / (rate - arrivals) for number, rate in enumerate(rates, start=1)}
    whole = sum(exact.values())
    figures = {name: stage(number) for number, name in enumerate(exact, start=1)} | {"W": SOJOURN}
    quantities = statistical(share, exact | {"W": whole, "L": arrivals * whole}, figures)
    return by_shop(build, SIDE_BY_SIDE, read, quantities, *sizes)


# --- fork and join --------------------------------------------------------------------------------------------------


def joined(run: Run) -> Numbers:
    """The time until all branches are done, and the mean over the branches of the time that each takes."""
    summary = run.summary()
    orders = summary.orders
    branches = [(orders.service_effect_s(name)[0] - orders.placed_s)[orders.counted].sum() for name in summary.services]
    return {**orders_sums(summary), "branches": float(np.mean(branches))}


BRANCH = quotient("branches", "done")


def forked(arrivals: float, rate: float, branches: int) -> tuple[Callable[[int], Scenario], tuple[Figure, float]]:
    """How to build it for so many orders, and the control: the mean time of a branch alone, which is an M/M/1."""

    def build(size: int) -> Scenario:
        return fan_out(f"poisson {arrivals}/s", [f"exponential {1 / rate}s"] * branches,
                       **lasting(size, arrivals, WARM_UPS * relaxation_s(arrivals, rate)))

    return build, (BRANCH, 1 / (rate - arrivals))


CONTROLLED = "control variate: the mean time of a branch alone, whose exact value is known"


def fork_of_two(arrivals: float, rate: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Flatto and Hahn: until both are done."""
    build, control = forked(arrivals, rate, 2)
    exact = formulas.fork_join_of_two(arrivals, rate)
    quantities = (Quantity("T", exact, Statistical(0.01), SOJOURN, "T", control),)
    return by_shop(build, SIDE_BY_SIDE, joined, quantities, *sizes, said=CONTROLLED)


def fork_of_many(arrivals: float, rate: float, branches: int, reference: float, sizes: tuple[int, int],
                 ) -> tuple[Trial, ...]:
    """Nobody knows it exactly: near what was simulated before, near Nelson and Tantawi, inside the bounds."""
    build, control = forked(arrivals, rate, branches)
    low, high = 1 / (rate - arrivals), formulas.harmonic(branches) / (rate - arrivals)
    near = formulas.nelson_tantawi(branches, arrivals, rate)
    rules: dict[str, tuple[float, Rule]] = {
        "T_simulated_reference": (reference, Relative(0.01)), "Nelson_Tantawi": (near, Relative(0.05)),
        "upper_bound": (high, Between(-np.inf, high)), "lower_bound": (low, Between(low, np.inf))}
    quantities = tuple(Quantity(name, exact, rule, SOJOURN, name, control) for name, (exact, rule) in rules.items())
    return by_shop(build, SIDE_BY_SIDE, joined, quantities, *sizes, said=CONTROLLED)


def alone(leaves: int, work: str, interval_s: float, size: int) -> Scenario:
    """So many services side by side for each order, and never two orders at once."""
    return fan_out(f"constant {1 / interval_s:g}/s", [work] * leaves, duration=f"{interval_s * (size + 0.5):.6f}s")


def zero_load(branches: int, mean_s: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """The slowest of so many exponentials."""
    quantities = statistical(0.01, {"T": mean_s * formulas.harmonic(branches)}, {"T": SOJOURN})
    return by_shop(lambda size: alone(branches, f"exponential {mean_s}s", 50 * mean_s, size), SIDE_BY_SIDE,
                   lambda run: orders_sums(run.summary()), quantities, *sizes)


# --- fan-out --------------------------------------------------------------------------------------------------------


def slow_leaves(leaves: int, percent: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """An answer needs all leaves, a few of which take longer than a second."""

    def read(run: Run) -> Numbers:
        return {"P(slow)": float(np.mean(run.summary().completion_latency_s > 1.0))}

    work = f"hyper {100 - percent:g}% 10ms, {percent:g}% 1001ms"
    quantities = statistical(0.01, {"P(slow)": formulas.any_of(percent / 100, leaves)})
    return by_shop(lambda size: alone(leaves, work, 2.0, size), SIDE_BY_SIDE, read, quantities, *sizes)


def many_slow_leaves(orders: int, leaves: int, percent: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """More leaves than one scenario has services: so many orders, which never meet, are the parts of one request."""

    def read(run: Run) -> Numbers:
        slow = (run.summary().completion_latency_s > 1.0).reshape(-1, orders).any(axis=1)
        return {"P(slow)": float(np.mean(slow))}

    work = f"hyper {100 - percent:g}% 10ms, {percent:g}% 1001ms"
    quantities = statistical(0.02, {"P(slow)": formulas.any_of(percent / 100, orders * leaves)})
    said = f"a request is {orders} orders after one another with {leaves} leaves each, slow if one of them is"
    trials = by_shop(lambda size: alone(leaves, work, 2.0, orders * size), ("rpc",), read, quantities, *sizes, said)
    return tuple(replace(trial, most_at_once=150) for trial in trials)


def fan_percentiles(means_ms: float, sizes: dict[int, tuple[int, int]]) -> tuple[Trial, ...]:
    """The median, the 99th percentile and the mean of the slowest of 1, 10, 100 exponential leaves, in milliseconds."""

    def read(run: Run) -> Numbers:
        summary = run.summary()
        return {**orders_sums(summary), "latency": histogram(summary.completion_latency_s)}

    trials: list[Trial] = []
    for place, (leaves, size) in enumerate(sizes.items()):
        exact = {"p50": formulas.largest_percentile(0.5, leaves, means_ms),
                 "p99": formulas.largest_percentile(0.99, leaves, means_ms),
                 "mean": means_ms * formulas.harmonic(leaves)}
        figures: dict[str, Figure | Percentile] = {
            "p50": Percentile("latency", 0.5, 1000.0), "p99": Percentile("latency", 0.99, 1000.0),
            "mean": lambda means: 1000 * SOJOURN(means)}
        quantities = tuple(Quantity(f"{name}, n={leaves}", value, Statistical(0.01), figures[name], f"{name}.{place}")
                           for name, value in exact.items())

        def build(orders: int, leaves: int = leaves) -> Scenario:
            return alone(leaves, f"exponential {means_ms:g}ms", 1.0, orders)

        where = ("rabbitmq", *(name for name in (ALL if leaves == 1 else SEPARATE) if name != "rabbitmq"))
        trials += by_shop(build, where if leaves <= 10 else where[:1], read, quantities, *size)
    return tuple(trials)


CASES = (
    Case("B01", tandem(0.6, (1.0, 0.8), 0.015, (20_000, 3_000))),
    Case("B03", fork_of_two(0.5, 1.0, (6_000, 1_500))),
    Case("B05", fork_of_many(0.5, 1.0, 3, 3.430, (12_000, 1_500))),
    Case("B06", zero_load(3, 1.0, (400, 300))),
    Case("E01", slow_leaves(100, 1, (330, 30))),
    Case("E02", many_slow_leaves(20, 100, 0.01, (550, 10))),
    Case("E03", fan_percentiles(10.0, {1: (3_500, 800), 10: (1_500, 300), 100: (750, 50)})),
)
