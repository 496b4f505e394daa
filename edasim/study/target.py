"""What a search is to hold: `completion_latency_s.p99 < 2s`, or `recovers`; and whether some runs show that it does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edasim.core.quantity import SECOND_NS, QuantityError, duration_ns, rate_per_s, share, shown
from edasim.scenario.document import scalar
from edasim.scenario.value import Scenario
from edasim.study.metrics import check_metrics, in_seconds, metric_words
from edasim.study.precision import Interval, interval, share_interval

RECOVERED = "recovered"
_TARGET = re.compile(r"(\S+?)\s*(<=|>=|<|>)\s*(\S+)")
_MOST = 0.5
_COUNTS = ("orders.", "focus.")


class TargetError(ValueError):
    """A text that is no target; its text is one sentence."""


@dataclass(frozen=True)
class Target:
    """The mean of `metric` over replications is to be below (or above) `bound`.

    For `recovers` the mean is the share of runs that come back, and its interval that of a share.
    """

    text: str
    metric: str
    below: bool
    bound: float
    strict: bool

    @property
    def is_share(self) -> bool:
        """Whether each run says yes or no."""
        return self.metric == RECOVERED

    def interval(self, values: Sequence[float], confidence: float) -> Interval:
        """The mean of the runs with its interval."""
        if self.is_share:
            return share_interval(sum(value > 0 for value in values), len(values), confidence)
        return interval(values, confidence).not_below(0.0)

    def judge(self, found: Interval) -> bool | None:
        """True when the interval is on the right side of the bound, False when it is on the other, None when neither.

        Where some runs have no such number (orders that are never done), the mean is beyond every bound.
        """
        if not found.known:
            return not self.below
        if math.isnan(found.low):
            return None
        low, high = (found.low, found.high) if self.below else (-found.high, -found.low)
        bound = self.bound if self.below else -self.bound
        if high < bound or (high == bound and not self.strict):
            return True
        return False if low > bound or (low == bound and self.strict) else None

    @property
    def words(self) -> str:
        """As a sentence says it: `completion latency, p99 < 2s`."""
        return f'"{self.text}"' if self.is_share else self.text.replace(self.metric, metric_words(self.metric), 1)


def read_target(text: str, scenario: Scenario) -> Target:
    """The target of a text; raises `TargetError`, or `UnknownMetric` for a number that no run has."""
    plain = " ".join(str(text).split())
    if plain == "recovers":
        return Target(plain, RECOVERED, False, _MOST, True)
    match = _TARGET.fullmatch(plain) if len(plain) <= 200 else None
    if match is None:
        raise TargetError(f"{shown(text)} is no target: write it as completion_latency_s.p99 < 2s, or recovers")
    name, sign, bound = match.groups()
    metric = RECOVERED if name == "recovers" else check_metrics(scenario, [name])[0]
    return Target(plain, metric, "<" in sign, _bound(metric, bound), "=" not in sign)


def _bound(metric: str, text: str) -> float:
    if metric == RECOVERED:
        part = float(_read(share, text, "recovers is a share of runs: write it as recovers >= 90%"))
        if part == 1:
            raise TargetError("that all runs ever recover cannot be shown by some: write it as recovers >= 95%")
        return part
    if in_seconds(metric):
        return _read(duration_ns, text, f"{metric} is a time: write {metric} < 2s") / SECOND_NS
    if metric.startswith(_COUNTS) and text.endswith("%"):
        raise TargetError(f"{metric} is a number of orders, not a share of them: write it as {metric} < 20")
    for read in (share, rate_per_s):
        try:
            return float(read(text))
        except QuantityError:
            continue
    value = scalar(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TargetError(f"{shown(text)} is no bound for {metric}: write a number, a share such as 2%, or a rate")
    return float(value)


def _read(read: Callable[[Any], float], text: str, cure: str) -> float:
    try:
        return read(text)
    except QuantityError:
        raise TargetError(f"{shown(text)} is no bound: {cure}") from None
