"""Durations that are made of others: measured ones, and mixtures of distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edasim.core.quantiles import Floats
from edasim.core.quantity import SECOND_NS, show_duration, show_share
from edasim.core.shapes import Distribution, scaled_ns


@dataclass(frozen=True)
class Empirical(Distribution):
    """Measured durations, each equally likely: `empirical [10ms, 12ms, 30ms]`, or the list alone."""

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
        return self._mean_ns / SECOND_NS

    @property
    def variance_s2(self) -> float:
        squares = math.fsum((length_ns - self._mean_ns) ** 2 for length_ns in self.lengths_ns)
        return squares / len(self.lengths_ns) / SECOND_NS**2

    @property
    def _mean_ns(self) -> float:
        return math.fsum(self.lengths_ns) / len(self.lengths_ns)

    @property
    def first_ns(self) -> int:
        return self.lengths_ns[0]

    def quantile_s(self, uniform: Floats) -> Floats:
        steps = np.ceil(uniform * len(self.lengths_ns)).astype(np.int64) - 1
        return self.ascending_ns[np.clip(steps, 0, len(self.lengths_ns) - 1)] / SECOND_NS

    def scaled(self, ratio: Fraction) -> Distribution:
        return Empirical(tuple(scaled_ns(length_ns, ratio) for length_ns in self.lengths_ns))


@dataclass(frozen=True)
class Hyper(Distribution):
    """A mixture: `hyper 95% 16ms, 5% exponential 300ms`.

    The uniform picks the part and, stretched, is used again inside it. Parts take it in the order of their
    means, so that a larger uniform is a longer duration on average.
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
        return math.fsum(
            share * (part.variance_s2 + (part.mean_s - mean_s) ** 2) for share, part in self.parts if share
        )

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
