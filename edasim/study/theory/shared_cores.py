"""Formulas for workers who share fewer cores: processor sharing, without and with a limit on how many share.

`core_s` is the mean work on a core, `elsewhere_s` the mean time for which a worker is held without one: the waits
between attempts, for a store or a commit.
"""

from __future__ import annotations

import math

import numpy as np

from edasim.core.quantiles import Floats
from edasim.study.theory.many_servers import pooled_wait_s

MOST_WORKERS = 1_000
"""More workers who also wait elsewhere count as unlimited ones, if so many are enough."""


def stretched(per_s: float, core_s: float, cores: float) -> float:
    """How many times as long work takes at M/G/c with processor sharing, where each has at most one core.

    The queue is symmetric, so that the shape of the work does not matter: as many are there as at M/M/c, and with one
    core it is 1 / (1 - rho). Source: Kelly, Reversibility and Stochastic Networks (1979), 3.3; Kleinrock, Queueing
    Systems II (1976), 4.4.
    """
    return 1.0 if math.isinf(cores) else 1 + pooled_wait_s(per_s, core_s, int(cores)) / core_s


def throughputs(core_s: float, cores: float, elsewhere_s: float, workers: int) -> Floats:
    """How many leave a second while 1, 2, ... `workers` hold a worker each, by Norton's theorem for queues.

    G(n-1) / G(n) with G(n) = sum over k of core_s^k / (1 2 ... min(k, c)) elsewhere_s^(n-k) / (n-k)!; exact where
    nobody is held elsewhere. Source: Chandy, Herzog and Woo, IBM J. Res. Dev. 19(1), 1975; Buzen (1973).
    """
    numbers = np.arange(1, workers + 1)
    if not elsewhere_s:
        rates: Floats = np.minimum(numbers, cores) / core_s
        return rates
    assert workers <= MOST_WORKERS, "the sums grow with the square of the number of workers"
    steps = np.log(core_s / np.minimum(numbers, cores))
    sharing = np.concatenate([[0.0], np.cumsum(steps)])
    away = np.concatenate([[0.0], np.cumsum(math.log(elsewhere_s) - np.log(numbers))])
    sums = np.array([np.logaddexp.reduce(sharing[:number + 1] + away[number::-1]) for number in range(workers + 1)])
    throughput: Floats = np.exp(sums[:-1] - sums[1:])
    return throughput
