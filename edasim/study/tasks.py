"""What a worker does: one run, reduced to what the study asks for. A task is plain values and travels anywhere."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from edasim.scenario.reading import build
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict
from edasim.simulate import simulate
from edasim.study.observation import Observation, observe


class RunTask(NamedTuple):
    """One run: the scenario as JSON text, the architecture, the seed, and the paths of the numbers that are wanted."""

    scenario: str
    architecture: str
    seed: int
    metrics: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What the run is, apart from what is measured: the same key is the same run."""
        return f"{self.architecture} {self.seed} {digest(self.scenario)}"


def scenario_text(scenario: Scenario) -> str:
    """The scenario as JSON on one line; it reads back as an equal one."""
    return json.dumps(to_dict(scenario), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    """The first 32 hex digits of the SHA-256 of a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def run_numbers(task: RunTask) -> tuple[float, ...]:
    """The numbers of the run, in the order of the metrics; infinite where it has none."""
    seen = run_observation(task)
    return tuple(seen.number(metric) for metric in task.metrics)


def run_observation(task: RunTask) -> Observation:
    """All that a study keeps of the run."""
    return observe(simulate(_scenario(task.scenario), task.architecture, task.seed))


@lru_cache(maxsize=16)
def _scenario(text: str) -> Scenario:
    """Read once for all runs of a point; what is too large was refused, or allowed, where the study began."""
    return build(json.loads(text), allow_large=True)
