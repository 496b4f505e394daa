"""Idle workers of an infinite server: whoever asks for one gets one."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from edasim.services.worker import Worker


class EndlessPool(deque[Worker]):
    """Used like a deque of idle workers that is never empty, unless it is `closed`; `hire` makes one more.

    Workers come back to it and are used again, so that there are as many as were ever at work at one time.
    """

    def __init__(self, idle: Iterable[Worker], hire: Callable[[], Worker]) -> None:
        super().__init__(idle)
        self.closed = False
        self._hire = hire

    def __bool__(self) -> bool:
        return not self.closed

    def popleft(self) -> Worker:
        """An idle worker, or a new one."""
        return super().popleft() if len(self) else self._hire()
