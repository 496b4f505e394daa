"""Marks that several charts make: the bands of faults, curves with their error, labels where lines are."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from edasim.charts.style import FAULT, QUIET, inches, look, text_colour
from edasim.study.comparison import Comparison
from edasim.study.focus import span_s, spike_windows
from edasim.study.words import capitalised, summed_up

_HALF_LETTER = 0.006
_POINTS_PER_INCH = 72
_UNBROKEN = "\N{NO-BREAK SPACE}"
_INSIDE_NUMBER = re.compile(r"(?<=\d) (?=±|(?:µs|ms|s|min|h)\b)|(?<=±) (?=\d)")


@dataclass(frozen=True)
class Label:
    """A text that belongs to the point (x, y), in data units, in an architecture's colour."""

    x: float
    y: float
    text: str
    architecture: str


def bands_of(comparison: Comparison) -> list[tuple[str, float, float]]:
    """(name, start, end) in s of what happened: faults as they held in the first replication, and spikes of orders.

    What happened in the very same time is one band.
    """
    spikes = [
        (f"{text.split(' ')[0]} orders", start_s, end_s) for start_s, end_s, text in spike_windows(comparison.scenario)
    ]
    written = [fault.words for fault in comparison.scenario.faults.values()]
    faults = sorted(
        (band for name in comparison.architectures for band in comparison.first(name).bands),
        key=lambda band: written.index(band[0]) if band[0] in written else len(written),
    )
    names: dict[tuple[float, float], list[str]] = {}
    for text, start_s, end_s in (*faults, *spikes):
        known = names.setdefault((start_s, end_s), [])
        if text not in known:
            known.append(text)
    return [(summed_up(texts, " faults"), *span) for span, texts in sorted(names.items())]


def draw_bands(ax: Axes, comparison: Comparison) -> None:
    """Shade each fault's time and name it above the axes, as near to its middle as the name before leaves room;
    not twice, and not where there is none.
    """
    named: set[str] = set()
    free_from = -math.inf
    for text, start_s, end_s in bands_of(comparison):
        ax.axvspan(start_s, end_s, color=FAULT, alpha=0.22, linewidth=0, zorder=0)
        left, right = ax.get_xlim()
        reach = _HALF_LETTER * len(text) * abs(right - left)
        middle = (start_s + end_s) / 2
        if middle - reach < free_from:
            middle = free_from + reach
            if middle > end_s or middle + reach > right:
                continue
        if text in named:
            continue
        named.add(text)
        free_from = middle + reach
        ax.annotate(
            text,
            (middle, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize="small",
            color=QUIET,
            annotation_clip=False,
        )


def draw_curves(ax: Axes, comparison: Comparison, curve: str) -> float:
    """A line for each architecture with its interval as a band; returns until when anything moves, in s.

    Where nothing ever does, it is until when orders are placed.
    """
    last_s = 0.0
    for name in comparison.architectures:
        times_s, mean, half = comparison.curve(name, curve)
        looks = look(comparison.first(name).architecture)
        above = 4 if looks.dashes != "solid" else 3  # so that the line beneath shows through the dashes
        ax.plot(times_s, mean, color=looks.colour, linestyle=looks.dashes, linewidth=looks.width, zorder=above)
        ax.fill_between(times_s, np.maximum(mean - half, 0), mean + half, color=looks.colour, alpha=0.18, linewidth=0)
        moving = np.flatnonzero(np.abs(np.diff(mean)) > 1e-9)
        last_s = max(last_s, float(times_s[moving[-1] + 1]) if len(moving) else 0.0)
    return last_s or span_s(comparison.scenario)


def label_ends(ax: Axes, labels: Sequence[Label]) -> None:
    """Write each label right of the axes at the height of its point, moved apart where they would touch."""
    _write(ax, labels, 1.015, None)


def label_peaks(ax: Axes, labels: Sequence[Label]) -> None:
    """The same, with a thin line from each label to its point."""
    _write(ax, labels, 1.015, {"arrowstyle": "-", "linewidth": 0.7, "alpha": 0.6, "shrinkB": 2, "relpos": (0, 0.5)})


def _write(ax: Axes, labels: Sequence[Label], left: float, arrow: dict[str, Any] | None) -> None:
    ordered = sorted(labels, key=lambda label: label.y)
    lines = 1 + max((label.text.count("\n") for label in ordered), default=0)
    heights = spread([_fraction(ax, label.x, label.y)[1] for label in ordered], lines * _line_height(ax))
    for label, height in zip(ordered, heights, strict=True):
        colour = text_colour(look(label.architecture).colour)
        ax.annotate(
            label.text,
            (label.x, label.y),
            xytext=(left, height),
            textcoords="axes fraction",
            ha="left",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
            arrowprops=arrow and {**arrow, "color": colour},
        )


def _line_height(ax: Axes) -> float:
    """The height of a line of text in fractions of the axes."""
    height = ax.get_position().height * inches(ax)[1]
    return 1.3 * float(mpl.rcParams["font.size"]) / _POINTS_PER_INCH / float(height)


def _fraction(ax: Axes, x: float, y: float) -> tuple[float, float]:
    """A point of the data in fractions of the axes."""
    across, up = ax.transAxes.inverted().transform(ax.transData.transform((x, y)))
    return float(across), float(up)


def spread(heights: Sequence[float], gap: float, low: float = 0.02, high: float = 0.98) -> list[float]:
    """Ascending heights moved apart to `gap`, each crowd around its own middle, then all into the limits."""
    crowds: list[list[float]] = []
    for height in heights:
        crowds.append([height])
        while len(crowds) > 1 and _bottom(crowds[-1], gap) - _top(crowds[-2], gap) < gap:
            crowds[-2:] = [[*crowds[-2], *crowds[-1]]]
    placed = [_bottom(crowd, gap) + number * gap for crowd in crowds for number in range(len(crowd))]
    ceiling = high
    for number in reversed(range(len(placed))):
        placed[number] = min(placed[number], ceiling)
        ceiling = placed[number] - gap
    for number in range(len(placed)):
        placed[number] = max(placed[number], low + number * gap)
    return placed


def _bottom(crowd: list[float], gap: float) -> float:
    return sum(crowd) / len(crowd) - gap * (len(crowd) - 1) / 2


def _top(crowd: list[float], gap: float) -> float:
    return _bottom(crowd, gap) + gap * (len(crowd) - 1)


def title(ax: Axes, text: str, pad: float | None = None) -> None:
    """A title that says what is seen, broken into lines that the figure has room for."""
    columns = max(20, int(7.9 * inches(ax)[0]))
    ax.set_title("\n".join(wrapped(capitalised(text), columns)), pad=pad, x=0.0)


def wrapped(text: str, columns: int) -> list[str]:
    """The lines of a text; a number stays with its error bar and its unit."""
    kept = _INSIDE_NUMBER.sub(_UNBROKEN, text)
    return [line.replace(_UNBROKEN, " ") for line in textwrap.wrap(kept, columns)]


def architecture_ticks(ax: Axes, comparison: Comparison, texts: Sequence[str]) -> None:
    """A row for each architecture, its text in its colour, the first one on top."""
    ax.set_yticks(range(len(texts)), texts)
    for tick, name in zip(ax.get_yticklabels(), comparison.architectures, strict=True):
        tick.set_color(text_colour(look(comparison.first(name).architecture).colour))
        tick.set_fontweight("bold")
    ax.set_ylim(len(texts) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
