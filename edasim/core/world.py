"""What every part of one run shares: the clock, the journal, the messages, the draws, the links."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol, cast

from edasim.core.clock import SECOND, Clock
from edasim.core.conservation import Account, Conservation
from edasim.core.draws import Draws, Law
from edasim.core.journal import Journal, Place, Verb, Writer
from edasim.core.link import Link
from edasim.core.message import Message, Messages


class Part(Protocol):
    """A part that can owe something: a delivery, an answer."""

    def owes(self) -> bool:
        """Whether a delivery is owed or an answer awaited here; timers alone are nothing."""

    def owed(self) -> Iterable[Message]:
        """The messages that it still owes somebody."""


class World:
    """One run's surroundings.  Parts register themselves; the run is quiet when none owes anything.

    `ties` is the number of a random order of what happens at one instant (None: first scheduled, first run).
    """

    def __init__(self, seed: int, ties: int | None = None) -> None:
        self.clock = Clock(None if ties is None else Random(f"{seed} ties {ties}"))
        self.journal = Journal(self.clock)
        self.messages = Messages()
        self.draws = Draws(seed)
        self.links: dict[str, Link] = {}
        self.conservation = Conservation(self.journal, lambda: self.clock.now_ns / SECOND)
        self._parts: list[Part] = []
        self._last_busy = 0

    def writer(self, verb: Verb, place: Place) -> Writer:
        """A function that records the verb at the place."""
        return self.journal.writer(verb, place)

    def link(self, source: str, target: str, laws: Sequence[Law], instance: str = "") -> Link:
        """The link between two parts, made at its first mention; `instance` tells a worker's own links apart.

        Its latency is the sum of what the laws give.
        """
        name = f"{source} -> {target} {instance}".rstrip()
        if name not in self.links:
            self.links[name] = Link(self.clock, self.draws, (source, target), name, laws)
        return self.links[name]

    def add_part(self, part: Part) -> None:
        """Let a part be asked whether it still owes something, and whether its books balance if it keeps any."""
        self._parts.append(part)
        if hasattr(part, "imbalance"):
            self.conservation.accounts.append(cast(Account, part))

    def owed(self) -> set[int]:
        """The ids of all messages that are still owed somewhere."""
        return {message.id for part in self._parts for message in part.owed()}

    def quiet(self) -> bool:
        """Whether nothing is owed anywhere.  The part that was busy last is asked first: it mostly still is."""
        parts = self._parts
        if self._last_busy < len(parts) and parts[self._last_busy].owes():
            return False
        for index, part in enumerate(parts):
            if part.owes():
                self._last_busy = index
                return False
        return True
