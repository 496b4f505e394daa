"""The RabbitMQ broker: exchanges, queues, and what happens between a publish and its confirm."""
from __future__ import annotations

from collections.abc import Mapping

from edasim.brokers.rabbitmq.entry import Entry, Publication, died_in_circles, with_death
from edasim.brokers.rabbitmq.exchange import Router
from edasim.brokers.rabbitmq.majority import BrokerTimes
from edasim.brokers.rabbitmq.priorities import priority_queue
from edasim.brokers.rabbitmq.queue import Queue
from edasim.brokers.rabbitmq.routes import Headers
from edasim.core.clock import Stage
from edasim.core.journal import Place, Verb
from edasim.core.world import World


class Broker:
    """One logical broker (a node, or a cluster whose quorum queues span its nodes).

    While `refusing` holds a share, what arrives is nacked.  `priorities` names the release whose queues look at the
    priorities of messages; None where no message has one, so that no queue needs to.
    """

    def __init__(self, world: World, times: BrokerTimes, persistent: bool, priorities: str | None = None) -> None:
        self.world = world
        self.times = times
        self.persistent = persistent
        self._priorities = priorities
        self.router = Router()
        self.queues: dict[str, Queue] = {}
        self._flush = world.draws.sequential("flush", "rabbitmq", times.flush)
        self._luck = world.draws.sequential("fault", "rabbitmq")
        self._flushed: Stage = self._confirm
        place = Place("exchange", "rabbitmq")
        self.unroutable = world.writer(Verb.unroutable, place)
        self.repeated = world.writer(Verb.repeated, place)
        self.lost = world.writer(Verb.lost, place)
        self.dropped = world.writer(Verb.dropped, place)
        self.dead_lettered = world.writer(Verb.dead_lettered, place)
        self.refusing: list[float] = []
        self._routes: dict[tuple[str, str], tuple[Queue, ...]] = {}
        self._routes_version = -1

    def use(self, times: BrokerTimes) -> None:
        """Other latencies of the broker's own steps from now on."""
        self.times = times
        self._flush.use(times.flush)
        for queue in self.queues.values():
            queue.majority.use(times)

    def declare_queue(self, name: str, arguments: Mapping[str, object], service: str = "",
                      parking: bool = False) -> Queue:
        """queue.declare; the default exchange reaches it by its name."""
        special = priority_queue(arguments, self._priorities) if self._priorities is not None else None
        kind, ready = special or (Queue, None)
        queue = kind(self, name, arguments, service, parking, ready)
        self.queues[name] = queue
        self.router.add_queue(name)
        self.world.add_part(queue)
        return queue

    def bind(self, exchange: str, kind: str, queue: str, routing_key: str,
             headers: Headers | None = None) -> None:
        """exchange.declare and queue.bind."""
        self.router.declare(exchange, kind).bind(queue, routing_key, headers)

    def lose_memory(self) -> None:
        """The broker's process dies: what is not on disk is gone (a quorum queue's entries always are on disk)."""
        if not self.persistent:
            for queue in self.queues.values():
                if not queue.quorum:
                    queue.lose_all()

    # --- a publication at the broker --------------------------------------------------------------------------

    def receive(self, publication: Publication) -> None:
        """Route a publication into queues; confirm it when they have it safe."""
        if self.refusing and self._luck.draw() < max(self.refusing):
            publication.ok = False
            self._confirm(publication)
            return
        queues = self._route(publication)
        if not queues:
            self.unroutable(publication.message.id)
        publication.waiting = 1
        for queue in queues:
            if not queue.put(publication):
                publication.ok = False
        if self.persistent and queues and publication.ok and publication.waiting == 1:
            arm, draw = self.world.clock.arm, self._flush.draw
            arm(publication, self._flushed, draw())
        else:
            self.settled(publication)

    def settled(self, publication: Publication) -> None:
        """One of those that the confirm waits for is done."""
        publication.waiting -= 1
        if publication.waiting == 0:
            self._confirm(publication)

    def _confirm(self, publication: Publication) -> None:
        publisher = publication.publisher
        if publisher is not None:
            send = publisher.to_client.send
            send(publication, publisher.answered)

    def _route(self, publication: Publication) -> tuple[Queue, ...]:
        if self._routes_version != self.router.version:
            self._routes.clear()
            self._routes_version = self.router.version
        headers = publication.properties.headers
        step = (publication.exchange, publication.routing_key)
        queues = self._routes.get(step) if headers is None else None
        if queues is None:
            names = self.router.route(*step, headers) if self.router.has_exchange(publication.exchange) else ()
            queues = tuple(self.queues[name] for name in names)
            if headers is None:
                self._routes[step] = queues
        return queues

    # --- dead letters -----------------------------------------------------------------------------------------

    def dead_letter(self, queue: Queue, entry: Entry, reason: str, came_in: bool = True) -> None:
        """An entry leaves its queue because it was rejected, expired, crowded out or delivered too often.

        `came_in` is False for what a full queue refused: it never was in the queue's books.
        """
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if reason == "expired":
            queue.expired(entry.message.id)
        elif exchange is None:
            (queue if came_in else self).dropped(entry.message.id)
        else:
            (queue if came_in else self).dead_lettered(entry.message.id)
        if exchange is None or not self.router.has_exchange(str(exchange)):
            return
        died = entry.publication
        properties = with_death(died, queue.name, reason, self.world.clock.now_ns)
        key = queue.arguments.get("x-dead-letter-routing-key")
        publication = Publication(entry.message, str(exchange), str(died.routing_key if key is None else key),
                                  None, properties)
        publication.waiting = 1
        for target in self._route(publication):
            if died_in_circles(properties, target.name):
                self.dropped(entry.message.id)
            else:
                target.put(publication)
