"""Doing the runs of a study: wherever it is asked for, with what is finished kept, and no endless ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from edasim.scenario.estimating import estimate
from edasim.scenario.value import Scenario
from edasim.study.executors import Executor, Serial
from edasim.study.kept_runs import KeptRuns, Numbers
from edasim.study.replicate import replication_seed
from edasim.study.tasks import RunTask, run_numbers, scenario_text

MOST_EVENTS = 1e10
"""Of all runs of a study together: some hours on one core."""
MOST_RUNS = 100_000
Progress = Callable[[int, int], None]
"""Called with (runs finished, runs in all), first with 0."""


class StudyTooLarge(ValueError):
    """A study that would take too long; its text is one sentence with the cure."""


@dataclass
class Runs:
    """Does runs of one study and remembers their numbers by task.

    All points of a study have the same seeds, and with them the same orders and draws (common random numbers).
    """

    metrics: tuple[str, ...]
    seed: int = 1
    executor: Executor = field(default_factory=Serial)
    kept: KeptRuns | None = None
    known: dict[RunTask, Numbers] = field(default_factory=dict)

    def task(self, scenario: Scenario | str, architecture: str, replication: int) -> RunTask:
        """Replication 0, 1, 2 ... of a scenario (or its text) in an architecture."""
        text = scenario if isinstance(scenario, str) else scenario_text(scenario)
        return RunTask(text, architecture, replication_seed(self.seed, replication), self.metrics)

    def do(self, tasks: Sequence[RunTask], progress: Progress | None = None) -> None:
        """Do those that are not known yet; what was finished stays known when Ctrl-C comes."""
        with self.kept or nullcontext():
            if self.kept is not None:
                self.known |= {task: self.kept.found[task.key] for task in tasks if task.key in self.kept.found}
            left = [task for task in dict.fromkeys(tasks) if task not in self.known]
            finished = len(tasks) - len(left)

            def take(place: int, numbers: Numbers) -> None:
                nonlocal finished
                self.known[left[place]] = numbers
                finished += 1
                if self.kept is not None:
                    self.kept.keep(left[place].key, numbers)
                if progress:
                    progress(finished, len(tasks))

            if progress:
                progress(finished, len(tasks))
            self.executor.map(run_numbers, left, take)

    def values(self, tasks: Sequence[RunTask], metric: str) -> list[float]:
        """The metric in each of these runs, as far as they are known."""
        place = self.metrics.index(metric)
        return [self.known[task][place] for task in tasks if task in self.known]


def check_size(scenarios: Sequence[Scenario], runs_each: int, allow_large: bool) -> None:
    """Refuse a study of too many or too long runs; `allow_large` lets it pass."""
    if allow_large:
        return
    check_number(len(scenarios) * runs_each)
    events = sum(estimate(scenario).events for scenario in scenarios) * runs_each
    if events > MOST_EVENTS:
        raise StudyTooLarge(
            f"This study would take about {events:.0e} events in {len(scenarios) * runs_each:,} runs, and at most "
            f"{MOST_EVENTS:.0e} are done unasked: take fewer points or replications, or shorter runs, or allow it "
            "(--allow-large)"
        )


def check_number(runs: int, allow_large: bool = False) -> None:
    """Refuse a study of too many runs."""
    if runs > MOST_RUNS and not allow_large:
        raise StudyTooLarge(
            f"This study would take {runs:,} runs, and at most {MOST_RUNS:,} are done unasked: take fewer points, "
            "architectures or replications, or allow it (--allow-large)"
        )
