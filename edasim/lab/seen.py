"""What the panels show of one run: curves on a common grid, latencies, how the orders ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edasim.measure.steps import Floats
from edasim.simulate import Run
from edasim.study.observation import grid_step_s
from edasim.study.words import display, listed, seconds_short, subject, summed_up

_FEW = 5


@dataclass(frozen=True)
class Seen:
    """One run as its panels show it: times and ages in seconds, latencies in ascending order.

    `backlog` adds up the services, `stale` is the age of the oldest order that any service lacks, `torn` counts the
    half-done orders, all at `times_s`. `bands` are (name, start, end) of the faults.
    """

    architecture: str
    answer: str
    times_s: Floats
    backlog: Floats
    stale: Floats
    torn: Floats
    answered_s: Floats
    done_s: Floats
    outcomes: dict[str, int]
    twice: int
    torn_peak: int
    bands: tuple[tuple[str, float, float], ...]


def see(run: Run) -> Seen:
    """Measure what the panels need of a run."""
    summary = run.summary()
    services = list(run.scenario.services)
    step_s = grid_step_s(run.scenario)
    times_s: Floats = np.arange(math.floor(run.end_ns / 1e9 / step_s) + 2) * step_s
    stale = [summary.staleness(name, times_s) for name in services]
    return Seen(
        architecture=run.architecture,
        answer=summary.answer,
        times_s=times_s,
        backlog=np.sum([summary.backlog(name).at(times_s) for name in services], axis=0),
        stale=np.max(stale, axis=0),
        torn=summary.torn().at(times_s),
        answered_s=np.sort(summary.waiting_s),
        done_s=np.sort(summary.completion_latency_s),
        outcomes=summary.outcomes,
        twice=sum(summary.orders.duplicated_effects(name) for name in services),
        torn_peak=summary.torn_peak,
        bands=tuple(summary.fault_bands),
    )


def told(seen: Sequence[Seen]) -> str:
    """The result of runs of one scenario in one sentence: who was turned away, and what the others paid."""
    if not seen:
        return "Choose an architecture."
    bands = summed_up(list(dict.fromkeys(name for one in seen for name, _, _ in one.bands)), " faults")
    placed = seen[0].outcomes["placed"]
    refusing = [one for one in seen if one.outcomes["refused"]]
    kept = [one for one in seen if not one.outcomes["refused"]]
    parts = []
    if refusing:
        first, *others = refusing
        counts = [f"{subject(first.architecture)} turned {first.outcomes['refused']:,} of {placed:,} customers away"]
        parts.append(listed([*counts, *(f"{subject(one.architecture)} {one.outcomes['refused']:,}" for one in others)]))
    if kept:
        all_of = "all" if refusing else f"all {placed:,} customers"
        parts.append(f"{listed(subject(one.architecture) for one in kept)} kept {all_of}{_price(kept)}")
    text = "; ".join(parts)
    lead = f"{bands}: " if bands else ""
    return f"{lead}{text}"[:1].upper() + f"{lead}{text}"[1:]


def _price(kept: Sequence[Seen]) -> str:
    """What those who kept all orders paid: lost, half done, late."""
    lost = max(kept, key=lambda one: one.outcomes["lost"])
    if lost.outcomes["lost"]:
        return f", but {display(lost.architecture)} lost {lost.outcomes['lost']:,}"
    torn = max(kept, key=lambda one: one.torn_peak)
    stale = max(kept, key=lambda one: float(one.stale.max(initial=0.0)))
    age_s = float(stale.stale.max(initial=0.0))
    if torn.torn_peak <= _FEW and age_s < 1:
        return ""
    return f", with up to {torn.torn_peak:,} half done and views up to {seconds_short(age_s)} old"
