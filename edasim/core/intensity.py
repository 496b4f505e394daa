"""Poisson arrivals whose rate is a curve in time: flat, a ramp, a spike, a daily profile, bursts.

Orders come where the cumulative rate reaches the sums of unit exponentials (time rescaling), so a changed rate moves every
instant smoothly. The curve is followed in chunks of straight pieces.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edasim.core.arrival_process import (
    BLOCK,
    HORIZON_NS,
    Arrivals,
    Instants,
    Uniforms,
    numbered,
    rate_ratio,
    within_horizon,
)
from edasim.core.quantiles import Floats
from edasim.core.quantity import SECOND_NS, show_duration, show_rate
from edasim.core.shapes import Distribution


class Pieces(NamedTuple):
    """Straight pieces of a rate one after another: how long each takes, and its rate at both ends, per second."""

    lengths_s: Floats
    from_rates: Floats
    to_rates: Floats


class Chunk:
    """Pieces placed in time, with the cumulative rate at their ends."""

    def __init__(self, pieces: Pieces, start_s: float, start_area: float) -> None:
        self.pieces = pieces
        self.times_s = start_s + np.concatenate(([0.0], np.cumsum(pieces.lengths_s)))
        mean_rates = 0.5 * (pieces.from_rates + pieces.to_rates)
        with np.errstate(invalid="ignore"):
            areas = np.where(mean_rates > 0, mean_rates * pieces.lengths_s, 0.0)
        self.areas = start_area + np.concatenate(([0.0], np.cumsum(areas)))

    @property
    def end_s(self) -> float:
        """When the last piece ends; infinite when it stays."""
        return float(self.times_s[-1])

    @property
    def end_area(self) -> float:
        """Orders expected from time 0 to the end."""
        return float(self.areas[-1])

    def area(self, time_s: float) -> float:
        """Orders expected from time 0 to a time inside."""
        piece = min(int(np.searchsorted(self.times_s, time_s, side="right")) - 1, self.pieces.lengths_s.size - 1)
        gone_s = time_s - float(self.times_s[piece])
        rate = float(self.pieces.from_rates[piece])
        return float(self.areas[piece]) + gone_s * (rate + 0.5 * gone_s * self._slope(np.array([piece]))[0])

    def times_of(self, areas: Floats) -> Floats:
        """When the cumulative rate reaches each area, in seconds: the root of a quadratic in the form that keeps its digits."""
        piece = np.clip(np.searchsorted(self.areas, areas, side="left") - 1, 0, self.pieces.lengths_s.size - 1)
        missing = areas - self.areas[piece]
        rate = self.pieces.from_rates[piece]
        root = np.sqrt(np.maximum(rate * rate + 2.0 * self._slope(piece) * missing, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            gone_s = np.where(missing > 0, 2.0 * missing / (rate + root), 0.0)
        return self.times_s[piece] + np.minimum(gone_s, self.pieces.lengths_s[piece])

    def _slope(self, piece: Instants) -> Floats:
        lengths_s = self.pieces.lengths_s[piece]
        rise = self.pieces.to_rates[piece] - self.pieces.from_rates[piece]
        return np.where(lengths_s > 0, rise / np.where(lengths_s > 0, lengths_s, 1.0), 0.0)


@dataclass(frozen=True)
class Varying(Arrivals):
    """Poisson arrivals along a curve of the rate."""

    @abstractmethod
    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        """The curve from time 0 on; without uniforms, what is random in it has its mean length."""

    def chunks(self, uniforms: Uniforms | None) -> Iterator[Chunk]:
        """The curve placed in time, until it ends or reaches the horizon."""
        start_s, start_area = 0.0, 0.0
        for pieces in self.pieces(uniforms):
            chunk = Chunk(pieces, start_s, start_area)
            yield chunk
            start_s, start_area = chunk.end_s, chunk.end_area
            if start_s > HORIZON_NS / SECOND_NS:
                return

    def instants(self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0) -> Iterator[Instants]:
        if self.mean_rate == 0 and not math.isinf(self.segment_s):
            return
        waiting: Floats = np.empty(0)
        targets: Iterator[Floats] | None = None
        for chunk in self.chunks(uniforms):
            if chunk.end_s <= after_ns / SECOND_NS:
                continue
            if targets is None:
                targets = _sums(uniforms, placed, chunk.area(after_ns / SECOND_NS) - spent)
                waiting = next(targets)
            while chunk.end_area > waiting[0]:
                reached = int(np.searchsorted(waiting, chunk.end_area, side="right"))
                block = within_horizon(chunk.times_of(waiting[:reached]) * SECOND_NS, after_ns)
                if block.size:
                    yield block
                if block.size < reached:
                    return
                waiting = waiting[reached:] if reached < waiting.size else next(targets)

    def rate_at(self, time_s: float) -> float:
        for chunk in self.chunks(None):
            if time_s < chunk.end_s:
                piece = int(np.searchsorted(chunk.times_s, time_s, side="right")) - 1
                return float(chunk.pieces.from_rates[piece] + (time_s - chunk.times_s[piece]) * chunk._slope(np.array([piece]))[0])
        return 0.0

    def expected(self, start_s: float, end_s: float) -> float:
        return self.area(None, end_s) - self.area(None, start_s)

    def spent(self, uniforms: Uniforms, last_ns: int, now_ns: int) -> float:
        return self.area(uniforms, now_ns / SECOND_NS) - self.area(uniforms, last_ns / SECOND_NS)

    def area(self, uniforms: Uniforms | None, time_s: float) -> float:
        """Orders expected from time 0 to a time."""
        area = 0.0
        for chunk in self.chunks(uniforms):
            if time_s <= chunk.end_s:
                return chunk.area(time_s)
            area = chunk.end_area
        return area


def _sums(uniforms: Uniforms, placed: int, start: float) -> Iterator[Floats]:
    """Running sums of unit exponentials from order number `placed` on."""
    for block in numbered(uniforms, "interval", placed):
        sums = start + np.cumsum(-np.log1p(-block))
        yield sums
        start = float(sums[-1])


def _staying(rates: list[float], lengths_s: list[float]) -> Pieces:
    return Pieces(np.array(lengths_s), np.array(rates), np.array(rates))


@dataclass(frozen=True)
class Poisson(Varying):
    """Orders that know nothing of each other: `poisson 40/s`, or `40/s` alone."""

    rate: float

    @property
    def text(self) -> str:
        return f"poisson {show_rate(self.rate)}"

    @property
    def mean_rate(self) -> float:
        return self.rate

    @property
    def first(self) -> str:
        return show_rate(self.rate)

    def with_first(self, text: str) -> Arrivals:
        return Poisson(rate_ratio(text, 1.0, self.text))

    def pieces(self, uniforms: Uniforms | None) -> Iterator[Pieces]:
        yield _staying([self.rate], [math.inf])


@dataclass(frozen=True)
class Ramp(Varying):
    """A rate that rises (or falls) in a straight line and then stays: `ramp 10/s to 95/s over 60s`."""

    from_rate: float
    to_rate: float
    length_ns: int

    @property
    def text(self) -> str:
        return f"ramp {show_rate(self.from_rate)} to {show_rate(self.to_rate)} over {show_duration(self.length_ns)}"

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
        yield Pieces(
            np.array([self.length_ns / SECOND_NS]), np.array([self.from_rate]), np.array([self.to_rate])
        )
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
    """Rates that follow one another and repeat: `profile 10/s 40/s 95/s 20/s each 15s`; a day is 24 rates `each 1h`."""

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
    """Busy and calm times that take turns: `bursts 100/s for 2s then 5/s for 8s`; `for exponential 2s` draws the lengths."""

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
