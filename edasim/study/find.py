"""Find: the value of one knob at which a target begins to hold, or ceases to, by bisection with error bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from edasim.core.quantity import shown
from edasim.scenario.document import scalar
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.compare import chosen_architectures
from edasim.study.executors import executor_for
from edasim.study.found import Found, Search, Tried
from edasim.study.knob import Kind, span
from edasim.study.point import at_point
from edasim.study.precision import CONFIDENCE
from edasim.study.runs import Progress, Runs, check_size
from edasim.study.target import read_target
from edasim.study.tasks import scenario_text

Judge = Callable[[float], bool | None]
FEWEST = 10
BUDGET = 80
_PARTS = 64
_SPARE = 4


class FindInterrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; `found` has what was tried until then."""

    def __init__(self, found: Found) -> None:
        super().__init__("interrupted")
        self.found = found


def find(  # noqa: PLR0913 - a study has that many sides
    scenario: Scenario,
    knob: Mapping[str, str] | str,
    target: str,
    architectures: Sequence[str] | str | None = None,
    seed: int = 1,
    budget: int = BUDGET,
    *,
    within: str | None = None,
    workers: int | None = None,
    dask: str | None = None,
    allow_large: bool = False,
    progress: Progress | None = None,
) -> Found:
    """Find where a target changes between the ends of a knob: the smallest number of workers that is enough.

    `knob` is a path with its span, `{"services.payment.workers": "1 .. 20"}`, or the path of one of the scenario's own
    knobs. `target` is a number of a run with its bound, `"completion_latency_s.p99 < 2s"`, or `"recovers"`: most runs
    come back after their faults. The search goes on until the bracket is a step of 1 for what is counted, and else
    `within` (a 64th of the span unless it is given).

    At each value, replications are added until the interval excludes the bound, or until there are `budget` of them:
    then that value is undecided. All values have the same seeds. The intervals are wide enough for all looks and all
    values together, so that with 95% all decisions are right. That the target changes once only is assumed, and checked
    at both ends.

    Raises `ScenarioError`, `TargetError`, `UnknownMetric`, `StudyTooLarge`, `WorkerError`, what `simulate` raises, and
    `FindInterrupted` after Ctrl-C.
    """
    named = [architectures] if isinstance(architectures, str) else architectures
    chosen = chosen_architectures(scenario, named)
    path, line = _line(scenario, knob, within)
    wanted = read_target(target, scenario)
    if isinstance(budget, bool) or not isinstance(budget, int) or not FEWEST <= budget <= 100_000:
        raise ValueError(f"budget: {shown(budget)} is no number from {FEWEST} to 100000 replications")
    ends = [at_point(scenario, {path: line.kind.value(end)}, allow_large) for end in (line.low, line.high)]
    check_size(ends, line.most * budget * len(chosen), allow_large)
    runs = Runs((wanted.metric,), seed, executor_for(workers, dask))
    found = Found(scenario, path, wanted, seed, {name: Search(line.kind, wanted) for name in chosen})
    work = _Work(scenario, path, runs, budget, line.most, progress)
    try:
        for name, search in found.searches.items():
            _search(search, line, partial(work.judge, name, search))
            search.finished = True
    except KeyboardInterrupt:
        raise FindInterrupted(found) from None
    return found


@dataclass(frozen=True)
class _Line:
    """The values in question, as numbers: from where to where, how close to come, and how many to try at most."""

    kind: Kind
    low: float
    high: float
    within: float

    @property
    def most(self) -> int:
        """Both ends, the halvings, and some to spare for what stays undecided."""
        return 2 + max(1, math.ceil(math.log2((self.high - self.low) / self.within))) + _SPARE

    def middle(self, low: float, high: float) -> float | None:
        """A tidy number between two, or None where they are close enough."""
        if high - low <= self.within * (1 + 1e-9):
            return None
        half = (low + high) / 2
        number = self.kind.tidy(half)
        if not low < number < high:
            number = float(math.floor(half)) if self.kind.grain else half
        return number if low < number < high else None


def _line(scenario: Scenario, knob: Mapping[str, str] | str, within: str | None) -> tuple[str, _Line]:
    if isinstance(knob, str):
        own = scenario.knobs.get(knob)
        if own is None:
            raise ScenarioError([Problem("the scenario has no such knob: give its span, such as 1 .. 20", knob)])
        path, text = knob, f"{own.low} .. {own.high}"
    elif len(knob) == 1:
        path, text = next(iter(knob.items()))
    else:
        raise ValueError(f"{len(knob)} knobs cannot be searched: name one")
    kind, low, high = span(path, str(text))
    close = (high - low) / _PARTS
    if within is not None:
        try:
            close = kind.read(scalar(within))
        except ValueError as error:
            raise ScenarioError([Problem(f"within: {error}", path)]) from None
        if not 0 < close <= high - low:
            raise ScenarioError([Problem(f"within: {shown(within)} is no step inside the span {text}", path)])
    return path, _Line(kind, low, high, max(close, 1.0) if kind.unit == "number" and kind.grain else close)


@dataclass
class _Work:
    """Does the runs of a search and judges its values."""

    scenario: Scenario
    path: str
    runs: Runs
    budget: int
    most: int
    progress: Progress | None

    def judge(self, architecture: str, search: Search, number: float) -> bool | None:
        """Whether the target holds at a value; each look adds as many replications as there are."""
        point = at_point(self.scenario, {self.path: search.kind.value(number)}, allow_large=True)
        text = scenario_text(point)
        looks = 1 + max(0, math.ceil(math.log2(self.budget / FEWEST)))
        # All looks at all values of this search share the 5% in which something may be wrong (Bonferroni).
        confidence = 1 - (1 - CONFIDENCE) / (looks * self.most)
        size, verdict = FEWEST, None
        while verdict is None:
            tasks = [self.runs.task(text, architecture, replication) for replication in range(size)]
            self.runs.do(tasks, self.progress)
            values = self.runs.values(tasks, search.target.metric)
            found = search.target.interval(values, confidence)
            verdict = search.target.judge(found)
            search.take(Tried(number, found, verdict, sum(not math.isfinite(value) for value in values)))
            if size >= self.budget:
                break
            size = min(2 * size, self.budget)
        return verdict


def _search(search: Search, line: _Line, judge: Judge) -> None:
    """Both ends, and then the middle of the larger gap beside a decided end, until both gaps are small enough."""
    first, last = judge(line.low), judge(line.high)
    if first is None or last is None or first == last:
        return
    for _ in range(line.most - 2):
        inside = search.inside()
        gaps = sorted({inside[:2], inside[-2:]}, key=lambda gap: gap[0] - gap[1])
        middles = [middle for middle in (line.middle(*gap) for gap in gaps) if middle is not None]
        if not middles:
            return
        judge(middles[0])
