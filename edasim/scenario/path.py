"""Values of a scenario by path, as in `services.payment.fails`: reading one, and putting another in its
place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from edasim.core.arrivals import Arrivals
from edasim.core.distribution import Distribution
from edasim.core.quantity import QuantityError, shown
from edasim.scenario.fields import suggestion
from edasim.scenario.value import Scenario
from edasim.scenario.wire import DEFAULT_LATENCIES

_BARE_DURATION = re.compile(r"[0-9.]+[a-z]+")
_BARE_RATE = re.compile(r"[0-9.]+/[a-z]+")
_NAMED: Final = ("producers", "services", "faults", "architectures")
_OPTION_SECTIONS: Final = ("kafka", "rabbitmq")


def steps_of(path: str) -> tuple[str, ...]:
    """The parts of a path. The names of a broker's options and of knobs contain dots of their own."""
    steps = tuple(path.split("."))
    whole_from = len(steps)
    if steps[0] == "knobs":
        whole_from = 1
    elif steps[0] == "architectures" and len(steps) > 3 and steps[1] in _OPTION_SECTIONS:
        whole_from = 4 if steps[2] == "queues" else 3
    return steps if whole_from >= len(steps) else (*steps[:whole_from], ".".join(steps[whole_from:]))


def current(scenario: Scenario, path: str) -> Any:
    """The value at a path; None where there is none."""
    value: Any = scenario
    for step in steps_of(path):
        if isinstance(value, BaseModel):
            names = {field.alias: name for name, field in type(value).model_fields.items()}
            value = getattr(value, names[step]) if step in names else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    link = path.removeprefix("wire.")
    return scenario.wire.latency(link) if value is None and link in DEFAULT_LATENCIES and link != path else value


def with_value(data: dict[str, Any], scenario: Scenario, path: str, value: object) -> dict[str, Any]:
    """The scenario's plain data with another value at a path, unchecked; raises `QuantityError`.

    A duration alone (or a rate alone) at the place of a distribution (or of arrivals) moves the first number
    there and keeps the shape. None takes a part out, with the knobs that move something in it.
    """
    steps = steps_of(path)
    if not all(steps):
        raise QuantityError(f"{shown(path)} is not a path: write it as services.payment.fails")
    moved = _moved(current(scenario, path), value)
    changed = dict(data)
    inside: Any = changed
    for depth, step in enumerate(steps[:-1]):
        if depth == 1 and steps[0] in _NAMED and step not in inside:
            raise QuantityError(f"there is no {shown(step)} among the {steps[0]}: {suggestion(step, inside)}")
        below = inside.get(step, {})
        if not isinstance(below, dict):
            raise QuantityError(f"{step} has no parts of its own: change all of it")
        inside[step] = dict(below)
        inside = inside[step]
    if value is None:
        inside.pop(steps[-1], None)
        _take_out_knobs(changed, path)
    else:
        inside[steps[-1]] = moved
    return changed


def _take_out_knobs(data: dict[str, Any], path: str) -> None:
    """A part that is gone takes along the sliders that moved it."""
    knobs = data.get("knobs", {})
    left = {knob: span for knob, span in knobs.items() if knob != path and not knob.startswith(path + ".")}
    if len(left) < len(knobs):
        data["knobs"] = left


def _moved(now: object, value: object) -> object:
    """The text that a value means at the place of the one that is there now."""
    if not isinstance(value, str):
        return value
    if isinstance(now, Distribution) and _BARE_DURATION.fullmatch(value):
        return now.with_first(value).text
    if isinstance(now, Arrivals) and (_BARE_RATE if "/" in now.first else _BARE_DURATION).fullmatch(value):
        return now.with_first(value).text
    return value
