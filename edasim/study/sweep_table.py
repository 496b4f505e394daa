"""A sweep as a table: a row for each point, a column for each architecture, a section for each metric."""

from __future__ import annotations

import math

from edasim.study.metrics import in_seconds, short_path
from edasim.study.precision import interval
from edasim.study.swept import Sweep
from edasim.study.table import PrintedTable
from edasim.study.words import count_text, display, seconds_text

_WIDE = 5
"""With more columns than these, paths stand on several lines."""


def sweep_table(sweep: Sweep) -> PrintedTable:
    """The table of a sweep, with error bars."""
    table = PrintedTable(title=sweep.scenario.title, caption=_caption(sweep), caption_justify="left")
    many = 1 + len(sweep.axes) + len(sweep.architectures) > _WIDE
    table.add_column("number", overflow="fold")
    for axis in sweep.axes:
        table.add_column(_broken(short_path(axis.path), many), justify="right", overflow="fold")
    for name in sweep.architectures:
        table.add_column(display(name), justify="right")
    for metric in sweep.metrics:
        table.add_section()
        for point in range(len(sweep.points)):
            cells = [metric_text(sweep.values(point, name, metric), metric) for name in sweep.architectures]
            table.add_row(_broken(metric, many) if point == 0 else "", *sweep.texts(point).values(), *cells)
    return table


def _broken(path: str, many: bool) -> str:
    """A path on lines of its own parts, where there are too many columns for it."""
    return path.replace(".", ".\n") if many else path


def metric_text(values: list[float], metric: str) -> str:
    """A metric with its error bar; `never in 1 of 10` when some replications have no such number; a dash for none."""
    if not values:
        return "–"
    found = interval(values).not_below(0.0)
    never = sum(not math.isfinite(value) for value in values)
    if never:
        return "never" if never == len(values) else f"never in {never} of {len(values)}"
    return seconds_text(found) if in_seconds(metric) else count_text(found)


def _caption(sweep: Sweep) -> str:
    incomplete = "" if sweep.complete else f" ({sweep.shortfall})"
    if sweep.replications == 1:
        return f"n = 1 run for each cell, seed {sweep.seed}{incomplete}: no error bars."
    return (
        f"Mean ± half of the 95% interval over n = {sweep.replications} replications{incomplete}, seed {sweep.seed}; "
        "the same orders and draws at all points. Without ± all agree."
    )
