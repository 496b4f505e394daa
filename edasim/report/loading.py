"""What theory says before a run: how many workers each service keeps busy, beside what was measured."""

from __future__ import annotations

import math
from typing import Any

from edasim.report.tables import Cell, Grid, Line, grid_of
from edasim.study.comparison import Comparison
from edasim.study.load import Load, loads
from edasim.study.words import counted, display, listed, many


def load_table(comparison: Comparison) -> Grid:
    """A row for each service: messages a second, workers that they need by Little's law, and the measured use."""
    found = loads(comparison.scenario)
    pools = [name for name in comparison.architectures if set(found) <= set(comparison.first(name).capacity)]
    heads = ("messages/s", "attempts each", "workers needed", "workers", "use in theory",
             *(f"use measured, {display(name)}" for name in pools))  # fmt: skip
    lines = tuple(Line(name, _cells(comparison, name, load, pools)) for name, load in found.items())
    return Grid(heads, (lines,), tuple(_remarks(comparison, found)))


def _cells(comparison: Comparison, service: str, load: Load, pools: list[str]) -> tuple[Cell, ...]:
    needed = "∞" if math.isinf(load.needed) else f"{load.needed:.3g}"
    use = "∞" if math.isinf(load.utilisation) else f"{load.utilisation:.1%}"
    measured = (comparison.interval(name, f"services.{service}.utilisation") for name in pools)
    shares = (f"{one.mean:.1%}" + ("" if math.isnan(one.half) else f" ± {one.half:.1%}") for one in measured)
    numbers = (f"{load.per_s:.4g}", f"{load.attempts:.4g}", needed, many(load.workers), use, *shares)
    return tuple(map(Cell, numbers))


def _remarks(comparison: Comparison, found: dict[str, Load]) -> list[str]:
    remarks = ["Workers needed is the mean number at work, λ·a·E[S]: messages a second, attempts each, mean time of an "
               "attempt (Little's law). It holds in the long run, when nothing breaks and all that comes is "
               "handled."]  # fmt: skip
    over = [_needs(name, load.needed, load.workers) for name, load in found.items() if load.utilisation >= 1]
    if over:
        remarks.append(f"Overload: {listed(over)}. Its backlog grows for as long as orders come, whatever the "
                       "architecture.")
    busy = [_needs(name, load.peak_needed, load.workers) for name, load in found.items()
            if load.utilisation < 1 <= load.peak_needed / load.workers]  # fmt: skip
    if busy:
        remarks.append(f"At the busiest time {listed(busy)}: its backlog grows then.")
    if comparison.scenario.faults or comparison.scenario.changes:
        remarks.append("Faults and dated changes break the assumption: measured use may lie above or below.")
    return remarks


def _needs(service: str, needed: float, workers: float) -> str:
    return f"{service} needs {needed:.3g} and has {counted(workers, 'worker')}"


def queue_table(comparison: Comparison) -> Grid | None:
    """The closest textbook queues beside what was measured, from `comparison.theory().table()`; None without it."""
    theory: Any = getattr(comparison, "theory", None)
    return grid_of(theory().table()) if callable(theory) else None
