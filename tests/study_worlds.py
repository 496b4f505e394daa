"""A small shop with an outage for the tests of studies, charts and commands, and comparisons made up by hand."""

from functools import cache
from typing import Any

import numpy as np

from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.study.compare import compare
from edasim.study.comparison import Comparison
from edasim.study.observation import Observation

SMALL = """
title: A small shop
duration: 8s
warm-up: 1s
producers:
  checkout: {publishes: OrderPlaced, arrivals: poisson 40/s, key: customer, keys: uniform over 50}
services:
  inventory: {handles: OrderPlaced, workers: 2, work: 10ms}
  payment: {handles: OrderPlaced, workers: 3, work: exponential 30ms, poison: 1%}
client: {timeout: 1s}
faults:
  outage: {unavailable: payment, at: 3.1s, for: 2s}
architectures:
  monolith: {}
  rpc: {}
  kafka: {topic: {partitions: 6}}
  rabbitmq: {}
"""


@cache
def small_shop() -> Scenario:
    """Payment is unavailable for two of eight seconds, and customers wait for one."""
    return load(SMALL)


@cache
def small_comparison(replications: int = 3, seed: int = 7) -> Comparison:
    """The small shop in all four architectures; the same object for all tests."""
    return compare(small_shop(), replications=replications, seed=seed)


NUMBERS: dict[str, Any] = {
    "orders": {
        "placed": 400, "accepted": 400, "refused": 0, "done": 400, "parked": 0, "lost": 0, "pending": 0, "regretted": 0,
    },
    "torn_peak": 0,
    "orphan_effects": 0,
    "accept_latency_s": {"mean": 0.1, "p50": 0.1, "p95": 0.2, "p99": 0.3, "n": 400},
    "completion_latency_s": {"mean": 0.1, "p50": 0.1, "p95": 0.2, "p99": 0.3, "n": 400},
    "services": {"payment": {"dead_lettered": 0, "backlog_max": 0.0, "staleness_s": {"mean": 0.0, "max": 0.0}}},
    "conservation": "ok",
}  # fmt: skip
FURTHER: dict[str, Any] = {
    "waiting_s": {"mean": 0.1, "p50": 0.1, "p95": 0.2, "p99": 0.3, "n": 400},
    "operations": {"parts": 2},
    "left": 0,
    "dead_lettered": 0,
    "duplicated_effects": 0,
    "backlog_max": 0.0,
    "staleness_max_s": 0.0,
    "catch_up_s": 0.0,
    "focus": {"placed": 80, "refused": 0, "done": 80, "parked": 0, "lost": 0, "pending": 0},
}


def observed(architecture: str, **numbers: float | None) -> Observation:
    """A made-up run; `orders__refused=3` sets the number at orders.refused."""
    import copy

    trees = copy.deepcopy(NUMBERS), copy.deepcopy(FURTHER)
    for name, value in numbers.items():
        *steps, last = name.split("__")
        tree = trees[0] if steps[:1] != ["focus"] and (name.split("__")[0] in NUMBERS) else trees[1]
        for step in steps:
            tree = tree[step]
        tree[last] = value
    return Observation(
        architecture=architecture,
        seed=1,
        answer="done" if architecture in ("monolith", "rpc") else "received",
        capacity={"payment": 3},
        not_applicable=(),
        bands=(("payment down", 3.1, 5.1),),
        numbers=trees[0],
        further=trees[1],
        step_s=1.0,
        curves={
            "completed": np.arange(8.0),
            "torn": np.array([0, 0, 0, 0, 1, 1, 0, 0]) * float(trees[0]["torn_peak"]),
            **{f"{what} {service}": np.zeros(8)
               for what in ("backlog", "staleness") for service in ("inventory", "payment")},
        },
        fates=np.array([2, 1], np.int8),
    )


def made_up(observations: dict[str, list[Observation]], **settings: object) -> Comparison:
    """A comparison of made-up runs of the small shop."""
    scenario = small_shop().change(settings) if settings else small_shop()
    return Comparison(scenario, 1, len(next(iter(observations.values()))), observations, {})
