"""One worker of a service on Kafka; see rabbitmq_consumer for the same on RabbitMQ."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.log import Record, Retrying
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.server_group import ServerGroup
from edasim.core.link import Link
from edasim.core.message import Message
from edasim.services.protected_consumer import consumer_of
from edasim.services.service import Service
from edasim.services.worker import Worker

if TYPE_CHECKING:
    from edasim.architectures.kafka import Kafka


class KafkaConsumer:
    """One worker of a service: a member of its group, which handles what a poll returned record by record."""

    unlimited = False

    def __init__(self, kafka: Kafka, service: Service, group: Group | ServerGroup, worker: Worker) -> None:
        self.kafka = kafka
        self.worker = worker
        self.group = group
        shop = kafka.shop
        self.consumer = consumer_of(shop, service, worker)
        self.consumer.intake = self
        hop = shop.network.link
        links: tuple[Link, Link] = (
            hop(service.name, "broker", ("consumer-to-broker",), worker.name),
            hop("broker", service.name, ("broker-to-consumer",), worker.name),
        )
        self.member = Member(shop.world, group, worker.name, links, kafka.consumer_options)
        # A poll is the next thing when all that the last one returned is handled.
        self.consumer.on_idle = self._commit_and_poll if kafka.options.commit == "poll" else self.member.poll
        self.consumer.settle = self._settle
        self.member.on_record = self.consumer.take
        self.member.on_failure = self._fails
        self.consumer.waiting = self.member.polled
        self.commit = kafka.options.commit
        self._by_record = self.commit == "record"
        self._to_broker = links[0]
        self._coming_again: dict[Record, None] = {}
        self.member.commit_before = self.commit == "before"

    # --- what the consumer does with a record -----------------------------------------------------------------

    def _commit_and_poll(self) -> None:
        self.member.commit()
        self.member.poll()

    def handled(self, record: Record, messages: list[Message]) -> None:
        """Publish what follows from it; the record is passed."""
        for message in messages:
            self.kafka.send(self.consumer.service.name, message, self.kafka.topic(message.event))
        self._settle(record)

    def _settle(self, record: Record) -> None:
        if self._by_record or self._to_broker.duplicates:
            self._passed(record)

    def _passed(self, record: Record) -> None:
        member = self.member
        if member.to_broker.duplicates and member.to_broker.repeats():
            self._coming_again[record] = None
            self.worker.clock.at(member.to_broker.repetition_ns(), lambda: self._give_again(record))
        elif self.commit == "record":
            member.commit({record.partition: record.offset + 1})

    def _give_again(self, record: Record) -> None:
        self._coming_again.pop(record, None)
        self.member.give_again(record)

    def owes(self) -> bool:
        """Whether a record will be handed over again because word of its handling got lost."""
        return bool(self._coming_again)

    def owed(self) -> list[Message]:
        """Those records' messages."""
        return [record.message for record in self._coming_again]

    def again(self, record: Record, attempts_made: int, wait_ns: int) -> None:
        """Send a copy to the group's own retry topic, to be handled when its wait is over."""
        service = self.consumer.service.name
        retry = Retrying(attempts_made, self.worker.clock.now_ns + wait_ns, wait_ns)
        self.kafka.send(service, record.message, self.kafka.retry_topic(service, attempts_made), retry)
        self._passed(record)

    def dead_letter(self, record: Record) -> None:
        """Send a copy to the service's dead-letter topic, if it has one."""
        service = self.consumer.service
        if service.spec.dead_letters:
            self.kafka.dead_lettered(service.name, record.message)
            self.kafka.send(service.name, record.message, self.kafka.dead_letter_topic(service.name))
        else:
            self.kafka.dropped(service.name, record.message)
        self._passed(record)

    def _fails(self) -> None:
        """A poll raises: the process closes its consumer and ends, and nobody starts it again."""
        self.consumer.retire()
        self.member.die()
        self.group.leave(self.member)

    # --- coming and going -------------------------------------------------------------------------------------

    def start(self) -> None:
        """A member that stands joined begins to poll."""
        self.member.poll()

    def join(self) -> None:
        """Ask to be let into the group."""
        self.member.polling = True
        self.group.join(self.member)

    def die(self) -> None:
        """No goodbye: the coordinator waits for session.timeout.ms."""
        self.consumer.die()
        self._coming_again.clear()
        self.member.die()
        self.group.lose(self.member)

    def leave(self) -> None:
        """Finish the record in hands, commit, and leave the group."""
        self.consumer.on_idle = self._goodbye
        self.consumer.retire()
        if not self.consumer.busy:
            self._goodbye()

    def _goodbye(self) -> None:
        member = self.member
        if member.alive:
            if member.auto_commit or self.commit == "poll":
                member.commit(self._handled_upto())
            member.die()
            self.group.leave(member)

    def _handled_upto(self) -> dict[Any, int]:
        # close() commits positions; what a poll returned but nobody handled is given back first.
        upto = self.member.consumed()
        for record in reversed(self.member.polled):
            upto[record.partition] = record.offset
        return upto
