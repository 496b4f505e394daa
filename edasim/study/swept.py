"""What a sweep found: a number for each point, architecture, replication and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edasim.scenario.value import Scenario
from edasim.study.comparison import interval_node
from edasim.study.knob import Axis
from edasim.study.precision import Interval, interval
from edasim.study.runs import Runs
from edasim.study.tasks import RunTask
from edasim.version import __version__

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from edasim.study.table import PrintedTable


class Sweep:
    """`axes` are the knobs with their values, `tasks` the runs by (place of the point, architecture)."""

    def __init__(
        self, scenario: Scenario, axes: tuple[Axis, ...], runs: Runs, tasks: Mapping[tuple[int, str], list[RunTask]]
    ) -> None:
        self.scenario = scenario
        self.axes = axes
        self.seed = runs.seed
        self.metrics = runs.metrics
        self._runs = runs
        self._tasks = tasks

    @property
    def architectures(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(dict.fromkeys(name for _, name in self._tasks))

    @property
    def replications(self) -> int:
        """How many were asked for."""
        return len(next(iter(self._tasks.values())))

    @property
    def runs(self) -> tuple[int, int]:
        """(Runs finished, runs in all)."""
        tasks = [task for many in self._tasks.values() for task in many]
        return sum(task in self._runs.known for task in tasks), len(tasks)

    @property
    def complete(self) -> bool:
        """Whether all runs were finished."""
        finished, wanted = self.runs
        return finished == wanted

    @property
    def shortfall(self) -> str:
        """`incomplete: 12 of 40 runs` after an interruption, else empty; whatever is shown or saved says it."""
        finished, wanted = self.runs
        return "" if finished == wanted else f"incomplete: {finished} of {wanted} runs"

    @cached_property
    def points(self) -> list[tuple[int, ...]]:
        """For each point the places of its values on the axes, the last axis moving fastest."""
        points: list[tuple[int, ...]] = [()]
        for one in self.axes:
            points = [(*before, place) for before in points for place in range(len(one.values))]
        return points

    def texts(self, point: int) -> dict[str, str]:
        """The values of a point as a file writes them, by path."""
        places = self.points[point]
        return {one.path: one.texts[place] for one, place in zip(self.axes, places, strict=True)}

    def values(self, point: int, architecture: str, metric: str) -> list[float]:
        """A metric in each replication that was finished."""
        return self._runs.values(self._tasks[point, architecture], metric)

    def interval(self, point: int, architecture: str, metric: str) -> Interval | None:
        """Its mean with its interval; nothing measured is below 0. None where no replication was finished."""
        values = self.values(point, architecture, metric)
        return interval(values).not_below(0.0) if values else None

    def rows(self) -> Iterator[tuple[int, str, int, RunTask, tuple[float, ...]]]:
        """(point, architecture, replication, task, numbers) of each finished run, in the order of the grid."""
        for (point, name), tasks in self._tasks.items():
            for replication, task in enumerate(tasks):
                if task in self._runs.known:
                    yield point, name, replication, task, self._runs.known[task]

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints: the same for the same study, byte for byte."""
        points = [
            {"values": self.texts(point), "architectures": {name: self._node(point, name)
                                                            for name in self.architectures}}
            for point in range(len(self.points))
        ]
        head = {"scenario": self.scenario.title, "seed": self.seed, "version": __version__,
                "replications": self.replications}
        return {**head, **({} if self.complete else {"incomplete": True}), "knobs": {
            one.path: list(one.texts) for one in self.axes}, "metrics": list(self.metrics), "points": points}

    def _node(self, point: int, name: str) -> dict[str, Any]:
        found = {metric: self.interval(point, name, metric) for metric in self.metrics}
        return {metric: interval_node(one) if one is not None else None for metric, one in found.items()}

    # --- for people -------------------------------------------------------------------------------------------

    def table(self) -> PrintedTable:
        """A row for each point, a column for each architecture, with error bars, metric by metric."""
        from edasim.study.sweep_table import sweep_table

        return sweep_table(self)

    def chart(self, metric: str | None = None) -> Figure:
        """Lines with error bands over one knob, or a heat map over two; the first metric unless one is named."""
        from edasim.charts.sweep import sweep_figure

        return sweep_figure(self, metric or self.metrics[0])

    def frame(self) -> pandas.DataFrame:
        """A row for each run, with a column for each knob and metric."""
        import pandas

        from edasim.study.sweep_files import columns

        return pandas.DataFrame({name: list(cells) for name, cells in columns(self).items()})

    def save(self, folder: str | Path) -> list[Path]:
        """Write the tidy table (CSV, and Parquet where pyarrow is there), its description and charts to a folder."""
        from edasim.charts.sweep import save_sweep_charts
        from edasim.study.sweep_files import save_tables

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        return [*save_tables(self, place), *save_sweep_charts(self, place)]

    def __str__(self) -> str:
        return str(self.table())
