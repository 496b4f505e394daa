"""What if: a copy of a scenario with other values, named by path as in `services.payment.fails`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from edasim.core.arrivals import Arrivals
from edasim.core.distribution import Distribution
from edasim.core.quantity import QuantityError, duration_ns, show_duration, shown
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.fields import suggestion, yaml_name
from edasim.scenario.reading import build
from edasim.scenario.value import Scenario
from edasim.scenario.wire import DEFAULT_LATENCIES
from edasim.scenario.writing import to_dict

_BARE_DURATION = re.compile(r"[0-9.]+[a-z]+")
_BARE_RATE = re.compile(r"[0-9.]+/[a-z]+")
_NAMED: Final = ("producers", "services", "faults")

# What a run reads once, at its start or when a member joins, and cannot take back.
_FIXED: Final = re.compile(
    r"(title|description|orders|duration|warm-up|drain|knobs|changes|faults|producers|services|architectures"
    r"|faults\..*|knobs\..*|changes\..*|(producers|services)\.[^.]*"
    r"|producers\.[^.]*\.(publishes|key|keys|size)(\..*)?|services\.[^.]*\.(handles|publishes|joins|required)(\..*)?"
    r"|architectures\.(?!rabbitmq\.prefetch$|rpc\.timeout$).*)"
)


def change(scenario: Scenario, values: Mapping[str, object], at: str | None = None) -> Scenario:
    """A copy with the values at their paths, checked like a file; with `at`, from that time of the run on.

    A duration alone (or a rate alone) at the place of a distribution (or of arrivals) moves the first number there and
    keeps the shape; any other text replaces. A part is added by a mapping at its path, and taken out by None.
    """
    data = to_dict(scenario)
    for path, value in values.items():
        try:
            _set(data, path.split("."), _moved(scenario, path, value))
        except QuantityError as error:
            raise ScenarioError([Problem(str(error), path)]) from None
    changed = build(data)
    return changed if at is None else _dated(scenario, values, at)


def _dated(scenario: Scenario, values: Mapping[str, object], at: str) -> Scenario:
    fixed = [Problem("this cannot change within a run: change it from the start", path) for path in values if _FIXED.fullmatch(path)]
    if fixed:
        raise ScenarioError(fixed)
    try:
        at_text = show_duration(duration_ns(at))
    except QuantityError as error:
        raise ScenarioError([Problem(str(error), "at")]) from None
    data = to_dict(scenario)
    dated = [{"at": at_text, "path": path, "value": value} for path, value in values.items()]
    data["changes"] = sorted([*data.get("changes", []), *dated], key=lambda change: duration_ns(change["at"]))
    return build(data)


def current(scenario: Scenario, path: str) -> Any:
    """The value at a path, or None where there is none."""
    value: Any = scenario
    steps = path.split(".")
    while steps:
        if isinstance(value, BaseModel):
            names = {yaml_name(field): field for field in type(value).model_fields}
            value = getattr(value, names[steps[0]]) if steps[0] in names else None
            steps = steps[1:]
        elif isinstance(value, Mapping):
            whole = ".".join(steps)
            value, steps = (value[whole], []) if whole in value else (value.get(steps[0]), steps[1:])
        else:
            return None
    return value


def _moved(scenario: Scenario, path: str, value: object) -> object:
    """The text that a knob's text means at its place: the shape there with another first number."""
    now = current(scenario, path)
    if now is None and path.startswith("wire."):
        now = _default_latency(scenario, path)
    if isinstance(value, str):
        if isinstance(now, Distribution) and _BARE_DURATION.fullmatch(value):
            return now.with_first(value).text
        if isinstance(now, Arrivals) and (_BARE_RATE if "/" in now.first else _BARE_DURATION).fullmatch(value):
            return now.with_first(value).text
    return value


def _default_latency(scenario: Scenario, path: str) -> Distribution | None:
    link = path.removeprefix("wire.")
    return scenario.wire.latency(link) if link in DEFAULT_LATENCIES else None


def _set(data: dict[str, Any], steps: list[str], value: object) -> None:
    """Puts a value at a path of plain data, with what is missing on the way; named parts must be there."""
    if steps[0] in _NAMED and len(steps) > 2 and steps[1] not in data.get(steps[0], {}):
        raise QuantityError(f"there is no {shown(steps[1])} in {steps[0]}: {suggestion(steps[1], data.get(steps[0], {}))}")
    if steps[0] == "architectures" and len(steps) > 2 and steps[1] not in data["architectures"]:
        raise QuantityError(f"{shown(steps[1])} is not listed: {suggestion(steps[1], data['architectures'])}")
    inside: Any = data
    depth = _depth(steps)
    for step in steps[:depth]:
        inside = inside.setdefault(step, {})
        if not isinstance(inside, dict):
            raise QuantityError(f"nothing is inside {step}: write all of it")
    last = ".".join(steps[depth:])
    if value is None and last in inside:
        del inside[last]
    else:
        inside[last] = value


def _depth(steps: list[str]) -> int:
    """How many steps of a path are parts of their own; the names of a broker's options and of knobs contain dots."""
    if steps[0] == "knobs":
        return 1
    if steps[:2] == ["architectures", "kafka"]:
        return min(3, len(steps) - 1)
    return len(steps) - 1
