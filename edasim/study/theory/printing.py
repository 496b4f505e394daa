"""Theory beside the run, as a table of its own and as rows of the comparison's table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edasim.study.precision import Interval
from edasim.study.table import PrintedTable
from edasim.study.theory.beside import Beside, Theory, measured_words, reasons_words, theory_words, wait_words
from edasim.study.words import count_text, display, seconds_short, seconds_text

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
    table.add_row(
        f"{display(row.architecture)}, {row.service}", prediction.name, measured_words(row.wait),
        f"{NOT if row.differs else ''}{theory_words(prediction)}", *_at_work(row), reasons_words(row),
    )


def _at_work(row: Beside) -> tuple[str, str]:
    """Measured and in theory: the share of the workers, or how many where they are unlimited."""
    share = row.prediction.utilisation
    if math.isfinite(share):
        return share_words(row.utilisation), f"{share:.0%}"
    number = f"{count_text(row.at_work)} workers" if row.at_work.known else "–"
    return number, f"{row.prediction.at_work:.3g}" if math.isfinite(row.prediction.at_work) else "without end"


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
    at_work = " / ".join(_at_work(row))
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
    return [*lines, *_gateway_notes(theory), *_urgency_notes(theory), *_stretch_notes(theory)]


def _gateway_notes(theory: Theory) -> list[str]:
    """The backlog of RPC counts who waits at the gateway once for each service that an order begins with."""
    comparison = theory.comparison
    for name in comparison.architectures:
        if comparison.first(name).architecture != "rpc":
            continue
        backlog = sum(comparison.interval(name, f"services.{one}.backlog_mean").mean
                      for one in comparison.scenario.services)
        waiting = theory.little(name)[0].mean
        if math.isfinite(backlog) and backlog - waiting > _APART * (waiting + 1):
            return ["Little over RPC counts the calls in the services' own lines; orders that wait at the gateway are "
                    "in the backlog of each service that they begin with, and not here."]
    return []


def _urgency_notes(theory: Theory) -> list[str]:
    """What each class waits in theory where the urgent go first."""
    lines: dict[str, None] = {}
    for row in theory.rows:
        if row.prediction.urgency_waits_s:
            who = "orders" if theory.one_line(row) else row.service
            waits = ", ".join(f"{name} {'without end' if math.isinf(wait_s) else seconds_short(wait_s)}"
                              for name, wait_s in row.prediction.urgency_waits_s.items())
            lines[f"By priority, in theory ({row.prediction.law}), {display(row.architecture)}, {who}: {waits}."] = None
    return list(lines)


def _stretch_notes(theory: Theory) -> list[str]:
    """How long attempts take where workers share cores."""
    found = []
    for row in theory.rows:
        stretch = row.prediction.stretch
        if not stretch > 1 or not row.attempt.known:
            continue
        longer = "without end" if math.isinf(stretch) else f"{stretch:.2g} times as long as alone"
        found.append(f"Shared cores, {display(row.architecture)}, {row.service}: work takes {longer} in theory; "
                     f"attempts took {seconds_text(row.attempt)}.")
    return found
