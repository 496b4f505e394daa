"""Mistakes are told together: what else is wrong beside a value that cannot be read, and nothing that only follows."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edasim.scenario.document import read_document
from edasim.scenario.errors import ScenarioError, show_path
from edasim.scenario.reading import build, load

SHIPPED = sorted((Path(__file__).parent.parent / "scenarios").glob("*.yml"))
EVERYTHING = """
title: A shop with something of everything
duration: 60s
warm-up: 5s
producers:
  checkout: {publishes: OrderPlaced, arrivals: 40/s}
services:
  payment: {handles: OrderPlaced, work: 30ms, workers: 3, publishes: PaymentCaptured, retry: {attempts: 2}}
  shipping: {handles: PaymentCaptured, work: 20ms}
faults:
  crash: {crash: payment, at: 23s, for: 3s, workers: 3}
  link: {lossy: payment <-> broker, at: 33s, for: 3s, share: 5%}
architectures:
  kafka:
    version: "3.9"
    commit: record
    topic: {replication.factor: 3, min.insync.replicas: 3}
    producer: {acks: "1", enable.idempotence: false, transaction.timeout.ms: 20min, linger.ms: 5}
    consumer: {enable.auto.commit: false, session.timeout.ms: 40min, heartbeat.interval.ms: 30min}
    broker: {group.max.session.timeout.ms: 1h}
  rabbitmq:
    version: "3.13"
    queue: {x-queue-type: quorum, x-delivery-limit: 3, x-dead-letter-exchange: dead}
    queues: {shipping: {x-dead-letter-routing-key: late}}
knobs:
  services.payment.workers: 3 .. 8
  faults.crash.for: 1s .. 9s
  architectures.kafka.topic.replication.factor: 3 .. 5
changes:
  - {at: 20s, path: services.payment.work, value: 40ms}
"""
SOURCES = {file.stem: file.read_text(encoding="utf-8") for file in SHIPPED} | {"everything": EVERYTHING}


def places(data: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of every value."""
    if path:
        yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data if isinstance(data, list) else ()):
        yield from places(value, (*path, key))


def container(data: Any, path: tuple) -> Any:
    """What holds the value at a path."""
    for step in path[:-1]:
        data = data[step]
    return data


def problems(data: Any) -> list[tuple[str, str]]:
    """(path, sentence) of all that is wrong."""
    try:
        build(data)
    except ScenarioError as refused:
        return [(problem.path, problem.message) for problem in refused.problems]
    return []


@pytest.mark.parametrize("source", SOURCES)
def test_one_value_that_cannot_be_read_is_one_place(source: str) -> None:
    whole = read_document(SOURCES[source]).data
    assert problems(whole) == []
    for path in places(whole):
        broken = copy.deepcopy(whole)
        container(broken, path)[path[-1]] = [[]]
        strangers = [found for found in problems(broken) if not found[0].startswith(show_path(path[:2]))]
        assert strangers == [], path


@pytest.mark.parametrize("source", SOURCES)
def test_one_misspelt_key_is_one_place(source: str) -> None:
    """Another name of a service, a producer, a fault, a knob or an event is no misspelt key."""
    whole = read_document(SOURCES[source]).data
    free = [("services",), ("producers",), ("faults",), ("knobs",), ("architectures", "rabbitmq", "queues")]
    for path in places(whole):
        if isinstance(path[-1], int) or path[:-1] in free or "publishes" in path[:-1]:
            continue
        broken = copy.deepcopy(whole)
        inside = container(broken, path)
        inside[path[-1] + "x"] = inside.pop(path[-1])
        strangers = [found for found in problems(broken) if not found[0].startswith(show_path(path[:2]))]
        assert strangers == [], path


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("arrivals: 40", "topic: {partitionz: 6}"),
        ("arrivals: 40", "topic: {replication.factor: 1, min.insync.replicas: 2}"),
        ("topic: {partitionz: 6, replication.factor: 1}", "min.insync.replicas: 2"),
        ("arrivals: 40", "queue: {x-qeue-type: quorum}"),
        ("arrivals: 40", "unavailable: paymnt"),
        ("workers: 0", "unavailable: paymnt"),
        ("arrivals: 40", "handles: OrderPlacd"),
        ("work: 30", "client.timeoutt: 1s .. 3s"),
        ("work: 30", "path: client.timeoutt"),
    ],
)
def test_a_mistake_in_a_value_hides_none_in_the_whole(first: str, second: str) -> None:
    values = {"arrivals": "40/s", "work": "30ms", "workers": 1, "handles": "OrderPlaced", "unavailable": "payment"}
    values |= {"topic": "{}", "queue": "{}", "min.insync.replicas": 1, "path": "client.timeout"}
    knob = "client.timeout: 1s .. 3s"
    for mistake in (first, second):
        key, _, value = mistake.partition(": ")
        if key == "client.timeoutt":
            knob = mistake
        elif key == "min.insync.replicas":
            values["topic"] = str(values["topic"]).replace("}", f", {mistake}}}")
        else:
            values[key] = value
    text = f"""
duration: 60s
producers: {{checkout: {{publishes: OrderPlaced, arrivals: {values["arrivals"]}}}}}
services: {{payment: {{handles: {values["handles"]}, work: {values["work"]}, workers: {values["workers"]}}}}}
faults: {{outage: {{unavailable: {values["unavailable"]}, at: 23s}}}}
architectures: {{kafka: {{topic: {values["topic"]}}}, rabbitmq: {{queue: {values["queue"]}}}}}
knobs: {{{knob}}}
changes: [{{at: 20s, path: {values["path"]}, value: 2s}}]
"""
    with pytest.raises(ScenarioError) as refused:
        load(text)
    assert len(refused.value.problems) >= 2, refused.value


def test_a_key_that_is_there_twice_hides_no_other_mistake() -> None:
    with pytest.raises(ScenarioError) as refused:
        load("title: First\nduration: 20\nproducers: {}\ntitle: Second\n")
    assert [(problem.line, problem.path) for problem in refused.value.problems] == [
        (1, "services"), (2, "duration"), (3, "producers"), (4, "title"),
    ]  # fmt: skip
