"""Which known queue a station is closest to, and what that says: mean wait, percentiles of it, utilisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edasim.study.theory.birth_death import with_room
from edasim.study.theory.holding import Moments
from edasim.study.theory.many_servers import (
    allen_cunneen_s,
    pooled_wait_quantile_s,
    pooled_wait_s,
    pooled_wait_tail,
)
from edasim.study.theory.one_server import (
    batch_wait_s,
    erlang_markov_wait_s,
    irregular_wait_s,
    pollaczek_khinchine_s,
    priority_waits_s,
)
from edasim.study.theory.shared_cores import MOST_WORKERS, stretched, throughputs
from edasim.study.theory.stations import Station
from edasim.study.theory.streams import Stream

_SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_SAME = 1e-9
_LEAST = 0.1
_SCALED = "birth and death, scaled by the variation"
_LARGE = 1e9
"""Infinite coefficients of variation count as this."""


@dataclass(frozen=True)
class Prediction:
    """What theory says of one station in the long run; times in seconds, infinite where its queue only grows.

    `model` is its name in Kendall's notation, `law` whose formula it is, `exact` whether that is no approximation.
    `load` is the share of time for which its busiest server is held, `utilisation` the share that is at work on
    average (not a number where servers are unlimited), `at_work` how many are (where no cores are shared),
    `percentiles_s` are those of the wait where a formula gives them. `wait_s` is not a number where no formula is
    there. `refused` is the share of those who find no place, `stretch` how many times as long work takes because
    cores are shared, `urgency_waits_s` the wait of each class, by the names of its producers, the most urgent first.
    """

    model: str
    law: str
    exact: bool
    per_s: float
    wait_s: float
    load: float
    utilisation: float
    percentiles_s: dict[str, float]
    at_work: float = math.nan
    refused: float = 0.0
    stretch: float = 1.0
    urgency_waits_s: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model, and that it is an approximation where it is one."""
        return self.model if self.exact or math.isnan(self.wait_s) else f"{self.model}, {self.law} (approximation)"


def predict(station: Station) -> Prediction:
    """What the closest model says."""
    worked = 0 < station.coming.per_s < math.inf and 0 < station.hold.mean_s < math.inf
    if station.sharing and worked:
        found = _shared(station)
    elif station.bounded and worked:
        found = _bounded(station)
    else:
        found = _plain(station)
    return by_urgency(station, found) if station.urgencies and found.wait_s else found


def _plain(station: Station) -> Prediction:
    waits = [_queue_wait(station, share) for share in station.shares]
    wait_s = sum(share * wait for share, wait in zip(station.shares, waits, strict=True) if share)
    law, exact = _law(station.queue, station.hold, station.servers)
    return Prediction(
        model_of(station), law, exact, station.coming.per_s, wait_s, station.load, station.utilisation,
        _percentiles(station) if law in ("Erlang C", "M/M/1") else {}, at_work=station.at_work,
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


def model_of(station: Station) -> str:
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


# --- little room ----------------------------------------------------------------------------------------------


def _bounded(station: Station) -> Prediction:
    """Those who find no place are refused, so that no load is too much.

    M/M/c/K by its chain; where nobody may wait Erlang's loss formula, whatever the shape of the work. For others the
    chain is scaled, an approximation.
    """
    assert station.places is not None
    servers, per_s, hold = int(station.servers), station.coming.per_s, station.hold
    exact = station.coming.poisson and (hold.exponential or not station.places)
    law = ("birth and death" if exact else _SCALED) if station.places else "Erlang B"
    found = with_room(per_s, np.arange(1, servers + 1) / hold.mean_s, station.places, 1.0 if exact else scale(station))
    through = per_s * (1 - found.refused)
    held = min(1.0, through * hold.mean_s / servers)
    at_work = held * station.at_work_s / hold.mean_s
    return Prediction(
        f"{model_of(station)}/{servers + station.places}", law, exact, through, found.waiting / through, held,
        math.nan if station.unlimited else at_work, {}, at_work=at_work * servers, refused=found.refused)


def scale(station: Station) -> float:
    """Allen's and Cunneen's ratio: how many times as many wait as where all is exponential."""
    return max(_LEAST, (min(station.queue.scv, _LARGE) + min(station.hold.scv, _LARGE)) / 2)


# --- shared cores ---------------------------------------------------------------------------------------------


def _shared(station: Station) -> Prediction:
    """Workers who share fewer cores: processor sharing, with a limit on how many share where workers are limited."""
    if len(station.shares) > 1:
        return _shared_apart(station)
    elsewhere_s = max(0.0, station.hold.mean_s - station.core_s)
    elsewhere_s = 0.0 if elsewhere_s < _SAME * station.core_s else elsewhere_s
    if math.isinf(station.servers) or (elsewhere_s and station.servers > MOST_WORKERS):
        return _shared_by_all(station, elsewhere_s)
    rates = throughputs(station.core_s, station.cores, elsewhere_s, int(station.servers))
    places = math.inf if station.places is None else station.places
    chain = station.coming.poisson and station.hold.exponential and not elsewhere_s
    found = with_room(station.coming.per_s, rates, places, 1.0 if chain else scale(station))
    through = min(station.coming.per_s * (1 - found.refused), float(rates[-1]))
    room = "" if station.places is None else f"/{int(station.servers) + station.places}"
    return Prediction(
        f"{_by_cores(station)}{room} of at most {station.servers:.0f}", _shared_law(station, chain, elsewhere_s), chain,
        through, found.waiting / through, (through if room else station.coming.per_s) / float(rates[-1]),
        _used(station, through), {}, refused=found.refused,
        stretch=max(1.0, (found.served / through - elsewhere_s) / station.core_s))


def _shared_law(station: Station, chain: bool, elsewhere_s: float) -> str:
    """Whose formula it is that workers of a limited number share cores by."""
    if chain:
        return "birth and death"
    one = station.cores == 1 and not elsewhere_s and station.coming.poisson and station.places is None
    return "Avi-Itzhak and Halfin" if one else "flow-equivalent server"


def _shared_by_all(station: Station, elsewhere_s: float) -> Prediction:
    """No limit on how many share, or one that is far away."""
    per_s = station.coming.per_s
    stretch = stretched(per_s, station.core_s, station.cores)
    held = per_s * (station.core_s * stretch + elsewhere_s)
    over = held >= station.servers
    exact = station.coming.poisson and math.isinf(station.servers)
    through = min(per_s, station.cores / station.core_s)
    return Prediction(
        _by_cores(station), "processor sharing", exact, per_s,
        math.inf if over and math.isfinite(station.servers) else 0.0,
        station.load, _used(station, through), {}, stretch=stretch)


def _shared_apart(station: Station) -> Prediction:
    """Each worker has a queue of its own and all share the cores: there is no closed form for their waits."""
    wait_s = math.inf if station.load >= 1 else math.nan
    through = min(station.coming.per_s, station.cores / station.core_s)
    return Prediction(
        f"{model_of(station)} on {_cores_words(station)}", "no closed form", False, station.coming.per_s, wait_s,
        station.load, _used(station, through), {}, stretch=math.nan)


def _by_cores(station: Station) -> str:
    """`M/G/2-PS`: processor sharing on so many cores."""
    return f"{model_of(replace(station, servers=station.cores))}-PS"


def _cores_words(station: Station) -> str:
    return "1 core" if station.cores == 1 else f"{station.cores:.0f} cores"


def _used(station: Station, through_per_s: float) -> float:
    """The share of the cores in use, for this service's part of the work."""
    return min(1.0, through_per_s * station.own_core_s / station.cores)


# --- who goes first -------------------------------------------------------------------------------------------


def by_urgency(station: Station, found: Prediction) -> Prediction:
    """The same where the more urgent go first: each class by Cobham's formula where it holds, and the mean of all.

    Where all are alike the mean is what it is without priorities, by the conservation law.
    Source: Kleinrock, Queueing Systems II (1976), 3.4.
    """
    alike = all(one.hold == station.hold for one in station.urgencies)
    plain = station.places is None and not station.sharing and len(station.shares) == 1
    one = station.servers == 1 and station.coming.poisson and plain
    law = "Cobham" if one else f"{found.law} by the conservation law"
    exact = found.exact and (one or alike)
    if not plain:
        return replace(found, law=law, exact=exact, percentiles_s={})
    waits_s = _urgency_waits(station, found.wait_s)
    wait_s = sum(one.share * wait for one, wait in zip(station.urgencies, waits_s, strict=True))
    names = [" and ".join(one.producers) for one in station.urgencies]
    return replace(found, law=law, exact=exact, percentiles_s={}, wait_s=wait_s if one else found.wait_s,
                   urgency_waits_s=dict(zip(names, waits_s, strict=True)))


def _urgency_waits(station: Station, wait_s: float) -> list[float]:
    """Cobham's for one server; for several servers, what all wait together is divided in the same ratio."""
    per_s, servers = station.coming.per_s, int(station.servers)
    if servers == 1 and station.coming.poisson:
        return priority_waits_s([(one.share * per_s, one.hold.mean_s, one.hold.second_s2) for one in station.urgencies])
    # With equal work W_k = W (1 - rho) / ((1 - rho before) (1 - rho up to it)), at M/M/c exactly (Cobham 1954).
    at_most_s = station.hold.mean_s / servers * scale(station)
    residual_s = wait_s * (1 - station.load) if station.load < 1 else at_most_s
    waits, above = [], 0.0
    for one in station.urgencies:
        upto = above + one.share * per_s * one.hold.mean_s / servers
        waits.append(residual_s / ((1 - above) * (1 - upto)) if upto < 1 else math.inf)
        above = upto
    return waits
