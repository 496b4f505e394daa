"""A service: a business capability that handles events.  Every architecture runs this same code for the work."""
from __future__ import annotations

from array import array
from heapq import heappush

from edasim.core.clock import Stage, Timer
from edasim.core.journal import Place, Verb, Writer
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.value import Service as ServiceSpec
from edasim.services.worker import Finished, Worker


class Desk:
    """The journal writers of one worker at one service."""

    __slots__ = ("crashed", "failed", "handled", "started", "started_again")

    def __init__(self, world: World, worker: Worker, service: str) -> None:
        place = Place("worker", worker.name, service)
        self.started: Writer = world.writer(Verb.started, place)
        self.started_again: Writer = world.writer(Verb.started, Place("worker", worker.name, service, "again"))
        self.handled: Writer = world.writer(Verb.handled, place)
        self.failed: Writer = world.writer(Verb.failed, place)
        self.crashed: Writer = world.writer(Verb.crashed, place)


class Service:
    """The work, the failures, the effects and the faults of one service in one run.

    Draws are keyed by the order and the message's place in its tree of causes, so that order 17 needs the same
    work in every architecture.  `plain`: neither idempotent nor publishing, so that handling is one effect and no
    more.  `speed` is 1 in good health, 0 while unavailable, 1/4 when slow by 4x.
    """

    def __init__(self, world: World, name: str, spec: ServiceSpec) -> None:
        self.world = world
        self._clock = world.clock
        self.name = name
        self.spec = spec
        self.place = Place("service", name, name)
        self.applied: Writer = world.writer(Verb.applied, self.place)
        self.deduplicated: Writer = world.writer(Verb.deduplicated, self.place)
        self.published: Writer = world.writer(Verb.published, self.place)
        self._work = world.draws.keyed("work", name, spec.work.quantile_ns)
        self._failure = world.draws.keyed("failure", name)
        self._fault_failure = world.draws.keyed("fault", name)
        self._poison = world.draws.keyed("poison", name)
        self._branch = world.draws.keyed("branch", name)
        self._starts = array("I")
        self._desks: dict[Worker, Desk] = {}
        self._done: set[int] = set()
        self._answers: dict[int, list[Message]] = {}
        self._end: Stage = self._attempt_ends
        self._stops = 0
        self._slowness: list[float] = []
        self._failing: list[float] = []
        self.speed = 1.0
        self.configure(spec)

    def configure(self, spec: ServiceSpec) -> None:
        """Use other parameters from now on; attempts under way keep the work that they drew."""
        if spec.work != self.spec.work:
            self._work.use(spec.work.quantile_ns)
        self.spec = spec
        self.fails, self.poison, self.idempotent = spec.fails, spec.poison, spec.idempotent
        self.plain = not (spec.idempotent or spec.publishes)

    # --- one attempt ------------------------------------------------------------------------------------------

    def start(self, worker: Worker, message: Message, finished: Finished, again: bool = False) -> None:
        """Start an attempt; `finished(worker, ok)` is called when it ends, unless the worker dies before.

        `again`: the worker kept the message since the last attempt.
        """
        number = message.id
        desk = self._desks.get(worker) or self._new_desk(worker)
        (desk.started_again if again else desk.started)(number)
        starts = self._starts
        if number >= len(starts):
            starts.frombytes(bytes(starts.itemsize * (number + 1024 - len(starts))))
        nth = starts[number] = starts[number] + 1
        worker.nth = nth
        worker.message = message
        worker.service = self
        worker.finished = finished
        if self._failing and self._fault_failure.at(message.order, message.path, nth) < max(self._failing):
            work_ns = -1
        elif self.idempotent and number in self._done:
            work_ns = worker.nth = 0
        else:
            work_ns = self._work.at(message.order, message.path, nth)
        worker.remaining_ns = work_ns
        if self.speed == 1.0 and work_ns >= 0:
            clock = self._clock
            worker.due_ns = due_ns = clock._now + work_ns  # type: ignore[assignment]
            heappush(clock._queue, (due_ns, 1, next(clock._eid), self._end, worker.timer))  # type: ignore[misc]
        else:
            self._go_on(worker, work_ns)

    def _go_on(self, worker: Worker, work_ns: int) -> None:
        worker.remaining_ns = work_ns
        if work_ns < 0:
            # An attempt that fails at once still takes an event, so that a retry without delay cannot recurse.
            worker.clock.arm(worker.timer, self._end, 0)
        elif self.speed > 0:
            delay_ns = round(work_ns / self.speed)
            worker.due_ns = worker.clock.now_ns + delay_ns
            worker.clock.arm(worker.timer, self._end, delay_ns)

    def _attempt_ends(self, timer: Timer) -> None:
        worker: Worker = timer.owner
        if timer is not worker.timer:
            return
        message, finished, nth = worker.message, worker.finished, worker.nth
        assert message is not None and finished is not None, "an attempt ended that nobody had started"
        worker.message = worker.service = None
        failed = worker.remaining_ns < 0 or (
            nth > 0 and (self.fails > 0 or self.poison > 0) and self._has_bad_luck(message, nth))
        desk = self._desks[worker]
        (desk.failed if failed else desk.handled)(message.id)
        finished(worker, not failed)

    def _has_bad_luck(self, message: Message, nth: int) -> bool:
        if self.fails > 0 and self._failure.at(message.order, message.path, nth) < self.fails:
            return True
        return self.poison > 0 and bool(self._poison.at(message.order, message.path, 0) < self.poison)

    def _new_desk(self, worker: Worker) -> Desk:
        desk = self._desks[worker] = Desk(self.world, worker, self.name)
        return desk

    def interrupt(self, worker: Worker) -> None:
        """The attempt is called off: it ends badly, and the worker is free."""
        message = worker.drop()
        assert message is not None, "only an attempt under way can be called off"
        self._desks[worker].failed(message.id)

    def crash(self, worker: Worker) -> None:
        """The worker dies with what it holds."""
        message = worker.drop()
        worker.alive = False
        if message is not None:
            self._desks[worker].crashed(message.id)

    # --- what handling does -----------------------------------------------------------------------------------

    def apply(self, message: Message) -> list[Message]:
        """The effects of handling a message come into being; returns the messages to publish because of them.

        An idempotent service recognises a message that it has applied before and does nothing.
        """
        return self.publications(message) if self.take_effect(message) else []

    def take_effect(self, message: Message) -> bool:
        """Record the effects of handling a message; False when it is recognised as a repetition."""
        if self.idempotent:
            if message.id in self._done:
                self.deduplicated(message.id)
                return False
            self._done.add(message.id)
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

    def heal(self, share: float) -> None:
        """Undo one `fail`."""
        self._failing.remove(share)

    def _change_speed(self) -> None:
        before = self.speed
        self.speed = 0.0 if self._stops else 1.0
        for factor in self._slowness:
            self.speed /= factor
        if self.speed == before:
            return
        now = self.world.clock.now_ns
        for worker in self._desks:
            if worker.service is not self or worker.remaining_ns < 0:
                continue
            if before > 0:
                worker.remaining_ns = round((worker.due_ns - now) * before)
                worker.forget_timer()
            self._go_on(worker, worker.remaining_ns)
