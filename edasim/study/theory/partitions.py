"""How Kafka spreads a service's messages: over partitions by their keys, and over the members that read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from edasim.brokers.kafka.assignors import assign
from edasim.brokers.kafka.partitioner import partition_for
from edasim.core.keys import Keys
from edasim.core.quantiles import Floats
from edasim.scenario.broker_options import resolve
from edasim.scenario.value import Scenario
from edasim.study.theory.streams import placed

_MOST_KEYS = 20_000
"""Keys beyond these, the lightest, count as spread evenly."""


def member_shares(scenario: Scenario, name: str, rates: Mapping[str, float]) -> tuple[float, ...]:
    """The share of a service's messages that each member of its group gets, the busiest first.

    `rates` are the messages of each event per second.
    """
    options = scenario.architectures.kafka
    assert options is not None
    partitions = int(resolve("kafka topic", options.version, options.topic)["partitions"])
    consumer = resolve("kafka consumer", options.version, options.consumer)
    service, weights = scenario.services[name], partition_weights(scenario, partitions)
    members = [f"{name}-{number}" for number in range(1, service.workers + 1)]
    topics = dict.fromkeys(service.handles, partitions)
    subscribed = dict.fromkeys(members, service.handles)
    read = assign(consumer["partition.assignment.strategy"][0], members, topics, subscribed)
    total = sum(rates[event] for event in service.handles)
    parts = {event: rates[event] / total if total else 1 / len(topics) for event in topics}
    shares = [sum(weights[partition] * parts[event] for event, partition in own) for own in read.values()]
    return tuple(sorted(map(float, shares), reverse=True))


def partition_weights(scenario: Scenario, partitions: int) -> Floats:
    """The share of the messages that each partition of a topic gets, all producers together."""
    options = scenario.architectures.kafka
    assert options is not None
    total, weights = 0.0, np.zeros(partitions)
    for producer in scenario.producers.values():
        per_s = placed(scenario, producer.arrivals).per_s
        total += per_s
        weights += per_s * _weights(producer.key, producer.keys if options.key else Keys("none"), partitions)
    return weights / total if total else np.full(partitions, 1 / partitions)


@lru_cache(maxsize=64)
def _weights(key: str, keys: Keys, partitions: int) -> Floats:
    if not keys.count or partitions == 1:
        return np.full(partitions, 1 / partitions)
    known = min(keys.count, _MOST_KEYS)
    chances = keys.chances()
    places = [partition_for(f"{key}-{number}", partitions) for number in range(1, known + 1)]
    weights: Floats = np.bincount(places, weights=chances[:known], minlength=partitions).astype(np.float64)
    return weights + float(chances[known:].sum()) / partitions
