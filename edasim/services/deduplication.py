"""What an idempotent service remembers of the messages that it has applied, so that it recognises a repetition."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

from edasim.core.clock import Clock
from edasim.scenario.deduplication import Memory


class Remembered(Protocol):
    """The ids that are recognised now."""

    def __contains__(self, number: object, /) -> bool:
        """Whether an id is recognised."""

    def add(self, number: int, /) -> None:
        """A message was applied, or recognised: remember it."""

    def __iter__(self) -> Iterator[int]:
        """The ids."""


class LastIds:
    """So many ids; one that is seen again counts as new, the one unseen for longest is forgotten (LRU)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, number: object) -> bool:
        return number in self._ids

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def add(self, number: int) -> None:
        """Remember an id as the newest."""
        self._ids[number] = None
        self._ids.move_to_end(number)
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)


class RecentIds:
    """Each id for so long after it was applied.  Seeing it again meanwhile does not prolong that, as with Amazon SQS's
    deduplication interval or a key that is set with an expiry.
    """

    def __init__(self, clock: Clock, span_ns: int) -> None:
        self._clock = clock
        self._span_ns = span_ns
        self._applied_ns: OrderedDict[int, int] = OrderedDict()

    def __contains__(self, number: object) -> bool:
        applied_ns = self._applied_ns.get(number)  # type: ignore[call-overload]
        return applied_ns is not None and self._clock.now_ns - applied_ns <= self._span_ns

    def __iter__(self) -> Iterator[int]:
        return iter(self._applied_ns)

    def add(self, number: int) -> None:
        """Remember an id from now on, unless it is remembered."""
        if number in self:
            return
        self._applied_ns[number] = now_ns = self._clock.now_ns
        self._applied_ns.move_to_end(number)
        # They stand in the order of their times, so those that are over are in front.
        while now_ns - self._applied_ns[next(iter(self._applied_ns))] > self._span_ns:
            self._applied_ns.popitem(last=False)


def remembered(clock: Clock, idempotent: bool | Memory, before: Remembered) -> Remembered:
    """The memory that a scenario asks for; it takes over the ids of the one before, as if they were new."""
    if not isinstance(idempotent, Memory):
        return set(before)
    memory: Remembered
    if idempotent.remembers is not None:
        memory = LastIds(idempotent.remembers)
    else:
        assert idempotent.for_ is not None, "a window is a number or a time"
        memory = RecentIds(clock, idempotent.for_)
    # Ids are given in the order of time, which a set does not keep.
    for number in sorted(before) if isinstance(before, set) else before:
        memory.add(number)
    return memory
