"""Eventual consistency: how old, how torn, and how soon right again."""
from __future__ import annotations

import numpy as np

from edasim.measure.orders import Bools, Orders
from edasim.measure.steps import Floats


class Staleness:
    """How stale a service's view is: the age of the oldest accepted order that it has neither applied nor put aside.

    Kept as stretches in each of which one order is the oldest, so that means and maxima are exact.
    """

    def __init__(self, orders: Orders, service: str) -> None:
        applied, wanted = orders.service_effect_s(service)
        # What was put aside is no longer on its way: it counts as a dead letter from then on.
        applied = np.minimum(applied, orders.parked_s(service))
        mask = orders.accepted & wanted & (applied > orders.accepted_s)
        accepted, applied = orders.accepted_s[mask], applied[mask]
        order = np.argsort(accepted, kind="stable")
        accepted, applied = accepted[order], applied[order]
        # An order is the oldest once all that were accepted before it are applied, until it is applied itself.
        reached = np.maximum.accumulate(applied) if len(applied) else applied
        before = np.concatenate([[-np.inf], reached[:-1]]) if len(applied) else applied
        start = np.maximum(accepted, before)
        leads = applied > start
        self.accepted_s, self.start_s, self.end_s = accepted[leads], start[leads], applied[leads]

    def at(self, grid_s: Floats) -> Floats:
        """Seconds of staleness at these times; 0 when all is applied."""
        index = np.searchsorted(self.start_s, grid_s, side="right") - 1
        if not len(self.start_s):
            return np.zeros(len(grid_s))
        safe = np.maximum(index, 0)
        age = grid_s - self.accepted_s[safe]
        return np.where((index >= 0) & (grid_s < self.end_s[safe]), age, 0.0)

    def _clipped(self, start_s: float, end_s: float) -> tuple[Floats, Floats, Floats]:
        start, end = np.maximum(self.start_s, start_s), np.minimum(self.end_s, end_s)
        here = end > start
        return self.accepted_s[here], start[here], end[here]

    def mean(self, start_s: float, end_s: float) -> float:
        """The time average between two times, in seconds."""
        accepted, start, end = self._clipped(start_s, end_s)
        area = float(np.sum((end - accepted) ** 2 - (start - accepted) ** 2)) / 2
        return area / (end_s - start_s) if end_s > start_s else 0.0

    def max(self, start_s: float, end_s: float) -> float:
        """The largest value between two times, in seconds."""
        accepted, _, end = self._clipped(start_s, end_s)
        return float(np.max(end - accepted, initial=0.0))

    def convergence_s(self, fault_start_s: float, fault_end_s: float, horizon_s: float) -> float:
        """From a fault's end until staleness is back below its level before; infinite when it never is."""
        length = fault_end_s - fault_start_s
        level = self.max(max(0.0, fault_start_s - length), fault_start_s)
        late = (self.end_s > fault_end_s) & (self.end_s - self.accepted_s > level)
        if not late.any():
            return 0.0
        last = float(np.max(self.end_s[late]))
        return last - fault_end_s if last <= horizon_s else float("inf")


def t_visibility(orders: Orders, service: str, delays_s: Floats) -> Floats:
    """The share of counted accepted orders that a service shows so long after acceptance, for each delay."""
    lag = visible_after_s(orders, service)
    if not len(lag):
        return np.ones(len(delays_s))
    return np.searchsorted(np.sort(lag), delays_s, side="right") / len(lag)


def visible_after_s(orders: Orders, service: str) -> Floats:
    """For each counted accepted order: how long after acceptance a service has applied it (0 at once)."""
    applied, wanted = orders.service_effect_s(service)
    mask: Bools = orders.accepted & wanted & orders.counted
    lag = applied[mask] - orders.accepted_s[mask]
    return np.maximum(lag, 0.0)


def read_your_writes_violations(orders: Orders, service: str, after_s: float) -> int:
    """How many customers who look so long after their answer do not find their own order."""
    return int(np.sum(visible_after_s(orders, service) > after_s))
