"""Simulated time: SimPy's environment on integer nanoseconds, with a lean main loop.

SimPy processes (`clock.process(...)`, `yield clock.timeout(ns)`) work as usual and read best for faults and
rebalances.  The path of a message uses re-armed `Signal`s instead: one object is put on the agenda again and
again, so that a delivery allocates nothing on its way.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count, repeat
from random import Random
from typing import Any

import simpy

SECOND = 1_000_000_000
SAME_INSTANT_LIMIT = 1_000_000
"""So many events in a row at one instant mean that time has stopped moving; twice as many are never processed."""
STRIDE = 50_000
"""After so many events the clock looks whether time still moves, and lets the watchers of the run look."""
_RANK_BITS = 64

Stage = Callable[[Any], None]
"""What happens when a signal comes due; it is given the signal."""


class TimeStandsStill(RuntimeError):
    """A million events at one instant; the message names what happened last."""


class Signal:
    """What is put on the agenda again and again, and given to the stage that it was armed with."""

    __slots__ = ()


class Timer(Signal):
    """A signal with an owner, which can be called off (`cancelled` hands out the one to go on with).

    `stage` is what happens when it comes due, None while it is not armed (by `Clock.arm_timer`).
    """

    __slots__ = ("owner", "stage")

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.stage: Stage | None = None

    def cancelled(self) -> Timer:
        """Call this timer off; what is on the agenda comes due without effect."""
        if self.stage is None:
            return self
        self.stage = None
        return Timer(self.owner)


def _ring(timer: Timer) -> None:
    stage, timer.stage = timer.stage, None
    if stage is not None:
        stage(timer)


class Action(Signal):
    """A signal that does one thing."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action


def _act(signal: Action) -> None:
    signal.action()


ACT: Stage = _act
"""The stage of an Action."""


def _happen(event: simpy.Event) -> None:
    """What SimPy does with an event of its own."""
    callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
    for callback in callbacks:
        callback(event)
    if not event._ok and not hasattr(event, "_defused"):
        raise event._value


def _nothing(_: object) -> None:
    """The stage of what was called off."""


class Clock(simpy.Environment):
    """SimPy's environment with integer nanoseconds; `now_ns` is the time, `arm` puts a signal on the agenda.

    At one instant the first scheduled runs first.  With `ties`, a random order takes the place of that, except for
    what keeps an order of its own (`numbers`, `arm_in_order`): a connection, a log.  `watchers` are called with the
    number of events since the last time, at least every 50,000 events.
    """

    _now: int

    def __init__(self, ties: Random | None = None) -> None:
        super().__init__(0)
        self._ties = ties
        self._count = count()
        self._eid: Iterator[int] = self._count if ties is None else _permuted(ties, self._count)  # type: ignore[assignment]
        self.watchers: list[Callable[[int], None]] = []
        agenda: list[Any] = self._queue
        number = self._eid

        def arm(signal: Any, stage: Stage, delay_ns: int) -> None:
            heappush(agenda, (self._now + delay_ns, 1, next(number), stage, signal))

        def arm_timer(timer: Timer, stage: Stage, delay_ns: int) -> None:
            timer.stage = stage
            heappush(agenda, (self._now + delay_ns, 1, next(number), _ring, timer))

        self.arm = arm
        """`arm(signal, stage, delay_ns)`: the stage runs with the signal after the delay."""
        self.arm_timer = arm_timer
        """The same for a timer, which may be called off until then."""

    def numbers(self, due_ns: Callable[[], int]) -> Iterator[int]:
        """The numbers that order one part's own entries at one instant: as they were scheduled, also among others
        in a random order.  `due_ns` says for when the entry is that is about to be scheduled.
        """
        return self._eid if self._ties is None else _in_order(self._ties, self._count, due_ns)

    def arm_in_order(self) -> Callable[[Any, Stage, int], None]:
        """An `arm` whose signals never overtake each other at one instant."""
        if self._ties is None:
            return self.arm
        agenda: list[Any] = self._queue
        due_ns = 0
        number = self.numbers(lambda: due_ns)

        def arm(signal: Any, stage: Stage, delay_ns: int) -> None:
            nonlocal due_ns
            due_ns = self._now + delay_ns
            heappush(agenda, (due_ns, 1, next(number), stage, signal))

        return arm

    def call_off(self, signals: Collection[Signal]) -> None:
        """Let these come due without effect, as far as they are on the agenda; for rare things, it goes through all."""
        agenda: list[Any] = self._queue
        for index, (due_ns, order, number, _, signal) in enumerate(agenda):
            if signal in signals:
                agenda[index] = (due_ns, order, number, _nothing, signal)

    def schedule(self, event: simpy.Event, priority: Any = 1, delay: float = 0) -> None:
        """Put an event of SimPy on the agenda; SimPy calls this."""
        agenda: list[Any] = self._queue
        heappush(agenda, (self._now + delay, priority, next(self._eid), _happen, event))

    def step(self) -> None:
        """Process the next event; SimPy's own `run` calls this."""
        if not self._queue:
            raise simpy.core.EmptySchedule
        event: Any = heappop(self._queue)
        self._now, _, _, stage, signal = event
        stage(signal)

    @property
    def now_ns(self) -> int:
        """The time since the start of the run, in nanoseconds."""
        return self._now

    def at(self, due_ns: int, action: Callable[[], None]) -> Signal:
        """Run an action at an instant; for rare things, where a closure reads best."""
        signal = Action(action)
        self.arm(signal, _act, max(0, due_ns - self.now_ns))
        return signal

    def halt(self) -> None:
        """Let `advance` return after the event that is being processed."""
        self._stop_at(self.now_ns, before_all=True)

    def _stop_at(self, due_ns: int, before_all: bool) -> Signal:
        stop = Signal()
        heappush(self._queue, (due_ns, -1 if before_all else 2, next(self._eid), _stop, stop))  # type: ignore[misc]
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
                self.call_off((end,))
                return True
        return False

    def _process(self, finished: Callable[[], bool] | None) -> None:
        agenda: list[Any] = self._queue
        standing = 0
        while True:
            before = self._now
            if finished is None:
                for _ in repeat(None, STRIDE):
                    self._now, _, _, stage, signal = heappop(agenda)
                    stage(signal)
            else:
                for _ in repeat(None, STRIDE):
                    self._now, _, _, stage, signal = heappop(agenda)
                    stage(signal)
                    if finished():
                        self.halt()
            now, _, _, stage, signal = agenda[0]
            standing = standing + STRIDE if now == before else 0
            if standing >= SAME_INSTANT_LIMIT:
                raise TimeStandsStill(_stuck(now, stage, signal))
            for watch in self.watchers:
                watch(STRIDE)


def _permuted(ties: Random, numbers: Iterator[int]) -> Iterator[int]:
    """Numbers of a random order, none twice."""
    for number in numbers:
        yield ties.getrandbits(_RANK_BITS) << _RANK_BITS | number


def _in_order(ties: Random, numbers: Iterator[int], due_ns: Callable[[], int]) -> Iterator[int]:
    """Numbers of a random order from instant to instant, and ascending for those of one instant."""
    before_ns, rank = -1, 0
    for number in numbers:
        if due_ns() != before_ns:
            before_ns, rank = due_ns(), ties.getrandbits(_RANK_BITS)
        yield rank << _RANK_BITS | number


class _Stop(Exception):
    """Time is to stop; carries the signal that says so."""


def _stop(signal: Signal) -> None:
    raise _Stop(signal)


def _stuck(now_ns: float, stage: Stage, signal: Any) -> str:
    doing: Sequence[Any] = [stage]
    if isinstance(signal, Action):
        doing = [signal.action]
    elif isinstance(signal, Timer):
        doing = [signal.stage or stage]
    elif isinstance(signal, simpy.Event):
        doing = signal.callbacks or ()
    names = [f"{getattr(one, '__module__', '')} {getattr(one, '__qualname__', one)}".strip() for one in doing]
    what = ", ".join(names) or type(signal).__name__
    return (
        f"time stands still at {now_ns / SECOND:g} s: over {SAME_INSTANT_LIMIT:,} events at one instant, "
        f"the last one is {what}; give it a delay, a work time or fewer attempts"
    )
