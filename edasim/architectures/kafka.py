"""Kafka: an order is accepted when the cluster acknowledges it; each service reads with a group of its own."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import merge
from typing import Any

from edasim.architectures.brokered import Brokered
from edasim.architectures.kafka_consumer import KafkaConsumer
from edasim.architectures.kafka_nodes import Nodes, cluster_for, producer_kind
from edasim.architectures.kafka_transactions import Identities, TransactionalConsumer
from edasim.brokers.kafka.cluster import ClusterTimes, Topic
from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.log import FIRST, Record, Retrying
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.producer import Producer
from edasim.brokers.kafka.protocols import consumer_group
from edasim.brokers.kafka.server_group import ServerGroup
from edasim.core.journal import Place, Verb
from edasim.core.link import Link
from edasim.core.message import Message
from edasim.scenario.architecture_options import KafkaOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.faults import Mend
from edasim.services.shop import Shop

BY_HAND: Mapping[str, Any] = {"enable.auto.commit": False}
CONSUMER_BY_COMMIT: Mapping[str, Mapping[str, Any]] = {
    "auto": {}, "record": BY_HAND, "poll": BY_HAND, "before": BY_HAND,
    "transaction": {**BY_HAND, "isolation.level": "read_committed"},
}
"""What `commit` means for consumers, unless the scenario says otherwise by the real names."""


class KafkaLetters:
    """The dead-letter topic of a service, read once from its beginning on; its records stay where they are.

    Copies go to a topic of the group's own, as retries do, so that no other group handles them again.
    """

    def __init__(self, kafka: Kafka, service: str) -> None:
        self.kafka = kafka
        self.service = service

    def lying(self) -> list[Record]:
        """All records, each partition's in its order; among partitions the one with the older message first."""
        topic = self.kafka.cluster.topics.get(f"{self.service}-dlt")
        partitions = topic.partitions if topic is not None else []
        return list(merge(*(one.readable(0, one.last_stable(), True) for one in partitions),
                          key=lambda record: record.message.id))

    def send(self, letter: Record, done: Callable[[], None]) -> None:
        """Append a copy to the group's redrive topic."""
        topic = self.kafka.cluster.topics[f"{self.service}-redrive"]
        self.kafka.send(f"{self.service}-redrive", letter.message, topic, FIRST, done)


class Kafka(Brokered[KafkaConsumer]):
    """The wiring: a topic for each event type, a group for each service, retry and dead-letter topics of its own."""

    name = "kafka"

    def __init__(self, shop: Shop, options: KafkaOptions) -> None:
        super().__init__(shop)
        self.options = options
        version = options.version
        self.topic_options: dict[str, Any] = resolve("kafka topic", version, options.topic)
        self.producer_options: dict[str, Any] = resolve("kafka producer", version, options.producer)
        given = {**CONSUMER_BY_COMMIT[options.commit], **options.consumer}
        self.consumer_options: dict[str, Any] = resolve("kafka consumer", version, given)
        self.broker_options: dict[str, Any] = resolve("kafka broker", version, options.broker)
        # As many brokers as replicas, the smallest cluster that can hold the topics.
        self.cluster = cluster_for(shop.scenario, shop.world, self._times(),
                                   int(self.topic_options["replication.factor"]), self.broker_options)
        self.cluster.keeps_segments |= options.commit == "transaction"
        self.identities = Identities()
        self._consumer_kind = TransactionalConsumer if options.commit == "transaction" else KafkaConsumer
        self.nodes = Nodes(self.cluster, self._reach)
        self.parts = frozenset({"broker", *self.nodes.names})
        self._producer_kind = producer_kind(self.cluster, shop.scenario, self.producer_options)
        self._retry_topics: dict[str, list[Topic]] = {}
        self.producers: dict[str, Producer] = {}
        self.senders = self.producers
        self.refusing = self.cluster.refusing
        self._answer = self._answer_customer
        self.groups: dict[str, Group | ServerGroup] = {}
        self._instances: dict[str, list[Member]] = {}

    def _times(self) -> ClusterTimes:
        wire = self.shop.scenario.wire
        return ClusterTimes(*(wire.latency(step).quantile_ns for step in ("broker-to-broker", "append")))

    def _joined(self, service: str) -> bool:
        return service in self.groups

    # --- wiring -----------------------------------------------------------------------------------------------

    def topic(self, event: str) -> Topic:
        """The topic of an event type."""
        if event not in self.cluster.topics:
            self.cluster.create_topic(event, self.topic_options, keyed=self.options.key)
        return self.cluster.topics[event]

    def retry_topic(self, service: str, attempts_made: int) -> Topic:
        """The topic in which a service's messages wait for another attempt after so many."""
        topics = self._retry_topics[service]
        return topics[min(attempts_made, len(topics)) - 1]

    def _create_retry_topics(self, service: str) -> None:
        """One for all attempts, or one for each, so that who waits long is not in the way of who waits shortly."""
        attempts = self.shop.policy(service).spec.attempts
        names = [f"{service}-retry"]
        if self.options.retry_topics == "each" and attempts is not None:
            names = [f"{service}-retry-{number}" for number in range(1, max(2, attempts))]
        self._retry_topics[service] = [
            self.cluster.create_topic(name, self.topic_options, service, keyed=self.options.key) for name in names]

    def dead_letter_topic(self, service: str) -> Topic:
        """The topic in which a service's messages wait for a person."""
        return self.cluster.topics[f"{service}-dlt"]

    def begin(self) -> None:
        """Create the topics; groups that exist from the beginning stand joined and stable at offset 0."""
        for producer in self.shop.scenario.producers.values():
            self.topic(producer.publishes)
        for name, spec in self.shop.scenario.services.items():
            for event in spec.handles:
                self.topic(event)
            for publication in spec.publishes:
                self.topic(publication.event)
            if self.shop.policy(name).spec.where != "worker":
                self._create_retry_topics(name)
            if spec.redrive is not None:
                self.cluster.create_topic(f"{name}-redrive", self.topic_options, name, keyed=self.options.key)
            if spec.dead_letters:
                self.cluster.create_topic(f"{name}-dlt", self.topic_options, name, parking=True,
                                          keyed=self.options.key)
        for name, spec in self.shop.scenario.services.items():
            if spec.joins:
                self.clock.at(spec.joins, lambda name=name: self._join(name))  # type: ignore[misc]
            else:
                group = self._group(name)
                consumers = [self._new_consumer(name) for _ in range(int(spec.workers))]
                group.begin([consumer.member for consumer in consumers])
                for consumer in consumers:
                    consumer.start()

    def _group(self, name: str) -> Group | ServerGroup:
        spec = self.shop.scenario.services[name]
        topics = [self.topic(event) for event in spec.handles]
        if self.shop.policy(name).spec.where != "worker":
            topics += self._retry_topics[name]
        if spec.redrive is not None:
            topics.append(self.cluster.topics[f"{name}-redrive"])
        group = self.groups[name] = consumer_group(self.shop.world, name, topics, self.consumer_options,
                                                    self.broker_options)
        self.shop.world.add_part(group)
        self._redrive(name, KafkaLetters(self, name))
        return group

    def _new_consumer(self, name: str) -> KafkaConsumer:
        worker = self.next_worker(name)
        consumer = self._consumer_kind(self, self.shop.services[name], self.groups[name], worker)
        if self.consumer_options["group.instance.id"] is not None:
            self._name_instance(name, consumer.member)
        self.consumers[name].append(consumer)
        self.shop.world.add_part(consumer.consumer)
        self.shop.world.add_part(consumer)
        return consumer

    def _name_instance(self, name: str, member: Member) -> None:
        """A static member takes the first name that no living one has: group.instance.id, a hyphen, and a number."""
        known = self._instances.setdefault(name, [])
        place = next((place for place, one in enumerate(known) if not one.alive), len(known))
        known[place : place + 1] = [member]
        member.instance = f"{self.consumer_options['group.instance.id']}-{place + 1}"

    def _join(self, name: str) -> None:
        self._group(name)
        self._hire(name, int(self.shop.scenario.services[name].workers))

    def _hire(self, name: str, number: int) -> None:
        for _ in range(number):
            self._new_consumer(name).join()

    def _producer(self, name: str) -> Producer:
        producer = self.producers.get(name)
        if producer is None:
            hop = self.shop.network.link
            links: tuple[Link, Link] = (
                hop(name, "broker", ("producer-to-broker", "append"), "producer"),
                hop("broker", name, ("broker-to-producer",), "producer"),
            )
            producer = self.producers[name] = self._producer_kind(self.cluster, name, links, self.producer_options)
            self.shop.world.add_part(producer)
        return producer

    # --- orders and events ------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Hand the order to the producer; the customer is answered when it is acknowledged or given up."""
        producer = self.producers.get(request.source.name) or self._producer(request.source.name)
        producer.send(request.message, self.cluster.topics[request.message.event], self._answer, request)

    def _answer_customer(self, request: Request, ok: bool) -> None:
        self.shop.client.answer(request, ok, "broker refused")

    def send(self, service: str, message: Message, topic: Topic, retry: Retrying = FIRST,
             done: Callable[[], None] | None = None) -> None:
        """Publish for a service until the cluster takes it; then `done` runs.  What it never can take is dropped."""
        producer = self._producer(service)

        def answered(_: object, ok: bool) -> None:
            if not ok and producer.fits(message):
                self.send(service, message, topic, retry, done)
                return
            if not ok:
                self.dropped(service, message)
            if done is not None:
                done()

        producer.send(message, topic, answered, None, retry)

    def dead_lettered(self, service: str, message: Message) -> None:
        """A service gave a message up."""
        self.shop.world.journal.record(Verb.dead_lettered, message.id, Place("service", service, service))

    def dropped(self, service: str, message: Message) -> None:
        """A service without dead letters gave a message up."""
        self.shop.world.journal.record(Verb.dropped, message.id, Place("service", service, service))

    # --- faults and changes -----------------------------------------------------------------------------------

    def end_part(self, part: str, *, properly: bool) -> Mend:
        """Nodes go; what is lost by that, the log and its replicas say.  Clients notice by themselves."""
        return self.nodes.end(part, properly=properly)

    def hold(self, part: str) -> None:
        """The cluster cannot be reached, or one of its nodes is stuck."""
        if part in self.nodes.names:
            self.nodes.pause(part)
        else:
            super().hold(part)

    def release(self, part: str) -> None:
        """Undo one `hold`."""
        if part in self.nodes.names:
            self.nodes.resume(part)
        else:
            super().release(part)

    def _reach(self, reached: bool) -> None:
        """Without any node there is nobody to take commits and heartbeats either."""
        (self.release if reached else self.hold)("broker")

    def configure(self, scenario: Scenario) -> None:
        """More or fewer members, other latencies."""
        self.cluster.use(self._times())
        for name in self.groups:
            self._fill(name)
