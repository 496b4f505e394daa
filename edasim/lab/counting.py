"""Counts side by side: what a reader wants to know of some runs or comparisons, in the words of the glossary."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edasim.charts.subject import comparison_of
from edasim.core.journal import Verb
from edasim.measure.orders import Bools, Orders
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.precision import Interval
from edasim.study.words import count_text, display, seconds_text

Study = Run | Comparison
Show = Callable[[Interval], str]

WORDS: dict[str, tuple[str, Show]] = {
    "orders placed": ("orders.placed", count_text),
    "ordered in the outage": ("focus.placed", count_text),
    "of these turned away": ("focus.refused", count_text),
    "turned away": ("orders.refused", count_text),
    "done": ("orders.done", count_text),
    "half done at most": ("torn_peak", count_text),
    "effects of refused orders": ("orphan_effects", count_text),
    "effects made twice": ("duplicated_effects", count_text),
    "effects out of order per key": ("ordering_violations", count_text),
    "attempts": ("attempts", count_text),
    "dead letters": ("dead_lettered", count_text),
    "parts to run": ("operations.parts", count_text),
    "not visible after 1 s": ("not_visible", count_text),
    "stale at most": ("staleness_max_s", seconds_text),
    "back to normal after": ("back_to_normal_s", seconds_text),
    "half of the customers wait": ("waiting_s.p50", seconds_text),
    "99 of 100 customers wait": ("waiting_s.p99", seconds_text),
    "half of the orders done after": ("completion_latency_s.p50", seconds_text),
    "95 of 100 orders done after": ("completion_latency_s.p95", seconds_text),
}
"""What may be asked for: the path of the number in a comparison, and how it is written."""


def _percent(found: Interval) -> str:
    return f"{found.mean:.0%}" if found.known else "–"


_BY_SERVICE: dict[str, tuple[str, Show]] = {
    "waiting at most": ("services.{}.backlog_max", count_text),
    "99 of 100 wait for a worker": ("services.{}.wait_s.p99", seconds_text),
    "workers at work": ("services.{}.utilisation", _percent),
    "lag at most": ("groups.{}.lag_max", count_text),
    "partition-seconds unread": ("groups.{}.unread_partition_s", count_text),
    "oldest not settled": ("groups.{}.lag_age_max_s", seconds_text),
    "back to normal after": ("convergence_s.{}", seconds_text),
    "stale at most": ("services.{}.staleness_s.max", seconds_text),
    "effects made twice": ("services.{}.duplicated_effects", count_text),
    "dead letters": ("services.{}.dead_lettered", count_text),
}


@dataclass(frozen=True, repr=False)
class Counts:
    """A small table: `print` shows it as text, a notebook as a table; `note` says how sure the numbers are."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) if number < 2 else cell.rjust(width)
                      for number, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in (self.heads, *self.rows)
        ]
        return "\n".join([*lines, f"({self.note})"])

    def _repr_html_(self) -> str:
        head = _row("th", self.heads)
        body = "".join(_row("td", row) for row in self.rows)
        return (f'<table style="font-size:1em"><thead>{head}</thead><tbody>{body}</tbody></table>'
                f'<div style="color:#555;font-size:.85em">{html.escape(self.note)}</div>')


def counts(studies: Mapping[str, Study], *words: str, service: str | None = None, only: str | None = None) -> Counts:
    """A row for each study and architecture, a column for each of the words; `service` asks for one service's numbers.

    `only` is the one architecture to show.  The labels of the rows are the reader's own.  Raises ValueError for a
    word that nobody knows.

    lab.counts({"1 s": one, "5 s": five}, "turned away", "99 of 100 customers wait")
    """
    asked = [_asked(word, service) for word in words]
    compared = {label: comparison_of((study,)) for label, study in studies.items()}
    rows = tuple(
        (label, display(name), *(show(comparison.interval(name, path)) for path, show in asked))
        for label, comparison in compared.items() for name in comparison.architectures
        if only in (None, name)
    )
    heads = ("", "", *(f"{word}, {service}" if service and word in _BY_SERVICE else word for word in words))
    return Counts(heads, rows, _how_sure(list(compared.values())))


def _asked(word: str, service: str | None) -> tuple[str, Show]:
    if word not in WORDS and word not in _BY_SERVICE:
        known = dict.fromkeys([*WORDS, *_BY_SERVICE])
        raise ValueError(f'"{word}" is not counted here: choose from {", ".join(known)}')
    if service and word in _BY_SERVICE:
        path, show = _BY_SERVICE[word]
        return path.format(service), show
    if word not in WORDS:
        raise ValueError(f'"{word}" is counted for one service: add service="payment", or whichever you mean')
    return WORDS[word]


def _how_sure(compared: Sequence[Comparison]) -> str:
    least = min((comparison.replications for comparison in compared), default=1)
    if least == 1:
        return "one run, with its luck"
    return f"mean ± half of the 95% interval over {least} replications; without ± all agree"


def _row(tag: str, cells: Sequence[str]) -> str:
    align = ("left", "left", *["right"] * (len(cells) - 2))
    nowrap = ";white-space:nowrap" if tag == "td" else ""
    return "<tr>" + "".join(f'<{tag} style="text-align:{side};padding:.25em .7em{nowrap}">{html.escape(cell)}</{tag}>'
                            for cell, side in zip(cells, align, strict=True)) + "</tr>"


# --- who joins late ---------------------------------------------------------------------------------------------


def history(runs: Mapping[str, Run], service: str) -> Counts:
    """Of the orders placed before and since a service joined, how many it has handled in each of these runs."""
    rows = tuple((label, display(run.architecture), *map(str, history_of(run, service))) for label, run in runs.items())
    joins = "it joined"
    heads = ("", "", f"placed before {joins}", "of these handled", "placed since", "of these handled")
    return Counts(heads, rows, f"{service}, one run, warm-up left out")


def history_of(run: Run, service: str) -> tuple[int, int, int, int]:
    """(placed before the service joined, of these handled by it, placed since, of these handled), warm-up left out."""
    orders = run.summary().orders
    handled = np.isfinite(orders.reading.first_time_s(orders.reading.of(Verb.applied, service=service)))
    before = orders.placed_s < run.scenario.services[service].joins / 1e9
    groups = (orders.counted & before, orders.counted & ~before)
    first, second = ((int(group.sum()), int((group & handled).sum())) for group in groups)
    return (*first, *second)


# --- who got a mail ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mails:
    """What notification sent: how many customers got a mail though they never paid, paid and got none, got several."""

    unpaid: int
    missing: int
    repeated: int


def mails(run: Run, sender: str = "notification", paid_event: str = "PaymentCaptured") -> Mails:
    """Who got a mail, and should have: those for whom the event of a payment was published; warm-up left out."""
    orders = run.summary().orders
    facts = orders.reading.of(Verb.applied, service=sender)
    sent = np.bincount(orders.reading.order_index(facts), minlength=len(orders))
    paid = _with_event(orders, paid_event)
    counted = orders.counted
    return Mails(*(int((counted & which).sum()) for which in (~paid & (sent > 0), paid & (sent == 0), sent > 1)))


def _with_event(orders: Orders, event: str) -> Bools:
    """The orders that caused a message of this event type."""
    reading = orders.reading
    found = np.zeros(len(orders), np.bool_)
    if event in reading.events:
        found[reading.order_of[reading.event_of == reading.events.index(event)] - 1] = True
    return found

