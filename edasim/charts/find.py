"""The chart of a search: what was tried, with error bars, beside the target."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from edasim.charts.marks import Label, label_ends, title
from edasim.charts.metric import mean_words, number_text, tick_text
from edasim.charts.style import INK, QUIET, axes, look, picture, styled
from edasim.study.found import Found, Search
from edasim.study.metrics import in_seconds, short_path
from edasim.study.words import display, listed, subject

_WIDE_RANGE = 50.0
_MOST_TICKS = 12


def find_figure(found: Found) -> Figure:
    """The chart as a figure of its own."""
    figure = picture()
    with styled():
        find_chart(found, ax=figure.add_subplot())
        if not found.complete:
            figure.text(0.995, 0.005, "incomplete", ha="right", va="bottom", fontsize="small", color=QUIET)
    return figure


def find_chart(found: Found, ax: Axes | None = None) -> Axes:
    """Each value that was tried with the interval that was judged; filled where the target holds, empty where not."""
    with styled():
        ax = axes(ax)
        _scale(ax, found)
        labels = []
        for name, search in found.searches.items():
            _draw(ax, found, name, search)
            known = [one for one in search.in_order if one.interval.known]
            if known:
                labels.append(Label(known[-1].number / search.kind.per, known[-1].interval.mean, display(name), name))
        ax.axhline(found.target.bound, color=INK, linewidth=1.2, linestyle="dotted", zorder=1)
        ax.annotate(_target_text(found), (0.0, found.target.bound), xycoords=("axes fraction", "data"), xytext=(4, 3),
                    textcoords="offset points", fontsize="small", color=INK, zorder=3,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5})
        _knob_axis(ax, found)
        label_ends(ax, labels)
        title(ax, _seen(found))
    return ax


def _draw(ax: Axes, found: Found, name: str, search: Search) -> None:
    looks = look(name)
    faces = {True: looks.colour, False: "white", None: "#DDDDDD"}
    for one in search.in_order:
        across = one.number / search.kind.per
        if not one.interval.known:
            ax.plot([across], [0.985], transform=ax.get_xaxis_transform(), marker="^", color=looks.colour, markersize=9,
                    markerfacecolor=faces[one.holds], markeredgewidth=1.8, clip_on=False)
            never = "never" if one.never == one.interval.n else f"never in\n{one.never} of {one.interval.n}"
            ax.annotate(never, (across, 0.985), xycoords=ax.get_xaxis_transform(), xytext=(0, -9),
                        textcoords="offset points", ha="center", va="top", fontsize=8, color=QUIET)
            continue
        mean, low, high = one.interval.mean, one.interval.low, one.interval.high
        ax.errorbar([across], [mean], yerr=[[max(0.0, mean - low)], [max(0.0, high - mean)]], color=looks.colour,
                    marker=looks.marker, markersize=8, markerfacecolor=faces[one.holds], markeredgewidth=1.8,
                    capsize=4, linestyle="none", zorder=4)
    points = [one for one in search.in_order if one.interval.known]
    ax.plot([one.number / search.kind.per for one in points], [one.interval.mean for one in points],
            color=looks.colour, linewidth=1.2, alpha=0.5, linestyle=looks.dashes, zorder=2)
    if search.bracket is not None and search.outcome == "found":
        ax.axvline(search.bracket[0] / search.kind.per, color=looks.colour, linewidth=1.4, alpha=0.6, zorder=0)


def _scale(ax: Axes, found: Found) -> None:
    """Times over a wide range on a logarithmic scale; everything else from 0."""
    metric, bound = found.target.metric, found.target.bound
    intervals = [one.interval for search in found.searches.values() for one in search.in_order if one.interval.known]
    tried = sum(len(search.tried) for search in found.searches.values())
    means = [bound, *(one.mean for one in intervals)]
    tops = [bound, *(one.high for one in intervals if math.isfinite(one.high))]
    if in_seconds(metric) and min(means) > 0 and max(means) > _WIDE_RANGE * min(means):
        ax.set_yscale("log")
        ax.set_ylim(min(means) / 2, max(tops) * 1.6)
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_ylim(-0.025 * max(tops), (1.25 if len(intervals) < tried else 1.08) * max(tops) or 1.0)
    show = (lambda value, _: f"{value:.0%}") if found.target.is_share else (lambda value, _: tick_text(value, metric))
    ax.yaxis.set_major_formatter(FuncFormatter(show))
    what = "runs that recover" if found.target.is_share else mean_words(metric)
    ax.set_ylabel(f"{what} (logarithmic)" if ax.get_yscale() == "log" else what)


def _target_text(found: Found) -> str:
    target = found.target
    side = "below" if target.below else "above"
    words = f"{target.bound:.0%}" if target.is_share else number_text(target.bound, target.metric)
    return f"target: {side} {words}; filled: holds, empty: fails, grey: undecided"


def _knob_axis(ax: Axes, found: Found) -> None:
    search = next(iter(found.searches.values()))
    kind = search.kind
    ends = [one.number for one in (search.in_order[0], search.in_order[-1])]
    if kind.unit == "number" and kind.grain and ends[-1] - ends[0] < _MOST_TICKS:
        ax.set_xticks(range(int(ends[0]), int(ends[-1]) + 1))
    show = kind.show
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: show(kind.tidy(max(0.0, value) * kind.per))))
    room = 0.03 * (ends[-1] - ends[0] or abs(ends[0]) or 1.0)
    ax.set_xlim((ends[0] - room) / kind.per, (ends[-1] + room) / kind.per)
    ax.set_xlabel(short_path(found.path))


def _seen(found: Found) -> str:
    """`completion latency, p99 < 2s from payment.workers = 4 on (RabbitMQ)`, or that it is not known."""
    told = []
    for name, search in found.searches.items():
        if search.outcome == "found" and search.bracket is not None:
            way = "from" if search.rising else "up to"
            told.append(f"{way} {search.kind.show(search.bracket[0])} ({display(name)})")
        elif search.bracket is not None:
            low, high = map(search.kind.show, sorted(search.bracket))
            told.append(f"changing between {low} and {high} ({display(name)})")
    others = [subject(name) for name, search in found.searches.items() if search.bracket is None]
    text = f"{found.target.words} with {short_path(found.path)} {listed(told)}" if told else found.target.words
    if others:
        why = {search.outcome for search in found.searches.values() if search.bracket is None}
        text += f"; {listed(others)}: {listed(sorted(why))}"
    return text
