"""The shop on RabbitMQ and on Kafka, in SimPy as its tutorials write it.

A process for each order, each delivery and each request on the wire; `Resource` and `Store` for what is waited
for; `env.timeout` for each hop and for the work; one draw at a time; and a list of (time, what, service, order)
as the log. Kept as it is, to be compared with.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import Any

import simpy

from benchmarks.workload import Service, Workload

Process = Generator[simpy.Event, Any, None]
Log = list[tuple[float, str, str, int]]


class Link:
    """One direction of a connection: what is sent later does not arrive earlier."""

    def __init__(self, env: simpy.Environment, draw: Callable[[], float], more_s: float = 0.0) -> None:
        self.env = env
        self.draw = draw
        self.more_s = more_s
        self.last_arrival = 0.0

    def delay(self) -> float:
        """How long what is sent now is on the way."""
        now = self.env.now
        self.last_arrival = max(self.last_arrival, now + self.draw() + self.more_s)
        return self.last_arrival - now


class Shop:
    """What both brokers share: the clock, the draws, the log."""

    def __init__(self, workload: Workload, seed: int) -> None:
        self.workload = workload
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.hop = workload.hop.one_by_one(self.random)
        self.log: Log = []

    def link(self, more_s: float = 0.0) -> Link:
        """Another connection's direction."""
        return Link(self.env, self.hop, more_s)

    def run(self, order: Callable[[int], Process]) -> Log:
        """Place all orders, each as a process, and go on until nothing is left to do."""
        self.env.process(self.arrivals(order))
        self.env.run()
        return self.log

    def arrivals(self, order: Callable[[int], Process]) -> Process:
        for number in range(1, self.workload.orders + 1):
            yield self.env.timeout(self.random.expovariate(self.workload.rate))
            self.env.process(order(number))


# --- RabbitMQ -------------------------------------------------------------------------------------------------


class RabbitConsumer:
    """One worker with a channel of its own and so many deliveries at most that it has not acknowledged."""

    def __init__(self, shop: Shop, service: Service, queue: simpy.Store) -> None:
        self.shop = shop
        self.service = service
        self.queue = queue
        self.work = service.work.one_by_one(shop.random)
        self.to_client, self.to_broker = shop.link(), shop.link()
        self.worker = simpy.Resource(shop.env, capacity=1)
        self.room = simpy.Container(shop.env, init=shop.workload.prefetch)
        shop.env.process(self.deliveries())

    def deliveries(self) -> Process:
        """The broker's side: consumers with room take turns, because a Store serves in the order of asking."""
        shop, name = self.shop, self.service.name
        while True:
            yield self.room.get(1)
            order = yield self.queue.get()
            shop.log.append((shop.env.now, "delivered", name, order))
            shop.env.process(self.delivery(order))

    def delivery(self, order: int) -> Process:
        """There, the work, and back as an acknowledgement."""
        env, log, name = self.shop.env, self.shop.log, self.service.name
        yield env.timeout(self.to_client.delay())
        with self.worker.request() as turn:
            yield turn
            log.append((env.now, "started", name, order))
            yield env.timeout(self.work())
            log.append((env.now, "handled", name, order))
            log.append((env.now, "applied", name, order))
        yield env.timeout(self.to_broker.delay())
        log.append((env.now, "acknowledged", name, order))
        self.room.put(1)


def rabbitmq(workload: Workload, seed: int) -> Log:
    """All orders by way of RabbitMQ: a classic queue for each service, persistent, with confirms."""
    shop = Shop(workload, seed)
    env, log = shop.env, shop.log
    queues = {service.name: simpy.Store(env) for service in workload.services}
    for service in workload.services:
        for _ in range(service.workers):
            RabbitConsumer(shop, service, queues[service.name])
    to_broker, to_producer = shop.link(workload.local_s), shop.link()
    flush = workload.flush.one_by_one(shop.random)

    def order(number: int) -> Process:
        log.append((env.now, "placed", "", number))
        yield env.timeout(to_broker.delay())
        for name, queue in queues.items():
            log.append((env.now, "routed", name, number))
            queue.put(number)
        yield env.timeout(flush())
        yield env.timeout(to_producer.delay())
        log.append((env.now, "accepted", "", number))

    return shop.run(order)


# --- Kafka ----------------------------------------------------------------------------------------------------


class Partition:
    """A log whose records show once both followers have them."""

    def __init__(self, shop: Shop, number: int) -> None:
        self.shop = shop
        self.number = number
        self.orders: list[int] = []
        self.visible = 0
        self.readers: list[Member] = []

    def append(self, orders: list[int]) -> Process:
        """Append records and have them replicated."""
        shop, workload = self.shop, self.shop.workload
        for order in orders:
            self.orders.append(order)
            shop.log.append((shop.env.now, "appended", "", order))
        end = len(self.orders)
        yield shop.env.timeout(
            max(shop.hop() + workload.local_s + shop.hop() for _ in range(workload.followers)))
        if end > self.visible:
            self.visible = end
            for reader in self.readers:
                reader.notice()


class Batch:
    """What travels to one node in one request."""

    def __init__(self, env: simpy.Environment) -> None:
        self.records: dict[Partition, list[int]] = {}
        self.acknowledged = env.event()


class Producer:
    """Collects what goes to one node for linger.ms and sends it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.to_broker, self.to_client = shop.link(shop.workload.local_s), shop.link()
        self.batches: dict[int, Batch] = {}

    def send(self, order: int, partition: Partition) -> simpy.Event:
        """The event is its acknowledgement."""
        node = partition.number % self.shop.workload.nodes
        batch = self.batches.get(node)
        if batch is None:
            batch = self.batches[node] = Batch(self.shop.env)
            self.shop.env.process(self.request(node, batch))
        batch.records.setdefault(partition, []).append(order)
        return batch.acknowledged

    def request(self, node: int, batch: Batch) -> Process:
        env = self.shop.env
        yield env.timeout(self.shop.workload.linger_s)
        del self.batches[node]
        yield env.timeout(self.to_broker.delay())
        yield env.all_of([env.process(partition.append(orders)) for partition, orders in batch.records.items()])
        yield env.timeout(self.to_client.delay())
        batch.acknowledged.succeed()


class Member:
    """One worker of a service: asks for records, handles them one after another, commits now and then."""

    def __init__(self, shop: Shop, service: Service, partitions: list[Partition]) -> None:
        self.shop = shop
        self.service = service
        self.work = service.work.one_by_one(shop.random)
        self.to_broker, self.to_client = shop.link(), shop.link()
        self.positions = dict.fromkeys(partitions, 0)
        self.consumed = dict.fromkeys(partitions, 0)
        self.committed = dict.fromkeys(partitions, 0)
        self.fetched = simpy.Store(shop.env)
        self.news: simpy.Event | None = None
        self.idle = True
        self.watched = False
        self.next_commit = shop.random.random() * shop.workload.commit_every_s
        for partition in partitions:
            partition.readers.append(self)
        shop.env.process(self.fetch())
        shop.env.process(self.poll())

    def notice(self) -> None:
        """A partition has more to show."""
        if self.news is not None:
            self.news.succeed()
            self.news = None

    def fetch(self) -> Process:
        """One request, which waits at the broker until there is something."""
        env = self.shop.env
        yield env.timeout(self.to_broker.delay())
        if all(partition.visible == position for partition, position in self.positions.items()):
            self.news = env.event()
            yield self.news
        records = []
        for partition, position in self.positions.items():
            records += [(partition, order) for order in partition.orders[position : partition.visible]]
            self.positions[partition] = partition.visible
        yield env.timeout(self.to_client.delay())
        self.fetched.put(records)

    def poll(self) -> Process:
        """The application's loop; while it handles records, the next ones are fetched."""
        env = self.shop.env
        while True:
            if env.now >= self.next_commit:
                self.commit()
            records = yield self.fetched.get()
            self.idle = False
            for partition, _ in records:
                self.consumed[partition] += 1
            if not self.watched:
                env.process(self.watch())
            env.process(self.fetch())
            for _, order in records:
                yield env.process(self.handle(order))
            self.idle = True

    def handle(self, order: int) -> Process:
        env, log, name = self.shop.env, self.shop.log, self.service.name
        log.append((env.now, "delivered", name, order))
        log.append((env.now, "started", name, order))
        yield env.timeout(self.work())
        log.append((env.now, "handled", name, order))
        log.append((env.now, "applied", name, order))

    def watch(self) -> Process:
        """A member that waits in its poll commits on time; one that works commits at its next poll."""
        self.watched = True
        yield self.shop.env.timeout(max(0.0, self.next_commit - self.shop.env.now))
        self.watched = False
        if self.idle:
            self.commit()

    def commit(self) -> None:
        self.next_commit = self.shop.env.now + self.shop.workload.commit_every_s
        moved = {partition: end for partition, end in self.consumed.items() if end > self.committed[partition]}
        if moved:
            self.committed |= moved
            self.shop.env.process(self.send_commit(moved))

    def send_commit(self, moved: dict[Partition, int]) -> Process:
        env = self.shop.env
        yield env.timeout(self.to_broker.delay())
        self.shop.log += [(env.now, "committed", self.service.name, end) for end in moved.values()]


def kafka(workload: Workload, seed: int) -> Log:
    """All orders by way of Kafka: acks=all, a group for each service, commits by the clock."""
    shop = Shop(workload, seed)
    env, log = shop.env, shop.log
    partitions = [Partition(shop, number) for number in range(workload.partitions)]
    by_key = [partitions[workload.partition_of(key)] for key in range(workload.keys)]
    for service in workload.services:
        for owned in workload.owned_partitions(service):
            Member(shop, service, [partitions[number] for number in owned])
    producer = Producer(shop)

    def order(number: int) -> Process:
        log.append((env.now, "placed", "", number))
        yield producer.send(number, by_key[shop.random.randrange(workload.keys)])
        log.append((env.now, "accepted", "", number))

    return shop.run(order)
