"""Formulas for queues that feed each other: what leaves one, what joins again, what is tried again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edasim.study.theory.one_server import single_wait_s


def little(per_s: float, time_s: float) -> float:
    """How many are in a system on average: L = lambda W. Source: Little, Operations Research 9(3), 1961."""
    return per_s * time_s


def attempts_each(fails: float, most: int | None) -> float:
    """The mean number of attempts when each fails with this chance: (1 - p^n) / (1 - p), without a limit 1 / (1 - p).

    Source: the mean of a geometric distribution, truncated.
    """
    if fails >= 1:
        return math.inf if most is None else float(most)
    return (1 - (0.0 if most is None else fails**most)) / (1 - fails)


def retried_rate(per_s: float, fails: float, most: int | None) -> float:
    """How many attempts a second so many messages make: lambda / (1 - p), less where attempts have a limit."""
    return per_s * attempts_each(fails, most)


def tandem_sojourn_s(per_s: float, works_s: Sequence[float]) -> float:
    """The mean time through M/M/1 queues one after another, each as if it were alone. Source: Burke (1956)."""
    return sum(single_wait_s(per_s, work_s) + work_s for work_s in works_s)


def departure_scv(load: float, servers: int, scvs: tuple[float, float]) -> float:
    """How irregularly customers leave G/G/c: 1 + (1 - rho^2)(C_a^2 - 1) + rho^2 / sqrt(c) (max(C_s^2, 0.2) - 1).

    An approximation; 1 for M/M/c, as Burke has it. Source: Whitt, The Queueing Network Analyzer (1983), eq. 39.
    """
    load = min(load, 1.0)
    arrivals, work = scvs
    return 1 + (1 - load**2) * (arrivals - 1) + load**2 / math.sqrt(servers) * (max(work, 0.2) - 1)


def split_scv(share: float, scv: float) -> float:
    """How irregularly a share of a stream comes, taken out at random: p C^2 + 1 - p. Source: Whitt (1983), eq. 36."""
    return share * scv + 1 - share


def merged_scv(streams: Iterable[tuple[float, float]]) -> float:
    """How irregularly streams (per_s, scv) come together: their mean by rate, an approximation; 1 for Poisson streams.

    Source: Whitt (1983), section 4.3, the asymptotic method.
    """
    found = [(per_s, scv) for per_s, scv in streams if per_s > 0]
    total = sum(per_s for per_s, _ in found)
    return sum(per_s * scv for per_s, scv in found) / total if total else 1.0


def fork_join_of_two_s(per_s: float, work_s: float) -> float:
    """The mean time until both of two equal M/M/1 have done their part: (12 - rho) / 8 times that of one.

    Source: Flatto and Hahn, SIAM Journal on Applied Mathematics 44(5), 1984.
    """
    return (12 - per_s * work_s) / 8 * (single_wait_s(per_s, work_s) + work_s)


def nelson_tantawi_s(count: int, per_s: float, work_s: float) -> float:
    """The same for so many (2 or more), an approximation.

    Source: Nelson and Tantawi, IEEE Transactions on Computers 37(6), 1988.
    """
    ratio = sum(1 / number for number in range(1, count + 1)) / 1.5
    return (ratio + 4 / 11 * (1 - ratio) * per_s * work_s) * fork_join_of_two_s(per_s, work_s)


def settling_s(load: float, work_s: float, servers: int, scvs: tuple[float, float]) -> float:
    """In which time a queue that began empty forgets it (to 1/e): (C_a^2 + C_s^2) E[S] / (2.8 c (1 - sqrt(rho))^2).

    An approximation. Source: Odoni and Roth, Operations Research 31(3), 1983.
    """
    return sum(scvs) * work_s / (2.8 * servers * (1 - math.sqrt(load)) ** 2) if load < 1 else math.inf
