"""A service: a business capability that handles events.  Every architecture runs this same code for the work."""
from __future__ import annotations

from heapq import heappush
from typing import Any

from edasim.core.clock import Timer
from edasim.core.journal import Place, Verb, Writer
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.deduplication import Memory
from edasim.scenario.value import Service as ServiceSpec
from edasim.services.deduplication import Remembered, remembered
from edasim.services.processor import Processor
from edasim.services.worker import Finished, Worker


class Desk:
    """One worker's place at one service, where its attempts begin and end.

    `finished(worker, ok)` is called at the end of an attempt, unless the worker dies before.
    """

    __slots__ = ("_agenda", "_clock", "_number", "_work_at", "crashed", "failed", "finished", "handled", "service",
                 "started", "started_again", "worker")

    def __init__(self, service: Service, worker: Worker, finished: Finished) -> None:
        self.service = service
        self.worker = worker
        self.finished = finished
        self._clock = service.world.clock
        self._agenda: list[Any] = self._clock._queue
        self._number = self._clock._eid
        self._work_at = service.work.at
        self.started: Writer = self._opens

    def _opens(self, number: int) -> None:
        # What has never begun is no place in the journal.
        writer = self.service.world.writer
        place = Place("worker", self.worker.name, self.service.name)
        self.started = writer(Verb.started, place)
        self.started_again = writer(Verb.started, place._replace(detail="again"))
        self.handled = writer(Verb.handled, place)
        self.failed = writer(Verb.failed, place)
        self.crashed = writer(Verb.crashed, place)
        self.service.desks[self.worker] = self
        self.started(number)

    def start(self, message: Message, again: bool = False) -> None:
        """Start an attempt; `again`: the worker kept the message since the last one."""
        service, worker, number = self.service, self.worker, message.id
        (self.started_again if again else self.started)(number)
        starts = service.starts
        try:
            nth = starts[number] = starts[number] + 1
        except IndexError:
            starts.extend([0] * (number + 1024 - len(starts)))
            nth = starts[number] = 1
        worker.nth = nth
        worker.message = message
        worker.desk = self
        if service.ordinary:
            work_at = self._work_at
            worker.remaining_ns = work_ns = work_at(message.order, message.path, nth)
            worker.due_ns = due_ns = self._clock._now + work_ns
            heappush(self._agenda, (due_ns, 1, next(self._number), _attempt_ends, worker.timer))
        else:
            self.go_on(service.work_now(worker, message))

    def go_on(self, work_ns: int) -> None:
        """So much work is left; how long that takes depends on the service's speed."""
        worker = self.worker
        worker.remaining_ns = work_ns
        if work_ns < 0:
            # An attempt that fails at once still takes an event, so that a retry without delay cannot recurse.
            self._clock.arm(worker.timer, _attempt_ends, 0)
        elif self.service.speed > 0:
            delay_ns = round(work_ns / self.service.speed)
            worker.due_ns = self._clock.now_ns + delay_ns
            self._clock.arm(worker.timer, _attempt_ends, delay_ns)


    def pause(self, speed: float) -> int:
        """The attempt makes no progress from now on; returns the work that is left of it, which went at this speed."""
        worker = self.worker
        left_ns = round((worker.due_ns - self._clock.now_ns) * speed)
        worker.forget_timer()
        return left_ns

    def leave(self) -> Message | None:
        """The attempt ends before its time; returns its message."""
        return self.worker.drop()


class SharedDesk(Desk):
    """A desk at which attempts get their share of the service's cores."""

    __slots__ = ()

    def go_on(self, work_ns: int) -> None:
        """So much work is left; how long that takes depends on who else is at work."""
        if work_ns < 0:
            super().go_on(work_ns)
            return
        self.worker.remaining_ns = work_ns
        if self.service.speed > 0:
            self._processor.add(self.worker, work_ns, self.service.speed)

    def pause(self, speed: float) -> int:
        """The attempt makes no progress from now on and uses no core; returns the work that is left of it."""
        return self._processor.remove(self.worker)

    def leave(self) -> Message | None:
        """The attempt ends before its time; its share goes to the others."""
        if self._processor.holds(self.worker):
            self._processor.remove(self.worker)
        return super().leave()

    @property
    def _processor(self) -> Processor:
        processor = self.service.processor
        assert processor is not None, "only a service with cores has such desks"
        return processor


def shared_cores(world: World, cores: float) -> Processor:
    """Cores for services to share; see `Service.share`."""
    return Processor(world.clock, cores, _attempt_ends)


def _attempt_ends(timer: Timer) -> None:
    worker: Worker = timer.owner
    if timer is not worker.timer:
        return
    desk, message, nth = worker.desk, worker.message, worker.nth
    assert message is not None and desk is not None, "an attempt ended that nobody had started"
    worker.message = worker.desk = None
    service, finished = desk.service, desk.finished
    ok = worker.remaining_ns >= 0 and not (service.unlucky and nth > 0 and service.has_bad_luck(message, nth))
    (desk.handled if ok else desk.failed)(message.id)
    finished(worker, ok)


class Service:
    """The work, the failures, the effects and the faults of one service in one run.

    Draws are keyed by the order and the message's place in its tree of causes, so that order 17 needs the same
    work in every architecture.  `plain`: neither idempotent nor publishing, so that handling is one effect and no
    more; `unlucky`: some attempts fail; `ordinary`: attempts take their work as it is drawn.  `speed` is 1 in good
    health, 0 while unavailable, 1/4 when slow by 4x.  `processor`: the cores that those at work share, None where
    each of them has one of its own.
    """

    def __init__(self, world: World, name: str, spec: ServiceSpec) -> None:
        self.world = world
        self.name = name
        self.spec = spec
        self.place = Place("service", name, name)
        self.applied: Writer = world.writer(Verb.applied, self.place)
        self.deduplicated: Writer = world.writer(Verb.deduplicated, self.place)
        self.published: Writer = world.writer(Verb.published, self.place)
        self.work = world.draws.keyed("work", name, spec.work.quantile_ns)
        self._failure = world.draws.keyed("failure", name)
        self._fault_failure = world.draws.keyed("fault", name)
        self._poison = world.draws.keyed("poison", name)
        self._branch = world.draws.keyed("branch", name)
        self.starts: list[int] = []
        """How many attempts have begun, by the message's id."""
        self.desks: dict[Worker, Desk] = {}
        """Those at which something has begun."""
        self._done: Remembered = set()
        self._window: bool | Memory = True
        self._answers: dict[int, list[Message]] = {}
        self.processor: Processor | None = None
        self._desk_kind = Desk
        self._stops = 0
        self._slowness: list[float] = []
        self._failing: list[float] = []
        self.speed = 1.0
        self.configure(spec)

    def configure(self, spec: ServiceSpec) -> None:
        """Use other parameters from now on; attempts under way keep the work that they drew."""
        if spec.work != self.spec.work:
            self.work.use(spec.work.quantile_ns)
        self.spec = spec
        self.fails, self.poison, self.idempotent = spec.fails, spec.poison, bool(spec.idempotent)
        if self.idempotent and spec.idempotent != self._window:
            self._window = spec.idempotent
            self._done = remembered(self.world.clock, spec.idempotent, self._done)
        self.unlucky = spec.fails > 0 or spec.poison > 0
        self.plain = not (spec.idempotent or spec.publishes)
        self._note_health()

    def share(self, processor: Processor) -> None:
        """Attempts share these cores, from the beginning on."""
        self.processor = processor
        self._desk_kind = SharedDesk
        self._note_health()

    def _note_health(self) -> None:
        self.ordinary = (self.speed == 1.0 and not self._failing and not self.idempotent
                         and self.processor is None)

    # --- one attempt ------------------------------------------------------------------------------------------

    def desk(self, worker: Worker, finished: Finished) -> Desk:
        """The place at which a worker does this service's work; `finished(worker, ok)` hears of each attempt's end."""
        return self.desks.get(worker) or self._desk_kind(self, worker, finished)

    def work_now(self, worker: Worker, message: Message) -> int:
        """The work of an attempt where something may fail or be recognised; below 0: it fails at once."""
        order, path, nth = message.order, message.path, worker.nth
        if self._failing and self._fault_failure.at(order, path, nth) < max(self._failing):
            return -1
        if self.idempotent and message.id in self._done:
            worker.nth = 0
            return 0
        work_ns: int = self.work.at(order, path, nth)
        return work_ns

    def has_bad_luck(self, message: Message, nth: int) -> bool:
        """Whether an attempt fails of itself, or because the message is poison."""
        if self.fails > 0 and self._failure.at(message.order, message.path, nth) < self.fails:
            return True
        return self.poison > 0 and bool(self._poison.at(message.order, message.path, 0) < self.poison)

    def interrupt(self, worker: Worker) -> None:
        """The attempt is called off: it ends badly, and the worker is free."""
        message = self.desks[worker].leave()
        assert message is not None, "only an attempt under way can be called off"
        self.desks[worker].failed(message.id)

    def crash(self, worker: Worker) -> None:
        """The worker dies with what it holds."""
        message = worker.desk.leave() if worker.desk is not None else worker.drop()
        worker.alive = False
        if message is not None:
            self.desks[worker].crashed(message.id)

    # --- what handling does -----------------------------------------------------------------------------------

    def apply(self, message: Message) -> list[Message]:
        """The effects of handling a message come into being; returns the messages to publish because of them.

        An idempotent service recognises a message that it has applied before and does nothing.
        """
        return self.publications(message) if self.take_effect(message) else []

    def take_effect(self, message: Message) -> bool:
        """Record the effects of handling a message; False when it is recognised as a repetition."""
        if self.idempotent:
            known = message.id in self._done
            self._done.add(message.id)
            if known:
                self.deduplicated(message.id)
                return False
        self.applied(message.id)
        return True

    def publications(self, message: Message) -> list[Message]:
        """The messages that this service publishes because it handled one."""
        if not self.spec.publishes:
            return []
        messages = [self._publish(message, event) for event in self.events_of(message)]
        if self.idempotent:
            self._answers[message.id] = messages
        return messages

    def has_applied(self, message: Message) -> bool:
        """Whether an idempotent service has applied a message before."""
        return self.idempotent and message.id in self._done

    def earlier_answer(self, message: Message) -> list[Message]:
        """What an idempotent service published when it handled a message before: a repeated call gets it again."""
        return self._answers.get(message.id, [])

    def events_of(self, message: Message) -> tuple[str, ...]:
        """The events that handling this message publishes; of alternatives, the one that this order gets."""
        publications = self.spec.publishes
        if not self.spec.publishes_one_of:
            return tuple(publication.event for publication in publications)
        luck = self._branch.at(message.order, message.path, 0)
        for publication in publications:
            luck -= publication.share
            if luck < 0:
                return (publication.event,)
        return ()

    def _publish(self, parent: Message, event: str) -> Message:
        message = self.world.messages.cause(parent, self.name, event, self.world.clock.now_ns)
        self.published(message.id)
        return message

    # --- faults -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Work makes no progress until `resume`."""
        self._stops += 1
        self._change_speed()

    def resume(self) -> None:
        """Undo one `stop`."""
        self._stops -= 1
        self._change_speed()

    def slow_down(self, factor: float) -> None:
        """Work takes `factor` times as long until `speed_up` with the same factor."""
        self._slowness.append(factor)
        self._change_speed()

    def speed_up(self, factor: float) -> None:
        """Undo one `slow_down`."""
        self._slowness.remove(factor)
        self._change_speed()

    def fail(self, share: float) -> None:
        """This share of the attempts fails at once until `heal` with the same share."""
        self._failing.append(share)
        self._note_health()

    def heal(self, share: float) -> None:
        """Undo one `fail`."""
        self._failing.remove(share)
        self._note_health()

    def _change_speed(self) -> None:
        before = self.speed
        self.speed = 0.0 if self._stops else 1.0
        for factor in self._slowness:
            self.speed /= factor
        self._note_health()
        if self.speed == before:
            return
        for worker, desk in self.desks.items():
            if worker.desk is not desk or worker.remaining_ns < 0:
                continue
            if before > 0:
                worker.remaining_ns = desk.pause(before)
            desk.go_on(worker.remaining_ns)
