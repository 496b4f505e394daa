"""Formulas for many servers at one queue. `offered` is the work offered in servers (Erlang), lambda E[S].

What is overloaded waits without end: `inf`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edasim.study.theory.birth_death import long_run


def erlang_b(servers: int, offered: float) -> float:
    """The share of customers who find all servers busy when nobody may wait.

    By 1/B(c) = 1 + c/a 1/B(c-1), which cannot overflow early. Source: Erlang (1917); Jagerman (1974).
    """
    if offered == 0:
        return 0.0 if servers else 1.0
    inverse = 1.0
    for count in range(1, servers + 1):
        inverse = 1.0 + inverse * count / offered
    return 1.0 / inverse


def erlang_c(servers: int, offered: float) -> float:
    """The share of customers who have to wait at M/M/c. Source: Erlang (1917)."""
    if offered >= servers:
        return 1.0
    blocked = erlang_b(servers, offered)
    return blocked / (1 - offered / servers * (1 - blocked))


def pooled_wait_s(per_s: float, work_s: float, servers: int) -> float:
    """The mean wait at M/M/c: C(c, a) E[S] / (c - a). Source: Gross and Harris, Queueing Theory, 2.3."""
    offered = per_s * work_s
    return erlang_c(servers, offered) * work_s / (servers - offered) if offered < servers else math.inf


def pooled_wait_tail(time_s: float, per_s: float, work_s: float, servers: int) -> float:
    """The share of customers who wait longer than a time at M/M/c, first come first served: C exp(-(c mu - lambda) t).

    Source: Gross and Harris, 2.3.
    """
    offered = per_s * work_s
    if offered >= servers:
        return 1.0
    return erlang_c(servers, offered) * math.exp(-(servers - offered) / work_s * time_s)


def pooled_wait_quantile_s(share: float, per_s: float, work_s: float, servers: int) -> float:
    """The wait below which this share of the customers stays at M/M/c; 0 where that many need not wait."""
    offered = per_s * work_s
    if offered >= servers:
        return math.inf
    waiting = erlang_c(servers, offered)
    return math.log(waiting / (1 - share)) * work_s / (servers - offered) if waiting > 1 - share else 0.0


@dataclass(frozen=True)
class Bounded:
    """M/M/c/K in the long run: the share refused, what gets through per second, mean wait and utilisation of those."""

    refused: float
    through_per_s: float
    wait_s: float
    utilisation: float


def bounded(per_s: float, work_s: float, servers: int, places: int) -> Bounded:
    """M/M/c/K by its birth-death chain; `places` is K, those at work and those that wait.

    Source: Gross and Harris, 2.5.
    """
    if not per_s or not work_s:
        return Bounded(0.0, per_s, 0.0, 0.0)
    found = long_run(per_s, np.arange(1, servers + 1) / work_s, places - servers)
    through = per_s * (1 - found.refused)
    return Bounded(found.refused, through, found.waiting / through, through * work_s / servers)


def unlimited_number(per_s: float, work_s: float) -> float:
    """How many are at work at M/G/infinity, where nobody waits: lambda E[S], Poisson whatever the shape.

    Source: Kleinrock I, 3.4; Takacs (1962).
    """
    return per_s * work_s


def allen_cunneen_s(per_s: float, work_s: float, servers: int, scvs: tuple[float, float]) -> float:
    """The mean wait at G/G/c, an approximation: that of M/M/c times (C_a^2 + C_s^2) / 2.

    `scvs` are the squared coefficients of variation of the time between arrivals and of the work; exact for M/G/1 and
    M/M/c. Source: Allen, Probability, Statistics and Queueing Theory (1990), 5.3.
    """
    wait_s = pooled_wait_s(per_s, work_s, servers)
    return wait_s * sum(scvs) / 2 if wait_s else 0.0
