"""Scenarios in which a law can hold: no wire, patient customers, queues without a batch that waits."""

from __future__ import annotations

import math
from typing import Any

from edasim.scenario.value import Scenario

Parts = dict[str, Any]
ALL = ("monolith", "rpc", "kafka", "rabbitmq")
ONE_QUEUE = ("monolith", "rpc", "rabbitmq")
"""Where several workers share one queue; in Kafka a partition has one reader."""
BROKERS = ("kafka", "rabbitmq")
SEPARATE = ("rpc", "kafka", "rabbitmq")
"""Where each service has its own queue and its own workers."""


def architectures(threads: int = 1, partitions: int = 1, calls: str = "sequential") -> Parts:
    """All four without what would make a message wait for anything but a worker."""
    return {
        "monolith": {"threads": threads},
        "rpc": {"open-requests": 1_000_000, "calls": calls},
        "kafka": {"topic": {"partitions": partitions}, "producer": {"linger.ms": 0}},
        "rabbitmq": {"prefetch": 1, "queue": {"x-queue-type": "classic"}},
    }


def shop(arrivals: Any, services: dict[str, Parts], **rest: Any) -> Scenario:
    """One producer of OrderPlaced, services that handle it unless they say otherwise.

    `rest` are further keys of a scenario, with _ for -; `producer` adds to the producer.
    """
    producer = {"publishes": "OrderPlaced", "arrivals": arrivals, **rest.pop("producer", {})}
    given = {"wire": "none", "drain": "48h", "client": {"timeout": "none"}, "architectures": architectures()}
    given |= {key.replace("_", "-"): value for key, value in rest.items()}
    handling = {name: {"handles": "OrderPlaced", **service} for name, service in services.items()}
    return Scenario.from_dict({**given, "producers": {"checkout": producer}, "services": handling})


def single_station(arrivals: str, work: str, workers: int = 1, **rest: Any) -> Scenario:
    """One service in front of which orders queue up."""
    rest = {"architectures": architectures(threads=workers, partitions=workers), **rest}
    return shop(arrivals, {"payment": {"work": work, "workers": workers}}, **rest)


def chain(arrivals: str, works: list[str], **rest: Any) -> Scenario:
    """Services one after another: each publishes what the next one handles."""
    services: dict[str, Parts] = {}
    for number, work in enumerate(works, start=1):
        services[f"step-{number}"] = {"work": work, "handles": "OrderPlaced" if number == 1 else f"Done-{number - 1}"}
        if number < len(works):
            services[f"step-{number}"]["publishes"] = f"Done-{number}"
    return shop(arrivals, services, **rest)


def fan_out(arrivals: str, works: list[str], **rest: Any) -> Scenario:
    """Services side by side that all handle each order."""
    rest = {"architectures": architectures(calls="parallel"), **rest}
    return shop(arrivals, {f"leaf-{number}": {"work": work} for number, work in enumerate(works, start=1)}, **rest)


def lasting(orders: int, arrivals: float, warm_up_s: float) -> Parts:
    """How long about so many orders take, and a warm-up before them that is not counted."""
    return {"duration": f"{warm_up_s + orders / arrivals:.6f}s", "warm_up": f"{warm_up_s:.6f}s"}


def relaxation_s(arrivals: float, rate: float, servers: int = 1) -> float:
    """In so many seconds what an M/M/c remembers of its start falls to 1/e: 1 / (sqrt(c mu) - sqrt(lambda))^2."""
    return 1 / (math.sqrt(servers * rate) - math.sqrt(arrivals)) ** 2
