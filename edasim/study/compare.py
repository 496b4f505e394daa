"""Compare: the same orders through several architectures, several times, on common random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from edasim.scenario.value import Scenario
from edasim.simulate import BUILDERS, Run, UnknownArchitecture, simulate
from edasim.study.comparison import Comparison
from edasim.study.executors import Executor, Serial, executor_for
from edasim.study.metrics import check_metrics
from edasim.study.observation import Observation, observe
from edasim.study.replicate import replication_seed
from edasim.study.tasks import RunTask, run_observation, scenario_text
from edasim.study.until_precise import PRECISE_METRIC, Precision

Progress = Callable[[int, int], None]
"""Called with (runs finished, runs in all), first with 0."""


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; `comparison` has the replications that all architectures finished, or is None."""

    def __init__(self, comparison: Comparison | None) -> None:
        super().__init__("interrupted")
        self.comparison = comparison


def compare(  # noqa: PLR0913 - a study has that many sides
    scenario: Scenario,
    architectures: Sequence[str] | str | None = None,
    replications: int = 10,
    seed: int = 1,
    progress: Progress | None = None,
    *,
    workers: int | None = None,
    dask: str | None = None,
    precision: str | None = None,
    precision_of: str = PRECISE_METRIC,
    budget: int = 100,
    how: Mapping[str, Any] = MappingProxyType({}),
) -> Comparison:
    """Run a scenario in each architecture, with the same orders and the same draws in all of them.

    Differences are taken against the first one named (without names: all that the scenario lists). The runs are done
    in this process, in so many `workers`, or on the Dask cluster at the address `dask`, with the same results. With a
    `precision` such as `2%`, replications are added until half the width of the interval of `precision_of` is at most
    that share of its mean everywhere, or until there are `budget` of them; then the comparison says "not reached".
    `how` are further keywords of `simulate`, such as its limits, the same for all runs.

    Raises what `simulate` raises, ValueError for what makes no study, and Interrupted after Ctrl-C.
    """
    named = [architectures] if isinstance(architectures, str) else architectures
    chosen = chosen_architectures(scenario, named)
    if replications < 1:
        raise ValueError(f"{replications} replications are too few: at least 1 is needed")
    wanted = None
    if precision is not None:
        wanted = Precision.read(precision, check_metrics(scenario, [precision_of])[0], replications, budget)
    study = _Study(scenario, chosen, seed, executor_for(workers, dask), how)
    asked = replications
    try:
        study.fill(asked, progress)
        while wanted is not None and (more := wanted.more(study.observations)):
            asked += more
            study.fill(asked, progress)
    except KeyboardInterrupt:
        raise Interrupted(study.comparison(asked)) from None
    found = study.comparison(asked)
    assert found is not None
    found.precision = wanted
    return found


def chosen_architectures(scenario: Scenario, names: Sequence[str] | None) -> tuple[str, ...]:
    """The architectures to run: those named, each once, or all that the scenario lists; raises UnknownArchitecture."""
    listed = scenario.architectures.listed
    chosen = tuple(dict.fromkeys(listed if names is None else names))
    for name in chosen:
        if name not in BUILDERS:
            raise UnknownArchitecture(f'"{name}" is no architecture: choose {", ".join(BUILDERS)}')
        if name not in listed:
            raise UnknownArchitecture(f'the scenario does not list "{name}": it has {", ".join(listed) or "none"}')
    if not chosen:
        raise UnknownArchitecture("there is no architecture to run: name at least one under architectures")
    return chosen


class FirstRuns(Mapping[str, Run]):
    """The first replication in each architecture with all its facts, run when somebody asks for it.

    What was done elsewhere came back as numbers only; the same seed gives the same run again.
    """

    def __init__(self, scenario: Scenario, architectures: Sequence[str], seed: int, how: Mapping[str, Any]) -> None:
        self._scenario = scenario
        self._how = how
        self._names = architectures
        self._seed = seed
        self._runs: dict[str, Run] = {}

    def keep(self, run: Run) -> None:
        """Take in one that is there already."""
        self._runs[run.architecture] = run

    def __getitem__(self, name: str) -> Run:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._runs:
            self._runs[name] = simulate(self._scenario, name, replication_seed(self._seed, 0), **self._how)
        return self._runs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Study:
    """The observations of a comparison as they are made, by architecture and replication."""

    def __init__(
        self, scenario: Scenario, architectures: tuple[str, ...], seed: int, executor: Executor, how: Mapping[str, Any]
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._executor = executor
        self._how = dict(how)
        self._found: dict[str, dict[int, Observation]] = {name: {} for name in architectures}
        self._runs = FirstRuns(scenario, architectures, seed, how)

    @property
    def observations(self) -> dict[str, list[Observation]]:
        """Those of the replications that all architectures have finished, from the first one on."""
        whole = 0
        while all(whole in found for found in self._found.values()):
            whole += 1
        return {name: [found[number] for number in range(whole)] for name, found in self._found.items()}

    def comparison(self, asked: int) -> Comparison | None:
        """What there is; None before the first replication is finished everywhere."""
        observations = self.observations
        whole = min(map(len, observations.values()))
        return Comparison(self._scenario, self._seed, asked, observations, self._runs) if whole else None

    def fill(self, replications: int, progress: Progress | None) -> None:
        """Do what is missing up to so many, replication by replication, so that a stopped study has whole pairs."""
        missing = [
            (number, name) for number in range(replications) for name in self._found if number not in self._found[name]
        ]
        before, total = replications * len(self._found) - len(missing), replications * len(self._found)

        def take(place: int, seen: Observation) -> None:
            number, name = missing[place]
            self._found[name][number] = seen
            if progress:
                progress(sum(map(len, self._found.values())), total)

        if progress:
            progress(before, total)
        if isinstance(self._executor, Serial):
            for place, (number, name) in enumerate(missing):
                take(place, self._here(number, name))
            return
        text = scenario_text(self._scenario)
        how = tuple(sorted(self._how.items()))
        tasks = [RunTask(text, name, replication_seed(self._seed, number), how=how) for number, name in missing]
        self._executor.map(run_observation, tasks, take)

    def _here(self, number: int, name: str) -> Observation:
        """One run in this process; of the first replication all facts are kept."""
        run = simulate(self._scenario, name, replication_seed(self._seed, number), **self._how)
        if number == 0:
            self._runs.keep(run)
        return observe(run)
