"""How sure a number is: intervals from Student's t, and differences between runs with the same draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

CONFIDENCE = 0.95
_TINY = 1e-300


@dataclass(frozen=True)
class Interval:
    """A mean over `n` replications, and the span that holds the true one in 95 of 100 studies like this.

    With n = 1 there is no span: both ends are NaN. Where a replication has no such number, or an infinite one (the
    p99 of orders that are never done), the mean is infinite and so are its ends.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def half(self) -> float:
        """Half the width: the number after the ±; NaN with one replication."""
        return (self.high - self.low) / 2 if math.isfinite(self.mean) else math.nan

    @property
    def known(self) -> bool:
        """Whether the mean is a finite number."""
        return math.isfinite(self.mean)

    def not_below(self, least: float) -> Interval:
        """The same with its lower end cut, for what cannot be less."""
        return Interval(self.mean, max(least, self.low), self.high, self.n) if self.low < least else self


@dataclass(frozen=True)
class Difference:
    """How much more one architecture has of something than another, replication by replication on the same draws.

    `variance_reduction` is the share of the difference's variance that the common draws took away, beside
    independent ones; NaN when nothing varies.
    """

    interval: Interval
    variance_reduction: float

    @property
    def sign(self) -> int:
        """1 for more, -1 for less, 0 when the interval includes 0, or when a single run cannot tell."""
        if not self.interval.known or math.isnan(self.interval.low):
            return 0
        return int(self.interval.low > 0) - int(self.interval.high < 0)


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The interval of a mean from independent replications."""
    n = len(values)
    if not n:
        raise ValueError("an interval needs at least one value")
    if not all(math.isfinite(value) for value in values):
        return Interval(math.inf, math.inf, math.inf, n)
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, math.nan, math.nan, n)
    half = student_t(0.5 + confidence / 2, n - 1) * math.sqrt(_variance(values) / n)
    return Interval(mean, mean - half, mean + half, n)


def difference(values: Sequence[float], base: Sequence[float]) -> Difference:
    """The paired difference values - base; both have one number for each replication, in the same order."""
    if len(values) != len(base):
        raise ValueError(f"{len(values)} values cannot be paired with {len(base)}")
    both_known = all(map(math.isfinite, (*values, *base)))
    gaps = [one - other for one, other in zip(values, base, strict=True)] if both_known else [math.inf] * len(values)
    independent = _variance(values) + _variance(base) if both_known and len(values) > 1 else 0.0
    reduction = 1 - _variance(gaps) / independent if independent > 0 else math.nan
    return Difference(interval(gaps), reduction)


def share_interval(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a share from `hits` of `n` yes-or-no replications, exact after Clopper and Pearson (1934)."""
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} of {n} is no share")
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _beta_quantile(tail, hits, n - hits + 1)
    high = 1.0 if hits == n else _beta_quantile(1 - tail, hits + 1, n - hits)
    return Interval(hits / n, low, high, n)


def _beta_quantile(probability: float, a: float, b: float) -> float:
    """Where the incomplete beta function reaches a probability, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _incomplete_beta(middle, a, b) < probability else (low, middle)
    return (low + high) / 2


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


@lru_cache(maxsize=256)
def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t with so many degrees of freedom, exact to about 1e-10.

    Newton's steps on the distribution function, each kept inside a shrinking bracket.
    """
    if not 0 < probability < 1 or freedom < 1:
        raise ValueError(f"no quantile for probability {probability} and {freedom} degrees of freedom")
    if probability <= 0.5:
        return -student_t(1 - probability, freedom) if probability < 0.5 else 0.0
    low, high = 0.0, 1.0
    while student_t_below(high, freedom) < probability:
        low, high = high, 2 * high
    place = (low + high) / 2
    for _ in range(200):
        below = student_t_below(place, freedom)
        low, high = (place, high) if below < probability else (low, place)
        step = (below - probability) / _density(place, freedom)
        proposed = place - step
        if abs(step) < 1e-13 * max(1.0, place):
            break
        place = proposed if low < proposed < high else (low + high) / 2
    return place


def student_t_below(value: float, freedom: int) -> float:
    """The probability that Student's t is at most `value`, over the incomplete beta function."""
    tail = _incomplete_beta(freedom / (freedom + value * value), freedom / 2, 0.5) / 2
    return 1 - tail if value >= 0 else tail


def _density(value: float, freedom: int) -> float:
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    return math.exp(scale - (freedom + 1) / 2 * math.log1p(value * value / freedom))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges quickly on one side only
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / (a * _beta_fraction(x, a, b))


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + ...)) of DLMF 8.17.22, by the modified method of Lentz."""
    value, upper, lower = 1.0, 1.0, 0.0
    for term in range(1, 10_000):
        m, odd = divmod(term, 2)
        if odd:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1 / (1 + d * lower or _TINY)
        upper = 1 + d / upper or _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < 1e-16:
            break
    return value
