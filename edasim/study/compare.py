"""Compare: the same orders through several architectures, several times, on common random numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from edasim.scenario.value import Scenario
from edasim.simulate import BUILDERS, Run, UnknownArchitecture, simulate
from edasim.study.comparison import Comparison
from edasim.study.observation import Observation, observe
from edasim.study.replicate import replication_seed

Progress = Callable[[int, int], None]
"""Called with (runs finished, runs in all), first with 0."""
Runner = Callable[[Scenario, str, int], Run]
"""Makes the run of a scenario in an architecture with a seed."""


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; `comparison` has the replications that all architectures finished, or is None."""

    def __init__(self, comparison: Comparison | None) -> None:
        super().__init__("interrupted")
        self.comparison = comparison


def compare(
    scenario: Scenario,
    architectures: Sequence[str] | str | None = None,
    replications: int = 10,
    seed: int = 1,
    progress: Progress | None = None,
    runner: Runner = simulate,
) -> Comparison:
    """Run a scenario in each architecture, with the same orders and the same draws in all of them.

    `runner(scenario, architecture, seed)` makes each run: `simulate`, or a partial of it with other keywords.

    Differences are taken against the first one named (without names: all that the scenario lists). Raises what
    `simulate` raises, ValueError for numbers that make no study, and Interrupted after Ctrl-C.
    """
    named = [architectures] if isinstance(architectures, str) else architectures
    chosen = chosen_architectures(scenario, named)
    if replications < 1:
        raise ValueError(f"{replications} replications are too few: at least 1 is needed")
    observations: dict[str, list[Observation]] = {architecture: [] for architecture in chosen}
    runs: dict[str, Run] = {}
    try:
        _fill(partial(runner, scenario), observations, runs, (replications, seed), progress)
    except KeyboardInterrupt:
        whole = min(map(len, observations.values()))
        finished = {name: found[:whole] for name, found in observations.items()}
        partly = Comparison(scenario, seed, replications, finished, runs) if whole else None
        raise Interrupted(partly) from None
    return Comparison(scenario, seed, replications, observations, runs)


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


def _fill(
    runner: Callable[[str, int], Run],
    observations: dict[str, list[Observation]],
    runs: dict[str, Run],
    study: tuple[int, int],
    progress: Progress | None,
) -> None:
    """Replication by replication, so that an interrupted study has whole pairs; the first one's runs are kept."""
    replications, seed = study
    total, finished = replications * len(observations), 0
    for replication in range(replications):
        for architecture, found in observations.items():
            if progress:
                progress(finished, total)
            run = runner(architecture, replication_seed(seed, replication))
            found.append(observe(run))
            if replication == 0:
                runs[architecture] = run
            finished += 1
    if progress:
        progress(finished, total)
