"""A replicated store in which a service keeps its state: versions of keys, with quorums for writes and reads.

All times are keyed by the attempt that writes, so that a store does the same in every architecture.  The coordinator is
where the service is.

Sources: DeCandia et al., "Dynamo", SOSP 2007; Bailis et al., "Probabilistically Bounded Staleness", VLDB 2012.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import factorial

from edasim.core.clock import Stage
from edasim.core.conservation import Counts
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.store import Store as StoreSpec
from edasim.services.replica import Replica, Transmission, Write
from edasim.services.worker import Worker


class Store:
    """The coordinator of one service's replicas.  `on_outcome(write, ok)` hears once of each write how it ended."""

    def __init__(self, world: World, service: str, spec: StoreSpec) -> None:
        self.world = world
        self.spec = spec
        self.on_outcome = _nobody
        self.replicas = [Replica(world, service, number, spec) for number in range(1, spec.replicas + 1)]
        for replica in self.replicas:
            replica.on_recovery = partial(self._hand_off, replica)
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
        self._handoff_reaches: Stage = self._on_handoff
        self._acknowledged: Stage = self._on_acknowledgement
        self._declined: Stage = self._on_declined
        self._read_reaches: Stage = self._on_read
        self._replied: Stage = self._on_reply
        self._read_declined: Stage = self._on_read_declined
        world.add_part(self)

    def owes(self) -> bool:
        """Whether a version is on its way to a replica or kept for it, or a reader awaits a reply."""
        under_way = self._outbound + self._returning + self._reading
        return under_way > 0 or any(replica.missed for replica in self.replicas)

    def owed(self) -> list[Message]:
        """None: whoever waits for a write has its message in hands, and replicas that lag owe nobody an answer."""
        return []

    def imbalance(self, counts: Counts) -> str:
        """versions x targets + handed off = taken + superseded + declined + on their way."""
        verbs = (Verb.stored, Verb.superseded, Verb.declined)
        arrived = sum(counts.of(verb, replica.place) for replica in self.replicas for verb in verbs)
        written = counts.of(Verb.written, self.place)
        handed_off = sum(counts.of(Verb.handed_off, replica.place) for replica in self.replicas)
        sent = written * self.spec.targets + handed_off
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
            self._misses(transmission)
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

    def _misses(self, transmission: Transmission) -> None:
        write, replica = transmission.write, transmission.replica
        replica.declined(write.version)
        if self.spec.handoff and not replica.fails_for_good:
            replica.missed.append(Transmission(write, replica))

    def _hand_off(self, replica: Replica) -> None:
        """The replica is well again: it gets what it declined.  For the quorum that is too late."""
        missed, replica.missed = replica.missed, []
        self._outbound += len(missed)
        for transmission in missed:
            message = transmission.write.message
            replica.handed_off(transmission.write.version)
            delay_ns = round(replica.write.at(message.order, message.path, transmission.write.nth) * replica.slowness)
            self._arm(transmission, self._handoff_reaches, delay_ns)

    def _on_handoff(self, transmission: Transmission) -> None:
        write, replica = transmission.write, transmission.replica
        if replica.holds(transmission, self._handoff_reaches):
            return
        self._outbound -= 1
        if replica.declines(write, reading=False):
            self._misses(transmission)
        else:
            replica.take(write)

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
