"""Numbers of a run and knobs on the axes of charts."""

from __future__ import annotations

from edasim.study.knob import Axis
from edasim.study.metrics import in_seconds, short_path
from edasim.study.words import grouped, seconds_short

_UNITS = {"s": "duration", "1/s": "rate", "share": "share", "x": "factor", "B": "size"}


def number_text(value: float, metric: str) -> str:
    """A metric's value in two or three digits with its unit, for ticks, cells and titles."""
    if in_seconds(metric):
        return seconds_short(value) if value else "0 s"
    if metric.endswith("utilisation"):
        return f"{value:.0%}"
    return grouped(value, 0 if value == round(value) or abs(value) >= 100 else 1 if abs(value) >= 1 else 2)


def knob_label(knob: Axis) -> str:
    """What stands beside a knob's axis; its values carry their units."""
    kind = _UNITS.get(knob.kind.unit, "") if knob.kind else ""
    return f"{short_path(knob.path)} ({kind})" if kind else short_path(knob.path)
