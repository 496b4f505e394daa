"""The picture of who talks to whom, left to right; with a run, how much went which way, what waited, what broke."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import networkx as nx
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from edasim.charts.style import INK, QUIET, Picture, axes, look, picture, styled, text_colour
from edasim.measure.journey import length_text
from edasim.pictures.lanes import SMALL, fitted, text_points
from edasim.pictures.traffic import Traffic, measured
from edasim.pictures.wiring import wiring
from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.words import display, grouped

WIDTH = 8.0
_MARGIN, _GAP_LEAST, _BETWEEN = 10.0, 40.0, 9.0
_ROUND = "round,pad=0,rounding_size=3"
_LINE, _PAD, _CELLS = 11.0, 4.5, 11.0
_NAME = 8.5
_MOST_CELLS = 24
_LINES = "#8C8C8C"
_ASIDE = ("retry", "dead")
_FILL = {
    "producer": "#F4F4F4", "publisher": "#FFFFFF", "service": "#FFFFFF", "process": "#FFFFFF", "gateway": "#F4F4F4",
    "topic": "#DCEAF4", "exchange": "#DDF1EA", "queue": "#EEF8F4", "database": "#F4F4F4", "dead": "#FFFFFF",
    "retry": "#FFFFFF",
}  # fmt: skip
_OF_THE_ARCHITECTURE = ("topic", "exchange", "queue", "process", "retry", "dead")


_Box = tuple[float, float, float, float]
"""Left, top, width, height."""


class Plan:
    """Where every box stands, in points from the top left corner: `boxes` has (left, top, width, height) by node."""

    def __init__(self, graph: nx.DiGraph) -> None:
        self.graph = graph
        self.lines = {name: _lines(data) for name, data in graph.nodes(data=True)}
        self.heights = {name: _height(data, self.lines[name]) for name, data in graph.nodes(data=True)}
        self.columns: dict[int, list[str]] = {}
        for name, data in graph.nodes(data=True):
            self.columns.setdefault(data["column"], []).append(name)
        self.rooms = self._rooms()
        self.height = max(sum(self._room(name) + _BETWEEN for name in names)
                          for column, names in self.columns.items() if not self._is_aside(column))  # fmt: skip
        self.middles: dict[str, float] = {}
        for column in sorted(self.columns):
            if self._is_aside(column):
                self._stack_aside(column)
            else:
                self._stack(column)
        self.boxes = self._boxes()

    def _kind(self, name: str) -> str:
        return str(self.graph.nodes[name]["kind"])

    def _is_aside(self, column: int) -> bool:
        """Whether a column only has dead letters and retries, which stand beside their services."""
        return all(self._kind(name) in _ASIDE for name in self.columns[column])

    def _rooms(self) -> dict[str, float]:
        """How high the row of each service must be: its queue, itself, and what stands aside."""
        rooms: dict[str, float] = {}
        asides: dict[str, float] = {}
        for name, data in self.graph.nodes(data=True):
            service = data.get("service", "")
            if data["kind"] in _ASIDE:
                asides[service] = asides.get(service, -_BETWEEN) + self.heights[name] + _BETWEEN
            else:
                rooms[service] = max(rooms.get(service, 0.0), self.heights[name])
        return {service: max(room, asides.get(service, 0.0)) for service, room in rooms.items()}

    def _room(self, name: str) -> float:
        service = self.graph.nodes[name].get("service")
        return self.rooms[service] if service else self.heights[name]

    def _stack(self, column: int) -> None:
        """Spread a column over the height, in the order of the mean height of the neighbours to the left."""
        names = self.columns[column]
        wanted = {name: self._mean_middle(name) for name in names}
        names.sort(key=lambda name: wanted[name])  # stable: the order of the file among equals
        total = sum(self._room(name) for name in names)
        gap = min((self.height - total) / len(names), 26.0)
        top = (self.height - total - gap * (len(names) - 1)) / 2
        for name in names:
            self.middles[name] = top + self._room(name) / 2
            top += self._room(name) + gap

    def _stack_aside(self, column: int) -> None:
        for service, high in self._beside(column).items():
            names = [name for name in self.columns[column] if service in self.graph.predecessors(name)]
            top = self.middles[service] - high / 2
            for name in names:
                self.middles[name] = top + self.heights[name] / 2
                top += self.heights[name] + _BETWEEN

    def _beside(self, column: int) -> dict[str, float]:
        """How high all is that stands beside each service."""
        beside: dict[str, float] = {}
        for name in self.columns[column]:
            service = next(iter(self.graph.predecessors(name)))
            beside[service] = beside.get(service, -_BETWEEN) + self.heights[name] + _BETWEEN
        return beside

    def _mean_middle(self, name: str) -> float:
        middles = [self.middles[source] for source in self.graph.predecessors(name) if source in self.middles]
        return sum(middles) / len(middles) if middles else 0.0

    def _boxes(self) -> dict[str, tuple[float, float, float, float]]:
        """Columns as wide as their texts, or cut to a fair share of the page, and the same room between them."""
        page = WIDTH * 72 - 2 * _MARGIN
        wide = {column: max(_wide(self.lines[name]) for name in names) for column, names in self.columns.items()}
        fair = (page - _GAP_LEAST * (len(wide) - 1)) / len(wide)
        spare = sum(max(0.0, fair - each) for each in wide.values())
        over = sum(max(0.0, each - fair) for each in wide.values())
        share = min(1.0, spare / over) if over else 1.0
        wide = {column: min(each, fair + max(0.0, each - fair) * share) for column, each in wide.items()}
        gaps = self._gaps(page - sum(wide.values()))
        left = _MARGIN + (page - sum(wide.values()) - sum(gaps.values())) / 2
        boxes = {}
        for column in sorted(wide):
            for name in self.columns[column]:
                high = self.heights[name]
                boxes[name] = (left, self.middles[name] - high / 2, wide[column], high)
            left += wide[column] + gaps.get(column, 0.0)
        return boxes

    def _gaps(self, room: float) -> dict[int, float]:
        """The room right of each column but the last: more where arrows fan out."""
        columns = sorted(self.columns)
        shares = {
            column: 1.0 + 0.12 * min(12, max(len(self.columns[column]), len(self.columns[after])) - 1)
            * (len(self.columns[column]) != len(self.columns[after]) and not self._is_aside(after))
            for column, after in pairwise(columns)
        }  # fmt: skip
        each = min(room / max(1.0, sum(shares.values())), 110.0)
        return {column: each * share for column, share in shares.items()}


def _lines(data: dict[str, Any]) -> list[str]:
    """What a box says: its name, what it is, and what a run did to it."""
    lines = str(data["text"]).split("\n")
    if "backlog" in data:
        lines.append(f"backlog {grouped(data['backlog'])}")
    lines += [f"! {text}" for text in dict.fromkeys(data.get("faults", ())) if data["kind"] in ("service", "producer")]
    return lines


def _height(data: dict[str, Any], lines: list[str]) -> float:
    return 2 * _PAD + _LINE * len(lines) + (_CELLS if _has_cells(data) else 0.0)


def _has_cells(data: dict[str, Any]) -> bool:
    return 1 < data.get("partitions", 0) <= _MOST_CELLS


def _wide(lines: list[str]) -> float:
    return 13 + max(text_points(line, SMALL if number else _NAME, not number) for number, line in enumerate(lines))


# --- what a user calls ----------------------------------------------------------------------------------------


def topology(
    scenario: Scenario, architecture: str, run: Run | None = None, ax: Axes | None = None, at_s: float | None = None
) -> Axes:
    """Who talks to whom in an architecture, on these axes or on a new figure that is large enough.

    With a run of it: an edge is as wide as its traffic, a box as dark as its backlog (the most that ever waited, or
    what waits at `at_s`, when traffic is counted until then), and what a fault hits is hatched.
    """
    graph, traffic = _graph(scenario, architecture, run, at_s)
    with styled():
        plan = Plan(graph)
        if ax is None:
            figure = axes(None).get_figure()
            assert figure is not None
            figure.clear()
            figure.set_layout_engine("none")  # type: ignore[union-attr]
            ax = _fit(figure, plan, traffic)
        _draw(ax, plan, traffic)
    return ax


def topology_figure(
    scenario: Scenario, architecture: str, run: Run | None = None, at_s: float | None = None
) -> Picture:
    """The same as a figure of its own, 1200 pixels wide."""
    graph, traffic = _graph(scenario, architecture, run, at_s)
    with styled():
        figure = picture(WIDTH, 1.0)
        figure.set_layout_engine("none")
        plan = Plan(graph)
        _draw(_fit(figure, plan, traffic), plan, traffic)
    return figure


def _graph(
    scenario: Scenario, architecture: str, run: Run | None, at_s: float | None
) -> tuple[nx.DiGraph, Traffic | None]:
    graph = wiring(scenario, architecture)
    if run is None:
        if at_s is not None:
            raise ValueError("a time needs a run: give run= beside at_s=")
        return graph, None
    if run.architecture != architecture:
        raise ValueError(f"the run is one of {run.architecture}, not of {architecture}")
    return graph, measured(graph, run, at_s)


def _fit(figure: Any, plan: Plan, traffic: Traffic | None) -> Axes:
    above, below = 26.0, 6.0 + 11.0 * len(_footer(traffic))
    height = above + plan.height + below
    figure.set_size_inches(WIDTH, height / 72)
    ax: Axes = figure.add_axes((0.0, below / height, 1.0, plan.height / height))
    return ax


# --- drawing --------------------------------------------------------------------------------------------------


def _draw(ax: Axes, plan: Plan, traffic: Traffic | None) -> None:
    architecture = plan.graph.graph["architecture"]
    ax.set_xlim(0.0, WIDTH * 72)
    ax.set_ylim(plan.height, 0.0)
    ax.axis("off")
    most = max((data.get("messages") or 0 for _, _, data in plan.graph.edges(data=True)), default=0)
    taken: list[_Box] = list(plan.boxes.values())
    for source, target, data in plan.graph.edges(data=True):
        _draw_arrow(ax, plan, (source, target), data, most)
    for source, target, data in plan.graph.edges(data=True):
        if data.get("messages") is not None and not (data["aside"] and data["messages"] == 0):
            _write_number(ax, plan, (source, target), most, taken)
    for name, data in plan.graph.nodes(data=True):
        _draw_box(ax, plan, name, data)
    title = fitted(f"{plan.graph.graph['title']}: {display(architecture)}", WIDTH * 72 - 2 * _MARGIN, 11.5, True)
    ax.text(_MARGIN, -9, title, fontsize=11.5, fontweight="bold", va="bottom", parse_math=False,
            color=text_colour(look(architecture).colour))  # fmt: skip
    for number, line in enumerate(_footer(traffic)):
        ax.text(_MARGIN, plan.height + 4 + 11 * number, fitted(line, WIDTH * 72 - 2 * _MARGIN), fontsize=SMALL,
                color=QUIET, va="top")  # fmt: skip


def _footer(traffic: Traffic | None) -> list[str]:
    """What the numbers are, and which faults held."""
    if traffic is None:
        return []
    at = traffic.at_s
    when = "in the whole run; backlog: the most that ever waited" if at is None else (
        f"until {at:g} s; backlog: what waits then")
    lines = [f"On arrows: messages that went that way {when}. Orders of the warm-up are counted here."]
    faults = dict.fromkeys(
        f"{text} from {length_text(start_s)} to {'the end' if math.isinf(end_s) else length_text(end_s)}"
        for _, text, start_s, end_s in traffic.faults())
    return lines + ([f"Hatched or dashed: {'; '.join(faults)}."] if faults else [])


def _fill_of(data: dict[str, Any]) -> Any:
    """White to brown with the backlog, on a logarithmic scale to 10,000 messages."""
    if not data.get("backlog"):
        return _FILL[data["kind"]]
    return colormaps["YlOrBr"](min(1.0, math.log10(1 + data["backlog"]) / 4) * 0.55)


def _draw_box(ax: Axes, plan: Plan, name: str, data: dict[str, Any]) -> None:
    left, top, wide, high = plan.boxes[name]
    architecture = plan.graph.graph["architecture"]
    edge = look(architecture).colour if data["kind"] in _OF_THE_ARCHITECTURE else QUIET
    broken = bool(data.get("faults"))
    ax.add_patch(FancyBboxPatch(
        (left, top), wide, high, boxstyle=_ROUND, facecolor=_fill_of(data), edgecolor=INK if broken else edge,
        linestyle="dashed" if data["kind"] in ("publisher", *_ASIDE) else "solid", linewidth=2.0 if broken else 1.2,
        zorder=3,
    ))  # fmt: skip
    if broken:
        ax.add_patch(FancyBboxPatch((left, top), wide, high, boxstyle=_ROUND, facecolor="none", edgecolor="#B0B0B0",
                                    hatch="////", linewidth=0.0, zorder=3))  # fmt: skip
    for struck in data.get("struck", ()):
        ax.add_patch(Rectangle((left + 2, top + _PAD + _LINE * struck), wide - 4, _LINE, facecolor="#FFFFFF",
                               edgecolor="#B0B0B0", hatch="/////", linewidth=0.8, zorder=3.5))  # fmt: skip
    for number, line in enumerate(plan.lines[name]):
        bold = not number
        size = _NAME if bold else SMALL
        text = fitted(line, wide - 8, size, bold)
        struck = number in data.get("struck", ())
        under = {"facecolor": "white" if struck else _fill_of(data), "edgecolor": "none", "pad": 0.7}
        ax.text(left + wide / 2, top + _PAD + _LINE * (number + 0.5), text, ha="center", va="center", fontsize=size,
                fontweight="bold" if bold else "normal", color=INK, zorder=5,
                bbox=under if broken or struck else None)  # fmt: skip
    if _has_cells(data):
        _draw_cells(ax, (left, top + high - _CELLS - 2, wide), data)


def _draw_cells(ax: Axes, place: tuple[float, float, float], data: dict[str, Any]) -> None:
    """A cell for each partition, filled as far as its records reach beside the fullest one's."""
    left, top, wide = place
    number = data["partitions"]
    cells = data.get("cells", [0] * number)
    each = min((wide - 12) / number, 14.0)
    begin = left + (wide - each * number) / 2
    high = _CELLS - 2
    for one, count in enumerate(cells):
        x = begin + one * each
        full = high * count / max(*cells, 1)
        ax.add_patch(Rectangle((x, top + high - full), each - 1, full, facecolor=look("kafka").colour, linewidth=0,
                               zorder=4))  # fmt: skip
        ax.add_patch(Rectangle((x, top), each - 1, high, facecolor="none", edgecolor=QUIET, linewidth=0.6, zorder=4.5))


def _ends(plan: Plan, edge: tuple[str, str]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where an arrow begins and ends; those of a box with many are spread over its side."""
    left, top, wide, high = plan.boxes[edge[0]]
    to_left, to_top, _, to_high = plan.boxes[edge[1]]
    outs = sorted(plan.graph.successors(edge[0]), key=lambda name: plan.middles[name])
    ins = sorted(plan.graph.predecessors(edge[1]), key=lambda name: plan.middles[name])
    y = top + high * (outs.index(edge[1]) + 1) / (len(outs) + 1)
    to_y = to_top + to_high * (ins.index(edge[0]) + 1) / (len(ins) + 1)
    return (left + wide, y), (to_left, to_y)


def _draw_arrow(ax: Axes, plan: Plan, edge: tuple[str, str], data: dict[str, Any], most: int) -> None:
    (x, y), (to_x, to_y) = _ends(plan, edge)
    messages = data.get("messages")
    width = _width(plan, edge, messages, most)
    idle = messages == 0
    broken = bool(data.get("faults"))
    style = (0, (1.2, 1.2)) if broken else (0, (4, 3)) if data["aside"] or idle else "solid"
    bend = 0.55 * (to_x - x)
    path = Path([(x, y), (x + bend, y), (to_x - bend, to_y), (to_x, to_y)], [Path.MOVETO, *[Path.CURVE4] * 3])
    ax.add_patch(FancyArrowPatch(
        path=path, arrowstyle="<|-|>" if data["both_ways"] else "-|>", mutation_scale=6 + 1.3 * width,
        facecolor="none" if style != "solid" else INK if broken else _LINES, linewidth=width, linestyle=style,
        edgecolor=INK if broken else "#C4C4C4" if idle else _LINES, zorder=2, joinstyle="miter", capstyle="butt",
    ))  # fmt: skip


def _width(plan: Plan, edge: tuple[str, str], messages: int | None, most: int) -> float:
    """How wide an arrow is, in points: by the root of its traffic; thinner where many meet."""
    many = max(plan.graph.out_degree(edge[0]), plan.graph.in_degree(edge[1]))
    widest = 4.2 if many <= 5 else 2.6
    return 1.0 if not messages else 0.8 + widest * math.sqrt(messages / most)


def _write_number(ax: Axes, plan: Plan, edge: tuple[str, str], most: int, taken: list[_Box]) -> None:
    """How many messages went that way, beside the arrow at its less busy end, where there is room."""
    (x, y), (to_x, to_y) = _ends(plan, edge)
    messages, both_ways = plan.graph.edges[edge]["messages"], plan.graph.edges[edge]["both_ways"]
    text = grouped(messages)
    wide, high = text_points(text) + 3, 9.0
    lift = 0.4 * (6 + 1.3 * _width(plan, edge, messages, most))
    # On the side of the arrow to which it does not bend; on it where several end at one box.
    on_end, on_start = plan.graph.in_degree(edge[1]) > 1, plan.graph.out_degree(edge[0]) > 1
    at_end = (to_x - 13 - wide, to_y + (-high / 2 if on_end else lift if y < to_y - 3 else -high - lift))
    at_start = (x + (13 if both_ways else 4), y + (-high / 2 if on_start else lift if to_y < y - 3 else -high - lift))
    fans_in = plan.graph.in_degree(edge[1]) > plan.graph.out_degree(edge[0])
    for left, top in (at_start, at_end) if fans_in else (at_end, at_start):
        box = (left, top, wide, high)
        if x + 1 < left and left + wide < to_x - 1 and not any(_touch(box, other) for other in taken):
            taken.append(box)
            ax.text(left + wide / 2, top + high / 2, text, fontsize=SMALL, ha="center", va="center", color=INK,
                    zorder=4, path_effects=[withStroke(linewidth=3, foreground="white")])  # fmt: skip
            return


def _touch(one: _Box, other: _Box) -> bool:
    return (one[0] < other[0] + other[2] and other[0] < one[0] + one[2]
            and one[1] < other[1] + other[3] and other[1] < one[1] + one[3])  # fmt: skip
