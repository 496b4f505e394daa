"""RabbitMQ: an order is accepted when the broker confirms it; each service consumes from a queue of its own."""
from __future__ import annotations

from collections.abc import Callable

from edasim.architectures.brokered import Brokered
from edasim.architectures.rabbitmq_consumer import RabbitConsumer
from edasim.brokers.rabbitmq.broker import Broker
from edasim.brokers.rabbitmq.channel import Publisher
from edasim.brokers.rabbitmq.entry import PLAIN, Entry, Properties, Publication
from edasim.brokers.rabbitmq.majority import BrokerTimes
from edasim.brokers.rabbitmq.queue import Queue
from edasim.core.link import Link
from edasim.core.message import Message
from edasim.scenario.architecture_options import RabbitOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.sharing import has_priorities
from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.faults import Mend
from edasim.services.shop import Shop

Address = tuple[str, str, Properties]
"""Exchange, routing key and properties of an event type."""
PUBLISH_AGAIN_NS = 100_000_000
"""How long a service waits before it publishes again what the broker refused."""


class RabbitLetters:
    """The dead-letter queue of a service. What is redriven leaves it when the service's queue has it."""

    def __init__(self, rabbit: RabbitMq, service: str) -> None:
        self.rabbit = rabbit
        self.service = service
        arguments = rabbit.queues[service].arguments
        found = rabbit.broker.queues.get(str(arguments.get("x-dead-letter-routing-key", "")))
        # An exchange of one's own may have a key that is the name of a queue in use.
        self.queue = found if found is not None and found.parking else None

    def lying(self) -> list[Entry]:
        """All that lies there, the head first."""
        return list(self.queue.fresh) if self.queue is not None else []

    def send(self, letter: Entry, done: Callable[[], None]) -> None:
        """Publish it to the service's queue, and then let go of it; nothing where a crash took it."""
        queue = self.queue
        assert queue is not None, "only what lies in a queue is redriven"
        if not queue.has_ready(letter):
            done()
            return

        def arrived() -> None:
            queue.settle(letter)
            done()

        self.rabbit.publish(f"{self.service}-redrive", letter.message, ("", self.service), PLAIN, arrived)


class RabbitMq(Brokered[RabbitConsumer]):
    """The wiring: an exchange for events, a queue for each service with its dead-letter queue, a consumer a worker."""

    name = "rabbitmq"

    def __init__(self, shop: Shop, options: RabbitOptions) -> None:
        super().__init__(shop)
        self.options = options
        priorities = options.version if has_priorities(shop.scenario) else None
        self.broker = Broker(shop.world, self._times(), options.persistent, priorities)
        self.publishers: dict[str, Publisher] = {}
        self.senders = self.publishers
        self.refusing = self.broker.refusing
        self.queues: dict[str, Queue] = {}
        self._retry_queues: dict[str, Queue] = {}
        self._addresses: dict[str, Address] = {}
        self._answer = self._answer_customer

    def _times(self) -> BrokerTimes:
        wire = self.shop.scenario.wire
        return BrokerTimes(*(wire.latency(step).quantile_ns for step in ("broker-to-broker", "flush")))

    def _joined(self, service: str) -> bool:
        return service in self.queues

    # --- wiring -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Declare everything; a service that joins later declares its queue then, and it starts empty."""
        for name, spec in self.shop.scenario.services.items():
            if spec.joins:
                self.clock.at(spec.joins, lambda name=name: self._declare(name))  # type: ignore[misc]
            else:
                self._declare(name)

    def _declare(self, name: str) -> None:
        service = self.shop.services[name]
        given = {**self.options.queue, **self.options.queues.get(name, {})}
        if service.spec.dead_letters and "x-dead-letter-exchange" not in given:
            parking = f"{name}.dlq"
            given |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": parking}
            kind = {"x-queue-type": given.get("x-queue-type", "classic")}
            self.broker.declare_queue(parking, self._arguments(kind), name, parking=True)
        queue = self.queues[name] = self.broker.declare_queue(name, self._arguments(given), name)
        for event in service.spec.handles:
            self._bind(queue, event)
        self._hire(name, self.instances(name))
        self._redrive(name, RabbitLetters(self, name))

    def _arguments(self, given: dict[str, object]) -> dict[str, object]:
        return resolve("rabbitmq queue", self.options.version, given)

    def _bind(self, queue: Queue, event: str) -> None:
        kind = self.options.exchange
        if kind == "fanout":
            # A fanout exchange has no keys: one exchange for each event type.
            self.broker.bind(event, kind, queue.name, "")
        elif kind == "headers":
            self.broker.bind("shop", kind, queue.name, "", {"x-match": "all", "event": event})
        else:
            self.broker.bind("shop", kind, queue.name, event)

    def _address(self, event: str) -> Address:
        address: Address = ("shop", event, PLAIN)
        if self.options.exchange == "fanout":
            address = (event, "", PLAIN)
        elif self.options.exchange == "headers":
            address = ("shop", "", Properties(headers={"event": event}))
        self._addresses[event] = address
        return address

    def retry_queue(self, queue: Queue) -> Queue:
        """The queue in which messages wait aside until they may come back to this one."""
        if queue.name not in self._retry_queues:
            arguments = self._arguments({
                "x-queue-type": queue.arguments["x-queue-type"],
                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue.name,
            })
            self._retry_queues[queue.name] = self.broker.declare_queue(f"{queue.name}.retry", arguments, queue.service)
        return self._retry_queues[queue.name]

    def _publisher(self, name: str) -> Publisher:
        publisher = self.publishers.get(name)
        if publisher is None:
            hop = self.shop.network.link
            links: tuple[Link, Link] = (
                hop(name, "broker", ("producer-to-broker", "route"), "publisher"),
                hop("broker", name, ("broker-to-producer",), "publisher"),
            )
            publisher = self.publishers[name] = Publisher(self.broker, links, self.options.confirms)
            self.shop.world.add_part(publisher)
        return publisher

    def _hire(self, name: str, number: int) -> None:
        for _ in range(number):
            worker = self.next_worker(name)
            consumer = RabbitConsumer(self, self.shop.services[name], self.queues[name], worker)
            self.consumers[name].append(consumer)
            self.shop.world.add_part(consumer.consumer)
            consumer.subscription.start()

    # --- orders and events ------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Publish the order; the customer is answered when the broker confirms or refuses."""
        message = request.message
        publisher = self.publishers.get(request.source.name) or self._publisher(request.source.name)
        exchange, key, properties = self._addresses.get(message.event) or self._address(message.event)
        publisher.publish(message, exchange, key, self._answer, properties, request)

    def _answer_customer(self, publication: Publication, ok: bool) -> None:
        self.shop.client.answer(publication.context, ok, "broker refused")

    def publish_all(self, service: str, messages: list[Message], done: Callable[[], None]) -> None:
        """Publish events; `done` runs when all are confirmed."""
        left = len(messages)

        def one() -> None:
            nonlocal left
            left -= 1
            if not left:
                done()

        for message in messages:
            exchange, key, properties = self._address(message.event)
            self.publish(service, message, (exchange, key), properties, one)

    def publish(self, service: str, message: Message, address: tuple[str, str], properties: Properties,
                done: Callable[[], None]) -> None:
        """Publish for a service until the broker takes it."""

        def answered(_: object, ok: bool) -> None:
            if ok:
                done()
            else:
                self.clock.at(self.clock.now_ns + PUBLISH_AGAIN_NS,
                              lambda: self.publish(service, message, address, properties, done))

        self._publisher(service).publish(message, *address, answered, properties)

    # --- faults and changes -----------------------------------------------------------------------------------

    def end_part(self, part: str, *, properly: bool) -> Mend:
        """After a crash what is not persistent is gone; deliveries return to their queues as connections close."""
        if not properly:
            self.broker.lose_memory()
            for consumers in self.consumers.values():
                for consumer in consumers:
                    consumer.lose_connection()
        self.hold(part)
        return lambda: self.release(part)

    def configure(self, scenario: Scenario) -> None:
        """Another prefetch, more or fewer workers."""
        assert scenario.architectures.rabbitmq is not None
        self.options = scenario.architectures.rabbitmq
        self.broker.use(self._times())
        for name in self.queues:
            self._fill(name)
            for consumer in self.consumers[name]:
                consumer.subscription.set_prefetch(self.options.prefetch)
