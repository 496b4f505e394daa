"""A law's case: trials of it, each in one place, repeated with other seeds, with the figures that it must show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.replicate import replication_seed
from edasim.study.validate.rules import Estimate, Rule, Statistical

Floats = NDArray[np.floating[Any]]
Numbers = Mapping[str, float | Floats]
"""What one replication found by name: sums, counts, time averages, or a histogram."""
Figure = Callable[[Mapping[str, Any]], float]
REPLICATIONS = 30
ORDERS_AT_ONCE = 150_000
"""A larger replication is several runs after one another, each with its own warm-up, so that it fits into memory."""


@dataclass(frozen=True)
class Quantity:
    """One figure of a law.

    `exact` comes from the formula, `figure` takes it from the replications' means (without: the mean of that name),
    `published` is its path in the law's `expected` (empty for one that the file does not have). `control` is a second
    figure whose exact value is known, whose luck is taken out of this one.
    """

    name: str
    exact: float
    rule: Rule
    figure: Figure | Percentile | None = None
    published: str = ""
    control: tuple[Figure, float] | None = None

    def estimate(self, found: Sequence[Numbers]) -> Estimate:
        """The figure over all replications, with the jackknife's standard error."""
        if isinstance(self.figure, Percentile):
            return self.figure.estimate(found)
        values = pseudo_values(self.figure or mean_of(self.name), found)
        if self.control is not None and len(values) > 2:
            known = pseudo_values(self.control[0], found) - self.control[1]
            slope = float(np.cov(values, known)[0, 1] / np.var(known, ddof=1))
            return _spread(values - slope * known, len(values) - 2)
        return _spread(values, len(values) - 1)


def _spread(values: Floats, freedom: int) -> Estimate:
    value = float(np.mean(values))
    if len(values) < 2:
        return Estimate(value)
    return Estimate(value, float(np.std(values, ddof=1)) / math.sqrt(len(values)), freedom)


def pseudo_values(figure: Figure, found: Sequence[Numbers]) -> Floats:
    """Quenouille's and Tukey's: n times the figure of all less n - 1 times the figure without one, for each one.

    Of a mean they are the replications' own values; of a quotient of sums or of a percentile they are nearly
    independent, and their mean lacks the bias that such a figure has in a single replication.
    """
    number = len(found)
    sums = {name: np.sum(np.array([one[name] for one in found]), axis=0) for name in found[0]}
    whole = figure({name: total / number for name, total in sums.items()})
    if number == 1:
        return np.array([whole])
    without = [figure({name: (total - one[name]) / (number - 1) for name, total in sums.items()}) for one in found]
    return number * whole - (number - 1) * np.array(without)


def mean_of(name: str) -> Figure:
    """The mean of what was found under a name."""
    return lambda means: float(means[name])


def quotient(above: str, below: str) -> Figure:
    """The quotient of two means."""
    return lambda means: float(means[above]) / float(means[below])


@dataclass(frozen=True)
class Experiment:
    """A trial by scenario: build one for so many orders, run it in an architecture, read the run."""

    build: Callable[[int], Scenario]
    architecture: str
    read: Callable[[Run], Numbers]

    def __call__(self, seed: int, size: int) -> Numbers:
        """One replication."""
        return self.read(simulate(self.build(size), self.architecture, seed))


_BINS_PER_E = 1000
_LEAST_S, _MOST_S = 1e-7, 1e6
_BINS = math.ceil(math.log(_MOST_S / _LEAST_S) * _BINS_PER_E)


def histogram(latencies_s: Floats) -> Floats:
    """How many latencies lie in each of the bins of a fine logarithmic scale, a thousandth wide each."""
    place = np.log(np.maximum(latencies_s[np.isfinite(latencies_s)], _LEAST_S) / _LEAST_S) * _BINS_PER_E
    counts: Floats = np.bincount(np.minimum(place.astype(np.int64), _BINS - 1), minlength=_BINS).astype(np.float64)
    return counts


@dataclass(frozen=True)
class Percentile:
    """A percentile of the histograms of all replications together, times `scale`.

    Its standard error is a quarter of the distance between the percentiles two standard errors of the share below and
    above (R. Woodruff, JASA 47, 1952): a percentile of a single replication would be biased.
    """

    name: str
    share: float
    scale: float = 1.0

    def estimate(self, found: Sequence[Numbers]) -> Estimate:
        """The percentile with its error."""
        counts = np.array([one[self.name] for one in found])
        cumulated = np.cumsum(np.sum(counts, axis=0))
        value = self._at(cumulated, self.share)
        if len(found) < 2:
            return Estimate(value)
        place = min(int(np.searchsorted(cumulated, self.share * cumulated[-1])) + 1, _BINS)
        below = [{"below": float(np.sum(one[:place])), "all": float(np.sum(one))} for one in counts]
        share = _spread(pseudo_values(quotient("below", "all"), below), len(found) - 1)
        low, high = (self._at(cumulated, self.share + side * share.error) for side in (-2, 2))
        return Estimate(value, (high - low) / 4, len(found) - 1)

    def _at(self, cumulated: Floats, share: float) -> float:
        """The value at a share, interpolated within its bin."""
        total = float(cumulated[-1])
        wanted = min(max(share * total, 0.5), total - 0.5)
        place = int(np.searchsorted(cumulated, wanted))
        before = float(cumulated[place - 1]) if place else 0.0
        inside = (wanted - before) / (float(cumulated[place]) - before)
        return self.scale * _LEAST_S * math.exp((place + inside) / _BINS_PER_E)


Sample = Callable[[int, int], Numbers]
"""(seed, size) to the numbers of one replication."""


@dataclass(frozen=True)
class Trial:
    """A law tried in one place.

    `full` and `quick` are the sizes of one replication (mostly orders). `also` is a further place: it is tried at its
    quick size in a full run too, at half of it in a quick one, and judged by z alone. `said` is for
    the documentation what no scenario says; `halves` is false where the size is a part of the law.
    """

    where: str
    sample: Sample
    quantities: tuple[Quantity, ...]
    full: int
    quick: int
    replications: int = REPLICATIONS
    also: bool = False
    said: str = ""
    most_at_once: int = ORDERS_AT_ONCE
    halves: bool = True

    def size(self, quick: bool) -> int:
        """The size of a replication."""
        if self.also and self.halves:
            return math.ceil(self.quick / 2) if quick else self.quick
        return self.quick if quick or self.also else self.full

    def replication(self, seed: int, size: int) -> Numbers:
        """The numbers of one replication, the means over its runs when it has several."""
        runs = math.ceil(size / self.most_at_once)
        found = [self.sample(replication_seed(seed, run), math.ceil(size / runs)) for run in range(runs)]
        return {name: sum(one[name] for one in found) / runs for name in found[0]}


@dataclass(frozen=True)
class Case:
    """All trials of one law."""

    law: str
    trials: tuple[Trial, ...]


def trial_seed(seed: int, law: str, trial: int, replication: int) -> int:
    """The seed of a replication: another one for each law, trial and replication, all from the one that is given."""
    text = f"{seed}\0{law}\0{trial}\0{replication}".encode()
    return int.from_bytes(blake2b(text, digest_size=6).digest(), "big")


def by_shop(  # noqa: PLR0913 - what makes a trial
    build: Callable[[int], Scenario], architectures: Sequence[str], read: Callable[[Run], Numbers],
    quantities: Sequence[Quantity], full: int, quick: int, said: str = "",
) -> tuple[Trial, ...]:
    """The same scenario in several architectures: the first at full size, the others also."""
    first, *others = architectures
    trial = Trial(first, Experiment(build, first, read), tuple(quantities), full, quick, said=said)
    return trial, *(replace(trial, where=other, sample=Experiment(build, other, read), also=True) for other in others)


def statistical(share: float, exact: Mapping[str, float], figures: Mapping[str, Figure | Percentile] | None = None,
                rare: Sequence[str] = ()) -> tuple[Quantity, ...]:
    """Figures that are judged by standard errors, which may be at most this share of the exact value."""
    figures = figures or {}
    return tuple(Quantity(name, value, Statistical(share, name in rare), figures.get(name), name)
                 for name, value in exact.items())
