"""What became of the orders: as bars with numbers, and as one dot for each order."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from edasim.charts.marks import architecture_ticks, title
from edasim.charts.style import INK, OUTCOME_COLOURS, OUTCOME_WORDS, axes, inches, styled
from edasim.charts.subject import comparison_of
from edasim.measure.orders import OUTCOMES
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.words import count_text, display, listed, subject

_ORDER = ("done", "parked", "pending", "lost", "refused")
_WIDTH_OF_LETTER = 0.0125
MOST_DOTS = 600
_POINTS_PER_INCH = 72


def outcomes(*subjects: Run | Comparison, ax: Axes | None = None) -> Axes:
    """A bar for each architecture: how its orders ended, with error bars; they add up to the orders placed."""
    comparison = comparison_of(subjects)
    with styled():
        ax = axes(ax)
        placed = max(comparison.interval(name, "orders.placed").mean for name in comparison.architectures)
        for row, name in enumerate(comparison.architectures):
            _bar(ax, comparison, (row, name), placed)
        architecture_ticks(ax, comparison, [display(name) for name in comparison.architectures])
        ends = [_right_end(comparison, name) for name in comparison.architectures]
        ax.set_xlim(0, max(placed, *ends) * 1.02)
        ax.set_xlabel("orders placed after the warm-up")
        _legend(ax, comparison)
        title(ax, _seen(comparison), pad=30)
    return ax


def _right_end(comparison: Comparison, name: str) -> float:
    """Where the error bar of the orders done ends."""
    found = comparison.interval(name, "orders.done")
    return found.mean if math.isnan(found.high) else found.high


def dots(ax: Axes, comparison: Comparison, name: str) -> int:
    """One dot an order of the focus in the first replication, as they were placed; returns how many orders a dot is."""
    fates = comparison.first(name).fates
    each = math.ceil(len(fates) / MOST_DOTS) or 1
    shown = fates[::each]
    width, height = (float(side) for side in ax.get_position().size * np.array(inches(ax)))
    columns = _columns(len(shown), width / height)
    place = np.arange(len(shown))
    colours = [OUTCOME_COLOURS[OUTCOMES[fate]] for fate in shown.tolist()]
    diameter = 0.8 * width * _POINTS_PER_INCH / columns
    ax.scatter(place % columns, place // columns, s=diameter**2, c=colours, linewidths=0)
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(columns * height / width - 0.5, -0.5)
    ax.axis("off")
    return each


def _columns(number: int, ratio: float) -> int:
    """The fewest columns with which so many dots fit into a box of this width to height."""
    columns = max(1, math.floor(math.sqrt(number * ratio)))
    while math.ceil(number / columns) > columns / ratio:
        columns += 1
    return columns


def outcome_handles(names: list[str]) -> list[Patch]:
    """Legend entries for outcomes."""
    return [Patch(facecolor=OUTCOME_COLOURS[name], label=OUTCOME_WORDS[name]) for name in names]


def seen_outcomes(comparison: Comparison, prefix: str) -> list[str]:
    """The outcomes that occur, in the order in which they are drawn; `prefix` is `orders` or `focus`."""
    return [
        outcome
        for outcome in _ORDER
        if any(comparison.interval(name, f"{prefix}.{outcome}").mean > 0 for name in comparison.architectures)
    ]


def _bar(ax: Axes, comparison: Comparison, place: tuple[int, str], placed: float) -> None:
    row, name = place
    left, beside = 0.0, []
    for outcome in _ORDER:
        found = comparison.interval(name, f"orders.{outcome}")
        if not found.mean:
            continue
        ax.barh(row, found.mean, left=left, height=0.62, color=OUTCOME_COLOURS[outcome], linewidth=0)
        text = f"{count_text(found)} {OUTCOME_WORDS[outcome]}"
        if found.mean > _WIDTH_OF_LETTER * placed * len(text):
            ink = "white" if outcome == "refused" else INK
            ax.text(
                left + found.mean / 2,
                row,
                text,
                ha="center",
                va="center",
                color=ink,
                fontsize="small",
                fontweight="bold",
            )
        else:
            beside.append(text)
        if outcome == "done" and found.half > 0:
            ax.errorbar(left + found.mean, row + 0.38, xerr=found.half, color=INK, capsize=3, elinewidth=1.2)
        left += found.mean
    if beside:
        ax.text(left, row - 0.33, listed(beside), ha="right", va="bottom", fontsize="small", color=INK)


def _legend(ax: Axes, comparison: Comparison) -> None:
    handles = outcome_handles(seen_outcomes(comparison, "orders"))
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles), fontsize="small")


def _seen(comparison: Comparison) -> str:
    refused = {name: comparison.interval(name, "orders.refused") for name in comparison.architectures}
    refusing = [name for name in refused if refused[name].mean >= 0.5]
    if not refusing:
        return "Nobody is turned away"
    first, *others = refusing
    counts = [f"{subject(first)} turns {count_text(refused[first])} customers away"]
    counts += [f"{subject(name)} {count_text(refused[name])}" for name in others]
    rest = [name for name in refused if name not in refusing]
    return listed(counts) + (f"; {listed(map(subject, rest))} nobody" if rest else "")
