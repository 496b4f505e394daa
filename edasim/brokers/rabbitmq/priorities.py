"""Queues in which some messages come first: classic ones with x-max-priority, and quorum queues since 4.0.

Sources: RabbitMQ documentation, "Priority Support in Queues" and "Quorum Queues", section Priorities;
rabbit_priority_queue.erl, rabbit_fifo_q.erl (4.0) and rabbit_fifo_pq.erl (4.3).
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Protocol, cast

from edasim.brokers.rabbitmq.entry import Entry
from edasim.brokers.rabbitmq.queue import Queue

QUORUM_DEFAULT = 4
"""The priority of a message without one on a quorum queue of 4.3; in 4.0 it is one of the normal ones, up to 4."""
QUORUM_HIGHEST = 31
NORMAL_AFTER_HIGH = 2
BEFORE_ALL = 1 << 62


class Ready(Protocol):
    """The ready entries of a queue, used like a deque whose left end is the head."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Entry]: ...

    def __getitem__(self, place: int) -> Entry: ...

    def append(self, entry: Entry) -> None: ...

    def popleft(self) -> Entry: ...

    def clear(self) -> None: ...


class Strict:
    """A higher priority always comes first; among equals, the entry that came into the queue first.

    `level(priority)` is the queue's own priority of a message that was published with this one, or with none.
    """

    def __init__(self, level: Callable[[int | None], int]) -> None:
        self.level = level
        self._heap: list[tuple[int, int, Entry]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for _, _, entry in sorted(self._heap, key=lambda place: place[:2]))

    def __getitem__(self, place: int) -> Entry:
        assert place == 0, "only the head can be looked at"
        return self._heap[0][2]

    def append(self, entry: Entry) -> None:
        """An entry comes in, or comes back to its place."""
        heappush(self._heap, (-self.level(entry.message.priority), entry.position, entry))

    def popleft(self) -> Entry:
        """The head leaves."""
        return heappop(self._heap)[2]

    def clear(self) -> None:
        """All are gone."""
        self._heap.clear()


class TwoToOne:
    """High and normal: of three turns the third is a normal one's, unless what is high came into the queue before it.

    Every entry that leaves takes a turn, whether the other kind waits or not.
    """

    def __init__(self) -> None:
        self._high: deque[Entry] = deque()
        self._normal: deque[Entry] = deque()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._high) + len(self._normal)

    def __iter__(self) -> Iterator[Entry]:
        yield from self._high
        yield from self._normal

    def __getitem__(self, place: int) -> Entry:
        assert place == 0, "only the head can be looked at"
        return self._next()[0]

    def append(self, entry: Entry) -> None:
        """An entry comes in."""
        (self._high if (entry.message.priority or 0) > QUORUM_DEFAULT else self._normal).append(entry)

    def popleft(self) -> Entry:
        """The head leaves."""
        entry = self._next().popleft()
        self.pass_by()
        return entry

    def pass_by(self) -> None:
        """An entry goes to a consumer without waiting here; that is a turn, too."""
        self._turn = 0 if self._turn == NORMAL_AFTER_HIGH else self._turn + 1

    def _next(self) -> deque[Entry]:
        high, normal = self._high, self._normal
        if high and normal and self._turn == NORMAL_AFTER_HIGH:
            return high if high[0].position < normal[0].position else normal
        return high or normal

    def clear(self) -> None:
        """All are gone."""
        self._high.clear()
        self._normal.clear()


class ClassicPriorityQueue(Queue):
    """What comes back takes its old place among the entries of its priority."""

    __slots__ = ()

    def take_back(self, entry: Entry) -> None:
        """A delivery is ready again."""
        self.fresh.append(entry)


class QuorumPriorityQueue(Queue):
    """What comes back is delivered before all others, whatever its priority."""

    __slots__ = ()

    def take_back(self, entry: Entry) -> None:
        """A delivery is ready again."""
        heappush(self.returned, (entry.position - BEFORE_ALL, entry))


class TwoToOneQueue(QuorumPriorityQueue):
    """The quorum queue of 4.0 to 4.2."""

    __slots__ = ()

    def _enqueue(self, entry: Entry) -> None:
        if self.with_room and not self.ready:
            assert isinstance(self.fresh, TwoToOne), "it was declared with one"
            self.fresh.pass_by()
        super()._enqueue(entry)


def priority_queue(arguments: Mapping[str, object], version: str) -> tuple[type[Queue], Ready] | None:
    """What kind of queue a declaration makes where messages have priorities, and what holds its ready entries; None
    for one that takes no notice of them.
    """
    release = tuple(int(part) for part in version.split("."))
    if arguments["x-queue-type"] == "quorum":
        if release < (4, 0):
            return None
        return (QuorumPriorityQueue, Strict(_quorum_level)) if release >= (4, 3) else (TwoToOneQueue, TwoToOne())
    highest = cast("int | None", arguments.get("x-max-priority"))
    if not highest:
        return None
    return ClassicPriorityQueue, Strict(lambda priority: min(priority or 0, highest))


def _quorum_level(priority: int | None) -> int:
    return QUORUM_DEFAULT if priority is None else min(priority, QUORUM_HIGHEST)
