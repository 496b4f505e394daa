"""One service behind the wire of RPC: calls, the line in which they wait, and the workers that take them."""
from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from edasim.core.clock import Signal, Stage
from edasim.core.conservation import Counts, queue_imbalance
from edasim.core.journal import Place, Verb
from edasim.core.link import Link
from edasim.core.message import Message
from edasim.services.client import Request
from edasim.services.line import Line, line
from edasim.services.pool import EndlessPool
from edasim.services.service import Service
from edasim.services.worker import Worker

if TYPE_CHECKING:
    from edasim.architectures.rpc import Rpc


class Call(Signal):
    """One attempt of one call: re-armed for the way there and the way back.

    `open`: the caller still waits for it.  `echo`: the wire repeated it, nobody waits for the answer.
    """

    __slots__ = ("attempt", "echo", "error", "last_wait_ns", "open", "order", "permit", "published", "server", "step")
    permit: int
    """Where the service is protected."""

    def __init__(self, order: OpenOrder, server: Server, step: Message, attempt: int, last_wait_ns: int) -> None:
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
    """One service behind the wire: a line of calls and workers that take them.

    `workers` are those that live, in the order in which they were made; `going` those of them that leave when they
    have finished what they hold; `away` counts those that a fault took and will bring back.  Of unlimited workers
    there are as many as were ever needed at once.
    """

    def __init__(self, rpc: Rpc, service: Service) -> None:
        self.rpc = rpc
        self.service = service
        self.queue: Line[Call] = line(rpc.options.discipline)
        self.idle: deque[Worker] = deque()
        self.busy: dict[Worker, Call] = {}
        self.repeating: dict[Call, None] = {}
        """Calls to be made once more: nobody waits for their answers."""
        self.workers: dict[Worker, None] = {}
        self.going: dict[Worker, None] = {}
        self.away = 0
        self._made = 0
        world, network = rpc.shop.world, rpc.shop.network
        self.to_service: Link = network.link("gateway", service.name, ("gateway-to-service",))
        self.to_gateway: Link = network.link(service.name, "gateway", ("service-to-gateway",))
        self.to_service.on_lost = self.to_gateway.on_lost = self._connection_lost
        self._arrives: Stage = self._on_arrival_if_room if rpc.bounded else self._on_arrival
        self._answers: Stage = rpc.on_answer
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
        return [call.step for call in (*self.queue, *self.busy.values(), *self.repeating)]

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
        """Whether a call is waiting or under way or will be repeated, wanted or not."""
        return bool(self.queue or self.busy or self.repeating)

    def hire(self, number: int) -> None:
        """More workers."""
        for _ in range(number):
            self.idle.append(self._new_worker())
        self._serve()

    def _new_worker(self) -> Worker:
        self._made += 1
        worker = Worker(self.rpc.clock, f"{self.service.name}-{self._made}")
        self.workers[worker] = None
        return worker

    def fill(self) -> None:
        """As many workers as there are to be, less those that a fault took away."""
        wanted = self.service.spec.workers
        endless = isinstance(self.idle, EndlessPool)
        if wanted == math.inf:
            self.idle = self.idle if endless else EndlessPool(self.idle, self._new_worker)
            self._open_or_close()
            self._serve()
            return
        self.idle = deque(self.idle) if endless else self.idle
        surplus = len(self.workers) - len(self.going) + self.away - int(wanted)
        if surplus > 0:
            self._let_go(surplus)
        else:
            self.hire(-surplus)

    def _open_or_close(self) -> None:
        """Unlimited workers are there, unless a fault took all that there were."""
        alive = len(self.workers) > len(self.going)
        assert isinstance(self.idle, EndlessPool), "only unlimited workers come and go together"
        self.idle.closed = self.away > 0 and not alive
        if not alive and not self.idle.closed:
            self.idle.append(self._new_worker())

    def send(self, call: Call) -> None:
        """At the gateway: make the call."""
        self.to_service.send(call, self._arrives)

    def _repeat_if_lost(self, call: Call) -> None:
        """The answer to a call that ended well may get lost; the gateway notices and makes the call once more."""
        link = self.to_service if self.to_service.duplicates else self.to_gateway
        if link.repeats():
            self._make_again(call, 1, 0, link.repetition_ns())

    def echo_answered(self, echo: Call) -> None:
        """A repeated call that fails is made again, like any other."""
        policy = self.rpc.shop.policy(self.service.name)
        if echo.error and policy.allows(echo.attempt):
            self.rpc.shop.world.journal.record(Verb.retried, echo.step.id, self.service.place)
            wait_ns = policy.wait_ns(echo.attempt, echo.last_wait_ns)
            self._make_again(echo, echo.attempt + 1, wait_ns, self.rpc.clock.now_ns + wait_ns)

    def _make_again(self, call: Call, attempt: int, last_wait_ns: int, due_ns: int) -> None:
        echo = Call(call.order, self, call.step, attempt, last_wait_ns)
        echo.echo = True
        self.repeating[echo] = None

        def make() -> None:
            del self.repeating[echo]
            self.repeated(echo.step.id)
            self.to_service.send(echo, self._arrives)

        self.rpc.clock.at(due_ns, make)

    def _connection_lost(self, signal: Signal) -> None:
        """The call or its answer perished with its connection; the caller gets an error."""
        assert isinstance(signal, Call)
        self.lost(signal.step.id)
        signal.error = True
        self.rpc.on_answer(signal)

    def _on_arrival(self, call: Call) -> None:
        if not self.workers:
            self._refuse(call)
            return
        self.routed(call.step.id)
        self.queue.append(call)
        self._serve()

    def _on_arrival_if_room(self, call: Call) -> None:
        limit = self.rpc.options.queue_limit
        if len(self.queue) >= limit and not self.idle and self.workers:
            if self.rpc.options.cancels:
                self._forget_unwanted()
            if len(self.queue) >= limit:
                self._refuse(call)
                return
        self._on_arrival(call)

    def _forget_unwanted(self) -> None:
        """Calls whose caller has gone make room."""
        for call in [call for call in self.queue if not call.open]:
            self.queue.remove(call)
            self.dropped(call.step.id)

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
            self.service.desk(worker, self._finished).start(call.step)

    def _finished(self, worker: Worker, ok: bool) -> None:
        call = self.busy.pop(worker)
        self.acknowledged(call.step.id)
        if ok:
            call.published = self.service.apply(call.step) or self.service.earlier_answer(call.step)
            if self.to_service.duplicates or self.to_gateway.duplicates:
                self._repeat_if_lost(call)
        else:
            call.error = True
        if worker in self.going:
            del self.going[worker], self.workers[worker]
        else:
            self.idle.append(worker)
        self.to_gateway.send(call, self._answers)
        self._empty_when_dead()
        self._serve()

    # --- faults -----------------------------------------------------------------------------------------------

    def crash(self, count: int | None) -> list[Worker]:
        """The workers that were made first die, as everywhere.

        What they held, and with the last one the whole queue, is answered with an error.
        """
        gone = list(self.workers)[:count]
        for worker in gone:
            del self.workers[worker]
            self.going.pop(worker, None)
            call = self.busy.pop(worker, None)
            if call is None:
                self.idle.remove(worker)
                continue
            self.service.crash(worker)
            self.dropped(call.step.id)
            self._refuse(call)
        return self._are_away(gone, count)

    def stop(self, count: int | None) -> list[Worker]:
        """Workers leave when they have finished what they hold."""
        return self._are_away(self._let_go(count), count)

    def _let_go(self, count: int | None) -> list[Worker]:
        gone = [worker for worker in self.workers if worker not in self.going][:count]
        for worker in gone:
            if worker in self.busy:
                self.going[worker] = None
            else:
                self.idle.remove(worker)
                del self.workers[worker]
        self._empty_when_dead()
        return gone

    def _are_away(self, gone: list[Worker], count: int | None) -> list[Worker]:
        """A fault took them; returns those that come back.  A few of unlimited ones are not missed."""
        endless = isinstance(self.idle, EndlessPool)
        back = [] if endless and count is not None else gone
        self.away += len(back)
        if endless:
            self._open_or_close()
        self._empty_when_dead()
        return back

    def come_back(self, workers: list[Worker]) -> None:
        """A fault is over: new workers take the places of these."""
        self.away -= len(workers)
        self.fill()

    def _empty_when_dead(self) -> None:
        while self.queue and not self.workers:
            call = self.queue.popleft()
            self.dropped(call.step.id)
            self._refuse(call)
