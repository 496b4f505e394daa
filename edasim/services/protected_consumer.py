"""A consumer whose service is protected by a circuit breaker or a retry budget."""
from __future__ import annotations

from typing import Any

from edasim.core.world import World
from edasim.services.breaker import NO_PERMIT
from edasim.services.consumer import Consumer
from edasim.services.protection import Protection
from edasim.services.retry import RetryPolicy
from edasim.services.service import Service
from edasim.services.shop import Shop
from edasim.services.worker import Worker


class ProtectedConsumer(Consumer):
    """Asks for a permit before each attempt.

    Without one it holds what it has in hands, and takes nothing more, until the breaker lets it: intake is paused, and
    no message is given up because the service is known to be down.
    """

    def __init__(self, world: World, service: Service, worker: Worker, policy: RetryPolicy,
                 protection: Protection) -> None:
        super().__init__(world, service, worker, policy)
        self._protection = protection
        self._permit = NO_PERMIT
        self._desk = service.desk(worker, self._protected_attempt_finished)

    def take(self, delivery: Any) -> None:
        """Begin with a delivery as soon as there is a permit."""
        self.delivery = delivery
        self._starts = 0
        self._start_when_permitted()

    def _start_again(self) -> None:
        self._start_when_permitted()

    def _start_when_permitted(self) -> None:
        if not self.worker.alive:
            return
        self._permit = self._protection.enter()
        if self._permit == NO_PERMIT:
            assert self._protection.breaker is not None, "only a breaker keeps a call out"
            self._protection.breaker.waiting.append(self._start_when_permitted)
            return
        self._starts += 1
        self._desk.start(self.delivery.message, again=self._starts > 1)

    def _protected_attempt_finished(self, worker: Worker, ok: bool) -> None:
        permit, self._permit = self._permit, NO_PERMIT
        self._protection.over(permit, ok)
        self._attempt_finished(worker, ok)

    def die(self) -> None:
        """Crash with whatever it holds; its permit is another's."""
        super().die()
        if self._permit != NO_PERMIT:
            permit, self._permit = self._permit, NO_PERMIT
            self._protection.abandon(permit)


def consumer_of(shop: Shop, service: Service, worker: Worker) -> Consumer:
    """The consumer that a worker of a service is."""
    policy, protection = shop.policy(service.name), shop.protection(service.name)
    if protection is None:
        return Consumer(shop.world, service, worker, policy)
    return ProtectedConsumer(shop.world, service, worker, policy, protection)
