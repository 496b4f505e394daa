"""The part of a run that its story is about: the orders placed while something was wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edasim.core.intensity import Spike
from edasim.core.quantity import SECOND_NS, show_duration, show_rate
from edasim.scenario.fault import Fault
from edasim.scenario.value import Scenario
from edasim.study.words import summed_up

_MOST_OF_THE_RUN = 0.6


@dataclass(frozen=True)
class Focus:
    """From when to when, in seconds, and what happens then, as the beginning of a sentence.

    `whole` says that it is all of the measured time, because nothing is dated or nearly everything is.
    """

    start_s: float
    end_s: float
    text: str
    whole: bool


def focus(scenario: Scenario) -> Focus:
    """What a scenario's charts look at: its dated faults, else its spike, else everything that is measured."""
    start_s, end_s = scenario.warm_up / SECOND_NS, span_s(scenario)
    windows = [*fault_windows(scenario), *spike_windows(scenario)]
    text = summed_up([text for _, _, text in windows], " faults")
    if windows:
        first_s, last_s = min(window[0] for window in windows), max(window[1] for window in windows)
        inside = max(start_s, first_s), min(end_s, last_s)
        if 0 < inside[1] - inside[0] <= _MOST_OF_THE_RUN * (end_s - start_s):
            return Focus(*inside, text, False)
    drawn = [fault_words(fault) for fault in scenario.faults.values()]
    return Focus(start_s, end_s, text or summed_up(drawn, " faults"), True)


def span_s(scenario: Scenario) -> float:
    """For how long orders are placed, in seconds; for a number of orders, about how long that takes."""
    if scenario.duration is not None:
        return scenario.duration / SECOND_NS
    per_s = sum(producer.arrivals.mean_rate for producer in scenario.producers.values())
    return (scenario.orders or 1) / per_s if 0 < per_s < math.inf else 60.0


def fault_windows(scenario: Scenario) -> list[tuple[float, float, str]]:
    """(start, end, words) of the faults whose times are in the file, not drawn."""
    windows = []
    for fault in scenario.faults.values():
        length_ns = _length_ns(scenario, fault)
        if fault.at is not None and length_ns is not None:
            windows.append((fault.at / SECOND_NS, (fault.at + length_ns) / SECOND_NS, fault_words(fault)))
    return [window for window in windows if window[1] > window[0]]


def spike_windows(scenario: Scenario) -> list[tuple[float, float, str]]:
    """(start, end, words) of the times at which a producer places many orders."""
    windows = []
    for producer in scenario.producers.values():
        spike = producer.arrivals
        if isinstance(spike, Spike):
            length = spaced(show_duration(spike.length_ns))
            text = f"{show_rate(spike.top)} instead of {show_rate(spike.base)} for {length}"
            start_s = spike.at_ns / SECOND_NS
            windows.append((start_s, start_s + spike.length_ns / SECOND_NS, text))
    return windows


def _length_ns(scenario: Scenario, fault: Fault) -> float | None:
    if fault.kind == "deploy":
        service = scenario.services.get(fault.target)
        return (fault.rolling or 0) * (service.workers if service else 1)
    return math.inf if fault.for_ is None else fault.for_.constant_ns


def fault_words(fault: Fault) -> str:
    """A fault as people say it: `payment down for 10 s`."""
    again = " again and again" if fault.every is not None else ""
    return f"{fault.words}{_for(fault)}{again}"


def _for(fault: Fault) -> str:
    if fault.kind == "deploy":
        return ""
    if fault.for_ is None:
        return " to the end"
    length_ns = fault.for_.constant_ns
    return f" for {spaced(show_duration(length_ns)) if length_ns is not None else fault.for_.text}"


def spaced(quantity: str) -> str:
    """`10s` as prose writes it: `10 s`."""
    number = quantity.rstrip("abcdefghijklmnopqrstuvwxyzμ")
    return f"{number} {quantity[len(number) :]}" if number != quantity else quantity
