"""The colour of a slider's track: how busy the bottleneck would be at each place of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edasim.lab.dials import Dial
from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.load import loads

CALM, BUSY, OVER = "#7FC3E8", "#F0C23B", "#D55E00"
"""The utilisation of the bottleneck is under 0.7, under 1, or 1 and over."""
LIMITS = ((0.7, CALM), (1.0, BUSY))
_SAMPLES = 5
_FEW = 12
_POINTS = 41
_MUCH = 99.0
_MATTERS = ("producers", "services", "retry")


def bottleneck(scenario: Scenario) -> float:
    """The utilisation of the service that has most to do for its workers; infinite where the work never ends."""
    return max((load.utilisation for load in loads(scenario).values()), default=0.0)


def colour(utilisation: float) -> str:
    """The colour of a utilisation."""
    return next((shade for limit, shade in LIMITS if utilisation < limit), OVER)


def colours(scenario: Scenario, dial: Dial) -> list[str]:
    """The colours along a dial, from its lower to its higher end; one where the dial does not change the load."""
    if dial.path.partition(".")[0] not in _MATTERS:
        return [colour(bottleneck(scenario))]
    last = len(dial.texts) - 1
    samples = _SAMPLES if last > _FEW else last + 1
    places = sorted({round(number * last / (samples - 1)) for number in range(samples)})
    known = [min(_at(scenario, dial, dial.texts[place]), _MUCH) for place in places]
    along = np.interp(np.linspace(0, last, _POINTS), places, known)
    return [colour(float(one)) for one in along]


def _at(scenario: Scenario, dial: Dial, text: str) -> float:
    try:
        return bottleneck(scenario.change({dial.path: dial.value(text)}))
    except ScenarioError:
        return 0.0


def paint(scenario: Scenario, dials: Sequence[Dial], classes: Mapping[str, str]) -> str:
    """A style sheet for the sliders with these classes, by path."""
    rules = [f".{classes[dial.path]} .noUi-target {{ background: {_gradient(colours(scenario, dial))}; }}"
             for dial in dials]
    return f"<style>.edasim-explorer .noUi-connects {{ background: none; }} {' '.join(rules)}</style>"


def _gradient(shades: Sequence[str]) -> str:
    """Hard steps from left to right."""
    stops = []
    for number, shade in enumerate(shades):
        low, high = 100 * number / len(shades), 100 * (number + 1) / len(shades)
        stops.append(f"{shade} {low:.1f}% {high:.1f}%")
    return f"linear-gradient(to right, {', '.join(stops)})"
