"""Knobs of a study: which kind of quantity a value is, lists of values, and ranges such as `0% .. 20% in 5 steps`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edasim.core.arrivals import Arrivals
from edasim.core.distribution import Distribution
from edasim.core.quantity import (
    QuantityError,
    count,
    duration_ns,
    factor,
    rate_per_s,
    share,
    show_duration,
    show_factor,
    show_number,
    show_rate,
    show_share,
    show_size,
    shown,
    size_bytes,
)
from edasim.scenario.document import read_document, scalar
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.path import current
from edasim.scenario.value import Scenario
from edasim.study.point import at_point

MOST_VALUES = 1_000
_QUANTITY = re.compile(r"[0-9][0-9.]*(?:/?[a-z]+|%)?")
_RANGE = re.compile(r"(.+?)\s*\.\.\s*(.+?)(?:\s+in\s+([0-9]{1,100})(?:\s+steps?)?)?")
_TIDY_DIGITS = 4
_LONGEST_RANGE = 200


@dataclass(frozen=True)
class Kind:
    """How one kind of quantity is read and written; `grain` is the smallest step, `per` of it are one
    `unit`."""

    read: Callable[[Any], float]
    show: Callable[[float], str]
    grain: float = 0.0
    most: float = math.inf
    unit: str = ""
    per: float = 1.0

    def value(self, number: float) -> object:
        """What `Scenario.change` takes for a number."""
        return scalar(self.show(number))

    def tidy(self, number: float) -> float:
        """The number in four digits, and no finer than the grain."""
        rounded = float(f"{number:.{_TIDY_DIGITS}g}")
        return float(round(number)) if self.grain and (self.unit != "s" or rounded < 1) else rounded


def _plain(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise QuantityError(f"{shown(value)} is not a number")
    return float(value)


KINDS = {
    "duration": Kind(duration_ns, lambda length_ns: show_duration(round(length_ns)), 1.0, unit="s", per=1e9),
    "rate": Kind(rate_per_s, lambda rate: show_rate(float(f"{rate:.9g}")), unit="1/s"),
    "share": Kind(share, lambda part: show_share(float(f"{part:.9g}")), 0.0, 1.0, unit="share"),
    "factor": Kind(factor, lambda times: show_factor(float(f"{times:.9g}")), unit="x"),
    "count": Kind(count, lambda number: show_number(round(number)), 1.0, unit="number"),
    "size": Kind(size_bytes, lambda size: show_size(round(size)), 1.0, unit="B"),
    "number": Kind(_plain, lambda number: show_number(float(f"{number:.9g}")), unit="number"),
}


@dataclass(frozen=True)
class Axis:
    """A knob and the values that a study gives it; `kind` is None where they are not all one kind of quantity."""

    path: str
    values: tuple[object, ...]
    kind: Kind | None

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as a file writes them."""
        return tuple(map(value_text, self.values))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values in the unit of their kind; their places 0, 1, 2 ... where they have none."""
        if self.kind is None:
            return tuple(map(float, range(len(self.values))))
        return tuple(self.kind.read(value) / self.kind.per for value in self.values)


def value_text(value: object) -> str:
    """A value as a file writes it, on one line."""
    if isinstance(value, str):
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def kind_of(values: Iterable[object]) -> Kind | None:
    """The kind of quantity that all these values are."""
    many = list(values)
    for kind in KINDS.values():
        try:
            for value in many:
                kind.read(value)
        except QuantityError:
            continue
        return kind
    return None


def axis(path: str, given: object) -> Axis:
    """The axis of `{path: given}`: a list of values, one value, or a text `LOW .. HIGH in N steps`."""
    if isinstance(given, str) and _range(given):
        return _stepped(path, given)
    values = list(given) if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)) else [given]
    unique = list({value_text(_plain_value(path, value)): _plain_value(path, value) for value in values}.values())
    if not unique:
        raise ScenarioError([Problem("it has no values: give a list such as 0%,5% or a range 0% .. 20% in 5", path)])
    if len(unique) > MOST_VALUES:
        raise ScenarioError([Problem(f"{len(unique)} values are too many: at most {MOST_VALUES} for a knob", path)])
    return Axis(path, tuple(unique), kind_of(unique))


def axis_from_text(text: str) -> Axis:
    """The axis of `PATH=VALUE,VALUE` or `PATH=LOW .. HIGH in N`, each value read as a file would read it."""
    path, given = split_knob(text)
    if _range(given):
        return axis(path, given)
    return axis(path, [_value(part) for part in _parts(given)])


def split_knob(text: str) -> tuple[str, str]:
    """The path and the rest of `PATH=REST`."""
    path, equals, given = text.partition("=")
    if not equals or not path.strip() or not given.strip():
        example = "--knob services.payment.fails=0%,5%,20%"
        raise ScenarioError([Problem(f"{shown(text)} has no path and values: write it as in {example}", "--knob")])
    return path.strip(), given.strip()


def span(path: str, text: str) -> tuple[Kind, float, float]:
    """The kind and both ends, lower first, of `LOW .. HIGH`; raises `ScenarioError`."""
    match = _range(text)
    if match is None:
        raise ScenarioError([Problem(f"{shown(text)} is not a range: write it as 1 .. 8 or 0s .. 30s", path)])
    ends = [scalar(match[1].strip()), scalar(match[2].strip())]
    kind = kind_of(ends)
    if kind is None:
        raise ScenarioError([Problem(f"{shown(text)} has no two ends of one kind: write 1 .. 8 or 0s .. 30s", path)])
    low, high = map(kind.read, ends)
    if low >= high:
        raise ScenarioError([Problem(f"{shown(text)} is empty: write the lower end first", path)])
    return kind, low, high


def measured(scenario: Scenario, path: str) -> tuple[Kind, float | None]:
    """Which kind of quantity stands at a path, and its number; None where there is none yet (a timeout of none)."""
    knob, now = scenario.knobs.get(path), current(scenario, path)
    if knob is not None:
        kind = kind_of([scalar(knob.low)])
        if kind is not None:
            return kind, number_of(kind, now)
    for kind in KINDS.values():
        found = number_of(kind, now)
        if found is not None and _stays(scenario, path, kind.show(found)):
            return kind, found
    if now is None:
        cure = f"correct it, or give both ends as in {path}=1 .. 8"
        raise ScenarioError([Problem(f"nothing stands at this path that could be moved: {cure}", path)])
    raise ScenarioError([Problem(f"{shown(now)} is not a quantity that a slider can move", path)])


def number_of(kind: Kind, now: object) -> float | None:
    """The number of a value: the first one of a distribution or of arrivals, what a broker's option is written as."""
    if isinstance(now, str):
        try:
            return float(kind.read(scalar(now)))
        except QuantityError:
            return None
    if isinstance(now, (Arrivals, Distribution)):
        for text in _QUANTITY.findall(now.text):
            try:
                return float(kind.read(scalar(text)))
            except QuantityError:
                continue
        return None
    if not isinstance(now, (int, float)) or isinstance(now, bool) or math.isinf(now):
        return None
    return float(now)


def _stays(scenario: Scenario, path: str, text: str) -> bool:
    """Whether a text at a path means what is there now: that tells a count from a length of time in nanoseconds."""
    try:
        return bool(current(at_point(scenario, {path: scalar(text)}), path) == current(scenario, path))
    except ScenarioError:
        return False


def _stepped(path: str, text: str) -> Axis:
    kind, low, high = span(path, text)
    match = _range(text)
    steps = match[3] if match is not None else None
    if steps is None:
        raise ScenarioError([Problem(f"{shown(text)} does not say how many values: write {text} in 5 steps", path)])
    number = int(steps)
    if not 2 <= number <= MOST_VALUES:
        raise ScenarioError([Problem(f"{shown(number)} steps are out of range: give 2 to {MOST_VALUES}", path)])
    inner = [kind.tidy(low + (high - low) * step / (number - 1)) for step in range(1, number - 1)]
    return Axis(path, tuple(dict.fromkeys(kind.value(value) for value in (low, *inner, high))), kind)


def _plain_value(path: str, value: object) -> object:
    """The value as a file may hold it: a NumPy number becomes Python's own."""
    plain = value.item() if hasattr(value, "item") and not isinstance(value, (str, list, dict)) else value
    try:
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ScenarioError([Problem(f"{shown(plain)} is not a value that a file could hold", path)]) from None
    return plain


def _range(text: str) -> re.Match[str] | None:
    return _RANGE.fullmatch(text) if len(text) <= _LONGEST_RANGE else None


def _value(text: str) -> object:
    if text[:1] in ("[", "{"):
        return read_document(f"value: {text}").data["value"]
    return scalar(text)


def _parts(text: str) -> list[str]:
    """The parts between the commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[{(") - (letter in ")}]")
        if letter == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]
