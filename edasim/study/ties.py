"""Ties: what a study makes of the same scenario when events at the same instant happen in another order.

In a real system nobody promises who is first at one instant, so that no conclusion may hang on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from edasim.core.conservation import ConservationError
from edasim.simulate import Limits, simulate
from edasim.study.compare import compare
from edasim.study.comparison import Comparison, number_paths

_AMOUNT = re.compile(r"[0-9][0-9,.]*(?: ?(?:±|to) ?[0-9][0-9,.]*)*(?: (?:ns|µs|us|ms|s|min|h|d)\b)?%?")
MOST_SHOWN = 12
_SAME = 1e-9


@dataclass(frozen=True)
class Changed:
    """A number that changed: its mean in the order of scheduling, and the least and the most in the random orders."""

    architecture: str
    path: str
    before: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """How far it went, as a part of what it was."""
        furthest = max(abs(self.high - self.before), abs(self.low - self.before))
        return furthest / abs(self.before) if self.before and math.isfinite(furthest) else math.inf


class Ties:
    """A comparison, and the same with events of one instant in so many random orders."""

    def __init__(self, plain: Comparison, permuted: Sequence[Comparison]) -> None:
        self.plain = plain
        self.permuted = permuted

    @cached_property
    def conclusions(self) -> list[str]:
        """The verdicts of the random orders, without their amounts, that are not the verdict of the plain order."""
        plain = conclusion(self.plain)
        return [words for words in dict.fromkeys(map(conclusion, self.permuted)) if words != plain]

    @cached_property
    def changed(self) -> list[Changed]:
        """The numbers of `--json` that are not the same in all orders, those that changed most first."""
        found = [
            Changed(name, path, before, min(after), max(after))
            for name in self.plain.architectures
            for path in number_paths(self.plain.first(name).numbers)
            for before, *after in [[one.interval(name, path).mean for one in (self.plain, *self.permuted)]]
            if any(not _alike(value, before) for value in after)
        ]
        return sorted(found, key=lambda one: -one.share)

    @property
    def fine(self) -> bool:
        """Whether all orders lead to the same conclusions."""
        return not self.conclusions

    def __str__(self) -> str:
        orders = f"{len(self.permuted)} random orders of what happens at the same instant"
        if not self.changed and self.fine:
            return f"Ties: in {orders}, all numbers stay the same; conservation holds."
        said = "the verdict's conclusions stay the same" if self.fine else "THE VERDICT'S CONCLUSIONS CHANGE"
        lines = [f"Ties: in {orders}, {said}; conservation holds; {len(self.changed)} numbers change, the most:"]
        lines += [f"  {one.architecture} {one.path}: {one.before:.6g}, then {one.low:.6g} to {one.high:.6g}"
                  for one in self.changed[:MOST_SHOWN]]
        for words in self.conclusions:
            for before, after in _unlike(self.plain, words):
                lines += [f"  plain order: {before}", f"  another one: {after}"]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """What `--json` adds as `ties`."""
        return {
            "orders": len(self.permuted),
            "conservation": "ok",
            "conclusions": "same" if self.fine else "changed",
            "changed": {
                name: {one.path: {"before": _finite(one.before), "low": _finite(one.low), "high": _finite(one.high)}
                       for one in self.changed if one.architecture == name}
                for name in self.plain.architectures
            },
        }


def shuffle_ties(plain: Comparison, orders: int, limits: Limits, progress: Callable[[int, int], None]) -> Ties:
    """Repeat a comparison with events of one instant in so many random orders; `progress(done, of all)`.

    Raises what `simulate` raises; a ConservationError says in which order it broke.
    """
    permuted = []
    for number in range(1, orders + 1):
        progress(number - 1, orders)
        runner = partial(simulate, shuffle_ties=number, limits=limits)
        try:
            permuted.append(compare(plain.scenario, plain.architectures, plain.replications, plain.seed, None, runner))
        except ConservationError as error:
            raise ConservationError(f"with ties in random order {number}, {error}") from None
    progress(orders, orders)
    return Ties(plain, permuted)


def conclusion(comparison: Comparison) -> str:
    """The verdict without its amounts, and without what would turn it, which is about another run."""
    alone = Comparison(
        comparison.scenario, comparison.seed, comparison.asked, comparison.observations, comparison.runs
    )
    alone.turning = None
    return _AMOUNT.sub("#", alone.verdict())


def _unlike(plain: Comparison, words: str) -> list[tuple[str, str]]:
    before, after = conclusion(plain).splitlines(), words.splitlines()
    pairs = zip(before + [""] * (len(after) - len(before)), after + [""] * (len(before) - len(after)), strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


def _alike(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= _SAME * max(abs(one), abs(other))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
