"""A worker that consumes, transforms and produces in transactions: `commit: transaction`.

Each poll is one transaction: what its records make the worker publish, copies for retry and dead-letter topics
included, shows together with the offsets, or not at all.  Effects outside of Kafka are no part of it.

Sources: KIP-98, KIP-447; apache/kafka, examples/ExactlyOnceMessageProcessor (each instance has a transactional.id of
its own, which the one that replaces it takes over; after an abort it reads again from the committed offsets).
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edasim.architectures.kafka_consumer import KafkaConsumer
from edasim.brokers.kafka.bounded_producer import BoundedProducer
from edasim.brokers.kafka.cluster import Cluster, Topic
from edasim.brokers.kafka.failover_producer import FailoverProducer
from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.log import FIRST, Partition, Record, Retrying
from edasim.brokers.kafka.server_group import ServerGroup
from edasim.brokers.kafka.transactional_producer import TransactionalFailoverProducer, TransactionalProducer
from edasim.core.link import Link
from edasim.core.message import Message
from edasim.services.service import Service
from edasim.services.worker import Worker

if TYPE_CHECKING:
    from edasim.architectures.kafka import Kafka


class TransactionalBoundedProducer(TransactionalProducer, BoundedProducer):
    """A transactional producer of a cluster whose nodes do not fail."""


def _producer_kind(cluster: Cluster) -> type[TransactionalProducer]:
    fails = issubclass(cluster.producer_kind, FailoverProducer)
    return TransactionalFailoverProducer if fails else TransactionalBoundedProducer


class TransactionalConsumer(KafkaConsumer):
    """One worker of a service; `identity` is its transactional.id, the lowest free one, as restarted processes have."""

    def __init__(self, kafka: Kafka, service: Service, group: Group | ServerGroup, worker: Worker) -> None:
        super().__init__(kafka, service, group, worker)
        self.identity = kafka.identities.take(service.name)
        hop = kafka.shop.network.link
        links: tuple[Link, Link] = (
            hop(service.name, "broker", ("producer-to-broker", "append"), f"{worker.name} producer"),
            hop("broker", service.name, ("broker-to-producer",), f"{worker.name} producer"),
        )
        options = {**kafka.producer_options, "transactional.id": self.identity}
        self.producer = _producer_kind(kafka.cluster)(kafka.cluster, self.identity, links, options)
        kafka.shop.world.add_part(self.producer)
        self.member.on_record = self._on_poll
        self.consumer.on_idle = self._on_all_handled
        self._upto: dict[Partition, int] = {}
        self._leaving = False

    # --- what the consumer does with a record -----------------------------------------------------------------

    def _on_poll(self, first: Record) -> None:
        self._upto = self._moved(self.member.consumed())
        self.producer.begin()
        self.consumer.take(first)

    def _moved(self, upto: Mapping[Partition, int]) -> dict[Partition, int]:
        assigned = self.member.assigned
        return {partition: offset for partition, offset in upto.items()
                if partition in assigned and offset != assigned[partition].committing}

    def handled(self, record: Record, messages: list[Message]) -> None:
        """Publish what follows from it, in the transaction.

        A service that recognises the record publishes again what it did then: that may have been aborted.
        """
        for message in messages or self.consumer.service.earlier_answer(record.message):
            self._send(message, self.kafka.topic(message.event))

    def _settle(self, record: Record) -> None:
        """The transaction settles it."""

    def again(self, record: Record, attempts_made: int, wait_ns: int) -> None:
        """Send a copy to the group's own retry topic, in the transaction."""
        retry = Retrying(attempts_made, self.worker.clock.now_ns + wait_ns, wait_ns)
        self._send(record.message, self.kafka.retry_topic(self.consumer.service.name, attempts_made), retry)

    def dead_letter(self, record: Record) -> None:
        """Send a copy to the service's dead-letter topic, in the transaction, if it has one."""
        service = self.consumer.service
        if service.spec.dead_letters:
            self.kafka.dead_lettered(service.name, record.message)
            self._send(record.message, self.kafka.dead_letter_topic(service.name))
        else:
            self.kafka.dropped(service.name, record.message)

    def _send(self, message: Message, topic: Topic, retry: Retrying = FIRST) -> None:
        if self.producer.fits(message):
            self.producer.send(message, topic, retry=retry)
        else:
            self.kafka.dropped(self.consumer.service.name, message)

    # --- the end of a transaction -----------------------------------------------------------------------------

    def _on_all_handled(self) -> None:
        self._commit(self._upto)

    def _commit(self, offsets: Mapping[Partition, int]) -> None:
        def sent(error: str) -> None:
            if error:
                self._abort()
            else:
                self.producer.commit(committed)

        def committed(error: str) -> None:
            if error:
                self._abort()
                return
            for partition, progress in self.member.assigned.items():
                progress.committing = offsets.get(partition, progress.committing)
            self._next()

        self.producer.send_offsets(self.group, self.member, offsets, sent)

    def _abort(self) -> None:
        """Nothing of it counts; a fenced producer begins anew, and all is read again from the committed offsets."""
        def ended(error: str) -> None:
            if error:
                self.producer.init(lambda _: self._rewind())
            else:
                self._rewind()

        self.producer.abort(ended)

    def _rewind(self) -> None:
        for partition, progress in list(self.member.assigned.items()):
            if progress.consumed != progress.committing:
                self.member.seek(partition, progress.committing)
        self._next()

    def _next(self) -> None:
        if self._leaving:
            self._gone()
        else:
            self.member.poll()

    # --- coming and going -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to poll as soon as the producer is initialised."""
        self.producer.init(lambda _: self._next())

    def join(self) -> None:
        """Ask to be let into the group as soon as the producer is initialised."""
        self.producer.init(lambda _: self._gone() if self._leaving else super(TransactionalConsumer, self).join())

    def die(self) -> None:
        """No goodbye: its transaction stays open until another takes its transactional.id, or it times out."""
        super().die()
        self.producer.forget()
        self.kafka.identities.give_back(self.identity)

    def leave(self) -> None:
        """Finish the record in hands, end the transaction with what is handled, and leave the group."""
        self._leaving = True
        self.consumer.on_idle = self._commit_what_is_handled
        self.consumer.retire()
        if not self.consumer.busy and not self.producer.is_open:
            self._gone()

    def _commit_what_is_handled(self) -> None:
        self._commit(self._moved(self._handled_upto()))

    def _gone(self) -> None:
        if self.member.alive:
            self.member.die()
            self.group.leave(self.member)
            self.kafka.identities.give_back(self.identity)


class Identities:
    """The transactional ids in use: `payment-1` and so on, the lowest that is free."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, service: str) -> str:
        """A free one."""
        number = 1
        while f"{service}-{number}" in self._used:
            number += 1
        self._used.add(f"{service}-{number}")
        return f"{service}-{number}"

    def give_back(self, identity: str) -> None:
        """Its holder has gone."""
        self._used.discard(identity)
