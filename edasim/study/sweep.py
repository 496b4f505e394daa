"""Sweep: a scenario at many points, each in several architectures and several times, on common random numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.compare import chosen_architectures
from edasim.study.executors import executor_for
from edasim.study.kept_runs import KeptRuns
from edasim.study.knob import Axis, axis
from edasim.study.metrics import check_metrics
from edasim.study.point import at_point
from edasim.study.runs import Progress, Runs, check_number, check_size
from edasim.study.swept import Sweep
from edasim.study.tasks import digest, scenario_text
from edasim.version import __version__

METRICS = ("orders.refused", "completion_latency_s.p99")


class SweepInterrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; `sweep` has the runs that were finished."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__("interrupted")
        self.sweep = sweep


def sweep(  # noqa: PLR0913 - a study has that many sides
    scenario: Scenario,
    knobs: Mapping[str, object] | Sequence[Axis],
    architectures: Sequence[str] | str | None = None,
    replications: int = 10,
    seed: int = 1,
    metrics: Sequence[str] | str = METRICS,
    *,
    workers: int | None = None,
    dask: str | None = None,
    folder: str | Path | None = None,
    allow_large: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Run a scenario at every combination of values of some knobs.

    `knobs` gives each path its values: a list (`["0%", "5%"]`, `[1, 2, 4]`) or a range (`"0% .. 20% in 5 steps"`).
    `metrics` are the numbers that are kept of each run, such as `orders.refused`. The runs are done in this process,
    in so many `workers`, or on the Dask cluster at the address `dask`, with the same results. With a `folder` each
    finished run is kept there at once, and a stopped sweep goes on where it was.

    Raises `ScenarioError` for a point that cannot be, `UnknownMetric`, `StudyTooLarge`, `KeptRunsError`, `WorkerError`,
    what `simulate` raises, and `SweepInterrupted` after Ctrl-C.
    """
    named = [architectures] if isinstance(architectures, str) else architectures
    chosen = chosen_architectures(scenario, named)
    wanted = check_metrics(scenario, [metrics] if isinstance(metrics, str) else metrics)
    axes = tuple(axis(path, given) for path, given in knobs.items()) if isinstance(knobs, Mapping) else tuple(knobs)
    if not axes:
        raise ScenarioError([Problem("there is none: name at least one, as in services.payment.fails=0%,5%", "knobs")])
    for place, one in enumerate(axes):
        if one.path in {other.path for other in axes[:place]}:
            raise ScenarioError([Problem("this knob is there twice: write all of its values in one list", one.path)])
    if replications < 1:
        raise ValueError(f"{replications} replications are too few: at least 1 is needed")
    points = _points(scenario, axes, len(chosen) * replications, allow_large)
    runs = Runs(wanted, seed, executor_for(workers, dask))
    tasks = {
        (place, name): [runs.task(text, name, number) for number in range(replications)]
        for place, text in enumerate(map(scenario_text, points))
        for name in chosen
    }
    if folder is not None:
        runs.kept = _kept(scenario, runs, Path(folder))
    found = Sweep(scenario, axes, runs, tasks)
    try:
        runs.do([task for many in tasks.values() for task in many], progress)
    except KeyboardInterrupt:
        raise SweepInterrupted(found) from None
    return found


def _points(scenario: Scenario, axes: Sequence[Axis], runs_each: int, allow_large: bool) -> list[Scenario]:
    """The scenario at each combination of values, the last knob moving fastest; raises when they are too many."""
    check_number(math.prod(len(one.values) for one in axes) * runs_each, allow_large)
    paths = [one.path for one in axes]
    points = []
    for values in itertools.product(*(one.values for one in axes)):
        points.append(at_point(scenario, dict(zip(paths, values, strict=True)), allow_large))
    check_size(points, runs_each, allow_large)
    return points


def _kept(scenario: Scenario, runs: Runs, folder: Path) -> KeptRuns:
    """The runs kept in a folder belong together when scenario, seed, metrics and version do; the grid may grow."""
    study = {
        "edasim": __version__,
        "scenario": digest(scenario_text(scenario)),
        "seed": str(runs.seed),
        "metrics": " ".join(runs.metrics),
    }
    folder.mkdir(parents=True, exist_ok=True)
    return KeptRuns(folder, study, len(runs.metrics))
