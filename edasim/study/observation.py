"""What a study keeps of one run: its numbers, its curves on a common grid, the outcome of each order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.core.quantity import SECOND_NS
from edasim.measure.consistency import OldestAge, read_your_writes_violations
from edasim.measure.lag import stretches
from edasim.measure.orders import OUTCOMES
from edasim.measure.replication import StoreReading
from edasim.measure.steps import Steps
from edasim.measure.summary import LOOKS_AFTER_S, Summary, spread
from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.focus import Focus, fault_windows, focus, span_s, spike_windows

Floats = NDArray[np.floating[Any]]
GRID_POINTS = 300
_TIDY = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Observation:
    """One run, reduced.

    `numbers` is the architecture's node of `--json`; `further` has the same shape and holds what only tables, verdicts
    and charts use. `curves` are values at 0, 1, 2 ... times `step_s`, by name: completed, torn, open, `backlog NAME`,
    `staleness NAME`, `lag NAME`, `lag-age NAME`. `fates` are the outcomes (places in OUTCOMES) of the orders in the
    focus, as they were placed.
    """

    architecture: str
    seed: int
    answer: str
    capacity: Mapping[str, float]
    not_applicable: tuple[str, ...]
    bands: tuple[tuple[str, float, float], ...]
    numbers: Mapping[str, Any]
    further: Mapping[str, Any]
    step_s: float
    curves: Mapping[str, Floats]
    fates: NDArray[np.int8]

    def number(self, path: str) -> float:
        """The number at a dotted path such as `orders.refused`; infinite where there is none."""
        for tree in (self.numbers, self.further):
            value: Any = tree
            for step in path.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
            if value is not None:
                return float(value)
        return math.inf

    def curve(self, name: str, points: int) -> Floats:
        """A curve with so many points; after the end of the run it stays where it was."""
        values = self.curves[name]
        return np.concatenate([values, np.full(max(0, points - len(values)), values[-1])])[:points]


def observe(run: Run) -> Observation:
    """Measure a run and let go of its facts."""
    summary = run.summary()
    view = focus(run.scenario)
    step_s = grid_step_s(run.scenario)
    return Observation(
        architecture=run.architecture,
        seed=run.seed,
        answer=summary.answer,
        capacity=dict(run.capacity),
        not_applicable=tuple(summary.not_applicable),
        bands=tuple(summary.fault_bands),
        numbers=summary.as_dict(),
        further=_further(summary, view),
        step_s=step_s,
        curves=_curves(summary, step_s),
        fates=_fates(summary, view),
    )


def grid_step_s(scenario: Scenario) -> float:
    """The seconds between two points of a curve: about 300 while orders are placed, alike in all runs of a scenario."""
    rough = max(span_s(scenario), 1e-6) / GRID_POINTS
    power = 10.0 ** math.floor(math.log10(rough))
    return min((tidy * power for tidy in (*_TIDY, 10.0)), key=lambda tidy: abs(math.log(tidy / rough)))


def _curves(summary: Summary, step_s: float) -> dict[str, Floats]:
    run = summary.run
    grid_s: Floats = np.arange(math.floor(run.end_ns / SECOND_NS / step_s) + 2) * step_s
    curves = {
        "completed": summary.completed().at(grid_s),
        "torn": summary.torn().at(grid_s),
        "open": summary.open_orders().at(grid_s),
    }
    for name in run.scenario.services:
        curves[f"backlog {name}"] = summary.backlog(name).at(grid_s)
        curves[f"staleness {name}"] = summary.staleness(name, grid_s)
        settling = stretches(summary.reading, name)
        curves[f"lag {name}"] = Steps.counting(*settling).at(grid_s)
        curves[f"lag-age {name}"] = OldestAge(*settling).at(grid_s)
    return curves


def _further(summary: Summary, view: Focus) -> dict[str, Any]:
    services = summary.services
    catch_up_s = _catch_up_s(summary, view)
    converged_s = {name: max(summary.convergence_s(name), default=0.0) for name in services}
    return {
        "waiting_s": spread(summary.waiting_s),
        "operations": dict(summary.parts),
        "refusals": dict(summary.refusals),
        "left": summary.refusals.get("timeout", 0),
        "dead_lettered": sum(numbers.dead_lettered for numbers in services.values()),
        "duplicated_effects": sum(numbers.duplicated_effects for numbers in services.values()),
        "ordering_violations": sum(numbers.ordering_violations for numbers in services.values()),
        "backlog_max": max((numbers.backlog_max for numbers in services.values()), default=0.0),
        "staleness_max_s": max((numbers.staleness_max_s for numbers in services.values()), default=0.0),
        "attempts": sum(numbers.attempts for numbers in services.values()),
        "lag_max": max((numbers.lag_max for numbers in services.values()), default=0.0),
        "lag_age_max_s": max((numbers.lag_age_max_s for numbers in services.values()), default=0.0),
        "not_visible": sum(read_your_writes_violations(summary.orders, name, LOOKS_AFTER_S) for name in services),
        "waiting_mean": {name: _waiting_mean(summary, name) for name in services},
        "at_work_mean": {name: numbers.at_work for name, numbers in services.items()},
        "attempt_mean_s": {name: _mean(numbers.work_s) for name, numbers in services.items()},
        "convergence_s": converged_s,
        "back_to_normal_s": max(converged_s.values(), default=0.0),
        "catch_up_s": catch_up_s,
        "recovered": _recovered(summary, view, catch_up_s),
        "focus": _focus_counts(summary, view),
        "age_s": summary.age_s,
        "unread_partition_s": sum(group.unread_partition_s for group in summary.groups.values()),
        "rebalances": sum(group.rebalances for group in summary.groups.values()),
        "commits_refused": sum(group.commits_refused for group in summary.groups.values()),
        "groups": {name: _group_dict(summary, name) for name in services},
        "stores": {name: _store_dict(summary, store) for name, store in summary.stores.items()},
    }


def _group_dict(summary: Summary, service: str) -> dict[str, Any]:
    """What a consumer group was behind at most, in records and in seconds, and what its rebalances cost."""
    numbers = summary.services[service]
    return {"lag_max": numbers.lag_max, "lag_age_max_s": numbers.lag_age_max_s, **asdict(summary.groups[service])}


def _store_dict(summary: Summary, store: StoreReading) -> dict[str, Any]:
    """How stale replicas and reads were; `stale_share`: for which share of the time some replica lacked a write."""
    visible_s = store.visible_after_s
    return {
        "reads": int(store.read.sum()),
        "failed_reads": store.failed_reads,
        "consistent_at_once": float(store.t_visibility(np.zeros(1))[0]),
        "visible_after_s": spread(visible_s),
        "versions_behind": float(store.versions_behind.mean()) if len(visible_s) else 0.0,
        "write_latency_s": spread(store.write_latency_s),
        "read_latency_s": spread(store.read_latency_s),
        "convergence_s": spread(store.convergence_s),
        "stale_share": store.stale_share(summary.start_s, summary.end_s),
        "staleness_max_s": store.staleness().max(summary.start_s, summary.run.end_ns / SECOND_NS),
    }


def _mean(values: Floats) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _waiting_mean(summary: Summary, service: str) -> float:
    """How many messages of counted orders waited in a service's own queue on average, for Little's law."""
    return summary.service(service).waiting_number().mean(summary.start_s, summary.end_s)


def _catch_up_s(summary: Summary, view: Focus) -> float:
    """From the end of the focus until no more messages wait than at the worst moment of as long a time before it."""
    return 0.0 if view.whole else _back_after_s(summary, view.start_s, view.end_s)


def _back_after_s(summary: Summary, start_s: float, end_s: float) -> float:
    """From the end of a span until no more messages wait than at the worst moment of as long a time before it."""
    last_s = summary.run.end_ns / SECOND_NS
    before_s = max(summary.start_s, 2 * start_s - end_s)
    backlogs = [summary.backlog(name) for name in summary.run.scenario.services]
    times_s = np.unique(np.concatenate([[end_s], *(backlog.times_s for backlog in backlogs)]))
    waiting = np.sum([backlog.at(times_s) for backlog in backlogs], axis=0)
    usual = waiting[(times_s >= before_s) & (times_s < start_s)].max(initial=0.0)
    later = (times_s >= end_s) & (times_s <= last_s) & (waiting <= usual)
    return float(times_s[later][0] - end_s) if later.any() else math.inf


def _recovered(summary: Summary, view: Focus, catch_up_s: float) -> int:
    """Whether the system came back (1 or 0).

    After dated faults or spikes of orders: while orders were still placed, no more messages waited than before. Where
    nothing is dated: nothing was owed any more when the drain ended.
    """
    run = summary.run
    windows = [*fault_windows(run.scenario), *spike_windows(run.scenario)]
    if not windows:
        return int(run.quiet)
    start_s, end_s = min(window[0] for window in windows), max(window[1] for window in windows)
    same = not view.whole and (view.start_s, view.end_s) == (start_s, end_s)
    back_s = catch_up_s if same else _back_after_s(summary, start_s, end_s)
    return int(end_s + back_s <= summary.end_s)


def _in_focus(summary: Summary, view: Focus) -> NDArray[np.bool_]:
    placed_s = summary.orders.placed_s
    inside: NDArray[np.bool_] = summary.orders.counted
    return inside if view.whole else inside & (placed_s >= view.start_s) & (placed_s < view.end_s)


def _fates(summary: Summary, view: Focus) -> NDArray[np.int8]:
    inside = _in_focus(summary, view)
    order = np.argsort(summary.orders.placed_s[inside], kind="stable")
    fates: NDArray[np.int8] = summary.orders.outcome[inside][order]
    return fates


def _focus_counts(summary: Summary, view: Focus) -> dict[str, int]:
    outcome = summary.orders.outcome[_in_focus(summary, view)]
    counts = {name: int(np.sum(outcome == number)) for number, name in enumerate(OUTCOMES)}
    return {"placed": len(outcome), **counts}
