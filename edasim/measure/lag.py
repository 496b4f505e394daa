"""Lag, as those see it who run a broker: what is not yet settled, in messages and in seconds.

On Kafka it is the distance of a group's committed offsets from the ends of its partitions; on RabbitMQ, over RPC and
in the monolith it is what is in the queue, in the hands of workers included.
"""
from __future__ import annotations

import numpy as np

from edasim.core.journal import Facts, Verb
from edasim.measure.consistency import OldestAge
from edasim.measure.kafka_log import offsets
from edasim.measure.reading import NANO, Reading
from edasim.measure.steps import Floats, Steps

LEAVING = (Verb.acknowledged, Verb.dropped, Verb.expired, Verb.dead_lettered)


def stretches(reading: Reading, service: str) -> tuple[Floats, Floats]:
    """For each entry or record of a service: when it came, and when it was settled (infinite for never)."""
    if reading.run.architecture == "kafka":
        return _records(reading, service)
    queue = "orders" if reading.run.architecture == "monolith" else None

    def of(verb: Verb) -> Facts:
        return reading.of(verb, lambda place: place.kind == "queue" and place.detail != "parking" and (
            place.name == queue or place.service == service))

    here = _paired(of(Verb.routed), [of(verb) for verb in LEAVING])
    before = at_gateway(reading, service)
    return np.concatenate([here[0], before[0]]), np.concatenate([here[1], before[1]])


def at_gateway(reading: Reading, service: str) -> tuple[Floats, Floats]:
    """Over RPC, when an order began and ceased to wait for an open request, if its first event is for this service.

    Who waits at the gateway waits for all the services that handle what the order begins with.
    """
    scenario = reading.run.scenario
    firsts = {producer.publishes for producer in scenario.producers.values()}
    if reading.run.architecture != "rpc" or not firsts & set(scenario.services[service].handles):
        return np.zeros(0), np.zeros(0)

    def of(verb: Verb) -> Facts:
        return reading.of(verb, lambda place: place.name == "gateway")

    return _paired(of(Verb.routed), [of(Verb.delivered), of(Verb.dropped)])


def _paired(came: Facts, left: list[Facts]) -> tuple[Floats, Floats]:
    """When each came, and when it left; infinite for what never did."""
    numbers = np.concatenate([facts.numbers for facts in left])
    times = np.concatenate([facts.times_ns for facts in left])
    # The nth coming of a message is settled by its nth leaving.
    ins = np.lexsort((came.times_ns, came.numbers))
    outs = np.lexsort((times, numbers))
    settled = np.full(len(came), np.inf)
    places = _match(came.numbers[ins], numbers[outs])
    settled[ins[places >= 0]] = times[outs[places[places >= 0]]] * NANO
    return came.times_ns * NANO, settled


def _match(ins: np.ndarray, outs: np.ndarray) -> np.ndarray:
    """For each of the sorted first ones, the index of its partner among the sorted second ones; -1 without."""
    nth = np.arange(len(ins)) - np.searchsorted(ins, ins, side="left")
    place = np.searchsorted(outs, ins, side="left") + nth
    inside = place < np.searchsorted(outs, ins, side="right")
    return np.where(inside, place, -1)


def _records(reading: Reading, service: str) -> tuple[Floats, Floats]:
    run = reading.run
    number = {place.name: index for index, place in enumerate(run.places) if place.kind == "partition"}
    appended = reading.of(Verb.appended)
    committed, jumped = reading.of(Verb.committed, service=service), reading.of(Verb.skipped, service=service)
    starts, ends = [np.zeros(0)], [np.zeros(0)]
    for index, place in enumerate(run.places):
        if place.kind != "group" or place.service != service or " " not in place.name or place.detail:
            continue
        came = appended.times_ns[appended.places == number[place.name.split(" ", 1)[1]]] * NANO
        moves, skipped = committed.only(committed.places == index), jumped.only(jumped.places == index)
        # A record is settled by the first commit beyond its offset.
        where = offsets(reading, number[place.name.split(" ", 1)[1]], len(came))
        passing = np.searchsorted(np.maximum.accumulate(moves.numbers), where, side="right")
        settled = np.concatenate([moves.times_ns * NANO, [np.inf]])[passing]
        first = int(skipped.numbers[0]) if len(skipped) else 0
        mine = where >= first
        starts.append(came[mine])
        ends.append(settled[mine])
    return np.concatenate(starts), np.concatenate(ends)


def lag(reading: Reading, service: str) -> Steps:
    """How many messages are not settled, over time."""
    return Steps.counting(*stretches(reading, service))


def lag_age(reading: Reading, service: str) -> OldestAge:
    """How old the oldest message is that is not settled, over time."""
    return OldestAge(*stretches(reading, service))
