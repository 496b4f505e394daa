"""A topic partition by partition, as one consumer group sees it: what was written, and until when each record waited.

A record waits from its append until its first attempt begins, or until the group passes over it (a group that joins at
the end of the log; records that retention has removed).  Other than lag that does not depend on commits, and other than
the position of a member not on how much a poll returns.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Facts, Verb
from edasim.measure.reading import NANO, Reading
from edasim.measure.steps import Floats, Steps


@dataclass(frozen=True)
class PartitionReading:
    """One partition: for each record in its order when it was appended, when its first attempt began, and when the
    group passed over it (seconds; infinite for never).
    """

    name: str
    appended_s: Floats
    begun_s: Floats
    passed_s: Floats

    @property
    def number(self) -> int:
        """Its number in the topic."""
        return int(self.name.rpartition("-")[2])

    @property
    def records(self) -> int:
        """How many were appended."""
        return len(self.appended_s)

    def waiting(self) -> Steps:
        """Records that wait for their first attempt, over time."""
        return Steps.counting(self.appended_s, np.minimum(self.begun_s, self.passed_s))


def partitions(reading: Reading, service: str) -> list[PartitionReading]:
    """The partitions of the topics that a service handles, its retry topics left out; none where nothing has any."""
    handles = reading.run.scenario.services[service].handles
    appended = reading.of(Verb.appended)
    begun_s = _first_begun_s(reading, service)
    jumps = reading.of(Verb.skipped, service=service)
    names = {number: place.name for number, place in enumerate(reading.run.places) if place.kind == "partition"
             and not place.detail and place.name.rpartition("-")[0] in handles}
    found = []
    for number, name in names.items():
        here = appended.only(appended.places == number)
        passed_s = _passed_s(reading, jumps, name, len(here))
        begun = begun_s[here.numbers]
        found.append(PartitionReading(name, here.times_ns * NANO, begun, np.where(passed_s < begun, passed_s, np.inf)))
    return sorted(found, key=lambda one: (one.name.rpartition("-")[0], one.number))


def _first_begun_s(reading: Reading, service: str) -> NDArray[np.float64]:
    """For each message by its id, when the service began its first attempt; infinite for never."""
    starts = reading.of(Verb.started, service=service)
    begun_s = np.full(len(reading.run.messages), np.inf)
    numbers, first = np.unique(starts.numbers, return_index=True)
    begun_s[numbers] = starts.times_ns[first] * NANO
    return begun_s


def _passed_s(reading: Reading, jumps: Facts, partition: str, records: int) -> NDArray[np.float64]:
    """For each record when the group first jumped beyond it; the number of a jump is the offset it went to."""
    passed_s = np.full(records, np.inf)
    for number, time_ns, offset in zip(jumps.places.tolist(), jumps.times_ns.tolist(), jumps.numbers.tolist(),
                                       strict=True):
        if reading.run.places[number].name.split(" ", 1)[1] == partition:
            passed_s[:offset] = np.minimum(passed_s[:offset], time_ns * NANO)
    return passed_s
