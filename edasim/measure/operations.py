"""The price of running it: parts, queues, dead letters, broker operations and bytes."""
from __future__ import annotations

import numpy as np

from edasim.core.journal import Verb
from edasim.measure.orders import Orders
from edasim.measure.reading import Reading

BROKER_VERBS = (
    Verb.appended, Verb.routed, Verb.unroutable, Verb.delivered, Verb.redelivered, Verb.acknowledged,
    Verb.committed, Verb.dead_lettered, Verb.expired, Verb.dropped,
)
"""What a broker does that somebody pays for."""


def operations(reading: Reading, orders: Orders) -> dict[str, float]:
    """{parts, queues, dead_letters, broker_operations_per_order, bytes_per_order}.

    Parts are what has to be deployed and watched: processes, brokers and databases; services that keep state
    count once, with their own database or with all replicas of their store.  Queues are queues or partitions.
    Bytes count a message each time that it crosses the network.
    """
    run = reading.run
    queues = {place.name for place in run.places if place.kind in ("queue", "partition")}
    services = len(run.scenario.services)
    replicas = sum(spec.store.replicas for spec in run.scenario.services.values() if spec.store)
    stores = sum(spec.store is not None for spec in run.scenario.services.values())
    if run.architecture == "monolith":
        parts = 2 + replicas
    elif run.architecture == "rpc":
        parts = 1 + 2 * services + replicas - stores
    else:
        nodes = _kafka_nodes(reading) if run.architecture == "kafka" else _rabbit_nodes(reading)
        parts = len(run.scenario.producers) + nodes + 2 * services + replicas - stores
    brokered = run.architecture in ("kafka", "rabbitmq")
    placed = max(1, len(orders))
    actions = sum(len(reading.of(verb)) for verb in BROKER_VERBS) if brokered else 0
    return {
        "parts": parts,
        "queues": len(queues) if brokered else 0,
        "dead_letters": int(np.sum(orders.parked & orders.counted)),
        "broker_operations_per_order": actions / placed,
        "bytes_per_order": _bytes(reading) / placed,
    }


def _kafka_nodes(reading: Reading) -> int:
    options = reading.run.scenario.architectures.kafka
    assert options is not None
    return int(options.topic.get("replication.factor", 1))


def _rabbit_nodes(reading: Reading) -> int:
    options = reading.run.scenario.architectures.rabbitmq
    assert options is not None
    if options.queue.get("x-queue-type", "classic") != "quorum":
        return 1
    return int(options.queue.get("x-quorum-initial-group-size", 3))


def _bytes(reading: Reading) -> int:
    sizes = np.fromiter((message.size for message in reading.run.messages), np.int64, len(reading.run.messages))
    total = 0
    carrying = {
        "monolith": (),
        "rpc": (Verb.routed,),
        "kafka": (Verb.appended, Verb.delivered, Verb.redelivered),
        "rabbitmq": (Verb.routed, Verb.delivered, Verb.redelivered),
    }[reading.run.architecture]
    for verb in carrying:
        total += int(sizes[reading.of(verb).numbers].sum())
    for name, spec in reading.run.scenario.services.items():
        if spec.store is not None:
            total += spec.store.targets * int(sizes[reading.of(Verb.written, service=name).numbers].sum())
    return total
