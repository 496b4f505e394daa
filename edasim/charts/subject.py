"""What a chart is about: a comparison, or runs that it makes one of."""

from __future__ import annotations

from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.observation import Observation, observe


def comparison_of(subjects: tuple[Run | Comparison, ...]) -> Comparison:
    """The comparison given, or the given runs as one without error bars; a second Kafka run is `kafka 2`."""
    if not subjects:
        raise ValueError("a chart needs a comparison, or at least one run")
    first = subjects[0]
    if isinstance(first, Comparison):
        if len(subjects) > 1:
            raise ValueError("a chart takes one comparison, or runs")
        return first
    observations: dict[str, list[Observation]] = {}
    runs: dict[str, Run] = {}
    for run in subjects:
        if isinstance(run, Comparison):
            raise ValueError("a chart takes one comparison, or runs")
        name, number = run.architecture, 1
        while name in runs:
            number += 1
            name = f"{run.architecture} {number}"
        runs[name] = run
        observations[name] = [observe(run)]
    return Comparison(first.scenario, first.seed, 1, observations, runs)
