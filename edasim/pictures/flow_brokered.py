"""Tokens of the two architectures with a broker: a copy of each message for each service that handles it."""

from __future__ import annotations

from collections import defaultdict

from edasim.core.journal import Place, Verb
from edasim.measure.kafka_log import OVERTAKEN, reads_committed
from edasim.pictures.flow_layout import Layout
from edasim.pictures.flow_tokens import FOREVER, Key, Kind, Shelf, Token, Walk
from edasim.simulate import Run


class BrokeredWalk(Walk):
    """What is alike on Kafka and RabbitMQ.

    `returned` holds what came back from a worker that crashed, `aside` what waits to be sent again after a failure,
    `dying` what is on its way among the dead letters, `parked` what lies there, `backoff` what a worker keeps until it
    tries again.
    `known` are the messages of which a service had a copy.
    """

    def __init__(self, run: Run, layout: Layout) -> None:
        super().__init__(run, layout)
        self.returned, self.aside, self.dying, self.backoff = Shelf(), Shelf(), Shelf(), Shelf()
        self.parked = Shelf()
        self.known: set[Key] = set()
        self._seat = ("", -1)
        self._again_ns: dict[Token, int] = {}

    def arrive(self, now: int, message: int, hub: int) -> Token:
        """A token that comes from where its message was sent, by way of the broker, and is there now."""
        token = self.new(message)
        token.go(min(now, self.sent_ns.get(message, now)), self.source(message), hub)
        return token

    def perished(self, now: int, message: int, hub: int) -> None:
        """A transmission was lost on its way to the broker, or is wanted by nobody there."""
        token = self.new(message, Kind.lost)
        token.go(now, self.source(message), hub)
        token.stay(now)
        token.gone(now)

    def crashed(self, now: int, token: Token, place: Place) -> None:
        token.kind = Kind.retry
        token.move(now, self.layout[f"inbox {place.service}"])
        self.returned.put(place.service, token)

    def park(self, now: int, service: str, token: Token) -> None:
        """It lies among the dead letters."""
        token.move(now, self.layout[f"dead {service}"])
        self.parked.put(service, token)

    def redriven(self, now: int, service: str, message: int) -> Token | None:
        """A dead letter that goes back to its service, if that is what comes to it now."""
        spec = self.run.scenario.services[service].redrive
        token = self.parked.take(service, message) if spec is not None and now >= spec.at else None
        if token is not None:
            token.kind = Kind.retry
        return token

    def hand_out(self, now: int, service: str, token: Token) -> None:
        """The broker gives it to a consumer, where it waits until a worker begins."""
        token.move(now, self.layout[f"hand {service}"])
        self.handed.put(service, token)

    def hand_out_again(self, now: int, service: str, message: int) -> None:
        """What crashed or was given back goes out again; a copy of what is at work or was handled is a duplicate."""
        # What went out again at this very instant is another copy.
        shelves = (self.returned, self.handed, self.backoff, self.failing)
        out = self._again_ns
        found = (shelf.take(service, message, unless=lambda one: out.get(one) == now) for shelf in shelves)
        token = next(filter(None, found), None)
        inbox = self.layout[f"inbox {service}"]
        if token is None or token.end < FOREVER:
            token = self.new(message, Kind.duplicate)
            token.stay(now, inbox)
        elif token.node != inbox:
            token.kind = Kind.retry
            self.unseat(service, token)
            token.move(now, inbox)
        out[token] = now
        self.hand_out(now, service, token)

    def unseat(self, service: str, token: Token) -> None:
        """Its worker is no longer there."""
        self.release(service, token)
        for desk in [name for name, one in self.desks.items() if one is token]:
            del self.desks[desk]

    def worker_started(self, now: int, message: int, place: Place) -> None:
        if place.detail == "again":
            self.backoff.take(place.service, message)
        super().worker_started(now, message, place)

    def worker_failed(self, now: int, message: int, place: Place) -> None:
        super().worker_failed(now, message, place)
        token = self.desks.pop(place.name, None)
        if token is not None:
            self._seat = (place.name, token.slot)
            self.release(place.service, token)

    def service_retried(self, now: int, message: int, place: Place) -> None:
        token = self.retrying(now, message, place)
        if token is None:
            return
        service = place.service
        if self.policy(service) == "worker":
            # It was the worker that failed just now: it keeps the token, and waits.
            desk, token.slot = self._seat
            self.desks[desk] = token
            self.slots[service].add(token.slot)
            token.stay(now)
            self.backoff.put(service, token)
            return
        token.go(now, token.node, self.node(f"again {service}", f"inbox {service}"))
        self.aside.put(service, token)

    def first_or_again(self, service: str, message: int) -> Kind:
        """What a copy is that the broker takes in: the first one, or one more."""
        kind = Kind.duplicate if (service, message) in self.known else Kind.message
        self.known.add((service, message))
        return kind

    def policy(self, service: str) -> str:
        """Where a service's failed attempts wait."""
        scenario = self.run.scenario
        return (scenario.services[service].retry or scenario.retry).where


class KafkaWalk(BrokeredWalk):
    """A token is a record as one group reads it; it waits in the lane of its partition."""

    def __init__(self, run: Run, layout: Layout) -> None:
        super().__init__(run, layout)
        self.readers: defaultdict[str, list[str]] = defaultdict(list)
        for service in layout.services:
            for event in run.scenario.services[service].handles:
                self.readers[event].append(service)
        self._unread: defaultdict[tuple[str, str], list[Token | None]] = defaultdict(list)
        self._read: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._markers: defaultdict[str, list[int]] = defaultdict(list)
        self._skipped = self._offsets_skipped()

    def _offsets_skipped(self) -> dict[tuple[str, str], int]:
        """Up to which offset a group that joined later passes over what it never read: {(service, partition): n}."""
        facts = self.run.facts
        facts = facts.only(facts.verbs == Verb.skipped)
        places = [self.run.places[place] for place in facts.places.tolist()]
        return {(place.service, place.name.split(" ", 1)[1]): number
                for place, number in zip(places, facts.numbers.tolist(), strict=True) if not place.detail}

    def answering(self, message: int) -> int:
        return self.layout[f"topic {self.messages[message].event}"]

    def partition_appended(self, now: int, message: int, place: Place) -> None:
        service = place.service
        if not service:
            self._record(now, message, place.name)
        elif place.detail == "parking":
            self.park(now, service, self.dying.take(service, message) or self.new(message, Kind.dead))
        else:
            token = (self.aside.take(service, message) or self.redriven(now, service, message)
                     or self.new(message, Kind.duplicate))
            token.move(now, self.node(f"again {service}", f"inbox {service}"))
            self._unread[service, place.name].append(token)

    def _record(self, now: int, message: int, partition: str) -> None:
        event = partition.rpartition("-")[0]
        hub = self.layout[f"topic {event}"]
        for service in self.readers[event]:
            unread = self._unread[service, partition]
            if len(unread) < self._skipped.get((service, partition), 0):
                unread.append(None)
                continue
            token = self.arrive(now, message, hub)
            token.lane = self.layout.lane_of.get((service, partition), 0)
            token.kind = token.kinds[0] = self.first_or_again(service, message)
            token.move(now, self.layout[f"inbox {service}"])
            unread.append(token)
        if not self.readers[event]:
            token = self.arrive(now, message, hub)
            token.stay(now)
            token.gone(now)

    def partition_deduplicated(self, now: int, message: int, place: Place) -> None:
        name = f"topic {place.name.rpartition('-')[0]}"
        if name in self.layout:
            token = self.new(message, Kind.duplicate)
            token.go(now, self.source(message), self.layout[name])
            token.stay(now)
            token.gone(now)

    def broker_lost(self, now: int, message: int, _: Place) -> None:
        name = f"topic {self.messages[message].event}"
        if name in self.layout:
            self.perished(now, message, self.layout[name])

    def group_delivered(self, now: int, message: int, place: Place) -> None:
        key = (place.service, place.name.split(" ", 1)[1])
        unread = self._unread[key]
        offset = max(self._read[key], self._skipped.get(key, 0))
        while offset < len(unread) and unread[offset] is None:
            offset += 1
        self._read[key] = offset + 1
        token = unread[offset] if offset < len(unread) else None
        if token is None or token.message != message:
            raise AssertionError(f"{place} is handed message {message} at offset {offset}, but it is not there")
        self.hand_out(now, place.service, token)

    def partition_aborted(self, now: int, message: int, place: Place) -> None:
        """A record of an aborted transaction: who reads what is committed never gets it."""
        if not reads_committed(self.run.scenario):
            return
        event = place.name.rpartition("-")[0]
        for service in [place.service] if place.service else self.readers[event]:
            unread = self._unread[service, place.name]
            for offset in range(len(unread) - 1, -1, -1):
                token = unread[offset]
                if token is not None and token.message == message:
                    self._never_read(now, unread, offset)
                    break

    def group_skipped(self, now: int, upto: int, place: Place) -> None:
        """A group goes on beyond records that retention has removed."""
        if place.detail != OVERTAKEN:
            return
        key = (place.service, place.name.split(" ", 1)[1])
        unread = self._unread[key]
        markers = self._markers[key[1]]
        for offset in range(self._read[key], min(len(unread), upto - sum(marker < upto for marker in markers))):
            if unread[offset] is not None:
                self._never_read(now, unread, offset)

    def partition_marked(self, now: int, offset: int, place: Place) -> None:
        """A marker takes an offset at which no record stands."""
        self._markers[place.name].append(offset)

    def _never_read(self, now: int, unread: list[Token | None], offset: int) -> None:
        token, unread[offset] = unread[offset], None
        assert token is not None, "it is still waiting"
        token.stay(now)
        token.gone(now)

    def group_redelivered(self, now: int, message: int, place: Place) -> None:
        self.hand_out_again(now, place.service, message)

    def service_dead_lettered(self, now: int, message: int, place: Place) -> None:
        token = self.failing.take(place.service, message)
        if token is not None:
            token.kind = Kind.dead
            token.go(now, token.node, self.node(f"dead {place.service}", f"work {place.service}"))
            self.dying.put(place.service, token)

    def service_dropped(self, now: int, message: int, place: Place) -> None:
        token = self.failing.take(place.service, message)
        if token is not None:
            token.stay(now, kind=Kind.lost)
            token.gone(now)


class RabbitWalk(BrokeredWalk):
    """A token is an entry of a queue."""

    hub = "exchange"

    def __init__(self, run: Run, layout: Layout) -> None:
        super().__init__(run, layout)
        self._ready = Shelf()

    def exchange_unroutable(self, now: int, message: int, _: Place) -> None:
        self.perished(now, message, self.layout["exchange"])

    def exchange_lost(self, now: int, message: int, _: Place) -> None:
        self.perished(now, message, self.layout["exchange"])

    def exchange_dropped(self, now: int, message: int, _: Place) -> None:
        self.perished(now, message, self.layout["exchange"])

    def exchange_dead_lettered(self, now: int, message: int, _: Place) -> None:
        token = self.arrive(now, message, self.layout["exchange"])
        token.kind = Kind.dead
        self.dying.put("", token)

    def queue_routed(self, now: int, message: int, place: Place) -> None:
        service = place.service
        if place.detail == "parking":
            token = self.dying.take(service, message) or self.dying.take("", message) or self.new(message, Kind.dead)
            token.kind = Kind.dead
            self.park(now, service, token)
            return
        target = f"again {service}" if place.name != service else ""
        sent = (self.aside.take(service, message) or self.dying.take(service, message)
                or self.redriven(now, service, message))
        token = sent or self._fresh(now, message, service)
        node = self.node(target, f"inbox {service}") if target else self.layout[f"inbox {service}"]
        token.move(now, node)
        self._ready.put(place.name, token)

    def _fresh(self, now: int, message: int, service: str) -> Token:
        token = self.arrive(now, message, self.layout["exchange"])
        token.kind = token.kinds[0] = self.first_or_again(service, message)
        return token

    def queue_delivered(self, now: int, message: int, place: Place) -> None:
        token = self._ready.take(place.name, message)
        if token is not None:
            self.hand_out(now, place.service, token)

    def queue_redelivered(self, now: int, message: int, place: Place) -> None:
        self.hand_out_again(now, place.service, message)

    def queue_expired(self, now: int, message: int, place: Place) -> None:
        self._dies(now, self._held(place, message), place, Kind.lost)

    def queue_dead_lettered(self, now: int, message: int, place: Place) -> None:
        token = self.failing.take(place.service, message)
        if token is not None:
            token.kind = Kind.dead
        self._dies(now, token or self._held(place, message), place, Kind.dead)

    def _dies(self, now: int, token: Token | None, place: Place, kind: Kind) -> None:
        """It leaves its queue for where dead letters go, which for a queue of retries is the service's own queue."""
        if token is None:
            return
        target = f"dead {place.service}"
        if place.name != place.service:
            target, kind = f"inbox {place.service}", Kind.retry
        token.kind = kind
        if target in self.layout:
            token.go(now, token.node, self.layout[target], kind)
        else:
            token.stay(now, kind=kind)
        self.dying.put(place.service, token)

    def queue_dropped(self, now: int, message: int, place: Place) -> None:
        token = self.failing.take(place.service, message) or self._held(place, message)
        if token is not None:
            token.stay(now, kind=Kind.lost)
            token.gone(now)

    def _held(self, place: Place, message: int) -> Token | None:
        """The entry that waits in the queue, came back to it, or is with a consumer."""
        return (self._ready.take(place.name, message) or self.returned.take(place.service, message)
                or self.handed.take(place.service, message))

    def finish(self) -> None:
        """What died and came nowhere is gone, and so is what failed for good when nobody expects a word of it."""
        for token in (*self.dying.rest(), *self.failing.rest()):
            token.gone(token.starts[-1])
