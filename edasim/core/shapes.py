"""The shapes of a random duration, each by the inverse of its cumulative distribution at one uniform.

Lengths are kept in whole nanoseconds as the file named them, so that `text` reads back as an equal shape.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edasim.core.quantiles import Z99, Floats, gamma_quantile, normal_quantile
from edasim.core.quantity import (
    LONGEST_NS,
    SECOND_NS,
    QuantityError,
    duration_ns,
    show_duration,
    show_number,
    shown,
)


def scaled_ns(length_ns: int, ratio: Fraction) -> int:
    """A length times a ratio, kept within what a text may say: from 1 ns (but 0 stays 0) to ten years."""
    return min(max(1, round(length_ns * ratio)), LONGEST_NS) if length_ns else 0


@dataclass(frozen=True)
class Distribution(ABC):
    """A random duration. Two are equal when they are written alike."""

    forms: ClassVar[str] = ""

    @property
    @abstractmethod
    def text(self) -> str:
        """How a file writes it; reads back as an equal distribution."""

    @property
    @abstractmethod
    def mean_s(self) -> float:
        """The mean in seconds; infinite for a Pareto of shape 1 or less."""

    @property
    @abstractmethod
    def variance_s2(self) -> float:
        """The variance in square seconds; infinite for a Pareto of shape 2 or less."""

    @property
    @abstractmethod
    def first_ns(self) -> int:
        """The first duration that its text names, which a knob moves."""

    @abstractmethod
    def quantile_s(self, uniform: Floats) -> Floats:
        """Seconds for uniforms inside (0, 1); both have the same shape."""

    @abstractmethod
    def scaled(self, ratio: Fraction) -> Distribution:
        """All durations times the ratio; the shape stays."""

    def quantile_ns(self, uniform: Floats) -> NDArray[np.int64]:
        """Whole nanoseconds for uniforms inside (0, 1), at most ten years each."""
        return np.rint(np.minimum(self.quantile_s(uniform) * SECOND_NS, float(LONGEST_NS))).astype(np.int64)

    @property
    def scv(self) -> float:
        """The squared coefficient of variation: variance over the mean squared; 0 for a mean of 0."""
        if self.mean_s == 0:
            return 0.0
        return self.variance_s2 / self.mean_s**2 if math.isfinite(self.mean_s) else math.inf

    @property
    def second_moment_s2(self) -> float:
        """The mean of the square, in square seconds; infinite where the variance is."""
        return self.variance_s2 + self.mean_s**2

    @property
    def constant_ns(self) -> int | None:
        """The nanoseconds that it always is, or None when it varies."""
        return None

    @property
    def first(self) -> str:
        """The first duration that its text names, as text."""
        return show_duration(self.first_ns)

    def with_first(self, text: str) -> Distribution:
        """The same shape with the first duration changed to `text` and all others scaled alike.

        0s makes all of it 0s; what begins with 0s cannot be scaled and is refused.
        """
        wanted_ns = duration_ns(text)
        if wanted_ns == 0:
            return Constant(0)
        if self.first_ns == 0:
            cure = "write the whole distribution"
            raise QuantityError(f"{shown(self.text)} begins with 0s and cannot be scaled: {cure}")
        return self.scaled(Fraction(wanted_ns, self.first_ns))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Constant(Distribution):
    """Always the same: `30ms`."""

    length_ns: int
    forms = "30ms"

    @property
    def text(self) -> str:
        return show_duration(self.length_ns)

    @property
    def mean_s(self) -> float:
        return self.length_ns / SECOND_NS

    @property
    def variance_s2(self) -> float:
        return 0.0

    @property
    def first_ns(self) -> int:
        return self.length_ns

    @property
    def constant_ns(self) -> int | None:
        return self.length_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        return np.full(uniform.shape, self.length_ns / SECOND_NS)

    def scaled(self, ratio: Fraction) -> Distribution:
        return Constant(scaled_ns(self.length_ns, ratio))

    def with_first(self, text: str) -> Distribution:
        return Constant(duration_ns(text))


@dataclass(frozen=True)
class Exponential(Distribution):
    """Without memory: `exponential 30ms` names the mean."""

    mean_ns: int
    forms = "exponential 30ms"

    @property
    def text(self) -> str:
        return f"exponential {show_duration(self.mean_ns)}"

    @property
    def mean_s(self) -> float:
        return self.mean_ns / SECOND_NS

    @property
    def variance_s2(self) -> float:
        return self.mean_s**2

    @property
    def first_ns(self) -> int:
        return self.mean_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        return -self.mean_s * np.log1p(-uniform)

    def scaled(self, ratio: Fraction) -> Distribution:
        return Exponential(scaled_ns(self.mean_ns, ratio))


@dataclass(frozen=True)
class Uniform(Distribution):
    """Equally likely between two durations: `uniform 10ms..50ms`."""

    low_ns: int
    high_ns: int
    forms = "uniform 10ms..50ms"

    @property
    def text(self) -> str:
        return f"uniform {show_duration(self.low_ns)}..{show_duration(self.high_ns)}"

    @property
    def mean_s(self) -> float:
        return 0.5 * (self.low_ns + self.high_ns) / SECOND_NS

    @property
    def variance_s2(self) -> float:
        return ((self.high_ns - self.low_ns) / SECOND_NS) ** 2 / 12.0

    @property
    def first_ns(self) -> int:
        return self.low_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        return (self.low_ns + (self.high_ns - self.low_ns) * uniform) / SECOND_NS

    def scaled(self, ratio: Fraction) -> Distribution:
        return Uniform(scaled_ns(self.low_ns, ratio), scaled_ns(self.high_ns, ratio))


@dataclass(frozen=True)
class Lognormal(Distribution):
    """A skewed duration with a long tail, by median and 99th percentile, or by mean and coefficient of
    variation.

    `spread` is the second number of the text: the 99th percentile in nanoseconds, or the coefficient.
    """

    first_length_ns: int
    spread: float
    by_mean: bool = False
    forms = "lognormal p50 15ms p99 60ms, or lognormal mean 20ms cv 1.5"

    @cached_property
    def sigma(self) -> float:
        """The standard deviation of the logarithm."""
        if self.by_mean:
            return math.sqrt(math.log1p(self.spread**2))
        return math.log(self.spread / self.first_length_ns) / Z99

    @cached_property
    def median_s(self) -> float:
        """Half of the durations are shorter."""
        return self.first_length_ns / SECOND_NS * (math.exp(-0.5 * self.sigma**2) if self.by_mean else 1.0)

    @property
    def text(self) -> str:
        if self.by_mean:
            return f"lognormal mean {self.first} cv {show_number(self.spread)}"
        return f"lognormal p50 {self.first} p99 {show_duration(round(self.spread))}"

    @property
    def mean_s(self) -> float:
        return self.first_length_ns / SECOND_NS if self.by_mean else self.median_s * math.exp(0.5 * self.sigma**2)

    @property
    def variance_s2(self) -> float:
        return self.mean_s**2 * math.expm1(self.sigma**2)

    @property
    def first_ns(self) -> int:
        return self.first_length_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        return self.median_s * np.exp(self.sigma * normal_quantile(uniform))

    def scaled(self, ratio: Fraction) -> Distribution:
        spread = self.spread if self.by_mean else float(scaled_ns(round(self.spread), ratio))
        return Lognormal(scaled_ns(self.first_length_ns, ratio), spread, self.by_mean)


@dataclass(frozen=True)
class Gamma(Distribution):
    """A sum of exponential stages, whole (`erlang 2 mean 20ms`) or of any number (`gamma mean 20ms cv 0.5`)."""

    mean_ns: int
    cv: float = 1.0
    stages: int = 0
    forms = "gamma mean 20ms cv 0.5"

    @property
    def shape(self) -> float:
        """The number of stages."""
        return float(self.stages) if self.stages else self.cv**-2

    @property
    def text(self) -> str:
        if self.stages:
            return f"erlang {self.stages} mean {self.first}"
        return f"gamma mean {self.first} cv {show_number(self.cv)}"

    @property
    def mean_s(self) -> float:
        return self.mean_ns / SECOND_NS

    @property
    def variance_s2(self) -> float:
        return self.mean_s**2 / self.shape

    @property
    def first_ns(self) -> int:
        return self.mean_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        return self.mean_s / self.shape * gamma_quantile(uniform, self.shape)

    def scaled(self, ratio: Fraction) -> Distribution:
        return Gamma(scaled_ns(self.mean_ns, ratio), self.cv, self.stages)


@dataclass(frozen=True)
class Pareto(Distribution):
    """A power-law tail above a least duration: `pareto 10ms shape 2.5`."""

    least_ns: int
    shape: float
    forms = "pareto 10ms shape 2.5"

    @property
    def text(self) -> str:
        return f"pareto {self.first} shape {show_number(self.shape)}"

    @property
    def mean_s(self) -> float:
        return self.least_ns / SECOND_NS * self.shape / (self.shape - 1.0) if self.shape > 1.0 else math.inf

    @property
    def variance_s2(self) -> float:
        if self.shape <= 2.0:
            return math.inf
        return (self.least_ns / SECOND_NS) ** 2 * self.shape / ((self.shape - 1.0) ** 2 * (self.shape - 2.0))

    @property
    def first_ns(self) -> int:
        return self.least_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return self.least_ns / SECOND_NS * np.exp(-np.log1p(-uniform) / self.shape)

    def scaled(self, ratio: Fraction) -> Distribution:
        return Pareto(scaled_ns(self.least_ns, ratio), self.shape)
