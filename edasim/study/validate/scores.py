"""z-scores of many figures look like a standard normal variate when estimates and error bars are honest.  Law J03."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from edasim.study.validate.laws import laws
from edasim.study.validate.rules import BROKEN, HOLDS, Estimate
from edasim.study.validate.running import Row

FEWEST = 30
"""With fewer scores nothing is said of their distribution."""
MOST = 4.5
LEAST_CHANCE = 0.001


@dataclass(frozen=True)
class Scores:
    """Scores, and what the law asks of them.

    `one_each` has one for each trial of a law: the figures of one trial come from the same runs and hang together, so
    that a test of independence would take them for more evidence than they are.
    """

    every: tuple[float, ...]
    one_each: tuple[float, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Scores:
        """The scores of the statistical laws' figures."""
        scored = [row for row in rows if laws()[row.law].statistical and math.isfinite(row.z)]
        first: dict[tuple[str, str], float] = {}
        for row in scored:
            first.setdefault((row.law, f"{row.where} {row.name.partition(',')[2]}"), row.z)
        return cls(tuple(row.z for row in scored), tuple(first.values()))

    def __add__(self, other: Scores) -> Scores:
        return Scores(self.every + other.every, self.one_each + other.one_each)

    @property
    def mean(self) -> float:
        """Of all of them."""
        return fmean(self.every)

    @property
    def deviation(self) -> float:
        """The standard deviation of all of them."""
        return stdev(self.every)

    @property
    def largest(self) -> float:
        """The largest |z|."""
        return max(map(abs, self.every))

    @property
    def chance(self) -> float:
        """How probable it is that independent normal variates look less normal than one score of each trial."""
        return kolmogorov_smirnov(self.one_each)


def kolmogorov_smirnov(scores: Sequence[float]) -> float:
    """The p-value of the test that they are standard normal, by Kolmogorov's series with Stephens' correction."""
    number = len(scores)
    normal = NormalDist()
    below = [normal.cdf(score) for score in sorted(scores)]
    distance = max(max((place + 1) / number - share, share - place / number) for place, share in enumerate(below))
    root = math.sqrt(number)
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return 1.0
    return min(1.0, 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101)))


def judged(scores: Scores, seeds: int) -> list[Row]:
    """The law's figures as rows; the bounds on mean and deviation are for 20 seeds and wider for fewer."""
    if len(scores.every) < FEWEST:
        return []
    wider = math.sqrt(20 / min(seeds, 20)) if seeds < 20 else 1.0
    bounds = {"mean z": (scores.mean, 0.0, 0.15 * wider),
              "standard deviation of z": (scores.deviation, 1.0, 0.15 * wider)}
    rows = [_row(name, value, exact, abs(value - exact) <= most, f"at most {most:.2g} off")
            for name, (value, exact, most) in bounds.items()]
    rows.append(_row("largest |z|", scores.largest, MOST, scores.largest < MOST, f"below {MOST:g}"))
    rows.append(_row("Kolmogorov-Smirnov p", scores.chance, LEAST_CHANCE, scores.chance > LEAST_CHANCE,
                     f"above {LEAST_CHANCE:g}"))
    said = f"{len(scores.every)} scores, {len(scores.one_each)} trials"
    return [Row(row.law, said, row.name, row.exact, row.estimate, row.score, row.verdict, row.rule, seeds, 1, False, "")
            for row in rows]


def _row(name: str, value: float, exact: float, fine: bool, rule: str) -> Row:
    return Row("J03", "", name, exact, Estimate(value), math.nan, HOLDS if fine else BROKEN, rule, 1, 1, False, "")
