"""How long a shop takes until it no longer shows that it began empty: the warm-up, by MSER-5 on pilot runs.

White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997) 323-334; on the
average of several replications as in Hoad, Robinson and Davies, Journal of the Operational Research Society 61 (2010)
1389-1403.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.core.quantity import SECOND_NS, show_duration
from edasim.scenario.reading import build
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict
from edasim.simulate import simulate
from edasim.study.compare import chosen_architectures
from edasim.study.executors import executor_for
from edasim.study.point import at_point
from edasim.study.tasks import read_scenario_text, scenario_text
from edasim.study.words import display

BATCH = 5
PILOTS = 10
_FEWEST_BATCHES = 10
_TENTH_NS = SECOND_NS // 10
Floats = NDArray[np.float64]


class PilotTask(NamedTuple):
    """A pilot run: the scenario as JSON text, the architecture, the seed."""

    scenario: str
    architecture: str
    seed: int


@dataclass(frozen=True)
class WarmUp:
    """The scenario with the warm-up that was found; `by_architecture` says in ns how long each would take.

    `settled` is false where the best place to cut was at the half of the run, beyond which nobody looks: then the run
    is too short to say, or it never settles.
    """

    scenario: Scenario
    by_architecture: dict[str, int]
    unsettled: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """Whether all architectures settle within the first half."""
        return not self.unsettled

    def sentence(self) -> str:
        """What was chosen, and from what."""
        each = ", ".join(f"{display(name)} {show_duration(found)}" for name, found in self.by_architecture.items())
        text = (
            f"Warm-up {show_duration(self.scenario.warm_up)}, by MSER-5 on {PILOTS} pilot runs without faults: {each}."
        )
        if self.unsettled:
            names = ", ".join(map(display, self.unsettled))
            text += f" Not settled in the first half of the run ({names}): make it longer, or its load smaller."
        return text


def find_warm_up(
    scenario: Scenario,
    architectures: Sequence[str] | str | None = None,
    seed: int = 1,
    *,
    workers: int | None = None,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WarmUp:
    """The scenario with a warm-up that is long enough for all these architectures, for the same orders count in all.

    The pilots have their own seeds, so that what is cut does not depend on what is then measured, and no faults or
    dated changes, which no warm-up is meant to take away.
    """
    named = [architectures] if isinstance(architectures, str) else architectures
    chosen = chosen_architectures(scenario, named)
    pilot = at_point(scenario, {"faults": None, "changes": None, "warm-up": "0s"}, allow_large=True)
    text = scenario_text(pilot)
    tasks = [PilotTask(text, name, _pilot_seed(seed, number)) for name in chosen for number in range(PILOTS)]
    finished = 0

    def count(place: int, _: object) -> None:
        nonlocal finished
        finished += 1
        if progress:
            progress(finished, len(tasks))

    series = executor_for(workers, dask).map(pilot_latencies, tasks, count)
    cuts = {name: _cut_ns(series[place * PILOTS : (place + 1) * PILOTS]) for place, name in enumerate(chosen)}
    longest_ns = max(cut for cut, _ in cuts.values())
    unsettled = tuple(name for name, (_, settled) in cuts.items() if not settled)
    rounded_ns = -(-longest_ns // _TENTH_NS) * _TENTH_NS
    warmed = build({**to_dict(scenario), "warm-up": show_duration(rounded_ns)}, allow_large=True)
    return WarmUp(warmed, {name: cut for name, (cut, _) in cuts.items()}, unsettled)


def mser(values: Sequence[float] | Floats, batch: int = BATCH) -> tuple[int, bool]:
    """(How many values to cut, whether the rest has settled): the place that minimises the marginal standard error.

    Of the means of `batch` values each, the d-th place has the error sum((y - mean)^2) / (n - d)^2 over the n - d that
    are left. At most half are cut; where the least is at the half itself, nothing has settled.
    """
    whole = len(values) // batch
    if whole < 2:
        return 0, False
    means: Floats = np.asarray(values[: whole * batch], np.float64).reshape(whole, batch).mean(axis=1)
    # From the end on: the sum of squares about the mean of each tail, without taking a difference of large squares.
    shifted = (means - means.mean())[::-1]
    left = np.arange(1, whole + 1)
    squares = np.cumsum(shifted**2) - np.cumsum(shifted) ** 2 / left
    errors = (np.maximum(squares, 0.0) / left**2)[::-1]
    half = whole // 2
    cut = int(np.argmin(errors[: half + 1]))
    return cut * batch, cut < half and whole >= _FEWEST_BATCHES


def pilot_latencies(task: PilotTask) -> tuple[tuple[float, float], ...]:
    """(When it was placed, how long until it was done or refused) of each order, in s, as they were placed."""
    orders = simulate(read_scenario_text(task.scenario), task.architecture, task.seed).summary().orders
    took = np.where(orders.accepted, orders.done_s, orders.answered_s) - orders.placed_s
    in_time = np.argsort(orders.placed_s, kind="stable")
    return tuple(zip(orders.placed_s[in_time].tolist(), took[in_time].tolist(), strict=True))


def _cut_ns(pilots: Sequence[Sequence[tuple[float, float]]]) -> tuple[int, bool]:
    """The cut, as a time, in the average over the pilots of the first, second, third ... order."""
    length = min(map(len, pilots))
    placed_s: Floats = np.array([[order[0] for order in pilot[:length]] for pilot in pilots]).mean(axis=0)
    took_s: Floats = np.array([[order[1] for order in pilot[:length]] for pilot in pilots])
    done = np.isfinite(took_s)
    number = done.sum(axis=0)
    known = number > 0
    if not known.any():
        return 0, False
    average = np.where(done, took_s, 0.0).sum(axis=0)[known] / number[known]
    cut, settled = mser(average)
    times_s = placed_s[known]
    return (math.ceil(times_s[cut] * SECOND_NS) if cut else 0), settled


def _pilot_seed(seed: int, number: int) -> int:
    digest = blake2b(f"{seed}\0pilot\0{number}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")
