"""An append-only store of events: streams with versions, and one global order of all of them.

A stream holds what happened to one thing, such as `account-17`; its version is the number of its events.  A position is
an event's place among all events of the store.  Both count from 1.  Nothing is ever changed or taken out.
"""
from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

_TIME = attrgetter("time_s")


class VersionConflict(Exception):
    """Somebody else has appended to the stream since it was read: read it again and decide anew."""

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(stream, expected, found)
        self.stream = stream
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.stream} is at version {self.found}, not {self.expected}: read it again and decide anew"


class Event(NamedTuple):
    """What happened, in the past tense, with what belongs to it; not yet recorded."""

    type: str
    data: Mapping[str, Any] = MappingProxyType({})


class Recorded(NamedTuple):
    """An event in a store.  `time_s` is when it was recorded; when it happened, if that differs, is for its data."""

    position: int
    stream: str
    version: int
    time_s: float
    type: str
    data: Mapping[str, Any]


class EventStore:
    """All events in memory, for one writer at a time; the state of nothing is kept, only what happened."""

    def __init__(self) -> None:
        self._all: list[Recorded] = []
        self._streams: dict[str, list[Recorded]] = {}

    def __len__(self) -> int:
        """How many events there are; the position of the last one."""
        return len(self._all)

    @property
    def streams(self) -> list[str]:
        """The names of the streams in the order of their first events."""
        return list(self._streams)

    def version(self, stream: str) -> int:
        """How many events a stream has; 0 where there is none."""
        return len(self._streams.get(stream, ()))

    def append(self, stream: str, events: Iterable[Event], *, time_s: float,
               expected_version: int | None = None) -> int:
        """Record events at a time (seconds), all of them or none; returns the stream's version after them.

        With `expected_version` (0: the stream must be new) raises `VersionConflict` when the stream is at another
        version.  Raises ValueError for a time before that of the last event of the store.
        """
        mine = self._streams.get(stream, [])
        version = len(mine)
        if expected_version is not None and expected_version != version:
            raise VersionConflict(stream, expected_version, version)
        everything = self._all
        if not math.isfinite(time_s) or everything and time_s < everything[-1].time_s:
            last = f"of {everything[-1].time_s:g} s: time goes forward" if everything else "is needed: it has no end"
            raise ValueError(f"{time_s:g} s cannot follow the time {last}, so give a time that can")
        position = len(everything)
        new = [Recorded(position + number, stream, version + number, time_s, type, MappingProxyType(dict(data)))
               for number, (type, data) in enumerate(events, start=1)]
        if new:
            self._streams[stream] = mine
            mine += new
            everything += new
        return len(mine)

    def read(self, stream: str, after_version: int = 0, up_to_version: int | None = None) -> Iterator[Recorded]:
        """The events of a stream in their order, from the one after a version up to another one."""
        assert after_version >= 0, f"versions count from 1, not from {after_version}"
        mine = self._streams.get(stream, [])
        end = len(mine) if up_to_version is None else min(up_to_version, len(mine))
        return (mine[index] for index in range(after_version, end))

    def read_all(self, after_position: int = 0) -> Iterator[Recorded]:
        """All events in their global order, from the one after a position on, those included that come meanwhile."""
        assert after_position >= 0, f"positions count from 1, not from {after_position}"
        position = after_position
        while position < len(self._all):
            yield self._all[position]
            position += 1

    def version_at(self, stream: str, time_s: float) -> int:
        """At which version a stream was at a time, the events of that instant included."""
        return bisect_right(self._streams.get(stream, []), time_s, key=_TIME)
