"""A circuit breaker at the callers of one service: closed, open, half-open.

States and probes as in M. Nygard, "Release It!" (2007), and in resilience4j's CircuitBreaker with a window of calls.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable

from edasim.core.journal import Place, Verb
from edasim.core.world import World
from edasim.scenario.breaker import Breaker as BreakerSpec

NO_PERMIT = 0


class Breaker:
    """Gives each call a permit, or none, and hears how calls end.

    Closed, all get one; open, nobody for `open_for`; half-open, so many as there are `probes`.  If all probes end well
    it closes, with the first that fails it opens again.  A permit names the stretch between two changes of state in
    which it was given: how a call ends that began before is no news about the service now.  `waiting` holds those who
    would rather wait than be turned away; they are tried again, first come first, when there may be a permit.
    """

    def __init__(self, world: World, service: str, spec: BreakerSpec) -> None:
        self.spec = spec
        self.waiting: deque[Callable[[], None]] = deque()
        self._clock = world.clock
        self._stretch = 1
        self._room: int | None = None
        """How many more permits there are in this stretch; None where there is no limit."""
        self._good_probes = 0
        self._failures_in_a_row = 0
        self._window: deque[bool] = deque()
        self._failed_in_window = 0
        self._openings = 0
        place = Place("breaker", service, service)
        self._opened = world.writer(Verb.opened, place)
        self._half_opened = world.writer(Verb.half_opened, place)
        self._closed = world.writer(Verb.closed, place)
        self.short_circuited = world.writer(Verb.short_circuited, place)

    def enter(self) -> int:
        """A permit for one call, or NO_PERMIT."""
        room = self._room
        if room is None:
            return self._stretch
        if room == 0:
            return NO_PERMIT
        self._room = room - 1
        return self._stretch

    def over(self, permit: int, ok: bool) -> None:
        """A call that had a permit has ended."""
        if permit != self._stretch:
            return
        if self._room is not None:
            self._probe_over(ok)
        elif self._trips(ok):
            self._open()

    def abandon(self, permit: int) -> None:
        """A call ended without a word about the service: its caller died or left.  Another may have its permit."""
        if permit == self._stretch and self._room is not None:
            self._room += 1
            self._let_in()

    # --- closed -----------------------------------------------------------------------------------------------

    def _trips(self, ok: bool) -> bool:
        spec = self.spec
        if spec.failures is not None:
            self._failures_in_a_row = 0 if ok else self._failures_in_a_row + 1
            return self._failures_in_a_row >= spec.failures
        size, rate = spec.window, spec.failure_rate
        assert size is not None and rate is not None
        self._window.append(ok)
        self._failed_in_window += not ok
        if len(self._window) > size:
            self._failed_in_window -= not self._window.popleft()
        return len(self._window) == size and self._failed_in_window >= rate * size - 1e-9

    # --- open and half-open -----------------------------------------------------------------------------------

    def _open(self) -> None:
        self._begin_stretch(room=0)
        self._openings += 1
        self._opened(self._openings)
        self._clock.at(self._clock.now_ns + self.spec.open_for, self._half_open)

    def _half_open(self) -> None:
        self._begin_stretch(room=self.spec.probes)
        self._half_opened(self._openings)
        self._let_in()

    def _probe_over(self, ok: bool) -> None:
        if not ok:
            self._open()
            return
        self._good_probes += 1
        if self._good_probes == self.spec.probes:
            self._begin_stretch(room=None)
            self._closed(self._openings)
            self._let_in()

    def _begin_stretch(self, room: int | None) -> None:
        self._stretch += 1
        self._room = room
        self._good_probes = self._failures_in_a_row = self._failed_in_window = 0
        self._window.clear()

    def _let_in(self) -> None:
        while self.waiting and self._room != 0:
            self.waiting.popleft()()
