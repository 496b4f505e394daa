"""Step functions of time: how many of something there are, as facts make it go up and down."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Steps:
    """A right-continuous step function: from `times_s[i]` on it is `values[i]`, and 0 before the first."""

    times_s: Floats
    values: Floats

    @classmethod
    def counting(cls, ups_s: Floats, downs_s: Floats) -> Steps:
        """+1 at each of the first times, -1 at each of the second; infinite times never come."""
        times = np.concatenate([ups_s, downs_s])
        moves = np.concatenate([np.ones(len(ups_s)), -np.ones(len(downs_s))])
        return cls.moving(times, moves)

    @classmethod
    def moving(cls, times_s: Floats, moves: Floats) -> Steps:
        """Moves by so much at each time; moves at one instant are one step."""
        here = np.isfinite(times_s)
        instants, places = np.unique(times_s[here], return_inverse=True)
        sums = np.bincount(places, weights=moves[here], minlength=len(instants))
        return cls(instants, np.cumsum(sums) if len(instants) else instants)

    def at(self, grid_s: Floats) -> Floats:
        """The values at these times."""
        index = np.searchsorted(self.times_s, grid_s, side="right")
        return np.concatenate([[0.0], self.values])[index]

    def less(self, other: Steps) -> Steps:
        """The difference of two."""
        times = np.unique(np.concatenate([self.times_s, other.times_s]))
        return Steps(times, self.at(times) - other.at(times))

    def integral(self, start_s: float, end_s: float) -> float:
        """The area under it between two times, exact up to rounding."""
        return float(np.sum(self.values_within(start_s, end_s) * self.widths_within(start_s, end_s)))

    def _edges(self, start_s: float, end_s: float) -> Floats:
        inside = self.times_s[(self.times_s > start_s) & (self.times_s < end_s)]
        return np.concatenate([[start_s], inside, [end_s]])

    def values_within(self, start_s: float, end_s: float) -> Floats:
        """The values that it takes between two times, one for each width."""
        return self.at(self._edges(start_s, end_s)[:-1])

    def widths_within(self, start_s: float, end_s: float) -> Floats:
        """For how long it takes each of them, in seconds."""
        return np.diff(self._edges(start_s, end_s))

    def mean(self, start_s: float, end_s: float) -> float:
        """The time average between two times."""
        return self.integral(start_s, end_s) / (end_s - start_s) if end_s > start_s else 0.0

    def max(self, start_s: float, end_s: float) -> float:
        """The largest value between two times."""
        return float(np.max(self.values_within(start_s, end_s), initial=0.0))

    def share_at_least(self, level: float, start_s: float, end_s: float) -> float:
        """The share of the time for which it is at or above a level; 0 of no time."""
        if end_s <= start_s:
            return 0.0
        high = self.values_within(start_s, end_s) >= level
        return float(np.sum(self.widths_within(start_s, end_s)[high]) / (end_s - start_s))
