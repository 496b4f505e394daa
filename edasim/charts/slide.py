"""The chart for a slide (16:9): who was turned away, what was done when, who waited, what it cost."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.charts.latency import waits
from edasim.charts.marks import wrapped
from edasim.charts.outcomes import dots, outcome_handles, seen_outcomes
from edasim.charts.style import INK, QUIET, look, picture, styled, text_colour
from edasim.charts.timeline import completed
from edasim.core.quantity import show_duration
from edasim.study.comparison import Comparison
from edasim.study.focus import spaced
from edasim.study.headline import headline
from edasim.study.words import count_text, display, many

WIDTH, HEIGHT = 12.8, 7.2
_DOTS_LEFT, _DOTS_WIDTH, _DOTS_TOP, _DOTS_BOTTOM = 0.025, 0.43, 0.855, 0.345
_PRICE = {
    "half done\nat one time": "torn_peak",
    "effects of\nrefused orders": "orphan_effects",
    "effects\nmade twice": "duplicated_effects",
    "out of order\nper key": "ordering_violations",
    "dead\nletters": "dead_lettered",
    "orders\nlost": "orders.lost",
    "parts\nto run": "operations.parts",
}


def slide(comparison: Comparison) -> Figure:
    """The slide of a comparison, 1920 by 1080 pixels."""
    with styled():
        figure = picture(WIDTH, HEIGHT)
        figure.set_layout_engine("none")
        _headline(figure, headline(comparison))
        _dots(figure, comparison)
        _done(figure.add_axes((0.535, 0.615, 0.345, 0.235)), comparison)
        _waits(figure.add_axes((0.66, 0.35, 0.32, 0.15)), comparison)
        _price(figure.add_axes((0.025, 0.085, 0.955, 0.205)), comparison)
        _footer(figure, comparison)
    return figure


def _headline(figure: Figure, text: str) -> None:
    """Two lines, in the largest letters that two lines have room for."""
    sizes = {16.0: 92, 14.5: 102, 13.0: 114, 11.5: 130}
    size = next((size for size, columns in sizes.items() if len(wrapped(text, columns)) <= 2), 11.5)
    lines = "\n".join(wrapped(text, sizes[size])[:3])
    figure.text(0.025, 0.975, lines, fontsize=size, fontweight="bold", va="top", linespacing=1.2)


def _dots(figure: Figure, comparison: Comparison) -> None:
    names = comparison.architectures
    columns = 1 if len(names) == 1 else 2
    rows = -(-len(names) // columns)
    width, height = _DOTS_WIDTH / columns, (_DOTS_TOP - _DOTS_BOTTOM) / rows
    each = 1
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        left, top = _DOTS_LEFT + column * width, _DOTS_TOP - row * height
        colour = text_colour(look(comparison.first(name).architecture).colour)
        figure.text(left, top, display(name), color=colour, fontweight="bold", fontsize=12, va="top")
        words = _fate_words(comparison, name)
        size = 10 if len(words) < 30 else 8.5
        figure.text(left, top - 0.033, words, fontsize=size, va="top", fontweight="bold")
        bottom = top - height + 0.018
        each = dots(figure.add_axes((left, bottom, width - 0.02, top - 0.066 - bottom)), comparison, name)
    _dot_legend(figure, comparison, each)


def _where(comparison: Comparison) -> str:
    return "orders" if comparison.focus.whole else "focus"


def _fate_words(comparison: Comparison, name: str) -> str:
    """`344 ± 19 of 393 turned away`, or how many were done and what became of the others."""
    where = _where(comparison)
    wanted = ("refused", "lost", "pending", "parked")
    found = {outcome: comparison.interval(name, f"{where}.{outcome}") for outcome in wanted}
    placed = f"{comparison.interval(name, f'{where}.placed').mean:,.0f}"
    if found["refused"].mean >= 0.5:
        return f"{count_text(found['refused'])} of {placed} turned away"
    others = [f"{count_text(one)} {outcome}" for outcome, one in found.items() if one.mean >= 0.5]
    return ", ".join([f"{count_text(comparison.interval(name, f'{where}.done'))} done", *others[:1]])


def _dot_legend(figure: Figure, comparison: Comparison, each: int) -> None:
    seen = seen_outcomes(comparison, _where(comparison))
    figure.legend(
        handles=outcome_handles(seen),
        loc="lower left",
        bbox_to_anchor=(_DOTS_LEFT - 0.008, 0.298),
        ncols=len(seen),
        fontsize=9,
        handlelength=1.0,
        columnspacing=1.2,
    )
    one = "one dot is one order" if each == 1 else f"one dot is {each} orders"
    which = "" if comparison.focus.whole else " placed in the grey time"
    text = f"{one}{which}, in the first replication"
    figure.text(_DOTS_LEFT, 0.88, text, fontsize=9, color=QUIET, va="center")


def _done(ax: Axes, comparison: Comparison) -> None:
    completed(comparison, ax=ax, zoom=True)
    ax.set_title("")
    ax.set_xlabel("time (s)", labelpad=1)
    ax.set_ylabel("orders done")


def _waits(ax: Axes, comparison: Comparison) -> None:
    waits(comparison, ax)
    ax.set_xlabel("what the customer waits until an answer", labelpad=1)
    for tick in ax.get_yticklabels():
        tick.set_fontsize(9)


def _price(ax: Axes, comparison: Comparison) -> None:
    """A line for each architecture; the best of each column is bold, whoever it is."""
    ax.set_xlim(0, 1)
    ax.set_ylim(len(comparison.architectures) + 1.9, 0)
    ax.axis("off")
    ax.axhline(0.0, color=QUIET, linewidth=0.8)
    ax.text(0.0, 0.95, "The price", fontsize=13, fontweight="bold", va="center")
    best = {path: _best(comparison, path) for path in _PRICE.values()}
    step = 0.87 / len(_PRICE)
    for number, (heading, path) in enumerate(_PRICE.items()):
        across = 0.13 + (number + 0.9) * step
        ax.text(across, 0.95, heading, fontsize=9.5, color=QUIET, ha="right", va="center", linespacing=1.05)
        for row, name in enumerate(comparison.architectures):
            weight = "bold" if name in best[path] else "normal"
            text = count_text(comparison.interval(name, path))
            ax.text(across, row + 2.3, text, fontsize=11, ha="right", va="center", color=INK, fontweight=weight)
    for row, name in enumerate(comparison.architectures):
        colour = text_colour(look(comparison.first(name).architecture).colour)
        ax.text(0.0, row + 2.3, display(name), fontsize=11, fontweight="bold", color=colour, va="center")


def _best(comparison: Comparison, path: str) -> list[str]:
    """The one with the least of it, and those that do not differ from it; nobody when that is all of them."""
    names = comparison.architectures
    least = min(names, key=lambda name: comparison.interval(name, path).mean)
    equals = [name for name in names if comparison.values(name, path) == comparison.values(least, path)]
    if comparison.replications > 1:
        equals = [name for name in names if name in equals or not comparison.difference(name, path, least).sign]
    return equals if len(equals) < len(names) else []


def _footer(figure: Figure, comparison: Comparison) -> None:
    scenario = comparison.scenario
    load = ", ".join(f"{name} {producer.arrivals.text}" for name, producer in scenario.producers.items())
    timeout = "none" if scenario.client.timeout is None else spaced(show_duration(scenario.client.timeout))
    workers = " + ".join(many(service.workers) for service in scenario.services.values())
    if len(scenario.services) > 5:
        total = sum(service.workers for service in scenario.services.values())
        workers = f"{many(total)} in {len(scenario.services)} services"
    facts = (
        f"{load} · client timeout {timeout} · workers {workers} · seed {comparison.seed} · "
        f"n = {comparison.replications}{', 95% intervals' if comparison.replications > 1 else ''}"
        f"{'' if comparison.complete else f' ({comparison.shortfall})'} · a model, not a measurement"
    )
    turning = comparison.turning
    if turning is not None:
        facts += f"\nWhat would turn it: {turning.short} (one run)"
    figure.text(0.025, 0.018, facts, fontsize=9, color=QUIET, va="bottom", linespacing=1.35)
