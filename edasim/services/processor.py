"""Processor sharing: workers that are at work share a few cores equally.

Egalitarian processor sharing by virtual time: a clock that runs at the speed of one worker, so that an attempt which
needs w of work ends w later on it, whoever comes and goes meanwhile.  A change costs O(log n).
Source: Kleinrock, Queueing Systems II (1976), chapter 4; virtual time as in Demers, Keshav and Shenker (1989).
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from edasim.core.clock import Clock, Stage, Timer
from edasim.services.worker import Worker

GRAIN = 1 << 20
"""Virtual time counts in parts of a nanosecond, so that what rounding takes from a worker at each change is nothing."""


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
        self._number = count()
        self._virtual = 0
        self._since_ns = 0
        self._alarm = Timer(self)
        self._alarm_ns: float = math.inf

    @property
    def active(self) -> int:
        """How many workers share the cores now."""
        return len(self._shares)

    def add(self, worker: Worker, work_ns: int, speed: float = 1.0) -> None:
        """A worker begins or goes on with so much work; at `speed` 1/4 it needs a core four times as long for it."""
        assert worker not in self._shares, "a worker does one thing at a time"
        self._advance()
        need = work_ns * GRAIN if speed == 1.0 else round(work_ns * GRAIN / speed)
        share = self._shares[worker] = _Share(self._virtual + need, next(self._number), worker, speed)
        heappush(self._ends, share)
        self._set_alarm()

    def remove(self, worker: Worker) -> int:
        """A worker is called off or makes no progress from now on; returns what is left of its work (nanoseconds)."""
        self._advance()
        share = self._shares.pop(worker)
        share.gone = True
        self._set_alarm()
        return max(0, round((share.end - self._virtual) * share.speed / GRAIN))

    def holds(self, worker: Worker) -> bool:
        """Whether a worker has a share of the cores now."""
        return worker in self._shares

    def use(self, cores: float) -> None:
        """Another number of cores from now on."""
        if cores != self.cores:
            self._advance()
            self.cores = cores
            self._set_alarm()

    def _advance(self) -> None:
        """Bring virtual time up to now."""
        now_ns = self._clock.now_ns
        passed, self._since_ns = (now_ns - self._since_ns) * GRAIN, now_ns
        active = len(self._shares)
        self._virtual += passed if active <= self.cores else passed * int(self.cores) // active

    def _set_alarm(self) -> None:
        """Wake up when the next worker is done; an alarm that comes too early is left to ring."""
        while self._ends and self._ends[0].gone:
            heappop(self._ends)
        if not self._ends:
            return
        left, active = max(0, self._ends[0].end - self._virtual), len(self._shares)
        if active > self.cores:
            left = -(-left * active // int(self.cores))
        due_ns = self._clock.now_ns - (-left // GRAIN)
        if due_ns < self._alarm_ns:
            self._alarm = self._alarm.cancelled()
            self._alarm_ns = due_ns
            self._clock.arm_timer(self._alarm, self._rings, due_ns - self._clock.now_ns)

    def _rings(self, _: Any) -> None:
        self._alarm_ns = math.inf
        self._advance()
        while self._ends and self._ends[0].gone:
            heappop(self._ends)
        done = None
        if self._ends and self._ends[0].end <= self._virtual:
            done = heappop(self._ends).worker
            del self._shares[done]
        self._set_alarm()
        if done is not None:
            self._finish(done.timer)
