"""What is exact, each formula by its name, so that a law's figures are compared with more than a printed number.

`arrivals` is lambda, `rate` is mu of one server, both per second; times are seconds.
Sources: Kleinrock, Queueing Systems I (1975); Gross and Harris, Fundamentals of Queueing Theory; others beside
the formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise


def single(arrivals: float, rate: float) -> dict[str, float]:
    """M/M/1: sojourn and wait, how many are in it and how many wait, its utilisation, and how often it is empty."""
    load = arrivals / rate
    sojourn = 1 / (rate - arrivals)
    return {"W": sojourn, "Wq": load * sojourn, "L": load / (1 - load), "Lq": load**2 / (1 - load),
            "utilisation": load, "P0": 1 - load}


def exponential_percentile(share: float, mean: float) -> float:
    """The value below which this share of an exponential lies."""
    return -mean * math.log1p(-share)


def birth_death(arrivals: float, rate: float, servers: int, room: int) -> list[float]:
    """How often 0, 1, ... `room` customers are in M/M/c/K."""
    weights = [1.0]
    for inside in range(1, room + 1):
        weights.append(weights[-1] * arrivals / (rate * min(inside, servers)))
    return [weight / math.fsum(weights) for weight in weights]


def bounded(arrivals: float, rate: float, servers: int, room: int) -> dict[str, float]:
    """M/M/c/K: the share that finds no room, the throughput, the mean sojourn of the accepted."""
    chances = birth_death(arrivals, rate, servers, room)
    through = arrivals * (1 - chances[-1])
    inside = math.fsum(count * chance for count, chance in enumerate(chances))
    return {"loss": chances[-1], "throughput": through, "W_accepted": inside / through}


def erlang_b(servers: int, offered: float) -> float:
    """The share of customers who find all servers busy when nobody may wait."""
    return birth_death(offered, 1.0, servers, servers)[-1]


def many(arrivals: float, rate: float, servers: int) -> dict[str, float]:
    """M/M/c: how often somebody waits (Erlang C), for how long on average, sojourn, and how many wait."""
    offered = arrivals / rate
    blocked = erlang_b(servers, offered)
    waiting = servers * blocked / (servers - offered * (1 - blocked))
    wait = waiting / (servers * rate - arrivals)
    return {"P(wait)": waiting, "Wq": wait, "W": wait + 1 / rate, "Lq": arrivals * wait}


def general(arrivals: float, mean: float, square: float) -> dict[str, float]:
    """M/G/1 by Pollaczek and Khinchine, with the mean of the work and of its square."""
    wait = arrivals * square / (2 * (1 - arrivals * mean))
    return {"utilisation": arrivals * mean, "Wq": wait, "W": wait + mean, "Lq": arrivals * wait}


def priorities(arrivals: Sequence[float], rate: float) -> list[float]:
    """The mean sojourns at M/M/1 with non-preemptive priorities, the highest first.  Source: Cobham 1954."""
    residual = sum(arrivals) / rate**2
    loads = [sum(arrivals[:count]) / rate for count in range(len(arrivals) + 1)]
    return [residual / ((1 - above) * (1 - here)) + 1 / rate for above, here in pairwise(loads)]


def poisson_above(mean: float, most: int) -> float:
    """How often a Poisson number is above `most`."""
    return 1 - math.fsum(math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1)) for count in range(most + 1))


def harmonic(count: int) -> float:
    """1 + 1/2 + ... + 1/count: the mean of the largest of so many unit exponentials."""
    return math.fsum(1 / number for number in range(1, count + 1))


def any_of(share: float, count: int) -> float:
    """How often at least one of so many is hit, each with this chance."""
    return -math.expm1(count * math.log1p(-share))


def largest_percentile(share: float, count: int, mean: float) -> float:
    """The value below which this share of the largest of so many exponentials lies."""
    return exponential_percentile(share ** (1 / count), mean)


def fork_join_of_two(arrivals: float, rate: float) -> float:
    """The mean time until both of two M/M/1 have done their part.  Source: Flatto and Hahn 1984."""
    return (12 - arrivals / rate) / 8 / (rate - arrivals)


def nelson_tantawi(count: int, arrivals: float, rate: float) -> float:
    """An approximation for so many of them.  Source: Nelson and Tantawi, IEEE Trans. Computers 37(6), 1988."""
    ratio = harmonic(count) / harmonic(2)
    return (ratio + 4 / 11 * (1 - ratio) * arrivals / rate) * fork_join_of_two(arrivals, rate)


def k_of_n(needed: int, count: int, chance: float) -> float:
    """How often at least so many of `count` are up, each with this chance."""
    return math.fsum(math.comb(count, up) * chance**up * (1 - chance) ** (count - up)
                     for up in range(needed, count + 1))


def attempts_made(fails: float, attempts: int | None = None) -> float:
    """The mean number of attempts when each fails with this chance: (1 - p^n) / (1 - p); None is without limit."""
    return (1 - (fails**attempts if attempts else 0.0)) / (1 - fails)


def backoffs(base: float, growth: float, most: float, retries: int) -> list[float]:
    """The waits of exponential backoff without jitter."""
    return [min(most, base * growth**retry) for retry in range(retries)]


def collision_chance(bits: int, ids: int) -> float:
    """How often two of so many random ids are equal, by the product 1 - (1 - 0/2^b) (1 - 1/2^b) ... ."""
    room = 2.0**bits
    if ids <= 1_000_000:
        return -math.expm1(math.fsum(math.log1p(-number / room) for number in range(ids)))
    # ln of the product by its series; the next term is ids^4 / (12 room^3), below 1e-20 for 64 bits.
    pairs, cubes = ids * (ids - 1) / 2, (ids - 1) * ids * (2 * ids - 1) / 6
    return -math.expm1(-pairs / room - cubes / (2 * room**2))


def run_length(successes: int, chance: float) -> float:
    """The mean number of calls until so many in a row fail, each with this chance: (1 - p^k) / (p^k (1 - p))."""
    return (1 - chance**successes) / (chance**successes * (1 - chance))


def prefetch_utilisation(prefetch: int, work: float, round_trip: float) -> float:
    """How busy a consumer is that may have so many messages out; `round_trip` includes the work on one."""
    return min(1.0, prefetch * work / round_trip)
