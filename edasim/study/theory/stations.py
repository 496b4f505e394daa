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
    attempts_of,
    handled_share,
    held,
    mixture,
    transactions,
    written,
)
from edasim.study.theory.networks import departure_scv
from edasim.study.theory.partitions import Spread
from edasim.study.theory.priorities import Urgency, urgencies
from edasim.study.theory.streams import Stream, merged, placed

ROUNDS_OF_A_CIRCLE = 3


@dataclass(frozen=True)
class Station:
    """One queue, or several alike, and its servers.

    `coming` is what comes to all of it, attempts that queue again included; `shares` says how it is spread over its
    queues, each of which has `servers` (infinite: as many as are needed); `in_turns` when they are dealt and not
    drawn. `at_work_s` is how long the mean arrival is worked on, `hold` how long it holds a server, waits between
    attempts and commits included. `places` is how many may wait, None without a limit. `core_s` of the hold are work
    on one of the `cores` that its servers share, `own_core_s` that of the service itself. `urgencies` are the classes
    of what comes, the most urgent first, where it is served so; `unlimited` when a worker is there for each message,
    so that no share of them is at work.
    """

    coming: Stream
    hold: Moments
    at_work_s: float
    servers: float
    shares: tuple[float, ...] = (1.0,)
    in_turns: bool = False
    places: int | None = None
    cores: float = math.inf
    core_s: float = 0.0
    own_core_s: float = 0.0
    urgencies: tuple[Urgency, ...] = ()
    unlimited: bool = False

    @property
    def busy(self) -> float:
        """How many servers can be at work at one time: those to whom anything comes."""
        return self.servers * max(1, sum(share > 0 for share in self.shares))

    @property
    def sharing(self) -> bool:
        """Whether servers who are at work share fewer cores."""
        return self.cores < self.busy and self.core_s > 0

    @property
    def queue(self) -> Stream:
        """What comes to the busiest of its queues."""
        return self.coming.in_turns(len(self.shares)) if self.in_turns else self.coming.part(max(self.shares))

    @property
    def bounded(self) -> bool:
        """Whether it is one queue that refuses whoever finds no place."""
        return self.places is not None and math.isfinite(self.servers) and len(self.shares) == 1

    @property
    def load(self) -> float:
        """The share of time for which its busiest server is held, or all cores; from 1 on, its queue grows without end.
        """
        held = product(self.queue.per_s, self.hold.mean_s) / self.servers
        return max(held, product(self.coming.per_s, self.core_s) / self.cores)

    @property
    def at_work(self) -> float:
        """How many of its servers are at work on average, were none of them slowed down by others."""
        if not self.hold.mean_s or not self.coming.per_s:
            return 0.0
        part = self.at_work_s / self.hold.mean_s if math.isfinite(self.hold.mean_s) else 1.0
        if math.isinf(self.servers):
            return self.coming.per_s * self.hold.mean_s * part
        held = (min(self.servers, share * self.coming.per_s * self.hold.mean_s) for share in self.shares)
        return math.fsum(held) * part

    @property
    def utilisation(self) -> float:
        """The share of its servers that is at work on average, idle members included; none is more than always busy.

        Of its cores where these are fewer; not a number where both are unlimited.
        """
        there = min(math.inf if self.unlimited else self.servers * len(self.shares), self.cores)
        if math.isinf(there):
            return math.nan
        if self.sharing and self.load >= 1:
            return min(1.0, self.own_core_s / self.core_s)
        return min(1.0, (product(self.coming.per_s, self.own_core_s) if self.sharing else self.at_work) / there)


def stations(scenario: Scenario, architecture: str) -> dict[str, Station]:
    """The station of each service, in the order of the file; in the monolith all services share one."""
    return _BUILDERS[architecture](scenario)


def product(per_s: float, work_s: float) -> float:
    """Nothing to do takes no time, however long it would take."""
    return per_s * work_s if per_s and work_s else 0.0


def policy(scenario: Scenario, service: Service) -> Retry:
    """The retry policy of a service."""
    return service.retry or scenario.retry


def servers_of(service: Service) -> float:
    """The workers of a service; infinite where the file says that there are always enough."""
    return float(service.workers)


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
    commit = Moments.of(scenario.wire.latency("database-commit"))
    parts = [(_share(stream.per_s, coming.per_s), holds.get(event, NOTHING)) for event, stream in orders.items()]
    hold = mixture(parts).then(commit)
    rates = service_rates(scenario)
    works, cores_s = ({
        name: product(_share(rates[name], coming.per_s) * reached[name], one(scenario, service))
        for name, service in scenario.services.items()} for one in (_at_work_s, _core_s))
    classes = urgencies(scenario, "monolith", "", lambda name: holds.get(
        scenario.producers[name].publishes, NOTHING).then(commit))
    room = None if math.isinf(options.queue_limit) else int(options.queue_limit)
    return {name: Station(
        coming, hold, works[name], threads, places=room, cores=options.cores, core_s=sum(cores_s.values()),
        own_core_s=cores_s[name], urgencies=classes, unlimited=math.isinf(threads)) for name in scenario.services}


def _core_s(scenario: Scenario, service: Service) -> float:
    """The mean work that a message brings, all attempts together."""
    return product(attempts_of(service, policy(scenario, service)), service.work.mean_s)


def _at_work_s(scenario: Scenario, service: Service) -> float:
    """How long its worker counts as at work, the wait for its store included."""
    return _core_s(scenario, service) + written(service, handled_share(service, policy(scenario, service))).mean_s


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
        service, servers = scenario.services[name], servers_of(scenario.services[name])
        attempts, work = _each_attempt(scenario, service)
        room = None if math.isinf(options.queue_limit) else int(options.queue_limit)
        core_s, classes = service.work.mean_s, urgencies(scenario, "rpc", name, lambda _: work)
        return Station(
            coming.times(attempts), work, work.mean_s, servers, places=room, cores=service.cores, core_s=core_s,
            own_core_s=core_s, urgencies=classes, unlimited=math.isinf(servers))

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
    queue, hold = station.queue, station.hold
    endless = math.isinf(station.servers)
    if queue.poisson and (endless or station.places is None and hold.exponential and (
            not station.sharing or len(station.shares) == 1)):
        return station.coming
    if endless:
        return replace(station.coming, letter="G", batch=1)
    # What is dealt in turns leaves about as from one queue with as many servers.
    servers, scv = (len(station.shares), station.coming.scv) if station.in_turns else (int(station.servers), queue.scv)
    scv = departure_scv(station.load, servers, (scv, min(hold.scv, 1e6)))
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


def _each_attempt(scenario: Scenario, service: Service) -> tuple[float, Moments]:
    """How many attempts a message needs, and how long each of them holds a worker where it queues up again for each."""
    retry = policy(scenario, service)
    attempts = attempts_of(service, retry)
    return attempts, Moments.of(service.work).then(written(service, _share(handled_share(service, retry), attempts)))


def _at_broker(scenario: Scenario, name: str, coming: Stream) -> Station:
    """What comes to a consumer's queue, how long it holds a worker, and how long it is worked on."""
    service, servers = scenario.services[name], servers_of(scenario.services[name])
    retry = policy(scenario, service)
    hold, at_work_s, core_s = held(service, retry), _at_work_s(scenario, service), _core_s(scenario, service)
    if retry.where != "worker":
        attempts, hold = _each_attempt(scenario, service)
        coming, at_work_s, core_s = coming.times(attempts), hold.mean_s, service.work.mean_s
    return Station(coming, hold, at_work_s, servers, cores=service.cores, core_s=core_s, own_core_s=core_s,
                   unlimited=math.isinf(servers))


def _rabbitmq(scenario: Scenario) -> dict[str, Station]:
    """A queue for each service; with a prefetch above 1 it is dealt to the consumers in turns before they are free.

    Unlimited workers are one consumer, whose prefetch says how many of them there are at most.
    """
    options = scenario.architectures.rabbitmq
    assert options is not None
    prefetch = math.inf if options.prefetch is None or options.auto_ack else float(options.prefetch)

    def build(name: str, coming: Stream) -> Station:
        given = {**options.queue, **options.queues.get(name, {})}
        arguments = resolve("rabbitmq queue", options.version, given)
        places = arguments["x-max-length"] if arguments["x-overflow"] == "reject-publish" else None
        whole = replace(_at_broker(scenario, name, coming), places=places)
        if whole.unlimited:
            whole = replace(whole, servers=prefetch)
        elif not (prefetch == 1 or whole.servers == 1 or whole.load >= 1):
            return replace(whole, servers=1.0, shares=(1 / whole.servers,) * int(whole.servers), in_turns=True)
        return replace(whole, urgencies=urgencies(scenario, "rabbitmq", name, lambda _: whole.hold))

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
        return replace(_at_broker(scenario, name, coming), servers=1.0, shares=spread.member_shares(name, rates))

    return _followed(scenario, build)


_BUILDERS: Mapping[str, Callable[[Scenario], dict[str, Station]]] = {
    "monolith": _monolith, "rpc": _rpc, "kafka": _kafka, "rabbitmq": _rabbitmq,
}
