"""Birth-death chains: a queue whose customers come at random and leave at a rate that hangs on how many are there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edasim.core.quantiles import Floats

_MOST_PLACES = 20_000
"""With more places than these a queue that is not overloaded counts as one without a limit."""


@dataclass(frozen=True)
class LongRun:
    """The share of customers who are refused, and how many wait and how many are in service on average.

    `waiting` is infinite where the queue only grows.
    """

    refused: float
    waiting: float
    served: float


def long_run(per_s: float, rates: Floats, places: float = math.inf) -> LongRun:
    """The chain with births at `per_s` and deaths at `rates[n-1]` a second while n are there.

    So many as there are rates can be in service, the others wait, at most `places` of them (infinite: no limit); with
    all in service the last rate holds. `per_s` and the rates are above 0.
    Source: Kleinrock, Queueing Systems I (1975), 3.1.
    """
    servers = len(rates)
    logs = np.concatenate([[0.0], np.cumsum(math.log(per_s) - np.log(rates))])
    ratio = per_s / float(rates[-1])
    if math.isinf(places) or (places > _MOST_PLACES and ratio < 1):
        return _endless(logs, ratio, servers)
    if places > _MOST_PLACES:
        # All are in service nearly always, and few places are free: a geometric number, at a load of 1 any number.
        free = min(places / 2, 1 / (ratio - 1) if ratio > 1 else math.inf)
        return LongRun(1 - 1 / ratio, places - free, servers)
    logs = np.concatenate([logs, logs[-1] + math.log(ratio) * np.arange(1, int(places) + 1)])
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    there = np.arange(len(chances))
    return LongRun(float(chances[-1]), float(np.maximum(there - servers, 0) @ chances),
                   float(np.minimum(there, servers) @ chances))


def with_room(per_s: float, rates: Floats, places: float, scale: float) -> LongRun:
    """The same where work or arrivals vary more or less than here, an approximation.

    What waits is `scale` times as much, so that the places count 1 / scale of what they are, as in a diffusion;
    between whole numbers of places by straight lines.
    """
    room = places / scale
    if math.isinf(room):
        found = long_run(per_s, rates)
        return LongRun(0.0, found.waiting * scale, found.served)
    low, part = math.floor(room), room - math.floor(room)
    one, other = long_run(per_s, rates, low), long_run(per_s, rates, low + 1)
    refused, waiting, served = (
        (1 - part) * getattr(one, name) + part * getattr(other, name) for name in ("refused", "waiting", "served"))
    return LongRun(refused, min(waiting * scale, places), served)


def _endless(logs: Floats, ratio: float, servers: int) -> LongRun:
    """Beyond the servers the chances are geometric."""
    if ratio >= 1:
        return LongRun(0.0, math.inf, servers)
    chances = np.exp(logs - logs.max())
    beyond = float(chances[-1]) * ratio / (1 - ratio)
    total = float(chances.sum()) + beyond
    served = float(np.arange(servers + 1) @ chances) + servers * beyond
    return LongRun(0.0, beyond / (1 - ratio) / total, served / total)
