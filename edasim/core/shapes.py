"""The shapes that a duration can have, each by the inverse of its cumulative distribution at one uniform.

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
    show_share,
    shown,
)


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
        return self.variance_s2 / self.mean_s**2 if 0 < self.mean_s < math.inf else math.inf if self.mean_s else 0.0

    @property
    def constant_ns(self) -> int | None:
        """The nanoseconds that it always is, or None when it varies."""
        return None

    @property
    def first(self) -> str:
        """The first duration that its text names, as text."""
        return show_duration(self.first_ns)

    def with_first(self, text: str) -> Distribution:
        """The same shape with the first duration changed to `text` and all others scaled alike; 0s makes all of it 0s."""
        wanted_ns = duration_ns(text)
        if wanted_ns == 0:
            return Constant(0)
        if self.first_ns == 0:
            raise QuantityError(f"{shown(self.text)} begins with 0s and cannot be scaled: write the whole distribution")
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
        return Constant(round(self.length_ns * ratio))

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
        return Exponential(round(self.mean_ns * ratio))


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
        return Uniform(round(self.low_ns * ratio), round(self.high_ns * ratio))


@dataclass(frozen=True)
class Lognormal(Distribution):
    """A skewed duration with a long tail, by median and 99th percentile or by mean and coefficient of variation.

    `spread` is the other number of the text: the 99th percentile in nanoseconds, or the coefficient of variation.
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
        spread = self.spread if self.by_mean else float(round(Fraction(self.spread) * ratio))
        return Lognormal(round(self.first_length_ns * ratio), spread, self.by_mean)


@dataclass(frozen=True)
class Gamma(Distribution):
    """The sum of exponential stages, also of a broken number of them: `gamma mean 20ms cv 0.5`, `erlang 2 mean 20ms`."""

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
        return Gamma(round(self.mean_ns * ratio), self.cv, self.stages)


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
        return Pareto(round(self.least_ns * ratio), self.shape)


@dataclass(frozen=True)
class Empirical(Distribution):
    """Measured durations, each equally likely: `[10ms, 12ms, 30ms]`, by the steps of their own cumulative distribution."""

    lengths_ns: tuple[int, ...]
    forms = "empirical [10ms, 12ms, 30ms]"

    @cached_property
    def ascending_ns(self) -> NDArray[np.int64]:
        """The durations in order."""
        return np.sort(np.array(self.lengths_ns, dtype=np.int64))

    @property
    def text(self) -> str:
        return f"empirical [{', '.join(show_duration(length_ns) for length_ns in self.lengths_ns)}]"

    @property
    def mean_s(self) -> float:
        return math.fsum(self.lengths_ns) / len(self.lengths_ns) / SECOND_NS

    @property
    def variance_s2(self) -> float:
        mean_ns = math.fsum(self.lengths_ns) / len(self.lengths_ns)
        return math.fsum((length_ns - mean_ns) ** 2 for length_ns in self.lengths_ns) / len(self.lengths_ns) / SECOND_NS**2

    @property
    def first_ns(self) -> int:
        return self.lengths_ns[0]

    def quantile_s(self, uniform: Floats) -> Floats:
        steps = np.ceil(uniform * len(self.lengths_ns)).astype(np.int64) - 1
        return self.ascending_ns[np.clip(steps, 0, len(self.lengths_ns) - 1)] / SECOND_NS

    def scaled(self, ratio: Fraction) -> Distribution:
        return Empirical(tuple(round(length_ns * ratio) for length_ns in self.lengths_ns))


@dataclass(frozen=True)
class Hyper(Distribution):
    """A mixture: `hyper 95% 16ms, 5% exponential 300ms`. The uniform picks the part and, stretched, is used again inside it.

    Parts take the uniform in the order of their means, so that a larger uniform is a longer duration on average.
    """

    parts: tuple[tuple[float, Distribution], ...]
    forms = "hyper 95% 16ms, 5% exponential 300ms"

    @cached_property
    def by_mean(self) -> tuple[tuple[float, Distribution], ...]:
        """The parts in the order in which the uniform meets them."""
        return tuple(sorted(self.parts, key=lambda part: part[1].mean_s))

    @property
    def text(self) -> str:
        return "hyper " + ", ".join(f"{show_share(share)} {part.text}" for share, part in self.parts)

    @property
    def mean_s(self) -> float:
        return math.fsum(share * part.mean_s for share, part in self.parts if share)

    @property
    def variance_s2(self) -> float:
        mean_s = self.mean_s
        if not math.isfinite(mean_s):
            return math.inf
        return math.fsum(share * (part.variance_s2 + (part.mean_s - mean_s) ** 2) for share, part in self.parts if share)

    @property
    def first_ns(self) -> int:
        return self.parts[0][1].first_ns

    def quantile_s(self, uniform: Floats) -> Floats:
        result = np.zeros(uniform.shape)
        start = 0.0
        for position, (share, part) in enumerate(self.by_mean):
            end = 1.0 if position == len(self.parts) - 1 else start + share
            inside = (uniform > start) & (uniform <= end)
            if share and inside.any():
                stretched = (uniform[inside] - start) / (end - start)
                result[inside] = part.quantile_s(np.clip(stretched, 1e-300, 1.0 - 2.0**-53))
            start = end
        return result

    def scaled(self, ratio: Fraction) -> Distribution:
        return Hyper(tuple((share, part.scaled(ratio)) for share, part in self.parts))
