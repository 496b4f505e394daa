"""Where the parts of an architecture stand in the animation: nodes with their places, and the ways between them.

All four architectures have the same columns and the same rows, so that they can be read side by side: customers, then
what takes the orders (process, gateway, topics, exchange), then a row for each service with what waits for it and its
workers, then what was put aside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from edasim.architectures.steps import StepOrder
from edasim.scenario.architecture_options import KafkaOptions, RabbitOptions, RpcOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.value import Scenario
from edasim.study.words import counted

WIDTH = 548.0
TOP, MARGIN = 46.0, 6.0
MOST_LANES = 12
"""So many partitions are shown one by one; more share one line."""
_PRODUCER = (4.0, 84.0)
_HUB = (124.0, 92.0)
_INBOX = (248.0, 104.0)
_HAND = (355.0, 36.0)
_WORK = (394.0, 82.0)
_ASIDE = (486.0, 58.0)
_LABEL = 16.0
_CAPTIONS = {
    "monolith": ("customers", "", "modules", "", "", ""),
    "rpc": ("customers", "", "calls waiting", "", "at work", ""),
    "kafka": ("customers", "topics", "unread in the log", "polled", "at work", "dead letters"),
    "rabbitmq": ("customers", "exchange", "queue", "taken", "at work", "dead letters"),
}


@dataclass(frozen=True)
class Node:
    """A place where messages can be.  `role` says what being there means; `service` whose it is, or "".

    `lanes` is how many lines of waiting messages it has (partitions), `slots` how many workers it shows at most.
    """

    name: str
    role: str
    service: str
    title: str
    note: str
    x: float
    y: float
    width: float
    height: float
    lanes: int = 0
    slots: int = 0

    def as_dict(self) -> dict[str, Any]:
        """What the drawing gets of it."""
        return dict(vars(self))


@dataclass
class Layout:
    """The nodes of one architecture in their order, the ways that messages take, and frames around nodes."""

    scenario: Scenario
    architecture: str
    services: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    ways: list[tuple[int, int]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    captions: list[dict[str, Any]] = field(default_factory=list)
    height: float = 0.0
    lane_of: dict[tuple[str, str], int] = field(default_factory=dict)
    """On Kafka: the lane of a (service, partition)."""
    _index: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, role: str, box: tuple[float, float, float, float], **more: Any) -> int:
        """Add a node; box is (x, y, width, height)."""
        words = {"service": "", "title": "", "note": "", **more}
        self._index[name] = len(self.nodes)
        self.nodes.append(Node(name, role, words.pop("service"), words.pop("title"), words.pop("note"), *box, **words))
        return self._index[name]

    def way(self, source: str, target: str) -> None:
        """Messages go from one node to the other."""
        if source in self._index and target in self._index:
            self.ways.append((self._index[source], self._index[target]))

    def __getitem__(self, name: str) -> int:
        return self._index[name]

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def hit_by(self, target: str) -> list[int]:
        """The nodes that a fault's target means: a service, a producer, a part, or both ends of a link."""
        names = [part.strip("<> ") for part in target.replace("->", "|").replace("<|", "|").split("|")]
        hubs = {"broker": ("topic", "exchange"), "gateway": ("gateway",), "database": ("database",)}
        found = []
        for number, node in enumerate(self.nodes):
            for name in names:
                wanted = hubs.get("broker" if name.startswith("broker-") else name, ())
                works = node.service == name and node.role in ("work", "hand")
                if works or node.name == f"producer {name}" or node.name.startswith(wanted or ("\0",)):
                    found.append(number)
        return found


def layout(scenario: Scenario, architecture: str, capacity: dict[str, int]) -> Layout:
    """Place everything; `capacity` is the largest number of workers that each service has in the run."""
    services = sorted(scenario.services, key=StepOrder(scenario).rank)
    made = Layout(scenario, architecture, services)
    row = min(92.0, max(38.0, 470.0 / max(1, len(services))))
    made.height = TOP + max(row * len(services), 190.0) + MARGIN
    _add_producers(made)
    {"monolith": _monolith, "rpc": _rpc, "kafka": _kafka, "rabbitmq": _rabbitmq}[architecture](made, row, capacity)
    columns = zip((_PRODUCER, _HUB, _INBOX, _HAND, _WORK, _ASIDE), _CAPTIONS[architecture], strict=True)
    made.captions = [{"x": x, "width": width, "text": text} for (x, width), text in columns if text]
    if any(node.role == "again" for node in made.nodes):
        x, half = _ASIDE[0], _ASIDE[1] / 2
        made.captions[-1:] = [{"x": x - 3, "width": half, "text": "retry"},
                              {"x": x + half, "width": half, "text": "dead"}]
    return made


def producer_of(scenario: Scenario) -> dict[str, str]:
    """For each first event the producer's node; of several that publish one event, the first."""
    found: dict[str, str] = {}
    for name, producer in scenario.producers.items():
        found.setdefault(producer.publishes, f"producer {name}")
    return found


def _stacked(made: Layout, names: list[str], most: float = 74.0) -> list[tuple[float, float]]:
    """(y, height) for boxes over each other in the middle of the panel."""
    room = made.height - TOP - MARGIN
    each = room / max(1, len(names))
    height = min(most, max(10.0, each - 8.0))
    return [(TOP + each * (number + 0.5) - height / 2, height) for number in range(len(names))]


def _add_producers(made: Layout) -> None:
    producers = made.scenario.producers
    for (name, producer), (y, height) in zip(producers.items(), _stacked(made, list(producers)), strict=True):
        made.add(f"producer {name}", "producer", (_PRODUCER[0], y, _PRODUCER[1], height), title=name,
                 note=producer.arrivals.text)


def _rows(made: Layout, row: float) -> list[tuple[str, float, float]]:
    """For each service: its name, and (y, height) of its boxes below its label."""
    top = TOP + (made.height - MARGIN - TOP - row * len(made.services)) / 2
    return [(name, top + row * number + _LABEL, row - _LABEL - 4.0) for number, name in enumerate(made.services)]


def _frame(made: Layout, title: str, box: tuple[float, float, float, float], kind: str, note: str = "") -> None:
    x, y, width, height = box
    made.frames.append({"title": title, "note": note, "kind": kind, "x": x, "y": y, "width": width, "height": height})


def _monolith(made: Layout, row: float, capacity: dict[str, int]) -> None:
    options = made.scenario.architectures.monolith
    threads: float = capacity.get("process", 0)
    if (options.threads if options and options.threads else _workers(made.scenario)) == math.inf:
        threads = math.inf
    middle = TOP + (made.height - TOP - MARGIN) / 2
    made.add("process", "inbox", (_HUB[0], middle - 45, _HUB[1], 106.0), title="waiting")
    _frame(made, "one process", (_HUB[0] - 8, TOP - 26, _WORK[0] + _WORK[1] - _HUB[0] + 14, made.height - TOP + 22),
           "process", counted(threads, "thread"))
    made.add("database", "database", (_ASIDE[0], middle - 37, _ASIDE[1], 74.0), title="database", note="commit")
    for name, y, height in _rows(made, row):
        width = _WORK[0] + _WORK[1] - _INBOX[0]
        made.add(f"work {name}", "work", (_INBOX[0], y, width, height), service=name, title=name, note="module")
        made.way("process", f"work {name}")
        made.way(f"work {name}", "database")
    for producer in made.scenario.producers:
        made.way(f"producer {producer}", "process")


def _workers(scenario: Scenario) -> float:
    return sum(service.workers for service in scenario.services.values())


def _rpc(made: Layout, row: float, capacity: dict[str, int]) -> None:
    options = made.scenario.architectures.rpc or RpcOptions()
    middle = TOP + (made.height - TOP - MARGIN) / 2
    x, width = _HUB
    made.add("gateway", "inbox", (x, middle - 56, width, 40.0), title="waiting")
    made.add("gateway open", "open", (x, middle + 4, width, 78.0), title="open")
    _frame(made, "gateway", (x - 6, middle - 92, width + 12, 192.0), "hub", f"{options.open_requests} open at most")
    for producer in made.scenario.producers:
        made.way(f"producer {producer}", "gateway")
    for name, y, height in _rows(made, row):
        _service(made, name, y, height, capacity, "worker")
        made.way("gateway open", f"inbox {name}")


def _service(  # noqa: PLR0913 - a row and what is in it
    made: Layout, name: str, y: float, height: float, capacity: dict[str, int], worker: str, *,
    brokered: bool = False, again: bool = False, lanes: int = 0,
) -> None:
    """One service's row: what waits, what is handed out, the workers, and what was put aside."""
    slots = capacity.get(name, 0)
    x, width = _INBOX
    if not brokered:
        width = _HAND[0] + _HAND[1] - x
    made.add(f"inbox {name}", "inbox", (x, y, width, height), service=name, title=name, lanes=lanes,
             note=counted(math.inf if made.scenario.services[name].workers == math.inf else slots, worker))
    if brokered:
        made.add(f"hand {name}", "hand", (_HAND[0], y, _HAND[1], height), service=name)
    made.add(f"work {name}", "work", (_WORK[0], y, _WORK[1], height), service=name, slots=slots)
    dead = brokered and made.scenario.services[name].dead_letters
    x, width = _ASIDE
    if again:
        made.add(f"again {name}", "again", (x, y, width / 2 - 3 if dead else width, height), service=name)
        made.way(f"work {name}", f"again {name}")
    if dead:
        box = (x + width / 2 + 1, y, width / 2 - 1, height) if again else (x, y, width, height)
        made.add(f"dead {name}", "dead", box, service=name)
        made.way(f"work {name}", f"dead {name}")


def _waits_aside(made: Layout, name: str) -> str:
    service = made.scenario.services[name]
    return (service.retry or made.scenario.retry).where


def _kafka(made: Layout, row: float, capacity: dict[str, int]) -> None:
    options = made.scenario.architectures.kafka or KafkaOptions()
    partitions = int(str(resolve("kafka topic", options.version, options.topic)["partitions"]))
    topics = list(dict.fromkeys(_events(made.scenario)))
    for event, (y, height) in zip(topics, _stacked(made, topics), strict=True):
        made.add(f"topic {event}", "hub", (_HUB[0], y, _HUB[1], height), title=event,
                 note=counted(partitions, "partition"))
    for name, producer in made.scenario.producers.items():
        made.way(f"producer {name}", f"topic {producer.publishes}")
    for name, y, height in _rows(made, row):
        service = made.scenario.services[name]
        names = [f"{event}-{number}" for event in service.handles for number in range(partitions)]
        lanes = len(names) if len(names) <= MOST_LANES else 0
        if lanes:
            made.lane_of.update({(name, partition): lane for lane, partition in enumerate(names)})
        _service(made, name, y, height, capacity, "member", brokered=True, lanes=lanes,
                 again=_waits_aside(made, name) != "worker")
        for event in service.handles:
            made.way(f"topic {event}", f"inbox {name}")
        for publication in service.publishes:
            made.way(f"work {name}", f"topic {publication.event}")


def _events(scenario: Scenario) -> list[str]:
    """All event types, those of producers first."""
    services = scenario.services.values()
    return [*(producer.publishes for producer in scenario.producers.values()),
            *(event for service in services for event in service.handles),
            *(publication.event for service in services for publication in service.publishes)]


def _rabbitmq(made: Layout, row: float, capacity: dict[str, int]) -> None:
    options = made.scenario.architectures.rabbitmq or RabbitOptions()
    (y, height), = _stacked(made, ["exchange"])
    made.add("exchange", "hub", (_HUB[0], y, _HUB[1], height), title="exchange", note=options.exchange)
    for producer in made.scenario.producers:
        made.way(f"producer {producer}", "exchange")
    for name, y, height in _rows(made, row):
        _service(made, name, y, height, capacity, "consumer", brokered=True,
                 again=_waits_aside(made, name) == "aside")
        made.way("exchange", f"inbox {name}")
        if made.scenario.services[name].publishes:
            made.way(f"work {name}", "exchange")
