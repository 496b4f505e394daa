"""Which member of a group reads which partition, and for how long nobody does: what rebalances cost.

A partition is unread from when its reader let it go, fell out of the group or died until the next one is given it.
Time before a group was first given its partitions is not counted; what a member of the group reads slowly is read.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from edasim.core.journal import Verb
from edasim.measure.reading import NANO, Reading


@dataclass(frozen=True)
class Tenure:
    """One member reads one partition for a while (seconds)."""

    partition: str
    member: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class GroupNumbers:
    """What rebalances did to one group between two times.

    `rebalances` counts generations (or group epochs), `unread_partition_s` the seconds for which a partition was
    unread, summed over partitions, `unread_max_s` the longest of these times, `moves` how often a partition came to
    another member, `commits_refused` the commits of who was not, or no longer, of the present generation.
    """

    rebalances: int
    unread_partition_s: float
    unread_max_s: float
    moves: int
    commits_refused: int


class Ownership:
    """The partitions of a service's consumer group; without a group there are none."""

    def __init__(self, reading: Reading, service: str) -> None:
        self.reading = reading
        self.service = service
        self.end_s = reading.run.end_ns * NANO

    @cached_property
    def tenures(self) -> list[Tenure]:
        """All of them, by partition and in the order of time; one that lasts ends with the run."""
        given, taken = (self.reading.of(verb, service=self.service) for verb in (Verb.assigned, Verb.revoked))
        moves = sorted([*zip(given.rows, given.times_ns, given.places, strict=True)]
                       + [*zip(taken.rows, -taken.times_ns - 1, taken.places, strict=True)])
        begun: dict[int, float] = {}
        found: list[Tenure] = []
        for _, time_ns, number in moves:
            if time_ns >= 0:
                begun[number] = time_ns * NANO
            else:
                found.append(self._tenure(number, begun.pop(number), -(time_ns + 1) * NANO))
        found += [self._tenure(number, start_s, self.end_s) for number, start_s in begun.items()]
        return sorted(found, key=lambda one: (_in_order(one.partition), one.start_s, one.end_s))

    def _tenure(self, number: int, start_s: float, end_s: float) -> Tenure:
        place = self.reading.run.places[number]
        return Tenure(place.name.split(" ", 1)[1], place.detail, start_s, end_s)

    @cached_property
    def by_partition(self) -> dict[str, list[Tenure]]:
        """The tenures of each partition that ever had a reader."""
        found: dict[str, list[Tenure]] = {}
        for one in self.tenures:
            found.setdefault(one.partition, []).append(one)
        return found

    def unread(self) -> Iterator[tuple[str, float, float]]:
        """(partition, from, to) of each time in which nobody read it, after its first reader."""
        for partition, tenures in self.by_partition.items():
            read_until_s = tenures[0].end_s
            for one in tenures[1:]:
                if one.start_s > read_until_s:
                    yield partition, read_until_s, one.start_s
                read_until_s = max(read_until_s, one.end_s)
            if read_until_s < self.end_s:
                yield partition, read_until_s, self.end_s

    def numbers(self, start_s: float, end_s: float) -> GroupNumbers:
        """What happened between two times."""
        gaps = [min(until_s, end_s) - max(from_s, start_s) for _, from_s, until_s in self.unread()
                if until_s > start_s and from_s < end_s]
        moves = sum(before.member != after.member and start_s < after.start_s <= end_s
                    for tenures in self.by_partition.values() for before, after in pairwise(tenures))
        return GroupNumbers(
            rebalances=self._count(Verb.rebalanced, start_s, end_s),
            unread_partition_s=float(sum(gaps)),
            unread_max_s=float(max(gaps, default=0.0)),
            moves=int(moves),
            commits_refused=self._count(Verb.fenced, start_s, end_s),
        )

    def _count(self, verb: Verb, start_s: float, end_s: float) -> int:
        times = self.reading.of(verb, service=self.service).times_ns * NANO
        return int(np.sum((times > start_s) & (times <= end_s)))


def _in_order(partition: str) -> tuple[str, int]:
    topic, _, number = partition.rpartition("-")
    return topic, int(number)
