"""Tiny worlds for tests: one broker with its clients, hops of a constant length, and what everybody saw.

Times are milliseconds here. A message is named by its event type, so that `rabbit.publish("a", "b")` and
`["a", "b"]` can be read side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.brokers.kafka.cluster import Cluster, ClusterTimes, Topic
from edasim.brokers.kafka.failover_producer import FailoverProducer
from edasim.brokers.kafka.log import FIRST, Record
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.producer import Producer
from edasim.brokers.kafka.protocols import consumer_group
from edasim.brokers.kafka.transactional_producer import TransactionalFailoverProducer, TransactionalProducer
from edasim.brokers.rabbitmq.broker import Broker
from edasim.brokers.rabbitmq.channel import Publisher, Subscription
from edasim.brokers.rabbitmq.entry import Death, Entry, Properties
from edasim.brokers.rabbitmq.majority import BrokerTimes
from edasim.brokers.rabbitmq.queue import Queue
from edasim.core.distribution import parse_distribution
from edasim.core.draws import Law
from edasim.core.journal import Fact
from edasim.core.link import Link
from edasim.core.world import World
from edasim.scenario.broker_options import resolve
from edasim.scenario.value import Scenario
from edasim.simulate import Run

MS = 1_000_000
ARCHITECTURES = ("monolith", "rpc", "kafka", "rabbitmq")
BROKERED = ("kafka", "rabbitmq")


def takes(delay_ms: float | str) -> Law:
    """The law of what always takes equally long, or of what takes as long as a text says."""
    if isinstance(delay_ms, str):
        return parse_distribution(delay_ms).quantile_ns

    def law(uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.full(uniforms.shape, round(delay_ms * MS), np.int64)

    return law


class Bench:
    """A world and its clock; `now_ms` is the time, `facts` are the facts of one verb as texts."""

    def __init__(self, hop_ms: float | str) -> None:
        self.world = World(seed=1)
        self.hop = takes(hop_ms)

    @property
    def now_ms(self) -> float:
        return self.world.clock.now_ns / MS

    def advance(self, by_ms: float) -> None:
        """Let time pass, and hold the books against the live containers."""
        self.world.clock.advance(self.world.clock.now_ns + round(by_ms * MS))
        self.world.conservation.check()

    def links(self, client: str) -> tuple[Link, Link]:
        """The way of a client to the broker, and back."""
        there = self.world.link(client, "broker", [self.hop])
        return there, self.world.link("broker", client, [self.hop])

    def facts(self, verb: str, place: str = "") -> list[str]:
        """The names of the messages to which it happened, in order, at places whose name begins so."""
        return [self.world.messages[fact.number].event for fact in self._of(verb, place)]

    def times_ms(self, verb: str, place: str = "") -> list[float]:
        """When it happened."""
        return [round(float(fact.time_s) * 1000, 6) for fact in self._of(verb, place)]

    def numbers(self, verb: str, place: str = "") -> list[int]:
        """The numbers of facts that are not about messages: offsets, generations."""
        return [fact.number for fact in self._of(verb, place)]

    def _of(self, verb: str, place: str) -> list[Fact]:
        return [fact for fact in self.world.journal
                if fact.verb == verb and fact.place.name.startswith(place)]


# --- RabbitMQ ------------------------------------------------------------------------------------------------


class Rabbit(Bench):
    """A RabbitMQ broker with one publisher; `answers` are the confirms that it heard, as (name, ok).

    `disk` is how long a flush takes: milliseconds, or a distribution as a scenario writes it.
    """

    def __init__(self, hop_ms: float = 0, disk: float | str = 0, *, confirms: bool = True,
                 persistent: bool = False, version: str = "4.3", priorities: bool = False) -> None:
        super().__init__(hop_ms)
        self.version = version
        self.broker = Broker(self.world, BrokerTimes(self.hop, takes(disk)), persistent,
                             version if priorities else None)
        self.publisher = Publisher(self.broker, self.links("checkout"), confirms)
        self.world.add_part(self.publisher)
        self.answers: list[tuple[str, bool]] = []
        self.answers_ms: list[float] = []

    def queue(self, name: str = "q", parking: bool = False, **arguments: object) -> Queue:
        """Declare a queue; `max_length=2` is x-max-length, `dead_letters_to="d"` names another queue."""
        given = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
        target = given.pop("x-dead-letters-to", None)
        if target is not None:
            given |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": target}
        resolved = resolve("rabbitmq queue", self.version, given)
        return self.broker.declare_queue(name, resolved, parking=parking)

    def publish(self, *names: str, to: str = "q", exchange: str = "", ttl_ms: float | None = None,
                priority: int | None = None) -> None:
        """Publish messages one after another, by default to the default exchange."""
        for name in names:
            now = self.world.clock.now_ns
            place = self.world.messages.placing(priority)
            message = place(name, len(self.world.messages) + 1, None, 1000, now)
            properties = Properties(expiration_ns=None if ttl_ms is None else round(ttl_ms * MS))
            self.publisher.publish(message, exchange, to, self._heard, properties)

    def _heard(self, publication: Any, ok: bool) -> None:
        self.answers.append((publication.message.event, ok))
        self.answers_ms.append(self.now_ms)

    def consumer(self, queue: str = "q", prefetch: int | None = None, auto_ack: bool = False) -> RabbitReader:
        """A consumer that only collects what it gets."""
        return RabbitReader(self, self.broker.queues[queue], prefetch, auto_ack)

    def ready(self, queue: str = "q") -> list[str]:
        """What is ready in a queue, the next one first."""
        held = self.broker.queues[queue]
        entries = [*held.fresh, *(entry for _, entry in held.returned)]
        return [entry.message.event for entry in sorted(entries, key=lambda entry: entry.position)]

    def deaths(self, queue: str) -> tuple[Death, ...]:
        """The x-death of the message at the head of a queue."""
        held = self.broker.queues[queue]
        return (held.fresh or [entry for _, entry in held.returned])[0].properties.deaths


class RabbitReader:
    """A consumer: `entries` are its deliveries in the order in which they came, `got` their names."""

    def __init__(self, rabbit: Rabbit, queue: Queue, prefetch: int | None, auto_ack: bool) -> None:
        number = len(queue.subscriptions) + 1
        to_broker, to_client = rabbit.links(f"{queue.name}-reader-{number}")
        self.entries: list[Entry] = []
        self.subscription = Subscription(queue, (to_client, to_broker), self.entries.append, prefetch, auto_ack)
        self.subscription.start()

    @property
    def got(self) -> list[str]:
        return [entry.message.event for entry in self.entries]

    @property
    def redelivered(self) -> list[bool]:
        return [entry.redelivered for entry in self.entries]

    def entry(self, name: str) -> Entry:
        """The latest delivery of a message."""
        return next(entry for entry in reversed(self.entries) if entry.message.event == name)

    def ack(self, *names: str) -> None:
        for name in names:
            self.subscription.ack(self.entry(name))

    def reject(self, name: str) -> None:
        self.subscription.reject(self.entry(name))

    def requeue(self, name: str) -> None:
        self.subscription.requeue(self.entry(name))

    def crash(self) -> None:
        """The connection is gone; the broker knows it at once."""
        self.subscription.close()


# --- Kafka ---------------------------------------------------------------------------------------------------


class KafkaBench(Bench):
    """A Kafka cluster with one topic, `orders`; `answers` are what producers heard, as (name, ok)."""

    kind: type[Cluster] = Cluster

    def __init__(self, partitions: int = 1, replicas: int = 1, hop_ms: float | str = 0, *,  # noqa: PLR0913
                 nodes: int = 1, version: str = "4.3", segments: bool = False,
                 broker: Mapping[str, object] | None = None, **options: object) -> None:
        super().__init__(hop_ms)
        self.version = version
        self.cluster_options = resolve("kafka broker", version, dotted(broker or {}))
        self.cluster = self.kind(self.world, ClusterTimes(self.hop, takes(0)), nodes, self.cluster_options)
        self.cluster.keeps_segments = segments
        self.topic_options = dotted(options)
        self.topic = self.create("orders", partitions, replicas)
        self.answers: list[tuple[str, bool]] = []
        self.answers_ms: list[float] = []
        self._members = 0

    def create(self, name: str, partitions: int, replicas: int = 1) -> Topic:
        given = {"partitions": partitions, "replication.factor": replicas, **self.topic_options}
        return self.cluster.create_topic(name, resolve("kafka topic", self.version, given))

    def producer(self, name: str = "checkout", **options: object) -> KafkaWriter:
        """A producer; `linger_ms=0` is linger.ms. Without options it sends each record at once."""
        given = {"linger.ms": 0, **dotted(options)}
        producer = self.cluster.producer_kind(self.cluster, name, self.links(name),
                                              resolve("kafka producer", self.version, given))
        self.world.add_part(producer)
        return KafkaWriter(self, producer)

    def transactional(self, name: str = "shipping", **options: object) -> KafkaTransactions:
        """An initialised producer whose transactional.id is its name."""
        given = {"linger.ms": 0, "transactional.id": name, **dotted(options)}
        fails = issubclass(self.cluster.producer_kind, FailoverProducer)
        kind = TransactionalFailoverProducer if fails else TransactionalProducer
        producer = kind(self.cluster, name, self.links(f"{name} {len(self.world.links)}"),
                        resolve("kafka producer", self.version, given))
        self.world.add_part(producer)
        writer = KafkaTransactions(self, producer)
        producer.init(writer.ended.append)
        return writer

    def append(self, *names: str, partition: int = 0) -> None:
        """Records that are simply there, in one batch."""
        placed = self.world.messages.place
        start, now = len(self.world.messages) + 1, self.world.clock.now_ns
        messages = [placed(name, start + number, None, 1000, now) for number, name in enumerate(names)]
        self.topic.partitions[partition].append([(message, FIRST, None, None) for message in messages])

    def put(self, **values: str | None) -> None:
        """Records with these keys, each in a batch of its own; None is a tombstone."""
        for key, value in values.items():
            messages, now = self.world.messages, self.world.clock.now_ns
            order = len(messages) + 1
            message = (messages.tombstone("", order, key, now) if value is None
                       else messages.place(value, order, key, 1000, now))
            self.topic.partitions[0].append([(message, FIRST, None, None)])

    def group(self, members: int = 1, name: str = "payment", *, begin: bool = True,
              initial_delay_ms: float = 3000, **options: object) -> KafkaGroup:
        """A group that stands joined and stable at offset 0, or (`begin=False`) one that nobody has joined."""
        return KafkaGroup(self, name, members if begin else 0, initial_delay_ms, dotted(options))

    def log(self, partition: int = 0) -> list[str]:
        """The names of the records in a partition, from offset 0 on."""
        return [record.message.event for record in self.topic.partitions[partition].records]


def dotted(options: Mapping[str, object]) -> dict[str, object]:
    """`session_timeout_ms=6000` as the real client writes it."""
    return {name.replace("_", "."): value for name, value in options.items()}


class KafkaWriter:
    """A producer with the bench's ear."""

    def __init__(self, bench: KafkaBench, producer: Producer) -> None:
        self.bench, self.producer = bench, producer
        self.to_broker, self.to_client = producer.to_broker, producer.to_client

    def send(self, *names: str, key: str | None = "k", size: int = 1000) -> None:
        """Send records one after another; records of one key meet in one partition."""
        bench = self.bench
        for name in names:
            number = len(bench.world.messages) + 1
            message = bench.world.messages.place(name, number, key, size, bench.world.clock.now_ns)
            self.producer.send(message, bench.topic, self._heard, message)

    def _heard(self, message: Any, ok: bool) -> None:
        self.bench.answers.append((message.event, ok))
        self.bench.answers_ms.append(self.bench.now_ms)


class KafkaTransactions(KafkaWriter):
    """A transactional producer; `ended` is what init, commit and abort were answered."""

    def __init__(self, bench: KafkaBench, producer: TransactionalProducer) -> None:
        super().__init__(bench, producer)
        self.transactions = producer
        self.ended: list[str] = []

    def send(self, *names: str, key: str | None = "k", size: int = 1000) -> None:
        """Send within a transaction, which begins if none is open."""
        self.begin()
        super().send(*names, key=key, size=size)

    def begin(self) -> None:
        if not self.transactions.is_open:
            self.transactions.begin()

    def send_offsets(self, group: KafkaGroup, member: Member, offset: int, partition: int = 0) -> None:
        self.begin()
        places = {self.bench.topic.partitions[partition]: offset}
        self.transactions.send_offsets(group.group, member, places, self.ended.append)

    def commit(self) -> None:
        self.begin()
        self.transactions.commit(self.ended.append)

    def abort(self) -> None:
        self.begin()
        self.transactions.abort(self.ended.append)


class KafkaGroup:
    """A group and its readers, `payment-1` and so on; `seen` is what all of them handled, in order."""

    def __init__(self, bench: KafkaBench, name: str, members: int, initial_delay_ms: float,
                 options: Mapping[str, object]) -> None:
        self.bench, self.name = bench, name
        self.options = resolve("kafka consumer", bench.version, options)
        broker = {**bench.cluster_options, "group.initial.rebalance.delay.ms": initial_delay_ms}
        self.group: Any = consumer_group(bench.world, name, [bench.topic], self.options, broker)
        bench.world.add_part(self.group)
        self.seen: list[str] = []
        self.readers = [KafkaReader(self) for _ in range(members)]
        if members:
            self.group.begin([reader.member for reader in self.readers])
            for reader in self.readers:
                reader.member.poll()

    def join(self, instance: str | None = None) -> KafkaReader:
        """A new member asks to be let in, a static one under its group.instance.id."""
        reader = KafkaReader(self)
        reader.member.instance = instance
        reader.member.polling = True
        self.group.join(reader.member)
        return reader

    def committed(self, partition: int = 0) -> int:
        return self.group.committed[self.bench.topic.partitions[partition]]

    @property
    def lag(self) -> int:
        """How many records the group has still to pass."""
        return sum(partition.end - offset for partition, offset in self.group.committed.items())


class KafkaReader:
    """A member that handles a record in `work_ms` (0: at once) and then the next, as an application does.

    `seen` are the records that it handled, `polls` how many records each poll returned.
    """

    def __init__(self, group: KafkaGroup) -> None:
        bench = group.bench
        group.bench._members += 1
        self.group, self.bench = group, bench
        self.name = f"{group.name}-{bench._members}"
        self.member = Member(bench.world, group.group, self.name, bench.links(self.name), group.options)
        self.member.on_record = self._on_poll
        self.work_ms = 0.0
        self.records: list[Record] = []
        self.seen_ms: list[float] = []
        self.polls: list[int] = []

    @property
    def seen(self) -> list[str]:
        return [record.message.event for record in self.records]

    @property
    def partitions(self) -> list[int]:
        """The numbers of the partitions that it has now."""
        return sorted(partition.number for partition in self.member.assigned)

    def _on_poll(self, first: Record) -> None:
        self.polls.append(1 + len(self.member.polled))
        self._work_on(first)

    def _work_on(self, record: Record) -> None:
        clock = self.bench.world.clock
        if self.work_ms:
            clock.at(clock.now_ns + round(self.work_ms * MS), lambda: self._done_with(record))
        else:
            self._done_with(record)

    def _done_with(self, record: Record) -> None:
        member = self.member
        if not member.alive:
            return
        self._handle(record)
        while member.polled and not self.work_ms:
            self._handle(member.polled.popleft())
        if member.polled:
            self._work_on(member.polled.popleft())
        else:
            member.poll()

    def _handle(self, record: Record) -> None:
        self.records.append(record)
        self.seen_ms.append(self.bench.now_ms)
        self.group.seen.append(record.message.event)

    def crash(self) -> None:
        """It dies without a goodbye."""
        self.member.die()
        self.group.group.lose(self.member)

    def leave(self) -> None:
        """It closes: it commits what it handled and says goodbye."""
        self.member.commit()
        self.member.die()
        self.group.group.leave(self.member)


# --- whole shops ---------------------------------------------------------------------------------------------


def shop(**parts: Any) -> Scenario:
    """A small shop: 40 orders at 20/s to one payment service, on a wire without latency; any part may differ."""
    payment = {"handles": "OrderPlaced", "workers": 2, "work": "exponential 30ms"}
    parts = {
        "orders": 40,
        "drain": "60s",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 20/s"}},
        "services": {"payment": payment},
        "wire": "none",
        **{name.replace("_", "-"): part for name, part in parts.items()},
    }
    if "duration" in parts:
        del parts["orders"]
    return Scenario.from_dict(parts)


def one_order(work: str = "1s", **parts: Any) -> Scenario:
    """One order at 1 s for one worker of payment."""
    payment = {"handles": "OrderPlaced", "workers": 1, "work": work, **parts.pop("payment", {})}
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": {"times": ["1s"]}}}
    producers["checkout"]["arrivals"] = "constant 1/s"
    return shop(**{"orders": 1, "producers": producers, "services": {"payment": payment}, **parts})


def times_s(run: Run, verb: str, name: str = "") -> list[float]:
    """When it happened, at places whose name begins so, in seconds."""
    return [round(float(fact.time_s), 6) for fact in run.journal
            if fact.verb == verb and fact.place.name.startswith(name)]


def orders_of(run: Run, verb: str, name: str = "") -> list[int]:
    """To which orders it happened, in order."""
    return [run.messages[fact.number].order for fact in run.journal
            if fact.verb == verb and fact.place.name.startswith(name)]


def outcome(run: Run, name: str) -> int:
    """How many orders ended so."""
    return run.summary().outcomes[name]
