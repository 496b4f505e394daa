"""Clients that contend for one row: the AWS simulator of optimistic concurrency, on this package's clock and retry
policy.  Law D11.

Source: aws-samples/aws-arch-backoff-simulator, src/backoff_simulator.py, whose rules are told here in other words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from edasim.core.draws import SequentialDraw
from edasim.core.quantiles import normal_quantile
from edasim.core.world import World
from edasim.scenario.retry_policy import Retry
from edasim.services.retry import RetryPolicy
from edasim.study.validate.case import Case, Numbers, Quantity, Trial
from edasim.study.validate.rules import Meets, Relative

MS = 1_000_000
POLICIES = {
    # The first retry waits 2 x base there; decorrelated jitter begins at the base.
    "none": {"backoff": "none", "jitter": "none"},
    "expo": {"backoff": "exponential 10ms x2 max 2000ms", "jitter": "none"},
    "equal": {"backoff": "exponential 10ms x2 max 2000ms", "jitter": "equal"},
    "full": {"backoff": "exponential 10ms x2 max 2000ms", "jitter": "full"},
    "decorr": {"backoff": "exponential 5ms x2 max 2000ms", "jitter": "decorrelated"},
}
"""By the names of the published figures."""


class Row:
    """What all want to change; a write succeeds if nobody has written since it was read."""

    def __init__(self) -> None:
        self.version = 0
        self.writes = 0

    def write(self, seen: int) -> bool:
        """Whether it was written."""
        self.writes += 1
        fine = seen == self.version
        self.version += fine
        return fine


class Writer:
    """Reads the row and writes it if it is as read, until that succeeds; every hop takes |N(mean, sd)|."""

    def __init__(self, world: World, row: Row, policy: RetryPolicy, hop_ns: Callable[[], int]) -> None:
        self._clock, self._row, self._policy, self._hop_ns = world.clock, row, policy, hop_ns
        self._failures = self._last_wait_ns = 0
        self.done_ns = -1
        self._read(0)

    def _after(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._clock.at(self._clock.now_ns + delay_ns, action)

    def _read(self, wait_ns: int) -> None:
        self._after(wait_ns + self._hop_ns(), lambda: self._replied(self._row.version))

    def _replied(self, version: int) -> None:
        self._after(self._hop_ns() + self._hop_ns(), lambda: self._write(version))

    def _write(self, version: int) -> None:
        fine = self._row.write(version)
        self._after(self._hop_ns(), self._succeeded if fine else self._failed)

    def _succeeded(self) -> None:
        self.done_ns = self._clock.now_ns

    def _failed(self) -> None:
        self._failures += 1
        self._last_wait_ns = self._policy.wait_ns(self._failures, self._last_wait_ns)
        self._read(self._last_wait_ns)


def contend(clients: int, spec: dict[str, str], mean_ms: float, deviation_ms: float, seed: int) -> tuple[int, float]:
    """(writes tried, milliseconds until all are done)."""
    world = World(seed)
    policy = RetryPolicy(world, "row", Retry.model_validate({"attempts": "unlimited", **spec}))
    hops: SequentialDraw = world.draws.sequential("hop", "row", normal_quantile)

    def hop_ns() -> int:
        deviate: float = hops.draw()
        return round(abs(mean_ms + deviation_ms * deviate) * MS)

    row = Row()
    writers = [Writer(world, row, policy, hop_ns) for _ in range(clients)]
    while min(writer.done_ns for writer in writers) < 0:
        world.clock.advance(world.clock.now_ns + 60_000 * MS)
    return row.writes, max(writer.done_ns for writer in writers) / MS


def contention(clients: int, calls: dict[str, float], times_ms: dict[str, float], runs: int) -> tuple[Trial, ...]:
    """Near the published figures, and in their order: who backs off with jitter works least."""

    def sample(seed: int, size: int) -> Numbers:
        found: dict[str, float] = {}
        for name, spec in POLICIES.items():
            means = np.mean([contend(clients, spec, 10, 2, seed + number) for number in range(size)], axis=0)
            found[f"calls {name}"], found[f"time {name}"] = float(means[0]), float(means[1])
        return found

    quantities = [Quantity(f"calls {name}", value, Relative(0.03), published=f"calls.{name}")
                  for name, value in calls.items()]
    quantities += [Quantity(f"time {name}", value, Relative(0.05), published=f"time_ms.{name}")
                   for name, value in times_ms.items()]
    for what, expected in (("calls", calls), ("time", times_ms)):
        ranks = sorted(expected, key=expected.__getitem__)

        def in_order(means: Mapping[str, Any], what: str = what, ranks: list[str] = ranks) -> float:
            found = [means[f"{what} {name}"] for name in ranks]
            return float(all(one < other for one, other in pairwise(found)))

        rule = Meets(lambda estimate: estimate.value == 1.0, "in the published order: " + " < ".join(ranks))
        quantities.append(Quantity(f"{what}, order of the policies", 1.0, rule, in_order))
    said = f"{clients} clients, {runs} x size runs: a script on the engine's Clock, Draws and RetryPolicy"
    return (Trial("script", sample, tuple(quantities), 4, 1, runs, said=said),)


CALLS = {"none": 2417.0, "expo": 1860.0, "equal": 811.0, "full": 796.0, "decorr": 1003.0}
TIMES_MS = {"none": 2022.0, "expo": 63921.0, "equal": 6488.0, "full": 4896.0, "decorr": 4580.0}
CASES = (Case("D11", contention(100, CALLS, TIMES_MS, 100)),)
