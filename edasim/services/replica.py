"""A replica of a service's state, and what is on its way to it.

It keeps the newest version of each key (last writer wins), whatever the order in which versions arrive.  Every time is
drawn by (order, path, n) of the attempt that writes, for each replica and each way of its own.
"""
from __future__ import annotations

from collections.abc import Callable
from math import prod

from edasim.core.clock import Signal, Stage
from edasim.core.draws import KeyedDraw
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.store import Store as StoreSpec
from edasim.scenario.store import replica_name
from edasim.services.worker import Worker


class Write:
    """One version of a key on its way to the replicas, and the read that follows it.

    `worker` waits for it as long as it holds `timer`.  `open`: neither confirmed nor abandoned.
    """

    __slots__ = ("acknowledged", "declined", "key", "message", "nth", "open", "timer", "version", "worker")

    def __init__(self, version: int, message: Message, worker: Worker) -> None:
        self.version = version
        self.message = message
        self.key = message.key
        self.nth = worker.nth
        self.worker = worker
        self.timer = worker.timer
        self.acknowledged = 0
        self.declined = 0
        self.open = True

    @property
    def wanted(self) -> bool:
        """Whether the worker still waits for it, and has neither died nor been called off."""
        return self.timer is self.worker.timer


class Transmission(Signal):
    """A write or a read on its way to one replica, and then its answer on the way back."""

    __slots__ = ("replica", "write")

    def __init__(self, write: Write, replica: Replica) -> None:
        self.write = write
        self.replica = replica


class Replica:
    """One copy: `versions` is the newest version of each key.  It can be held up, slowed down and made to decline.

    While it is unavailable, what reaches it waits there; it answers when it is back.  `missed` is what it declined and
    is to get when it fails no more, unless it fails for good; `on_recovery` is called then.
    """

    def __init__(self, world: World, service: str, number: int, spec: StoreSpec) -> None:
        self.world = world
        self.name = replica_name(service, number)
        self.versions: dict[str | None, int] = {}
        draw = world.draws.keyed
        self.write: KeyedDraw = draw("store write", self.name, spec.write.quantile_ns)
        self.write_ack: KeyedDraw = draw("store write-ack", self.name, spec.write_ack.quantile_ns)
        self.read: KeyedDraw = draw("store read", self.name, spec.read.quantile_ns)
        self.read_reply: KeyedDraw = draw("store read-reply", self.name, spec.read_reply.quantile_ns)
        self._write_luck: KeyedDraw = draw("store write fault", self.name)
        self._read_luck: KeyedDraw = draw("store read fault", self.name)
        place = Place("replica", self.name, service)
        self.place = place
        self.stored = world.writer(Verb.stored, place)
        self.superseded = world.writer(Verb.superseded, place)
        self.declined = world.writer(Verb.declined, place)
        self.asked = world.writer(Verb.asked, place)
        self.replied = world.writer(Verb.replied, place)
        self.handed_off = world.writer(Verb.handed_off, place)
        self.read_declined = world.writer(Verb.declined, place._replace(detail="read"))
        self.slowness = 1.0
        self._slownesses: list[float] = []
        self._failing: list[float] = []
        self._stops = 0
        self._held: list[tuple[Transmission, Stage]] = []
        self.missed: list[Transmission] = []
        self.on_recovery: Callable[[], None] = _nothing
        self.fails_for_good = False

    def holds(self, transmission: Transmission, stage: Stage) -> bool:
        """Whether it is unavailable, so that what reaches it waits for it to be back."""
        if self._stops:
            self._held.append((transmission, stage))
        return self._stops > 0

    def declines(self, write: Write, reading: bool) -> bool:
        """Whether it answers with an error."""
        if not self._failing:
            return False
        luck = self._read_luck if reading else self._write_luck
        return bool(luck.at(write.message.order, write.message.path, write.nth) < max(self._failing))

    def take(self, write: Write) -> None:
        """The last writer wins: a version that is older than what is here changes nothing."""
        if write.version > self.versions.get(write.key, 0):
            self.versions[write.key] = write.version
            self.stored(write.version)
        else:
            self.superseded(write.version)

    def stop(self) -> None:
        """Make no progress until `resume`."""
        self._stops += 1

    def resume(self) -> None:
        """Undo one `stop`; what waited here comes in its order."""
        self._stops -= 1
        if not self._stops:
            held, self._held = self._held, []
            for transmission, stage in held:
                self.world.clock.arm(transmission, stage, 0)

    def slow_down(self, factor: float) -> None:
        """All that is sent to it and by it takes `factor` times as long until `speed_up` with the same factor."""
        self._slownesses.append(factor)
        self.slowness = prod(self._slownesses)

    def speed_up(self, factor: float) -> None:
        """Undo one `slow_down`."""
        self._slownesses.remove(factor)
        self.slowness = prod(self._slownesses)

    def fail(self, share: float) -> None:
        """Decline this share of all that reaches it until `heal` with the same share."""
        self._failing.append(share)

    def heal(self, share: float) -> None:
        """Undo one `fail`."""
        self._failing.remove(share)
        if not self._failing:
            self.on_recovery()


def _nothing() -> None:
    """Nobody minds."""
