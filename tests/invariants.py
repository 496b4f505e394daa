"""What holds for every run of every scenario, whatever it says."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edasim.core.journal import Verb
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_yaml
from edasim.simulate import Run, simulate
from edasim.study.comparison import Comparison, json_text
from edasim.study.description import Description
from edasim.study.observation import observe

CHECKS = ("outcomes", "answers", "attempts", "effects", "losses", "time", "numbers")


def examine(scenario: Scenario, architecture: str, seed: int) -> Run:
    """Run a scenario twice, once as it is read back from YAML, and once more with ties in random order, and hold all
    invariants against it; AssertionError says which one is broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return _examined(scenario, architecture, seed)


def _examined(scenario: Scenario, architecture: str, seed: int) -> Run:
    again = load(to_yaml(scenario))
    assert again == scenario, "round trip: the scenario changes when it is written and read"
    assert Description(scenario, (architecture,)).paragraphs(), "the scenario has no description"
    run = simulate(scenario, architecture, seed)
    second = simulate(again, architecture, seed)
    assert facts(run) == facts(second), "determinism: two runs with one seed have different facts"
    for one in (run, simulate(scenario, architecture, seed, shuffle_ties=seed)):
        for check in CHECKS:
            globals()[f"check_{check}"](one)
    return run


def facts(run: Run) -> bytes:
    """All facts of a run, with the names of their places."""
    return run.facts.times_ns.tobytes() + run.facts.packed.tobytes() + repr(run.places).encode()


def check_outcomes(run: Run) -> None:
    """Every counted order has one outcome."""
    outcomes = run.summary().outcomes
    ended = sum(outcomes[name] for name in ("refused", "done", "parked", "lost", "pending"))
    assert ended == outcomes["placed"], f"outcomes: {outcomes} do not add up"
    assert outcomes["accepted"] + outcomes["refused"] <= outcomes["placed"], f"outcomes: {outcomes}"
    in_warm_up = int((run.facts.times_ns[run.facts.verbs == Verb.placed] < run.scenario.warm_up).sum())
    assert outcomes["placed"] + in_warm_up == int((run.facts.verbs == Verb.placed).sum()), "outcomes: orders vanished"
    if run.quiet:
        assert outcomes["pending"] == 0 and not run.owed, f"outcomes: all is quiet, but {outcomes['pending']} pending"


def check_answers(run: Run) -> None:
    """A customer hears one answer at most, and not before placing the order."""
    placed = dict(_first(run, Verb.placed))
    answered: dict[int, int] = {}
    for verb in (Verb.accepted, Verb.refused):
        for message, time_ns in _each(run, verb):
            assert message not in answered, f"answers: message {message} has two answers"
            answered[message] = time_ns
            assert placed[message] <= time_ns, f"answers: message {message} is answered before it is placed"
    orders = [run.messages[number].order for number in placed]
    assert orders == sorted(set(orders)), "answers: an order is placed twice, or out of its order"


def check_attempts(run: Run) -> None:
    """started = handled + failed + crashed + those under way, which are no more than the workers."""
    for name in run.scenario.services:
        started = _count(run, Verb.started, "worker", name)
        ended = sum(_count(run, verb, "worker", name) for verb in (Verb.handled, Verb.failed, Verb.crashed))
        places = {place.name for place in run.places if place.kind == "worker" and place.service == name}
        assert 0 <= started - ended <= len(places), f"attempts: {name} started {started}, but {ended} ended"
        assert not run.quiet or started == ended or run.architecture == "monolith", f"attempts: {name} is not at rest"


def check_effects(run: Run) -> None:
    """No effect without an attempt that ended well, and none twice from an idempotent service."""
    changed = {change.path.split(".")[1] for change in run.scenario.changes if change.path.endswith(".idempotent")}
    for name, service in run.scenario.services.items():
        applied = _count(run, Verb.applied, "service", name)
        handled = _count(run, Verb.handled, "worker", name)
        assert applied <= handled, f"effects: {name} handled {handled} and has {applied} effects"
        if service.idempotent is True and name not in changed:
            doubled = run.summary().orders.duplicated_effects(name, counted=False)
            assert doubled == 0, f"effects: {name} is idempotent and did {doubled} effects twice"


def check_losses(run: Run) -> None:
    """No accepted order is lost without a cause."""
    lost = run.summary().outcomes["lost"]
    causes = list(causes_of_loss(run.scenario, run.architecture))
    assert not lost or causes, f"losses: {lost} accepted orders are lost, and nothing in the scenario may lose one"


def check_time(run: Run) -> None:
    """Time moves forward and stops where the scenario says."""
    times_ns = run.facts.times_ns
    assert (np.diff(times_ns) >= 0).all(), "time: a fact is older than the one before"
    assert not len(times_ns) or 0 <= times_ns[0] <= times_ns[-1] <= run.end_ns, "time: a fact is out of the run"
    assert run.closed_ns <= run.end_ns <= run.closed_ns + run.scenario.drain, "time: the run ends at a wrong time"
    assert run.scenario.duration is None or run.closed_ns == run.scenario.duration, "time: the doors close wrongly"
    placed_ns = times_ns[run.facts.verbs == Verb.placed]
    assert not len(placed_ns) or placed_ns[-1] <= run.closed_ns, "time: an order is placed after the doors closed"
    assert run.scenario.orders is None or len(placed_ns) <= run.scenario.orders, "time: too many orders are placed"


def check_numbers(run: Run) -> None:
    """None is negative or NaN, only what may never happen is infinite, and JSON holds them all."""
    observation = observe(run)
    for path, value in [*_numbers(observation.numbers), *_numbers(observation.further)]:
        if value is not None:
            assert not math.isnan(value), f"numbers: {path} is no number"
            assert value >= 0 or path.endswith("headroom"), f"numbers: {path} is {value}"
            may_be_infinite = any(word in path for word in ("_s.", "_s", "waiting", "latency"))
            assert math.isfinite(value) or may_be_infinite, f"numbers: {path} is infinite"
    for name, values in observation.curves.items():
        assert np.isfinite(values).all() and (values >= -1e-9).all(), f"numbers: the curve of {name} is wrong"
    for name, numbers in observation.numbers["services"].items():
        busy = numbers["utilisation"]  # of unlimited workers there is no such share
        assert busy is None or busy <= 1 + 1e-9 or _changing(run, name), f"numbers: {name} is at work {busy}"
    json_text(Comparison(run.scenario, run.seed, 1, {run.architecture: [observation]}, {}).as_dict())
    str(run)


def causes_of_loss(scenario: Scenario, architecture: str) -> Iterator[str]:
    """What may lose an accepted order there; nothing else may."""
    # A required service that is reached over one that is not: the order goes on without both.
    yield from (f"{name} is not required, and publishes" for name, service in scenario.services.items()
                if not service.required and service.publishes)
    if architecture in ("monolith", "rpc"):
        return
    faults = list(scenario.faults.values())
    # A service that joins has no queue before, and reads a log from where it then ends.
    yield from (f"{name} joins later" for name, service in scenario.services.items() if service.joins)
    yield from (f"{name} throws away" for name, service in scenario.services.items() if not service.dead_letters)
    kafka, rabbitmq = scenario.architectures.kafka, scenario.architectures.rabbitmq
    breaks = [fault for fault in faults if fault.kind in ("crash", "stop", "unavailable", "cut", "lossy", "deploy")]
    if architecture == "kafka" and kafka is not None:
        producer = kafka.producer
        if producer.get("acks") == "0":
            yield "acks: 0"
        if producer.get("acks") == "1" and (breaks or scenario.wire.loss):
            yield "acks: 1 and a broker that breaks"
        if kafka.topic.get("unclean.leader.election.enable") and breaks:
            yield "unclean elections and a broker that breaks"
        if {"retries", "delivery.timeout.ms"} & set(producer):
            yield "a producer that gives up"
        if kafka.commit == "before":
            yield "offsets committed before the work"
    if architecture == "rabbitmq" and rabbitmq is not None:
        arguments = [rabbitmq.queue, *rabbitmq.queues.values()]
        yield from (f"queues with {name}" for given in arguments for name in _DROPPING & set(given))
        if rabbitmq.auto_ack:
            yield "automatic acknowledgement"
        if not rabbitmq.confirms:
            yield "no confirms"
        if not rabbitmq.persistent and any(fault.target == "broker" for fault in faults):
            yield "messages in memory only, and a broker that breaks"


_DROPPING = {"x-message-ttl", "x-max-length", "x-max-length-bytes", "x-delivery-limit"}


def _changing(run: Run, service: str) -> bool:
    """Whether the number of workers changes: those who leave finish what they have in hands."""
    faults = run.scenario.faults.values()
    return any("workers" in change.path for change in run.scenario.changes) or any(
        fault.target == service and fault.kind in ("stop", "deploy", "crash") for fault in faults)


def _count(run: Run, verb: Verb, kind: str, service: str) -> int:
    wanted = [number for number, place in enumerate(run.places) if place.kind == kind and place.service == service]
    return int(((run.facts.verbs == verb) & np.isin(run.facts.places, wanted)).sum())


def _each(run: Run, verb: Verb) -> Iterator[tuple[int, int]]:
    found = run.facts.only(run.facts.verbs == verb)
    return zip(found.numbers.tolist(), found.times_ns.tolist(), strict=True)


def _first(run: Run, verb: Verb) -> Iterator[tuple[int, int]]:
    seen: set[int] = set()
    for number, time_ns in _each(run, verb):
        if number not in seen:
            seen.add(number)
            yield number, time_ns


def _numbers(node: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float | None]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{before}{key}.")
        elif not isinstance(value, str):
            yield before + key, value
