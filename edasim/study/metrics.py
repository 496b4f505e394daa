"""The numbers of a run that a study can look at, by dotted path such as `completion_latency_s.p99`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from edasim.core.quantity import shown
from edasim.scenario.estimating import estimate
from edasim.scenario.fields import suggestion
from edasim.scenario.value import Scenario
from edasim.simulate import BUILDERS, simulate
from edasim.study.observation import observe

_SERVICE = "SERVICE"
_SAMPLE = {
    "orders": 1,
    "producers": {"sampler": {"publishes": "Asked", "arrivals": "1/s"}},
    "services": {_SERVICE: {"handles": "Asked", "work": "1ms"}},
}
_CASE_BY_CASE = ("refusals",)
_TRIED_EVENTS = 1e6


class UnknownMetric(ValueError):
    """A path at which a run has no number; its text is one sentence."""


def metrics_of(scenario: Scenario) -> tuple[str, ...]:
    """The paths of all numbers that a run of this scenario has."""
    return tuple(
        path.replace(_SERVICE, name) if _SERVICE in path else path
        for path in _sample_paths()
        for name in (scenario.services if _SERVICE in path else [""])
    )


def check_metrics(scenario: Scenario, metrics: Sequence[str]) -> tuple[str, ...]:
    """The metrics, each once; raises `UnknownMetric` for one that no run has, with the nearest that it has."""
    known: Sequence[str] = metrics_of(scenario)
    if any(metric not in known for metric in metrics) and estimate(scenario).events <= _TRIED_EVENTS:
        known = list(dict.fromkeys((*known, *_tried_paths(scenario))))
    for metric in metrics:
        if not isinstance(metric, str) or metric not in known:
            near = suggestion(str(metric), known)
            raise UnknownMetric(f"{shown(metric)} is no number of a run: {near}")
    if not metrics:
        raise UnknownMetric("there is no number to look at: name one such as completion_latency_s.p99")
    return tuple(dict.fromkeys(metrics))


def in_seconds(metric: str) -> bool:
    """Whether a metric is a time: some part of its path ends in `_s`, and it does not count how many there are."""
    return not metric.endswith(".n") and any(step.endswith("_s") for step in metric.split("."))


def metric_words(metric: str) -> str:
    """A metric as people say it: `orders refused`, `completion latency, p99`, `payment: utilisation`."""
    steps = metric.removeprefix("services.").split(".")
    words = [step.removesuffix("_s").replace("_s_", "_").replace("_", " ") for step in steps]
    if metric.startswith("services."):
        return f"{steps[0]}: {', '.join(words[1:])}"
    return " ".join(words) if words[0] in ("orders", "focus") else ", ".join(words)


def short_path(path: str) -> str:
    """The last two parts of a knob's path, which say what is moved: `payment.fails`."""
    return ".".join(path.split(".")[-2:])


@lru_cache(maxsize=1)
def _sample_paths() -> tuple[str, ...]:
    """The paths of a run of one order in one service: what is measured, is measured in all architectures alike."""
    sample = Scenario.from_dict(_SAMPLE)
    paths: dict[str, None] = {}
    for architecture in BUILDERS:
        paths |= dict.fromkeys(_run_paths(sample, architecture))
    return tuple(path for path in paths if path.split(".")[0] not in _CASE_BY_CASE)


def _tried_paths(scenario: Scenario) -> Iterator[str]:
    """The paths of a run of the scenario itself: it may have numbers that only some scenarios have."""
    for architecture in scenario.architectures.listed:
        yield from _run_paths(scenario, architecture)


def _run_paths(scenario: Scenario, architecture: str) -> Iterator[str]:
    seen = observe(simulate(scenario, architecture))
    yield from _paths(seen.numbers)
    yield from _paths(seen.further)


def _paths(node: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{before}{key}.")
        elif not isinstance(value, str):
            yield before + key
