"""The comparison as a table: a row a number, a column an architecture, with error bars and paired differences."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edasim.measure.summary import LOOKS_AFTER_S
from edasim.study.description import notes
from edasim.study.precision import Difference, Interval
from edasim.study.words import count_text, display, many, seconds_text

if TYPE_CHECKING:
    from edasim.study.comparison import Comparison

_PLAIN_WIDTH = 120
Show = Callable[..., str]


class PrintedTable(Table):
    """A rich table that `print` shows, too."""

    def __str__(self) -> str:
        page = io.StringIO()
        Console(file=page, width=_PLAIN_WIDTH, no_color=True, force_terminal=False).print(self)
        return "\n".join(line.rstrip() for line in page.getvalue().rstrip().splitlines())


@dataclass(frozen=True)
class Row:
    """One number of the table: its label, where it is found, how it is shown; `always` or only where it is not 0."""

    label: str
    path: str
    show: Show = count_text
    always: bool = True
    paired: bool = True


_SECTIONS: tuple[tuple[Row, ...], ...] = (
    (
        Row("orders placed", "orders.placed", paired=False),
        Row("accepted", "orders.accepted", paired=False),
        Row("refused", "orders.refused"),
        Row("done", "orders.done"),
        Row("parked (a dead letter of it)", "orders.parked"),
        Row("lost", "orders.lost"),
        Row("pending", "orders.pending", always=False),
        Row("regretted", "orders.regretted", always=False),
    ),
    (
        Row("customer waits, p50", "waiting_s.p50", seconds_text),
        Row("customer waits, p99", "waiting_s.p99", seconds_text),
        Row("accept latency, p99", "accept_latency_s.p99", seconds_text),
        Row("order done after, p50", "completion_latency_s.p50", seconds_text),
        Row("order done after, p95", "completion_latency_s.p95", seconds_text),
        Row("order done after, p99", "completion_latency_s.p99", seconds_text),
    ),
    (
        Row("half done at most", "torn_peak"),
        Row("effects of refused orders", "orphan_effects"),
        Row("effects made twice", "duplicated_effects"),
        Row("effects out of order per key", "ordering_violations"),
        Row("attempts", "attempts"),
        Row("dead letters", "dead_lettered"),
        Row("backlog at most", "backlog_max"),
        Row("lag at most", "lag_max"),
        Row("lag at most, the oldest", "lag_age_max_s", seconds_text),
        Row("rebalances", "rebalances", always=False),
        Row("partition-seconds unread", "unread_partition_s", always=False),
        Row("commits refused", "commits_refused", always=False),
        Row("stale at most", "staleness_max_s", seconds_text),
        Row(f"not visible after {LOOKS_AFTER_S:g} s", "not_visible"),
        Row("back to normal after", "back_to_normal_s", seconds_text, always=False),
        Row("parts to run", "operations.parts", paired=False),
    ),
)


def comparison_table(comparison: Comparison) -> PrintedTable:
    """The table of a comparison."""
    from edasim.study.theory.printing import theory_rows

    title = Text(comparison.scenario.title, style="table.title")  # a Text, for brackets in a str would be markup
    table = PrintedTable(title=title, caption=_caption(comparison), caption_justify="left")
    table.add_column("")
    for architecture in comparison.architectures:
        table.add_column(display(architecture), justify="right")
    for label, cells in _given(comparison):
        table.add_row(label, *cells)
    for section in _SECTIONS:
        table.add_section()
        for row in section:
            if row.always or any(comparison.interval(name, row.path).mean for name in comparison.architectures):
                table.add_row(row.label, *_cells(comparison, row))
    table.add_section()
    for label, cells in theory_rows(comparison.theory()):
        table.add_row(label, *cells)
    return table


def _given(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """What each architecture was given and what hit it."""
    first = [comparison.first(name) for name in comparison.architectures]
    yield "workers", [_capacity(one.capacity) for one in first]
    yield "an answer means", [one.answer for one in first]
    for fault in comparison.scenario.faults:
        yield f"fault: {fault}", ["not applicable" if fault in one.not_applicable else "applies" for one in first]


def _capacity(capacity: Mapping[str, float]) -> str:
    """`2 + 3 + 2`, or `7 in one process`; many services are counted."""
    if len(capacity) == 1:
        name, workers = next(iter(capacity.items()))
        return f"{many(workers)} in one process" if name == "process" else many(workers)
    if len(capacity) > 4:
        return f"{many(sum(capacity.values()))} in {len(capacity)} services"
    return " + ".join(map(many, capacity.values()))


def _cells(comparison: Comparison, row: Row) -> list[Text]:
    cells = []
    for number, name in enumerate(comparison.architectures):
        timed = row.show is seconds_text
        cell = Text(comparison.seconds(name, row.path) if timed else row.show(comparison.interval(name, row.path)))
        if number and row.paired and comparison.replications > 1:
            apart = difference_text(comparison.difference(name, row.path), row.show)
            cell.append(f"\n{apart}" if apart else "", style="dim")
        cells.append(cell)
    return cells


def difference_text(found: Difference, show: Show = count_text) -> str:
    """`+39 ± 14`, or `not told apart` where the interval includes 0; empty where there is nothing to say."""
    if not found.interval.known or found.interval.mean == found.interval.high == 0:
        return ""
    if not found.sign:
        return "not told apart"
    return show(_not_tighter_than_seen(found.interval), sign=True)


def _not_tighter_than_seen(found: Interval) -> Interval:
    """An interval whose half is nothing but rounding has none."""
    tiny = found.half < 1e-9 * abs(found.mean)
    return Interval(found.mean, math.nan, math.nan, found.n) if tiny else found


def _caption(comparison: Comparison) -> str:
    from edasim.study.theory.printing import theory_notes

    return "\n".join([_error_bars(comparison), *theory_notes(comparison.theory()), *_ignored(comparison)])


def _ignored(comparison: Comparison) -> list[str]:
    """A line for each option that the scenario names and the simulator does not follow."""
    return [
        f"{display(name)}: {option} is {note}." for name in comparison.architectures
        for option, note in notes(comparison.scenario, name).items() if note.startswith("ignored")
    ]


def _error_bars(comparison: Comparison) -> str:
    first = display(comparison.architectures[0])
    incomplete = "" if comparison.complete else f" ({comparison.shortfall})"
    if comparison.replications == 1:
        return f"n = 1 run, seed {comparison.seed}{incomplete}: no error bars."
    wanted = comparison.precision
    lines = [
        f"Mean ± half of the 95% interval over n = {comparison.replications} replications{incomplete}, "
        f"seed {comparison.seed}; without ± all agree."
    ]
    if len(comparison.architectures) > 1:
        lines.append(f"Second lines: difference to {first}, paired on the same orders and draws{_saved(comparison)}.")
        lines.append("Not told apart: the interval of the difference includes 0; more replications may tell.")
    if wanted is not None:
        lines.append(wanted.sentence(comparison.observations))
    return "\n".join(lines)


def _saved(comparison: Comparison) -> str:
    """What pairing saved, over the numbers that vary in both of a pair."""
    base, *others = comparison.architectures
    saved = [
        comparison.difference(name, row.path).variance_reduction
        for section in _SECTIONS
        for row in section
        if row.paired and _varies(comparison, base, row.path)
        for name in others
        if _varies(comparison, name, row.path)
    ]
    known = [share for share in saved if not math.isnan(share)]
    if not known:
        return ""
    return f", which took away {max(0.0, median(known)):.0%} of the variance of half of them, or more"


def _varies(comparison: Comparison, name: str, path: str) -> bool:
    return len(set(comparison.values(name, path))) > 1
