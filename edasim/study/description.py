"""A scenario told in plain words: who publishes, who handles, load against capacity, what breaks, how it is wired."""

from __future__ import annotations

from typing import Any

from edasim.core.quantity import SECOND_NS, show_duration, show_share
from edasim.scenario.architecture_options import KafkaOptions, MonolithOptions, RabbitOptions, RpcOptions
from edasim.scenario.broker_options import fidelity_notes, resolve
from edasim.scenario.deduplication import Memory
from edasim.scenario.fault import Fault
from edasim.scenario.fault_checking import is_node
from edasim.scenario.retry_policy import Budget, Retry
from edasim.scenario.sharing import unused
from edasim.scenario.store import Store
from edasim.scenario.value import Scenario, Service
from edasim.simulate import BUILDERS
from edasim.study.focus import fault_words, spaced, span_s
from edasim.study.load import Load, loads
from edasim.study.theory.overload import warnings
from edasim.study.words import capitalised, counted, display, grouped, listed, many, seconds_short

_PARTS = ("broker", "database", "gateway")
_WHY = {
    ("monolith", "cores"): ": the cores of the process hold",
    ("kafka", "priority"): ": a partition is read in its order",
    ("rabbitmq", "priority"): ": no queue has priorities (x-max-priority, or a quorum queue since 4.0)",
    ("monolith", "priority"): ": the line is served first come, first served (discipline: fifo)",
    ("rpc", "priority"): ": lines are served first come, first served (discipline: fifo)",
}
_WHERE = {"worker": "the worker waits for it", "back": "it goes to the tail", "aside": "it waits aside"}


class Description:
    """The words of a scenario in some of its architectures."""

    def __init__(self, scenario: Scenario, architectures: tuple[str, ...]) -> None:
        self.scenario = scenario
        self.architectures = architectures
        self.loads = loads(scenario)

    def paragraphs(self) -> list[str]:
        """Everything, a paragraph for each theme."""
        faults = [f"{capitalised(self.fault(name))}." for name in self.scenario.faults]
        return [
            f"{self.scenario.title}. {self.scenario.description}".rstrip(),
            " ".join([self.time(), *map(self.producer, self.scenario.producers)]),
            "\n".join(self.service(name) for name in self.scenario.services),
            f"{self.customer()} {retry_words(self.scenario.retry)}",
            " ".join(faults) or "Nothing breaks.",
            *self.overload(),
            *(self.wiring(architecture) for architecture in self.architectures),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The same for programs: words, and the numbers of the load (None where infinite)."""
        scenario = self.scenario
        return {
            "scenario": scenario.title,
            "orders": self.orders(),
            "producers": {name: self.producer(name) for name in scenario.producers},
            "services": {name: self._service_node(name) for name in scenario.services},
            "overload": warnings(scenario, self.architectures),
            "faults": {name: self.fault(name) for name in scenario.faults},
            "architectures": {
                name: {
                    "wiring": self.wiring(name),
                    "notes": notes(scenario, name),
                    "not_applicable": self.missing(name),
                }
                for name in self.architectures
            },
        }

    def _service_node(self, name: str) -> dict[str, Any]:
        load = self.loads[name]
        return {
            "words": self.service(name),
            "messages_per_s": _finite(load.per_s),
            "workers_needed": _finite(load.needed),
            "workers_needed_at_peak": _finite(load.peak_needed),
            "workers": _finite(load.workers),
        }

    # --- sentences --------------------------------------------------------------------------------------------

    def orders(self) -> int:
        """About how many orders are placed."""
        if self.scenario.orders is not None:
            return self.scenario.orders
        arrivals = [producer.arrivals for producer in self.scenario.producers.values()]
        return round(sum(one.expected(0.0, span_s(self.scenario)) for one in arrivals))

    def time(self) -> str:
        """How long, and how many."""
        scenario = self.scenario
        length = f"for {_duration(scenario.duration)}" if scenario.duration is not None else "until there are enough"
        warm_up = f"; those of the first {_duration(scenario.warm_up)} are not counted" if scenario.warm_up else ""
        return f"About {grouped(self.orders())} orders are placed {length}{warm_up}."

    def producer(self, name: str) -> str:
        """What a producer does."""
        producer = self.scenario.producers[name]
        keys = "" if producer.keys.text == "each order" else f", with the key {producer.key} ({producer.keys.text})"
        priority = "" if producer.priority is None else f", with priority {producer.priority}"
        return f"{name} publishes {producer.publishes} ({producer.arrivals.text}){keys}{priority}."

    def service(self, name: str) -> str:
        """What a service does, and its load against its capacity."""
        service = self.scenario.services[name]
        extras = [text for text in _extras(service) if text]
        return (
            f"{name} handles {listed(service.handles)} in {service.work.text}: {load_words(self.loads[name])}"
            f"{'; ' + '; '.join(extras) if extras else ''}."
        )

    def customer(self) -> str:
        """How patient a customer is."""
        client = self.scenario.client
        waits = (
            "waits for ever" if client.timeout is None else f"leaves after {_duration(client.timeout)} without answer"
        )
        often = "once more" if client.retries == 1 else f"{client.retries} more times"
        again = f"tries {often}" if client.retries else "does not try again"
        if client.retries and client.budget:
            again = f"{again} at most: {budget_words(client.budget)}"
        return f"A customer {waits} and {again}."

    def fault(self, name: str) -> str:
        """What breaks, and when."""
        fault = self.scenario.faults[name]
        when = f"from {_duration(fault.at)} on" if fault.at is not None else f"after every {fault.every}"
        return f"{name}: {fault_words(fault)}, {when}{self._piles_up(fault)}"

    def _piles_up(self, fault: Fault) -> str:
        """What an outage leaves behind, where that can be said beforehand."""
        load = self.loads.get(fault.target)
        length_ns = fault.for_.constant_ns if fault.for_ is not None else None
        if load is None or length_ns is None or fault.kind not in ("unavailable", "crash", "stop"):
            return ""
        waiting = load.per_s * length_ns / SECOND_NS
        spare = (load.workers - load.needed) / load.needed * load.per_s if load.needed else 0.0
        text = f"; by its end about {grouped(waiting)} messages wait for {fault.target}"
        if not 0 < spare < float("inf"):
            return text
        return f"{text}, and it takes about {seconds_short(waiting / spare)} to work them off"

    def overload(self) -> list[str]:
        """Who has more to do than they can in some architecture, or nearly so, in one paragraph; none for nobody."""
        sentences = warnings(self.scenario, self.architectures)
        return ["\n".join(f"{capitalised(sentence)}." for sentence in sentences)] if sentences else []

    def missing(self, architecture: str) -> list[str]:
        """The faults on parts that an architecture lacks."""
        parts: frozenset[str] = BUILDERS[architecture].parts  # type: ignore[attr-defined]
        faults = self.scenario.faults.items()
        lacking = [name for name, fault in faults if fault.target in _PARTS and fault.target not in parts]
        nodes = [name for name, fault in faults if architecture != "kafka" and is_node(self.scenario, fault.target)]
        return lacking + nodes

    def wiring(self, architecture: str) -> str:
        """How the scenario is built in an architecture, with what of it is not modelled."""
        options = getattr(self.scenario.architectures, architecture)
        words = _WIRING[architecture](self.scenario, options)
        found = [f"{name} is {note}" for name, note in notes(self.scenario, architecture).items()]
        missing = [f"fault {name} is not applicable here" for name in self.missing(architecture)]
        missing += [_without_effect(what, architecture) for what in unused(self.scenario, architecture)]
        more = [*(f"{text}." for text in found), *(f"{capitalised(text)}." for text in missing)]
        return " ".join([f"{display(architecture)}: {words}", *more])


def _without_effect(what: str, architecture: str) -> str:
    """Why something that the scenario says, such as `cores of payment`, has no effect in an architecture."""
    kind = what.split()[0]
    verb = "have" if kind == "cores" else "has"
    return f"{what} {verb} no effect here{_WHY[architecture, kind]}"


def load_words(load: Load) -> str:
    """`needs 1.2 workers and has 3`, and what follows when that is not enough."""
    what = "core" if load.shared else "worker"
    if load.needed == float("inf"):
        return f"no number of {what}s is enough, and it has {many(load.workers)}"
    if load.workers == float("inf"):
        return f"keeps {load.needed:.2g} of its unlimited workers at work"
    words = (
        f"needs {load.needed:.2g} {what}s and has {many(load.workers)}"
        if load.workers != 1
        else (f"needs {load.needed:.2g} of its {counted(load.workers, what)}")
    )
    if load.utilisation >= 1:
        return f"{words}, so its backlog grows for as long as orders come"
    if load.peak_needed >= load.workers:
        return f"{words}; at the busiest time it needs {load.peak_needed:.2g}, and its backlog grows"
    return words


def store_words(store: Store) -> str:
    """Where a service keeps its state, and who is waited for."""
    copies = counted(store.replicas, "replica")
    waits = f"waits for {store.write_quorum}" if store.write_quorum else "waits for none"
    sent = "a write" if store.replication == "all" else "a write goes to no more than it waits for, and"
    replies = "reply" if store.read_quorum == 1 else f"{store.read_quorum} replies"
    return f"keeps its state on {copies}: {sent} {waits}, a read takes the first {replies}"


def retry_words(retry: Retry) -> str:
    """What follows a failed attempt."""
    if retry.attempts == 1:
        return "A failed attempt is not repeated."
    most = "without limit" if retry.attempts is None else f"up to {retry.attempts} attempts in all"
    backoff = retry.backoff.text
    wait = "at once" if backoff == "none" else f"after a backoff ({backoff}, jitter {retry.jitter})"
    paid = f"; {budget_words(retry.budget)}" if retry.budget else ""
    return f"A failed attempt is repeated {wait}, {most}; {_WHERE[retry.where]}{paid}."


def budget_words(budget: Budget) -> str:
    """What retries cost."""
    earned = show_share(budget.earns)
    return f"each success earns {earned} of a retry; at most {budget.cap:,} of them are saved up"


def notes(scenario: Scenario, architecture: str) -> dict[str, str]:
    """The broker options that the scenario names and that are not modelled in full: {name: status and reason}."""
    options = getattr(scenario.architectures, architecture)
    found: dict[str, str] = {}
    if isinstance(options, KafkaOptions):
        for section in ("topic", "producer", "consumer", "broker"):
            found |= fidelity_notes(f"kafka {section}", getattr(options, section))
    if isinstance(options, RabbitOptions):
        for given in (options.queue, *options.queues.values()):
            found |= fidelity_notes("rabbitmq queue", given)
    return found


def _extras(service: Service) -> list[str]:
    shares = [f"{publication.event} ({show_share(publication.share)})" for publication in service.publishes]
    published = shares if service.publishes_one_of else [publication.event for publication in service.publishes]
    return [
        f"{show_share(service.fails)} of its attempts fail" if service.fails else "",
        f"{show_share(service.poison)} of its messages are poison" if service.poison else "",
        f"publishes {listed(published)}" if published else "",
        "" if service.required else "an order is done without it",
        _idempotence(service.idempotent),
        service.breaker.words if service.breaker else "",
        f"its workers share {counted(service.cores, 'core')}" if service.cores != float("inf") else "",
        f"joins after {_duration(service.joins)}" if service.joins else "",
        store_words(service.store) if service.store else "",
        retry_words(service.retry).rstrip(".").replace("A failed", "a failed") if service.retry else "",
    ]


def _idempotence(idempotent: bool | Memory) -> str:
    if isinstance(idempotent, Memory):
        return f"handling a message twice does no harm while it remembers it ({idempotent.words})"
    return "handling a message twice does no harm" if idempotent else ""


def _monolith(scenario: Scenario, options: MonolithOptions) -> str:
    threads = options.threads or sum(service.workers for service in scenario.services.values())
    return (
        f"one process with {many(threads)} threads and one database; an order holds a thread through all modules, "
        f"and its effects exist at the commit. A yes means done.{_shared_cores(scenario, options)}"
        f"{_line_words(options, 'orders', 'for a thread')}"
    )


def _shared_cores(scenario: Scenario, options: MonolithOptions) -> str:
    """The cores of the one process against what all modules need."""
    if options.cores == float("inf"):
        return ""
    needed = sum(load.needed for load in loads(scenario).values())
    words = f" All threads at work share {counted(options.cores, 'core')}, and need {needed:.2g}"
    return f"{words}, so its backlog grows for as long as orders come." if needed >= options.cores else f"{words}."


def _line_words(options: MonolithOptions | RpcOptions, who: str, where: str) -> str:
    """How long lines may be, and who is served first."""
    limit = options.queue_limit
    room = "" if limit == float("inf") else f" At most {grouped(limit)} {who} wait {where}, more are refused at once."
    return room + (" The highest priority comes first." if options.discipline == "priority" else "")


def _rpc(scenario: Scenario, options: RpcOptions) -> str:
    way = "one after another" if options.calls == "sequential" else "level by level, in parallel"
    return (
        f"a gateway calls the {len(scenario.services)} services {way}, with {options.open_requests} open requests "
        f"at most; each service has its own workers and line. A yes means done."
        f"{_line_words(options, 'calls', 'at each service')}"
    )


def _kafka(scenario: Scenario, options: KafkaOptions) -> str:
    topic = resolve("kafka topic", options.version, options.topic)
    producer = resolve("kafka producer", options.version, options.producer)
    partitions = int(str(topic["partitions"]))
    idle = [name for name, service in scenario.services.items() if service.workers > partitions]
    spare = f" With {counted(partitions, 'partition')}, members of {listed(idle)} stay idle." if idle else ""
    replicas = counted(int(str(topic["replication.factor"])), "replica")
    return (
        f"version {options.version}, a topic for each event with {counted(partitions, 'partition')} and {replicas}, "
        f"a consumer group for each service; a yes means received (acks {producer['acks']})."
        f"{_group_words(options)}{spare}{_each_poll(options)}"
    )


def _group_words(options: KafkaOptions) -> str:
    """How groups share their partitions, where that is not as Kafka does it by default."""
    consumer = resolve("kafka consumer", options.version, options.consumer)
    strategy = str(consumer["partition.assignment.strategy"][0])
    words = [
        *(["share their partitions by the consumer protocol"] if consumer["group.protocol"] == "consumer" else
          [f"share their partitions by {strategy}"] if strategy != "range" else []),
        *(["have static members"] if consumer["group.instance.id"] is not None else []),
    ]
    return f" Groups {' and '.join(words)}." if words else ""


def _each_poll(options: KafkaOptions) -> str:
    if options.commit != "transaction":
        return ""
    return (" What a worker publishes because of one poll shows in one transaction with its offsets, or not at all; "
            "its effects are no part of it.")


def _rabbitmq(scenario: Scenario, options: RabbitOptions) -> str:
    queue = resolve("rabbitmq queue", options.version, options.queue)
    prefetch = "unlimited" if options.prefetch is None else str(options.prefetch)
    crowds = [name for name, service in scenario.services.items() if service.workers == float("inf")]
    yes = "the broker confirms" if options.confirms else "it is sent, unconfirmed"
    return (
        f"version {options.version}, a {options.exchange} exchange, a {queue['x-queue-type']} queue for each service, "
        f"prefetch {prefetch}; a yes means received ({yes}).{_crowd_words(crowds, prefetch)}"
    )


def _crowd_words(services: list[str], prefetch: str) -> str:
    """How unlimited workers are one consumer."""
    if not services:
        return ""
    most = "" if prefetch == "unlimited" else f", up to the prefetch of {prefetch} at once"
    return f" One consumer of {listed(services)} starts a handler for every delivery{most}."


_WIRING: dict[str, Any] = {"monolith": _monolith, "rpc": _rpc, "kafka": _kafka, "rabbitmq": _rabbitmq}


def _duration(length_ns: int | None) -> str:
    return spaced(show_duration(length_ns or 0))


def _finite(number: float) -> float | None:
    return round(number, 6) if number < float("inf") else None
