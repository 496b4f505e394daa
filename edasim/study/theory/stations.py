"""The queues of a scenario in one architecture as theory sees them: what comes, how long it holds, who serves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edasim.architectures.steps import StepOrder
from edasim.scenario.broker_options import resolve
from edasim.scenario.flow import Flow
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario, Service
from edasim.study.theory.holding import (
    NOTHING,
    Moments,
    attempt,
    attempts_of,
    handled_share,
    held,
    mixture,
    transactions,
)
from edasim.study.theory.networks import departure_scv
from edasim.study.theory.partitions import Spread
from edasim.study.theory.streams import Stream, merged, placed

ROUNDS_OF_A_CIRCLE = 3


@dataclass(frozen=True)
class Station:
    """One queue, or several alike, and its servers.

    `coming` is what comes to all of it, attempts that queue again included; `shares` says how it is spread over its
    queues, each of which has `servers` (infinite: as many as are needed); `in_turns` when they are dealt and not drawn.
    `at_work_s` is how long the mean arrival is worked on, `hold` how long it holds a server, waits between attempts
    and commits included. `places` is how many may wait, None without a limit.
    """

    coming: Stream
    hold: Moments
    at_work_s: float
    servers: float
    shares: tuple[float, ...] = (1.0,)
    in_turns: bool = False
    places: int | None = None

    @property
    def queue(self) -> Stream:
        """What comes to the busiest of its queues."""
        return self.coming.in_turns(len(self.shares)) if self.in_turns else self.coming.part(max(self.shares))

    @property
    def load(self) -> float:
        """The share of time for which its busiest server is held; from 1 on, its queue grows without end."""
        return _product(self.queue.per_s, self.hold.mean_s) / self.servers

    @property
    def utilisation(self) -> float:
        """The share of its servers that is at work on average, idle members included; none is more than always busy."""
        if not self.hold.mean_s or not self.coming.per_s:
            return 0.0
        held = (min(1.0, share * self.coming.per_s * self.hold.mean_s / self.servers) for share in self.shares)
        at_work = self.at_work_s / self.hold.mean_s if math.isfinite(self.hold.mean_s) else 1.0
        return min(1.0, math.fsum(held) / len(self.shares) * at_work)


def stations(scenario: Scenario, architecture: str) -> dict[str, Station]:
    """The station of each service, in the order of the file; in the monolith all services share one."""
    return _BUILDERS[architecture](scenario)


def _product(per_s: float, work_s: float) -> float:
    """Nothing to do takes no time, however long it would take."""
    return per_s * work_s if per_s and work_s else 0.0


def policy(scenario: Scenario, service: Service) -> Retry:
    """The retry policy of a service."""
    return service.retry or scenario.retry


def servers_of(service: Service) -> float:
    """The workers of a service; infinite where the file says that there are always enough."""
    return float(service.workers) if isinstance(service.workers, int) else math.inf


def placed_streams(scenario: Scenario) -> dict[str, Stream]:
    """The orders of each event that producers publish."""
    by_event: dict[str, list[Stream]] = {}
    for producer in scenario.producers.values():
        by_event.setdefault(producer.publishes, []).append(placed(scenario, producer.arrivals))
    return {event: merged(streams) for event, streams in by_event.items()}


def event_rates(scenario: Scenario) -> dict[str, float]:
    """Messages of each event per second; what is given up publishes nothing."""
    flow = Flow(scenario, {
        name: handled_share(service, policy(scenario, service)) for name, service in scenario.services.items()})
    rates = dict.fromkeys(flow.events, 0.0)
    for event, stream in placed_streams(scenario).items():
        for caused, number in flow.messages_per_order(event).items() if stream.per_s else ():
            rates[caused] += number * stream.per_s
    return rates


def service_rates(scenario: Scenario) -> dict[str, float]:
    """Messages per second for each service, attempts not counted."""
    rates = event_rates(scenario)
    return {name: sum(rates[event] for event in service.handles) for name, service in scenario.services.items()}


# --- one process ----------------------------------------------------------------------------------------------


def _monolith(scenario: Scenario) -> dict[str, Station]:
    """One pool of threads; an order holds one through all modules, the waits between attempts and the commit."""
    options = scenario.architectures.monolith
    assert options is not None
    own = [servers_of(service) for service in scenario.services.values()]
    threads = float(options.threads) if options.threads else sum(own)
    orders = placed_streams(scenario)
    coming = merged(orders.values())
    reached = reached_shares(scenario)
    holds = transactions(scenario, reached)
    parts = [(_share(stream.per_s, coming.per_s), holds.get(event, NOTHING)) for event, stream in orders.items()]
    hold = mixture(parts).then(Moments.of(scenario.wire.latency("database-commit")))
    rates = service_rates(scenario)
    works = {
        name: _product(
            _share(rates[name], coming.per_s) * reached[name],
            _product(attempts_of(service, policy(scenario, service)), attempt(service).mean_s),
        ) for name, service in scenario.services.items()}
    places = _room(options.queue_limit)
    return {name: Station(coming, hold, works[name], threads, places=places) for name in scenario.services}


def _room(limit: float) -> int | None:
    """How many may wait; None where there is room for all."""
    return None if math.isinf(limit) else int(limit)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def reached_shares(scenario: Scenario) -> dict[str, float]:
    """How often a service has its turn where one caller goes from one to the next and stops at what fails for good."""
    order = StepOrder(scenario)
    rates = service_rates(scenario)
    orders = sum(stream.per_s for stream in placed_streams(scenario).values())
    left, reached = 1.0, {}
    for name in sorted(scenario.services, key=order.rank):
        reached[name] = left
        service = scenario.services[name]
        if service.required:
            failed = 1 - handled_share(service, policy(scenario, service))
            left *= 1 - min(1.0, _share(rates[name], orders)) * failed
    return reached


# --- services that are called ---------------------------------------------------------------------------------


def _rpc(scenario: Scenario) -> dict[str, Station]:
    """A FIFO for each service; an attempt that failed is a further call, so that it queues again."""
    options = scenario.architectures.rpc
    assert options is not None
    reached = reached_shares(scenario)

    def build(name: str, coming: Stream) -> Station:
        service = scenario.services[name]
        attempts = attempts_of(service, policy(scenario, service))
        work = attempt(service)
        return Station(coming.times(attempts), work, work.mean_s, servers_of(service),
                       places=_room(options.queue_limit))

    if options.calls == "parallel":
        return _followed(scenario, build)
    found: dict[str, Station] = {}
    rates = service_rates(scenario)
    coming = merged(placed_streams(scenario).values())
    for name in sorted(scenario.services, key=StepOrder(scenario).rank):
        wanted = rates[name] * reached[name]
        fewer = wanted <= coming.per_s
        coming = coming.part(_share(wanted, coming.per_s)) if fewer else Stream(wanted, coming.scv, "G")
        found[name] = build(name, coming)
        if wanted:
            coming = replace(leaves(found[name]), per_s=wanted)
    return {name: found[name] for name in scenario.services}


def leaves(station: Station) -> Stream:
    """What leaves a station: Poisson again where Burke's theorem holds, else as irregular as Whitt's formula says."""
    queue = station.queue
    if math.isinf(station.servers) and queue.poisson or queue.poisson and station.hold.exponential:
        return station.coming
    if math.isinf(station.servers):
        return replace(station.coming, letter="G", batch=1)
    # What is dealt in turns leaves about as from one queue with as many servers.
    servers, scv = (len(station.shares), station.coming.scv) if station.in_turns else (int(station.servers), queue.scv)
    scv = departure_scv(station.load, servers, (scv, min(station.hold.scv, 1e6)))
    return Stream(station.coming.per_s, scv, "G")


def _followed(scenario: Scenario, build: Callable[[str, Stream], Station]) -> dict[str, Station]:
    """Level by level: a service gets what producers and the services before it publish."""
    order, orders = StepOrder(scenario), placed_streams(scenario)
    handled = {name: handled_share(one, policy(scenario, one)) for name, one in scenario.services.items()}
    rates = service_rates(scenario)
    found: dict[str, Station] = {}
    for _ in range(ROUNDS_OF_A_CIRCLE):
        in_a_circle = False
        for name in sorted(scenario.services, key=order.rank):
            service = scenario.services[name]
            streams = [orders[event] for event in service.handles if event in orders]
            for other, publisher in scenario.services.items():
                share = sum(one.share for one in publisher.publishes if one.event in service.handles)
                in_a_circle |= share > 0 and other not in found
                if share and other in found:
                    done = replace(leaves(found[other]), per_s=rates[other] * handled[other])
                    streams.append(done.part(share) if share <= 1 else done.times(share))
            found[name] = build(name, replace(merged(streams), per_s=rates[name]))
        if not in_a_circle:
            break
    return {name: found[name] for name in scenario.services}


# --- brokers --------------------------------------------------------------------------------------------------


def _at_broker(scenario: Scenario, name: str, coming: Stream) -> tuple[Stream, Moments, float]:
    """What comes to a consumer's queue, how long it holds a worker, and how long it is worked on."""
    service = scenario.services[name]
    retry = policy(scenario, service)
    attempts, work = attempts_of(service, retry), attempt(service)
    if retry.where == "worker":
        return coming, held(service, retry), _product(attempts, work.mean_s)
    return coming.times(attempts), work, work.mean_s


def _rabbitmq(scenario: Scenario) -> dict[str, Station]:
    """A queue for each service; with a prefetch above 1 it is dealt to the consumers in turns before they are free."""
    options = scenario.architectures.rabbitmq
    assert options is not None
    pooled = options.prefetch == 1 and not options.auto_ack

    def build(name: str, coming: Stream) -> Station:
        servers = servers_of(scenario.services[name])
        given = {**options.queue, **options.queues.get(name, {})}
        arguments = resolve("rabbitmq queue", options.version, given)
        places = arguments["x-max-length"] if arguments["x-overflow"] == "reject-publish" else None
        whole = Station(*_at_broker(scenario, name, coming), servers, places=places)
        if pooled or servers == 1 or math.isinf(servers) or whole.load >= 1:
            return whole
        return replace(whole, servers=1.0, shares=(1 / servers,) * int(servers), in_turns=True)

    return _followed(scenario, build)


def _kafka(scenario: Scenario) -> dict[str, Station]:
    """Partitions, each read by one member: a queue for each member, however idle the others are."""
    options = scenario.architectures.kafka
    assert options is not None
    topic = resolve("kafka topic", options.version, options.topic)
    consumer = resolve("kafka consumer", options.version, options.consumer)
    spread = Spread(scenario, int(topic["partitions"]), consumer["partition.assignment.strategy"][0])
    rates = event_rates(scenario)

    def build(name: str, coming: Stream) -> Station:
        stream, hold, at_work_s = _at_broker(scenario, name, coming)
        servers = servers_of(scenario.services[name])
        if math.isinf(servers):
            return Station(stream, hold, at_work_s, servers)
        return Station(stream, hold, at_work_s, 1.0, spread.member_shares(name, rates))

    return _followed(scenario, build)


_BUILDERS: Mapping[str, Callable[[Scenario], dict[str, Station]]] = {
    "monolith": _monolith, "rpc": _rpc, "kafka": _kafka, "rabbitmq": _rabbitmq,
}
