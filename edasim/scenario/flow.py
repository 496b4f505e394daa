"""Which events cause which: whom an order reaches, and how many messages it brings on average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edasim.scenario.value import Scenario


class Flow:
    """The graph of a scenario's events: each one leads to those that its handlers publish.

    `handled` is the share of its messages that a service handles in the end, by service; all where it says nothing.
    """

    def __init__(self, scenario: Scenario, handled: Mapping[str, float] | None = None) -> None:
        self._handled = handled or {}
        self.handlers: dict[str, list[str]] = {}
        self.placed = {producer.publishes for producer in scenario.producers.values()}
        self.published = set(self.placed)
        for name, service in scenario.services.items():
            self.published.update(publication.event for publication in service.publishes)
            for event in service.handles:
                self.handlers.setdefault(event, []).append(name)
        self.events = sorted(self.published | set(self.handlers))
        self._place = {event: number for number, event in enumerate(self.events)}
        self._offspring = self._means(scenario)
        self._reaches = _closure(self._offspring)

    def _means(self, scenario: Scenario) -> NDArray[np.float64]:
        """How many messages of event j a message of event i causes on average, at [i, j]."""
        means = np.zeros((len(self.events), len(self.events)))
        for name, service in scenario.services.items():
            handled = self._handled.get(name, 1.0)
            for event in service.handles:
                for publication in service.publishes:
                    means[self._place[event], self._place[publication.event]] += handled * publication.share
        return means

    def reached(self) -> set[str]:
        """All events that some order can cause."""
        starts = [self._place[event] for event in self.placed]
        reached = np.flatnonzero(self._reaches[starts].any(axis=0))
        return self.placed | {self.events[number] for number in reached.tolist()}

    def endless_cycles(self) -> list[list[str]]:
        """A cycle from each group of events that cause one another so often that they never die out.

        A group dies out when the spectral radius of its mean offspring is below 1 (a branching process).
        """
        cycles = []
        mutual = self._reaches & self._reaches.T
        left = mutual.diagonal().copy()
        for first in range(len(self.events)):
            if left[first]:
                group = np.flatnonzero(mutual[first])
                left[group] = False
                radius = np.max(np.abs(np.linalg.eigvals(self._offspring[np.ix_(group, group)])))
                if radius > 1.0 - 1e-9:
                    cycles.append(self._way_back(first))
        return cycles

    def _way_back(self, first: int) -> list[str]:
        """A shortest way from an event to itself."""
        before: dict[int, int] = {}
        front = [first]
        while first not in before:
            ahead: list[int] = []
            for event in front:
                for caused in np.flatnonzero(self._offspring[event]).tolist():
                    if caused not in before:
                        before[caused] = event
                        ahead.append(caused)
            front = ahead
        way = [first]
        while len(way) == 1 or way[-1] != first:
            way.append(before[way[-1]])
        return [self.events[number] for number in reversed(way)]

    def messages_per_order(self, event: str) -> dict[str, float]:
        """The mean number of messages of each event that one placed event brings, itself included.

        Only where no cycle is endless.
        """
        start = np.zeros(len(self.events))
        start[self._place[event]] = 1.0
        numbers = np.linalg.solve(np.eye(len(self.events)) - self._offspring.T, start)
        return dict(zip(self.events, numbers.tolist(), strict=True))


def _closure(means: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which event reaches which in one step or more, by doubling the length of the ways."""
    step = means > 0
    ways = step.copy()
    for _ in range(max(1, len(means).bit_length())):
        long = ways.astype(np.float32)
        ways = ways | ((long @ long) > 0)
    return ways
