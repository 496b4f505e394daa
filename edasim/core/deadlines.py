"""Deadlines: many waits that mostly end well before their time, watched by one timer."""
from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import Any

from edasim.core.clock import Clock, Stage, Timer


class Deadlines:
    """Calls `expire(item)` for each item that is still open when its time comes.

    Items are mostly added in the order of their deadlines; one timer watches the first that is open, so that a
    wait that ends in time costs no event.
    """

    def __init__(self, clock: Clock, still_open: Callable[[Any], bool], expire: Callable[[Any], None]) -> None:
        self._clock = clock
        self._still_open = still_open
        self._expire = expire
        self._waiting: deque[tuple[int, int, Any]] = deque()
        self._count = 0
        self._timer = Timer(self)
        self._due: Stage = (self._check,)
        self._armed_for = 0

    def add(self, due_ns: int, item: Any) -> None:
        """Watch an item until an instant."""
        self._count += 1
        waiting = self._waiting
        if waiting and due_ns < waiting[-1][0]:
            insort(waiting, (due_ns, self._count, item), key=lambda wait: wait[:2])
        else:
            waiting.append((due_ns, self._count, item))
        if self._timer.callbacks is None or waiting[0][0] < self._armed_for:
            self._watch()

    def _watch(self) -> None:
        self._timer = self._timer.cancelled()
        self._armed_for = self._waiting[0][0]
        self._clock.arm(self._timer, self._due, max(0, self._armed_for - self._clock.now_ns))

    def _check(self, _: Timer) -> None:
        waiting, now = self._waiting, self._clock.now_ns
        expired = []
        while waiting and (waiting[0][0] <= now or not self._still_open(waiting[0][2])):
            item = waiting.popleft()[2]
            if self._still_open(item):
                expired.append(item)
        if waiting:
            self._watch()
        for item in expired:
            if self._still_open(item):
                self._expire(item)
