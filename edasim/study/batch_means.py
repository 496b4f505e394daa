"""Batch means: an interval from one long run, for those who ask for it; independent replications are the usual way.

Neighbouring orders wait alike, so that an interval from single orders would be far too narrow. The means of long
batches hardly depend on each other (Conway 1963; Law and Kelton, Simulation Modeling and Analysis, chapter 9).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edasim.core.quantity import shown
from edasim.simulate import Run
from edasim.study.precision import Interval, interval

BATCHES = 20
_FEWEST_IN_BATCH = 10
LATENCIES = ("accept_latency_s", "completion_latency_s", "waiting_s")


class BatchMeansError(ValueError):
    """A run that gives no batch means; its text is one sentence."""


@dataclass(frozen=True)
class BatchMeans:
    """The interval of a mean from so many batches of `size` values; `correlation` is that of neighbouring batches."""

    interval: Interval
    batches: int
    size: int
    correlation: float

    @property
    def correlated(self) -> bool:
        """Whether neighbours are alike beyond chance (two standard errors): then the interval is too narrow."""
        return self.correlation > 2 / math.sqrt(self.batches)

    def __str__(self) -> str:
        text = f"{self.interval.mean:.6g} ± {self.interval.half:.2g} from {self.batches} batches of {self.size:,}"
        too_narrow = "; neighbours are alike, so that it is too narrow: make the run longer"
        return text + too_narrow if self.correlated else text


def batch_means(values: Sequence[float], batches: int = BATCHES) -> BatchMeans:
    """The interval of the mean of a series in the order of time; what does not fill a batch is cut at its beginning."""
    size = len(values) // batches if batches >= 2 else 0
    if size < 1:
        raise BatchMeansError(f"{len(values)} values are too few for {batches} batches")
    means = np.asarray(values[len(values) - batches * size :], np.float64).reshape(batches, size).mean(axis=1)
    apart = means - means.mean()
    squares = float((apart**2).sum())
    correlation = float((apart[1:] * apart[:-1]).sum()) / squares if squares > 0 else 0.0
    return BatchMeans(interval(means.tolist()), batches, size, correlation)


def batch_means_of(run: Run, latency: str = "completion_latency_s", batches: int = BATCHES) -> BatchMeans:
    """The mean of a latency (`accept_latency_s`, `completion_latency_s`, `waiting_s`) over the counted orders of a run.

    Orders are taken as they were placed. Raises `BatchMeansError` where some are never done, or there are too few.
    """
    if latency not in LATENCIES:
        raise BatchMeansError(
            f"{shown(latency)} is no latency of a run: choose {', '.join(LATENCIES[:-1])} or {LATENCIES[-1]}"
        )
    summary = run.summary()
    orders = summary.orders
    which = orders.counted if latency == "waiting_s" else orders.counted & orders.accepted
    values = getattr(summary, latency)[np.argsort(orders.placed_s[which], kind="stable")]
    never = int((~np.isfinite(values)).sum())
    if never:
        raise BatchMeansError(f"{never} orders are never done, so that there is no mean: give the run a longer drain")
    if len(values) < batches * _FEWEST_IN_BATCH:
        raise BatchMeansError(f"{len(values)} orders are too few for {batches} batches: make the run longer")
    return batch_means(values, batches)
