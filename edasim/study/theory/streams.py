"""How messages come to a queue: at which rate, how regularly, by which letter of Kendall's notation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from edasim.core.arrival_process import Arrivals, Batches, Regular, Renewal
from edasim.core.quantity import SECOND_NS
from edasim.core.rate_curve import Varying
from edasim.core.shapes import Constant, Exponential
from edasim.scenario.value import Scenario
from edasim.study.theory.networks import merged_scv, split_scv


@dataclass(frozen=True)
class Stream:
    """Arrivals per second and the squared coefficient of variation of the time between them.

    `batch` is how many of a Poisson stream come at once, `stages` every how-manieth of one comes. `letter` is M for
    Poisson, D for a clock, E3 for every third of a Poisson stream, M[X] for batches, G for anything else.
    """

    per_s: float
    scv: float = 1.0
    letter: str = "M"
    batch: int = 1
    stages: int = 1

    @property
    def poisson(self) -> bool:
        """Whether they know nothing of each other."""
        return self.letter == "M"

    def part(self, share: float) -> Stream:
        """A share of it, taken out at random."""
        if self.poisson or share >= 1:
            return replace(self, per_s=share * self.per_s)
        return Stream(share * self.per_s, split_scv(share, self.scv), "G")

    def in_turns(self, number: int) -> Stream:
        """Every so-manieth of it."""
        if number == 1:
            return self
        if self.poisson:
            return Stream(self.per_s / number, 1 / number, f"E{number}", stages=number)
        return Stream(self.per_s / number, self.scv / number, "D" if self.letter == "D" else "G")

    def times(self, factor: float) -> Stream:
        """The same, each so often on average: its attempts."""
        return replace(self, per_s=factor * self.per_s)


def merged(streams: Iterable[Stream]) -> Stream:
    """Several together; Poisson when all are."""
    parts = [one for one in streams if one.per_s > 0]
    if len(parts) <= 1:
        return parts[0] if parts else Stream(0.0)
    per_s = sum(one.per_s for one in parts)
    if all(one.poisson for one in parts):
        return Stream(per_s)
    return Stream(per_s, merged_scv((one.per_s, one.scv) for one in parts), "G")


def placed(scenario: Scenario, arrivals: Arrivals) -> Stream:
    """The orders of one producer, at their mean rate over the measured time."""
    return _shape(arrivals, mean_rate(scenario, arrivals))


def _shape(arrivals: Arrivals, per_s: float) -> Stream:
    if isinstance(arrivals, Varying):
        return Stream(per_s)
    if isinstance(arrivals, Regular) or (isinstance(arrivals, Renewal) and isinstance(arrivals.interval, Constant)):
        return Stream(per_s, 0.0, "D")
    if isinstance(arrivals, Renewal):
        exponential = isinstance(arrivals.interval, Exponential)
        return Stream(per_s) if exponential else Stream(per_s, arrivals.interval.scv, "G")
    if isinstance(arrivals, Batches):
        moments = _shape(arrivals.moments, per_s / arrivals.size)
        whole = moments.poisson and arrivals.size > 1
        letter = "M[X]" if whole else (moments.letter if arrivals.size == 1 else "G")
        return Stream(per_s, arrivals.size * moments.scv, letter, arrivals.size if whole else 1)
    return Stream(per_s, 1.0, "G")


def mean_rate(scenario: Scenario, arrivals: Arrivals) -> float:
    """Orders per second, averaged over the time that is measured."""
    if scenario.duration is None or scenario.duration <= scenario.warm_up:
        return arrivals.mean_rate
    start_s, end_s = scenario.warm_up / SECOND_NS, scenario.duration / SECOND_NS
    return arrivals.expected(start_s, end_s) / (end_s - start_s)
