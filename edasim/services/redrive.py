"""Redrive: what a service gave up is handed to it again, one dead letter after another, at a rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from edasim.core.message import Message
from edasim.core.quantity import SECOND_NS
from edasim.core.world import World
from edasim.scenario.value import Redrive as RedriveSpec


class DeadLetters(Protocol):
    """The place where a service's dead letters lie."""

    def lying(self) -> list[Any]:
        """Those that lie there now, in the order in which they are redriven."""

    def send(self, letter: Any, done: Callable[[], None], /) -> None:
        """Hand one to its service again; `done` runs once the broker has it there."""


class Redriver:
    """Redrives those dead letters of one service that lie there when it begins.

    What is given up once more stays where it then lies, so a message that always fails does not go in circles.
    The next one goes when its time has come and the one before has arrived.
    """

    def __init__(self, world: World, spec: RedriveSpec, letters: DeadLetters) -> None:
        self._clock = world.clock
        self._letters = letters
        self._gap_ns = round(SECOND_NS / spec.rate)
        self._due_ns = spec.at
        self._left: deque[Any] = deque()
        self._over = False
        self._clock.at(spec.at, self._begin)

    def owes(self) -> bool:
        """Whether it has not begun or not ended: a run is not over before its redrive is."""
        return not self._over

    def owed(self) -> tuple[Message, ...]:
        """Dead letters are owed to nobody; what it has sent on is owed where it is."""
        return ()

    def _begin(self) -> None:
        self._left.extend(self._letters.lying())
        self._next()

    def _next(self) -> None:
        if not self._left:
            self._over = True
            return
        self._due_ns += self._gap_ns
        self._letters.send(self._left.popleft(), self._sent)

    def _sent(self) -> None:
        self._clock.at(max(self._due_ns, self._clock.now_ns), self._next)
