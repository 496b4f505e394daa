"""How long it takes: until the customer has an answer, and until the order is done."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from edasim.charts.marks import architecture_ticks, title
from edasim.charts.style import INK, QUIET, axes, look, styled
from edasim.charts.subject import comparison_of
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.precision import Interval
from edasim.study.words import display, seconds_short, seconds_text

PERCENTILES = {"p50": "o", "p95": "D", "p99": "s"}
_HALF_LETTER = 0.0062
_LEFT = 0.31
_WORDS = {"p50": "half of them", "p95": "95 of 100", "p99": "99 of 100"}


def accept_latency(*subjects: Run | Comparison, ax: Axes | None = None) -> Axes:
    """From placed to a yes, of the accepted orders: p50, p95 and p99, with what a yes means."""
    comparison = comparison_of(subjects)
    with styled():
        ax = percentiles(comparison, "accept_latency_s", axes(ax))
        title(ax, _seen(comparison, "accept_latency_s", "got their yes"), pad=24)
        ax.set_xlabel("from placed to a yes, of accepted orders")
    return ax


def completion_latency(*subjects: Run | Comparison, ax: Axes | None = None) -> Axes:
    """From placed to the last required effect, of the accepted orders: p50, p95 and p99."""
    comparison = comparison_of(subjects)
    with styled():
        ax = percentiles(comparison, "completion_latency_s", axes(ax), answers=False)
        title(ax, _seen(comparison, "completion_latency_s", "were done"), pad=24)
        ax.set_xlabel("from placed to done, of accepted orders (refused ones are not here)")
    return ax


def _seen(comparison: Comparison, path: str, what: str) -> str:
    """The highest percentile that all have, in words."""
    percentile = comparison.percentile_known(comparison.architectures, path)
    ends = {name: comparison.interval(name, f"{path}.{percentile}").mean for name in comparison.architectures}
    told = ", ".join(
        f"{seconds_short(end_s)} ({display(name)})" for name, end_s in ends.items() if math.isfinite(end_s)
    )
    who = {"p50": "half of the", "p95": "95 of 100", "p99": "99 of 100"}[percentile]
    return f"{who} accepted orders {what} within {told}" if told else f"most accepted orders never {what}"


def percentiles(comparison: Comparison, path: str, ax: Axes, answers: bool = True) -> Axes:
    """A row for each architecture, its percentiles on a logarithmic axis; what never ends is an arrow to the right."""
    with styled():
        frame(ax, comparison, path, tuple(PERCENTILES), (0.5, 4.0))
        labels = [f"{display(name)}\nanswer = {comparison.first(name).answer}" for name in comparison.architectures]
        architecture_ticks(ax, comparison, labels if answers else [display(name) for name in comparison.architectures])
        for row, name in enumerate(comparison.architectures):
            found = {percentile: comparison.interval(name, f"{path}.{percentile}") for percentile in PERCENTILES}
            ends = _row(ax, row, look(comparison.first(name).architecture).colour, found)
            text = "   ".join(
                f"{percentile} {comparison.seconds(name, f'{path}.{percentile}')}" for percentile in found
            )
            _write_below(ax, row, ends, text)
    return ax


def waits(comparison: Comparison, ax: Axes) -> Axes:
    """What customers wait until any answer, p50 and p99, in little room: the numbers stand beside their markers."""
    with styled():
        frame(ax, comparison, "waiting_s", ("p50", "p99"), (1.0, 16.0))
        _make_room_left(ax)
        labels = [f"{display(name)}: answer = {comparison.first(name).answer}" for name in comparison.architectures]
        architecture_ticks(ax, comparison, labels)
        for row, name in enumerate(comparison.architectures):
            found = {percentile: comparison.interval(name, f"waiting_s.{percentile}") for percentile in ("p50", "p99")}
            _row(ax, row, look(comparison.first(name).architecture).colour, found)
            for one, offset, side in zip(found.values(), (-9, 9), ("right", "left"), strict=True):
                if one.known and one.mean > 0:
                    # Beside the error bar, if there is one; its lower end may be 0, which this axis does not have.
                    end = one.high if side == "left" else max(one.low, 0.7 * one.mean)
                    ax.annotate(
                        seconds_text(one),
                        (one.mean if math.isnan(end) else end, row),
                        xytext=(offset, 0),
                        textcoords="offset points",
                        ha=side,
                        va="center",
                        fontsize="small",
                        color=INK,
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                        zorder=4,
                    )
    return ax


def frame(ax: Axes, comparison: Comparison, path: str, which: tuple[str, ...], margins: tuple[float, float]) -> None:
    """A logarithmic axis of times that holds all finite percentiles, with a key to the markers above it."""
    ax.set_xscale("log")
    known = [comparison.interval(name, f"{path}.{one}").mean for name in comparison.architectures for one in which]
    finite = [value for value in known if 0 < value < math.inf]
    ax.set_xlim(min(finite, default=0.001) * margins[0], max(finite, default=1.0) * margins[1])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_short(value).replace(".0 ", " ")))
    ax.xaxis.set_minor_formatter(NullFormatter())
    handles = [
        Line2D([], [], color=QUIET, marker=PERCENTILES[one], linestyle="", label=f"{one}: {_WORDS[one]}")
        for one in which
    ]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), fontsize="small")


def _make_room_left(ax: Axes) -> None:
    """The axis begins so far left of what it was to hold that a number with its error bar has room there."""
    low, high = ax.get_xlim()
    ax.set_xlim(low * (low / high) ** (_LEFT / (1 - _LEFT)), high)


def _row(ax: Axes, row: int, colour: str, found: dict[str, Interval]) -> list[float]:
    """The markers of one architecture with their error bars; returns where they stand."""
    ends = [one.mean for one in found.values() if one.known and one.mean > 0]
    if ends:
        ax.plot([min(ends), max(ends)], [row, row], color=colour, linewidth=5, alpha=0.3, solid_capstyle="round")
    for percentile, one in found.items():
        if one.known and one.mean > 0:
            half = 0.0 if math.isnan(one.half) else one.high - one.mean
            ax.errorbar(
                one.mean,
                row,
                xerr=[[min(half, 0.99 * one.mean)], [half]],
                fmt=PERCENTILES[percentile],
                color=colour,
                ecolor=INK,
                elinewidth=1.4,
                capsize=4,
                markersize=7.5,
                zorder=3,
            )
    if ends and len(ends) < len(found):
        ax.annotate(
            "",
            (1.0, row),
            (ends[-1], row),
            xycoords=ax.get_yaxis_transform(),
            textcoords="data",
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.5},
        )
    return ends


def _write_below(ax: Axes, row: int, ends: list[float], text: str) -> None:
    """The numbers under their markers, inside the axes."""
    low, high = (math.log(edge) for edge in ax.get_xlim())
    middle = sum(math.log(end) for end in (min(ends), max(ends))) / 2 if ends else high
    across = (middle - low) / (high - low)
    reach = _HALF_LETTER * len(text)
    across = min(max(across, reach), 1 - reach)
    ax.annotate(
        text,
        (across, row),
        xycoords=ax.get_yaxis_transform(),
        xytext=(0, -9),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize="small",
        color=INK,
    )
