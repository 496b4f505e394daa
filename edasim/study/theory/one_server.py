"""Formulas for one server. `per_s` is the rate of arrivals, `work_s` and `work_s2` are E[S] and E[S^2] of the work.

What is overloaded (utilisation 1 and over) waits without end: `inf`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_ROUNDS = 100_000
_CLOSE = 1e-12


def single_wait_s(per_s: float, work_s: float) -> float:
    """The mean wait at M/M/1: rho E[S] / (1 - rho). Source: Kleinrock, Queueing Systems I (1975), 3.2."""
    load = per_s * work_s
    return load * work_s / (1 - load) if load < 1 else math.inf


def single_sojourn_quantile_s(share: float, per_s: float, work_s: float) -> float:
    """The time in an M/M/1 below which this share of the customers stays: it is exponential with mean
    E[S] / (1 - rho). Source: Kleinrock I, 5.7.
    """
    load = per_s * work_s
    return -math.log1p(-share) * work_s / (1 - load) if load < 1 else math.inf


def pollaczek_khinchine_s(per_s: float, work_s: float, work_s2: float) -> float:
    """The mean wait at M/G/1: lambda E[S^2] / (2 (1 - rho)). Source: Pollaczek (1930), Khinchine (1932)."""
    load = per_s * work_s
    return per_s * work_s2 / (2 * (1 - load)) if load < 1 else math.inf


def batch_wait_s(per_s: float, size: int, work_s: float, work_s2: float) -> float:
    """The mean wait at M^[X]/G/1 with batches of one size: Pollaczek and Khinchine's, and (X - 1) E[S] / (2 (1 - rho))
    behind others of the batch. `per_s` counts customers. Source: Gross and Harris, Queueing Theory, 5.1.9.
    """
    load = per_s * work_s
    if load >= 1:
        return math.inf
    return pollaczek_khinchine_s(per_s, work_s, work_s2) + (size - 1) * work_s / (2 * (1 - load))


def erlang_markov_wait_s(per_s: float, stages: int, work_s: float) -> float:
    """The mean wait at E_k/M/1, where every k-th of a Poisson stream comes, k = `stages`; at D/M/1 for 0 stages.

    sigma E[S] / (1 - sigma) with sigma = A(mu (1 - sigma)), A the transform of the time between arrivals.
    Source: Kleinrock I, 6.4 (G/M/1).
    """
    load = per_s * work_s
    if load >= 1 or not load:
        return math.inf if load >= 1 else 0.0
    sigma = load
    for _ in range(_ROUNDS):
        spare = (1 - sigma) / load
        now = (1 + spare / stages) ** -stages if stages else math.exp(-spare)
        if abs(now - sigma) < _CLOSE * (1 - now):
            break
        sigma = now
    return sigma * work_s / (1 - sigma)


def irregular_wait_s(per_s: float, work_s: float, scvs: tuple[float, float]) -> float:
    """The mean wait at G/G/1, an approximation: rho E[S] (C_a^2 + C_s^2) / (2 (1 - rho)), less where arrivals are
    regular. Source: Kraemer and Langenbach-Belz (1976), as in Whitt, The Queueing Network Analyzer (1983), eq. 44.
    """
    load, (arrivals, work) = per_s * work_s, scvs
    if load >= 1 or not load:
        return math.inf if load >= 1 else 0.0
    both = arrivals + work
    regular = math.exp(-2 * (1 - load) * (1 - arrivals) ** 2 / (3 * load * both)) if arrivals < 1 and both else 1.0
    return load * work_s * both / (2 * (1 - load)) * regular


def sharing_sojourn_s(per_s: float, work_s: float) -> float:
    """The mean time at M/G/1 with processor sharing, whatever the shape of the work: E[S] / (1 - rho).

    Source: Kleinrock, Queueing Systems II (1976), 4.4.
    """
    load = per_s * work_s
    return work_s / (1 - load) if load < 1 else math.inf


def priority_waits_s(classes: Sequence[tuple[float, float, float]]) -> list[float]:
    """The mean wait of each class at M/G/1 where the first goes first and none is interrupted.

    A class is (per_s, work_s, work_s2). Source: Cobham, Operations Research 2(1), 1954.
    """
    residual, above = 0.0, 0.0
    for per_s, work_s, work_s2 in classes:
        # Of a class that is too much only what the others leave room for is ever at work.
        through = min(per_s, (1 - above) / work_s) if work_s else per_s
        residual += through * work_s2 / 2
        above += through * work_s
    waits, above = [], 0.0
    for per_s, work_s, _ in classes:
        upto = above + per_s * work_s
        waits.append(residual / ((1 - above) * (1 - upto)) if upto < 1 else math.inf)
        above = upto
    return waits


def kingman_bound_s(per_s: float, work_s: float, variances_s2: tuple[float, float]) -> float:
    """What the mean wait at G/G/1 cannot exceed: lambda (Var[A] + Var[S]) / (2 (1 - rho)).

    `variances_s2` are those of the time between arrivals and of the work. Source: Kingman (1962).
    """
    load = per_s * work_s
    return per_s * sum(variances_s2) / (2 * (1 - load)) if load < 1 else math.inf
