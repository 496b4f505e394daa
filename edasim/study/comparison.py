"""A comparison: what several architectures made of the same orders, with how sure that is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edasim.core.files import write_whole
from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.focus import Focus, focus
from edasim.study.observation import Floats, Observation
from edasim.study.precision import CONFIDENCE, Difference, Interval, difference, interval, student_t
from edasim.study.until_precise import Precision
from edasim.study.words import display, seconds_text
from edasim.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edasim.measure.journey import Journeys
    from edasim.study.table import PrintedTable
    from edasim.study.theory.beside import Theory
    from edasim.study.turning import Turning

_DIGITS = 10


class Comparison:
    """`observations` by architecture, one for each replication; `runs` are those of the first replication.

    `asked` is the number of replications that were wanted; with fewer the comparison is incomplete. `precision` is
    what was asked for, if anything was.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        asked: int,
        observations: Mapping[str, list[Observation]],
        runs: Mapping[str, Run],
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.asked = asked
        self.observations = observations
        self.runs = runs
        self.precision: Precision | None = None

    @property
    def architectures(self) -> tuple[str, ...]:
        """Their names; differences are against the first."""
        return tuple(self.observations)

    @property
    def replications(self) -> int:
        """How many were finished."""
        return min(map(len, self.observations.values()))

    @property
    def complete(self) -> bool:
        """Whether all were finished that were asked for."""
        return self.replications == self.asked

    @property
    def shortfall(self) -> str:
        """`incomplete: 3 of 10 replications` after an interruption, else empty; whatever is shown or saved says it."""
        return "" if self.complete else f"incomplete: {self.replications} of {self.asked} replications"

    @cached_property
    def focus(self) -> Focus:
        """The part of the run that the story is about."""
        return focus(self.scenario)

    def first(self, architecture: str) -> Observation:
        """The observation of the first replication."""
        return self.observations[architecture][0]

    # --- numbers ----------------------------------------------------------------------------------------------

    def values(self, architecture: str, path: str) -> list[float]:
        """A number in each replication, by a dotted path such as `orders.refused` or `waiting_s.p99`."""
        return [observation.number(path) for observation in self.observations[architecture]]

    def interval(self, architecture: str, path: str) -> Interval:
        """Its mean over the replications with its interval; nothing that is measured can be below 0."""
        return interval(self.values(architecture, path)).not_below(0.0)

    def difference(self, architecture: str, path: str, base: str | None = None) -> Difference:
        """How much more the architecture has than `base` (the first one), paired by replication."""
        return difference(self.values(architecture, path), self.values(base or self.architectures[0], path))

    def seconds(self, architecture: str, path: str) -> str:
        """A time as text with its error bar; `never in 1 of 10` when some replications have no such time."""
        found = self.interval(architecture, path)
        never = sum(not math.isfinite(value) for value in self.values(architecture, path))
        return seconds_text(found) if not never or never == found.n else f"never in {never} of {found.n}"

    def percentile_known(self, architectures: Iterable[str], path: str) -> str:
        """The highest of p99, p95 and p50 that all these architectures have in all replications; p50 if none."""
        names = list(architectures)
        for percentile in ("p99", "p95"):
            if all(self.interval(name, f"{path}.{percentile}").known for name in names):
                return percentile
        return "p50"

    def most(self, architectures: Iterable[str], path: str) -> tuple[str, str]:
        """Of these, the one with the most of something, and ` (Kafka)` when it must be said because they differ."""
        names = list(architectures)
        worst = max(names, key=lambda name: self.interval(name, path).mean)
        others = [name for name in names if self.values(name, path) != self.values(worst, path)]
        if self.replications > 1:
            others = [name for name in others if self.difference(name, path, worst).sign]
        return worst, f" ({display(worst)})" if others else ""

    def curve(self, architecture: str, name: str) -> tuple[Floats, Floats, Floats]:
        """(times in s, mean, half the width of the interval) of a curve; the half is 0 with one replication."""
        found = self.observations[architecture]
        points = max(len(one.curves[name]) for many in self.observations.values() for one in many)
        rows: Floats = np.array([observation.curve(name, points) for observation in found])
        times_s: Floats = np.arange(points) * found[0].step_s
        if len(rows) == 1:
            return times_s, rows[0], np.zeros(points)
        factor = student_t(0.5 + CONFIDENCE / 2, len(rows) - 1) / math.sqrt(len(rows))
        half: Floats = factor * rows.std(axis=0, ddof=1)
        return times_s, rows.mean(axis=0), half

    def rises(self, architecture: str, curve: str, by: float) -> bool:
        """Whether a curve clearly exceeds, from the focus on, all that it was before: twice that and `by` more."""
        view = self.focus
        times_s, mean, _ = self.curve(architecture, curve)
        before = float(mean[times_s < view.start_s].max(initial=0.0))
        return not view.whole and float(mean[times_s >= view.start_s].max(initial=0.0)) > 2 * before + by

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints: the same for the same scenario and seed, byte for byte."""
        nodes = {
            name: _gathered([observation.numbers for observation in found]) for name, found in self.observations.items()
        }
        head = {
            "scenario": self.scenario.title,
            "seed": self.seed,
            "version": __version__,
            "replications": self.replications,
        }
        incomplete = {} if self.complete else {"incomplete": True}
        return {**head, **incomplete, **self._precision_node(), "architectures": nodes}

    def _precision_node(self) -> dict[str, Any]:
        if self.precision is None:
            return {}
        wanted, reached = self.precision, self.precision.reached(self.observations)
        return {"precision": {"of": wanted.metric, "wanted": wanted.text, "reached": reached}}

    def differences(self) -> dict[str, Any]:
        """Paired differences of all numbers against the first architecture, with what the common draws saved."""
        base = self.architectures[0]
        paths = list(number_paths(self.first(base).numbers))
        return {
            "against": base,
            **({} if self.complete else {"incomplete": True}),
            "architectures": {
                name: {path: difference_node(self.difference(name, path)) for path in paths}
                for name in self.architectures[1:]
            },
        }

    # --- for people -------------------------------------------------------------------------------------------

    @cached_property
    def turning(self) -> Turning | None:
        """What would turn the result, tried out in one further run; not for an incomplete one."""
        from edasim.study.turning import find_turning

        return find_turning(self) if self.complete else None

    def theory(self) -> Theory:
        """What queueing theory says of it, beside what was measured; `print` shows it."""
        return self._theory

    @cached_property
    def _theory(self) -> Theory:
        from edasim.study.theory.beside import Theory

        return Theory(self)

    def table(self) -> PrintedTable:
        """The numbers side by side, with error bars and paired differences; `print` shows it."""
        from edasim.study.table import comparison_table

        return comparison_table(self)

    def verdict(self) -> str:
        """What they mean, in three to five sentences."""
        from edasim.study.verdict import verdict

        return verdict(self)

    def chart(self) -> Figure:
        """The chart for a slide."""
        from edasim.charts.slide import slide

        return slide(self)

    def journey(self, order: str | int) -> Journeys:
        """One order (`order-17` or 17) in each architecture, in the first replication; ValueError when not placed."""
        from edasim.measure.journey import Journeys

        return Journeys({name: run.journey(order) for name, run in self.runs.items()})

    def __str__(self) -> str:
        return f"{self.table()}\n\n{self.verdict()}"

    def report(self, path: str | Path, progress: Callable[[int, int], None] | None = None) -> Path:
        """Write all there is to say to one HTML file that needs no network and no other file; returns its path.

        `progress` is called with (pictures drawn, pictures in all), first with 0.
        """
        from edasim.report.writing import write_report

        return write_report(self, path, progress)

    def save(self, folder: str | Path, progress: Callable[[int, int], None] | None = None) -> list[Path]:
        """Write numbers, differences, theory, verdict, scenario and all charts (PNG and SVG) to a folder.

        Each is written whole or not at all; the first that cannot be written raises NotWritten.
        `progress` is called with (charts drawn, charts in all), first with 0 when all but the charts is written.
        Returns the files.
        """
        from edasim.charts.saving import charts_of, save_charts
        from edasim.scenario.writing import to_yaml

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        texts = {
            "comparison.json": json_text(self.as_dict()),
            "differences.json": json_text(self.differences()),
            "theory.json": json_text(self.theory().as_dict()),
            "verdict.txt": self.verdict() + "\n",
            "scenario.yml": to_yaml(self.scenario),
        }
        for name, text in texts.items():
            write_whole(place / name, text)
        if progress:
            progress(0, len(charts_of(self)) + 1)
        return [*(place / name for name in texts), *save_charts(self, place, progress)]


def json_text(data: Mapping[str, Any]) -> str:
    """JSON with the keys in their order; infinite and missing numbers must be None by now."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _gathered(nodes: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Nodes of one shape into one: each number becomes its mean with both ends, unless there is one node only."""
    gathered: dict[str, Any] = {}
    for key, value in nodes[0].items():
        values = [node[key] for node in nodes]
        if isinstance(value, Mapping):
            gathered[key] = _gathered(values)
        elif isinstance(value, str):
            gathered[key] = value
        elif len(nodes) == 1:
            gathered[key] = _rounded(value)
        else:
            finite = [math.inf if value is None else float(value) for value in values]
            gathered[key] = interval_node(interval(finite).not_below(0.0))
    return gathered


def interval_node(found: Interval) -> dict[str, float | None]:
    """An interval as `--json` prints it."""
    return {"mean": _rounded(found.mean), "low": _rounded(found.low), "high": _rounded(found.high)}


def difference_node(found: Difference) -> dict[str, float | None]:
    """A paired difference as JSON, with what the common draws saved."""
    return {**interval_node(found.interval), "variance_reduction": _rounded(found.variance_reduction)}


def _rounded(value: float | None) -> float | int | None:
    """Ten digits: more than anybody reads, and fewer than where two machines may differ."""
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def number_paths(node: Mapping[str, Any], before: str = "") -> list[str]:
    """The dotted paths of all numbers in a node."""
    found = []
    for key, value in node.items():
        if isinstance(value, Mapping):
            found += number_paths(value, f"{before}{key}.")
        elif not isinstance(value, str):
            found.append(before + key)
    return found
