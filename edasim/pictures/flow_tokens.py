"""From the journal of a run to tokens: what a dot of the animation stands for, and where it was when.

A token is one copy of a message for one service (an entry, a record as one group reads it, a call), or an order in
the monolith and at the gateway, or an answer on its way to the customer.  Its life is a row of segments without gaps:
each begins at an instant and leads from one node to another, or stays at one.  `Walk` reads the facts one by one; what
each architecture makes of them is in `flow_called` and in `flow_brokered`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from enum import IntEnum

from edasim.core.journal import Place, Verb
from edasim.pictures.flow_layout import Layout, producer_of
from edasim.simulate import Run

FOREVER = 1 << 62
"""The end of what lasts longer than the run (nanoseconds)."""


class Kind(IntEnum):
    """How a token looks in one of its segments."""

    message = 0
    retry = 1
    failed = 2
    dead = 3
    duplicate = 4
    lost = 5
    yes = 6
    no = 7


class Token:
    """One dot.  `starts`, `sources`, `targets`, `kinds` and `lanes` are its segments; it is gone at `end`."""

    __slots__ = ("end", "kind", "kinds", "lane", "lanes", "message", "order", "slot", "sources", "starts", "targets")

    def __init__(self, message: int, order: int, kind: Kind = Kind.message, lane: int = 0) -> None:
        self.message = message
        self.order = order
        self.kind = kind
        self.lane = lane
        self.slot = -1
        self.end = FOREVER
        self.starts: list[int] = []
        self.sources: list[int] = []
        self.targets: list[int] = []
        self.kinds: list[int] = []
        self.lanes: list[int] = []

    @property
    def node(self) -> int:
        """Where it is, or goes."""
        return self.targets[-1]

    def go(self, now: int, source: int, target: int, kind: Kind | None = None) -> None:
        """From `now` on it goes from one node to another (or stays, when both are the same)."""
        self.starts.append(now)
        self.sources.append(source)
        self.targets.append(target)
        self.kinds.append(self.kind if kind is None else kind)
        self.lanes.append(max(0, self.slot) if self.slot >= 0 else self.lane)

    def stay(self, now: int, node: int | None = None, kind: Kind | None = None) -> None:
        """From `now` on it is at a node, by default where it is."""
        place = self.node if node is None else node
        self.go(now, place, place, kind)

    def move(self, now: int, node: int) -> None:
        """It goes to another node (if it is not there or on its way), where it is at once."""
        if self.starts and node != self.node:
            self.go(now, self.node, node)
        self.stay(now, node)

    def gone(self, now: int) -> None:
        """Its life is over."""
        self.end = min(self.end, now)


Key = tuple[str, int]
"""(service, message)."""
Handler = Callable[[int, int], None]
"""What to make of a fact: (now, number)."""


class Shelf:
    """Tokens by (service, message), first in, first out."""

    def __init__(self) -> None:
        self._tokens: defaultdict[Key, deque[Token]] = defaultdict(deque)

    def put(self, service: str, token: Token) -> None:
        """One more token of this service."""
        self._tokens[service, token.message].append(token)

    def take(self, service: str, message: int, unless: Callable[[Token], bool] | None = None) -> Token | None:
        """The token that came first, or None; none either if something speaks against that one."""
        found = self._tokens.get((service, message))
        return found.popleft() if found and not (unless and unless(found[0])) else None

    def rest(self) -> list[Token]:
        """All that are there."""
        return [token for tokens in self._tokens.values() for token in tokens]


class Walk:
    """Reads the journal; `tokens` are what it found.

    `handed` holds what a worker may begin, `failing` attempts that ended badly until the journal says what follows.
    """

    hub = ""
    """The node from which answers come; empty where it depends on the message."""

    def __init__(self, run: Run, layout: Layout) -> None:
        self.run = run
        self.layout = layout
        self.messages = run.messages
        self.tokens: list[Token] = []
        self.handed, self.failing = Shelf(), Shelf()
        self.desks: dict[str, Token] = {}
        self.slots: defaultdict[str, set[int]] = defaultdict(set)
        self.handled: set[Key] = set()
        self.sent_ns: dict[int, int] = {}
        """When each message was handed to whoever carries it: placed, placed again, or published."""
        self.publisher: dict[int, str] = {}
        self._producers = producer_of(run.scenario)
        self._first_of: dict[int, int] = {}
        self._handlers: dict[tuple[int, int], Handler] = {}

    def walk(self) -> list[Token]:
        """All tokens in the order in which they came into being."""
        facts = self.run.facts
        columns = (facts.times_ns.tolist(), facts.verbs.tolist(), facts.places.tolist(), facts.numbers.tolist())
        for now, verb, place, number in zip(*columns, strict=True):
            handler = self._handlers.get((verb, place))
            if handler is None:
                handler = self._handlers[verb, place] = self._handler(Verb(verb), self.run.places[place])
            handler(now, number)
        self.finish()
        return self.tokens

    def finish(self) -> None:
        """What is left to do when all facts are read."""

    def _handler(self, verb: Verb, place: Place) -> Handler:
        """The method for a verb at a kind of place, such as `worker_started`, bound to the place."""
        method = getattr(self, f"{place.kind}_{verb.name}", None)
        if method is None:
            return lambda now, number: None
        return lambda now, number: method(now, number, place)

    # --- tokens -----------------------------------------------------------------------------------------------

    def new(self, message: int, kind: Kind = Kind.message, lane: int = 0) -> Token:
        """A token for a message."""
        token = Token(message, self.messages[message].order, kind, lane)
        self.tokens.append(token)
        return token

    def node(self, name: str, otherwise: str = "") -> int:
        """The number of a node, or of another one where this architecture does not show it."""
        return self.layout[name if name in self.layout or not otherwise else otherwise]

    def source(self, message: int) -> int:
        """The node that sends a message: its customer's producer, or the service that publishes it."""
        service = self.publisher.get(message)
        if service is not None:
            return self.layout[f"work {service}"]
        first = self._producers.get(self.messages[message].event)
        return self.layout[first] if first else 0

    def customer(self, message: int) -> int:
        """The producer's node of the order that a message belongs to."""
        first = self._first_of.get(self.messages[message].order, message)
        return self.layout[self._producers.get(self.messages[first].event, next(iter(self._producers.values())))]

    # --- customers --------------------------------------------------------------------------------------------

    def client_placed(self, now: int, message: int, _: Place) -> None:
        self._first_of[self.messages[message].order] = message
        self.sent_ns[message] = now

    def client_retried(self, now: int, message: int, _: Place) -> None:
        self.sent_ns[message] = now

    def client_accepted(self, now: int, message: int, _: Place) -> None:
        self._answer(now, message, Kind.yes)

    def client_refused(self, now: int, message: int, place: Place) -> None:
        self._answer(now, message, Kind.no, left=place.detail in ("timeout", "shop down"))

    def _answer(self, now: int, message: int, kind: Kind, left: bool = False) -> None:
        """An answer goes to the customer; one who has left shows where he stood."""
        token = self.new(message, kind)
        customer = self.customer(message)
        token.go(now, customer if left else self.answering(message), customer)
        token.stay(now)
        token.gone(now)

    def answering(self, message: int) -> int:
        """The node from which the answer to an order comes."""
        return self.layout[self.hub]

    # --- workers ----------------------------------------------------------------------------------------------

    def worker_started(self, now: int, message: int, place: Place) -> None:
        service = place.service
        token = self.desks.get(place.name) if place.detail == "again" else self.begun(now, message, place)
        if token is None:
            token = self.new(message)
            token.stay(now, self.node(f"hand {service}", f"inbox {service}"))
        self.desks[place.name] = token
        if token.slot < 0:
            taken = self.slots[service]
            token.slot = next(number for number in range(len(taken) + 1) if number not in taken)
            taken.add(token.slot)
        token.move(now, self.layout[f"work {service}"])

    def begun(self, now: int, message: int, place: Place) -> Token | None:
        """The token that a worker begins with."""
        return self.handed.take(place.service, message)

    def worker_handled(self, now: int, message: int, place: Place) -> None:
        token = self.desks.pop(place.name, None)
        self.handled.add((place.service, message))
        if token is not None:
            self.release(place.service, token)
            self.done(now, token, place)

    def done(self, now: int, token: Token, place: Place) -> None:
        """An attempt ended well."""
        token.gone(now)

    def worker_failed(self, now: int, message: int, place: Place) -> None:
        token = self.desks.get(place.name)
        if token is not None:
            token.stay(now, kind=Kind.failed)
            self.failing.put(place.service, token)

    def worker_crashed(self, now: int, message: int, place: Place) -> None:
        token = self.desks.pop(place.name, None)
        if token is not None:
            token.stay(now, kind=Kind.failed)
            self.release(place.service, token)
            self.crashed(now, token, place)

    def crashed(self, now: int, token: Token, place: Place) -> None:
        """A worker died with a token in its hands."""
        token.gone(now)

    def release(self, service: str, token: Token) -> None:
        """The worker has it no longer."""
        self.slots[service].discard(token.slot)
        token.slot = -1

    def retrying(self, now: int, message: int, place: Place) -> Token | None:
        """The token whose attempt failed and that is to be tried again, now marked as such."""
        token = self.failing.take(place.service, message)
        while token is not None and token.end < FOREVER:
            token = self.failing.take(place.service, message)
        if token is not None:
            token.kind = Kind.retry
        return token

    def service_published(self, now: int, message: int, place: Place) -> None:
        self.publisher[message] = place.service
        self.sent_ns[message] = now
