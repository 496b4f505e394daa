"""The customers' side of an order: placed, answered, given up or tried again."""
from __future__ import annotations

from collections.abc import Callable, Iterable

from edasim.core.conservation import Counts
from edasim.core.deadlines import Deadlines
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.retry_policy import Client as ClientSpec


class Request:
    """One try of one order by its customer.  `gone`: the customer has left, or has been answered."""

    __slots__ = ("gone", "message", "tries")

    def __init__(self, message: Message, tries: int) -> None:
        self.message = message
        self.tries = tries
        self.gone = False


class Client:
    """All customers.  `submit(request)` hands a try to the architecture, which calls `answer` or never does;
    `on_leaving(request)` tells it when the customer has run out of patience.

    A customer waits `timeout` from placing to answer, all waiting included, then leaves; a whole order is
    placed again only as `retries` allows.
    """

    def __init__(self, world: World, spec: ClientSpec) -> None:
        self.world = world
        self.spec = spec
        self.submit: Callable[[Request], None]
        self.on_leaving: Callable[[Request], None] = lambda request: None
        self.open: dict[Request, None] = {}
        self.waiting_to_retry = 0
        self._deadlines = Deadlines(world.clock, self.open.__contains__, self._leaves)
        self.placed = world.writer(Verb.placed, Place("client", "customers"))
        self.accepted = world.writer(Verb.accepted, Place("client", "customers"))
        self.retried = world.writer(Verb.retried, Place("client", "customers"))

    def owes(self) -> bool:
        """Whether a customer awaits an answer or is about to try again."""
        return bool(self.open) or self.waiting_to_retry > 0

    def owed(self) -> Iterable[Message]:
        """Orders without an answer."""
        return [request.message for request in self.open]

    def imbalance(self, counts: Counts) -> str:
        """placed = accepted + refused + open, where an order between two tries is open."""
        placed, accepted, refused = (counts.total(verb) for verb in (Verb.placed, Verb.accepted, Verb.refused))
        here = len(self.open) + self.waiting_to_retry
        if placed == accepted + refused + here:
            return ""
        return f"customers: {placed} placed, but {accepted} accepted + {refused} refused + {here} open"

    def place(self, message: Message) -> None:
        """A customer places an order."""
        self.placed(message.id)
        self._try(message, 1)

    def _try(self, message: Message, tries: int) -> None:
        request = Request(message, tries)
        self.open[request] = None
        if self.spec.timeout is not None:
            self._deadlines.add(self.world.clock.now_ns + self.spec.timeout, request)
        self.submit(request)

    def answer(self, request: Request, ok: bool, reason: str = "failed") -> None:
        """The architecture answers a try; whoever has left does not hear it."""
        if request.gone:
            return
        request.gone = True
        del self.open[request]
        if ok:
            self.accepted(request.message.id)
        else:
            self._no(request, reason)

    def _leaves(self, request: Request) -> None:
        request.gone = True
        del self.open[request]
        self.on_leaving(request)
        self._no(request, "timeout")

    def _no(self, request: Request, reason: str) -> None:
        if request.tries > self.spec.retries:
            self.world.journal.record(Verb.refused, request.message.id, Place("client", "customers", "", reason))
            return
        self.retried(request.message.id)
        self.waiting_to_retry += 1

        def again() -> None:
            self.waiting_to_retry -= 1
            self._try(request.message, request.tries + 1)

        clock = self.world.clock
        clock.at(clock.now_ns + self.spec.backoff.delay_ns(request.tries), again)
