"""Theory beside the run: mean waits as measured, and as the closest textbook queue has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from edasim.charts.marks import title
from edasim.charts.style import INK, QUIET, axes, look, styled, text_colour
from edasim.charts.subject import comparison_of
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.theory.beside import Beside, Theory
from edasim.study.words import display, seconds_short

MOST_SERVICES = 5
_ORDERS = "orders, for a thread"
_SHORTEST_S = 1e-6


@dataclass(frozen=True)
class _Line:
    """A line of the chart: the heading of a group, or one row of it."""

    heading: str
    row: Beside | None = None


def theory(*subjects: Run | Comparison, ax: Axes | None = None) -> Axes:
    """The mean wait for each service in each architecture with its error bar, and a stroke where theory has it."""
    found = comparison_of(subjects).theory()
    with styled():
        ax = axes(ax)
        lines = _lines(found)
        low, high = _frame(ax, [line.row for line in lines if line.row is not None])
        for place, line in enumerate(lines):
            if line.row is None:
                ax.text(0.006, place, line.heading, transform=ax.get_yaxis_transform(), va="center", fontweight="bold",
                        fontsize="small", color=INK)
            else:
                _draw(ax, place, line.row, (low, high))
        _ticks(ax, found, lines)
        _key(ax, found)
        title(ax, _seen(found), pad=24)
        ax.set_xlabel("mean wait for a worker (logarithmic)")
    return ax


def _lines(found: Theory) -> list[_Line]:
    """The monolith's orders first, which wait once for all services, then each service with who has a queue for it."""
    comparison = found.comparison
    pooled = [name for name in comparison.architectures if comparison.first(name).architecture == "monolith"]
    others = [name for name in comparison.architectures if name not in pooled]
    services = _busiest(found)
    lines = [_Line(_ORDERS)] if pooled else []
    lines += [_Line("", found.row(name, services[0])) for name in pooled]
    for service in services if others else []:
        lines += [_Line(service), *(_Line("", found.row(name, service)) for name in others)]
    return lines


def _busiest(found: Theory) -> list[str]:
    """The services with the highest loads, in the order of the file."""
    names = list(found.comparison.scenario.services)
    loads = {name: max(row.prediction.load for row in found.rows if row.service == name) for name in names}
    kept = sorted(names, key=lambda name: -loads[name])[:MOST_SERVICES]
    return [name for name in names if name in kept]


def _frame(ax: Axes, rows: Sequence[Beside]) -> tuple[float, float]:
    """A logarithmic axis that holds what is measured and what theory says; returns its ends."""
    values = [value for row in rows for value in (row.wait.mean, row.wait.high, row.prediction.wait_s)]
    known = [value for value in values if _SHORTEST_S <= value < math.inf]
    low, high = min(known, default=1e-3) / 3, max(known, default=1.0) * 2
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_short(value).replace(".0 ", " ")))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return low, high


def _draw(ax: Axes, place: int, row: Beside, ends: tuple[float, float]) -> None:
    """What was measured as a marker with its error bar, what theory says as a stroke, or an arrow that has no end."""
    looks, (low, high) = look(_kind(row)), ends
    if row.wait.known:
        mean = max(row.wait.mean, low * 1.05)
        half = 0.0 if math.isnan(row.wait.half) else row.wait.half
        ax.errorbar(mean, place, xerr=[[min(half, 0.99 * mean)], [half]], fmt=looks.marker, color=looks.colour,
                    ecolor=looks.colour, elinewidth=1.6, capsize=3, markersize=6, zorder=3)
    wait_s = row.prediction.wait_s
    if math.isinf(wait_s):
        ax.annotate("", (high, place), (high / (high / low) ** 0.05, place),
                    arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.6})
    elif not math.isnan(wait_s):
        ax.plot([max(wait_s, low * 1.05)], [place], marker="|", color=INK, markersize=13, markeredgewidth=2.0, zorder=4)
    sign = "≠ " if row.differs else "= " if row.differs is False else ""
    ax.annotate(f"{sign}{row.prediction.model}{'' if row.prediction.exact else ' ≈'}", (1.0, place),
                xycoords=ax.get_yaxis_transform(), xytext=(6, 0), textcoords="offset points", va="center",
                fontsize="small", color=INK if row.differs else QUIET, annotation_clip=False)


def _kind(row: Beside) -> str:
    return row.architecture.split(" ")[0]


def _ticks(ax: Axes, found: Theory, lines: list[_Line]) -> None:
    places = [place for place, line in enumerate(lines) if line.row is not None]
    rows = [line.row for line in lines if line.row is not None]
    ax.set_yticks(places, [display(row.architecture) for row in rows], fontsize="small")
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set_color(text_colour(look(_kind(row)).colour))
        tick.set_fontweight("bold")
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)


def _key(ax: Axes, found: Theory) -> None:
    bar = "" if found.comparison.replications == 1 else ", 95% interval"
    handles = [
        Line2D([], [], color=QUIET, marker="o", linestyle="", label=f"measured{bar}"),
        Line2D([], [], color=INK, marker="|", markersize=13, markeredgewidth=2, linestyle="",
               label="theory, long run (≈ approximation)"),
    ]
    if any(math.isinf(row.prediction.wait_s) for row in found.rows):
        handles.append(Line2D([], [], color=INK, marker="$\u2192$", markersize=12, linestyle="", label="without end"))
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize="small")


def _seen(found: Theory) -> str:
    """How often they agree, and the weightiest reason why they do not."""
    known = [row for row in found.rows if row.differs is not None and not _repeats(found, row)]
    if not known:
        return "What each service's messages wait, measured in one run and by theory"
    apart = [row for row in known if row.differs]
    lead = f"theory lies inside the error bar in {len(known) - len(apart)} of {len(known)} queues"
    reasons = sorted(reason for row in apart for reason in row.because)
    return f"{lead}; elsewhere {reasons[0].text}" if reasons else lead


def _repeats(found: Theory, row: Beside) -> bool:
    """In the monolith all services have one queue: it counts once."""
    first = next(iter(found.comparison.scenario.services))
    return found.comparison.first(row.architecture).architecture == "monolith" and row.service != first
