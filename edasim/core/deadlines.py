"""Deadlines: many waits that mostly end well before their time, watched by one timer."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from edasim.core.clock import Clock, Stage, Timer

NEVER_NS = 1 << 62
"""The deadline of what may wait for ever."""


class Deadlines:
    """Calls `expire(item)` for each item of `waits` that is still there when its time comes.

    `waits` is the owner's own {item: due_ns}: it adds and removes, and calls `watch` after it has added.  So
    a wait that ends in time costs no event and leaves nothing behind.  It is an OrderedDict because its first item is
    found at once, however many before it are gone.
    """

    def __init__(self, clock: Clock, waits: OrderedDict[Any, int], expire: Callable[[Any], None]) -> None:
        self._clock = clock
        self._waits = waits
        self._expire = expire
        self._in_order = True
        self._last_due_ns = 0
        self._timer = Timer(self)
        self._due: Stage = self._check
        self._armed_for_ns = NEVER_NS

    def watch(self, due_ns: int) -> None:
        """An item with this deadline was just added."""
        if due_ns < self._last_due_ns:
            self._in_order = False
        self._last_due_ns = due_ns
        if due_ns < self._armed_for_ns:
            self._arm(due_ns)

    def _arm(self, due_ns: int) -> None:
        self._timer = self._timer.cancelled()
        self._armed_for_ns = due_ns
        if due_ns < NEVER_NS:
            self._clock.arm_timer(self._timer, self._due, max(0, due_ns - self._clock.now_ns))

    def _check(self, _: Timer) -> None:
        now = self._clock.now_ns
        self._armed_for_ns = NEVER_NS
        for item in self._expired(now):
            if item in self._waits:
                self._expire(item)
        if self._waits:
            self._sort()
            self._arm(min(self._armed_for_ns, next(iter(self._waits.values()))))

    def _sort(self) -> None:
        """After a change to a shorter patience, put what waits into the order of its deadlines again."""
        if self._in_order or not self._waits:
            return
        for item, _ in sorted(self._waits.items(), key=lambda wait: wait[1]):
            self._waits.move_to_end(item)
        self._in_order = True
        self._last_due_ns = next(reversed(self._waits.values()))

    def _expired(self, now_ns: int) -> list[Any]:
        self._sort()
        expired = []
        for item, due_ns in self._waits.items():
            if due_ns > now_ns:
                break
            expired.append(item)
        return expired
