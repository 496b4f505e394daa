"""A consumer: a worker that takes deliveries from a broker, has its service handle them, and settles them.

What it does with a RabbitMQ delivery and with a Kafka record is the same code; what differs is the intake.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from edasim.core.clock import Stage, Timer
from edasim.core.journal import Verb
from edasim.core.message import Message
from edasim.core.world import World
from edasim.services.retry import RetryPolicy
from edasim.services.service import Service
from edasim.services.worker import Worker


class Delivery(Protocol):
    """One handing over of one entry to one consumer."""

    @property
    def message(self) -> Message:
        """What is delivered."""

    @property
    def attempt(self) -> int:
        """How many attempts its chain has seen before this delivery."""

    @property
    def last_wait_ns(self) -> int:
        """How long it waited before this delivery (nanoseconds), when it was sent back or aside."""


class Intake(Protocol):
    """How a consumer gets deliveries from its broker and settles them."""

    def handled(self, delivery: Any, messages: list[Message], /) -> None:
        """It is done; publish these messages because of it, then settle it."""

    def again(self, delivery: Any, attempts_made: int, wait_ns: int, /) -> None:
        """Have it come back by way of the broker, after a wait (policy `back` or `aside`)."""

    def dead_letter(self, delivery: Any, /) -> None:
        """Put it aside for a person."""


_GONE: Any = object()
"""What a consumer holds that takes nothing any more."""


class Consumer:
    """Handles one delivery at a time; `waiting` holds those that wait at the client.

    `settle` takes what was handled and publishes nothing; `on_idle` runs when the worker is free
    and nothing waits (None where the broker pushes what comes next).
    """

    def __init__(self, world: World, service: Service, worker: Worker, policy: RetryPolicy) -> None:
        self.service = service
        self.worker = worker
        self.policy = policy
        self.intake: Intake
        self.on_idle: Callable[[], None] | None = None
        self.settle: Callable[[Any], None]
        self.delivery: Any = None
        self.waiting: deque[Any] = deque()
        self._retired = False
        self._starts = 0
        self._last_wait_ns = 0
        self._retried = world.writer(Verb.retried, service.place)
        self._again: Stage = self._after_backoff
        self._desk = service.desk(worker, self._attempt_finished)

    @property
    def busy(self) -> bool:
        """Whether it has a delivery in hands, at work or waiting to try again."""
        return self.delivery is not None and self.delivery is not _GONE

    def owes(self) -> bool:
        """Whether something is in its hands or waits at the client."""
        return bool(self.waiting) or self.busy

    def owed(self) -> list[Message]:
        """What is in its hands or waits at the client."""
        held = [self.delivery] if self.busy else []
        return [delivery.message for delivery in (*held, *self.waiting)]

    @property
    def attempts_made(self) -> int:
        """How many attempts the delivery in hands has seen, the present one included."""
        return int(self.delivery.attempt) + self._starts

    def offer(self, delivery: Any) -> None:
        """A delivery arrives at the client."""
        if self.delivery is None:
            self.take(delivery)
        else:
            self.waiting.append(delivery)

    def take(self, delivery: Any) -> None:
        """Begin with a delivery; the consumer must be free."""
        self.delivery = delivery
        self._starts = 1
        self._desk.start(delivery.message)

    def _attempt_finished(self, worker: Worker, ok: bool) -> None:
        # It holds the delivery until all is said: settling it may bring the next one within the same call.
        delivery = self.delivery
        if ok:
            service = self.service
            if service.plain:
                applied, settle = service.applied, self.settle
                applied(delivery.message.id)
                settle(delivery)
            else:
                self.intake.handled(delivery, service.apply(delivery.message))
        elif self._settle_failure(delivery):
            return
        self.delivery = _GONE if self._retired else None
        if self.waiting:
            self.take(self.waiting.popleft())
        elif (on_idle := self.on_idle) is not None:
            on_idle()

    def _settle_failure(self, delivery: Delivery) -> bool:
        """Try again or give up; True when the worker keeps the delivery for another attempt."""
        made = self.attempts_made
        policy = self.policy
        if not policy.allows(made):
            self.intake.dead_letter(delivery)
            return False
        self._retried(delivery.message.id)
        wait_ns = policy.wait_ns(made, self._last_wait_ns if self._starts > 1 else delivery.last_wait_ns)
        if policy.spec.where == "worker":
            self._last_wait_ns = wait_ns
            self.worker.wait(self._again, wait_ns)
            return True
        self.intake.again(delivery, made, wait_ns)
        return False

    def _after_backoff(self, _: Timer) -> None:
        self._start_again()

    def _start_again(self) -> None:
        self._starts += 1
        self._desk.start(self.delivery.message, again=True)

    def die(self) -> None:
        """Crash with whatever it holds, at work or waiting; nothing is taken any more."""
        self.service.crash(self.worker)
        self.delivery = _GONE
        self.waiting = deque(maxlen=0)

    def retire(self) -> None:
        """Take nothing any more after what is in hands; what waits at the client is dropped."""
        self.waiting = deque(maxlen=0)
        self._retired = True
        if self.delivery is None:
            self.delivery = _GONE
