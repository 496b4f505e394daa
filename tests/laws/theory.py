"""What queueing theory says, each formula by its name, written from the books and without the package's own code.

`arrivals` is lambda, `rate` is mu of one server, both per second; times are seconds.
Sources: Kleinrock, Queueing Systems I (1975); Gross and Harris, Fundamentals of Queueing Theory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate


def single(arrivals: float, rate: float) -> dict[str, float]:
    """M/M/1: sojourn, wait, how many are in it and how many wait, and its utilisation."""
    load = arrivals / rate
    return {"W": 1 / (rate - arrivals), "Wq": load / (rate - arrivals), "L": load / (1 - load),
            "Lq": load**2 / (1 - load), "utilisation": load, "P0": 1 - load}


def exponential_quantile(share: float, rate: float) -> float:
    """The value below which this share of an exponential lies."""
    return -math.log1p(-share) / rate


def erlang_b(servers: int, offered: float) -> float:
    """The share of customers who find all servers busy when nobody may wait, by the usual recursion."""
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked


def erlang_c(servers: int, offered: float) -> float:
    """The share of customers who have to wait at M/M/c."""
    blocked = erlang_b(servers, offered)
    return blocked / (1 - offered / servers * (1 - blocked))


def pooled_wait(arrivals: float, rate: float, servers: int) -> float:
    """The mean wait at M/M/c."""
    return erlang_c(servers, arrivals / rate) / (servers * rate - arrivals)


def pollaczek_khinchine(arrivals: float, mean: float, variance: float) -> float:
    """The mean wait at M/G/1: lambda E[S^2] / (2 (1 - rho))."""
    return arrivals * (variance + mean**2) / (2 * (1 - arrivals * mean))


def bounded(arrivals: float, rate: float, servers: int, room: int) -> dict[str, float]:
    """M/M/c/K by its birth-death chain: loss, throughput, the sojourn of the accepted, utilisation of a server."""
    steps = (arrivals / (rate * min(count, servers)) for count in range(1, room + 1))
    weights = list(accumulate(steps, lambda before, step: before * step, initial=1.0))
    chances = [weight / sum(weights) for weight in weights]
    through = arrivals * (1 - chances[-1])
    inside = sum(count * chance for count, chance in enumerate(chances))
    return {"loss": chances[-1], "throughput": through, "sojourn": inside / through,
            "utilisation": through / rate / servers}


def cobham(classes: Sequence[tuple[float, float, float]], servers: int = 1) -> list[float]:
    """The mean wait of each class, the highest priority first, where nobody at work is interrupted.

    A class is (arrivals, E[S], E[S^2]); with several servers all classes need the same exponential work.
    Source: Cobham, Operations Research 2(1), 1954.
    """
    loads = [arrivals * mean / servers for arrivals, mean, _ in classes]
    until = [0.0, *accumulate(loads)]
    ahead = sum(arrivals * square for arrivals, _, square in classes) / 2
    if servers > 1:
        ahead = erlang_c(servers, until[-1] * servers) * classes[0][1] / servers
    return [ahead / (1 - before) / (1 - with_us) for before, with_us in zip(until, until[1:], strict=False)]


def refused(arrivals_ns: Sequence[int], work_ns: int, servers: int, room: int) -> list[bool]:
    """Who is turned away where work takes equally long and at most `room` are in it, in order of arrival."""
    ends: list[int] = []
    turned_away = []
    for arrival in arrivals_ns:
        inside = [end for end in ends if end > arrival]
        turned_away.append(len(inside) >= room)
        if not turned_away[-1]:
            start = max(arrival, sorted(inside)[-servers]) if len(inside) >= servers else arrival
            ends = [*inside, start + work_ns]
    return turned_away


def shared(jobs: Sequence[tuple[int, int]], cores: int) -> list[Fraction]:
    """When each (arrival, work) is done where all that are inside share the cores equally, exactly."""
    ahead = sorted(range(len(jobs)), key=lambda job: jobs[job][0])
    left: dict[int, Fraction] = {}
    done, now = [Fraction(0)] * len(jobs), Fraction(0)
    while ahead or left:
        speed = min(Fraction(1), Fraction(cores, max(1, len(left))))
        ends = min((now + need / speed for need in left.values()), default=None)
        until = min(end for end in (ends, jobs[ahead[0]][0] if ahead else None) if end is not None)
        left = {job: need - (until - now) * speed for job, need in left.items()}
        now = Fraction(until)
        for job in [job for job, need in left.items() if need <= 0]:
            done[job], _ = now, left.pop(job)
        while ahead and jobs[ahead[0]][0] <= now:
            job = ahead.pop(0)
            left[job] = Fraction(jobs[job][1])
    return done


def harmonic(count: int) -> float:
    """1 + 1/2 + ... + 1/count, the mean of the largest of so many unit exponentials."""
    return float(sum(Fraction(1, number) for number in range(1, count + 1)))


def any_of(share: float, count: int) -> float:
    """How often at least one of so many is hit, each with this chance."""
    return 1 - (1 - share) ** count


def largest_quantile(share: float, count: int, mean: float) -> float:
    """The value below which this share of the largest of so many exponentials lies."""
    return -mean * math.log1p(-(share ** (1 / count)))


def fork_join_of_two(arrivals: float, rate: float) -> float:
    """The mean time until both of two M/M/1 have done their part.  Source: Flatto and Hahn 1984."""
    return (12 - arrivals / rate) / 8 / (rate - arrivals)


def nelson_tantawi(count: int, arrivals: float, rate: float) -> float:
    """The approximation for K of them.  Source: Nelson and Tantawi, IEEE Trans. Computers 37(6), 1988."""
    ratio = harmonic(count) / harmonic(2)
    return (ratio + 4 / 11 * (1 - ratio) * arrivals / rate) * fork_join_of_two(arrivals, rate)


def attempts_until_given_up(fails: float, attempts: int) -> float:
    """The mean number of attempts when each fails with this chance: (1 - p^n) / (1 - p)."""
    return (1 - fails**attempts) / (1 - fails)


def prefetch_utilisation(prefetch: int, work: float, round_trip: float) -> float:
    """How busy a consumer is that may have so many messages out; `round_trip` includes the work on one."""
    return min(1.0, prefetch * work / round_trip)


def catch_up(arrivals: float, rate: float, down_s: float) -> float:
    """How long a server needs for what an outage left behind: the backlog over the rate that is to spare."""
    return arrivals * down_s / (rate - arrivals)


def lindley(arrivals_ns: Sequence[int], work_ns: Sequence[int], servers: int = 1) -> list[int]:
    """The wait of each customer in order of arrival, first come first served: Kiefer and Wolfowitz's recursion."""
    free = [0] * servers
    waits = []
    for arrival, work in zip(arrivals_ns, work_ns, strict=True):
        start = max(arrival, free[0])
        waits.append(start - arrival)
        free[0] = start + work
        free.sort()
    return waits
