"""One run as arrays for the animation: where every message is at any time, without simulating anything again.

Everything is a function of time that is looked up: how many messages are at a node is a difference of two binary
searches, where a dot is one search among the segments of its token.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.charts.style import look
from edasim.core.journal import Verb
from edasim.measure.reading import NANO
from edasim.pictures.flow_brokered import KafkaWalk, RabbitWalk
from edasim.pictures.flow_called import MonolithWalk, RpcWalk
from edasim.pictures.flow_layout import WIDTH, Layout, layout
from edasim.pictures.flow_tokens import FOREVER, Token, Walk
from edasim.simulate import Run
from edasim.study.words import display

Floats = NDArray[np.float64]
WALKS: dict[str, type[Walk]] = {"monolith": MonolithWalk, "rpc": RpcWalk, "kafka": KafkaWalk, "rabbitmq": RabbitWalk}
MOST_FACTS = 3_000_000
WAITING = ("inbox", "hand", "again")
"""The roles of nodes where a message waits for its service to begin."""


@dataclass(frozen=True)
class Band:
    """A fault while it held: from when to when (seconds), and which nodes it hit."""

    name: str
    text: str
    start_s: float
    end_s: float
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class FlowData:
    """The tokens of one run as arrays.

    Segment i of all begins at `start_s[i]` and leads from node `source[i]` to node `target[i]` (it rests where both
    are the same), looking like `kind[i]`, in line or slot `lane[i]`.  Those of token k are first[k] to first[k + 1],
    without gaps; it is gone at `end_s[k]` (infinite: not within the run).  `left_s[k]` is when the customer of its
    order was told no or left, infinite for never.
    """

    run: Run
    layout: Layout
    title: str
    first: NDArray[np.int32]
    end_s: Floats
    left_s: Floats
    order: NDArray[np.int32]
    start_s: Floats
    source: NDArray[np.int16]
    target: NDArray[np.int16]
    kind: NDArray[np.int8]
    lane: NDArray[np.int16]

    # --- looking up -------------------------------------------------------------------------------------------

    @cached_property
    def stop_s(self) -> Floats:
        """When each segment ends: with the next one of its token, or with the token."""
        stops = np.append(self.start_s[1:], np.inf)
        stops[self.first[1:] - 1] = self.end_s
        return stops

    @cached_property
    def _stays(self) -> dict[int, tuple[Floats, Floats]]:
        stays = self.source == self.target
        found = {}
        for node in range(len(self.layout.nodes)):
            here = stays & (self.target == node)
            found[node] = (np.sort(self.start_s[here]), np.sort(self.stop_s[here]))
        return found

    def count(self, node: str, time_s: float) -> int:
        """How many tokens rest at a node at a time; what comes at that instant is there, what leaves is not."""
        begins, ends = self._stays[self.layout[node]]
        return int(np.searchsorted(begins, time_s, "right") - np.searchsorted(ends, time_s, "right"))

    def counts(self, time_s: float) -> dict[str, int]:
        """How many tokens rest at each node at a time."""
        return {node.name: self.count(node.name, time_s) for node in self.layout.nodes}

    def waiting(self, service: str, time_s: float) -> int:
        """How many copies wait for a service at a time: there for it, and no attempt begun."""
        return sum(self.count(node.name, time_s) for node in self.layout.nodes
                   if node.service == service and node.role in WAITING)

    @cached_property
    def bands(self) -> list[Band]:
        """The faults as they held."""
        return [Band(band.name, band.text, band.start_ns * NANO,
                     (self.run.end_ns if band.end_ns is None else band.end_ns) * NANO, self._hit(band.name))
                for band in self.run.bands]

    def _hit(self, name: str) -> tuple[int, ...]:
        fault = self.run.scenario.faults[name]
        if self.run.architecture == "monolith" and fault.kind in ("crash", "stop", "deploy"):
            # Whichever module is to blame, it is the one process that goes.
            return tuple(number for number, node in enumerate(self.layout.nodes) if node.role in ("inbox", "work"))
        return tuple(self.layout.hit_by(fault.target))

    def moments(self, verb: Verb) -> Floats:
        """When each fact of a verb about customers happened."""
        facts = self.run.facts
        clients = np.array([place.kind == "client" for place in self.run.places])
        times: Floats = facts.times_ns[(facts.verbs == verb) & clients[facts.places]] * NANO
        return times

    def done_s(self) -> Floats:
        """When each order was done, for those that were: all its required effects existed."""
        done = self.run.summary().orders.done_s
        ordered: Floats = np.sort(done[np.isfinite(done)])
        return ordered

    # --- for the drawing --------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold: arrays are base64 of little-endian numbers."""
        style = look(self.run.architecture)
        most = _most_workers(self.run)
        return {
            "architecture": self.run.architecture,
            "title": self.title,
            "colour": style.colour,
            "dashes": [] if style.dashes == "solid" else list(style.dashes[1]),
            "width": WIDTH,
            "height": self.layout.height,
            "until_s": self.run.end_ns * NANO,
            "nodes": [node.as_dict() for node in self.layout.nodes],
            "ways": self.layout.ways,
            "frames": self.layout.frames,
            "captions": self.layout.captions,
            "bands": [{**vars(band), "nodes": list(band.nodes)} for band in self.bands],
            "not_applicable": self.run.not_applicable,
            "capacities": [{"from_s": time * NANO, "workers": _shown(workers, most)}
                           for time, workers in self.run.capacities],
            "customers": {
                "placed": packed(self.moments(Verb.placed)),
                "accepted": packed(self.moments(Verb.accepted)),
                "refused": packed(self.moments(Verb.refused)),
                "done": packed(self.done_s()),
            },
            "arrays": {name: packed(getattr(self, name)) for name in (
                "first", "end_s", "left_s", "order", "start_s", "source", "target", "kind", "lane")},
        }


def packed(values: NDArray[Any]) -> dict[str, str]:
    """An array as text: its type and its bytes, little-endian."""
    little = values.astype(values.dtype.newbyteorder("<"))
    return {"type": values.dtype.name, "bytes": base64.b64encode(little.tobytes()).decode()}


def flow_data(run: Run, title: str = "") -> FlowData:
    """The arrays of a run.  Raises ValueError for a run that is too long to be looked at dot by dot."""
    if len(run.facts) > MOST_FACTS:
        raise ValueError(f"a run of {len(run.facts):,} facts is too long for an animation: "
                         f"give the scenario a shorter duration (at most {MOST_FACTS:,} facts)")
    made = layout(run.scenario, run.architecture, _most_workers(run))
    tokens = [token for token in WALKS[run.architecture](run, made).walk() if token.starts]
    return _as_arrays(run, made, title or display(run.architecture), tokens)


def _most_workers(run: Run) -> dict[str, int]:
    """The largest number of workers that each service has in the run; of unlimited ones, that were at work at once."""
    names = {name for _, capacity in run.capacities for name in capacity}
    most = {name: max(capacity.get(name, 0) for _, capacity in run.capacities) for name in names}
    return {name: int(number) if np.isfinite(number) else _most_at_work(run, name) for name, number in most.items()}


def _most_at_work(run: Run, name: str) -> int:
    if name == "process":
        return sum(_most_at_work(run, service) for service in run.scenario.services)
    return max(1, int(run.summary().service(name).busy().max(0.0, run.end_ns * NANO)))


def _shown(workers: dict[str, float], most: dict[str, int]) -> dict[str, int]:
    """The workers as the drawing shows them: of unlimited ones, as many as were ever at work at once."""
    return {name: int(min(number, most[name])) for name, number in workers.items()}


def _as_arrays(run: Run, made: Layout, title: str, tokens: list[Token]) -> FlowData:
    def column(name: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.array([value for token in tokens for value in getattr(token, name)], kind)

    orders = np.array([token.order for token in tokens], np.int32)
    refused: Floats = np.asarray(run.summary().orders.refused_s, np.float64)
    ends = np.array([token.end for token in tokens], np.float64)
    return FlowData(
        run, made, title,
        first=np.concatenate([[0], np.cumsum([len(token.starts) for token in tokens])]).astype(np.int32),
        end_s=np.where(ends >= FOREVER, np.inf, ends * NANO),
        left_s=refused[orders - 1] if len(orders) else np.zeros(0),
        order=orders,
        start_s=column("starts", np.int64) * NANO,
        source=column("sources", np.int16),
        target=column("targets", np.int16),
        kind=column("kinds", np.int8),
        lane=column("lanes", np.int16),
    )
