"""A rate that changes in time, followed in chunks of straight pieces, and the Poisson arrivals along it.

Orders come where the cumulative rate reaches the sums of unit exponentials (time rescaling), so a changed
rate moves every instant smoothly.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edasim.core.arrival_process import HORIZON_NS, Arrivals, Instants, Uniforms, numbered, within_horizon
from edasim.core.quantiles import Floats
from edasim.core.quantity import SECOND_NS


class Pieces(NamedTuple):
    """Straight pieces of a rate one after another: the length of each, and its rate at both ends, per second."""

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
        slope = float(self.slope(np.array([piece]))[0])
        return float(self.areas[piece]) + gone_s * (rate + 0.5 * gone_s * slope)

    def times_of(self, areas: Floats) -> Floats:
        """When the cumulative rate reaches each area, in seconds, by a quadratic's root that keeps its
        digits.
        """
        piece = np.clip(np.searchsorted(self.areas, areas, side="left") - 1, 0, self.pieces.lengths_s.size - 1)
        missing = areas - self.areas[piece]
        rate = self.pieces.from_rates[piece]
        root = np.sqrt(np.maximum(rate * rate + 2.0 * self.slope(piece) * missing, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            gone_s = np.where(missing > 0, 2.0 * missing / (rate + root), 0.0)
        return self.times_s[piece] + np.minimum(gone_s, self.pieces.lengths_s[piece])

    def slope(self, piece: Instants) -> Floats:
        """How fast the rate rises in each of some pieces, per second squared."""
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

    def instants(
        self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0
    ) -> Iterator[Instants]:
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
                gone_s = time_s - chunk.times_s[piece]
                return float(chunk.pieces.from_rates[piece] + gone_s * chunk.slope(np.array([piece]))[0])
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
