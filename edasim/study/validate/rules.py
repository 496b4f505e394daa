"""When an estimate agrees with what is exact: by standard errors, by a distance, exactly, or by a rule of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Protocol

from edasim.study.precision import student_t, student_t_below

Z_LIMIT = 4.0
"""A normal variate is beyond it once in 16,000; Student's t with 29 degrees of freedom is so beyond 4.67."""
HOLDS, BROKEN, IMPRECISE = "holds", "broken", "imprecise"
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error (NaN when it was not repeated) and the degrees of freedom of that."""

    value: float
    error: float = math.nan
    freedom: int = 0

    def score(self, exact: float, by_ratio: bool = False) -> float:
        """How many standard errors it lies above the exact value; NaN without an error.

        `by_ratio` compares logarithms: for what is rare, whose estimate and error grow together.
        """
        if math.isnan(self.error):
            return math.nan
        miss = self.value - exact
        if self.error == 0:
            return math.copysign(math.inf, miss) if abs(miss) > _ROUNDING * max(1.0, abs(exact)) else 0.0
        if by_ratio and self.value > 0 and exact > 0:
            return math.log(self.value / exact) * self.value / self.error
        return miss / self.error

    def allowance(self) -> float:
        """So much may lie between it and the exact value by chance: 4.67 standard errors of 30 replications."""
        return 0.0 if math.isnan(self.error) else limit(self.freedom) * self.error


@lru_cache(maxsize=64)
def limit(freedom: int) -> float:
    """Student's t that is exceeded as often as 4 is by a normal variate: 4.67 for 30 replications."""
    return student_t(NormalDist().cdf(Z_LIMIT), freedom)


def as_normal(score: float, freedom: int) -> float:
    """The normal variate that is as rare as this value of Student's t."""
    if math.isinf(score):
        return score
    tail = student_t_below(-abs(score), freedom)
    return math.copysign(-NormalDist().inv_cdf(tail) if tail > 0 else math.inf, score)


class Rule(Protocol):
    """Judges one figure."""

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """`holds`, `broken` or `imprecise`; `by_z_alone` forgives a large standard error."""
        ...

    def words(self) -> str:
        """How the documentation says it."""
        ...


@dataclass(frozen=True)
class Statistical:
    """Within 4.67 standard errors, and the error within its share of the exact value."""

    largest_error: float | None = None
    by_ratio: bool = False

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """See `Rule`."""
        score = estimate.score(exact, self.by_ratio)
        if not abs(score) <= limit(estimate.freedom):
            return BROKEN
        if by_z_alone or self.largest_error is None:
            return HOLDS
        return HOLDS if estimate.error <= self.largest_error * abs(exact) else IMPRECISE

    def words(self) -> str:
        """See `Rule`."""
        share = "" if self.largest_error is None else f", standard error at most {100 * self.largest_error:g}%"
        return f"4.67 standard errors{share}"


@dataclass(frozen=True)
class Absolute:
    """No further off than so much, or at quick size so many standard errors."""

    most: float

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """See `Rule`."""
        allowed = max(self.most * (1 + 1e-9), estimate.allowance() if by_z_alone else 0.0)
        return HOLDS if abs(estimate.value - exact) <= allowed else BROKEN

    def words(self) -> str:
        """See `Rule`."""
        return f"at most {self.most:.4g} off"


@dataclass(frozen=True)
class Relative:
    """No further off than this share of the exact value; where a smaller size has chance in it, it is allowed for."""

    most: float

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """See `Rule`."""
        allowed = self.most * abs(exact) * (1 + 1e-9) + (estimate.allowance() if by_z_alone else 0.0)
        return HOLDS if abs(estimate.value - exact) <= allowed else BROKEN

    def words(self) -> str:
        """See `Rule`."""
        return f"at most {100 * self.most:.3g}% off"


@dataclass(frozen=True)
class Exact:
    """The same number, up to the rounding of floats."""

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """See `Rule`."""
        same = abs(estimate.value - exact) <= _ROUNDING * max(1.0, abs(exact))
        return HOLDS if same and not estimate.error > 0 else BROKEN

    def words(self) -> str:
        """See `Rule`."""
        return "exactly"


@dataclass(frozen=True)
class Between:
    """Strictly inside two bounds; at quick size chance is allowed for."""

    low: float
    high: float

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """See `Rule`."""
        more = estimate.allowance() if by_z_alone else 0.0
        return HOLDS if self.low - more < estimate.value < self.high + more else BROKEN

    def words(self) -> str:
        """See `Rule`."""
        low = "" if math.isinf(self.low) else f"above {self.low:g}"
        high = "" if math.isinf(self.high) else f"below {self.high:g}"
        return " and ".join(filter(None, (low, high)))


@dataclass(frozen=True)
class Meets:
    """What the law says in words, as a test of the estimate."""

    test: Callable[[Estimate], bool]
    said: str

    def judge(self, estimate: Estimate, exact: float, by_z_alone: bool) -> str:
        """See `Rule`."""
        return HOLDS if self.test(estimate) else BROKEN

    def words(self) -> str:
        """See `Rule`."""
        return self.said
