"""RPC: the same services behind synchronous calls, each with its own workers and its own FIFO."""
from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable

from edasim.architectures.rpc_server import Call, OpenOrder, Server
from edasim.architectures.steps import StepOrder
from edasim.core.conservation import Counts, queue_imbalance
from edasim.core.deadlines import Deadlines
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.scenario.architecture_options import RpcOptions
from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.faults import Mend
from edasim.services.line import Line, line
from edasim.services.service import Service
from edasim.services.shop import Shop
from edasim.services.worker import Worker


class Rpc:
    """A gateway that calls the services of an order, one after another or level by level in parallel.

    `open_requests` orders are open at a time, the rest wait; a call that fails for good fails its order unless the
    service is not required.  Work whose caller has gone is done all the same, unless `cancels`.
    """

    name = "rpc"
    dead_letters = False
    parts: frozenset[str] = frozenset()

    def __init__(self, shop: Shop, options: RpcOptions) -> None:
        self.shop = shop
        self.options = options
        self.clock = shop.world.clock
        self.order = StepOrder(shop.scenario)
        self.open: dict[OpenOrder, None] = {}
        self.queue: Line[Request] = line(options.discipline)
        self.bounded = shop.scenario.may_have("architectures.rpc.queue-limit", math.inf)
        shop.share_cores()
        self.servers = {name: Server(self, service) for name, service in shop.services.items()}
        self._waits: OrderedDict[Call, int] = OrderedDict()
        self._timeouts = Deadlines(self.clock, self._waits, self._call_timed_out)
        self._order_of: dict[Request, OpenOrder] = {}
        self._admitting = False
        self._protections = shop.protections()
        self._call = self._call_protected if self._protections else self._make_call
        self._call_over = self._protected_call_over if self._protections else self._ended
        place = Place("queue", "gateway")
        self.place = place
        self.routed = shop.world.writer(Verb.routed, place)
        self.delivered = shop.world.writer(Verb.delivered, place)
        self.acknowledged = shop.world.writer(Verb.acknowledged, place)
        self.dropped = shop.world.writer(Verb.dropped, place)
        shop.world.add_part(self)

    def begin(self) -> None:
        """Start the workers."""
        for server in self.servers.values():
            server.fill()

    def owes(self) -> bool:
        """Whether an order is open or a call waits to be made again."""
        return bool(self.open or self.queue)

    @property
    def waiting(self) -> int:
        """Orders that wait for an open request to close."""
        return len(self.queue)

    @property
    def in_flight(self) -> int:
        """Orders that are open."""
        return len(self.open)

    def imbalance(self, counts: Counts) -> str:
        """Whether its books balance."""
        return queue_imbalance(self, counts)

    def owed(self) -> list[Message]:
        """Orders open or waiting to be."""
        return [order.request.message for order in self.open] + [request.message for request in self.queue]

    # --- an order at the gateway ------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """An order opens, or waits for one of the open requests to close."""
        self.routed(request.message.id)
        self.queue.append(request)
        self._admit()

    def _admit(self) -> None:
        # An order may close within the call that opens it; the outermost loop goes on then.
        if self._admitting:
            return
        self._admitting = True
        while self.queue and len(self.open) < self.options.open_requests:
            request = self.queue.popleft()
            if request.gone and self.options.cancels:
                self.dropped(request.message.id)
                continue
            self.delivered(request.message.id)
            order = self._order_of[request] = OpenOrder(request)
            self.open[order] = None
            self._add_steps(order, [request.message])
            self._go_on(order)
        self._admitting = False

    def customer_leaves(self, request: Request) -> None:
        """With `cancels`, the order is closed at once; calls under way end in vain, calls that wait are dropped."""
        if not self.options.cancels:
            return
        order = self._order_of.get(request)
        if order is not None:
            for call in order.calls:
                if call.open:
                    self._abandon(call)
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
        order.calls.clear()
        del self.open[order], self._order_of[order.request]
        self.acknowledged(order.request.message.id)
        self.shop.client.answer(order.request, not order.failed, order.failed)
        self._admit()

    # --- a call -----------------------------------------------------------------------------------------------

    def _make_call(self, call: Call) -> None:
        if call.order.done and self.options.cancels:
            return
        call.order.calls.append(call)
        if self.options.timeout is not None:
            due_ns = self._waits[call] = self.clock.now_ns + self.options.timeout
            self._timeouts.watch(due_ns)
        call.server.send(call)

    def on_answer(self, call: Call) -> None:
        """An answer arrives at the gateway; one that nobody waits for is thrown away."""
        if call.echo:
            call.server.echo_answered(call)
        elif call.open:
            call.open = False
            self._waits.pop(call, None)
            self._call_over(call, not call.error)

    def _call_timed_out(self, call: Call) -> None:
        del self._waits[call]
        call.open = False
        self._call_over(call, False)

    def _ended(self, call: Call, ok: bool) -> None:
        order, service = call.order, call.server.service
        if order.done:
            return
        if ok:
            self._add_steps(order, call.published)
        elif self._call_again(call):
            return
        else:
            self._give_up(order, service, "failed")
            return
        order.pending -= 1
        self._go_on(order)

    def _give_up(self, order: OpenOrder, service: Service, reason: str) -> None:
        if service.spec.required:
            order.failed = f"{service.name} {reason}"
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

    # --- where a service has a breaker or a budget ------------------------------------------------------------

    def _call_protected(self, call: Call) -> None:
        service, order = call.server.service, call.order
        protection = self._protections.get(service.name)
        if protection is None or (order.done and self.options.cancels):
            self._make_call(call)
            return
        call.permit = protection.enter()
        if call.permit:
            self._make_call(call)
        elif not order.done:
            protection.keep_out(call.step)
            self._give_up(order, service, "breaker open")

    def _protected_call_over(self, call: Call, ok: bool) -> None:
        protection = self._protections.get(call.server.service.name)
        if protection is not None:
            protection.over(call.permit, ok)
        self._ended(call, ok)

    def _abandon(self, call: Call) -> None:
        protection = self._protections.get(call.server.service.name)
        if protection is not None:
            protection.abandon(call.permit)

    # --- faults and changes -----------------------------------------------------------------------------------

    def crash(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service die."""
        return self.servers[service].crash(count)

    def stop(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service leave when they have finished."""
        return self.servers[service].stop(count)

    def instances(self, service: str) -> int:
        """Its workers."""
        return int(self.shop.scenario.services[service].workers)

    def restart(self, service: str, workers: list[Worker]) -> None:
        """As many new workers."""
        self.servers[service].come_back(workers)

    def connects(self, one: str, other: str) -> bool:
        """The gateway is connected with every service."""
        return "gateway" in (one, other) and ({one, other} - {"gateway"}) <= set(self.servers) and one != other

    def refuse(self, part: str, share: float) -> Mend:
        """There is no part of its own that could."""
        return lambda: None

    def hold(self, part: str) -> None:
        """There is no part of its own that could."""

    def release(self, part: str) -> None:
        """There is no part of its own that could."""

    def end_part(self, part: str, *, properly: bool) -> Mend:
        """There is no part of its own that could."""
        return lambda: None

    def slow_part(self, part: str, factor: float) -> Mend:
        """There is no part of its own that could."""
        return lambda: None

    def lose_producer(self, name: str) -> None:
        """The gateway goes on with what it has."""

    def configure(self, scenario: Scenario) -> None:
        """Other options, latencies and numbers of workers."""
        assert scenario.architectures.rpc is not None
        self.options = scenario.architectures.rpc
        for server in self.servers.values():
            server.fill()

    def capacity(self) -> dict[str, float]:
        """The workers of each service."""
        return {name: spec.workers for name, spec in self.shop.scenario.services.items()}
