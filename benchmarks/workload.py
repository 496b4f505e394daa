"""The work that every model here does: one shop, written once, for the two plain models and for edasim."""
from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

NORMAL_P99 = 2.3263478740408408
BLOCK = 1024

Draw = Callable[[], float]
"""The next value, in seconds."""


@dataclass(frozen=True)
class Law:
    """A distribution of durations in seconds; `text` is how a scenario of edasim writes it."""

    kind: str
    middle_s: float
    p99_s: float = 0.0

    @property
    def text(self) -> str:
        """The law in a scenario."""
        if self.kind == "lognormal":
            return f"lognormal p50 {self.middle_s * 1e3:g}ms p99 {self.p99_s * 1e3:g}ms"
        return f"{self.kind} {self.middle_s * 1e3:g}ms"

    def one_by_one(self, source: random.Random) -> Draw:
        """Draws with the standard library, one at a time, as SimPy's examples do."""
        if self.kind == "constant":
            return lambda: self.middle_s
        if self.kind == "exponential":
            rate = 1 / self.middle_s
            return lambda: source.expovariate(rate)
        centre, spread = math.log(self.middle_s), math.log(self.p99_s / self.middle_s) / NORMAL_P99
        return lambda: source.lognormvariate(centre, spread)

    def in_blocks(self, generator: np.random.Generator) -> Draw:
        """Draws with NumPy, many at a time, handed out one by one."""

        def values() -> Iterator[float]:
            while True:
                yield from self._block(generator).tolist()

        return values().__next__

    def _block(self, generator: np.random.Generator) -> Any:
        if self.kind == "constant":
            return np.full(BLOCK, self.middle_s)
        if self.kind == "exponential":
            return generator.exponential(self.middle_s, BLOCK)
        spread = math.log(self.p99_s / self.middle_s) / NORMAL_P99
        return generator.lognormal(math.log(self.middle_s), spread, BLOCK)


NOTHING = Law("constant", 0.0)


@dataclass(frozen=True)
class Service:
    """A service with so many workers, each of which does one thing at a time."""

    name: str
    workers: int
    work: Law


@dataclass(frozen=True)
class Workload:
    """The shop. Times are seconds, `rate` is orders per second (Poisson).

    `local_s` is what routing (RabbitMQ) and appending (Kafka) take at the broker.
    """

    orders: int = 10_000
    rate: float = 40.0
    keys: int = 500
    services: tuple[Service, ...] = (
        Service("inventory", 2, Law("lognormal", 0.015, 0.060)),
        Service("payment", 3, Law("exponential", 0.030)),
        Service("notification", 2, Law("exponential", 0.025)),
    )
    hop: Law = Law("lognormal", 0.0002, 0.0011)
    flush: Law = Law("lognormal", 0.0005, 0.003)
    local_s: float = 0.00002
    prefetch: int = 20
    linger_s: float = 0.005
    nodes: int = 3
    partitions: int = 6
    followers: int = 2
    commit_every_s: float = 5.0

    def without_wire(self, **changes: Any) -> Workload:
        """The same shop in which only work takes time, with other values where they are given."""
        return replace(self, hop=NOTHING, flush=NOTHING, local_s=0.0, linger_s=0.0, **changes)

    @property
    def interval(self) -> Law:
        """The time from one order to the next."""
        return Law("exponential", 1 / self.rate)

    def partition_of(self, key: int) -> int:
        """The partition of a key; any hash that spreads keys will do."""
        return crc32(f"customer-{key}".encode()) % self.partitions

    def owned_partitions(self, service: Service) -> list[range]:
        """What each worker of a service owns: neighbours, the first workers one more (Kafka's range assignor)."""
        share, rest = divmod(self.partitions, service.workers)
        ends = [number * share + min(number, rest) for number in range(service.workers + 1)]
        return [range(start, end) for start, end in pairwise(ends)]

    def scenario(self) -> dict[str, Any]:
        """The same shop as a scenario of edasim."""
        arrivals = {"publishes": "OrderPlaced", "arrivals": f"poisson {self.rate:g}/s", "key": "customer",
                    "keys": f"uniform over {self.keys}"}
        hops = ("producer-to-broker", "broker-to-producer", "broker-to-consumer", "consumer-to-broker",
                "broker-to-broker")
        return {
            "title": "The shop of the benchmarks",
            "orders": self.orders,
            "producers": {"checkout": arrivals},
            "services": {service.name: {"handles": "OrderPlaced", "workers": service.workers,
                                        "work": service.work.text} for service in self.services},
            "wire": {**dict.fromkeys(hops, self.hop.text), "flush": self.flush.text,
                     **dict.fromkeys(("append", "route"), f"{self.local_s * 1e3:g}ms")},
            "architectures": {
                "rabbitmq": {"queue": {"x-queue-type": "classic"}, "prefetch": self.prefetch},
                "kafka": {
                    "topic": {"partitions": self.partitions, "replication.factor": self.followers + 1,
                              "min.insync.replicas": min(2, self.followers + 1)},
                    "producer": {"acks": "all", "linger.ms": round(self.linger_s * 1000)},
                    "consumer": {"auto.commit.interval.ms": round(self.commit_every_s * 1000)},
                },
            },
        }
