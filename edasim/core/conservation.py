"""Conservation: nothing vanishes and nothing appears.  The journal's counts are held against the live containers."""
from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Journal, Place, Verb

_VERBS = 64
MOST_EDGES = 1_000
SPARSE_FROM = 65_536
"""From so many counters on, those that are touched are looked up instead of going through all."""


class ConservationError(AssertionError):
    """Messages appeared or vanished; the message says where and how many."""


class Counts:
    """How often each verb happened at each place, and the last committed offsets, kept up as the journal grows."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen = 0
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._last: dict[int, int] = {}

    def update(self) -> None:
        """Read what was recorded since the last time."""
        facts = self._journal.facts(self._seen)
        self._seen += len(facts)
        codes = facts.places.astype(np.int64) * _VERBS + facts.verbs
        size = len(self._journal.places) * _VERBS
        if size > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(2 * size - len(self._counts), np.int64)])
        if size < SPARSE_FROM + 4 * len(codes):
            times = np.bincount(codes)
            self._counts[: len(times)] += times
        else:
            found, times = np.unique(codes, return_counts=True)
            self._counts[found] += times
        offsets = (facts.verbs == Verb.committed) | (facts.verbs == Verb.rewound)
        self._last.update(zip(facts.places[offsets].tolist(), facts.numbers[offsets].tolist(), strict=True))

    def of(self, verb: Verb, place: Place) -> int:
        """How often the verb happened at the place."""
        code = self._journal.place(place) * _VERBS + verb
        return int(self._counts[code]) if code < len(self._counts) else 0

    def total(self, verb: Verb) -> int:
        """How often the verb happened anywhere."""
        return int(self._counts[int(verb) :: _VERBS].sum())

    def last_offset(self, place: Place) -> int | None:
        """Where the committed offset of a group and partition was last moved to, forward or back."""
        return self._last.get(self._journal.place(place))


class Account(Protocol):
    """Something whose books must balance."""

    def imbalance(self, counts: Counts) -> str:
        """An empty text when they do, else what does not add up."""


class QueueLike(Protocol):
    """A queue that knows its place and its live lengths."""

    place: Place

    @property
    def waiting(self) -> int: ...
    @property
    def in_flight(self) -> int: ...


def queue_imbalance(queue: QueueLike, counts: Counts) -> str:
    """in = acknowledged + dropped + expired + dead-lettered + waiting + in flight."""
    came = counts.of(Verb.routed, queue.place)
    left = {verb.name: counts.of(verb, queue.place)
            for verb in (Verb.acknowledged, Verb.dropped, Verb.expired, Verb.dead_lettered)}
    here = {"waiting": queue.waiting, "in flight": queue.in_flight}
    if came == sum(left.values()) + sum(here.values()):
        return ""
    parts = " + ".join(f"{number} {name.replace('_', '-')}" for name, number in {**left, **here}.items())
    return f"{queue.place}: {came} came in, but {parts} = {sum(left.values()) + sum(here.values())}"


class Conservation:
    """All accounts of one run; `check` raises at the first imbalance."""

    def __init__(self, journal: Journal, now_s: Callable[[], float]) -> None:
        self._counts = Counts(journal)
        self._now_s = now_s
        self.accounts: list[Account] = []
        self.checks = 0
        self._edges = 0

    def check_edge(self) -> None:
        """Check at the edge of a fault: at each of the first thousand, then more and more rarely."""
        self._edges += 1
        if self._edges <= MOST_EDGES or self._edges % (self._edges // MOST_EDGES) ** 2 == 0:
            self.check()

    def check(self) -> None:
        """Hold every account against the journal, now."""
        self._counts.update()
        for account in self.accounts:
            problem = account.imbalance(self._counts)
            if problem:
                raise ConservationError(f"conservation is broken at {self._now_s():.6f} s: {problem}")
        self.checks += 1
