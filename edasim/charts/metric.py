"""Numbers of a run and knobs on the axes of charts."""

from __future__ import annotations

from edasim.study.knob import Axis
from edasim.study.metrics import in_seconds, metric_words, short_path
from edasim.study.words import grouped, seconds_short

_TIMES = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"))
_UNITS = {"s": "duration", "1/s": "rate", "share": "share", "x": "factor", "B": "size"}


def number_text(value: float, metric: str) -> str:
    """A metric's value in two or three digits with its unit, for ticks, cells and titles."""
    if in_seconds(metric):
        return seconds_short(value) if value else "0 s"
    if metric.endswith("utilisation"):
        return f"{value:.0%}"
    return grouped(value, 0 if value == round(value) or abs(value) >= 100 else 1 if abs(value) >= 1 else 2)


def tick_text(value: float, metric: str) -> str:
    """A metric's value beside an axis: in up to four digits, so that no two ticks read alike, with its unit."""
    if not in_seconds(metric) or not value:
        return number_text(value, metric)
    scale, unit = next((one for one in _TIMES if abs(value) * one[0] >= 1), _TIMES[-1])
    return f"{float(f'{value * scale:.4g}'):,.10g} {unit}"


def mean_words(metric: str) -> str:
    """What stands beside the axis of a metric's means over replications."""
    words = metric_words(metric)
    return words if words.endswith("mean") else f"{words}, mean"


def knob_label(knob: Axis) -> str:
    """What stands beside a knob's axis; its values carry their units."""
    kind = _UNITS.get(knob.kind.unit, "") if knob.kind else ""
    return f"{short_path(knob.path)} ({kind})" if kind else short_path(knob.path)
