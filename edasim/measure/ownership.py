"""Who reads which partition when, in one consumer group, and for how long nobody does.

A partition that no member has is *unavailable*: records are appended, and nobody of the group reads them.  The sum over
partitions is told in partition-seconds, so that a short stop of all and a long stop of one can be compared.  It is read
from the facts of the members (`assigned`, `revoked`), and holds for any protocol by which a group shares partitions.

Source: KIP-429 and KIP-848, which were made to have less of it.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from edasim.core.journal import Verb
from edasim.measure.reading import NANO, Reading
from edasim.measure.steps import Floats, Steps


@dataclass(frozen=True)
class Stretch:
    """One member reads one partition from a time to a time (seconds)."""

    partition: str
    member: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Ownership:
    """The stretches of one group, by partition and in the order of time; `end_s` is when the run stopped.

    `generations` are the times of its rebalances: each gave the group another generation or epoch.
    """

    stretches: Mapping[str, Sequence[Stretch]]
    generations: Floats
    end_s: float

    @property
    def partitions(self) -> tuple[str, ...]:
        """Their names, such as `OrderPlaced-0`, as they are numbered."""
        return tuple(self.stretches)

    @property
    def members(self) -> tuple[str, ...]:
        """All who ever read one, in the order in which they first did."""
        first: dict[str, float] = {}
        for one in self._all:
            first[one.member] = min(one.start_s, first.get(one.member, one.start_s))
        return tuple(sorted(first, key=lambda name: (first[name], _numbered(name))))

    @cached_property
    def _all(self) -> list[Stretch]:
        return [one for many in self.stretches.values() for one in many]

    def gaps(self, partition: str) -> list[tuple[float, float]]:
        """(start, end) in seconds of each time in which nobody read a partition, from when somebody first had."""
        many = self.stretches[partition]
        found = []
        until_s = many[0].start_s if many else self.end_s
        for one in many:
            if one.start_s > until_s:
                found.append((until_s, one.start_s))
            until_s = max(until_s, one.end_s)
        return [*found, (until_s, self.end_s)] if until_s < self.end_s else found

    def unread(self) -> Steps:
        """How many partitions nobody reads, over time."""
        gaps = [gap for partition in self.partitions for gap in self.gaps(partition)]
        return Steps.counting(np.array([start for start, _ in gaps]), np.array([end for _, end in gaps]))

    def unavailable_s(self, start_s: float = 0.0, end_s: float | None = None) -> float:
        """Partition-seconds in which nobody read, between two times; to the end of the run if none is given."""
        return self.unread().integral(start_s, self.end_s if end_s is None else end_s)

    def changed_hands(self) -> int:
        """How often a partition went from one member to another."""
        return sum(before.member != after.member for many in self.stretches.values()
                   for before, after in pairwise(many))


def ownership(reading: Reading, service: str) -> Ownership:
    """Who of a service's group read which of its partitions when; empty where there are no groups."""
    places = reading.run.places
    end_s = reading.run.end_ns * NANO
    facts = [(int(row), verb, int(time), places[int(place)])
             for verb in (Verb.assigned, Verb.revoked)
             for row, time, place in _columns(reading, verb, service)]
    stretches: dict[str, list[Stretch]] = {}
    begun: dict[tuple[str, str], float] = {}
    for _, verb, time_ns, place in sorted(facts, key=lambda fact: fact[0]):
        partition, member, now_s = place.name.split(" ", 1)[1], place.detail, time_ns * NANO
        if verb == Verb.assigned:
            begun[partition, member] = now_s
            stretches.setdefault(partition, [])
        elif (start_s := begun.pop((partition, member), None)) is not None:
            stretches[partition].append(Stretch(partition, member, start_s, now_s))
    for (partition, member), start_s in begun.items():
        stretches[partition].append(Stretch(partition, member, start_s, end_s))
    ordered = {name: sorted(stretches[name], key=lambda one: one.start_s) for name in sorted(stretches, key=_numbered)}
    generations = reading.of(Verb.rebalanced, service=service).times_ns * NANO
    return Ownership(ordered, generations, end_s)


def _columns(reading: Reading, verb: Verb, service: str) -> zip[tuple[int, int, int]]:
    facts = reading.of(verb, service=service)
    return zip(facts.rows.tolist(), facts.times_ns.tolist(), facts.places.tolist(), strict=True)


def _numbered(name: str) -> tuple[str, int]:
    """A name with a number at its end, so that 10 comes after 9."""
    before, _, number = name.rpartition("-")
    return (before, int(number)) if number.isdigit() else (name, 0)
