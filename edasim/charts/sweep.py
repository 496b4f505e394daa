"""Charts of a sweep: lines with error bands over one knob, heat maps over two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from edasim.charts.heat_map import heat_maps
from edasim.charts.marks import Label, label_ends, title
from edasim.charts.metric import knob_label, mean_words, number_text, tick_text
from edasim.charts.saving import save_figure
from edasim.charts.style import QUIET, axes, look, picture, styled
from edasim.study.knob import Axis
from edasim.study.metrics import in_seconds, metric_words, short_path
from edasim.study.swept import Sweep
from edasim.study.words import display

_MOST_TICKS = 12
_WIDE_RANGE = 50.0
Band = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Mean, lower and upper end at each point."""


def sweep_figure(sweep: Sweep, metric: str) -> Figure:
    """Lines over one knob; a heat map for each architecture over two; more knobs stand at their first values."""
    if len(sweep.axes) == 1:
        figure: Figure = picture()
        with styled():
            sweep_lines(sweep, metric, ax=figure.add_subplot())
    else:
        figure = heat_maps(sweep, metric)
    if not sweep.complete:
        figure.text(0.995, 0.005, sweep.shortfall, ha="right", va="bottom", fontsize="small", color=QUIET)
    return figure


def save_sweep_charts(sweep: Sweep, folder: Path) -> list[Path]:
    """A chart for each metric, PNG and SVG, as `sweep-METRIC`."""
    files = []
    for metric in sweep.metrics:
        name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in metric)
        files += save_figure(sweep_figure(sweep, metric), folder / f"sweep-{name}")
    return files


def sweep_lines(sweep: Sweep, metric: str, ax: Axes | None = None) -> Axes:
    """A line for each architecture over the values of the first knob, with its interval as a band.

    Where orders are never done there is no number: the line breaks off, and a triangle at the top says so.
    """
    with styled():
        ax = axes(ax)
        knob, numbers = sweep.axes[0], np.array(sweep.axes[0].numbers)
        means = {name: _means(sweep, name, metric) for name in sweep.architectures}
        _scale(ax, list(means.values()), metric)
        for name, (mean, low, high) in means.items():
            looks = look(name)
            ax.plot(numbers, mean, color=looks.colour, linestyle=looks.dashes, linewidth=looks.width,
                    marker=looks.marker, markersize=6)
            ax.fill_between(numbers, low, high, color=looks.colour, alpha=0.18, linewidth=0)
            never = numbers[~np.isfinite(mean)]
            ax.plot(never, np.full(len(never), 0.985), transform=ax.get_xaxis_transform(), linestyle="none", marker="^",
                    color=looks.colour, markersize=9, clip_on=False)
        _knob_ticks(ax, knob)
        ax.set_ylabel((mean_words(metric) if sweep.replications > 1 else metric_words(metric))
                      + (" (logarithmic)" if ax.get_yscale() == "log" else ""))
        title(ax, _seen(sweep, metric))
        label_ends(ax, _end_labels(ax, numbers, means))
    return ax


def _means(sweep: Sweep, name: str, metric: str) -> Band:
    """Mean and both ends at each point; NaN where there is none."""
    rows = []
    for point in range(len(sweep.points)):
        found = sweep.interval(point, name, metric)
        known = found is not None and found.known
        rows.append((found.mean, found.low, found.high) if found is not None and known else (math.nan,) * 3)
    mean, low, high = np.array(rows).T
    return mean, np.where(np.isnan(low), mean, low), np.where(np.isnan(high), mean, high)


def _scale(ax: Axes, means: Sequence[Band], metric: str) -> None:
    """Times over a wide range on a logarithmic scale; everything else from 0."""
    seen = np.concatenate([values for many in means for values in many])
    seen = seen[np.isfinite(seen)]
    if in_seconds(metric) and len(seen) and seen.min() > 0 and seen.max() > _WIDE_RANGE * seen.min():
        ax.set_yscale("log")
        ax.set_ylim(seen.min() / 1.3, seen.max() * 1.5)
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_ylim(0, 1.08 * max(seen.max(initial=0.0), 1e-12) if seen.max(initial=0.0) > 0 else 1.0)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value, metric)))


def _knob_ticks(ax: Axes, knob: Axis) -> None:
    every = math.ceil(len(knob.values) / _MOST_TICKS)
    ax.set_xticks(knob.numbers[::every], knob.texts[::every])
    longest = max(len(text) for text in knob.texts)
    if longest * len(knob.texts[::every]) > 70:
        ax.tick_params(axis="x", labelrotation=30)
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
    ax.set_xlabel(knob_label(knob))


def _end_labels(ax: Axes, numbers: np.ndarray, means: dict[str, Band]) -> list[Label]:
    top = ax.get_ylim()[1]
    labels = []
    for name, (mean, *_) in means.items():
        last = float(mean[-1])
        text = display(name) if math.isfinite(last) else f"{display(name)}: never"
        labels.append(Label(float(numbers[-1]), last if math.isfinite(last) else top, text, name))
    return labels


def _seen(sweep: Sweep, metric: str) -> str:
    knob, last = sweep.axes[0], len(sweep.points) - 1
    told = [
        f"{display(name)} {_short(sweep, 0, name, metric)} to {_short(sweep, last, name, metric)}"
        for name in sweep.architectures
    ]
    way = f"{short_path(knob.path)} from {knob.texts[0]} to {knob.texts[-1]}"
    return f"{metric_words(metric)}, {way}: {', '.join(told)}"


def _short(sweep: Sweep, point: int, name: str, metric: str) -> str:
    found = sweep.interval(point, name, metric)
    if found is None:
        return "–"
    return number_text(found.mean, metric) if found.known else "never"
