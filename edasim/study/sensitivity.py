"""Sensitivity: which knob matters most, each moved alone to its low and its high end on common random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edasim.core.quantity import QuantityError, share, show_share
from edasim.scenario.document import scalar
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.compare import chosen_architectures
from edasim.study.executors import executor_for
from edasim.study.knob import Kind, measured, span
from edasim.study.metrics import check_metrics
from edasim.study.point import at_point
from edasim.study.runs import Progress, Runs, check_size
from edasim.study.tasks import RunTask, scenario_text
from edasim.study.weighed import Effect, Sensitivity

METRIC = "completion_latency_s.p99"
SPREAD = "20%"
Knobs = Mapping[str, str | None] | Iterable[str]
"""Paths, with their spans where they are given."""
Tasks = Mapping[tuple[str, tuple[str, ...]], list[RunTask]]
"""The runs by architecture and point: () as it is, (path, value) with one knob moved."""


@dataclass(frozen=True)
class _Ends:
    """A knob's path with the texts of its value now and of both ends."""

    path: str
    now: str
    low: str
    high: str


class SensitivityInterrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; `found` has the knobs that were finished, or is None where there are none."""

    def __init__(self, found: Sensitivity | None) -> None:
        super().__init__("interrupted")
        self.found = found


def sensitivity(  # noqa: PLR0913 - a study has that many sides
    scenario: Scenario,
    knobs: Knobs | None = None,
    architectures: Sequence[str] | str | None = None,
    metric: str = METRIC,
    replications: int = 10,
    seed: int = 1,
    *,
    spread: str | None = None,
    workers: int | None = None,
    dask: str | None = None,
    allow_large: bool = False,
    progress: Progress | None = None,
) -> Sensitivity:
    """Move each knob alone to its low and its high end, and weigh what that does to a metric.

    `knobs` are the scenario's own unless paths are named, alone or with spans (`{"retry.attempts": "1 .. 9"}`). A path
    without a span goes 20% below and above its value now; with a `spread` such as `10%` every knob does so. Differences
    are paired with the scenario as it is, on the same orders and draws.

    Raises `ScenarioError`, `UnknownMetric`, `StudyTooLarge`, `WorkerError`, what `simulate` raises, and
    `SensitivityInterrupted` after Ctrl-C.
    """
    named = [architectures] if isinstance(architectures, str) else architectures
    chosen = chosen_architectures(scenario, named)
    wanted = check_metrics(scenario, [metric])
    if replications < 2:
        raise ValueError(f"{replications} replications are too few to tell an effect from luck: at least 2 are needed")
    ends = _ends(scenario, knobs, spread)
    points: dict[tuple[str, ...], Scenario] = {(): at_point(scenario, {}, allow_large)}
    for one in ends:
        for text in (one.low, one.high):
            points[one.path, text] = at_point(scenario, {one.path: scalar(text)}, allow_large)
    check_size(list(points.values()), replications * len(chosen), allow_large)
    runs = Runs(wanted, seed, executor_for(workers, dask))
    tasks = {
        (name, key): [runs.task(text, name, number) for number in range(replications)]
        for key, text in ((key, scenario_text(point)) for key, point in points.items())
        for name in chosen
    }

    asked = replications, len(ends)
    try:
        runs.do([task for many in tasks.values() for task in many], progress)
    except KeyboardInterrupt:
        effects = _effects(runs, tasks, ends, chosen)
        partly = Sensitivity(scenario, metric, seed, effects, asked) if any(effects.values()) else None
        raise SensitivityInterrupted(partly) from None
    return Sensitivity(scenario, metric, seed, _effects(runs, tasks, ends, chosen), asked)


def _effects(runs: Runs, tasks: Tasks, ends: Sequence[_Ends], architectures: Sequence[str]) -> dict[str, list[Effect]]:
    """The effect of each knob, by architecture, as far as all three of its points were finished."""
    metric = runs.metrics[0]
    effects: dict[str, list[Effect]] = {name: [] for name in architectures}
    for name, found in effects.items():
        for one in ends:
            three = [tasks[name, key] for key in ((one.path, one.low), (), (one.path, one.high))]
            if all(task in runs.known for many in three for task in many):
                low, now, high = (tuple(runs.values(many, metric)) for many in three)
                found.append(Effect(one.path, (one.low, one.now, one.high), low, now, high))
    return effects


def _ends(scenario: Scenario, knobs: Knobs | None, spread: str | None) -> list[_Ends]:
    part = _part(spread or SPREAD)
    given = knobs if isinstance(knobs, Mapping) else {}
    spans: dict[str, str | None] = {}
    for path in scenario.knobs if knobs is None else dict.fromkeys(knobs):
        own = scenario.knobs.get(path)
        own_span = f"{own.low} .. {own.high}" if own is not None and spread is None else None
        spans[path] = given.get(path) or own_span
    if not spans:
        raise ScenarioError([Problem("the scenario has none: name paths to move", "knobs")])
    return [_span_of(scenario, path, text, part) for path, text in spans.items()]


def _span_of(scenario: Scenario, path: str, text: str | None, part: float) -> _Ends:
    if text is not None:
        kind, low, high = span(path, text)
        now = _now(scenario, path)
    else:
        kind, number = measured(scenario, path)
        if not number:
            stands = "none" if number is None else kind.show(number)
            same = f"it stands at {stands}, and {show_share(part)} above and below that is the same"
            cure = f"give both ends, as in {path}=LOW .. HIGH, or name the other knobs"
            raise ScenarioError([Problem(f"{same}: {cure}", path)])
        now = kind.show(number)
        low, high = _around(kind, number, part)
    return _Ends(path, now, kind.show(low), kind.show(high))


def _around(kind: Kind, number: float, part: float) -> tuple[float, float]:
    """So much below and above; what is counted moves by one at least, and stays at one at least."""
    low, high = number * (1 - part), min(kind.most, number * (1 + part))
    if kind.grain and kind.unit != "s":
        return max(1.0, math.floor(low)), float(math.ceil(high))
    return kind.tidy(low), kind.tidy(high)


def _now(scenario: Scenario, path: str) -> str:
    try:
        kind, number = measured(scenario, path)
    except ScenarioError:
        return "as it is"
    return "as it is" if number is None else kind.show(number)


def _part(text: str) -> float:
    try:
        part = share(text)
    except QuantityError as error:
        raise ScenarioError([Problem(str(error), "spread")]) from None
    if not 0 < part < 1:
        raise ScenarioError([Problem(f'"{text}" is no spread: write it as 20%', "spread")])
    return part
