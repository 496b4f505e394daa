"""Who talks to whom in each architecture, read from the scenario alone: a graph, and its picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from edasim.architectures.steps import StepOrder
from edasim.charts.style import INK, QUIET, axes, look, picture, styled, text_colour
from edasim.scenario.architecture_options import KafkaOptions, RabbitOptions, RpcOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.value import Scenario
from edasim.study.words import counted, display

ROW_INCHES, COLUMN_INCHES = 0.62, 2.45
_HALF_WIDTH, _HALF_HEIGHT, _GAP, _LINE = 0.4, 0.36, 0.12, 0.31
_FILL = {
    "producer": "#F4F4F4",
    "publisher": "#FFFFFF",
    "service": "#FFFFFF",
    "process": "#FFFFFF",
    "gateway": "#F4F4F4",
    "topic": "#DCEAF4",
    "exchange": "#DDF1EA",
    "queue": "#EEF8F4",
    "database": "#F4F4F4",
}


@dataclass(frozen=True)
class Sketch:
    """A topology while it is being built: `node` and `edge` add to the graph; a node's column counts from the left."""

    graph: nx.DiGraph

    def node(self, name: str, kind: str, column: int, text: str) -> str:
        """Add a node, unless it is there; returns its name."""
        if name not in self.graph:
            self.graph.add_node(name, kind=kind, column=column, text=text)
        return name

    def edge(self, source: str, target: str, both_ways: bool = False) -> None:
        """Add an arrow."""
        self.graph.add_edge(source, target, both_ways=both_ways)


def topology(scenario: Scenario, architecture: str) -> nx.DiGraph:
    """The graph of an architecture: nodes have `kind`, `column` and `text`, edges `both_ways`."""
    sketch = Sketch(nx.DiGraph(architecture=architecture, title=scenario.title))
    {"monolith": _monolith, "rpc": _rpc, "kafka": _kafka, "rabbitmq": _rabbitmq}[architecture](sketch, scenario)
    return sketch.graph


def draw_topology(scenario: Scenario, architecture: str, ax: Axes | None = None) -> Axes:
    """The picture of an architecture; without axes, on a new figure that is large enough."""
    graph = topology(scenario, architecture)
    places = _places(graph)
    with styled():
        if ax is None:
            ax = axes(None)
            figure = ax.get_figure()
            if figure is not None:
                figure.set_size_inches(*figure_size(graph))  # type: ignore[union-attr]
        for source, target, data in graph.edges(data=True):
            _draw_arrow(ax, places[source], places[target], bool(data["both_ways"]))
        for name, data in graph.nodes(data=True):
            _draw_box(ax, places[name], data, architecture)
        columns, rows = _extent(graph)
        ax.set_xlim(-0.55, columns - 0.45)
        ax.set_ylim(rows / 2 + 0.1, -rows / 2 - 0.1)
        ax.axis("off")
        colour = text_colour(look(architecture).colour)
        ax.set_title(f"{scenario.title}: {display(architecture)}", color=colour, pad=8)
    return ax


def topology_figure(scenario: Scenario, architecture: str) -> Any:
    """The picture of an architecture as a figure of its own, as large as it needs to be."""
    figure = picture(*figure_size(topology(scenario, architecture)))
    with styled():
        draw_topology(scenario, architecture, figure.add_subplot())
    return figure


def figure_size(graph: nx.DiGraph) -> tuple[float, float]:
    """Width and height in inches so that every text can be read."""
    columns, rows = _extent(graph)
    return max(8.0, COLUMN_INCHES * columns), max(2.6, ROW_INCHES * rows + 0.9)


# --- the four -------------------------------------------------------------------------------------------------


def _producers(sketch: Sketch, scenario: Scenario) -> Iterable[tuple[str, str]]:
    """Each producer's node with the event that it publishes."""
    for name, producer in scenario.producers.items():
        yield sketch.node(f"producer {name}", "producer", 0, f"{name}\n{producer.arrivals.text}"), producer.publishes


def _publishers(sketch: Sketch, scenario: Scenario) -> Iterable[tuple[str, str]]:
    """Producers, then services that publish, with each of their events; these services stand again as handlers."""
    yield from _producers(sketch, scenario)
    for name, service in scenario.services.items():
        for publication in service.publishes:
            yield sketch.node(f"publisher {name}", "publisher", 0, f"{name}\npublishes"), publication.event


def _monolith(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.monolith
    threads = options.threads if options and options.threads else sum(one.workers for one in scenario.services.values())
    order = sorted(scenario.services, key=StepOrder(scenario).rank)
    modules = "\n".join(f"{number}. {name}" for number, name in enumerate(order, 1))
    process = sketch.node("process", "process", 1, f"one process, {counted(threads, 'thread')}\n{modules}")
    for producer, _ in _producers(sketch, scenario):
        sketch.edge(producer, process, both_ways=True)
    sketch.edge(process, sketch.node("database", "database", 2, "database\none commit an order"))


def _rpc(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.rpc or RpcOptions()
    gateway = sketch.node("gateway", "gateway", 1, f"gateway\n{options.calls}, {options.open_requests} open")
    for producer, _ in _producers(sketch, scenario):
        sketch.edge(producer, gateway, both_ways=True)
    order = StepOrder(scenario)
    for number, name in enumerate(sorted(scenario.services, key=order.rank), 1):
        step = number if options.calls == "sequential" else order.level[name] + 1
        workers = counted(scenario.services[name].workers, "worker")
        sketch.edge(gateway, sketch.node(f"service {name}", "service", 2, f"{step}. {name}\n{workers}"), both_ways=True)


def _kafka(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.kafka or KafkaOptions()
    partitions = int(str(resolve("kafka topic", options.version, options.topic)["partitions"]))

    def topic(event: str) -> str:
        return sketch.node(f"topic {event}", "topic", 1, f"{event}\ntopic, {counted(partitions, 'partition')}")

    for publisher, event in _publishers(sketch, scenario):
        sketch.edge(publisher, topic(event))
    for name, service in scenario.services.items():
        group = sketch.node(f"service {name}", "service", 2, f"{name}\ngroup, {counted(service.workers, 'member')}")
        for event in service.handles:
            sketch.edge(topic(event), group)


def _rabbitmq(sketch: Sketch, scenario: Scenario) -> None:
    options = scenario.architectures.rabbitmq or RabbitOptions()
    exchange = sketch.node("exchange", "exchange", 1, f"exchange\n{options.exchange}")
    for publisher, _ in _publishers(sketch, scenario):
        sketch.edge(publisher, exchange)
    for name, service in scenario.services.items():
        first, *others = service.handles
        bound = first if not others else f"{first}, {len(others)} more"
        queue = sketch.node(f"queue {name}", "queue", 2, f"queue {name}\n{bound}")
        consumers = counted(service.workers, "consumer")
        sketch.edge(exchange, queue)
        sketch.edge(queue, sketch.node(f"service {name}", "service", 3, f"{name}\n{consumers}"))


# --- placing and drawing --------------------------------------------------------------------------------------


def _places(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """A place for each node: its column, and there a row by the mean row of its neighbours to the left."""
    places: dict[str, tuple[float, float]] = {}
    rows = _extent(graph)[1]
    for column in sorted({data["column"] for _, data in graph.nodes(data=True)}):
        names = [name for name, data in graph.nodes(data=True) if data["column"] == column]
        wanted = {name: _mean_row(graph, places, name) for name in names}
        names.sort(key=lambda name: wanted[name])  # stable: the order of the file among equals
        spacing = min(rows / len(names), 2.0)
        for number, name in enumerate(names):
            places[name] = (float(column), (number - (len(names) - 1) / 2) * spacing)
    return places


def _mean_row(graph: nx.DiGraph, places: dict[str, tuple[float, float]], name: str) -> float:
    rows = [places[source][1] for source in graph.predecessors(name) if source in places]
    return sum(rows) / len(rows) if rows else 0.0


def _extent(graph: nx.DiGraph) -> tuple[int, float]:
    """(columns, rows) of the picture."""
    heights: dict[int, float] = {}
    for _, data in graph.nodes(data=True):
        heights[data["column"]] = heights.get(data["column"], 0.0) + 2 * _half_height(data) + 2 * _GAP
    return max(heights, default=0) + 1, max(heights.values(), default=1.0)


def _half_height(data: dict[str, Any]) -> float:
    return max(_HALF_HEIGHT, _LINE * (1 + data["text"].count("\n")) / 2 + 0.12)


def _draw_box(ax: Axes, place: tuple[float, float], data: dict[str, Any], architecture: str) -> None:
    x, y = place
    half = _half_height(data)
    edge = look(architecture).colour if data["kind"] in ("topic", "exchange", "queue", "process") else QUIET
    ax.add_patch(
        FancyBboxPatch(
            (x - _HALF_WIDTH, y - half),
            2 * _HALF_WIDTH,
            2 * half,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=_FILL[data["kind"]],
            edgecolor=edge,
            linewidth=1.3,
            zorder=3,
            linestyle="dashed" if data["kind"] == "publisher" else "solid",
        )
    )
    lines = data["text"].split("\n")
    for number, line in enumerate(lines):
        size, weight, colour = ("small", "normal", QUIET) if number else ("medium", "bold", INK)
        ax.text(
            x,
            y + (number - (len(lines) - 1) / 2) * _LINE,
            _fitted(line),
            ha="center",
            va="center",
            zorder=4,
            fontsize=size,
            fontweight=weight,
            color=colour,
        )


def _fitted(text: str, most: int = 23) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _draw_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], both_ways: bool) -> None:
    ax.add_patch(
        FancyArrowPatch(
            (start[0] + _HALF_WIDTH, start[1]),
            (end[0] - _HALF_WIDTH, end[1]),
            arrowstyle="<|-|>" if both_ways else "-|>",
            mutation_scale=9,
            color=QUIET,
            linewidth=1.0,
            shrinkA=1,
            shrinkB=1,
            zorder=2,
        )
    )
