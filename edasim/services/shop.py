"""The shop of one run: its world, services, customers and producers, the same for every architecture."""
from __future__ import annotations

import math
from array import array
from functools import partial

from edasim.core.world import World
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Producer as ProducerSpec
from edasim.scenario.value import Scenario
from edasim.services.client import Client
from edasim.services.network import Network
from edasim.services.processor import Processor
from edasim.services.producer import Producer
from edasim.services.protection import Protection, protection_of
from edasim.services.retry import BudgetedPolicy, RetryPolicy
from edasim.services.service import Service, shared_cores
from edasim.services.storing import StoringService


class Shop:
    """Everything that does not hang on the architecture.  `scenario` is the value in force now.

    `placed_by` is the number of each order's producer, in the order of the file; empty where there is but one.
    """

    def __init__(self, scenario: Scenario, seed: int, ties: int | None = None) -> None:
        self.scenario = scenario
        self.world = World(seed, ties)
        self.services = {
            name: (Service if spec.store is None else StoringService)(self.world, name, spec)
            for name, spec in scenario.services.items()
        }
        self.replicas = {replica.name: replica for service in self.services.values()
                         if isinstance(service, StoringService) for replica in service.store.replicas}
        self.network = Network(self.world, scenario.wire)
        self.client = Client(self.world, scenario.client)
        self._policies: dict[str, RetryPolicy] = {}
        self._processors: dict[str, Processor] = {}
        self._protections: dict[str, Protection | None] = {}
        self._orders = 0
        self.placed_by = array("B")
        several = len(scenario.producers) > 1
        self.sources = {
            name: Producer(self.world, name, spec, partial(self._next_order_of, number) if several
                           else self._next_order, self.client.place)
            for number, (name, spec) in enumerate(scenario.producers.items())
        }
        self.world.add_part(self.client)

    def begin(self) -> None:
        """Open the doors."""
        for source in self.sources.values():
            source.begin(self.scenario.duration)

    @property
    def closed(self) -> bool:
        """Whether all orders have been placed."""
        return all(source.finished for source in self.sources.values())

    def _next_order(self) -> int:
        self._orders += 1
        if self._orders == self.scenario.orders:
            for source in self.sources.values():
                source.close()
            self.world.clock.halt()
        return self._orders

    def _next_order_of(self, producer: int) -> int:
        self.placed_by.append(producer)
        return self._next_order()

    def share_cores(self) -> None:
        """Give each service its own cores, where they are fewer than its workers may be."""
        for name, service in self.services.items():
            if self.scenario.may_have(f"services.{name}.cores", math.inf):
                self._processors[name] = shared_cores(self.world, service.spec.cores)
                service.share(self._processors[name])

    def policy(self, service: str) -> RetryPolicy:
        """How attempts of this service are repeated: its own policy, else the scenario's."""
        if service not in self._policies:
            retry = self._retry_of(service)
            kind = RetryPolicy if retry.budget is None else BudgetedPolicy
            self._policies[service] = kind(self.world, service, retry)
        return self._policies[service]

    def protection(self, service: str) -> Protection | None:
        """The breaker and the budget of this service's callers; None when there is neither."""
        if service not in self._protections:
            spec = self.scenario.services[service]
            self._protections[service] = protection_of(self.world, service, spec, self.policy(service))
        return self._protections[service]

    def protections(self) -> dict[str, Protection]:
        """Of the services that have one."""
        found = {name: self.protection(name) for name in self.services}
        return {name: protection for name, protection in found.items() if protection is not None}

    def _retry_of(self, service: str) -> Retry:
        return self.scenario.services[service].retry or self.scenario.retry

    def configure(self, scenario: Scenario) -> None:
        """Use another scenario value from now on: services, customers, producers and policies read it."""
        self.scenario = scenario
        for name, service in self.services.items():
            service.configure(scenario.services[name])
        for name, processor in self._processors.items():
            processor.use(scenario.services[name].cores)
        self.client.configure(scenario.client)
        self.network.configure(scenario.wire)
        for name, policy in self._policies.items():
            policy.spec = self._retry_of(name)
        for name, source in self.sources.items():
            spec: ProducerSpec = scenario.producers[name]
            source.configure(spec)

    def handlers(self, event: str) -> list[Service]:
        """The services that handle an event type, in the order of the file, that have joined by now."""
        now = self.world.clock.now_ns
        return [service for service in self.services.values()
                if event in service.spec.handles and service.spec.joins <= now]
