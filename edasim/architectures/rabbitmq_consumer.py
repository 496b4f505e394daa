"""One worker of a service on RabbitMQ; see kafka_consumer for the same on Kafka."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edasim.brokers.rabbitmq.channel import Subscription
from edasim.brokers.rabbitmq.entry import Entry, Properties
from edasim.brokers.rabbitmq.queue import Queue
from edasim.core.clock import Signal
from edasim.core.link import CALL, RECONNECT_NS, Call
from edasim.core.message import Message
from edasim.services.consumer import Consumer
from edasim.services.crowd import Crowd
from edasim.services.protected_consumer import consumer_of
from edasim.services.service import Service
from edasim.services.worker import Worker

HEARTBEAT_NS = 60_000_000_000
"""The heartbeat timeout that server and clients agree on by default, 60 s (RabbitMQ documentation, Heartbeats)."""

if TYPE_CHECKING:
    from edasim.architectures.rabbitmq import RabbitMq


class RabbitConsumer:
    """One worker of a service: a consumer on a channel of its own, with the deliveries that wait at the client.

    Where workers are unlimited, one consumer with a handler for each delivery.
    """

    def __init__(self, rabbit: RabbitMq, service: Service, queue: Queue, worker: Worker) -> None:
        self.rabbit = rabbit
        self.worker = worker
        self.queue = queue
        self.leaving = False
        self._unsettled = 0
        shop = rabbit.shop
        self.service = service
        self.policy = shop.policy(service.name)
        self.unlimited = service.spec.workers == math.inf
        self.consumer: Consumer | Crowd = Crowd(self._hand) if self.unlimited else self._new_hand(worker)
        hop = shop.network.link
        links = (
            hop("broker", service.name, ("broker-to-consumer",), worker.name),
            hop(service.name, "broker", ("consumer-to-broker",), worker.name),
        )
        self.subscription = Subscription(queue, links, self.consumer.offer, rabbit.options.prefetch,
                                         rabbit.options.auto_ack)
        self._ack = self.subscription.ack
        if isinstance(self.consumer, Consumer):
            self.consumer.settle = self.subscription.ack
        for link in links:
            link.on_lost = self._connection_lost
        self.subscription.to_broker.on_cut = self._cut_off
        self._cut_since_ns = 0

    def _new_hand(self, worker: Worker) -> Consumer:
        hand = consumer_of(self.rabbit.shop, self.service, worker)
        hand.intake = self
        return hand

    def _hand(self) -> Consumer:
        hand = self._new_hand(self.rabbit.next_worker(self.service.name))
        hand.settle = self.subscription.ack
        return hand

    # --- what the consumer does with a delivery ---------------------------------------------------------------

    def _close_when_settled(self) -> None:
        if not self._unsettled and not self.consumer.busy:
            self._close()

    def handled(self, entry: Entry, messages: list[Message]) -> None:
        """Publish what follows from it, and acknowledge once that is safe."""
        if not messages:
            self._ack(entry)
            return
        self._unsettled += 1
        self.rabbit.publish_all(self.service.name, messages, lambda: self._settle(entry))

    def _settle(self, entry: Entry) -> None:
        """What had to be published first is safe with the broker."""
        self._unsettled -= 1
        self.subscription.ack(entry)
        if self.leaving:
            self._close_when_settled()

    def again(self, entry: Entry, attempts_made: int, wait_ns: int) -> None:
        """Send a copy to the tail of its queue (after the wait) or aside (with the wait as its time to live)."""
        self._unsettled += 1
        if self.policy.spec.where == "aside" and wait_ns > 0:
            properties = Properties(expiration_ns=wait_ns, attempt=attempts_made, last_wait_ns=wait_ns,
                                    deaths=entry.properties.deaths)
            self._resend(entry, self.rabbit.retry_queue(self.queue).name, properties)
            return
        properties = Properties(attempt=attempts_made, last_wait_ns=wait_ns, deaths=entry.properties.deaths)
        if wait_ns:
            clock = self.worker.clock
            clock.at(clock.now_ns + wait_ns, lambda: self._resend(entry, self.queue.name, properties))
        else:
            self._resend(entry, self.queue.name, properties)

    def _resend(self, entry: Entry, queue: str, properties: Properties) -> None:
        if self.worker.alive:
            self.rabbit.publish(self.service.name, entry.message, ("", queue), properties,
                                lambda: self._settle(entry))

    def dead_letter(self, entry: Entry) -> None:
        """Reject it: the queue's dead-letter exchange has the rest."""
        self.subscription.reject(entry)

    # --- coming and going -------------------------------------------------------------------------------------

    def _connection_lost(self, signal: Signal) -> None:
        self.subscription.forget(signal)
        self.lose_connection()

    def lose_connection(self) -> None:
        """The channel's deliveries return to the queue; the client forgets those that it has not begun."""
        if not self.subscription.open:
            return
        self.consumer.waiting.clear()
        self.subscription.close()
        clock = self.worker.clock
        clock.at(clock.now_ns + RECONNECT_NS, self._reconnect)

    def _cut_off(self, is_cut: bool) -> None:
        # Without heartbeats both ends give the connection up after a while.
        if is_cut:
            clock = self.worker.clock
            self._cut_since_ns = clock.now_ns
            clock.at(clock.now_ns + HEARTBEAT_NS, self._heartbeats_missed)
        elif not self.subscription.open:
            self._reconnect()

    def _heartbeats_missed(self) -> None:
        silent_ns = self.worker.clock.now_ns - self._cut_since_ns
        if self.subscription.open and self.subscription.to_broker.is_cut and silent_ns >= HEARTBEAT_NS:
            self.consumer.waiting.clear()
            for link in (self.subscription.to_broker, self.subscription.to_client):
                link.forget_held()
            self.subscription.close()

    def _reconnect(self) -> None:
        if self.worker.alive and not self.leaving:
            self.subscription.start()

    def die(self) -> None:
        """The process is gone; the broker learns it when the connection closes."""
        self.worker.alive = False
        self.consumer.die()
        self.subscription.to_broker.forget_held()
        self._close()

    def leave(self) -> None:
        """Cancel, give back what only waits, finish what is in hands, then close."""
        self.leaving = True
        waiting = list(self.consumer.waiting)
        self.consumer.retire()
        self.subscription.cancel(waiting)
        self.consumer.on_idle = self._close_when_settled
        self._close_when_settled()

    def _close(self) -> None:
        self.subscription.to_broker.send(Call(lambda subscription: subscription.end(), self.subscription), CALL)
