"""Adding replications until a number is as precise as somebody asked for, or until a budget ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edasim.core.quantity import QuantityError, share, shown
from edasim.study.observation import Observation
from edasim.study.precision import interval

PRECISE_METRIC = "completion_latency_s.p50"
FEWEST = 5
MOST = 100_000


class PrecisionError(ValueError):
    """A precision that cannot be asked for; its text is one sentence."""


@dataclass(frozen=True)
class Precision:
    """Half the width of the interval of `metric` is to be at most `part` of its mean, within `budget` replications."""

    text: str
    part: float
    metric: str
    budget: int

    @classmethod
    def read(cls, text: str, metric: str, replications: int, budget: int) -> Precision:
        """The precision of a text such as `2%`; raises `PrecisionError`."""
        try:
            part = share(text)
        except QuantityError as error:
            raise PrecisionError(f"precision: {error}") from None
        if part == 0:
            raise PrecisionError(f"precision: {shown(text)} cannot be reached: write a share above 0%, such as 2%")
        if replications < FEWEST:
            raise PrecisionError(
                f"{replications} replications are too few to judge a precision from: begin with at least {FEWEST}"
            )
        if isinstance(budget, bool) or not isinstance(budget, int) or not replications <= budget <= MOST:
            raise PrecisionError(f"budget: {shown(budget)} is no number from {replications} replications to {MOST}")
        return cls(text, part, metric, budget)

    def widest(self, observations: Mapping[str, Sequence[Observation]]) -> tuple[str, float]:
        """The architecture in which the number is least precise, and half its width as a share of its mean."""
        shares = {
            name: _relative_half([one.number(self.metric) for one in found]) for name, found in observations.items()
        }
        return max(shares.items(), key=lambda pair: pair[1])

    def reached(self, observations: Mapping[str, Sequence[Observation]]) -> bool:
        """Whether it is precise enough everywhere."""
        return self.widest(observations)[1] <= self.part

    def more(self, observations: Mapping[str, Sequence[Observation]]) -> int:
        """How many replications to add now: as many as the widest seems to need, at most as many as there are."""
        have = min(map(len, observations.values()))
        wide = self.widest(observations)[1]
        if wide <= self.part or have >= self.budget:
            return 0
        # The half goes with the root of the number; half of what that says is added, for it is a guess itself.
        guess = have * (wide / self.part) ** 2 if math.isfinite(wide) else math.inf
        step = have if guess >= 3 * have else math.ceil((guess - have) / 2)
        return min(max(1, step), self.budget - have)

    def sentence(self, observations: Mapping[str, Sequence[Observation]]) -> str:
        """Whether it was reached, and with how much."""
        name, wide = self.widest(observations)
        have = min(map(len, observations.values()))
        if wide <= self.part:
            return f"Precision {self.text} of {self.metric}: reached with n = {have} (at most ±{wide:.2%})."
        why = f"±{wide:.2%} ({name})" if math.isfinite(wide) else f"{name} has no such number in some replications"
        return f"Precision {self.text} of {self.metric}: not reached with n = {have}, the budget: {why}."


def _relative_half(values: Sequence[float]) -> float:
    """Half the interval as a share of the mean; infinite where there is no mean, 0 where nothing varies."""
    found = interval(values)
    if not found.known or math.isnan(found.half):
        return math.inf
    if found.half == 0:
        return 0.0
    return found.half / abs(found.mean) if found.mean else math.inf
