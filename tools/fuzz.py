"""Random scenarios by the thousand: `python -m tools.fuzz`, or one of them again: `python -m tools.fuzz --seed 123`.

Each is written, run twice and once more with ties in random order, and held against all invariants. With `--seed` the
scenario is printed, and when an invariant is broken, what is left of it when all is taken away that does not matter.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edasim.scenario.errors import ScenarioError
from edasim.scenario.estimating import estimate
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_yaml
from tests.invariants import CHECKS, examine
from tests.strategies import Rolled, scenario

MOST_EVENTS = 60_000
"""What is estimated to take more is left out, so that thousands can be run."""


@dataclass
class Figures:
    """What a session of fuzzing did."""

    run: int = 0
    refused: int = 0
    large: int = 0
    orders: int = 0
    facts: int = 0
    by_architecture: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[int, str]] = field(default_factory=list)

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {number:,}" for name, number in sorted(self.by_architecture.items()))
        return (f"{self.run:,} scenarios run ({shares}), {self.refused:,} refused and {self.large:,} too large; "
                f"{self.orders:,} orders and {self.facts:,} facts; {3 * self.run:,} runs, "
                f"{2 * len(CHECKS) * self.run + 3 * self.run:,} invariants held; {len(self.broken)} broken")


def written(seed: int) -> tuple[dict[str, Any], str]:
    """The data of a scenario and the architecture in which it is run."""
    data = scenario(Rolled(seed))
    return data, Rolled(f"architecture {seed}").pick(list(data["architectures"]))


def attempt(seed: int, figures: Figures) -> str:
    """Write and run one; returns what is broken, or an empty text."""
    data, architecture = written(seed)
    try:
        made = Scenario.from_dict(data)
    except ScenarioError:
        figures.refused += 1
        return ""
    if estimate(made).events > MOST_EVENTS:
        figures.large += 1
        return ""
    problem = problem_of(data, architecture, seed, figures)
    figures.run += 1
    figures.by_architecture[architecture] += 1
    return problem


def problem_of(data: dict[str, Any], architecture: str, seed: int, figures: Figures | None = None) -> str:
    """What is broken when the scenario is run; an empty text when all holds."""
    try:
        run = examine(Scenario.from_dict(data), architecture, seed)
    except Exception as error:  # every kind is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = isinstance(error, AssertionError) and str(error)
        return f"{type(error).__name__}: {error}" + ("" if told else f" at {Path(where.filename).name}:{where.lineno}")
    if figures is not None:
        figures.orders += run.summary().outcomes["placed"]
        figures.facts += len(run.facts)
    return ""


def smaller(data: dict[str, Any], architecture: str, seed: int) -> dict[str, Any]:
    """The scenario without whatever can be taken away while the same kind of problem stays."""
    kind = _kind(problem_of(data, architecture, seed))
    shrunk = True
    while shrunk:
        shrunk = False
        for candidate in _less(data):
            if architecture not in candidate.get("architectures", {architecture: {}}):
                continue
            try:
                Scenario.from_dict(candidate)
            except ScenarioError:
                continue
            if _kind(problem_of(candidate, architecture, seed)) == kind:
                data, shrunk = candidate, True
                break
    return data


def _kind(problem: str) -> list[str]:
    """The words of a problem that stay when its numbers change: the error and what it is about."""
    return problem.split(":")[:2]


def _less(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The data with one entry fewer, the largest parts first."""
    for path in sorted(_paths(data), key=len):
        candidate = copy.deepcopy(data)
        node: Any = candidate
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]
        yield candidate


def _paths(node: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps:
        yield (*before, step)
        yield from _paths(value, (*before, step))


def one(seed: int) -> int:
    """Print one scenario, run it, and make it smaller if an invariant is broken."""
    data, architecture = written(seed)
    try:
        print(f"# seed {seed}, {architecture}\n{to_yaml(Scenario.from_dict(data))}")
    except ScenarioError as error:
        print(f"# seed {seed} is refused:\n{error}\n{json.dumps(data, indent=1)}")
        return 0
    problem = problem_of(data, architecture, seed)
    if not problem:
        print(f"All invariants hold in {architecture}.")
        return 0
    print(f"BROKEN in {architecture}: {problem}\n\n# what is left when all is taken away that does not matter:")
    print(to_yaml(Scenario.from_dict(smaller(data, architecture, seed))))
    return 1


def many(start: int, number: int) -> int:
    """Run scenarios start, start + 1, ...; print progress, figures, and the seed of each that breaks something."""
    figures, began = Figures(), time.monotonic()
    seed = start
    try:
        for seed in range(start, start + number):
            problem = attempt(seed, figures)
            if problem:
                figures.broken.append((seed, problem))
                print(f"seed {seed}: {problem}", flush=True)
            if (seed - start + 1) % 500 == 0:
                print(f"{seed - start + 1:,} of {number:,}, {time.monotonic() - began:,.0f} s", flush=True)
    except KeyboardInterrupt:
        print(f"Stopped; go on with: make fuzz FROM={seed}")
    print(f"{figures}; {time.monotonic() - began:,.0f} s; seeds {start} to {seed}")
    return 1 if figures.broken else 0


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seed", type=int, help="one scenario: print it and run it")
    asked.add_argument("--from", dest="start", type=int, default=1, help="the first of many seeds")
    asked.add_argument("--number", type=int, default=10_000, help="how many")
    given = asked.parse_args()
    sys.exit(one(given.seed) if given.seed is not None else many(given.start, given.number))
