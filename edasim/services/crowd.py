"""Unlimited workers behind one channel: a consumer that starts a handler for every delivery that it gets."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from edasim.core.message import Message
from edasim.services.consumer import Consumer


class Crowd:
    """Used like one `Consumer` that is never too busy for another delivery; `hire` makes one more of its hands.

    Hands come back and are used again.  Nothing waits at the client; what the broker may send at once is its window.
    """

    def __init__(self, hire: Callable[[], Consumer]) -> None:
        self.waiting: deque[Any] = deque()
        self.on_idle: Callable[[], None] | None = None
        self._hire = hire
        self._hands: dict[Consumer, None] = {}
        self._idle: deque[Consumer] = deque()
        self._gone = False

    @property
    def busy(self) -> bool:
        """Whether a delivery is in its hands, at work or waiting to try again."""
        return any(hand.busy for hand in self._hands)

    def owes(self) -> bool:
        """Whether something is in its hands."""
        return self.busy

    def owed(self) -> list[Message]:
        """What is in its hands."""
        return [message for hand in self._hands for message in hand.owed()]

    def offer(self, delivery: Any) -> None:
        """A delivery arrives at the client; one that comes after it has gone is dropped."""
        if not self._gone:
            (self._idle.popleft() if self._idle else self._new_hand()).take(delivery)

    def _new_hand(self) -> Consumer:
        hand = self._hire()
        hand.on_idle = lambda: self._is_idle(hand)
        self._hands[hand] = None
        return hand

    def _is_idle(self, hand: Consumer) -> None:
        self._idle.append(hand)
        if self.on_idle is not None:
            self.on_idle()

    def die(self) -> None:
        """Crash with whatever its hands hold."""
        self._gone = True
        for hand in self._hands:
            hand.die()

    def retire(self) -> None:
        """Take nothing any more; what is in hands is finished."""
        self._gone = True
        for hand in self._hands:
            hand.retire()
