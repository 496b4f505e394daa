"""RPC: the same services behind synchronous calls, each with its own workers and its own FIFO."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from edasim.architectures.steps import StepOrder
from edasim.core.clock import Signal, Stage
from edasim.core.conservation import Counts, queue_imbalance
from edasim.core.deadlines import Deadlines
from edasim.core.journal import Place, Verb
from edasim.core.link import Link
from edasim.core.message import Message
from edasim.scenario.architecture_options import RpcOptions
from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.service import Service
from edasim.services.shop import Shop
from edasim.services.worker import Worker


class Call(Signal):
    """One attempt of one call: re-armed for the way there and the way back.

    `open`: the caller still waits for it.  `echo`: the wire repeated it, nobody waits for the answer.
    """

    __slots__ = ("attempt", "echo", "error", "last_wait_ns", "open", "order", "published", "server", "step")

    def __init__(self, order: OpenOrder, server: Server, step: Message, attempt: int, last_wait_ns: int) -> None:
        self.callbacks = None
        self.order = order
        self.server = server
        self.step = step
        self.attempt = attempt
        self.last_wait_ns = last_wait_ns
        self.open = True
        self.echo = False
        self.error = False
        self.published: list[Message] = []

    @property
    def message(self) -> Message:
        """What the service is asked to handle."""
        return self.step


class OpenOrder:
    """An order at the gateway: the steps still to do and the calls under way."""

    __slots__ = ("calls", "done", "failed", "pending", "request", "steps")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.steps: list[tuple[tuple[int, int], Server, Message]] = []
        self.calls: list[Call] = []
        self.pending = 0
        self.failed = ""
        self.done = False


class Server:
    """One service behind the wire: a FIFO of calls and workers that take them."""

    def __init__(self, rpc: Rpc, service: Service) -> None:
        self.rpc = rpc
        self.service = service
        self.queue: deque[Call] = deque()
        self.idle: deque[Worker] = deque()
        self.busy: dict[Worker, Call] = {}
        self.alive = 0
        self.away = 0
        self.retiring = 0
        self._made = 0
        world, network = rpc.shop.world, rpc.shop.network
        self.to_service: Link = network.link("gateway", service.name, ("gateway-to-service",))
        self.to_gateway: Link = network.link(service.name, "gateway", ("service-to-gateway",))
        self.to_service.on_lost = self.to_gateway.on_lost = self._connection_lost
        self._arrives: Stage = (self._on_arrival,)
        self._answers: Stage = (rpc.on_answer,)
        place = Place("queue", service.name, service.name)
        self.place = place
        self.routed = world.writer(Verb.routed, place)
        self.delivered = world.writer(Verb.delivered, place)
        self.acknowledged = world.writer(Verb.acknowledged, place)
        self.dropped = world.writer(Verb.dropped, place)
        self.repeated = world.writer(Verb.repeated, place)
        self.lost = world.writer(Verb.lost, place)
        world.add_part(self)

    def owed(self) -> list[Message]:
        """Calls waiting or under way."""
        return [call.step for call in (*self.queue, *self.busy.values())]

    def imbalance(self, counts: Counts) -> str:
        """Whether its books balance."""
        return queue_imbalance(self, counts)

    @property
    def waiting(self) -> int:
        """Calls that wait for a worker."""
        return len(self.queue)

    @property
    def in_flight(self) -> int:
        """Calls that a worker has in hands."""
        return len(self.busy)

    def owes(self) -> bool:
        """Whether a call is waiting or under way, wanted or not."""
        return bool(self.queue or self.busy)

    def hire(self, number: int) -> None:
        """More workers."""
        for _ in range(number):
            self._made += 1
            self.alive += 1
            self.idle.append(Worker(self.rpc.clock, f"{self.service.name}-{self._made}"))
        self._serve()

    def fill(self) -> None:
        """As many workers as there are to be, less those that a fault took away."""
        surplus = self.alive - self.retiring + self.away - self.service.spec.workers
        if surplus > 0:
            self.stop(surplus)
        else:
            self.hire(-surplus)

    def send(self, call: Call) -> None:
        """At the gateway: make the call."""
        self.to_service.send(call, self._arrives)
        if self.to_service.repeats():
            self.repeated(call.step.id)
            echo = Call(call.order, self, call.step, call.attempt, 0)
            echo.echo = True
            self.to_service.send(echo, self._arrives)

    def _connection_lost(self, signal: Signal) -> None:
        """The call or its answer perished with its connection; the caller gets an error."""
        assert isinstance(signal, Call)
        self.lost(signal.step.id)
        signal.error = True
        self.rpc.on_answer(signal)

    def _on_arrival(self, call: Call) -> None:
        if not self.alive:
            self._refuse(call)
            return
        self.routed(call.step.id)
        self.queue.append(call)
        self._serve()

    def _refuse(self, call: Call) -> None:
        call.error = True
        self.to_gateway.send(call, self._answers)

    def _serve(self) -> None:
        while self.queue and self.idle:
            call = self.queue.popleft()
            if self.rpc.options.cancels and not call.open:
                self.dropped(call.step.id)
                continue
            worker = self.idle.popleft()
            self.busy[worker] = call
            self.delivered(call.step.id)
            self.service.start(worker, call.step, self._finished)

    def _finished(self, worker: Worker, ok: bool) -> None:
        call = self.busy.pop(worker)
        self.acknowledged(call.step.id)
        if ok:
            call.published = self.service.apply(call.step) or self.service.earlier_answer(call.step)
        else:
            call.error = True
        if self.retiring:
            self.retiring -= 1
            self.alive -= 1
        else:
            self.idle.append(worker)
        self.to_gateway.send(call, self._answers)
        self._empty_when_dead()
        self._serve()

    # --- faults -----------------------------------------------------------------------------------------------

    def _dismiss(self, count: int | None) -> list[Worker]:
        """The first workers to go: the idle ones last, since a crash spares nobody for being busy."""
        return (list(self.busy) + list(self.idle))[: self.alive if count is None else count]

    def crash(self, count: int | None) -> list[Worker]:
        """Workers die; what they held, and with the last one the whole queue, is answered with an error."""
        gone = self._dismiss(count)
        self.alive -= len(gone)
        for worker in gone:
            call = self.busy.pop(worker, None)
            if call is None:
                self.idle.remove(worker)
                continue
            self.service.crash(worker)
            self.dropped(call.step.id)
            self._refuse(call)
        self._empty_when_dead()
        return gone

    def stop(self, count: int | None) -> list[Worker]:
        """Workers leave when they have finished what they hold."""
        gone = self._dismiss(count)
        for worker in gone:
            if worker in self.busy:
                self.retiring += 1
            else:
                self.idle.remove(worker)
                self.alive -= 1
        self._empty_when_dead()
        return gone

    def _empty_when_dead(self) -> None:
        while self.queue and not self.alive:
            call = self.queue.popleft()
            self.dropped(call.step.id)
            self._refuse(call)


class Rpc:
    """A gateway that calls the services of an order, one after another or level by level in parallel.

    `open_requests` orders are open at a time, the rest wait; a call that fails for good fails its order unless the
    service is not required.  Work whose caller has gone is done all the same, unless `cancels`.
    """

    name = "rpc"
    parts: frozenset[str] = frozenset()

    def __init__(self, shop: Shop, options: RpcOptions) -> None:
        self.shop = shop
        self.options = options
        self.clock = shop.world.clock
        self.order = StepOrder(shop.scenario)
        self.open: dict[OpenOrder, None] = {}
        self.queue: deque[Request] = deque()
        self._backing_off = 0
        self.servers = {name: Server(self, service) for name, service in shop.services.items()}
        self._waits: dict[Call, int] = {}
        self._timeouts = Deadlines(self.clock, self._waits, self._call_timed_out)
        self.waiting_place = Place("queue", "gateway")
        shop.world.add_part(self)

    def begin(self) -> None:
        """Start the workers."""
        for server in self.servers.values():
            server.hire(server.service.spec.workers)

    def owes(self) -> bool:
        """Whether an order is open or a call waits to be made again."""
        return bool(self.open or self.queue)

    def owed(self) -> list[Message]:
        """Orders open or waiting to be."""
        return [order.request.message for order in self.open] + [request.message for request in self.queue]

    # --- an order at the gateway ------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """An order opens, or waits for one of the open requests to close."""
        self.queue.append(request)
        self._admit()

    def _admit(self) -> None:
        while self.queue and len(self.open) < self.options.open_requests:
            request = self.queue.popleft()
            if request.gone and self.options.cancels:
                continue
            order = OpenOrder(request)
            self.open[order] = None
            self._add_steps(order, [request.message])
            self._go_on(order)

    def customer_leaves(self, request: Request) -> None:
        """With `cancels`, the order is closed at once; calls under way end in vain, calls that wait are dropped."""
        if not self.options.cancels:
            return
        for order in [order for order in self.open if order.request is request]:
            for call in order.calls:
                call.open = False
                self._waits.pop(call, None)
            self._close(order)

    def _add_steps(self, order: OpenOrder, messages: Iterable[Message]) -> None:
        for message in messages:
            for service in self.shop.handlers(message.event):
                order.steps.append((self.order.rank(service.name), self.servers[service.name], message))
        order.steps.sort(key=lambda step: step[0])

    def _go_on(self, order: OpenOrder) -> None:
        if order.done or order.pending:
            return
        if not order.steps:
            self._close(order)
            return
        if self.options.calls == "sequential":
            batch, order.steps = order.steps[:1], order.steps[1:]
        else:
            level = order.steps[0][0][0]
            batch = [step for step in order.steps if step[0][0] == level]
            order.steps = [step for step in order.steps if step[0][0] != level]
        order.pending = len(batch)
        for _, server, message in batch:
            self._call(Call(order, server, message, 1, 0))

    def _close(self, order: OpenOrder) -> None:
        order.done = True
        del self.open[order]
        self.shop.client.answer(order.request, not order.failed, order.failed)
        self._admit()

    # --- a call -----------------------------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        if call.order.done and self.options.cancels:
            return
        call.order.calls.append(call)
        if self.options.timeout is not None:
            due_ns = self._waits[call] = self.clock.now_ns + self.options.timeout
            self._timeouts.watch(due_ns)
        call.server.send(call)

    def on_answer(self, call: Call) -> None:
        """An answer arrives at the gateway; one that nobody waits for is thrown away."""
        if call.open and not call.echo:
            call.open = False
            self._waits.pop(call, None)
            self._ended(call, not call.error)

    def _call_timed_out(self, call: Call) -> None:
        del self._waits[call]
        call.open = False
        self._ended(call, False)

    def _ended(self, call: Call, ok: bool) -> None:
        order, service = call.order, call.server.service
        if order.done:
            return
        if ok:
            self._add_steps(order, call.published)
        elif self._call_again(call):
            return
        elif service.spec.required:
            order.failed = f"{service.name} failed"
            self._close(order)
            return
        order.pending -= 1
        self._go_on(order)

    def _call_again(self, call: Call) -> bool:
        policy = self.shop.policy(call.server.service.name)
        if not policy.allows(call.attempt):
            return False
        self.shop.world.journal.record(Verb.retried, call.step.id, call.server.service.place)
        wait_ns = policy.wait_ns(call.attempt, call.last_wait_ns)
        again = Call(call.order, call.server, call.step, call.attempt + 1, wait_ns)
        self.clock.at(self.clock.now_ns + wait_ns, lambda: self._call(again))
        return True

    # --- faults and changes -----------------------------------------------------------------------------------

    def crash(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service die."""
        gone = self.servers[service].crash(count)
        self.servers[service].away += len(gone)
        return gone

    def stop(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service leave when they have finished."""
        gone = self.servers[service].stop(count)
        self.servers[service].away += len(gone)
        return gone

    def instances(self, service: str) -> int:
        """Its workers."""
        return self.shop.scenario.services[service].workers

    def restart(self, service: str, workers: list[Worker]) -> None:
        """As many new workers."""
        self.servers[service].away -= len(workers)
        self.servers[service].fill()

    def connects(self, one: str, other: str) -> bool:
        """The gateway is connected with every service."""
        return "gateway" in (one, other) and ({one, other} - {"gateway"}) <= set(self.servers) and one != other

    def refuse(self, part: str, share: float) -> None:
        """There is no part of its own that could."""

    def hold(self, part: str) -> None:
        """There is no part of its own that could."""

    def release(self, part: str) -> None:
        """There is no part of its own that could."""

    def slow_part(self, part: str, factor: float) -> None:
        """There is no part of its own that could."""

    def lose_producer(self, name: str) -> None:
        """The gateway goes on with what it has."""

    def configure(self, scenario: Scenario) -> None:
        """Other options, latencies and numbers of workers."""
        assert scenario.architectures.rpc is not None
        self.options = scenario.architectures.rpc
        for server in self.servers.values():
            server.fill()

    def capacity(self) -> dict[str, int]:
        """The workers of each service."""
        return {name: spec.workers for name, spec in self.shop.scenario.services.items()}
