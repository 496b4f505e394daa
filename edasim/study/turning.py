"""What would turn the result: the likeliest change, tried out in one run instead of guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edasim.core.quantity import SECOND_NS, duration_ns, show_duration
from edasim.scenario.document import scalar
from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.focus import fault_windows, spaced
from edasim.study.observation import Observation, observe
from edasim.study.words import display

if TYPE_CHECKING:
    from edasim.study.comparison import Comparison

_TIMEOUTS_S = (10, 30, 60, 120, 300, 600)
_SHORT_S = 1
_CLEARLY = 0.5


@dataclass(frozen=True)
class Turning:
    """A change that turned the result of one run: where, what it was, what it is, and the run before and after."""

    architecture: str
    path: str
    before: str
    after: str
    was: Observation
    now: Observation

    @property
    def refused(self) -> tuple[int, int]:
        """Orders refused before and after the change."""
        return int(self.was.number("orders.refused")), int(self.now.number("orders.refused"))

    @property
    def short(self) -> str:
        """For a footer: `client.timeout 5 s → 30 s: monolith refuses 12, not 391`."""
        was, now = self.refused
        name = display(self.architecture)
        return f"{self.path} {spaced(self.before)} → {spaced(self.after)}: {name} refuses {now:,}, not {was:,}"


def find_turning(comparison: Comparison) -> Turning | None:
    """The first change that at least halves, or else doubles, the refusals of the architecture with the most of them.

    One further run with the first replication's seed for each try, at most four; None when nothing turned.
    """
    name = _most_refusing(comparison)
    if name is None:
        return None
    was = comparison.first(name)
    for path, before, after in candidates(comparison, was):
        try:
            changed = comparison.scenario.change({path: after})
        except ScenarioError:
            continue
        turning = Turning(name, path, before, after, was, observe(simulate(changed, name, was.seed)))
        if _turned(*turning.refused):
            return turning
    return None


def _most_refusing(comparison: Comparison) -> str | None:
    """Of those that answer when the work is done, the first that refuses about as many orders as any of them."""
    refused = {
        name: comparison.first(name).number("orders.refused")
        for name in comparison.architectures
        if comparison.first(name).answer == "done"
    }
    return next((name for name, number in refused.items() if number >= _CLEARLY * max(refused.values())), None)


def _turned(was: int, now: int) -> bool:
    return (was > 0 and now <= _CLEARLY * was) or now > was / _CLEARLY + 1


def candidates(comparison: Comparison, was: Observation) -> Iterator[tuple[str, str, str]]:
    """(path, value now, value tried), the likeliest first; what the scenario has a knob for stays in its range."""
    scenario = comparison.scenario
    timeout_ns = scenario.client.timeout
    now = "none" if timeout_ns is None else show_duration(timeout_ns)
    if was.number("left") > 0 and timeout_ns is not None:
        for longer_ns in _longer_timeouts_ns(scenario, timeout_ns):
            yield "client.timeout", now, show_duration(longer_ns)
    attempts = scenario.retry.attempts
    if was.number("orders.refused") > was.number("left") and attempts is not None:
        more = min(max(10, 3 * attempts), _range(scenario, "retry.attempts", _whole)[1])
        if more > attempts:
            yield "retry.attempts", str(attempts), str(int(more))
    shorter_ns = max(_SHORT_S * SECOND_NS, _range(scenario, "client.timeout", duration_ns)[0])
    if was.number("left") == 0 and (timeout_ns is None or timeout_ns > shorter_ns):
        yield "client.timeout", now, show_duration(int(shorter_ns))


def _longer_timeouts_ns(scenario: Scenario, timeout_ns: int) -> list[int]:
    """At most two: round ones from twice the timeout and the longest fault on, or the knob's end where it is below."""
    longest_s = max((end_s - start_s for start_s, end_s, _ in fault_windows(scenario)), default=0.0)
    enough_s = 2 * max(timeout_ns / SECOND_NS, min(longest_s, _TIMEOUTS_S[-1] / 2))
    end_ns = _range(scenario, "client.timeout", duration_ns)[1]
    longer_ns = [seconds * SECOND_NS for seconds in _TIMEOUTS_S if enough_s <= seconds <= end_ns / SECOND_NS]
    if math.isfinite(end_ns) and end_ns > max([timeout_ns, *longer_ns]):
        longer_ns.append(int(end_ns))
    return longer_ns[:2]


def _range(scenario: Scenario, path: str, read: Callable[[str], int]) -> tuple[float, float]:
    """Both ends of the knob for a path; where there is none, all numbers."""
    knob = scenario.knobs.get(path)
    return (read(knob.low), read(knob.high)) if knob is not None else (0, math.inf)


def _whole(text: str) -> int:
    return int(scalar(text))
