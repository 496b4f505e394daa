"""Processor sharing: workers that are at work share a few cores equally.

Egalitarian processor sharing by virtual time: a clock that runs at the speed of one worker, so that an attempt which
needs w of work ends w later on it, whoever comes and goes meanwhile.  A change costs O(log n).
Source: Kleinrock, Queueing Systems II (1976), chapter 4; virtual time as in Demers, Keshav and Shenker (1989).
"""
from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from edasim.core.clock import Clock, Stage, Timer
from edasim.services.worker import Worker

GRAIN = 1 << 32
"""Virtual time counts in parts of a nanosecond, so that what rounding takes from a worker at each change is nothing."""
SLACK = 1 << 20
"""Who lacks so little is done, so that what rounding took does not cost a nanosecond."""


@dataclass(order=True)
class _Share:
    """What one worker still has to get: it is done when virtual time has reached `end`."""

    end: int
    number: int
    worker: Worker = field(compare=False)
    speed: float = field(compare=False)
    gone: bool = field(default=False, compare=False)


class Processor:
    """So many cores (infinite: one for each worker).  With n workers at work each goes at speed min(1, cores / n).

    `finish(worker.timer)` runs when a worker has got all its work.
    """

    def __init__(self, clock: Clock, cores: float, finish: Stage) -> None:
        self._clock = clock
        self.cores = cores
        self._finish = finish
        self._shares: dict[Worker, _Share] = {}
        self._ends: list[_Share] = []
        self._done: deque[Worker] = deque()
        self._number = count()
        self._virtual = 0
        self._since = 0
        self._alarm = Timer(self)
        self._alarm_ns: float = math.inf

    @property
    def active(self) -> int:
        """How many workers share the cores now."""
        return len(self._shares)

    def add(self, worker: Worker, work_ns: int, speed: float = 1.0) -> None:
        """A worker begins or goes on with so much work; at `speed` 1/4 it needs a core four times as long for it."""
        assert not self.holds(worker), "a worker does one thing at a time"
        self._advance()
        need = work_ns * GRAIN if speed == 1.0 else round(work_ns * GRAIN / speed)
        share = self._shares[worker] = _Share(self._virtual + need, next(self._number), worker, speed)
        heappush(self._ends, share)
        self._set_alarm()

    def remove(self, worker: Worker) -> int:
        """A worker is called off or makes no progress from now on; returns what is left of its work (nanoseconds)."""
        self._advance()
        share = self._shares.pop(worker, None)
        if share is None:
            self._done.remove(worker)
            return 0
        share.gone = True
        self._set_alarm()
        return round((share.end - self._virtual) * share.speed / GRAIN)

    def holds(self, worker: Worker) -> bool:
        """Whether a worker is at work here."""
        return worker in self._shares or worker in self._done

    def use(self, cores: float) -> None:
        """Another number of cores from now on."""
        if cores != self.cores:
            self._advance()
            self.cores = cores
            self._set_alarm()

    def _first(self) -> _Share | None:
        """Who is done next."""
        ends = self._ends
        while ends and ends[0].gone:
            heappop(ends)
        return ends[0] if ends else None

    def _advance(self) -> None:
        """Bring virtual time up to now.

        Whoever is done within the last nanosecond leaves at its own part of it, and the others go on faster from there.
        """
        now = self._clock.now_ns * GRAIN
        while True:
            first, active, passed = self._first(), len(self._shares), now - self._since
            gained = passed if active <= self.cores else passed * int(self.cores) // active
            if first is None or first.end > self._virtual + gained + SLACK:
                self._virtual += gained
                self._since = now
                return
            self._since += min(passed, self._time_for(max(0, first.end - self._virtual)))
            self._virtual = max(self._virtual, first.end)
            heappop(self._ends)
            del self._shares[first.worker]
            self._done.append(first.worker)

    def _time_for(self, virtual: int) -> int:
        """How long virtual time takes to go on by so much, rounded up."""
        active = len(self._shares)
        return virtual if active <= self.cores else -(-virtual * active // int(self.cores))

    def _set_alarm(self) -> None:
        """Wake up when the next worker is done; an alarm that comes too early is left to ring."""
        first, now_ns = self._first(), self._clock.now_ns
        if self._done:
            due_ns = now_ns
        elif first is not None:
            left = self._time_for(max(0, first.end - self._virtual - SLACK))
            due_ns = now_ns - (-left // GRAIN)
        else:
            return
        if due_ns < self._alarm_ns:
            self._alarm = self._alarm.cancelled()
            self._alarm_ns = due_ns
            self._clock.arm_timer(self._alarm, self._rings, due_ns - now_ns)

    def _rings(self, _: Any) -> None:
        self._alarm_ns = math.inf
        self._advance()
        done = self._done.popleft() if self._done else None
        self._set_alarm()
        if done is not None:
            self._finish(done.timer)
