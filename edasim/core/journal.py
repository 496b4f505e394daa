"""The journal: the append-only list of the facts of one run, and the only thing that measures.

A fact is (time, verb, message, place).  Two flat columns of 64-bit integers hold it: the time in nanoseconds,
and the verb, the place and the number packed into one.  `writer` hands out a function for one verb at one place,
so that the engine reads as a sentence (`self.delivered(message.id)`) and pays two appends.
"""
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edasim.core.clock import Clock

_PLACE_SHIFT = 38
_VERB_SHIFT = 57
_NUMBER_MASK = (1 << _PLACE_SHIFT) - 1
_PLACE_MASK = (1 << (_VERB_SHIFT - _PLACE_SHIFT)) - 1

Writer = Callable[[int], None]


class Verb(IntEnum):
    """What can happen, in the past tense.  The number of a fact is a message's id unless it says otherwise."""

    placed = 0  # a customer placed an order
    accepted = 1  # the customer was told yes
    refused = 2  # the customer was told no, or left
    published = 3  # a producer handed a message to its client library
    appended = 4  # a record got its offset in a partition
    routed = 5  # an entry came into a queue
    unroutable = 6  # no queue wanted the message
    delivered = 7  # an entry was handed towards a consumer
    started = 8  # an attempt began
    handled = 9  # an attempt ended well
    failed = 10  # an attempt ended badly
    retried = 11  # another attempt was arranged
    redelivered = 12  # an entry or record goes out again
    dead_lettered = 13  # given up and put aside
    expired = 14  # its time to live was over
    dropped = 15  # thrown away by a limit
    applied = 16  # an effect came into being
    deduplicated = 17  # recognised as a repetition and left alone
    committed = 18  # a group's committed offset moved forward; the number is the offset
    rewound = 19  # a group's committed offset moved back; the number is the offset
    rebalanced = 20  # a group has a new assignment; the number is its generation
    crashed = 21  # a worker died in the middle; the number is the message in its hands
    recovered = 22  # a part came back; the number counts how often
    compensated = 23  # an effect was undone
    acknowledged = 24  # an entry left its queue because it was handled
    skipped = 25  # a group passed over records it never read; the number is the offset
    repeated = 26  # the wire delivered a transmission twice
    lost = 27  # a transmission perished with its connection
    opened = 28  # a breaker lets nothing through; the number counts how often it has opened
    half_opened = 29  # a breaker lets probes through; the number is that of the opening before
    closed = 30  # a breaker lets everything through again; the number is that of the opening before
    short_circuited = 31  # an open breaker kept a call from being made
    written = 40  # a store sent a new version to its replicas: the nth at a store is its version n
    stored = 41  # a replica took a version as the newest of its key; the number is the version, here and below
    superseded = 42  # a replica left a version alone because it had a newer one
    declined = 43  # a replica answered a write or a read with an error
    confirmed = 44  # as many replicas as must had acknowledged a version
    abandoned = 45  # so many replicas declined a version that it cannot be confirmed any more
    asked = 46  # a read that followed a confirmed version reached a replica
    replied = 47  # the replica's reply reached the reader
    handed_off = 48  # a replica that failed no more was sent a version that it had declined
    marked = 50  # the end of a transaction stands in a partition; the number is the offset that its marker takes
    aborted = 51  # a record turned out to belong to a transaction that was aborted
    led = 56  # a partition can be written to; the number is the node that leads it, 0 while none does that lives
    shrunk = 57  # a replica left a partition's in-sync replicas; the number is its node
    expanded = 58  # a replica came back to a partition's in-sync replicas; the number is its node
    assigned = 60  # a member of a group began to read a partition; the number is the generation or member epoch
    revoked = 61  # a member reads a partition no more; the number is its generation or member epoch
    fenced = 62  # a commit was refused, for its sender is no member of the present generation; the number is its own


ABOUT_VERSIONS = (
    Verb.stored, Verb.superseded, Verb.declined, Verb.confirmed, Verb.abandoned, Verb.asked, Verb.replied,
    Verb.handed_off,
)
"""The verbs whose number is a version in a replicated store."""

ABOUT_MARKERS = (Verb.marked,)
"""The verbs whose number is the offset of a transaction's marker."""

ABOUT_NODES = (Verb.led, Verb.shrunk, Verb.expanded)
"""The verbs whose number is that of a broker node."""

ABOUT_MEMBERS = (Verb.rebalanced, Verb.assigned, Verb.revoked, Verb.fenced)
"""The verbs whose number is a generation of a consumer group or the epoch of a member."""


class Place(NamedTuple):
    """Where a fact happened.  `kind` is client, exchange, queue, partition, group, service, worker and the like."""

    kind: str
    name: str
    service: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.name, self.detail) if part)


@dataclass(frozen=True)
class Fact:
    """One fact as a person reads it; `number` is the message's id for most verbs."""

    time_s: float
    verb: str
    number: int
    place: Place


class Facts:
    """Facts as arrays of one length: `times_ns`, `verbs`, `places`, `numbers`; `rows` says where each stands in the
    journal, which orders those of one instant.
    """

    def __init__(self, times_ns: NDArray[np.int64], packed: NDArray[np.int64],
                 rows: NDArray[np.intp] | None = None) -> None:
        self.times_ns = times_ns
        self.packed = packed
        self._rows = rows

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """The place of each fact in the journal, from 0."""
        return np.arange(len(self), dtype=np.intp) if self._rows is None else self._rows

    @cached_property
    def verbs(self) -> NDArray[np.int8]:
        """What happened, as the numbers of `Verb`."""
        return (self.packed >> _VERB_SHIFT).astype(np.int8)

    @cached_property
    def places(self) -> NDArray[np.int32]:
        """Where, as numbers of places."""
        return ((self.packed >> _PLACE_SHIFT) & _PLACE_MASK).astype(np.int32)

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """To which message (for most verbs)."""
        return self.packed & _NUMBER_MASK

    def __len__(self) -> int:
        return len(self.times_ns)

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Facts:
        """The facts where a mask is true, or those at these indices."""
        return Facts(self.times_ns[which], self.packed[which], self.rows[which])


class Journal:
    """Appends facts at the clock's present time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times = array("q")
        self._packed = array("q")
        # Appending to a list is faster than to an array, and an array is a quarter of the size: facts wait
        # in lists until somebody reads them.
        self._new_times: list[int] = []
        self._new_packed: list[int] = []
        self.places: list[Place] = []
        self._place_ids: dict[Place, int] = {}

    def __len__(self) -> int:
        return len(self._times) + len(self._new_times)

    def _settle(self) -> None:
        for column, new in ((self._times, self._new_times), (self._packed, self._new_packed)):
            column.frombytes(np.fromiter(new, np.int64, len(new)).tobytes())
            new.clear()

    def place(self, place: Place) -> int:
        """The number of a place, given at its first mention."""
        if place not in self._place_ids:
            assert len(self.places) < _PLACE_MASK, "too many places for the packed journal"
            self._place_ids[place] = len(self.places)
            self.places.append(place)
        return self._place_ids[place]

    def writer(self, verb: Verb, place: Place) -> Writer:
        """A function that records the verb at the place for a number (mostly a message's id)."""
        code = int(verb) << _VERB_SHIFT | self.place(place) << _PLACE_SHIFT
        times, packed, clock = self._new_times, self._new_packed, self._clock

        def record(number: int) -> None:
            times.append(clock._now)
            packed.append(code + number)

        return record

    def record(self, verb: Verb, number: int, place: Place) -> None:
        """One fact at the present time; for rare facts."""
        self.writer(verb, place)(number)

    def facts(self, start: int = 0) -> Facts:
        """The facts from number `start` on, as arrays (copies, so the journal may grow further)."""
        self._settle()
        times = np.frombuffer(self._times, dtype=np.int64)[start:].copy() if len(self) else np.zeros(0, np.int64)
        packed = np.frombuffer(self._packed, dtype=np.int64)[start:].copy() if len(self) else np.zeros(0, np.int64)
        return Facts(times, packed)

    def __iter__(self) -> Iterator[Fact]:
        facts = self.facts()
        for index in range(len(facts)):
            verb = Verb(int(facts.verbs[index]))
            place = self.places[int(facts.places[index])]
            yield Fact(facts.times_ns[index] / 1e9, verb.name.replace("_", "-"), int(facts.numbers[index]), place)
