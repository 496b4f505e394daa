"""The bands of a picture: the faults whose times are in the file, which a reader may drag."""

from __future__ import annotations

from edasim.core.quantity import SECOND_NS
from edasim.scenario.fault import Fault
from edasim.scenario.value import Scenario
from edasim.study.focus import span_s

_A_WHILE_NS = 5 * SECOND_NS


def bands(scenario: Scenario) -> list[dict[str, object]]:
    """A band for each dated fault: its name, its words, and its start and end in seconds."""
    return [
        {"name": name, "text": fault.words, "start": start_ns / SECOND_NS, "end": (start_ns + length_ns) / SECOND_NS}
        for name, fault in scenario.faults.items()
        for start_ns, length_ns in _span(fault)
    ]


def after_the_faults_ns(scenario: Scenario) -> int:
    """A while after the last dated fault ends; without one, in the middle of the run."""
    ends = [start_ns + length_ns for fault in scenario.faults.values() for start_ns, length_ns in _span(fault)]
    return max(ends) + _A_WHILE_NS if ends else round(span_s(scenario) * SECOND_NS / 2)


def _span(fault: Fault) -> list[tuple[int, int]]:
    """(start, length) of a fault whose times are in the file, as a list of one; none for the others."""
    length_ns = None if fault.for_ is None else fault.for_.constant_ns
    return [(fault.at, round(length_ns))] if fault.at is not None and length_ns is not None else []
