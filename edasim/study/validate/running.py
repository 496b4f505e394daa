"""Running cases: each replication of each trial is a task of its own, so that all cores are busy to the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edasim.study.executors import Executor
from edasim.study.validate.case import Case, Numbers, Quantity, Trial, trial_seed
from edasim.study.validate.cases import cases
from edasim.study.validate.laws import Law, laws
from edasim.study.validate.rules import BROKEN, HOLDS, IMPRECISE, Absolute, Estimate, Statistical, as_normal

SHIPPED_SEED = 1
Progress = Callable[[int, int], None]
Found = dict[tuple[str, int], list[Numbers]]


class NoSuchLaw(ValueError):
    """A law that the file does not have."""


@dataclass(frozen=True)
class Task:
    """One replication: plain values only, so that it can travel."""

    law: str
    trial: int
    replication: int
    seed: int
    size: int


@dataclass(frozen=True)
class Row:
    """One figure of a law in one place, and how near it came."""

    law: str
    where: str
    name: str
    exact: float
    estimate: Estimate
    score: float
    verdict: str
    rule: str
    replications: int
    size: int
    also: bool
    published: str

    @property
    def z(self) -> float:
        """The score as the normal variate that is as rare."""
        return as_normal(self.score, self.estimate.freedom) if self.estimate.freedom else math.nan


SCORES = "J03"
"""The law about the scores of the others."""


def chosen(only: Sequence[str] | None) -> dict[str, Case]:
    """The cases by name, or all; the law about scores needs those of all statistical laws.  Raises NoSuchLaw."""
    known = cases()
    if only is None:
        return known
    for law in only:
        if law not in laws():
            raise NoSuchLaw(f'"{law}" is no law: choose from {", ".join(laws())}')
    return {law: case for law, case in known.items() if law in only or (SCORES in only and laws()[law].statistical)}


def tasks(wanted: Mapping[str, Case], seed: int, quick: bool) -> list[Task]:
    """All replications, the largest first, so that none is left to one core at the end."""
    listed = [
        Task(law, number, replication, trial_seed(seed, law, number, replication), trial.size(quick))
        for law, case in wanted.items()
        for number, trial in enumerate(case.trials)
        for replication in range(trial.replications)
    ]
    return sorted(listed, key=lambda task: -task.size)


def perform(task: Task) -> Numbers:
    """One replication, in whatever process."""
    return cases()[task.law].trials[task.trial].replication(task.seed, task.size)


def run(wanted: Mapping[str, Case], seed: int, quick: bool, executor: Executor, progress: Progress | None = None,
        ) -> list[Row]:
    """Run the cases and judge every figure."""
    listed = tasks(wanted, seed, quick)
    done = 0

    def advance(_place: int, _result: Any) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, len(listed))

    results = executor.map(perform, listed, advance)
    found: Found = {}
    for task, numbers in sorted(zip(listed, results, strict=True), key=lambda pair: pair[0].replication):
        found.setdefault((task.law, task.trial), []).append(numbers)
    return [
        judged(law, trial, quantity, found[law, number], quick)
        for law, case in wanted.items()
        for number, trial in enumerate(case.trials)
        for quantity in trial.quantities
    ]


def judged(law: str, trial: Trial, quantity: Quantity, found: Sequence[Numbers], quick: bool) -> Row:
    """One figure with its verdict."""
    estimate = quantity.estimate(found)
    scored = isinstance(quantity.rule, (Statistical, Absolute))
    by_ratio = isinstance(quantity.rule, Statistical) and quantity.rule.by_ratio
    score = estimate.score(quantity.exact, by_ratio) if scored else math.nan
    by_z_alone = quick or trial.also
    verdict = quantity.rule.judge(estimate, quantity.exact, by_z_alone)
    asked = Statistical() if by_z_alone and isinstance(quantity.rule, Statistical) else quantity.rule
    return Row(law, trial.where, quantity.name, quantity.exact, estimate, score, verdict, asked.words(),
               len(found), trial.size(quick), trial.also, quantity.published)


def exit_code(rows: Sequence[Row]) -> int:
    """0 all hold, 1 a law is broken, 2 the precision was not reached."""
    verdicts = {row.verdict for row in rows}
    return 1 if BROKEN in verdicts else 2 if IMPRECISE in verdicts else 0


def laws_without_case() -> list[Law]:
    """The laws that nobody tries."""
    return [law for name, law in laws().items() if name not in cases()]


def law_verdict(rows: Sequence[Row]) -> str:
    """The worst of a law's verdicts."""
    verdicts = {row.verdict for row in rows}
    return next(word for word in (BROKEN, IMPRECISE, HOLDS) if word in verdicts)
