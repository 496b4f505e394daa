"""Theory beside the run, as a table of its own and as rows of the comparison's table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edasim.study.precision import Interval
from edasim.study.table import PrintedTable
from edasim.study.theory.beside import Beside, Theory, measured_words, reasons_words, wait_words
from edasim.study.words import count_text, display, seconds_short

if TYPE_CHECKING:
    from rich.table import Table

NOT = "≠ "
_APART = 0.05


def theory_table(theory: Theory) -> PrintedTable:
    """What theory says beside what was measured, a row for each service in each architecture."""
    table = PrintedTable(title="Theory beside the run", caption="\n".join(_notes(theory)), caption_justify="left")
    table.add_column("")
    table.add_column("closest model")
    for head in ("waits", "theory", "at work", "theory"):
        table.add_column(head, justify="right")
    table.add_column("broken assumptions")
    for name in theory.comparison.architectures:
        table.add_section()
        for row in _rows(theory, name):
            _add(table, row)
    return table


def _rows(theory: Theory, architecture: str) -> list[Beside]:
    return [row for row in theory.rows if row.architecture == architecture]


def _add(table: Table, row: Beside) -> None:
    prediction = row.prediction
    theory = "without end" if math.isinf(prediction.wait_s) else seconds_short(prediction.wait_s)
    table.add_row(
        f"{display(row.architecture)}, {row.service}", prediction.name, measured_words(row.wait),
        f"{NOT if row.differs else ''}{theory}", share_words(row.utilisation), f"{prediction.utilisation:.0%}",
        reasons_words(row),
    )


def share_words(found: Interval) -> str:
    """`35 ± 1%`."""
    if not found.known:
        return "–"
    half = "" if math.isnan(found.half) else f" ± {max(100 * found.half, 1):.0f}"
    return f"{100 * found.mean:.0f}{half}%"


def theory_rows(theory: Theory) -> Iterator[tuple[str, list[str]]]:
    """The rows of the comparison's table: for each service the wait and the time at work, measured over theory."""
    names = theory.comparison.architectures
    for service in theory.comparison.scenario.services:
        rows = [theory.row(name, service) for name in names]
        yield f"wait, {service}\n  in theory\n  at work / theory", [_cell(row) for row in rows]
    both = [theory.little(name) for name in names]
    yield "waiting on average\n  Little: rate x wait", [
        f"{count_text(number)}\n{count_text(product)}" for number, product in both]


def _cell(row: Beside) -> str:
    at_work = f"{share_words(row.utilisation)} / {row.prediction.utilisation:.0%}"
    return f"{measured_words(row.wait)}\n{NOT if row.differs else ''}{wait_words(row.prediction)}\n{at_work}"


def theory_notes(theory: Theory) -> list[str]:
    """The lines under the comparison's table."""
    return _notes(theory)


def _notes(theory: Theory) -> list[str]:
    several = theory.comparison.replications > 1
    bar = "≠ is outside the error bar" if several else "one run has no error bar to tell whether it differs"
    lines = [f"Theory is the long run of the closest textbook queue: ≈ is an approximation, {bar}."]
    lines += [f"{NOT if several else 'Broken assumptions, '}{sentence}" for sentence in theory.differences()]
    both = [theory.little(name) for name in theory.comparison.architectures]
    if any(abs(number.mean - product.mean) > _APART * (number.mean + 1) for number, product in both):
        lines.append("Little: waits that end after the measured time count in full, so that rate x wait is the larger.")
    return lines
