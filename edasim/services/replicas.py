"""A replicated store in which a service keeps its state: versions of keys, with quorums for writes and reads.

Every time is drawn by (order, path, n) of the attempt that writes, for each replica and each way of its own, so that a
store does the same in every architecture.  The coordinator is where the service is; replicas keep the newest version of
each key (last writer wins), whatever the order in which versions arrive.

Sources: DeCandia et al., "Dynamo", SOSP 2007; Bailis et al., "Probabilistically Bounded Staleness", VLDB 2012.
"""
from __future__ import annotations

from collections.abc import Sequence
from math import factorial, prod

from edasim.core.clock import Signal, Stage
from edasim.core.conservation import Counts
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

    While it is unavailable, what reaches it waits there; it answers when it is back.
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
        self.read_declined = world.writer(Verb.declined, place._replace(detail="read"))
        self.slowness = 1.0
        self._slownesses: list[float] = []
        self._failing: list[float] = []
        self._stops = 0
        self._held: list[tuple[Transmission, Stage]] = []

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


class Store:
    """The coordinator of one service's replicas.  `on_outcome(write, ok)` hears once of each write how it ended."""

    def __init__(self, world: World, service: str, spec: StoreSpec) -> None:
        self.world = world
        self.spec = spec
        self.on_outcome = _nobody
        self.replicas = [Replica(world, service, number, spec) for number in range(1, spec.replicas + 1)]
        self._orders = _Shuffle(self.replicas)
        self._write_order = world.draws.keyed("store write order", service)
        self._read_order = world.draws.keyed("store read order", service)
        self._arm = world.clock.arm
        self._version = 0
        self._outbound = self._returning = self._reading = 0
        self.place = Place("store", service, service)
        self.written = world.writer(Verb.written, self.place)
        self.confirmed = world.writer(Verb.confirmed, self.place)
        self.abandoned = world.writer(Verb.abandoned, self.place)
        self._write_reaches: Stage = self._on_write
        self._acknowledged: Stage = self._on_acknowledgement
        self._declined: Stage = self._on_declined
        self._read_reaches: Stage = self._on_read
        self._replied: Stage = self._on_reply
        self._read_declined: Stage = self._on_read_declined
        world.add_part(self)

    def owes(self) -> bool:
        """Whether a version is on its way to a replica, or a reader awaits a reply."""
        return self._outbound + self._returning + self._reading > 0

    def owed(self) -> list[Message]:
        """None: whoever waits for a write has its message in hands, and replicas that lag owe nobody an answer."""
        return []

    def imbalance(self, counts: Counts) -> str:
        """versions x targets = taken + superseded + declined + on their way."""
        verbs = (Verb.stored, Verb.superseded, Verb.declined)
        arrived = sum(counts.of(verb, replica.place) for replica in self.replicas for verb in verbs)
        written = counts.of(Verb.written, self.place)
        sent = written * self.spec.targets
        if written == self._version and sent == arrived + self._outbound:
            return ""
        return (f"{self.place}: {sent} transmissions of {self._version} versions, "
                f"but {arrived} arrived + {self._outbound} on their way")

    # --- writes -----------------------------------------------------------------------------------------------

    def write(self, message: Message, worker: Worker) -> None:
        """Send a new version of the message's key to the replicas; the worker waits for the outcome."""
        self._version += 1
        write = Write(self._version, message, worker)
        self.written(message.id)
        order, path, nth = message.order, message.path, write.nth
        shuffled = self._orders.of(self._write_order.at(order, path, nth))
        targets = self.spec.targets
        self._outbound += targets
        for replica in shuffled[:targets]:
            delay_ns = round(replica.write.at(order, path, nth) * replica.slowness)
            self._arm(Transmission(write, replica), self._write_reaches, delay_ns)
        if self.spec.write_quorum == 0:
            self._confirm(write)

    def _on_write(self, transmission: Transmission) -> None:
        write, replica = transmission.write, transmission.replica
        if replica.holds(transmission, self._write_reaches):
            return
        self._outbound -= 1
        self._returning += 1
        stage = self._acknowledged
        if replica.declines(write, reading=False):
            replica.declined(write.version)
            stage = self._declined
        else:
            replica.take(write)
        message = write.message
        delay_ns = round(replica.write_ack.at(message.order, message.path, write.nth) * replica.slowness)
        self._arm(transmission, stage, delay_ns)

    def _on_acknowledgement(self, transmission: Transmission) -> None:
        write = transmission.write
        self._returning -= 1
        write.acknowledged += 1
        if write.open and write.acknowledged == self.spec.write_quorum:
            self._confirm(write)

    def _on_declined(self, transmission: Transmission) -> None:
        write = transmission.write
        self._returning -= 1
        write.declined += 1
        if write.open and self.spec.targets - write.declined < self.spec.write_quorum:
            write.open = False
            self.abandoned(write.version)
            self.on_outcome(write, False)

    def _confirm(self, write: Write) -> None:
        write.open = False
        self.confirmed(write.version)
        if self.spec.readers:
            self._look(write)
        self.on_outcome(write, True)

    # --- the read that follows --------------------------------------------------------------------------------

    def _look(self, write: Write) -> None:
        message, nth = write.message, write.nth
        self._reading += self.spec.replicas
        for replica in self._orders.of(self._read_order.at(message.order, message.path, nth)):
            delay_ns = round(replica.read.at(message.order, message.path, nth) * replica.slowness)
            self._arm(Transmission(write, replica), self._read_reaches, delay_ns)

    def _on_read(self, transmission: Transmission) -> None:
        write, replica = transmission.write, transmission.replica
        if replica.holds(transmission, self._read_reaches):
            return
        stage = self._replied
        if replica.declines(write, reading=True):
            replica.read_declined(write.version)
            stage = self._read_declined
        else:
            replica.asked(write.version)
        message = write.message
        delay_ns = round(replica.read_reply.at(message.order, message.path, write.nth) * replica.slowness)
        self._arm(transmission, stage, delay_ns)

    def _on_reply(self, transmission: Transmission) -> None:
        self._reading -= 1
        transmission.replica.replied(transmission.write.version)

    def _on_read_declined(self, transmission: Transmission) -> None:
        self._reading -= 1


class _Shuffle:
    """The order in which replicas are turned to, by one uniform: no replica is favoured where times are equal."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._replicas = replicas
        self._number = factorial(len(replicas))
        self._known: dict[int, list[Replica]] = {}

    def of(self, uniform: float) -> list[Replica]:
        """One of all orders, each equally likely."""
        index = int(uniform * self._number)
        shuffled = self._known.get(index)
        if shuffled is None:
            left, shuffled, rest = list(self._replicas), [], index
            for size in range(len(left), 0, -1):
                rest, place = divmod(rest, size)
                shuffled.append(left.pop(place))
            if self._number <= 1000:
                self._known[index] = shuffled
        return shuffled


def _nobody(write: Write, ok: bool) -> None:
    """Nobody waits."""
