"""A line in front of workers: who is served next."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

from edasim.core.message import Message


class Waits(Protocol):
    """What can wait: an order, a call."""

    @property
    def message(self) -> Message:
        """What it is about; its priority counts, none counts as 0."""


Waiting = TypeVar("Waiting", bound=Waits)


class PriorityLine(Generic[Waiting]):
    """The highest priority first, among equals the first to come; used like a deque at whose end one queues up."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Waiting]] = []
        self._number = count()

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Waiting]:
        return (waiting for _, _, waiting in sorted(self._heap, key=lambda place: place[:2]))

    def append(self, waiting: Waiting) -> None:
        """Queue up."""
        heappush(self._heap, (-(waiting.message.priority or 0), next(self._number), waiting))

    def popleft(self) -> Waiting:
        """Who is next leaves the line."""
        return heappop(self._heap)[2]

    def remove(self, gone: Waiting) -> None:
        """Somebody leaves the line without being served; ValueError where nobody like this waits."""
        place = next((place for place in self._heap if place[2] is gone), None)
        if place is None:
            raise ValueError("it does not wait here")
        self._heap.remove(place)
        heapify(self._heap)


Line = deque[Waiting] | PriorityLine[Waiting]
_LINES: dict[str, Callable[[], Line]] = {"fifo": deque, "priority": PriorityLine}  # type: ignore[type-arg]


def line(discipline: str) -> Line:  # type: ignore[type-arg]
    """An empty line with a discipline, fifo or priority."""
    return _LINES[discipline]()
