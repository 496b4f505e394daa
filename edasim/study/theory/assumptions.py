"""Which assumptions of the closest model a scenario breaks, in plain words, the weightiest first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from edasim.core.arrival_process import Times
from edasim.core.intensity import Poisson
from edasim.core.quantity import SECOND_NS, show_duration, show_share
from edasim.core.rate_curve import Varying
from edasim.scenario.architecture_options import MonolithOptions, RpcOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.fault import Fault
from edasim.scenario.fault_checking import is_node
from edasim.scenario.value import Scenario
from edasim.study.focus import fault_windows, fault_words, spaced
from edasim.study.theory.models import Prediction
from edasim.study.theory.networks import settling_s
from edasim.study.theory.stations import Station, policy, reached_shares
from edasim.study.theory.unknown import unknown_options
from edasim.study.words import counted, seconds_short

_FORGOTTEN = 3
_SHORT = 0.02
_SELDOM = 0.001
REPLICA = ".replica-"
_ROUGH_SCV = 5.0
_PARTS = ("broker", "database", "gateway")
_PART_OF = {"monolith": ("database",), "rpc": ("gateway",), "kafka": ("broker",), "rabbitmq": ("broker",)}


@dataclass(frozen=True)
class Spot:
    """One service in one architecture, with its station and what theory predicts there."""

    scenario: Scenario
    architecture: str
    service: str
    station: Station
    prediction: Prediction


class Reason(NamedTuple):
    """A broken assumption as the end of a sentence that begins with `because`; the weightiest have the lowest rank."""

    rank: int
    text: str


def broken(spot: Spot) -> tuple[Reason, ...]:
    """What the model leaves out or does not know, the weightiest first."""
    return tuple(dict.fromkeys(
        Reason(rank, text) for rank, check in enumerate(_CHECKS) for text in check(spot)))


def _overload(spot: Spot) -> Iterator[str]:
    if spot.prediction.load >= 1 and math.isinf(spot.prediction.wait_s):
        yield "with a load over 100% there is no steady state, and the wait grows for as long as orders come"


def _faults(spot: Spot) -> Iterator[str]:
    windows = {text: (start_s, end_s) for start_s, end_s, text in fault_windows(spot.scenario)}
    for fault in spot.scenario.faults.values():
        if not concerns(spot, fault):
            continue
        words = fault_words(fault)
        start_s, end_s = windows.get(words, (None, None))
        if start_s is None or end_s is None or math.isinf(end_s):
            yield words
        else:
            yield f"{fault.words} from {start_s:g} s to {end_s:g} s"


def concerns(spot: Spot, fault: Fault) -> bool:
    """Whether a fault reaches a service: its own, one before it, or a part or link that its messages pass."""
    if is_node(spot.scenario, fault.target):
        return spot.architecture == "kafka"
    here = _PART_OF[spot.architecture]
    ends = set(fault.link[:2]) if fault.link else {fault.target.partition(REPLICA)[0]}
    if spot.architecture == "monolith":
        return fault.link is None and bool(ends & {"database", *spot.scenario.services})
    if ends & set(here):
        others = ends - set(here)
        return not others or bool(others & upstream(spot.scenario, spot.service)) or spot.architecture == "rpc"
    if ends & set(_PARTS):
        return False
    if spot.architecture == "rpc":
        return fault.link is None
    return bool(ends & upstream(spot.scenario, spot.service))


def upstream(scenario: Scenario, service: str) -> set[str]:
    """The service, its producers, and all services whose events lead to it."""
    found = {service}
    while True:
        events = {event for name in found if name in scenario.services for event in scenario.services[name].handles}
        more = {name for name, other in scenario.services.items()
                if any(one.event in events for one in other.publishes)}
        more |= {name for name, producer in scenario.producers.items() if producer.publishes in events}
        if more <= found:
            return found
        found |= more


def _arrivals(spot: Spot) -> Iterator[str]:
    before = upstream(spot.scenario, spot.service)
    for name, producer in spot.scenario.producers.items():
        arrivals = producer.arrivals
        if name not in before and spot.architecture != "monolith":
            continue
        if isinstance(arrivals, Varying) and not isinstance(arrivals, Poisson):
            yield f"arrivals change over time ({arrivals.text})"
        elif isinstance(arrivals, Times):
            yield "orders come at written times"


def _changes(spot: Spot) -> Iterator[str]:
    scenario = spot.scenario
    for change in scenario.changes:
        yield f"{change.path} changes at {_seconds(change.at_ns)}"
    service = scenario.services[spot.service]
    if service.joins and spot.architecture in ("kafka", "rabbitmq"):
        yield f"{spot.service} joins at {_seconds(service.joins)}"
    if service.redrive is not None and spot.architecture in ("kafka", "rabbitmq"):
        yield f"dead letters come back from {_seconds(service.redrive.at)} on"


def _seconds(length_ns: int) -> str:
    return spaced(show_duration(length_ns))


def _warm_up(spot: Spot) -> Iterator[str]:
    scenario, station = spot.scenario, spot.station
    load = spot.prediction.load
    if scenario.duration is None or load >= 1 or math.isinf(station.servers):
        return
    scvs = (station.queue.scv, min(station.hold.scv, 1e9))
    settles_s = settling_s(load, station.hold.mean_s, int(station.servers), scvs)
    span_s, warm_up_s = (scenario.duration - scenario.warm_up) / SECOND_NS, scenario.warm_up / SECOND_NS
    if warm_up_s < _FORGOTTEN * settles_s and settles_s > _SHORT * span_s:
        needed = seconds_short(_FORGOTTEN * settles_s)
        yield f"the run begins empty: a load of {load:.0%} needs a warm-up of about {needed}"


def _retries(spot: Spot) -> Iterator[str]:
    service = spot.scenario.services[spot.service]
    retry = policy(spot.scenario, service)
    if not (service.fails or service.poison) or retry.attempts == 1:
        return
    if spot.architecture == "kafka" and retry.where == "aside":
        yield "messages that wait aside for another attempt count as waiting"
    if spot.architecture in ("kafka", "rabbitmq") and retry.where != "worker":
        yield f"failed messages come back later ({retry.where}) and not at random"
    if retry.jitter == "decorrelated" and spot.architecture != "rpc":
        yield "with decorrelated jitter a wait hangs on the one before"
    if spot.architecture == "rpc" and retry.backoff.first_ns and service.work.mean_s:
        yield "failed calls come again after a backoff and not at random"


def _customers(spot: Spot) -> Iterator[str]:
    client = spot.scenario.client
    refused = client.timeout is not None or (spot.prediction.refused > _SELDOM and spot.architecture != "rabbitmq")
    if client.retries and refused:
        budget = ", as far as their budget lasts" if client.budget is not None else ""
        yield f"customers who were refused try again ({counted(client.retries, 'time')} at most{budget})"
    options = getattr(spot.scenario.architectures, spot.architecture)
    if isinstance(options, (MonolithOptions, RpcOptions)) and options.cancels and client.timeout is not None:
        yield f"work whose customer has left after {_seconds(client.timeout)} is dropped"
    if isinstance(options, RpcOptions) and options.timeout is not None:
        yield f"a call without an answer after {_seconds(options.timeout)} is given up or made again"


def _refusals(spot: Spot) -> Iterator[str]:
    """What follows where lines of calls have little room."""
    options = spot.scenario.architectures.rpc
    if spot.architecture != "rpc" or options is None or math.isinf(options.queue_limit):
        return
    attempts = policy(spot.scenario, spot.scenario.services[spot.service]).attempts
    if spot.prediction.refused > _SELDOM and attempts != 1:
        most = "without end" if attempts is None else f"{attempts} attempts at most"
        yield f"calls that find no place are made again ({most}), so that more come"
    if upstream(spot.scenario, spot.service) & set(spot.scenario.services) - {spot.service}:
        yield f"calls that find {options.queue_limit:.0f} waiting are refused, and then their orders go no further"


def _guards(spot: Spot) -> Iterator[str]:
    """Breakers keep away what the model lets come, budgets what it lets come again."""
    scenario = spot.scenario
    options = scenario.architectures.rpc if spot.architecture == "rpc" else None
    others = bool(scenario.faults) or spot.prediction.refused > 0 or options is not None and (
        options.timeout is not None or math.isfinite(options.queue_limit))
    for name in scenario.services if spot.architecture == "monolith" else sorted(
            upstream(scenario, spot.service) & set(scenario.services)):
        service = scenario.services[name]
        if service.breaker is not None and (service.fails or service.poison or others):
            yield f"while the breaker of {name} is open nothing comes ({service.breaker.words})"
    service = scenario.services[spot.service]
    retry = policy(scenario, service)
    if retry.budget is not None and retry.attempts != 1 and (service.fails or service.poison or others):
        share = show_share(retry.budget.earns)
        yield f"a budget bounds retries to {share} of what succeeds, so that there may be fewer of them"


def _cores(spot: Spot) -> Iterator[str]:
    station = spot.station
    if not station.sharing:
        return
    if math.isnan(spot.prediction.wait_s):
        cores = counted(int(station.cores), "core")
        yield f"{station.busy:.0f} workers with queues of their own share {cores}, for which there is no closed form"
    if any(one.store is not None for one in spot.scenario.services.values()):
        yield "who waits for a store counts as at work and uses no core"


def _monolith(spot: Spot) -> Iterator[str]:
    if spot.architecture == "monolith" and min(reached_shares(spot.scenario).values(), default=1.0) < 1:
        yield "an order that fails for good leaves its thread early"


def _wait_s(spot: Spot) -> float:
    """What theory says, as a number to reckon with."""
    return 0.0 if math.isnan(spot.prediction.wait_s) else min(spot.prediction.wait_s, 1e9)


def _gateway(spot: Spot) -> Iterator[str]:
    options = spot.scenario.architectures.rpc
    if spot.architecture != "rpc" or options is None:
        return
    inside = spot.prediction.per_s * (_wait_s(spot) + spot.station.hold.mean_s)
    if inside > options.open_requests / 2:
        yield f"no more than {options.open_requests} requests are open, so orders wait before the gateway as well"
    if options.calls == "parallel" and len(upstream(spot.scenario, spot.service)) > 1 + len(spot.scenario.producers):
        yield "a level of calls begins when the slowest of the one before has ended"


def _rabbitmq(spot: Spot) -> Iterator[str]:
    options = spot.scenario.architectures.rabbitmq
    if spot.architecture != "rabbitmq" or options is None:
        return
    given = {**options.queue, **options.queues.get(spot.service, {})}
    arguments = resolve("rabbitmq queue", options.version, given)
    for name in ("x-max-length", "x-max-length-bytes", "x-message-ttl"):
        if given.get(name) is not None and not (name == "x-max-length" and spot.station.bounded):
            yield f"the queue is bounded ({name} {arguments[name]})"
    prefetch = options.prefetch
    station = spot.station
    if prefetch is None or options.auto_ack or station.unlimited or station.servers * len(station.shares) == 1:
        return
    at_one = spot.station.queue.per_s * _wait_s(spot) + spot.station.load
    if prefetch > 1 and (at_one > prefetch / 2 or not spot.station.in_turns):
        yield f"a prefetch of {prefetch} is used up at times, and then messages wait in one queue for all"


def _kafka(spot: Spot) -> Iterator[str]:
    options = spot.scenario.architectures.kafka
    if spot.architecture != "kafka" or options is None:
        return
    producer = resolve("kafka producer", options.version, options.producer)
    consumer = resolve("kafka consumer", options.version, options.consumer)
    sticky = not options.key or any(one.keys.kind == "none" for one in spot.scenario.producers.values())
    if sticky and len(spot.station.shares) > 1:
        yield f"records without a key go to one partition until {producer['batch.size']} bytes are there"
    if producer["linger.ms"]:
        yield f"records of {producer['linger.ms']} ms come together (linger.ms)"
    if consumer["fetch.min.bytes"] > 1:
        yield f"a fetch waits for {consumer['fetch.min.bytes']} bytes (fetch.min.bytes)"
    if options.commit == "transaction":
        yield "a worker is idle while it ends a transaction, after each poll"
        if any(spot.service != name and service.publishes and set(spot.scenario.services[spot.service].handles)
               & {one.event for one in service.publishes} for name, service in spot.scenario.services.items()):
            yield "what services publish comes together, when their transactions end"


def _wire(spot: Spot) -> Iterator[str]:
    wire = spot.scenario.wire
    if wire.loss:
        yield f"the wire loses {show_share(wire.loss)} of the messages"
    if wire.duplicates:
        yield f"the wire repeats {show_share(wire.duplicates)} of the messages"
    added_s = wire_s(spot.scenario, spot.architecture)
    if added_s:
        idle = "" if spot.architecture == "kafka" or not _one_at_a_time(spot) else ", during which its worker is idle"
        yield f"the wire adds about {seconds_short(added_s)}{idle}"


def _one_at_a_time(spot: Spot) -> bool:
    options = spot.scenario.architectures.rabbitmq
    return options is not None and options.prefetch == 1


def wire_s(scenario: Scenario, architecture: str) -> float:
    """What the wire adds to a wait on average, from where a message is available to where its worker is, in seconds."""
    if architecture not in ("kafka", "rabbitmq"):
        return 0.0
    hop_s = scenario.wire.latency("broker-to-consumer").mean_s
    options = scenario.architectures.kafka
    if architecture == "rabbitmq" or options is None:
        return hop_s
    # A record can be read when the slowest follower has it; the mean of one is a little too low for that.
    replicas = resolve("kafka topic", options.version, options.topic)["replication.factor"]
    return hop_s + (2 * scenario.wire.latency("broker-to-broker").mean_s if replicas > 1 else 0.0)


def _formula(spot: Spot) -> Iterator[str]:
    prediction, station = spot.prediction, spot.station
    if prediction.exact or math.isnan(prediction.wait_s):
        return
    if station.hold.scv > _ROUGH_SCV:
        times = "without bound" if math.isinf(station.hold.scv) else f"so much (C^2 = {station.hold.scv:.0f})"
        yield f"{prediction.law} is an approximation, and rough where times vary {times}"
    elif not station.coming.poisson:
        yield f"messages do not come at random, so {prediction.law} is an approximation"
    else:
        yield f"{prediction.law} is an approximation"


def _unknown(spot: Spot) -> Iterator[str]:
    yield from unknown_options(spot.scenario, spot.architecture, spot.service)


_CHECKS = (
    _overload, _arrivals, _faults, _changes, _unknown, _cores, _guards, _refusals, _warm_up, _retries, _customers,
    _rabbitmq, _gateway, _kafka,
    _wire, _monolith, _formula,
)
