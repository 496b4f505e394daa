"""Links: what lies between two parts.  A link keeps order, takes time, and can be slowed, cut or made lossy.

A connection is a pair of links, there and back.  A transmission that perishes takes its connection with it, as
on TCP: both ends learn of it at once, and what was in flight is gone.  What then happens (requeue, send again,
an error for the caller) is the business of the two ends.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.core.clock import ACT, Action, Clock, Signal, Stage
from edasim.core.draws import Draws, Law, SequentialDraw, StreamBundle

Lost = Callable[[Signal], None]
RECONNECT_NS = 50_000_000
"""How long an end takes to notice a broken connection and to open the next one: reconnect.backoff.ms of Kafka's Java
client, taken for all."""


class Link:
    """One direction between two parts, named `payment -> broker` (and the worker's name where each has its own).

    `latency` is a SequentialDraw of nanoseconds.  `on_lost` is told of a transmission that perishes,
    `on_cut` when nothing gets through any more (True) and when it does again (False).
    """

    def __init__(self, clock: Clock, draws: Draws, ends: tuple[str, str], name: str, laws: Sequence[Law]) -> None:
        self.clock = clock
        self.source, self.target = ends
        self.name = name
        streams = [draws.stream(f"latency {number}", name) for number in range(len(laws))]
        self.latency = SequentialDraw(StreamBundle(streams), sum_of(laws))
        self._luck: SequentialDraw = draws.sequential("loss", self.name)
        self._again: SequentialDraw = draws.sequential("duplicate", self.name)
        self._held: list[tuple[Signal, Stage]] = []
        self._cuts = 0
        self._releasing = False
        self.slowness = 1.0
        self.loss = 0.0
        self.duplicates = 0.0
        self.repeats_after_ns: int | None = None
        self.on_lost: Lost | None = None
        self.on_cut: Callable[[bool], None] | None = None
        self._impaired = False
        self.send, self.foresee, self._carry, self._afterwards = self._make_send()
        """`send(signal, stage)` carries a signal over; the stage runs at the other end.  Without latency that is a
        direct call.  `foresee()` says when a transmission sent now would arrive, as if it were sent, or None when
        that cannot be known: for requests that mostly find nothing to do there and then need no event."""

    def impair(self, *, slowness: float | None = None, loss: float | None = None,
               duplicates: float | None = None) -> None:
        """Set how the link behaves from now on; what is not named stays."""
        self.slowness = self.slowness if slowness is None else slowness
        self.loss = self.loss if loss is None else loss
        self.duplicates = self.duplicates if duplicates is None else duplicates
        self._note_impairment()

    def cut(self) -> None:
        """Nothing gets through until `mend`; what is sent waits at the sender."""
        self._cuts += 1
        self._note_impairment()
        if self._cuts == 1 and self.on_cut is not None:
            self.on_cut(True)

    def mend(self) -> None:
        """Undo one cut; what waited goes out in its order, before anything that is sent from now on."""
        self._cuts -= 1
        self._note_impairment()
        if not self._cuts and self._held:
            self._release()
        if not self._cuts and self.on_cut is not None:
            self.on_cut(False)

    def _release(self) -> None:
        # What is sent at this very instant lines up behind what waited, also where a hop takes no time.
        self._releasing = True
        held, self._held = self._held, []
        for signal, stage in held:
            self._carry(signal, stage, self.latency.draw(), False)
        self._afterwards(self._released)
        self._note_impairment()

    def _released(self) -> None:
        self._releasing = False
        if self._held and not self._cuts:
            self._release()
        self._note_impairment()

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets through now."""
        return self._cuts > 0

    def forget_held(self) -> list[Signal]:
        """Drop what waits for a cut to end, because the connection is given up; returns the signals."""
        held, self._held = self._held, []
        return [signal for signal, _ in held]

    def _note_impairment(self) -> None:
        self._impaired = bool(self._cuts) or self._releasing or self.loss > 0 or self.slowness != 1.0

    def _make_send(self) -> tuple[Callable[[Signal, Stage], None], Callable[[], int | None],
                                  Callable[[Signal, Stage, int, bool], None], Callable[[Callable[[], None]], None]]:
        """`send` and `foresee` of this link, with what they need at hand: every hop of every message goes here."""
        clock, latency_ns = self.clock, self.latency.draw
        agenda: list[Any] = clock._queue
        last_arrival_ns: int = 0
        number = clock.numbers(lambda: last_arrival_ns)

        def send(signal: Signal, stage: Stage) -> None:
            nonlocal last_arrival_ns
            if self._impaired:
                self._send_impaired(signal, stage, latency_ns())
                return
            delay_ns = latency_ns()
            arrival_ns = clock._now + delay_ns
            # A connection keeps its order: nothing overtakes what was sent before.
            if arrival_ns > last_arrival_ns:
                last_arrival_ns = arrival_ns
            if delay_ns or last_arrival_ns > arrival_ns:
                heappush(agenda, (last_arrival_ns, 1, next(number), stage, signal))
            else:
                stage(signal)

        def carry(signal: Signal, stage: Stage, delay_ns: int, at_once: bool) -> None:
            nonlocal last_arrival_ns
            last_arrival_ns = max(last_arrival_ns, int(clock._now) + delay_ns)
            if at_once and last_arrival_ns == clock._now:
                stage(signal)
            else:
                heappush(agenda, (last_arrival_ns, 1, next(number), stage, signal))

        def afterwards(action: Callable[[], None]) -> None:
            heappush(agenda, (clock._now, 1, next(number), ACT, Action(action)))

        def foresee() -> int | None:
            nonlocal last_arrival_ns
            if self._impaired:
                return None
            arrival_ns = clock._now + latency_ns()
            if arrival_ns > last_arrival_ns:
                last_arrival_ns = arrival_ns
            return last_arrival_ns

        return send, foresee, carry, afterwards

    def _send_impaired(self, signal: Signal, stage: Stage, delay_ns: int) -> None:
        if self._cuts or self._releasing:
            self._held.append((signal, stage))
        elif self.loss and self._luck.draw() < self.loss and self.on_lost is not None:
            self.on_lost(signal)
        else:
            self._carry(signal, stage, round(delay_ns * self.slowness), True)

    def repeats(self) -> bool:
        """Whether the answer to a transmission just made is lost, so that its sender does it again."""
        return self.duplicates > 0 and bool(self._again.draw() < self.duplicates)

    def repetition_ns(self, unless_said_ns: int = RECONNECT_NS) -> int:
        """When (clock's time) what is repeated goes out again: after what a fault says, or else after this time."""
        wait_ns = unless_said_ns if self.repeats_after_ns is None else self.repeats_after_ns
        return int(self.clock.now_ns) + wait_ns


def sum_of(laws: Sequence[Law]) -> Law:
    """The law of steps one after another, each on a row of uniforms of its own."""

    def law(uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        total: NDArray[np.int64] = sum(
            (one(row) for one, row in zip(laws, uniforms, strict=True)), np.zeros(uniforms.shape[1], np.int64))
        return total

    return law


class Call(Signal):
    """A signal that carries one value to a function at the other end."""

    __slots__ = ("action", "value")

    def __init__(self, action: Callable[[Any], None], value: Any) -> None:
        self.action = action
        self.value = value


def _deliver(call: Call) -> None:
    call.action(call.value)


CALL: Stage = _deliver
"""The stage that makes a Call do its action."""
