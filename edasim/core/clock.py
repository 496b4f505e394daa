"""Simulated time: SimPy's environment on integer nanoseconds, with a lean main loop.

SimPy processes (`clock.process(...)`, `yield clock.timeout(ns)`) work as usual and read best for faults and
rebalances.  The path of a message uses re-armed `Signal`s instead: one object is put on the agenda again and
again, so that a delivery allocates nothing on its way.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

import simpy

SECOND = 1_000_000_000
SAME_INSTANT_LIMIT = 1_000_000
"""So many events at one instant mean that time has stopped moving."""

Stage = tuple[Callable[[Any], None]]
"""What happens when a signal comes due, in the shape in which SimPy wants callbacks."""


class TimeStandsStill(RuntimeError):
    """A million events at one instant; the message names what happened last."""


class Signal:
    """An event that is armed again and again; SimPy asks of an event only `callbacks` and `_ok`."""

    __slots__ = ("callbacks",)
    _ok = True

    callbacks: Sequence[Callable[[Any], None]] | None

    def __init__(self) -> None:
        self.callbacks = None


class Timer(Signal):
    """A signal with an owner, which can be called off (`cancelled` hands out the one to go on with)."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        self.callbacks = None
        self.owner = owner

    def cancelled(self) -> Timer:
        """Call this timer off; what is on the agenda comes due without effect."""
        if self.callbacks is None:
            return self
        self.callbacks = ()
        return Timer(self.owner)


class Action(Signal):
    """A signal that does one thing."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.callbacks = None
        self.action = action


def _act(signal: Action) -> None:
    signal.action()


_ACT: Stage = (_act,)


class Clock(simpy.Environment):
    """SimPy's environment with integer nanoseconds; `now_ns` is the time, `arm` puts a signal on the agenda."""

    def __init__(self) -> None:
        super().__init__(0)
        self._eid = count()
        agenda, number = self._queue, self._eid

        def arm(signal: Signal, stage: Stage, delay_ns: int) -> None:
            signal.callbacks = stage
            heappush(agenda, (self._now + delay_ns, 1, next(number), signal))  # type: ignore[misc]

        self.arm = arm
        """`arm(signal, stage, delay_ns)`: the stage runs with the signal after the delay."""

    @property
    def now_ns(self) -> int:
        """The time since the start of the run, in nanoseconds."""
        return self._now  # type: ignore[return-value]

    def at(self, due_ns: int, action: Callable[[], None]) -> Signal:
        """Run an action at an instant; for rare things, where a closure reads best."""
        signal = Action(action)
        self.arm(signal, _ACT, max(0, due_ns - self.now_ns))
        return signal

    def halt(self) -> None:
        """Let `advance` return after the event that is being processed."""
        self._stop_at(self.now_ns, before_all=True)

    def _stop_at(self, due_ns: int, before_all: bool) -> Signal:
        stop = Signal()
        stop.callbacks = _STOP
        heappush(self._queue, (due_ns, -1 if before_all else 2, next(self._eid), stop))  # type: ignore[misc]
        return stop

    def advance(self, until_ns: int, finished: Callable[[], bool] | None = None) -> bool:
        """Process events up to and including an instant; the clock then shows it.

        With `finished`, stop as soon as it says so after an event, or on `halt` (the clock stays there); True if so.
        Raises TimeStandsStill when an instant never ends.
        """
        end = self._stop_at(until_ns, before_all=False)
        try:
            self._process(finished)
        except _Stop as stop:
            if stop.args[0] is not end:
                end.callbacks = ()
                return True
        return False

    def _process(self, finished: Callable[[], bool] | None) -> None:
        asked = finished is not None
        agenda = self._queue
        at_this_instant = 0
        current = self._now
        while True:
            now, _, _, event = heappop(agenda)
            if now == current:
                at_this_instant += 1
                if at_this_instant > SAME_INSTANT_LIMIT:
                    raise TimeStandsStill(_stuck(now, event))
            else:
                at_this_instant = 0
                self._now = current = now
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            # Signals, whose callbacks are a tuple, cannot fail.
            if type(callbacks) is list and not event._ok and not hasattr(event, "_defused"):
                raise event._value
            if asked and finished():  # type: ignore[misc]
                self.halt()


class _Stop(Exception):
    """Time is to stop; carries the signal that says so."""


def _stop(signal: Signal) -> None:
    raise _Stop(signal)


_STOP: Stage = (_stop,)


def _stuck(now_ns: float, event: Any) -> str:
    doing = [event.action] if isinstance(event, Action) else event.callbacks or ()
    names = [f"{getattr(one, '__module__', '')} {getattr(one, '__qualname__', one)}".strip() for one in doing]
    what = ", ".join(names) or type(event).__name__
    return (
        f"time stands still at {now_ns / SECOND:g} s: over {SAME_INSTANT_LIMIT:,} events at one instant, "
        f"the last one is {what}; give it a delay, a work time or fewer attempts"
    )
