"""What would turn the result: the likeliest change, tried out in one run instead of guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edasim.core.quantity import SECOND_NS, show_duration
from edasim.scenario.errors import ScenarioError
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
    for path, before, after in _candidates(comparison, was):
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


def _candidates(comparison: Comparison, was: Observation) -> Iterator[tuple[str, str, str]]:
    """(path, value now, value tried), the likeliest first."""
    scenario = comparison.scenario
    timeout_ns = scenario.client.timeout
    longest_s = max((end_s - start_s for start_s, end_s, _ in fault_windows(scenario)), default=0.0)
    if was.number("left") > 0 and timeout_ns is not None:
        enough_s = 2 * max(timeout_ns / SECOND_NS, min(longest_s, _TIMEOUTS_S[-1] / 2))
        longer = [seconds for seconds in _TIMEOUTS_S if seconds >= enough_s][:2]
        for seconds in longer:
            yield "client.timeout", show_duration(timeout_ns), f"{seconds}s"
    if was.number("orders.refused") > was.number("left"):
        attempts = scenario.retry.attempts
        if attempts is not None:
            yield "retry.attempts", str(attempts), str(max(10, 3 * attempts))
    if was.number("left") == 0 and (timeout_ns is None or timeout_ns > _SHORT_S * SECOND_NS):
        now = "none" if timeout_ns is None else show_duration(timeout_ns)
        yield "client.timeout", now, f"{_SHORT_S}s"
