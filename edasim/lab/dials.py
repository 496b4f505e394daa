"""Dials: the values that a slider steps through, as texts with their units, and where the scenario stands now."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from edasim.scenario.document import scalar
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.knob import measured

STEPS = 100
_TIDY = (1, 2, 5, 10)
_ACROSS = 4
_SECTIONS = ("producers", "services", "faults", "architectures")


@dataclass(frozen=True)
class Dial:
    """A path of the scenario and the texts that its slider steps through; `start` is the place of the value now.

    `numbers` are the texts as numbers: nanoseconds, events per second, parts of the whole, factors or counts.
    """

    path: str
    texts: tuple[str, ...]
    start: int
    numbers: tuple[float, ...]

    @property
    def label(self) -> str:
        """What is written beside it: the words of the path that say what it is."""
        return " ".join(step for step in self.path.split(".") if step not in _SECTIONS).replace("-", " ")

    def nearest(self, number: float) -> str:
        """Its text that is nearest to a number."""
        return min(zip(self.numbers, self.texts, strict=True), key=lambda pair: abs(pair[0] - number))[1]

    def value(self, text: str) -> object:
        """What `Scenario.change` takes for one of its texts."""
        return scalar(text)


def dials(scenario: Scenario, paths: Iterable[str] | None = None) -> list[Dial]:
    """The dials of the scenario's knobs, or of these paths; raises `ScenarioError` for what is no quantity.

    A path without a knob gets a range around its value now: from a quarter of it to four times of it.
    """
    return [_dial(scenario, path) for path in (scenario.knobs if paths is None else paths)]


def _dial(scenario: Scenario, path: str) -> Dial:
    kind, now = measured(scenario, path)
    knob = scenario.knobs.get(path)
    if knob is not None:
        low, high = (kind.read(scalar(end)) for end in (knob.low, knob.high))
    elif now:
        low, high = max(kind.grain, now / _ACROSS), min(kind.most, now * _ACROSS)
    else:
        raise ScenarioError([Problem("it has no range to move in: name one under knobs, such as 1s .. 30s", path)])
    values = _stepped(low, high, kind.grain)
    if now is not None and min(abs(now - value) for value in values) > 1e-9 * max(abs(now), 1e-12):
        values.insert(bisect_left(values, now), now)
    by_text = {kind.show(value): value for value in values}
    start = list(by_text).index(kind.show(now)) if now is not None else 0
    return Dial(path, tuple(by_text), start, tuple(by_text.values()))


def _stepped(low: float, high: float, grain: float) -> list[float]:
    """From the lower to the higher end in about a hundred tidy steps, both ends included."""
    rough = (high - low) / STEPS
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = max(grain, next(tidy * power for tidy in _TIDY if tidy * power >= 0.999 * rough))
    first = math.ceil(low / step - 1e-9)
    inner = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return sorted({low, high, *inner}) if inner else [low, high]
