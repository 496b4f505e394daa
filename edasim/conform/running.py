"""Playing the scripts on both sides: on a running cluster, or beside the golden traces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edasim.conform import golden, real, simulated
from edasim.conform.outcome import Outcome, judged, not_played
from edasim.conform.script import BROKERS, SETTINGS, Script, Trace, broke_off

# Scripts mostly wait, so that several share the time; those that kill brokers run alone.
AT_ONCE = 6

class NothingToRecord(ValueError):
    """There is no real side whose traces could be recorded."""


Advance = Callable[[int, int], None]


def beside_golden(
    scripts: Sequence[Script], advance: Advance | None = None, folder: Path = golden.FOLDER
) -> list[Outcome]:
    """Play the scripts on the simulated side and compare with what a real Kafka did when it was recorded."""
    outcomes = []
    for number, script in enumerate(scripts, 1):
        kept = golden.read(script.name, folder)
        if kept is None:
            outcomes.append(not_played(script, "no golden trace is there; --bootstrap HOST:PORT --record makes one"))
        else:
            outcomes.append(judged(script, simulated.trace_of(script), kept.trace))
        if advance is not None:
            advance(number, len(scripts))
    return outcomes


def beside_cluster(
    scripts: Sequence[Script],
    cluster: real.Reached,
    brokers: real.Brokers | None = None,
    advance: Advance | None = None,
) -> list[Outcome]:
    """Play the scripts on both sides; those that this cluster cannot play say why."""
    traces = real_traces(scripts, cluster, brokers, advance)
    return [
        judged(one, simulated.trace_of(one), traces[one.name])
        if one.name in traces
        else not_played(one, why_not(one, cluster, brokers))
        for one in scripts
    ]


def why_not(script: Script, cluster: real.Reached, brokers: real.Brokers | None) -> str:
    """Why a script cannot be played on this cluster; empty if it can."""
    if script.needs == BROKERS and brokers is None:
        return "they kill brokers: python -m tools.kafka_cluster compare starts three of its own for them"
    if script.needs in (SETTINGS, BROKERS) and cluster.other_settings:
        name, value = next(iter(cluster.other_settings.items()))
        return f"they need brokers with the settings of edasim.conform.settings, and {name} is {value} here"
    return ""


def real_traces(
    scripts: Iterable[Script], cluster: real.Reached, brokers: real.Brokers | None, advance: Advance | None = None
) -> dict[str, Trace]:
    """The traces of the scripts that this cluster can play, by name."""
    possible = [one for one in scripts if not why_not(one, cluster, brokers)]
    traces: dict[str, Trace] = {}
    lock = threading.Lock()

    def play(script: Script) -> None:
        trace = real.trace_of(script, cluster, brokers)
        with lock:
            traces[script.name] = trace
            if advance is not None:
                advance(len(traces), len(possible))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(play, one) for one in possible if one.needs != BROKERS]:
            done.result()
    for one in possible:
        if one.needs == BROKERS:
            play(one)
    return traces


def record(outcomes: Iterable[Outcome], again: Mapping[str, Trace], folder: Path, kafka: str) -> list[str]:
    """Write golden traces of what the real cluster did both times; the scripts without one: cut short, or unsteady.

    `again` are the traces of the same scripts, played a second time; `kafka` says what they were played on.
    """
    left_out = []
    for one in outcomes:
        if one.why_not:
            continue
        if broke_off(one.real) or again[one.script.name] != one.real:
            left_out.append(one.script.name)
        else:
            golden.write(one.script, one.real, kafka, real.client_version(), folder)
    return left_out
