"""The tornado: a bar for each knob from its low to its high end, the one that matters most on top."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from edasim.charts.marks import title
from edasim.charts.metric import mean_words, number_text, tick_text
from edasim.charts.style import INK, QUIET, axes, picture, styled
from edasim.study.metrics import metric_words, short_path
from edasim.study.weighed import Effect, Sensitivity
from edasim.study.words import display

LOW, HIGH = "#56B4E9", "#E69F00"
"""Of Okabe and Ito, and apart for every eye in their lightness too."""
MOST_BARS = 20
_NEVER_AT = 0.99


def tornado_figure(found: Sensitivity, architecture: str) -> Figure:
    """The chart as a figure as high as it has knobs."""
    bars = min(MOST_BARS, len(found.effects[architecture]))
    figure = picture(8.0, 1.9 + 0.5 * bars)
    with styled():
        tornado(found, architecture, ax=figure.add_subplot())
        if not found.complete:
            figure.text(0.995, 0.005, found.shortfall, ha="right", va="bottom", fontsize="small", color=QUIET)
    return figure


def tornado(found: Sensitivity, architecture: str, ax: Axes | None = None) -> Axes:
    """Bars from the metric now to the metric at each end, with the error bars of the paired differences."""
    effects = found.effects[architecture][:MOST_BARS]
    now = effects[0].end(effects[0].now).mean
    with styled():
        ax = axes(ax)
        for row, one in enumerate(effects):
            _bar(ax, found, (row, one), now)
        ax.axvline(now, color=INK, linewidth=1.2)
        ax.set_yticks(range(len(effects)), [short_path(one.path) for one in effects])
        ax.set_ylim(len(effects) - 0.4, -0.6)
        ax.grid(False, axis="y")
        ax.tick_params(axis="y", length=0)
        ax.margins(x=0.15)
        if not any(one.low.interval.mean or one.high.interval.mean for one in effects):
            ax.set_xlim(min(0.0, now), 2 * abs(now) or 1.0)
        ax.xaxis.set_major_formatter(FuncFormatter(
            lambda value, _: tick_text(value, found.metric) if value >= 0 else ""))
        ax.set_xlabel(f"{mean_words(found.metric)} ({display(architecture)})")
        ax.legend(handles=[Patch(color=LOW, label="at its low end"), Patch(color=HIGH, label="at its high end")],
                  loc="lower right", fontsize="small", ncols=2, bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
        title(ax, _seen(found, architecture), pad=26)
    return ax


def _bar(ax: Axes, found: Sensitivity, bar: tuple[int, Effect], now: float) -> None:
    row, one = bar
    for text, end, colour, side in ((one.texts[0], one.low, LOW, -0.19), (one.texts[2], one.high, HIGH, 0.19)):
        gap = end.interval
        if not gap.known:
            ax.annotate(f"{text}: never", (_NEVER_AT, row + side), xycoords=("axes fraction", "data"),
                        ha="right", va="center", fontsize=8, color=QUIET)
            continue
        ax.barh(row + side, gap.mean, left=now, height=0.36, color=colour)
        ax.errorbar([now + gap.mean], [row + side], xerr=[[gap.mean - gap.low], [gap.high - gap.mean]], color=INK,
                    capsize=2.5, linewidth=1.1, linestyle="none")
        right = gap.mean >= 0
        ax.annotate(text, (now + (gap.high if right else gap.low), row + side), xytext=(5 if right else -5, 0),
                    textcoords="offset points", ha="left" if right else "right", va="center", fontsize=8, color=QUIET)


def _seen(found: Sensitivity, architecture: str) -> str:
    first = found.effects[architecture][0]
    words = metric_words(found.metric)
    if not first.low.sign and not first.high.sign and first.low.interval.known and first.high.interval.known:
        return f"{words}: no knob makes a difference that can be told apart ({display(architecture)})"
    ends = [
        f"{number_text(one.mean, found.metric) if one.known else 'never'} at {text}"
        for one, text in ((first.end(first.at_low), first.texts[0]), (first.end(first.at_high), first.texts[2]))
    ]
    return f"{words} hangs most on {short_path(first.path)}: {ends[0]}, {ends[1]} ({display(architecture)})"
