"""The customers' side of an order: placed, answered, given up or tried again."""
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from edasim.core.conservation import Counts
from edasim.core.deadlines import NEVER_NS, Deadlines
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.retry_policy import Client as ClientSpec
from edasim.services.producer import Producer
from edasim.services.retry import Budget


class Request:
    """One try of one order by its customer.  `gone`: the customer has left, or has been answered."""

    __slots__ = ("gone", "message", "source", "tries")

    def __init__(self, message: Message, source: Producer, tries: int) -> None:
        self.message = message
        self.source = source
        self.tries = tries
        self.gone = False


class Client:
    """All customers.  `submit(request)` hands a try to the architecture, which calls `answer` or never does;
    `on_leaving(request)` tells it when the customer has run out of patience.

    A customer waits `timeout` from placing to answer, all waiting included, then leaves; a whole order is
    placed again only as `retries` allows, and all customers' `budget`.  `open` holds the tries without an answer, and
    until when they wait (ns).
    """

    def __init__(self, world: World, spec: ClientSpec) -> None:
        self.world = world
        self.submit: Callable[[Request], None]
        self.on_leaving: Callable[[Request], None] = lambda request: None
        self.open: OrderedDict[Request, int] = OrderedDict()
        self.retrying: dict[Request, None] = {}
        self._deadlines = Deadlines(world.clock, self.open, self._leaves)
        self.placed = world.writer(Verb.placed, Place("client", "customers"))
        self._yes = world.writer(Verb.accepted, Place("client", "customers"))
        self.retried = world.writer(Verb.retried, Place("client", "customers"))
        self.budget: Budget | None = None
        self.configure(spec)

    def configure(self, spec: ClientSpec) -> None:
        """Other customers from now on; what a budget has saved up stays."""
        self.spec = spec
        if spec.budget is None:
            self.budget, self.accepted = None, self._yes
            return
        if self.budget is None:
            self.budget = Budget(spec.budget)
        self.budget.use(spec.budget)
        self.accepted = self._yes_that_earns

    def _yes_that_earns(self, number: int) -> None:
        assert self.budget is not None
        self._yes(number)
        self.budget.earn()

    def owes(self) -> bool:
        """Whether a customer awaits an answer or is about to try again."""
        return bool(self.open or self.retrying)

    def owed(self) -> Iterable[Message]:
        """Orders without an answer."""
        return [request.message for request in (*self.open, *self.retrying)]

    def imbalance(self, counts: Counts) -> str:
        """placed = accepted + refused + open, where an order between two tries is open."""
        placed, accepted, refused = (counts.total(verb) for verb in (Verb.placed, Verb.accepted, Verb.refused))
        here = len(self.open) + len(self.retrying)
        if placed == accepted + refused + here:
            return ""
        return f"customers: {placed} placed, but {accepted} accepted + {refused} refused + {here} open"

    def place(self, message: Message, source: Producer) -> None:
        """A customer places an order with a producer."""
        placed = self.placed
        placed(message.id)
        self._try(Request(message, source, 1))

    def _try(self, request: Request) -> None:
        timeout_ns = self.spec.timeout
        due_ns: int = NEVER_NS if timeout_ns is None else self.world.clock._now + timeout_ns
        self.open[request] = due_ns
        self._deadlines.watch(due_ns)
        if request.source.down:
            self.answer(request, False, "shop down")
        else:
            submit = self.submit
            submit(request)

    def answer(self, request: Request, ok: bool, reason: str = "failed") -> None:
        """The architecture answers a try; whoever has left does not hear it."""
        if request.gone:
            return
        request.gone = True
        del self.open[request]
        if ok:
            accepted = self.accepted
            accepted(request.message.id)
        else:
            self._no(request, reason)

    def _leaves(self, request: Request) -> None:
        request.gone = True
        del self.open[request]
        self.on_leaving(request)
        self._no(request, "timeout")

    def _no(self, request: Request, reason: str) -> None:
        if request.tries > self.spec.retries or not (self.budget is None or self.budget.spend()):
            self.world.journal.record(Verb.refused, request.message.id, Place("client", "customers", "", reason))
            return
        self.retried(request.message.id)
        self.retrying[request] = None

        def again() -> None:
            del self.retrying[request]
            self._try(Request(request.message, request.source, request.tries + 1))

        clock = self.world.clock
        clock.at(clock.now_ns + self.spec.backoff.delay_ns(request.tries), again)
