"""Heat maps: a sweep over two knobs, a panel for each architecture, with the numbers in the cells."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from edasim.charts.marks import wrapped
from edasim.charts.metric import knob_label, number_text, tick_text
from edasim.charts.style import look, picture, styled, text_colour
from edasim.study.metrics import metric_words, short_path
from edasim.study.swept import Sweep
from edasim.study.words import display

COLOURS = "cividis"
"""Made for eyes that do not tell red from green (Nunez, Anderton and Renslow 2018): it grows lighter all the way."""
_NEVER = "#E4E4E4"
_WIDEST = 16.0
_LETTERS_PER_INCH = 8
_DARK = 0.55


def heat_maps(sweep: Sweep, metric: str) -> Figure:
    """A panel for each architecture, all in the same colours; the first knob upwards, the second to the right.

    Further knobs stand at their first values, and the title says so. What never came is grey.
    """
    up, across = (len(axis.values) for axis in sweep.axes[:2])
    columns = min(2, len(sweep.architectures))
    rows = math.ceil(len(sweep.architectures) / columns)
    size = (min(_WIDEST, max(6.5, columns * (1.6 + 0.85 * across) + 1.2)), min(_WIDEST, rows * (1.4 + 0.5 * up) + 0.9))
    figure = picture(*size)
    fields = {name: _field(sweep, metric, name) for name in sweep.architectures}
    limits = _limits(list(fields.values()))
    with styled():
        panels = [
            _panel(figure.add_subplot(rows, columns, place), sweep, (metric, name), field, limits)
            for place, (name, field) in enumerate(fields.items(), 1)
        ]
        shades = mpl.cm.ScalarMappable(limits, COLOURS)
        bar = figure.colorbar(shades, ax=panels, aspect=30, pad=0.02)
        bar.ax.yaxis.set_major_formatter(lambda value, _: tick_text(value, metric))
        bar.set_label(metric_words(metric))
        bar.outline.set_visible(False)
        words = "\n".join(line for text in _title(sweep, metric)
                          for line in wrapped(text, int(size[0] * _LETTERS_PER_INCH)))
        figure.suptitle(words, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    return figure


def _field(sweep: Sweep, metric: str, name: str) -> np.ndarray[Any, Any]:
    """The mean at each pair of values; infinite for never, NaN where no run was finished."""
    places = {point: number for number, point in enumerate(sweep.points)}
    up, across = (len(axis.values) for axis in sweep.axes[:2])
    rest = (0,) * (len(sweep.axes) - 2)
    field = np.full((up, across), math.nan)
    for row in range(up):
        for column in range(across):
            found = sweep.interval(places[row, column, *rest], name, metric)
            field[row, column] = math.nan if found is None else found.mean
    return field


def _limits(fields: list[np.ndarray[Any, Any]]) -> Normalize:
    seen = np.concatenate([field[np.isfinite(field)] for field in fields])
    low, high = float(seen.min(initial=math.inf)), float(seen.max(initial=-math.inf))
    return Normalize(low, high) if low < high else Normalize(0.0, max(1.0, high if math.isfinite(high) else 1.0))


def _panel(ax: Axes, sweep: Sweep, what: tuple[str, str], field: np.ndarray[Any, Any], limits: Normalize) -> Axes:
    metric, name = what
    colours: Colormap = mpl.colormaps[COLOURS].with_extremes(bad=_NEVER)
    ax.imshow(np.ma.masked_invalid(field), cmap=colours, norm=limits, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(field):
        text = "–" if math.isnan(value) else "never" if math.isinf(value) else number_text(float(value), metric)
        dark = math.isfinite(value) and limits(value) < _DARK
        ax.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    first, second = sweep.axes[:2]
    ax.set_yticks(range(len(first.texts)), first.texts)
    ax.set_xticks(range(len(second.texts)), second.texts)
    if sum(map(len, second.texts)) > 9 * len(second.texts):
        ax.tick_params(axis="x", labelrotation=30)
    ax.set_ylabel(knob_label(first))
    ax.set_xlabel(knob_label(second))
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_title(display(name), color=text_colour(look(name).colour), pad=6)
    return ax


def _title(sweep: Sweep, metric: str) -> list[str]:
    first, second, *others = sweep.axes
    text = f"{metric_words(metric)}, by {short_path(first.path)} and {short_path(second.path)}"
    text = text[:1].upper() + text[1:] + (", means" if sweep.replications > 1 else "")
    fixed = ", ".join(f"{short_path(axis.path)} at {axis.texts[0]}" for axis in others)
    return [text, f"Here {fixed}; the table has its other values."] if others else [text]
