"""Age of information: how old the newest is that a service knows.

At any time it is the time since the placing of the newest order that the service has applied; while it has applied
none, the time since the start of the run.  It rises with the clock and falls when a newer order is applied.  Unlike
staleness it rises also while nothing happens, for nobody can know then that nothing does.

Source: Kaul, Yates and Gruteser, "Real-time status: how often should one update?", INFOCOM 2012.
"""
from __future__ import annotations

import numpy as np

from edasim.measure.orders import Orders
from edasim.measure.steps import Floats


class Age:
    """A saw-tooth over time from what was born and applied when (seconds); what is older than the newest is no news."""

    def __init__(self, born_s: Floats, applied_s: Floats) -> None:
        known = np.isfinite(applied_s)
        order = np.lexsort((born_s[known], applied_s[known]))
        born, applied = born_s[known][order], applied_s[known][order]
        before = np.concatenate([[0.0], np.maximum.accumulate(born)[:-1]]) if len(born) else born
        news = born > before
        self.fall_s: Floats = applied[news]
        """When it falls."""
        self.newest_s: Floats = np.concatenate([[0.0], born[news]])
        """When the newest was born that is known before the first fall, between falls, and after the last."""

    def at(self, grid_s: Floats) -> Floats:
        """Seconds at these times."""
        age: Floats = grid_s - self.newest_s[np.searchsorted(self.fall_s, grid_s, side="right")]
        return age

    def mean(self, start_s: float, end_s: float) -> float:
        """The time average between two times."""
        if end_s <= start_s:
            return 0.0
        edges = np.concatenate([[start_s], self.fall_s[(self.fall_s > start_s) & (self.fall_s < end_s)], [end_s]])
        low = self.at(edges[:-1])
        width = np.diff(edges)
        return float(np.sum(width * (low + width / 2)) / (end_s - start_s))

    def peaks(self, start_s: float, end_s: float) -> Floats:
        """How old the newest was just before each fall between two times."""
        here = (self.fall_s > start_s) & (self.fall_s <= end_s)
        peaks: Floats = (self.fall_s - self.newest_s[:-1])[here]
        return peaks

    def peak(self, start_s: float, end_s: float) -> float:
        """The mean of the peaks; the age at the end where it never falls."""
        peaks = self.peaks(start_s, end_s)
        return float(peaks.mean()) if len(peaks) else float(self.at(np.array([end_s]))[0])


def age(orders: Orders, service: str) -> Age:
    """The age of what a service knows of the orders, those of the warm-up included."""
    applied, wanted = orders.service_effect_s(service)
    return Age(orders.placed_s[wanted], applied[wanted])
