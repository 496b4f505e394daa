"""Aggregates as folds: the state of a stream is what its events make of it, one after another.

`handle(state, event) -> state` must hang on nothing but its two arguments and must not change the state that it is
given: then a replay gives the same state again, and a snapshot is as good as the events before it.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Generic, NamedTuple, TypeVar

from edasim.sourcing.event_store import Event, EventStore, Recorded

State = TypeVar("State")
Handle = Callable[[State, Recorded], State]


def fold(handle: Handle[State], initial: State, events: Iterable[Recorded]) -> State:
    """The state after all events."""
    return reduce(handle, events, initial)


class Loaded(NamedTuple, Generic[State]):
    """A state with the stream's version that it is at, and how many events were replayed to get it."""

    state: State
    version: int
    replayed: int


class Repository(Generic[State]):
    """Works out the states of streams from a store, with a snapshot after every `snapshot_every` events.

    `initial` is the state before the first event.  Snapshots only save time: without them, or when `forget` has dropped
    them because `handle` is another one now, the states are the same.
    """

    def __init__(self, store: EventStore, handle: Handle[State], initial: State,
                 snapshot_every: int | None = None) -> None:
        if snapshot_every is not None and snapshot_every < 1:
            raise ValueError(f"a snapshot every {snapshot_every} events is not possible: write 1 or more, or None")
        self.store = store
        self.handle = handle
        self.initial = initial
        self.snapshot_every = snapshot_every
        self._snapshots: dict[str, list[State]] = {}

    def append(self, stream: str, events: Iterable[Event], *, time_s: float,
               expected_version: int | None = None) -> int:
        """Record events as `EventStore.append` does, and take the snapshots that are due."""
        version = self.store.append(stream, events, time_s=time_s, expected_version=expected_version)
        every = self.snapshot_every
        if every is not None and version // every > len(self._snapshots.get(stream, ())):
            self.load(stream)
        return version

    def load(self, stream: str, *, version: int | None = None, at_s: float | None = None) -> Loaded[State]:
        """The state now, as it was at a version, or as it was at a time (seconds); both: at the earlier of the two."""
        store = self.store
        ends = [store.version(stream)]
        if version is not None:
            ends.append(max(version, 0))
        if at_s is not None:
            ends.append(store.version_at(stream, at_s))
        return self._replay(stream, min(ends))

    def _replay(self, stream: str, end: int) -> Loaded[State]:
        every = self.snapshot_every
        if every is None:
            return Loaded(fold(self.handle, self.initial, self.store.read(stream, 0, end)), end, end)
        snapshots = self._snapshots.setdefault(stream, [])
        known = min(len(snapshots), end // every)
        state = snapshots[known - 1] if known else self.initial
        start = version = known * every
        for stop in range(version + every, end + 1, every):
            state = fold(self.handle, state, self.store.read(stream, version, stop))
            version = stop
            snapshots.append(state)
        return Loaded(fold(self.handle, state, self.store.read(stream, version, end)), end, end - start)

    def snapshots(self, stream: str) -> int:
        """How many snapshots of a stream there are."""
        return len(self._snapshots.get(stream, ()))

    def forget(self) -> None:
        """Drop all snapshots, because `handle` is another one from now on; they are taken anew when needed."""
        self._snapshots.clear()
