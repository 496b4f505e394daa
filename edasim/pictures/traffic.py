"""What a run did to the parts of an architecture: messages on each edge, backlogs, dead letters, faults."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np

from edasim.core.journal import Facts, Place, Verb
from edasim.measure.reading import NANO
from edasim.measure.steps import Steps
from edasim.simulate import Run

Where = Callable[[Place], bool]


class Traffic:
    """Counts of one run until `at_s` (None: all of it), by who sent what where."""

    def __init__(self, run: Run, at_s: float | None = None) -> None:
        self.run = run
        self.at_s = at_s
        self.summary = run.summary()
        self.reading = self.summary.reading
        self._publisher = self._publishers()

    def _of(self, verbs: tuple[Verb, ...], where: Where, service: str | None = None) -> list[Facts]:
        found = [self.reading.of(verb, where, service) for verb in verbs]
        if self.at_s is None:
            return found
        return [facts.only(facts.times_ns * NANO <= self.at_s) for facts in found]

    def count(self, verbs: tuple[Verb, ...], where: Where, service: str | None = None) -> int:
        """How often any of these happened there."""
        return sum(map(len, self._of(verbs, where, service)))

    def _publishers(self) -> dict[int, str]:
        """The service that published a message first, by the message's id; a customer's order has none."""
        facts = self.reading.of(Verb.published, lambda place: place.kind == "service")
        services = [self.run.places[place].service for place in facts.places.tolist()]
        return dict(zip(facts.numbers.tolist(), services, strict=True))

    def appended(self, event: str) -> Counter[str]:
        """How many records of a topic came from each service; "" for the producers."""
        found = self._of((Verb.appended,), lambda place: place.kind == "partition" and place.service == ""
                         and place.name.rpartition("-")[0] == event)  # fmt: skip
        return Counter(self._publisher.get(number, "") for facts in found for number in facts.numbers.tolist())

    def partitions(self, event: str, number: int) -> list[int]:
        """How many records each partition of a topic got."""
        return [self.count((Verb.appended,), lambda place, name=f"{event}-{one}": (  # type: ignore[misc]
            place.kind == "partition" and place.name == name)) for one in range(number)]  # fmt: skip

    def placed(self, event: str) -> int:
        """How many tries of orders that begin with this event customers made."""
        found = self._of((Verb.placed, Verb.retried), lambda place: place.kind == "client")
        events = self.reading.events
        if event not in events:
            return 0
        code = events.index(event)
        return sum(int(np.sum(self.reading.event_of[facts.numbers] == code)) for facts in found)

    def published(self, service: str) -> int:
        """How many messages a service published."""
        return self.count((Verb.published,), lambda place: place.kind == "service", service)

    def parked(self, service: str) -> int:
        """How many messages lie among a service's dead letters."""
        return self.count((Verb.routed, Verb.appended), lambda place: place.detail == "parking", service)

    def aside(self, service: str) -> int:
        """How many messages went to a service's retry topic or queue."""
        def here(place: Place) -> bool:
            return place.detail == "" and (place.kind == "partition" or place.name == f"{service}.retry")

        return self.count((Verb.routed, Verb.appended), here, service)

    def taken(self, service: str, event: str = "") -> int:
        """How often something was delivered to a service, of one topic's or of its queue."""
        def here(place: Place) -> bool:
            topic = place.name.partition(" ")[2].rpartition("-")[0]
            return (place.kind == "group" and topic == event) or (place.kind == "queue" and place.name == service)

        return self.count((Verb.delivered, Verb.redelivered), here, service)

    def backlog(self, service: str) -> float:
        """How many messages wait for a service then; without a time, the most that ever did."""
        return self._value(self.summary.backlog(service))

    def line(self, queue: str) -> float:
        """The same for the line before the gateway, a service behind it, or the process, without what is before it."""
        times = [self.reading.of(verb, lambda place: place.kind == "queue" and place.name == queue).times_ns * NANO
                 for verb in (Verb.routed, Verb.delivered, Verb.dropped)]  # fmt: skip
        return self._value(Steps.counting(times[0], np.concatenate(times[1:])))

    def _value(self, steps: Steps) -> float:
        if self.at_s is None:
            return steps.max(0.0, self.run.end_ns * NANO)
        return float(steps.at(np.array([self.at_s]))[0])

    def faults(self) -> list[tuple[str, str, float, float]]:
        """(target, text, from, until) of each fault that held then; without a time, of all that held at any time."""
        targets = {name: fault.target for name, fault in self.run.scenario.faults.items()}
        found = []
        for band in self.run.bands:
            end_s = math.inf if band.end_ns is None else band.end_ns * NANO
            if self.at_s is None or band.start_ns * NANO <= self.at_s < end_s:
                found.append((targets[band.name], band.text, band.start_ns * NANO, end_s))
        return found


def measured(graph: nx.DiGraph, run: Run, at_s: float | None = None) -> Traffic:
    """Write a run into the graph: `messages` on edges (None: not known), `backlog`, `cells` and `faults` on nodes."""
    traffic = Traffic(run, at_s)
    for source, target, data in graph.edges(data=True):
        data["messages"] = _messages(graph, traffic, source, target)
    for _, data in graph.nodes(data=True):
        if data["kind"] == "topic":
            data["cells"] = traffic.partitions(data["event"], data["partitions"])
        waiting = _waiting(traffic, data)
        if waiting is not None:
            data["backlog"] = waiting
    for target, text, _, _ in traffic.faults():
        _break(graph, target, text)
    return traffic


def _waiting(traffic: Traffic, data: dict[str, Any]) -> float | None:
    """How many wait at a node; None where nothing can."""
    architecture, kind = traffic.run.architecture, data["kind"]
    if architecture == "rpc" and kind in ("gateway", "service"):
        return traffic.line("gateway" if kind == "gateway" else data["service"])
    if kind == "process":
        # Orders that crashed with their process had been handed to a thread before.
        return traffic.backlog(next(iter(traffic.run.scenario.services)))
    if kind == ("queue" if architecture == "rabbitmq" else "service"):
        return traffic.backlog(data["service"])
    return None


def _messages(graph: nx.DiGraph, traffic: Traffic, source: str, target: str) -> int | None:
    one, other = graph.nodes[source], graph.nodes[target]
    kinds = one["kind"], other["kind"]
    if kinds[0] == "producer":
        return _placed(graph, traffic, one, other)
    if kinds[1] == "database":
        return traffic.count((Verb.acknowledged,), lambda place: place.name == "orders")
    if kinds[1] == "dead":
        return traffic.parked(other["service"])
    if kinds[1] == "retry":
        return traffic.aside(other["service"])
    if kinds[0] == "publisher":
        service = one["publishes"]
        return traffic.appended(other["event"])[service] if kinds[1] == "topic" else traffic.published(service)
    if kinds[0] == "topic":
        return traffic.taken(other["service"], one["event"])
    if kinds[0] == "queue":
        return traffic.taken(other["service"])
    service = other["service"]
    return traffic.count((Verb.routed,), lambda place: place.kind == "queue" and place.name == service, service)


def _placed(graph: nx.DiGraph, traffic: Traffic, producer: dict[str, Any], hub: dict[str, Any]) -> int | None:
    """What came from a producer; of two that publish the same event the journal does not say who placed what."""
    event = producer["event"]
    if sum(data["kind"] == "producer" and data["event"] == event for _, data in graph.nodes(data=True)) > 1:
        return None
    return traffic.appended(event)[""] if hub["kind"] == "topic" else traffic.placed(event)


def _break(graph: nx.DiGraph, target: str, text: str) -> None:
    """Note a fault at what it hits: nodes, modules of the process, or the edges of a link."""
    ends = target.replace("<->", "->").split(" -> ")
    for _, data in graph.nodes(data=True):
        if len(ends) == 1 and data.get("part") == target:
            data.setdefault("faults", []).append(text.removeprefix(f"{target} "))
        if target in data.get("modules", {}):
            data.setdefault("struck", []).append(data["modules"][target])
    for source, to, data in graph.edges(data=True):
        parts = {graph.nodes[source].get("part"), graph.nodes[to].get("part")}
        if len(ends) == 2 and parts == {end.strip() for end in ends}:
            data.setdefault("faults", []).append(text)
