"""A consumer: a worker that takes deliveries from a broker, has its service handle them, and settles them.

What it does with a RabbitMQ delivery and with a Kafka record is the same code; what differs is the intake.
"""
from __future__ import annotations

from typing import Any, Protocol

from edasim.core.clock import Stage, Timer
from edasim.core.journal import Place, Verb
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


class Intake(Protocol):
    """How a consumer gets deliveries from its broker and settles them."""

    def handled(self, delivery: Any, messages: list[Message], /) -> None:
        """It is done; publish these messages because of it, then settle it."""

    def again(self, delivery: Any, attempts_made: int, wait_ns: int, /) -> None:
        """Have it come back by way of the broker, after a wait (policy `back` or `aside`)."""

    def dead_letter(self, delivery: Any, /) -> None:
        """Put it aside for a person."""

    def next(self) -> None:
        """The worker is free."""


class Consumer:
    """Handles one delivery at a time.  `attempt` counts the starts of this delivery's chain, from 1."""

    def __init__(self, world: World, service: Service, worker: Worker, policy: RetryPolicy) -> None:
        self.service = service
        self.worker = worker
        self.policy = policy
        self.intake: Intake
        self.delivery: Delivery | None = None
        self.attempt = 0
        self._last_wait_ns = 0
        self._retried = world.writer(Verb.retried, Place("service", service.name, service.name))
        self._again: Stage = (self._after_backoff,)
        self._finished = self._attempt_finished

    @property
    def busy(self) -> bool:
        """Whether it has a delivery in hands, at work or waiting to try again."""
        return self.delivery is not None

    def take(self, delivery: Delivery) -> None:
        """Begin with a delivery; the consumer must be free."""
        self.delivery = delivery
        self.attempt = delivery.attempt + 1
        self.service.start(self.worker, delivery.message, self._finished)

    def _attempt_finished(self, worker: Worker, ok: bool) -> None:
        delivery = self.delivery
        assert delivery is not None, "a consumer finished what it never took"
        if ok:
            messages = self.service.apply(delivery.message)
            self.delivery = None
            self.intake.handled(delivery, messages)
        elif self.policy.allows(self.attempt):
            self._try_again(delivery)
            if self.delivery is not None:
                return
        else:
            self.delivery = None
            self.intake.dead_letter(delivery)
        self._last_wait_ns = 0
        self.intake.next()

    def _try_again(self, delivery: Delivery) -> None:
        self._retried(delivery.message.id)
        wait_ns = self.policy.wait_ns(self.attempt, self._last_wait_ns)
        if self.policy.spec.where == "worker":
            self._last_wait_ns = wait_ns
            self.worker.wait(self._again, wait_ns)
        else:
            self.delivery = None
            self.intake.again(delivery, self.attempt, wait_ns)

    def _after_backoff(self, _: Timer) -> None:
        delivery = self.delivery
        assert delivery is not None
        self.attempt += 1
        self.service.start(self.worker, delivery.message, self._finished, again=True)

    def die(self) -> None:
        """Crash with whatever it holds, at work or waiting."""
        self.service.crash(self.worker)
        self.delivery = None
