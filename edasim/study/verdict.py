"""The verdict: three to five sentences made from a comparison's numbers, fair to all sides.

Who turned customers away; where the waiting went; what events cost; what one transaction is worth; what would turn
it. Two whose difference has an interval that includes 0 are not told apart, and nothing here says that events are
faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edasim.study.focus import spaced
from edasim.study.words import capitalised, count_text, listed, seconds_short, seconds_text, subject

if TYPE_CHECKING:
    from edasim.study.comparison import Comparison

_WORTH_A_WORD = 0.5


def verdict(comparison: Comparison) -> str:
    """The sentences, a line each."""
    sides = _Sides(comparison)
    sentences = [
        sides.turned_away(),
        sides.waiting(),
        sides.price(),
        sides.atomicity() if sides.direct else sides.between_brokers(),
        sides.turn(),
    ]
    text = "\n".join(capitalised(sentence) for sentence in sentences if sentence)
    if comparison.replications == 1:
        text += " (One run: no error bars.)"
    return text if comparison.complete else f"{text}\n{capitalised(comparison.shortfall)} were finished."


class _Sides:
    """Who answers when the work is done (`direct`), and who when it is received (`brokered`)."""

    def __init__(self, comparison: Comparison) -> None:
        self.of = comparison
        names = comparison.architectures
        self.direct = [name for name in names if comparison.first(name).answer == "done"]
        self.brokered = [name for name in names if name not in self.direct]

    def mean(self, name: str, path: str) -> float:
        """The mean of a number, infinite where there is none."""
        return self.of.interval(name, path).mean

    def count(self, name: str, path: str) -> str:
        """A count with its error bar, or `no`."""
        return count_text(self.of.interval(name, path)) if self.some(name, path) else "no"

    def some(self, name: str, path: str) -> bool:
        """Whether there is any of it worth a word."""
        return self.mean(name, path) >= _WORTH_A_WORD

    def each(self, names: Sequence[str], path: str) -> str:
        """A time for each, those that read alike together: `5.0 s with the monolith and RPC`."""
        return _together(names, lambda name: seconds_short(self.mean(name, path)))

    # --- the sentences ----------------------------------------------------------------------------------------

    def turned_away(self) -> str:
        """How many of those who ordered were told no."""
        focus = self.of.focus
        path = "orders.refused" if focus.whole else "focus.refused"
        placed = self.mean(self.of.architectures[0], path.replace("refused", "placed"))
        who = f"of {placed:,.0f} customers" + ("" if focus.whole else " who ordered then")
        beginning = f"{focus.text}: {who}" if focus.text else who
        refusing = [name for name in self.of.architectures if self.some(name, path)]
        kept = [name for name in self.of.architectures if name not in refusing]
        counts = [f"{subject(name)} turned {self.count(name, path)} away" for name in refusing[:1]]
        counts += [f"{subject(name)} {self.count(name, path)}" for name in refusing[1:]]
        told = f"{listed(counts)}{self._tie(refusing, path)}"
        nobody = f"{listed(map(subject, kept))} turned nobody away" if kept else ""
        return f"{beginning}, {'; '.join(part for part in (told, nobody) if part)}{self._lost(kept)}."

    def _tie(self, names: list[str], path: str) -> str:
        """Says so when two that look different are not."""
        ties = [name for name in names[1:] if self.of.difference(name, path, names[0]).sign == 0]
        if not ties or self.of.replications == 1:
            return ""
        return f" ({listed(map(subject, [names[0], *ties]))} are not told apart)"

    def _lost(self, kept: list[str]) -> str:
        losers = [name for name in self.brokered if self.some(name, "orders.lost")]
        if losers:
            lost = [f"{subject(name)} lost {self.count(name, 'orders.lost')}" for name in losers]
            return f", but {listed(lost)} of the orders that had been accepted"
        return " and lost no order" if set(kept) & set(self.brokered) else ""

    def waiting(self) -> str:
        """Where the waiting was: with the customer, or in the log."""
        parts = []
        if self.direct:
            waits = self.each(self.direct, "waiting_s.p99")
            parts.append(f"99 of 100 customers were answered within {waits}, where a yes means done")
        if self.brokered:
            answers = self.each(self.brokered, "waiting_s.p99")
            who = "" if self.direct else "99 of 100 customers were answered "
            parts.append(f"{who}within {answers}, where a yes means received: {self._done()}")
        lead = "the waiting did not go away, it moved from the customer into the log: " if self._moved() else ""
        return f"{lead}{'; '.join(parts)}."

    def _done(self) -> str:
        percentile = self.of.percentile_known(self.brokered, "completion_latency_s")
        share = {"p99": "99 of 100", "p95": "95 of 100", "p50": "half of the"}[percentile]
        ends = {name: self.mean(name, f"completion_latency_s.{percentile}") for name in self.brokered}
        some = [name for name, end_s in ends.items() if end_s != float("inf")]
        never = [name for name in ends if name not in some]
        parts = []
        if some:
            within = _together(some, lambda name: seconds_short(ends[name]), " on ")
            parts.append(f"{share} orders were done within {within}")
        if never:
            parts.append(f"on {listed(map(subject, never))} half of the accepted orders were not done at all")
        return ", and ".join(parts)

    def _moved(self) -> bool:
        """Whether customers wait where the answer is done, and orders wait behind the answer where it is received."""
        path = f"completion_latency_s.{self.of.percentile_known(self.brokered, 'completion_latency_s')}"
        behind = any(self.mean(name, path) > 2 * self.mean(name, "waiting_s.p99") + 1 for name in self.brokered)
        return behind and any(self.mean(name, "waiting_s.p99") > 1 for name in self.direct)

    def price(self) -> str:
        """What events cost; of several brokers the one with the most of each."""
        if not self.brokered:
            return ""
        torn, whose = self.of.most(self.brokered, "torn_peak")
        costs = [f"up to {self.count(torn, 'torn_peak')} orders half done at one time{whose}", *self._stale()]
        for path, what in (
            ("duplicated_effects", "effects made twice"),
            ("dead_lettered", "dead letters for a person"),
        ):
            name, whose = self.of.most(self.brokered, path)
            count = self.count(name, path)
            costs.append(f"{count} {what.replace('s ', ' ', 1) if count == '1' else what}{whose}")
        name, whose = self.of.most(self.brokered, "operations.parts")
        parts = f"{self.count(name, 'operations.parts')} parts to run{whose}"
        if self.direct:
            parts += f" instead of {self.count(self.direct[0], 'operations.parts')}"
        return f"the price of events: {listed([*costs, parts])}{self._order_kept()}."

    def _order_kept(self) -> str:
        """What a log with keys gives in return: each customer's effects in the order of the orders."""
        path = "ordering_violations"
        kept = [name for name in self.brokered if not self.some(name, path)]
        others = [name for name in self.of.architectures if self.some(name, path)]
        if not kept or not others:
            return ""
        broken = _together(others, lambda name: self.count(name, path))
        return f"; {listed(map(subject, kept))} kept the order of each key, while effects came out of order: {broken}"

    def _stale(self) -> list[str]:
        paths = [f"services.{service}.staleness_s.max" for service in self.of.scenario.services]
        oldest = max(paths, key=lambda path: max(self.mean(name, path) for name in self.brokered))
        name, whose = self.of.most(self.brokered, oldest)
        age_s = self.mean(name, oldest)
        return [f"{oldest.split('.')[1]}'s view up to {seconds_short(age_s)} old{whose}"] if age_s > 0 else []

    def atomicity(self) -> str:
        """What one transaction is worth, and what abandoned work does in spite of it."""
        torn = [name for name in self.direct if name != "monolith"]
        halves = [f"{subject(name)} had {self.count(name, 'torn_peak')} at one time" for name in torn]
        if "monolith" in self.direct:
            one = f"the monolith's one transaction left {self.count('monolith', 'torn_peak')} order half done"
            text = f"{one}, where {listed(halves)}" if halves else one
        else:
            text = "of orders half done " + listed(halves)
        orphans = [name for name in self.direct if self.some(name, "orphan_effects")]
        twice = [name for name in self.direct if self.some(name, "duplicated_effects")]
        yet = []
        if orphans:
            made = _together(orphans, lambda name: self.count(name, "orphan_effects"))
            yet.append(f"refused orders left effects behind, {made}")
        if twice:
            made = _together(twice, lambda name: self.count(name, "duplicated_effects"))
            yet.append(f"effects were made twice, {made}")
        return f"{text}; yet {', and '.join(yet)}." if yet else f"{text}, and no refused order left effects behind."

    def between_brokers(self) -> str:
        """Where there is no other side: what the brokers differ in."""
        if len(self.brokered) < 2 or self.of.replications == 1:
            return ""
        first, second = self.brokered[:2]
        percentile = self.of.percentile_known(self.brokered, "completion_latency_s")
        found = self.of.difference(second, f"completion_latency_s.{percentile}", first)
        if not found.interval.known:
            return ""
        if not found.sign:
            pair = listed(map(subject, (first, second)))
            return f"{pair} are not told apart in when orders are done ({percentile})."
        more = "later" if found.sign > 0 else "sooner"
        gap = seconds_text(found.interval).lstrip("−")
        return f"orders are done {gap} {more} ({percentile}) with {subject(second)} than with {subject(first)}."

    def turn(self) -> str:
        """What would turn it."""
        turning = self.of.turning
        if turning is None:
            return ""
        was, now = turning.refused
        waits = seconds_short(turning.now.number("waiting_s.p99"))
        known = f" and keep 99 of 100 waiting up to {waits}" if was > now else ""
        return (
            f"what would turn it: with {turning.path} at {spaced(turning.after)} instead of {spaced(turning.before)} "
            f"{subject(turning.architecture)} would turn {now:,} customers away instead of {was:,}{known} (one run)."
        )


def _together(names: Sequence[str], text: Callable[[str], str], preposition: str = " with ") -> str:
    """A text for each name; names with the same text share it."""
    by_text: dict[str, list[str]] = {}
    for name in names:
        by_text.setdefault(text(name), []).append(name)
    return listed(f"{words}{preposition}{listed(map(subject, group))}" for words, group in by_text.items())
