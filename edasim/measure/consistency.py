"""Eventual consistency: how old, how torn, and how soon right again."""
from __future__ import annotations

import numpy as np

from edasim.measure.orders import Bools, Orders
from edasim.measure.steps import Floats


class OldestAge:
    """How old the oldest of what waits is, over time, for things that each wait from a start to an end (seconds).

    Kept as stretches in each of which one thing is the oldest, so that means and maxima are exact.
    """

    def __init__(self, starts_s: Floats, ends_s: Floats) -> None:
        waits = ends_s > starts_s
        begun, ended = starts_s[waits], ends_s[waits]
        order = np.argsort(begun, kind="stable")
        begun, ended = begun[order], ended[order]
        # A thing is the oldest once all that began before it have ended, until it ends itself.
        before = np.concatenate([[-np.inf], np.maximum.accumulate(ended)[:-1]]) if len(ended) else ended
        start = np.maximum(begun, before)
        leads = ended > start
        self.born_s, self.start_s, self.end_s = begun[leads], start[leads], ended[leads]

    def at(self, grid_s: Floats) -> Floats:
        """Seconds at these times; 0 when nothing waits."""
        index = np.searchsorted(self.start_s, grid_s, side="right") - 1
        if not len(self.start_s):
            return np.zeros(len(grid_s))
        safe = np.maximum(index, 0)
        age = grid_s - self.born_s[safe]
        return np.where((index >= 0) & (grid_s < self.end_s[safe]), age, 0.0)

    def _clipped(self, start_s: float, end_s: float) -> tuple[Floats, Floats, Floats]:
        start, end = np.maximum(self.start_s, start_s), np.minimum(self.end_s, end_s)
        here = end > start
        return self.born_s[here], start[here], end[here]

    def mean(self, start_s: float, end_s: float) -> float:
        """The time average between two times, in seconds."""
        born, start, end = self._clipped(start_s, end_s)
        area = float(np.sum((end - born) ** 2 - (start - born) ** 2)) / 2
        return area / (end_s - start_s) if end_s > start_s else 0.0

    def max(self, start_s: float, end_s: float) -> float:
        """The largest value between two times, in seconds."""
        born, _, end = self._clipped(start_s, end_s)
        return float(np.max(end - born, initial=0.0))


def staleness(orders: Orders, service: str) -> OldestAge:
    """How stale a service's view is: the age of the oldest accepted order that it has neither applied nor put aside.

    What was put aside is no longer on its way: it counts as a dead letter from then on.
    """
    applied, wanted = orders.service_effect_s(service)
    mask = orders.accepted & wanted
    return OldestAge(orders.accepted_s[mask], np.minimum(applied, orders.parked_s(service))[mask])


def convergence_s(age: OldestAge, fault_s: tuple[float, float], horizon_s: float) -> float:
    """From a fault's end until staleness is back below its level before; infinite when it never is.

    `fault_s` is the fault's start and end; the level before is the highest in a stretch as long as the fault.
    """
    start_s, end_s = fault_s
    level = age.max(max(0.0, 2 * start_s - end_s), start_s)
    edges = np.concatenate([age.start_s, age.end_s])
    # Age only falls at the edges of stretches, so it is enough to look there.
    moments = np.sort(np.concatenate([[end_s], edges[(edges > end_s) & (edges <= horizon_s)]]))
    back = np.flatnonzero(age.at(moments) <= level)
    return float(moments[back[0]] - end_s) if len(back) else float("inf")


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
