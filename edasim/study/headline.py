"""The one sentence above a slide: what happened, to how many, with its interval, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edasim.study.words import capitalised, count_text, listed, seconds_short, subject

if TYPE_CHECKING:
    from edasim.study.comparison import Comparison

_WORTH_A_WORD = 0.5
_FEW_ORDERS, _FEW_SECONDS = 5, 0.5
_EFFECTS = {"duplicated_effects": "effects made twice", "ordering_violations": "effects out of order per key"}


def headline(comparison: Comparison) -> str:
    """`Payment down for 10 s: the monolith turned 344 ± 19 of 393 customers away; Kafka kept them all ...`"""
    focus = comparison.focus
    where = "orders" if focus.whole else "focus"
    placed = f"{comparison.interval(comparison.architectures[0], f'{where}.placed').mean:,.0f}"
    refusing = [
        name for name in comparison.architectures if comparison.interval(name, f"{where}.refused").mean >= _WORTH_A_WORD
    ]
    lead = f"{focus.text}: " if focus.text else ""
    if not refusing:
        rest = _told_apart(comparison, where) or _waits(comparison)
        return capitalised(f"{lead}nobody of {placed} customers turned away; {rest}")
    counts = [count_text(comparison.interval(name, f"{where}.refused")) for name in refusing]
    told = [f"{subject(refusing[0])} turned {counts[0]} of {placed} customers away"]
    told += [f"{subject(name)} {count}" for name, count in zip(refusing[1:], counts[1:], strict=True)]
    return capitalised(f"{lead}{listed(told)}{_kept(comparison, refusing)}")


def _kept(comparison: Comparison, refusing: list[str]) -> str:
    """What became of the orders of those who turned nobody away."""
    kept = [name for name in comparison.architectures if name not in refusing]
    if not kept:
        return ""
    losers = [name for name in kept if comparison.interval(name, "orders.lost").mean >= _WORTH_A_WORD]
    if losers:
        lost = [f"{count_text(comparison.interval(name, 'orders.lost'))} with {subject(name)}" for name in losers]
        return f"; {listed(map(subject, kept))} took them all but lost {listed(lost)}"
    return f"; {listed(map(subject, kept))} kept them all{_paid(comparison, kept)}"


def _paid(comparison: Comparison, kept: list[str]) -> str:
    """What those who kept all orders paid for it: half-done orders or late views, where they rose with the fault."""
    name, whose = comparison.most(kept, "torn_peak")
    torn = comparison.interval(name, "torn_peak")
    if comparison.rises(name, "torn", _FEW_ORDERS):
        return f", and up to {count_text(torn)} stood half done meanwhile{whose}"
    ages = {}
    for service in comparison.scenario.services:
        path = f"services.{service}.staleness_s.max"
        name, whose = comparison.most(kept, path)
        if comparison.rises(name, f"staleness {service}", _FEW_SECONDS):
            ages[comparison.interval(name, path).mean] = f", and {service} fell up to {{}} behind{whose}"
    if ages:
        return ages[max(ages)].format(seconds_short(max(ages)))
    general = comparison.focus.whole and torn.mean >= _WORTH_A_WORD
    return f", with up to {count_text(torn)} half done at one time{whose}" if general else ""


def _told_apart(comparison: Comparison, where: str) -> str:
    """Where all orders of all architectures were done: the effects in which they differ most; empty if in none."""
    names = comparison.architectures
    fates = [f"{where}.{outcome}" for outcome in ("lost", "pending", "parked")]
    if any(comparison.interval(name, path).mean > 0 for name in names for path in fates):
        return ""
    gaps = {path: _gap(comparison, path) for path in _EFFECTS}
    path = max(gaps, key=lambda one: gaps[one])
    if gaps[path] < _WORTH_A_WORD:
        return ""
    counts = [f"{count_text(comparison.interval(name, path))} with {subject(name)}" for name in names]
    return f"{_EFFECTS[path]}: {listed(counts)}"


def _gap(comparison: Comparison, path: str) -> float:
    """By how much the one with the most exceeds the one with the least; 0 where that may be chance."""
    means = {name: comparison.interval(name, path).mean for name in comparison.architectures}
    most, least = max(means, key=lambda name: means[name]), min(means, key=lambda name: means[name])
    found = comparison.difference(most, path, least)
    sure = found.interval.known and (found.sign or comparison.replications == 1)
    return found.interval.mean if sure else 0.0


def _waits(comparison: Comparison) -> str:
    """How long they waited, where nobody was turned away."""
    percentile = comparison.percentile_known(comparison.architectures, "completion_latency_s")
    ends = {name: comparison.interval(name, f"completion_latency_s.{percentile}") for name in comparison.architectures}
    waits = [f"{seconds_short(end.mean)} with {subject(name)}" for name, end in ends.items()]
    return f"orders were done within {listed(waits)} ({percentile})"
