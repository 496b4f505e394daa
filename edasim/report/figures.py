"""The pictures of a report as data URIs, each with a text that says what is seen in it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import networkx as nx
from matplotlib.figure import Figure
from PIL import Image

from edasim.charts.saving import chart_figure, charts_of
from edasim.charts.slide import slide
from edasim.charts.style import styled
from edasim.pictures.journey import journeys_figure
from edasim.pictures.topology import topology_figure
from edasim.pictures.wiring import wiring
from edasim.study.comparison import Comparison
from edasim.study.headline import headline
from edasim.study.words import display, listed, subject

MOST_LINES = 60
"""More lines of an order's journey than this, all architectures together, would be a poster and no picture."""
MOST_BOXES = 80
"""The same for the boxes of a topology."""
_CAPTIONS = {
    "outcomes": "How the orders that were placed after the warm-up ended; the parts of a bar add up.",
    "accept-latency": "From placed to a yes, of the accepted orders only. What a yes means differs: done, or received.",
    "completion-latency": "From placed to the last required effect, of the accepted orders. An arrow stands for never.",
    "completed-orders": "Orders done so far. Where a line is flat nothing gets done; where it is steep, work is "
                        "made up.",
    "backlog": "Messages that wait for the service that had the most of them, at any time.",
    "staleness": "How old the oldest accepted order was that the service had not applied yet.",
    "lag": "What an operator sees: messages not yet settled, on Kafka those above the committed offsets.",
    "lag-seconds": "The same in seconds: the age of the oldest message that is not settled.",
    "kafka-partitions": "Records that wait in each partition, in the first run; in colour the one with the most.",
    "kafka-rebalance": "Who of the group reads which partition when, in the first run.",
    "kafka-replay": "What was written, and how much of it a group that joined late has begun, in the first run.",
    "half-done-orders": "Orders with some of their required effects and not all of them.",
    "theory": "The mean wait as measured, and as the closest textbook queue has it.",
}
_BANDS = " Lines are means, the bands around them 95% intervals; grey is when something was wrong."
_COLOURS = 256
_OVER_TIME = ("completed-orders", "backlog", "staleness", "lag", "lag-seconds", "half-done-orders")


@dataclass(frozen=True)
class Shown:
    """A picture: its data URI and size in pixels, what is seen in it (`alt`), and how it is read (`caption`)."""

    name: str
    source: str
    wide: int
    high: int
    alt: str
    caption: str
    details: str = ""


def chart_names(comparison: Comparison) -> list[str]:
    """The charts of a report, in their order."""
    return charts_of(comparison)


def slide_shown(comparison: Comparison) -> Shown:
    """The chart for a slide, as the report's summary in one picture."""
    alt = f"Summary in one picture: {headline(comparison)}. Its numbers are in the table that follows."
    return _shown("slide", slide(comparison), alt, "")


def chart_shown(comparison: Comparison, name: str) -> Shown:
    """One of the charts of a comparison."""
    figure = chart_figure(comparison, name)
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    seen = " ".join(" ".join(titles).split())
    caption = _CAPTIONS.get(name, "") + (_BANDS if name in _OVER_TIME and comparison.replications > 1 else "")
    return _shown(name, figure, f"Chart of {name.replace('-', ' ')}. {seen}", caption)


def topologies_shown(comparison: Comparison) -> Iterator[Shown]:
    """Who talks to whom in each architecture, with the traffic of the first replication where it is still there."""
    for name in comparison.architectures:
        graph = wiring(comparison.scenario, name)
        if len(graph) <= MOST_BOXES:
            run = comparison.runs.get(name)
            figure = topology_figure(comparison.scenario, name, run)
            alt = f"Who talks to whom with {subject(name)}: {_edges(graph)}."
            yield _shown(f"topology-{name}", figure, alt, display(name))


def journeys_shown(comparison: Comparison) -> Shown | None:
    """One order in each architecture: the first that was placed in the second half of what the story is about.

    None where no run was kept, where no order was placed, or where the picture would have too many lines.
    """
    order = _telling_order(comparison)
    if order is None:
        return None
    journeys = comparison.journey(order)
    if sum(len(one.lines) for one in journeys.journeys.values()) > MOST_LINES:
        return None
    told = "; ".join(one.title for one in journeys.journeys.values())
    alt = f"One order on one axis of time, a line for each message at each service. {told}."
    caption = "A line is a message at a service. It waits (grey), an attempt is made (coloured), an effect appears."
    return _shown("journey", journeys_figure(journeys), alt, caption, str(journeys))


def _telling_order(comparison: Comparison) -> int | None:
    if not comparison.runs:
        return None
    run = next(iter(comparison.runs.values()))
    placed_s = run.summary().orders.placed_s
    middle_s = (comparison.focus.start_s + comparison.focus.end_s) / 2
    later = [(time_s, order) for order, time_s in enumerate(placed_s.tolist(), 1) if time_s >= middle_s]
    return min(later)[1] if later else len(placed_s) or None


def _edges(graph: nx.DiGraph) -> str:
    """The arrows in words: `checkout to the topic OrderPlaced, ...`."""
    def called(node: str) -> str:
        return str(graph.nodes[node]["text"]).partition("\n")[0]

    return listed(f"{called(one)} {'and' if data['both_ways'] else 'to'} {called(other)}"
                  for one, other, data in graph.edges(data=True))  # fmt: skip


def _shown(name: str, figure: Figure, alt: str, caption: str, details: str = "") -> Shown:
    page, smaller = BytesIO(), BytesIO()
    with styled():
        figure.savefig(page, format="png")
    picture = Image.open(page).convert("RGB")
    # Charts have few colours: a palette makes the file a third as large, and nobody sees it.
    few = picture.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(smaller, "png", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(smaller.getvalue()).decode('ascii')}"
    return Shown(name, source, picture.width, picture.height, alt, caption, details)
