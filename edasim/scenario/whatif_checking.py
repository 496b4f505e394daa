"""Knobs and dated changes that would make a scenario which cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pydantic import ValidationError

from edasim.core.quantity import QuantityError, count, duration_ns, factor, rate_per_s, share, shown
from edasim.scenario.document import scalar
from edasim.scenario.errors import Finding, Path, show_path
from edasim.scenario.explaining import explain
from edasim.scenario.path import with_value
from edasim.scenario.value import Knob, Scenario
from edasim.scenario.writing import to_dict

Data = dict[str, Any]
Judge = Callable[[Scenario, str], Iterable[Finding]]
"""What is wrong with a scenario that a value at a path has made."""

_NO_KNOBS: Final = ("title", "description", "knobs", "changes")

# All else a run reads at its start, or when a part appears, and cannot take back.
_CHANGEABLE: Final = re.compile(
    r"producers\.[^.]+\.(arrivals|size|priority)"
    r"|services\.[^.]+\.(work|workers|cores|fails|poison|idempotent)"
    r"|(services\.[^.]+\.)?retry\.(attempts|backoff|jitter)"
    r"|(client|wire)(\..+)?"
    r"|architectures\.(rabbitmq\.prefetch|rpc\.(timeout|queue-limit)|monolith\.(cores|queue-limit))"
)


def check_knobs(scenario: Scenario, judge: Judge) -> Iterator[Finding]:
    """All findings about the knobs: both ends must be possible, and the lower one first."""
    data = _itself(scenario)
    for path, knob in scenario.knobs.items():
        here = ("knobs", path)
        if path.partition(".")[0] in _NO_KNOBS:
            yield here, f"{path.partition('.')[0]} is nothing that a slider moves: name a quantity by its path"
            continue
        low, high = (_what_if(scenario, data, path, scalar(end), judge) for end in (knob.low, knob.high))
        if low == high:
            yield from ((here, sentence) for sentence in low)
            if not low:
                yield from ((here, sentence) for sentence in _order(knob))
        else:
            yield from ((here, f"at {shown(knob.low)}, {sentence}") for sentence in low)
            yield from ((here, f"at {shown(knob.high)}, {sentence}") for sentence in high)


def check_changes(scenario: Scenario, judge: Judge) -> Iterator[Finding]:
    """All findings about changes within the run."""
    data = _itself(scenario)
    for number, change in enumerate(scenario.changes):
        here: Path = ("changes", number)
        sentences = _what_if(scenario, data, change.path, change.value, judge)
        if change.value is None:
            yield (*here, "value"), "nothing cannot take the place of a value: write what it is from then on"
        elif sentences:
            yield from (((*here, "value"), f"{change.path}: {sentence}") for sentence in sentences)
        elif not _CHANGEABLE.fullmatch(change.path):
            yield (*here, "path"), f"{shown(change.path)} cannot change within a run: change it from the start"


def _itself(scenario: Scenario) -> Data:
    """The data of a scenario without its knobs and changes, which need not be judged again."""
    return to_dict(scenario.model_copy(update={"knobs": {}, "changes": ()}))


def _what_if(scenario: Scenario, data: Data, path: str, value: object, judge: Judge) -> list[str]:
    """What is wrong with the scenario once the value is at the path of its data."""
    try:
        changed = Scenario.model_validate(with_value(data, scenario, path, value))
    except QuantityError as error:
        return [str(error)]
    except ValidationError as error:
        return [_sentence(*explain(details), path) for details in error.errors(include_url=False)]
    return [_sentence(*finding, path) for finding in judge(changed, path)]


def _sentence(place: Path, sentence: str, path: str) -> str:
    """The sentence alone where it is about the path itself, else with its place."""
    return sentence if show_path(place) == path else f"{show_path(place)}: {sentence}"


def _order(knob: Knob) -> Iterator[str]:
    low, high = _measures(scalar(knob.low)), _measures(scalar(knob.high))
    both = [kind for kind in low if kind in high]
    if not both:
        yield f"{shown(knob.low)} and {shown(knob.high)} are not two quantities of one kind"
    elif low[both[0]] >= high[both[0]]:
        yield f"{shown(knob.low)} is not below {shown(knob.high)}: write the lower end first"


def _measures(value: object) -> dict[str, float]:
    """What a value measures, by the kind of quantity that it is."""
    readers: dict[str, Callable[[Any], float]] = {
        "duration": duration_ns, "rate": rate_per_s, "share": share, "factor": factor, "count": count,
    }  # fmt: skip
    found = {}
    for kind, read in readers.items():
        try:
            found[kind] = float(read(value))
        except QuantityError:
            continue
    return found
