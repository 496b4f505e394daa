"""What both brokered architectures have in common: consumers that come and go, and a broker that can be broken."""
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from edasim.services.client import Request
from edasim.services.faults import Mend
from edasim.services.network import BROKER, BROKER_CUT, Impairment
from edasim.services.redrive import DeadLetters, Redriver
from edasim.services.shop import Shop
from edasim.services.worker import Worker


class Leaving(Protocol):
    """A consumer that can go in two ways."""

    worker: Worker
    unlimited: bool
    """Whether it works on everything at once that it gets."""

    def die(self) -> None:
        """Crash."""

    def leave(self) -> None:
        """Finish what is in hands, then go."""


class Sender(Protocol):
    """A producer or publisher client."""

    def forget(self) -> None:
        """Its process dies."""


AConsumer = TypeVar("AConsumer", bound=Leaving)


class Brokered(ABC, Generic[AConsumer]):
    """The consumers of each service, in the order in which they were made, and what faults do to them.

    `refusing` holds the shares with which the broker refuses what it is sent.
    """

    parts: frozenset[str] = frozenset({"broker"})
    dead_letters = True
    senders: Mapping[str, Sender]
    refusing: list[float]

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.clock = shop.world.clock
        shop.share_cores()
        self.consumers: dict[str, list[AConsumer]] = {name: [] for name in shop.services}
        self._made: dict[str, int] = dict.fromkeys(shop.services, 0)
        self._away: dict[str, int] = dict.fromkeys(shop.services, 0)

    @abstractmethod
    def _joined(self, service: str) -> bool:
        """Whether a service has its queue or group yet."""

    @abstractmethod
    def _hire(self, service: str, number: int) -> None:
        """More consumers."""

    def _redrive(self, service: str, letters: DeadLetters) -> None:
        """Let a service's dead letters be redriven, if the scenario has it so."""
        spec = self.shop.scenario.services[service].redrive
        if spec is not None:
            self.shop.world.add_part(Redriver(self.shop.world, spec, letters))

    def next_worker(self, service: str) -> Worker:
        """A new worker of a service."""
        self._made[service] += 1
        return Worker(self.clock, f"{service}-{self._made[service]}")

    def _dismiss(self, service: str, count: int | None) -> list[AConsumer]:
        gone = self.consumers[service][:count]
        del self.consumers[service][: len(gone)]
        return gone

    def _fill(self, service: str) -> None:
        """As many consumers as there are to be, less those that a fault took away."""
        if not self._joined(service):
            return
        self._dismiss_misfits(service)
        wanted = self.instances(service)
        surplus = len(self.consumers[service]) + self._away[service] - wanted
        for consumer in self._dismiss(service, surplus) if surplus > 0 else []:
            consumer.leave()
        self._hire(service, -surplus)

    def _dismiss_misfits(self, service: str) -> None:
        """Where workers are unlimited there is one consumer that is, and else none."""
        unlimited = self.shop.scenario.services[service].workers == math.inf
        for consumer in [one for one in self.consumers[service] if one.unlimited != unlimited]:
            self.consumers[service].remove(consumer)
            consumer.leave()

    def capacity(self) -> dict[str, float]:
        """The consumers of each service."""
        return {name: spec.workers for name, spec in self.shop.scenario.services.items()}

    def customer_leaves(self, request: Request) -> None:
        """What was handed to the broker cannot be called back."""

    # --- faults -----------------------------------------------------------------------------------------------

    def crash(self, service: str, count: int | None) -> list[Worker]:
        """Consumers die without a goodbye; with the last one goes what the service had not sent yet."""
        gone = self._dismiss(service, count)
        for consumer in gone:
            consumer.die()
        if gone and not self.consumers[service]:
            self.lose_producer(service)
        self._away[service] += len(gone)
        return [consumer.worker for consumer in gone]

    def stop(self, service: str, count: int | None) -> list[Worker]:
        """Consumers finish what they hold and leave."""
        gone = self._dismiss(service, count)
        for consumer in gone:
            consumer.leave()
        self._away[service] += len(gone)
        return [consumer.worker for consumer in gone]

    def restart(self, service: str, workers: list[Worker]) -> None:
        """New ones take their places."""
        self._away[service] -= len(workers)
        self._fill(service)

    def instances(self, service: str) -> int:
        """Its consumers; one where it works on everything at once that it gets."""
        workers = self.shop.scenario.services[service].workers
        return 1 if workers == math.inf else int(workers)

    def lose_producer(self, name: str) -> None:
        """What a producer had not handed over yet is gone with it."""
        if name in self.senders:
            self.senders[name].forget()

    def connects(self, one: str, other: str) -> bool:
        """The broker is connected with every service and producer."""
        others = {one, other} - {"broker"}
        return "broker" in (one, other) and one != other and others <= {*self.shop.services, *self.shop.sources}

    def refuse(self, part: str, share: float) -> Mend:
        """The broker refuses a share of what it is sent."""
        self.refusing.append(share)
        return lambda: self.refusing.remove(share)

    def hold(self, part: str) -> None:
        """The broker cannot be reached: what is sent to it and by it waits."""
        self.shop.network.impair(BROKER_CUT)

    def release(self, part: str) -> None:
        """The broker is back."""
        self.shop.network.repair(BROKER_CUT)

    @abstractmethod
    def end_part(self, part: str, *, properly: bool) -> Mend:
        """The broker's process ends; returns what starts it again."""

    def slow_part(self, part: str, factor: float) -> Mend:
        """Everything to and from the broker takes longer."""
        impairment = Impairment(BROKER, slowness=factor)
        self.shop.network.impair(impairment)
        return lambda: self.shop.network.repair(impairment)
