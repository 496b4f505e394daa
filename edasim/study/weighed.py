"""What a sensitivity study found: the effect of each knob on a metric, the largest first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edasim.core.files import write_whole
from edasim.scenario.value import Scenario
from edasim.study.comparison import difference_node, interval_node, json_text
from edasim.study.metrics import in_seconds, metric_words, short_path
from edasim.study.precision import Difference, Interval, difference, interval
from edasim.study.words import count_text, display, seconds_text
from edasim.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edasim.study.table import PrintedTable


@dataclass(frozen=True)
class Effect:
    """One knob: its texts at the low end, now, and at the high end, and the metric in each replication there."""

    path: str
    texts: tuple[str, str, str]
    at_low: tuple[float, ...]
    now: tuple[float, ...]
    at_high: tuple[float, ...]

    @cached_property
    def low(self) -> Difference:
        """Moved to the low end, against now, paired by replication."""
        return difference(self.at_low, self.now)

    @cached_property
    def high(self) -> Difference:
        """Moved to the high end, against now, paired by replication."""
        return difference(self.at_high, self.now)

    @property
    def size(self) -> float:
        """The larger of both effects, whatever its sign; infinite where an end has no such number."""
        return max(abs(one.interval.mean) for one in (self.low, self.high))

    def end(self, values: tuple[float, ...]) -> Interval:
        """The metric at an end."""
        return interval(values).not_below(0.0)


class Sensitivity:
    """The effects by architecture, the largest first; `asked` is (replications, knobs)."""

    def __init__(self, scenario: Scenario, metric: str, seed: int, effects: Mapping[str, list[Effect]],
                 asked: tuple[int, int]) -> None:
        self.scenario = scenario
        self.metric = metric
        self.seed = seed
        self.effects = {
            name: sorted(found, key=lambda one: one.size, reverse=True) for name, found in effects.items() if found
        }
        self.replications, self._knobs = asked
        self._asked = len(effects)

    @property
    def complete(self) -> bool:
        """Whether all knobs were weighed everywhere."""
        return len(self.effects) == self._asked and all(len(one) == self._knobs for one in self.effects.values())

    @property
    def shortfall(self) -> str:
        """`incomplete: 3 of 7 knobs` after an interruption, else empty."""
        least = min(map(len, self.effects.values())) if len(self.effects) == self._asked else 0
        return "" if self.complete else f"incomplete: {least} of {self._knobs} knobs everywhere"

    def text(self, found: Interval, sign: bool = False) -> str:
        """A value of the metric with its error bar and unit."""
        return seconds_text(found, sign) if in_seconds(self.metric) else count_text(found, sign)

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "scenario": self.scenario.title,
            "seed": self.seed,
            "version": __version__,
            "replications": self.replications,
            **({} if self.complete else {"incomplete": True}),
            "metric": self.metric,
            "architectures": {
                name: {"now": interval_node(found[0].end(found[0].now)), "knobs": [_node(one) for one in found]}
                for name, found in self.effects.items()
            },
        }

    def table(self) -> PrintedTable:
        """A row for each knob, the one that matters most on top."""
        from edasim.study.table import PrintedTable

        incomplete = "" if self.complete else f" ({self.shortfall})"
        table = PrintedTable(
            title=f"{self.scenario.title}: {metric_words(self.metric)}", caption_justify="left", caption=(
                f"Mean ± half of the 95% interval over n = {self.replications} replications{incomplete}, seed "
                f"{self.seed}.\nEffects are differences to now, paired on the same orders and draws; variance: what "
                "pairing took away of it, or added. Not told apart: the interval of the effect includes 0."))
        for text in ("", "knob", "low end", "effect", "high end", "effect", "variance"):
            table.add_column(text, justify="left" if text in ("", "knob") else "right")
        for name, found in self.effects.items():
            table.add_section()
            table.add_row(display(name), "(as it is)", "", self.text(found[0].end(found[0].now)), "", "", "")
            for one in found:
                table.add_row("", short_path(one.path), one.texts[0], self._effect(one.low), one.texts[2],
                              self._effect(one.high), _saved(one))
        return table

    def _effect(self, found: Difference) -> str:
        if not found.interval.known:
            return "never"
        if found.interval.low == found.interval.high == 0:
            return "none"
        return self.text(found.interval, sign=True) if found.sign else "not told apart"

    def chart(self, architecture: str | None = None) -> Figure:
        """The tornado of one architecture, the first unless one is named."""
        from edasim.charts.tornado import tornado_figure

        return tornado_figure(self, architecture or next(iter(self.effects)))

    def save(self, folder: str | Path) -> list[Path]:
        """Write sensitivity.json, the scenario and a tornado for each architecture to a folder; returns the files."""
        from edasim.charts.saving import save_figure
        from edasim.charts.tornado import tornado_figure
        from edasim.scenario.writing import to_yaml

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        files = [write_whole(place / "sensitivity.json", json_text(self.as_dict())),
                 write_whole(place / "scenario.yml", to_yaml(self.scenario))]
        for name in self.effects:
            files += save_figure(tornado_figure(self, name), place / f"sensitivity-{name}")
        return files

    def __str__(self) -> str:
        return str(self.table())


def _saved(one: Effect) -> str:
    """What pairing took away from the variance, at the low and the high end."""
    shares = [found.variance_reduction for found in (one.low, one.high)]
    return ", ".join("–" if math.isnan(share) else f"−{share:.0%}" if share >= 0 else f"+{-share:.0%}"
                     for share in shares)


def _node(one: Effect) -> dict[str, Any]:
    low, now, high = one.texts
    return {
        "path": one.path,
        "now": now,
        "low": {"value": low, **interval_node(one.end(one.at_low)), "difference": difference_node(one.low)},
        "high": {"value": high, **interval_node(one.end(one.at_high)), "difference": difference_node(one.high)},
    }
