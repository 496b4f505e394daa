"""How Kafka spreads a service's messages: over partitions by their keys, and over the members that read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edasim.brokers.kafka.assignors import assign
from edasim.brokers.kafka.partitioner import partition_for
from edasim.core.keys import Keys
from edasim.core.quantiles import Floats
from edasim.core.quantity import SECOND_NS
from edasim.scenario.value import Scenario
from edasim.study.theory.streams import placed

_MOST_KEYS = 20_000
"""Keys beyond these, the lightest, count as spread evenly."""


class Spread:
    """Topics of so many partitions, and groups whose members divide them by an assignor."""

    def __init__(self, scenario: Scenario, partitions: int, strategy: str) -> None:
        self.scenario = scenario
        self.partitions = partitions
        self.strategy = strategy
        self.weights = self._partition_weights()

    def _partition_weights(self) -> Floats:
        """The share of the messages that each partition of a topic gets, all producers together."""
        options = self.scenario.architectures.kafka
        total, weights = 0.0, np.zeros(self.partitions)
        for producer in self.scenario.producers.values():
            per_s = placed(self.scenario, producer.arrivals).per_s
            keys = producer.keys if options is not None and options.key else Keys("none")
            total += per_s
            weights += per_s * self._weights_of(producer.key, keys)
        return weights / total if total else np.full(self.partitions, 1 / self.partitions)

    def _weights_of(self, key: str, keys: Keys) -> Floats:
        """The same of one producer.

        Where each order has a key of its own, the same orders meet the same partitions in every replication.
        """
        if keys.kind != "each" or self.partitions == 1:
            return _weights(key, keys, self.partitions)
        first, last = _measured_orders(self.scenario)
        inside = _places(key, self.partitions)[first:last]
        if not len(inside):
            return np.full(self.partitions, 1 / self.partitions)
        weights: Floats = np.bincount(inside, minlength=self.partitions) / len(inside)
        return weights

    def member_shares(self, name: str, rates: Mapping[str, float]) -> tuple[float, ...]:
        """The share of a service's messages that each member of its group gets, the busiest first.

        `rates` are the messages of each event per second.
        """
        service = self.scenario.services[name]
        members = [f"{name}-{number}" for number in range(1, int(service.workers) + 1)]
        topics = dict.fromkeys(service.handles, self.partitions)
        read = assign(self.strategy, members, topics, dict.fromkeys(members, service.handles))
        total = sum(rates[event] for event in service.handles)
        parts = {event: rates[event] / total if total else 1 / len(topics) for event in topics}
        shares = [sum(self.weights[partition] * parts[event] for event, partition in own) for own in read.values()]
        return tuple(sorted(map(float, shares), reverse=True))


def _measured_orders(scenario: Scenario) -> tuple[int, int]:
    """About which orders are placed in the measured time: how many before it, and the number of the last."""
    arrivals = [producer.arrivals for producer in scenario.producers.values()]
    before = sum(one.expected(0.0, scenario.warm_up / SECOND_NS) for one in arrivals)
    if scenario.duration is None:
        return round(min(before, _MOST_KEYS)), min(scenario.orders or _MOST_KEYS, _MOST_KEYS)
    last = sum(one.expected(0.0, scenario.duration / SECOND_NS) for one in arrivals)
    return (round(before), round(last)) if last <= _MOST_KEYS else (0, _MOST_KEYS)


@lru_cache(maxsize=16)
def _places(key: str, partitions: int) -> NDArray[np.int64]:
    """The partition of key-1, key-2 ..."""
    return np.array([partition_for(f"{key}-{number}", partitions) for number in range(1, _MOST_KEYS + 1)])


@lru_cache(maxsize=64)
def _weights(key: str, keys: Keys, partitions: int) -> Floats:
    if not keys.count or partitions == 1:
        return np.full(partitions, 1 / partitions)
    known = min(keys.count, _MOST_KEYS)
    chances = keys.chances()
    places = _places(key, partitions)[:known]
    weights: Floats = np.bincount(places, weights=chances[:known], minlength=partitions).astype(np.float64)
    return weights + float(chances[known:].sum()) / partitions
