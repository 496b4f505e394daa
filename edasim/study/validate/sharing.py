"""Unlimited workers, a shared core, and lines in which some come first.  Laws A19, A20, A23."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.validate import formulas
from edasim.study.validate.case import Case, Figure, Numbers, Quantity, Trial, by_shop, quotient, statistical
from edasim.study.validate.reading import SOJOURN, orders_sums
from edasim.study.validate.rules import Statistical
from edasim.study.validate.shops import Parts, lasting, relaxation_s, shop
from edasim.study.validate.single_server import WARM_UPS

CALLED = ("monolith", "rpc")
"""Where there can be a worker for each order."""


def unlimited(arrivals: float, mean_s: float, level: int, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """M/M/infinity: how many are inside is Poisson."""
    payment = {"work": f"exponential {mean_s}s", "workers": "unlimited"}
    built: Parts = {"monolith": {}, "rpc": {"open-requests": 1_000_000}}

    def build(size: int) -> Scenario:
        return shop(f"poisson {arrivals}/s", {"payment": payment}, architectures=built,
                    **lasting(size, arrivals, 15 * mean_s))

    tail = f"P(N>{level})"

    def read(run: Run) -> Numbers:
        summary = run.summary()
        inside, span = summary.open_orders(), (summary.start_s, summary.end_s)
        widths, values = inside.widths_within(*span), inside.values_within(*span)
        span_s = float(np.sum(widths))
        return {"L": float(values @ widths) / span_s, "squares": float(values**2 @ widths) / span_s,
                tail: float(np.sum(widths[values > level])) / span_s}

    load = arrivals * mean_s
    variance: Figure = lambda means: float(means["squares"] - means["L"] ** 2)  # noqa: E731 - a formula
    exact = {"L": load, "Var(N)": load, tail: formulas.poisson_above(load, level)}
    return by_shop(build, CALLED, read, statistical(0.01, exact, {"Var(N)": variance}, rare=[tail]), *sizes)


# --- priorities -----------------------------------------------------------------------------------------------------

PRIORITIES: Parts = {
    "rabbitmq": {"prefetch": 1, "queue": {"x-queue-type": "classic", "x-max-priority": 10}},
    "rpc": {"open-requests": 1_000_000, "discipline": "priority"},
    "monolith": {"threads": 1, "discipline": "priority"},
}


def priorities(arrivals: dict[str, float], rate: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Cobham: who is served next has the highest priority; nobody is interrupted."""
    total = sum(arrivals.values())
    producers = {name: {"publishes": "OrderPlaced", "arrivals": f"poisson {one}/s", "priority": 9 - number}
                 for number, (name, one) in enumerate(arrivals.items())}

    def build(size: int) -> Scenario:
        span = lasting(size, total, 3 * WARM_UPS * relaxation_s(total, rate))
        services = {"payment": {"handles": "OrderPlaced", "work": f"exponential {1 / rate}s"}}
        return Scenario.from_dict({"duration": span["duration"], "warm-up": span["warm_up"], "drain": "48h",
                                   "wire": "none", "client": {"timeout": "none"}, "architectures": PRIORITIES,
                                   "producers": producers, "services": services})

    def read(run: Run) -> Numbers:
        found: dict[str, Any] = {}
        for name in arrivals:
            latency = run.summary().completion_latency_of(name)
            found |= {f"{name} sojourns": float(latency.sum()), f"{name} done": float(len(latency))}
        return found

    exact = dict(zip(arrivals, formulas.priorities(list(arrivals.values()), rate), strict=True))
    quantities = tuple(
        Quantity(f"W_{name}", value, Statistical(0.02), quotient(f"{name} sojourns", f"{name} done"), f"W_{name}")
        for name, value in exact.items())
    return by_shop(build, tuple(PRIORITIES), read, quantities, *sizes)


# --- processor sharing ----------------------------------------------------------------------------------------------


def shared(arrivals: float, mean_s: float, works: Sequence[str], sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """One core shared by all threads: the mean sojourn hangs on the mean work alone."""
    trials: list[Trial] = []
    sojourn = 1 / (1 / mean_s - arrivals)
    for work in works:
        payment = {"work": work, "workers": "unlimited", "cores": 1}
        built: Parts = {"monolith": {"threads": "unlimited", "cores": 1}, "rpc": {"open-requests": 1_000_000}}

        def build(size: int, payment: Parts = payment, built: Parts = built) -> Scenario:
            return shop(f"poisson {arrivals}/s", {"payment": payment}, architectures=built,
                        **lasting(size, arrivals, WARM_UPS * relaxation_s(arrivals, 1 / mean_s)))

        quantities = (Quantity(f"W, {work}", sojourn, Statistical(0.01), SOJOURN, "W"),)
        trials += by_shop(build, CALLED, lambda run: orders_sums(run.summary()), quantities, *sizes)
    return tuple(trials)


CASES = (
    Case("A19", unlimited(50.0, 0.2, 20, (1_700_000, 8_000))),
    Case("A20", priorities({"high": 0.2, "low": 0.6}, 1.0, (14_000, 3_000))),
    Case("A23", shared(3.0, 0.2, ("exponential 200ms", "200ms"), (10_000, 2_500))),
)
