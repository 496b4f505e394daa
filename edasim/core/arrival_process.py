"""When orders are placed: the base of all arrivals, and those that are not Poisson.

Order number k uses uniform number k of its producer's stream and nothing else, so a changed rate moves the
instants and leaves the draws alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edasim.core.quantiles import Floats
from edasim.core.quantity import (
    SECOND_NS,
    QuantityError,
    duration_ns,
    rate_per_s,
    show_duration,
    show_rate,
    shown,
)
from edasim.core.shapes import Distribution

Instants = NDArray[np.int64]
BLOCK = 1024
HORIZON_NS = 3_155_760_000 * SECOND_NS
"""A hundred years: no order is placed later, so that an instant always fits into 64 bits."""


class Uniforms(Protocol):
    """The stream of uniforms of a purpose, by blocks of 1,024 inside (0, 1)."""

    def __call__(self, purpose: str, block: int) -> Floats: ...


@dataclass(frozen=True)
class Arrivals(ABC):
    """The instants at which a producer places orders. Two are equal when they are written alike."""

    @property
    @abstractmethod
    def text(self) -> str:
        """How a file writes it; reads back as equal arrivals."""

    @property
    @abstractmethod
    def mean_rate(self) -> float:
        """Orders per second in the long run (given times: until the last of them)."""

    @property
    @abstractmethod
    def first(self) -> str:
        """The first rate (or duration, where it names no rate) of its text, which a knob moves."""

    @abstractmethod
    def with_first(self, text: str) -> Arrivals:
        """The same shape with the first rate changed to `text` and all other rates scaled alike; times stay.

        Where the text names no rate, the first duration is changed and the others are scaled.
        """

    @abstractmethod
    def instants(
        self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0
    ) -> Iterator[Instants]:
        """Blocks of ascending instants in nanoseconds, none empty, from order number `placed` (0 is the
        first).

        All are later than `after_ns`; only given times may begin at 0. `spent` is how much of the interval
        that runs at `after_ns` is over, as the `spent` of the arrivals before a change gives it.
        """

    def rate_at(self, time_s: float) -> float:
        """Orders per second at a time, averaged over what is random."""
        return self.mean_rate

    def expected(self, start_s: float, end_s: float) -> float:
        """The mean number of orders between two times."""
        return self.mean_rate * (end_s - start_s)

    def spent(self, uniforms: Uniforms, last_ns: int, now_ns: int) -> float:
        """How much of an interval's unit mean is over at `now_ns` when the last order came at `last_ns`."""
        return self.mean_rate * (now_ns - last_ns) / SECOND_NS

    @property
    def segment_s(self) -> float:
        """The mean time for which the rate stays on one line: what it costs to follow the rate."""
        return math.inf

    def __str__(self) -> str:
        return self.text


def numbered(uniforms: Uniforms, purpose: str, first: int) -> Iterator[Floats]:
    """The uniforms of a purpose from number `first` on, in blocks."""
    block, skipped = divmod(first, BLOCK)
    while True:
        yield uniforms(purpose, block)[skipped:]
        block, skipped = block + 1, 0


def rate_ratio(text: str, first: float, whole: str) -> float:
    """How much a rate that replaces the first one scales all others by."""
    wanted = rate_per_s(text)
    if first == 0:
        if wanted == 0:
            return 1.0
        raise QuantityError(f"{shown(whole)} begins with 0/s and cannot be scaled: write all of it")
    return wanted / first


def within_horizon(instants_ns: Instants | Floats, after_ns: int) -> Instants:
    """The instants as whole nanoseconds, later than `after_ns`, without those past the horizon."""
    reached = instants_ns[instants_ns <= HORIZON_NS]
    return np.maximum(np.rint(reached).astype(np.int64), after_ns + 1)


@dataclass(frozen=True)
class OneRate(Arrivals):
    """Arrivals that one rate describes, written as `WORD 40/s`."""

    rate: float
    word: ClassVar[str]

    @property
    def text(self) -> str:
        return f"{self.word} {show_rate(self.rate)}"

    @property
    def mean_rate(self) -> float:
        return self.rate

    @property
    def first(self) -> str:
        return show_rate(self.rate)

    def with_first(self, text: str) -> Arrivals:
        return type(self)(rate_per_s(text))


@dataclass(frozen=True)
class Regular(OneRate):
    """Like a clock, the first after one interval: `constant 40/s`."""

    word = "constant"

    def instants(
        self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0
    ) -> Iterator[Instants]:
        start = 1.0 - min(spent, 1.0)
        while self.rate > 0:
            intervals = start + np.arange(BLOCK, dtype=np.float64)
            block = within_horizon(after_ns + intervals * (SECOND_NS / self.rate), after_ns)
            if block.size:
                yield block
            if block.size < BLOCK:
                return
            start += BLOCK


@dataclass(frozen=True)
class Renewal(Arrivals):
    """Independent intervals of any distribution: `every erlang 2 mean 25ms`."""

    interval: Distribution

    @property
    def text(self) -> str:
        return f"every {self.interval.text}"

    @property
    def mean_rate(self) -> float:
        return 1.0 / self.interval.mean_s

    @property
    def first(self) -> str:
        return self.interval.first

    def with_first(self, text: str) -> Arrivals:
        interval = self.interval.with_first(text)
        if interval.mean_s == 0:
            raise QuantityError(f"{shown(text)} leaves no time between orders: more than 0s is needed")
        return Renewal(interval)

    def expected(self, start_s: float, end_s: float) -> float:
        """By the mean interval; by the median, which is above 0s then, where the mean is infinite."""
        if math.isfinite(self.interval.mean_s):
            return (end_s - start_s) / self.interval.mean_s
        return (end_s - start_s) / float(self.interval.quantile_s(np.array([0.5]))[0])

    def instants(
        self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0
    ) -> Iterator[Instants]:
        gone_ns = round(spent / self.mean_rate * SECOND_NS) if spent else 0
        last_ns = after_ns
        for block in numbered(uniforms, "interval", placed):
            intervals_ns = self.interval.quantile_ns(block)
            intervals_ns[0] = max(intervals_ns[0] - gone_ns, 0)
            gone_ns = 0
            reached = within_horizon(_running_sum(last_ns, intervals_ns), after_ns)
            if reached.size:
                yield reached
            if reached.size < block.size:
                return
            last_ns = int(reached[-1])


def _running_sum(start_ns: int, intervals_ns: Instants) -> Instants:
    """Instants after each interval, exact; stopped at twice the horizon, where 64 bits would no longer do."""
    rough = start_ns + np.cumsum(intervals_ns.astype(np.float64))
    exact = start_ns + np.cumsum(np.where(rough > 2.0 * HORIZON_NS, 0, intervals_ns))
    return np.where(rough > 2.0 * HORIZON_NS, HORIZON_NS + 1, exact)


@dataclass(frozen=True)
class Batches(Arrivals):
    """Several orders at one instant: `batches of 10 at poisson 4/s`."""

    size: int
    moments: Arrivals

    @property
    def text(self) -> str:
        return f"batches of {self.size} at {self.moments.text}"

    @property
    def mean_rate(self) -> float:
        return self.size * self.moments.mean_rate

    @property
    def first(self) -> str:
        return self.moments.first

    @property
    def segment_s(self) -> float:
        return self.moments.segment_s

    def with_first(self, text: str) -> Arrivals:
        return Batches(self.size, self.moments.with_first(text))

    def rate_at(self, time_s: float) -> float:
        return self.size * self.moments.rate_at(time_s)

    def expected(self, start_s: float, end_s: float) -> float:
        return self.size * self.moments.expected(start_s, end_s)

    def spent(self, uniforms: Uniforms, last_ns: int, now_ns: int) -> float:
        return self.moments.spent(uniforms, last_ns, now_ns)

    def instants(
        self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0
    ) -> Iterator[Instants]:
        for block in self.moments.instants(uniforms, after_ns, placed // self.size, spent):
            for piece in np.array_split(block, max(1, block.size * self.size // 65_536)):
                if piece.size:
                    yield np.repeat(piece, self.size)


@dataclass(frozen=True)
class Times(Arrivals):
    """Orders at given times, then none: `times [1s, 1.5s, 3s]`, or the list alone."""

    times_ns: tuple[int, ...]

    @property
    def text(self) -> str:
        return f"times [{', '.join(show_duration(time_ns) for time_ns in self.times_ns)}]"

    @property
    def mean_rate(self) -> float:
        return len(self.times_ns) * SECOND_NS / max(self.times_ns[-1], 1)

    @property
    def first(self) -> str:
        return show_duration(self.times_ns[0])

    def with_first(self, text: str) -> Arrivals:
        wanted_ns, first_ns = duration_ns(text), self.times_ns[0]
        if first_ns == 0:
            raise QuantityError(f"{shown(self.text)} begins with 0s and cannot be scaled: write all times")
        return Times(tuple(round(time_ns * Fraction(wanted_ns, first_ns)) for time_ns in self.times_ns))

    def expected(self, start_s: float, end_s: float) -> float:
        start_ns, end_ns = start_s * SECOND_NS, end_s * SECOND_NS
        return float(sum(start_ns <= time_ns < end_ns for time_ns in self.times_ns))

    def instants(
        self, uniforms: Uniforms, after_ns: int = 0, placed: int = 0, spent: float = 0.0
    ) -> Iterator[Instants]:
        times_ns = np.array(self.times_ns[placed:], dtype=np.int64)
        times_ns = times_ns[(times_ns > after_ns) | (placed + after_ns == 0)]
        for start in range(0, times_ns.size, BLOCK):
            yield times_ns[start : start + BLOCK]
