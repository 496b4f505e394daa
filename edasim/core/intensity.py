"""Poisson arrivals by the curve of their rate: flat, a ramp, a spike, a daily profile, bursts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edasim.core.arrival_process import BLOCK, Arrivals, OneRate, Uniforms, numbered, rate_ratio
from edasim.core.quantity import SECOND_NS, show_duration, show_rate
from edasim.core.rate_curve import Chunk, Pieces, Varying
from edasim.core.shapes import Distribution


def _staying(rates: list[float], lengths_s: list[float]) -> Pieces:
    return Pieces(np.array(lengths_s), np.array(rates), np.array(rates))


@dataclass(frozen=True)
class Poisson(OneRate, Varying):
    """Orders that know nothing of each other: `poisson 40/s`, or `40/s` alone."""

    word = "poisson"

    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        yield _staying([self.rate], [math.inf])


@dataclass(frozen=True)
class Ramp(Varying):
    """A rate that rises or falls in a straight line and then stays: `ramp 10/s to 95/s over 60s`."""

    from_rate: float
    to_rate: float
    length_ns: int

    @property
    def text(self) -> str:
        rise = f"{show_rate(self.from_rate)} to {show_rate(self.to_rate)}"
        return f"ramp {rise} over {show_duration(self.length_ns)}"

    @property
    def mean_rate(self) -> float:
        return self.to_rate

    @property
    def first(self) -> str:
        return show_rate(self.from_rate)

    def with_first(self, text: str) -> Arrivals:
        ratio = rate_ratio(text, self.from_rate, self.text)
        return Ramp(self.from_rate * ratio, self.to_rate * ratio, self.length_ns)

    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        yield Pieces(np.array([self.length_ns / SECOND_NS]), np.array([self.from_rate]), np.array([self.to_rate]))
        yield _staying([self.to_rate], [math.inf])


@dataclass(frozen=True)
class Spike(Varying):
    """A higher rate for a while: `spike 40/s to 300/s at 20s for 5s`."""

    base: float
    top: float
    at_ns: int
    length_ns: int

    @property
    def text(self) -> str:
        when = f"at {show_duration(self.at_ns)} for {show_duration(self.length_ns)}"
        return f"spike {show_rate(self.base)} to {show_rate(self.top)} {when}"

    @property
    def mean_rate(self) -> float:
        return self.base

    @property
    def first(self) -> str:
        return show_rate(self.base)

    def with_first(self, text: str) -> Arrivals:
        ratio = rate_ratio(text, self.base, self.text)
        return Spike(self.base * ratio, self.top * ratio, self.at_ns, self.length_ns)

    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        yield _staying([self.base, self.top], [self.at_ns / SECOND_NS, self.length_ns / SECOND_NS])
        yield _staying([self.base], [math.inf])


@dataclass(frozen=True)
class Profile(Varying):
    """Rates in turn, repeating: `profile 10/s 40/s 95/s 20/s each 15s`; a day is 24 rates `each 1h`."""

    rates: tuple[float, ...]
    step_ns: int

    @property
    def text(self) -> str:
        return f"profile {' '.join(show_rate(rate) for rate in self.rates)} each {show_duration(self.step_ns)}"

    @property
    def mean_rate(self) -> float:
        return math.fsum(self.rates) / len(self.rates)

    @property
    def first(self) -> str:
        return show_rate(self.rates[0])

    @property
    def segment_s(self) -> float:
        return self.step_ns / SECOND_NS

    def with_first(self, text: str) -> Arrivals:
        ratio = rate_ratio(text, self.rates[0], self.text)
        return Profile(tuple(rate * ratio for rate in self.rates), self.step_ns)

    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        rates = np.tile(np.array(self.rates), max(1, BLOCK // len(self.rates)))
        while True:
            yield Pieces(np.full(rates.size, self.step_ns / SECOND_NS), rates, rates)

    def expected(self, start_s: float, end_s: float) -> float:
        return self._until(end_s) - self._until(start_s)

    def _until(self, time_s: float) -> float:
        whole, left = divmod(time_s, self.segment_s * len(self.rates))
        return whole * math.fsum(self.rates) * self.segment_s + Chunk(next(self.pieces(None)), 0.0, 0.0).area(left)


@dataclass(frozen=True)
class Bursts(Varying):
    """Busy and calm times in turn: `bursts 100/s for 2s then 5/s for 8s`; lengths may be distributions."""

    busy: float
    busy_length: Distribution
    calm: float
    calm_length: Distribution

    @property
    def text(self) -> str:
        busy = f"{show_rate(self.busy)} for {self.busy_length.text}"
        return f"bursts {busy} then {show_rate(self.calm)} for {self.calm_length.text}"

    @property
    def mean_rate(self) -> float:
        busy_s, calm_s = self.busy_length.mean_s, self.calm_length.mean_s
        return (self.busy * busy_s + self.calm * calm_s) / (busy_s + calm_s)

    @property
    def first(self) -> str:
        return show_rate(self.busy)

    @property
    def segment_s(self) -> float:
        return 0.5 * (self.busy_length.mean_s + self.calm_length.mean_s)

    @property
    def drawn(self) -> bool:
        """Whether the lengths vary."""
        return self.busy_length.constant_ns is None or self.calm_length.constant_ns is None

    def with_first(self, text: str) -> Arrivals:
        ratio = rate_ratio(text, self.busy, self.text)
        return Bursts(self.busy * ratio, self.busy_length, self.calm * ratio, self.calm_length)

    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        rates = np.tile(np.array([self.busy, self.calm]), BLOCK // 2)
        means_s = np.tile(np.array([self.busy_length.mean_s, self.calm_length.mean_s]), BLOCK // 2)
        if uniforms is None:
            while True:
                yield Pieces(means_s, rates, rates)
        for block in numbered(uniforms, "phase", 0):
            lengths_s = np.empty(BLOCK)
            lengths_s[0::2] = self.busy_length.quantile_s(block[0::2])
            lengths_s[1::2] = self.calm_length.quantile_s(block[1::2])
            yield Pieces(lengths_s, rates, rates)

    def expected(self, start_s: float, end_s: float) -> float:
        """Exact for constant lengths; in the long run where lengths are drawn."""
        if self.drawn:
            return self.mean_rate * (end_s - start_s)
        return self._until(end_s) - self._until(start_s)

    def _until(self, time_s: float) -> float:
        whole, left = divmod(time_s, 2.0 * self.segment_s)
        return whole * 2.0 * self.segment_s * self.mean_rate + Chunk(next(self.pieces(None)), 0.0, 0.0).area(left)
