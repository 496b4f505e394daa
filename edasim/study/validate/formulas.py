"""What is exact, each formula by its name, so that a law's figures are compared with more than a printed number.

`arrivals` is lambda, `rate` is mu of one server, both per second; times are seconds.
The formulas of queues are those of `edasim.study.theory`, with their sources.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edasim.study.theory.many_servers import bounded as bounded_queue
from edasim.study.theory.many_servers import erlang_c, pooled_wait_s
from edasim.study.theory.networks import attempts_each, fork_join_of_two_s, little, nelson_tantawi_s
from edasim.study.theory.one_server import pollaczek_khinchine_s, priority_waits_s, single_wait_s


def single(arrivals: float, rate: float) -> dict[str, float]:
    """M/M/1: sojourn and wait, how many are in it and how many wait, its utilisation, and how often it is empty."""
    load, wait = arrivals / rate, single_wait_s(arrivals, 1 / rate)
    sojourn = wait + 1 / rate
    return {"W": sojourn, "Wq": wait, "L": little(arrivals, sojourn), "Lq": little(arrivals, wait),
            "utilisation": load, "P0": 1 - load}


def exponential_percentile(share: float, mean: float) -> float:
    """The value below which this share of an exponential lies."""
    return -mean * math.log1p(-share)


def bounded(arrivals: float, rate: float, servers: int, room: int) -> dict[str, float]:
    """M/M/c/K: the share that finds no room, the throughput, the mean sojourn of the accepted."""
    known = bounded_queue(arrivals, 1 / rate, servers, room)
    return {"loss": known.refused, "throughput": known.through_per_s, "W_accepted": known.wait_s + 1 / rate}


def many(arrivals: float, rate: float, servers: int) -> dict[str, float]:
    """M/M/c: how often somebody waits (Erlang C), for how long on average, sojourn, and how many wait."""
    wait = pooled_wait_s(arrivals, 1 / rate, servers)
    return {"P(wait)": erlang_c(servers, arrivals / rate), "Wq": wait, "W": wait + 1 / rate,
            "Lq": little(arrivals, wait)}


def general(arrivals: float, mean: float, square: float) -> dict[str, float]:
    """M/G/1 by Pollaczek and Khinchine, with the mean of the work and of its square."""
    wait = pollaczek_khinchine_s(arrivals, mean, square)
    return {"utilisation": arrivals * mean, "Wq": wait, "W": wait + mean, "Lq": little(arrivals, wait)}


def priorities(arrivals: Sequence[float], rate: float) -> list[float]:
    """The mean sojourns at M/M/1 with non-preemptive priorities, the highest first."""
    return [wait + 1 / rate for wait in priority_waits_s([(one, 1 / rate, 2 / rate**2) for one in arrivals])]


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
    """The mean time until both of two M/M/1 have done their part."""
    return fork_join_of_two_s(arrivals, 1 / rate)


def nelson_tantawi(count: int, arrivals: float, rate: float) -> float:
    """An approximation for so many of them."""
    return nelson_tantawi_s(count, arrivals, 1 / rate)


def k_of_n(needed: int, count: int, chance: float) -> float:
    """How often at least so many of `count` are up, each with this chance."""
    return math.fsum(math.comb(count, up) * chance**up * (1 - chance) ** (count - up)
                     for up in range(needed, count + 1))


def attempts_made(fails: float, attempts: int | None = None) -> float:
    """The mean number of attempts when each fails with this chance; None is without limit."""
    return attempts_each(fails, attempts)


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


def storm_drain_s(capacity: float, arrivals: float, retries: int, outage_s: float, timeout_s: float = 1.0) -> float:
    """How long customers whose abandoned requests are still served give up after an outage; infinite if for ever.

    All that was asked meanwhile stands in line, the first retry of each from the timeout on; it is worked off at what
    the capacity exceeds the load by, until the wait is below the timeout.  Source: Bronson et al., HotOS 2021.
    """
    load = arrivals * (1 + retries)
    backlog = arrivals * (outage_s + sum(outage_s - made * timeout_s for made in range(1, retries + 1)))
    return (backlog - capacity * timeout_s) / (capacity - load) if load < capacity else math.inf


def run_length(successes: int, chance: float) -> float:
    """The mean number of calls until so many in a row fail, each with this chance: (1 - p^k) / (p^k (1 - p))."""
    return (1 - chance**successes) / (chance**successes * (1 - chance))


def prefetch_utilisation(prefetch: int, work: float, round_trip: float) -> float:
    """How busy a consumer is that may have so many messages out; `round_trip` includes the work on one."""
    return min(1.0, prefetch * work / round_trip)
