"""Tokens of the two architectures in which somebody waits for the answer: the monolith, and calls over RPC."""

from __future__ import annotations

from collections import defaultdict

from edasim.core.journal import Place
from edasim.pictures.flow_layout import Layout
from edasim.pictures.flow_tokens import FOREVER, Key, Kind, Shelf, Token, Walk
from edasim.simulate import Run


class MonolithWalk(Walk):
    """A token is an order: it waits for a thread, goes through the modules, and is committed."""

    hub = "process"

    def __init__(self, run: Run, layout: Layout) -> None:
        super().__init__(run, layout)
        self._waiting, self._on_thread = Shelf(), Shelf()
        self._committing: dict[Token, int] = {}
        self._tries: set[int] = set()

    def queue_routed(self, now: int, message: int, _: Place) -> None:
        token = self.new(message, Kind.retry if message in self._tries else Kind.message)
        self._tries.add(message)
        token.go(min(now, self.sent_ns.get(message, now)), self.source(message), self.layout["process"])
        token.stay(now)
        self._waiting.put("", token)

    def queue_delivered(self, now: int, message: int, _: Place) -> None:
        token = self._waiting.take("", message)
        if token is not None:
            self._on_thread.put("", token)
            self._committing[token] = now

    def begun(self, now: int, message: int, place: Place) -> Token | None:
        token = self.desks.get(place.name) or self._unseated(message)
        if token is not None:
            self._committing.pop(token, None)
        return token

    def _unseated(self, message: int) -> Token | None:
        """The token of this message's order that has a thread and no module yet."""
        seated = set(map(id, self.desks.values()))
        first = self._first_of.get(self.messages[message].order, message)
        tokens = [token for token in self._on_thread._tokens.get(("", first), ()) if id(token) not in seated]
        return tokens[0] if tokens else None

    def worker_handled(self, now: int, message: int, place: Place) -> None:
        token = self.desks.get(place.name)
        self.handled.add((place.service, message))
        if token is not None:
            # It keeps its thread; whether a module follows or the commit, the next fact says.
            self.release(place.service, token)
            token.kind = Kind.message
            self._committing[token] = now

    def worker_failed(self, now: int, message: int, place: Place) -> None:
        super().worker_failed(now, message, place)
        token = self.desks.get(place.name)
        if token is not None:
            self.release(place.service, token)
            self._committing[token] = now

    def service_retried(self, now: int, message: int, place: Place) -> None:
        token = self.retrying(now, message, place)
        if token is not None:
            self._committing.pop(token, None)
            token.stay(now)

    def worker_crashed(self, now: int, message: int, place: Place) -> None:
        token = self.desks.get(place.name)
        if token is not None:
            self.release(place.service, token)
            token.stay(now, kind=Kind.failed)

    def queue_acknowledged(self, now: int, message: int, _: Place) -> None:
        token = self._leave(message)
        if token is not None:
            self._commit(token)
            token.gone(now)

    def _commit(self, token: Token) -> None:
        since = self._committing.pop(token, None)
        if since is not None:
            token.move(since, self.layout["database"])

    def queue_dropped(self, now: int, message: int, _: Place) -> None:
        token = self._leave(message) or self._waiting.take("", message)
        if token is not None:
            self._committing.pop(token, None)
            token.stay(now, kind=Kind.failed)
            token.gone(now)

    def _leave(self, message: int) -> Token | None:
        """The token of this message that holds a thread gives it up; one that is at its commit before others."""
        tokens = self._on_thread._tokens.get(("", message))
        if not tokens:
            return None
        token = next((one for one in tokens if one in self._committing), tokens[0])
        tokens.remove(token)
        for desk in [name for name, one in self.desks.items() if one is token]:
            del self.desks[desk]
        for taken in self.slots.values():
            taken.discard(token.slot)
        return token

    def finish(self) -> None:
        for token in list(self._committing):
            if self.run.end_ns > self._committing[token]:
                self._commit(token)


class RpcWalk(Walk):
    """A token is an order open at the gateway, or one call of a service."""

    hub = "gateway open"

    def __init__(self, run: Run, layout: Layout) -> None:
        super().__init__(run, layout)
        self._waiting, self._open = Shelf(), Shelf()
        self._asked_ns: dict[int, int] = {}
        self._again: defaultdict[Key, int] = defaultdict(int)
        self._tries: defaultdict[int, int] = defaultdict(int)
        self._seen: dict[Key, int] = {}

    def queue_routed(self, now: int, message: int, place: Place) -> None:
        if place.service:
            self._call(now, message, place.service)
            return
        order = self.messages[message].order
        self._tries[order] += 1
        token = self.new(message, Kind.retry if self._tries[order] > 1 else Kind.message)
        token.go(min(now, self.sent_ns.get(message, now)), self.source(message), self.layout["gateway"])
        token.stay(now)
        self._waiting.put("", token)

    def _call(self, now: int, message: int, service: str) -> None:
        order, key = self.messages[message].order, (service, message)
        kind = Kind.retry if self._tries[order] > 1 else Kind.message
        if self._again[key]:
            self._again[key] -= 1
            kind = Kind.retry
        elif self._seen.get(key) == self._tries[order]:
            kind = Kind.duplicate
        self._seen[key] = self._tries[order]
        token = self.new(message, kind)
        token.go(min(now, self._asked_ns.get(order, now)), self.layout["gateway open"], self.layout[f"inbox {service}"])
        token.stay(now)
        self.handed.put(service, token)

    def queue_delivered(self, now: int, message: int, place: Place) -> None:
        token = None if place.service else self._waiting.take("", message)
        if token is not None:
            token.move(now, self.layout["gateway open"])
            self._open.put("", token)
            self._asked_ns[token.order] = now

    def queue_acknowledged(self, now: int, message: int, place: Place) -> None:
        if place.service:
            self._asked_ns[self.messages[message].order] = now
            return
        token = self._open.take("", message)
        if token is not None:
            token.gone(now)

    def queue_dropped(self, now: int, message: int, place: Place) -> None:
        # What a dying worker held left its hands when it crashed; else it is the one that waits.
        token = self.failing.take(place.service, message) or (
            self.handed if place.service else self._waiting).take(place.service, message)
        if token is not None:
            self._return(now, token, Kind.failed)

    def _return(self, now: int, token: Token, kind: Kind | None) -> None:
        self._asked_ns[token.order] = now
        if token.end == FOREVER and kind is not None:
            token.go(now, token.node, self.layout["gateway open"], kind)
            token.gone(now)

    def done(self, now: int, token: Token, place: Place) -> None:
        self._return(now, token, token.kind)

    def worker_failed(self, now: int, message: int, place: Place) -> None:
        token = self.desks.pop(place.name, None)
        if token is not None:
            self.release(place.service, token)
            token.stay(now, kind=Kind.failed)
            self._return(now, token, Kind.failed)

    def crashed(self, now: int, token: Token, place: Place) -> None:
        self.failing.put(place.service, token)

    def service_retried(self, now: int, message: int, place: Place) -> None:
        self._again[place.service, message] += 1
        self._asked_ns[self.messages[message].order] = now

    def queue_lost(self, now: int, message: int, place: Place) -> None:
        token = self.new(message, Kind.lost)
        token.go(now, self.layout["gateway open"], self.layout[f"inbox {place.service}"])
        token.gone(now)
