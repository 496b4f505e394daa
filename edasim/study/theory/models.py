"""Which known queue a station is closest to, and what that says: mean wait, percentiles of it, utilisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edasim.study.theory.holding import Moments
from edasim.study.theory.many_servers import (
    allen_cunneen_s,
    bounded,
    pooled_wait_quantile_s,
    pooled_wait_s,
    pooled_wait_tail,
)
from edasim.study.theory.one_server import (
    batch_wait_s,
    erlang_markov_wait_s,
    irregular_wait_s,
    pollaczek_khinchine_s,
)
from edasim.study.theory.stations import Station
from edasim.study.theory.streams import Stream

_SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_SAME = 1e-9


BOUNDED = "birth and death"


@dataclass(frozen=True)
class Prediction:
    """What theory says of one station in the long run; times in seconds, infinite where its queue only grows.

    `model` is its name in Kendall's notation, `law` whose formula it is, `exact` whether that is no approximation.
    `load` is the share of time for which its busiest server is held, `utilisation` the share that is at work on
    average, `percentiles_s` are those of the wait where a formula gives them.
    """

    model: str
    law: str
    exact: bool
    per_s: float
    wait_s: float
    load: float
    utilisation: float
    percentiles_s: dict[str, float]

    @property
    def name(self) -> str:
        """The model, and that it is an approximation where it is one."""
        return self.model if self.exact else f"{self.model}, {self.law} (approximation)"


def predict(station: Station) -> Prediction:
    """What the closest model says."""
    if station.places is not None and math.isfinite(station.servers) and _fits_bounded(station):
        return _bounded(station)
    waits = [_queue_wait(station, share) for share in station.shares]
    wait_s = sum(share * wait for share, wait in zip(station.shares, waits, strict=True) if share)
    law, exact = _law(station.queue, station.hold, station.servers)
    return Prediction(
        _model(station), law, exact, station.coming.per_s, wait_s, station.load, station.utilisation,
        _percentiles(station) if law in ("Erlang C", "M/M/1") else {},
    )


def _queue(station: Station, share: float) -> Stream:
    return station.coming.in_turns(len(station.shares)) if station.in_turns else station.coming.part(share)


def _queue_wait(station: Station, share: float) -> float:
    """The mean wait in the queue that gets this share of what comes."""
    queue, hold, servers = _queue(station, share), station.hold, station.servers
    if math.isinf(servers) or not queue.per_s or not hold.mean_s:
        return 0.0
    if queue.per_s * hold.mean_s >= servers:
        return math.inf
    return _WAITS[_law(queue, hold, servers)[0]](queue, hold, int(servers))


def _law(queue: Stream, hold: Moments, servers: float) -> tuple[str, bool]:
    """Whose formula holds, and whether exactly."""
    if math.isinf(servers):
        return "M/G/infinity", True
    if queue.poisson and hold.exponential:
        return ("Erlang C", True) if servers > 1 else ("M/M/1", True)
    if servers == 1 and queue.poisson:
        return "Pollaczek-Khinchine", True
    if servers == 1 and queue.batch > 1:
        return "Pollaczek-Khinchine for batches", True
    if servers == 1 and hold.exponential and (queue.letter == "D" or queue.stages > 1):
        return "G/M/1", True
    return ("Kraemer-Langenbach-Belz", False) if servers == 1 else ("Allen-Cunneen", False)


_WAITS: dict[str, Callable[[Stream, Moments, int], float]] = {
    "M/M/1": lambda queue, hold, servers: pooled_wait_s(queue.per_s, hold.mean_s, servers),
    "Erlang C": lambda queue, hold, servers: pooled_wait_s(queue.per_s, hold.mean_s, servers),
    "Pollaczek-Khinchine": lambda queue, hold, _: pollaczek_khinchine_s(queue.per_s, hold.mean_s, hold.second_s2),
    "Pollaczek-Khinchine for batches":
        lambda queue, hold, _: batch_wait_s(queue.per_s, queue.batch, hold.mean_s, hold.second_s2),
    "G/M/1": lambda queue, hold, _: erlang_markov_wait_s(
        queue.per_s, 0 if queue.letter == "D" else queue.stages, hold.mean_s),
    "Kraemer-Langenbach-Belz":
        lambda queue, hold, _: irregular_wait_s(queue.per_s, hold.mean_s, (queue.scv, hold.scv)),
    "Allen-Cunneen":
        lambda queue, hold, servers: allen_cunneen_s(queue.per_s, hold.mean_s, servers, (queue.scv, hold.scv)),
}


def _model(station: Station) -> str:
    """`M/M/3`, `3 x M/G/1`; D for what is always as long, and for what comes by the clock."""
    hold = station.hold
    work = "M" if hold.exponential else "D" if hold.variance_s2 <= _SAME * hold.mean_s**2 else "G"
    servers = "infinity" if math.isinf(station.servers) else f"{station.servers:.0f}"
    busy = [share for share in station.shares if share > 0]
    alike = f"{len(busy)} x " if len(busy) > 1 else ""
    return f"{alike}{station.queue.letter}/{work}/{servers}"


def _percentiles(station: Station) -> dict[str, float]:
    """Of the wait at M/M/c; of several queues together, by halving between nothing and the worst of them."""
    queues = [(share, _queue(station, share)) for share in station.shares if share > 0]
    servers, work_s = int(station.servers), station.hold.mean_s
    found = {}
    for name, share in _SHARES.items():
        ends = [pooled_wait_quantile_s(share, queue.per_s, work_s, servers) for _, queue in queues]
        found[name] = ends[0] if len(ends) == 1 else _between(queues, (min(ends), max(ends)), share, (work_s, servers))
    return found


def _between(queues: list[tuple[float, Stream]], ends: tuple[float, float], wanted: float,
             server: tuple[float, int]) -> float:
    low, high = ends
    if not math.isfinite(high):
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        longer = sum(part * pooled_wait_tail(middle, queue.per_s, *server) for part, queue in queues)
        low, high = (middle, high) if longer > 1 - wanted else (low, middle)
    return high


def _fits_bounded(station: Station) -> bool:
    return station.coming.poisson and station.hold.exponential and len(station.shares) == 1


def _bounded(station: Station) -> Prediction:
    """M/M/c/K: those who find no place are refused, so that no load is too much."""
    assert station.places is not None
    servers, room = int(station.servers), int(station.servers) + station.places
    found = bounded(station.coming.per_s, station.hold.mean_s, servers, room)
    at_work = found.utilisation * (station.at_work_s / station.hold.mean_s if station.hold.mean_s else 0.0)
    return Prediction(f"M/M/{servers}/{room}", BOUNDED, True, found.through_per_s, found.wait_s,
                      found.utilisation, at_work, {})
