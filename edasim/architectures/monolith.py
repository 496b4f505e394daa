"""The monolith: one process, a pool of threads, one database; an order is one transaction."""
from __future__ import annotations

import math
from collections import deque
from heapq import heappop, heappush
from itertools import count

from edasim.architectures.database import Database
from edasim.architectures.steps import StepOrder
from edasim.core.clock import Stage, Timer
from edasim.core.conservation import Counts, queue_imbalance
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.scenario.architecture_options import MonolithOptions
from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.faults import Mend
from edasim.services.line import Line, line
from edasim.services.pool import EndlessPool
from edasim.services.processor import Processor
from edasim.services.service import Service, shared_cores
from edasim.services.shop import Shop
from edasim.services.worker import Worker


class Transaction:
    """One order on one thread: the steps still to do, and the effects that come into being at commit."""

    __slots__ = ("attempt", "effects", "last_wait_ns", "message", "permit", "request", "service", "steps")
    permit: int
    """For the attempt under way, where the service is protected."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.steps: list[tuple[tuple[int, int], int, Service, Message]] = []
        self.effects: list[tuple[Service, Message]] = []
        self.service: Service | None = None
        self.message = request.message
        self.attempt = 0
        self.last_wait_ns = 0


class Monolith:
    """One process.  An order holds its thread while the modules run one after another, then commits.

    A module that fails for good rolls the order back, unless it is not required.  Work whose customer has left
    is done all the same, unless `cancels`.
    """

    name = "monolith"
    dead_letters = False
    parts = frozenset({"database"})

    def __init__(self, shop: Shop, options: MonolithOptions) -> None:
        self.shop = shop
        self.options = options
        self.clock = shop.world.clock
        world = shop.world
        self.queue: Line[Request] = line(options.discipline)
        self.idle: deque[Worker] = deque()
        self.busy: dict[Worker, Transaction] = {}
        self._threads_of: dict[Request, Worker] = {}
        self.retiring = 0
        self._made = 0
        self._serving = False
        self._down = 0
        self._number = count()
        self.order = StepOrder(shop.scenario)
        self.database = Database(world, shop.scenario.wire.latency("database-commit").quantile_ns, self._committed)
        self._again: Stage = self._after_backoff
        self._protections = shop.protections()
        self._start = self._start_protected if self._protections else self._start_plainly
        place = Place("queue", "orders")
        self.routed = world.writer(Verb.routed, place)
        self.delivered = world.writer(Verb.delivered, place)
        self.acknowledged = world.writer(Verb.acknowledged, place)
        self.dropped = world.writer(Verb.dropped, place)
        self.place = place
        self._processor: Processor | None = None
        if shop.scenario.may_have("architectures.monolith.cores", math.inf):
            self._processor = shared_cores(world, options.cores)
            for service in shop.services.values():
                service.share(self._processor)
        world.add_part(self)

    def threads(self) -> float:
        """How many threads there are to be: as many as all services have workers, unless written."""
        if self.options.threads is not None:
            return self.options.threads
        return sum(spec.workers for spec in self.shop.scenario.services.values())

    def begin(self) -> None:
        """Start the threads."""
        if self.shop.scenario.may_have("architectures.monolith.queue-limit", math.inf):
            self.shop.client.submit = self._submit_if_room
        self._fill()

    def _fill(self) -> None:
        """As many threads as there are to be; unlimited ones are made when they are needed."""
        wanted = self.threads()
        endless = isinstance(self.idle, EndlessPool)
        if wanted == math.inf:
            self.idle = self.idle if endless else EndlessPool(self.idle, self._new_thread)
            self.retiring = 0
            return
        self.idle = deque(self.idle) if endless else self.idle
        surplus = len(self.idle) + len(self.busy) - self.retiring - int(wanted)
        for _ in range(-surplus):
            self.idle.append(self._new_thread())
        for _ in range(max(0, surplus)):
            if self.idle:
                self.idle.pop()
            else:
                self.retiring += 1

    def _new_thread(self) -> Worker:
        self._made += 1
        return Worker(self.clock, f"thread-{self._made}")

    def owes(self) -> bool:
        """Whether an order is waiting or under way."""
        return bool(self.queue or self.busy)

    def owed(self) -> list[Message]:
        """Orders waiting or under way."""
        return [request.message for request in self.queue] + [one.message for one in self.busy.values()]

    def imbalance(self, counts: Counts) -> str:
        """Whether its books balance."""
        return queue_imbalance(self, counts)

    @property
    def waiting(self) -> int:
        """Orders that wait for a thread."""
        return len(self.queue)

    @property
    def in_flight(self) -> int:
        """Orders that hold a thread."""
        return len(self.busy)

    # --- an order ---------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """An order waits for a thread, or gets one."""
        if self._down:
            self.shop.client.answer(request, False, "process down")
            return
        self.routed(request.message.id)
        self.queue.append(request)
        self._serve()

    def _submit_if_room(self, request: Request) -> None:
        """An order is refused when as many wait as may."""
        limit = self.options.queue_limit
        if len(self.queue) >= limit and not self.idle and not self._down:
            if self.options.cancels:
                self._forget_unwanted()
            if len(self.queue) >= limit:
                self.shop.client.answer(request, False, "queue full")
                return
        self.submit(request)

    def _forget_unwanted(self) -> None:
        """Orders whose customer has left make room."""
        for request in [request for request in self.queue if request.gone]:
            self.queue.remove(request)
            self.dropped(request.message.id)

    def _serve(self) -> None:
        # An order may end within the call that begins it; the outermost loop goes on then.
        if self._serving:
            return
        self._serving = True
        while self.queue and self.idle:
            request = self.queue.popleft()
            if request.gone and self.options.cancels:
                self.dropped(request.message.id)
                continue
            thread = self.idle.popleft()
            self.delivered(request.message.id)
            transaction = self.busy[thread] = Transaction(request)
            self._threads_of[request] = thread
            self._add_steps(transaction, request.message)
            self._step(thread)
        self._serving = False

    def _add_steps(self, transaction: Transaction, message: Message) -> None:
        for service in self.shop.handlers(message.event):
            heappush(transaction.steps, (self.order.rank(service.name), next(self._number), service, message))

    def _step(self, thread: Worker) -> None:
        transaction = self.busy[thread]
        if not transaction.steps:
            self.database.commit(thread)
            return
        _, _, transaction.service, transaction.message = heappop(transaction.steps)
        transaction.attempt = 1
        self._start(thread, transaction)

    def _attempt_finished(self, thread: Worker, ok: bool) -> None:
        transaction = self.busy[thread]
        service, message = transaction.service, transaction.message
        assert service is not None
        policy = self.shop.policy(service.name)
        if ok:
            transaction.effects.append((service, message))
            # A step that is recognised has the events that it had the first time.
            again = service.has_applied(message)
            for published in service.earlier_answer(message) if again else service.publications(message):
                self._add_steps(transaction, published)
        elif policy.allows(transaction.attempt):
            self.shop.world.journal.record(Verb.retried, message.id, service.place)
            transaction.last_wait_ns = policy.wait_ns(transaction.attempt, transaction.last_wait_ns)
            thread.wait(self._again, transaction.last_wait_ns)
            return
        else:
            self._give_up(thread, service, "failed")
            return
        transaction.last_wait_ns = 0
        self._step(thread)

    def _give_up(self, thread: Worker, service: Service, reason: str) -> None:
        if service.spec.required:
            self._end(thread, False, f"{service.name} {reason}")
            return
        self.busy[thread].last_wait_ns = 0
        self._step(thread)

    def _after_backoff(self, timer: Timer) -> None:
        thread: Worker = timer.owner
        transaction = self.busy[thread]
        transaction.attempt += 1
        self._start(thread, transaction, again=True)

    def _start_plainly(self, thread: Worker, transaction: Transaction, again: bool = False) -> None:
        assert transaction.service is not None
        transaction.service.desk(thread, self._attempt_finished).start(transaction.message, again)

    # --- where a service has a breaker or a budget ------------------------------------------------------------

    def _start_protected(self, thread: Worker, transaction: Transaction, again: bool = False) -> None:
        service, message = transaction.service, transaction.message
        assert service is not None
        protection = self._protections.get(service.name)
        if protection is None:
            self._start_plainly(thread, transaction, again)
            return
        transaction.permit = protection.enter()
        if transaction.permit:
            service.desk(thread, self._protected_attempt_finished).start(message, again)
        else:
            protection.keep_out(message)
            self._give_up(thread, service, "breaker open")

    def _protected_attempt_finished(self, thread: Worker, ok: bool) -> None:
        transaction = self.busy[thread]
        assert transaction.service is not None
        self._protections[transaction.service.name].over(transaction.permit, ok)
        self._attempt_finished(thread, ok)

    def _abandon(self, service: Service, transaction: Transaction) -> None:
        if service.name in self._protections:
            self._protections[service.name].abandon(transaction.permit)

    # --- the transaction's end --------------------------------------------------------------------------------

    def _committed(self, thread: Worker, ok: bool) -> None:
        if not ok:
            self._end(thread, False, "database failed")
            return
        for service, message in self.busy[thread].effects:
            service.take_effect(message)
        self._end(thread, True, "")

    def _end(self, thread: Worker, ok: bool, reason: str) -> None:
        transaction = self.busy.pop(thread)
        del self._threads_of[transaction.request]
        (self.acknowledged if ok else self.dropped)(transaction.request.message.id)
        self.shop.client.answer(transaction.request, ok, reason)
        if self.retiring:
            self.retiring -= 1
        else:
            self.idle.append(thread)
        self._serve()

    def customer_leaves(self, request: Request) -> None:
        """With `cancels`, the order is rolled back at once and its thread is free."""
        thread = self._threads_of.get(request)
        if thread is None or not self.options.cancels:
            return
        if thread.desk is not None:
            service = thread.desk.service
            service.interrupt(thread)
            self._abandon(service, self.busy[thread])
        else:
            thread.drop()
        self.database.forget({thread})
        self._end(thread, False, "cancelled")

    # --- faults and changes -----------------------------------------------------------------------------------

    def crash(self, service: str, count: int | None) -> list[Worker]:
        """The process dies, whichever module is to blame: transactions roll back, customers get an error."""
        self._down += 1
        threads = list(self.busy)
        for thread in threads:
            transaction = self.busy.pop(thread)
            del self._threads_of[transaction.request]
            if thread.desk is not None:
                service_at_work = thread.desk.service
                service_at_work.crash(thread)
                self._abandon(service_at_work, transaction)
            else:
                thread.drop()
            self.dropped(transaction.request.message.id)
            self.shop.client.answer(transaction.request, False, "process crashed")
            self.idle.append(self._new_thread())
        self.database.forget(set(threads))
        while self.queue:
            request = self.queue.popleft()
            self.dropped(request.message.id)
            self.shop.client.answer(request, False, "process crashed")
        return []

    def stop(self, service: str, count: int | None) -> list[Worker]:
        """The process takes no new orders and finishes those that it has."""
        self._down += 1
        return []

    def instances(self, service: str) -> int:
        """The one process."""
        return 1

    def restart(self, service: str, workers: list[Worker]) -> None:
        """The process is back."""
        self._down -= 1

    def refuse(self, part: str, share: float) -> Mend:
        """The database refuses a share of the commits."""
        return self.database.refuse(share)

    def hold(self, part: str) -> None:
        """The database makes no progress."""
        self.database.hold()

    def release(self, part: str) -> None:
        """The database goes on."""
        self.database.release()

    def end_part(self, part: str, *, properly: bool) -> Mend:
        """What is committed is on disk; what is not waits for the database and is tried again."""
        self.hold(part)
        return lambda: self.release(part)

    def slow_part(self, part: str, factor: float) -> Mend:
        """The database takes longer to commit."""
        return self.database.slow_down(factor)

    def connects(self, one: str, other: str) -> bool:
        """There are no links in one process."""
        return False

    def lose_producer(self, name: str) -> None:
        """The process goes on with what it has."""

    def configure(self, scenario: Scenario) -> None:
        """More or fewer threads and cores, another commit time."""
        assert scenario.architectures.monolith is not None
        self.options = scenario.architectures.monolith
        self.database.use(scenario.wire.latency("database-commit").quantile_ns)
        if self._processor is not None:
            self._processor.use(self.options.cores)
        self._fill()
        self._serve()

    def capacity(self) -> dict[str, float]:
        """The threads of the one process."""
        return {"process": self.threads()}

