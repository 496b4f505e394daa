"""The client's side of RabbitMQ: subscriptions with a prefetch window, and publishers with confirms."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edasim.brokers.rabbitmq.entry import PLAIN, Answer, Entry, Properties, Publication
from edasim.core.clock import Signal, Stage
from edasim.core.link import CALL, RECONNECT_NS, Call, Link
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.rabbitmq.broker import Broker
    from edasim.brokers.rabbitmq.queue import Queue

QUORUM_PREFETCH = 2000


class Subscription:
    """One basic.consume on a channel of its own: at most `prefetch` deliveries unacknowledged (None: no limit).

    `on_delivery(entry)` runs at the client.  With `auto_ack` the broker forgets a delivery as it sends it.
    """

    def __init__(self, queue: Queue, links: tuple[Link, Link], on_delivery: Callable[[Entry], None],
                 prefetch: int | None = None, auto_ack: bool = False) -> None:
        self.queue = queue
        self.to_client, self.to_broker = links
        self.window = self._window(prefetch)
        self.auto_ack = auto_ack
        self.open = False
        self.waits_for_turn = False
        self.unacked: dict[Entry, None] = {}
        self._on_delivery = on_delivery
        self.on_the_wire: dict[Entry, None] = {}
        self._arrives: Stage = self._forgotten_arrives if auto_ack else on_delivery
        self._acked: Stage = self._on_ack
        self._rejected: Stage = self._on_reject
        self._requeued: Stage = self._on_requeue
        self._nacked: Stage = self._on_nack
        self._swallowed: Stage = self._on_swallowed

    def _window(self, prefetch: int | None) -> int:
        # A quorum queue has a limit of its own where the consumer sets none (rabbit_quorum_queue.erl).
        if prefetch is None:
            return QUORUM_PREFETCH if self.queue.quorum else sys.maxsize
        return prefetch

    def start(self) -> None:
        """Begin (or begin again) to receive."""
        self.open = True
        if self not in self.queue.subscriptions:
            self.queue.subscriptions.append(self)
        self.queue.offer_room(self)
        self.queue.dispatch()

    def has_room(self) -> bool:
        """Whether the broker may send it another delivery."""
        return self.open and len(self.unacked) < self.window

    def set_prefetch(self, prefetch: int | None) -> None:
        """basic.qos: another window from now on; what is out stays out."""
        self.window = self._window(prefetch)
        if self.waits_for_turn and not self.has_room():
            self.queue.with_room.remove(self)
            self.waits_for_turn = False
        self.queue.offer_room(self)
        self.queue.dispatch()

    def deliver(self, entry: Entry) -> None:
        """At the broker: send an entry to the client."""
        queue, send = self.queue, self.to_client.send
        (queue.redelivered if entry.redelivered else queue.delivered)(entry.message.id)
        if self.auto_ack:
            queue.acknowledged(entry.message.id)
            self.on_the_wire[entry] = None
        else:
            self.unacked[entry] = None
        send(entry, self._arrives)

    def _forgotten_arrives(self, entry: Entry) -> None:
        # The broker has forgotten it; only that it is on the wire has to be known.
        self.on_the_wire.pop(entry, None)
        self._on_delivery(entry)

    # --- what the client says ---------------------------------------------------------------------------------

    def ack(self, entry: Entry) -> None:
        """basic.ack; when the wire swallows it the broker delivers the entry again."""
        if not self.auto_ack:
            link = self.to_broker
            send = link.send
            send(entry, self._swallowed if link.duplicates and link.repeats() else self._acked)

    def reject(self, entry: Entry) -> None:
        """basic.reject without requeue: dead-lettered, or dropped."""
        if not self.auto_ack:
            self.to_broker.send(entry, self._rejected)

    def requeue(self, entry: Entry) -> None:
        """basic.reject with requeue: back to its original place."""
        if not self.auto_ack:
            self.to_broker.send(entry, self._requeued)

    def cancel(self, waiting: list[Entry]) -> None:
        """basic.cancel: no more deliveries; those that wait at the client are given back with basic.nack."""
        self.to_broker.send(Call(self._on_cancel, None), CALL)
        if not self.auto_ack:
            for entry in waiting:
                self.to_broker.send(entry, self._nacked)

    def _on_cancel(self, _: None) -> None:
        self._stop_receiving()

    def _on_swallowed(self, entry: Entry) -> None:
        # The broker learns that there is no acknowledgement when the connection is made anew.
        self.queue.clock.at(self.to_broker.repetition_ns(), lambda: self._on_requeue(entry))

    def forget(self, signal: Signal) -> None:
        """A transmission perished; under auto-ack a delivery is gone with it."""
        if isinstance(signal, Entry):
            self.on_the_wire.pop(signal, None)

    def _stop_receiving(self) -> None:
        self.open = False
        if self.waits_for_turn:
            self.queue.with_room.remove(self)
            self.waits_for_turn = False

    def _on_nack(self, entry: Entry) -> None:
        if self._settle(entry):
            self.queue.put_back([entry], counts=False)

    def _settle(self, entry: Entry) -> bool:
        # A settlement that arrives after its channel closed names a delivery that is no longer here.
        return self.unacked.pop(entry, self) is None

    def _on_ack(self, entry: Entry) -> None:
        if self.unacked.pop(entry, self) is not None:
            return
        queue = self.queue
        acknowledged = queue.acknowledged
        acknowledged(entry.message.id)
        if not self.waits_for_turn:
            queue.offer_room(self)
            if queue.fresh or queue.returned:
                queue.dispatch()

    def _on_reject(self, entry: Entry) -> None:
        if self._settle(entry):
            self.queue.broker.dead_letter(self.queue, entry, "rejected")
            self.queue.offer_room(self)
            self.queue.dispatch()

    def _on_requeue(self, entry: Entry) -> None:
        if self._settle(entry):
            self.queue.offer_room(self)
            self.queue.put_back([entry], counts=True)

    # --- leaving ----------------------------------------------------------------------------------------------

    def end(self) -> None:
        """The client is gone for good."""
        self.close()
        if self in self.queue.subscriptions:
            self.queue.subscriptions.remove(self)

    def close(self) -> None:
        """The channel is gone: all its unacknowledged entries return to their places."""
        self._stop_receiving()
        self.queue.clock.call_off({*self.on_the_wire, *self.unacked})
        self.on_the_wire.clear()
        entries = list(self.unacked)
        self.unacked.clear()
        self.queue.put_back(entries, counts=True)


class Publisher:
    """basic.publish over one connection, with confirms or without.

    With confirms, what was not confirmed when the connection broke is sent again on the next one (so that a lost
    confirm makes a duplicate); without, it counts as published as soon as it is sent.  `repeating` holds what the wire
    will repeat once more.
    """

    def __init__(self, broker: Broker, links: tuple[Link, Link], confirms: bool) -> None:
        self.broker = broker
        self.to_broker, self.to_client = links
        self.confirms = confirms
        self.unconfirmed: dict[Publication, None] = {}
        self.on_the_wire: dict[Publication, None] = {}
        self.repeating: dict[Publication, None] = {}
        self._down = False
        self._arrives: Stage = broker.receive if confirms else self._on_arrival
        self.answered: Stage = self._on_confirm
        """What a confirm or a refusal from the broker does at the client."""
        self.to_broker.on_lost = self._connection_breaks
        self.to_client.on_lost = self._connection_breaks

    def owes(self) -> bool:
        """Whether a confirm is awaited, or something is on the wire."""
        return bool(self.unconfirmed or self.on_the_wire or self.repeating)

    def owed(self) -> Iterator[Message]:
        """What is not known to have arrived."""
        for publication in (*self.unconfirmed, *self.on_the_wire, *self.repeating):
            yield publication.message

    def publish(self, message: Message, exchange: str, routing_key: str, answer: Answer | None,
                properties: Properties = PLAIN, context: Any = None) -> None:
        """Send a message to an exchange; `answer(publication, ok)` runs at the client when it is confirmed.

        `context` is the caller's own and stays with the publication.
        """
        publication = Publication(message, exchange, routing_key, answer, properties, context)
        if self.confirms:
            publication.publisher = self
            self.unconfirmed[publication] = None
        if not self._down:
            self._send(publication)
        elif not self.confirms:
            self.broker.lost(message.id)
        if not self.confirms and answer is not None:
            answer(publication, True)

    def _on_arrival(self, publication: Publication) -> None:
        # Without confirms nobody waits; only that it is on the wire has to be known.
        self.on_the_wire.pop(publication, None)
        self.broker.receive(publication)

    def _send(self, publication: Publication) -> None:
        if not self.confirms:
            self.on_the_wire[publication] = None
        link = self.to_broker
        send = link.send
        send(publication, self._arrives)
        if self.confirms and link.duplicates and link.repeats():
            self.repeating[publication] = None
            if link.repeats_after_ns is None:
                self._repeat(publication)
            else:
                self._repeat_later(publication)

    def _repeat_later(self, publication: Publication) -> None:
        self.broker.world.clock.at(self.to_broker.repetition_ns(), lambda: self._repeat(publication))

    def _repeat(self, publication: Publication) -> None:
        """A confirm got lost, and that of the repetition may be lost as well."""
        if publication not in self.repeating:
            return
        self.broker.repeated(publication.message.id)
        again = self.to_broker.repeats()
        if not again:
            del self.repeating[publication]
        self.to_broker.send(publication.repetition(), self._arrives)
        if again:
            self._repeat_later(publication)

    def forget(self) -> None:
        """The client dies: it hears no confirm any more; what is on the wire arrives, what waits for a cut does not."""
        self.unconfirmed.clear()
        self.repeating.clear()
        for signal in self.to_broker.forget_held():
            self.on_the_wire.pop(signal, None)  # type: ignore[call-overload]

    def _on_confirm(self, publication: Publication) -> None:
        first = publication.first or publication
        if first in self.unconfirmed:
            del self.unconfirmed[first]
            if first.answer is not None:
                first.answer(first, publication.ok)

    def _connection_breaks(self, signal: Signal) -> None:
        """What was on this connection is gone; what was not confirmed is sent again on the next one."""
        if isinstance(signal, Publication):
            self.broker.lost(signal.message.id)
            self.on_the_wire.pop(signal, None)
        if self._down:
            return
        self._down = True
        self.broker.world.clock.at(self.broker.world.clock.now_ns + RECONNECT_NS, self._reconnect)

    def _reconnect(self) -> None:
        self._down = False
        for publication in list(self.unconfirmed):
            self._send(publication.repetition())
