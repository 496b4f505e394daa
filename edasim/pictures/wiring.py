"""Who talks to whom in each architecture, read from the scenario alone, as a NetworkX graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from edasim.architectures.steps import StepOrder
from edasim.core.quantity import show_rate
from edasim.scenario.architecture_options import KafkaOptions, RabbitOptions, RpcOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.value import Scenario, Service
from edasim.study.words import counted


@dataclass(frozen=True)
class Sketch:
    """A graph while it is being built: `node` and `edge` add to it; a node's column counts from the left."""

    graph: nx.DiGraph

    def node(self, name: str, kind: str, column: int, text: str, **more: object) -> str:
        """Add a node, unless it is there; returns its name."""
        if name not in self.graph:
            self.graph.add_node(name, kind=kind, column=column, text=text, **more)
        return name

    def edge(self, source: str, target: str, both_ways: bool = False, aside: bool = False) -> None:
        """Add an arrow; `aside` for what was given up, or waits for its next attempt."""
        self.graph.add_edge(source, target, both_ways=both_ways, aside=aside)


def wiring(scenario: Scenario, architecture: str) -> nx.DiGraph:
    """The graph of an architecture.

    Nodes have `kind`, `column` and `text`; where it applies `part` (what a fault can hit), `service`, `event`,
    `partitions` and `modules` (line of text by service).  Edges have `both_ways` and `aside`.
    """
    sketch = Sketch(nx.DiGraph(architecture=architecture, title=scenario.title))
    {"monolith": _monolith, "rpc": _rpc, "kafka": _kafka, "rabbitmq": _rabbitmq}[architecture](sketch, scenario)
    return sketch.graph


def _producers(sketch: Sketch, scenario: Scenario) -> Iterable[tuple[str, str]]:
    """Each producer's node with the event that it publishes."""
    for name, producer in scenario.producers.items():
        text = f"{name}\n{producer.arrivals.text}"
        node = sketch.node(f"producer {name}", "producer", 0, text, part=name, event=producer.publishes)
        yield node, producer.publishes


def _publishers(sketch: Sketch, scenario: Scenario) -> Iterable[tuple[str, str]]:
    """Producers, then services that publish, with each of their events; these services stand again as handlers."""
    yield from _producers(sketch, scenario)
    for name, service in scenario.services.items():
        for publication in service.publishes:
            node = sketch.node(f"publisher {name}", "publisher", 0, f"{name}\npublishes", part=name, publishes=name)
            yield node, publication.event


def _monolith(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.monolith
    everybody = sum(one.workers for one in scenario.services.values())
    threads = (options.threads if options else None) or everybody
    order = sorted(scenario.services, key=StepOrder(scenario).rank)
    modules = "\n".join(f"{number}. {name}" for number, name in enumerate(order, 1))
    text = f"one process, {counted(threads, 'thread')}\n{modules}"
    lines = {name: number for number, name in enumerate(order, 1)}
    process = sketch.node("process", "process", 1, text, modules=lines)
    for producer, _ in _producers(sketch, scenario):
        sketch.edge(producer, process, both_ways=True)
    database = sketch.node("database", "database", 2, "database\none commit an order", part="database")
    sketch.edge(process, database)


def _rpc(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.rpc or RpcOptions()
    text = f"gateway\n{options.calls}, {options.open_requests} open"
    gateway = sketch.node("gateway", "gateway", 1, text, part="gateway")
    for producer, _ in _producers(sketch, scenario):
        sketch.edge(producer, gateway, both_ways=True)
    order = StepOrder(scenario)
    for number, name in enumerate(sorted(scenario.services, key=order.rank), 1):
        step = number if options.calls == "sequential" else order.level[name] + 1
        text = f"{step}. {name}\n{counted(scenario.services[name].workers, 'worker')}"
        sketch.edge(gateway, _service(sketch, name, 2, text), both_ways=True)


def _service(sketch: Sketch, name: str, column: int, text: str) -> str:
    return sketch.node(f"service {name}", "service", column, text, part=name, service=name)


def _retries_elsewhere(scenario: Scenario, name: str) -> bool:
    """Whether a service's failed attempts go by way of the broker."""
    return (scenario.services[name].retry or scenario.retry).where != "worker"


def _redriven(service: Service) -> str:
    """A line of text for dead letters that go back."""
    return "" if service.redrive is None else f"\nredriven at {show_rate(service.redrive.rate)}"


def _kafka(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.kafka or KafkaOptions()
    partitions = int(str(resolve("kafka topic", options.version, options.topic)["partitions"]))

    def topic(event: str) -> str:
        text = f"{event}\ntopic, {counted(partitions, 'partition')}"
        return sketch.node(f"topic {event}", "topic", 1, text, part="broker", event=event, partitions=partitions)

    for publisher, event in _publishers(sketch, scenario):
        sketch.edge(publisher, topic(event))
    for name, service in scenario.services.items():
        group = _service(sketch, name, 2, f"{name}\ngroup, {counted(service.workers, 'member')}")
        for event in service.handles:
            sketch.edge(topic(event), group)
        if _retries_elsewhere(scenario, name):
            retry = sketch.node(f"retry {name}", "retry", 3, f"{name}-retry", service=name)
            sketch.edge(group, retry, both_ways=True, aside=True)
        if service.dead_letters:
            dead = sketch.node(f"dead {name}", "dead", 3, f"{name}-dlt{_redriven(service)}", service=name)
            sketch.edge(group, dead, both_ways=service.redrive is not None, aside=True)


def _rabbitmq(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.rabbitmq or RabbitOptions()
    exchange = sketch.node("exchange", "exchange", 1, f"exchange\n{options.exchange}", part="broker")
    for publisher, _ in _publishers(sketch, scenario):
        sketch.edge(publisher, exchange)
    for name, service in scenario.services.items():
        first, *others = service.handles
        bound = first if not others else f"{first}, {len(others)} more"
        queue = sketch.node(f"queue {name}", "queue", 2, f"queue {name}\n{bound}", part="broker", service=name)
        consumers = _service(sketch, name, 3, f"{name}\n{counted(service.workers, 'consumer')}")
        sketch.edge(exchange, queue)
        sketch.edge(queue, consumers)
        if (service.retry or scenario.retry).where == "aside":
            retry = sketch.node(f"retry {name}", "retry", 4, f"{name}.retry", service=name)
            sketch.edge(consumers, retry, both_ways=True, aside=True)
        own = {**options.queue, **options.queues.get(name, {})}
        if service.dead_letters and "x-dead-letter-exchange" not in own:
            dead = sketch.node(f"dead {name}", "dead", 4, f"{name}.dlq{_redriven(service)}", service=name)
            sketch.edge(consumers, dead, both_ways=service.redrive is not None, aside=True)
