"""Random scenarios: a writer of files that uses every feature, small enough to be run by the thousand.

The writer decides by dice. `Rolled` dice come from one integer, so that each scenario can be named by it; those of the
Hypothesis strategy `scenarios` can be shrunk. A new key of the file is one line in one of the tables below.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

Item = TypeVar("Item")
Data = dict[str, Any]


class Dice(Protocol):
    """What the writer decides by."""

    def pick(self, items: Sequence[Item]) -> Item:
        """One of them; a shrinker goes towards the first."""

    def whole(self, low: int, high: int) -> int:
        """A whole number within these bounds."""

    def chance(self, share: float) -> bool:
        """Whether something happens that happens to this share."""


class Rolled:
    """Dice from one integer: the same in every release of Python."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(f"scenario {seed}")

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.whole(0, len(items) - 1)]

    def whole(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        return self._random.random() < share


class Drawn:
    """Dice that Hypothesis draws and shrinks."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self._draw = draw

    def pick(self, items: Sequence[Item]) -> Item:
        found: Item = self._draw(st.sampled_from(items))
        return found

    def whole(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def chance(self, share: float) -> bool:
        return int(self._draw(st.integers(0, 99))) >= 100 * (1 - share)


@st.composite
def scenarios(draw: Callable[[Any], Any]) -> Data:
    """The data of a scenario, valid in nearly all cases."""
    return scenario(Drawn(draw))


def some(dice: Dice, table: dict[str, tuple[float, Callable[[Dice], Any]]]) -> Data:
    """Of a table {key: (how often it is written, what is written)}, what the dice say."""
    return {key: write(dice) for key, (share, write) in table.items() if dice.chance(share)}


# ---- quantities ----------------------------------------------------------------------------------------------


def duration(low_ms: int, high_ms: int) -> Callable[[Dice], str]:
    """A duration in one of the units."""

    def write(dice: Dice) -> str:
        length_ms = dice.whole(low_ms, high_ms)
        return dice.pick([f"{length_ms}ms", f"{length_ms * 1000 + 1}us", f"{length_ms / 1000:.3f}s"])

    return write


def share(most: int) -> Callable[[Dice], str]:
    """A share up to so many percent."""
    return lambda dice: f"{dice.whole(0, most * 10) / 10:g}%"


def rate(dice: Dice, high: int = 20) -> str:
    """Orders per second, in one of the units; never 0/s."""
    each_s = dice.whole(1, high)
    return dice.pick([f"{each_s}/s", f"{each_s * 60}/min", f"{each_s}.5/s"])


def random_duration(low_ms: int, high_ms: int, tail: bool = True) -> Callable[[Dice], Any]:
    """A distribution of every form, with a mean of about these milliseconds."""

    def write(dice: Dice) -> Any:
        mean = dice.whole(low_ms, high_ms)
        one = max(mean, 1)
        forms: list[Any] = [
            f"{mean}ms", f"exponential {one}ms", f"uniform {one // 2}ms..{one * 2}ms", f"constant {mean}ms",
            f"lognormal p50 {one}ms p99 {one * 4}ms", f"lognormal mean {one}ms cv 1.5", f"gamma mean {one}ms cv 0.7",
            f"erlang 3 mean {one}ms", f"empirical [{mean}ms, {one * 2}ms, {one}ms]", [f"{mean}ms", f"{one * 3}ms"],
            f"hyper 90% {one}ms, 10% exponential {one * 5}ms",
        ]  # fmt: skip
        return dice.pick([*forms, f"pareto {one}ms shape 2.5"] if tail else forms)

    return write


def arrivals(dice: Dice) -> Any:
    """When orders are placed, in every form."""
    one, other, few = rate(dice), rate(dice), dice.whole(1, 5)
    every = f"every {random_duration(40, 200, tail=False)(dice)}".replace("'", "")
    forms: list[Any] = [
        one, f"poisson {one}", f"constant {one}", every,
        f"batches of {few} at constant {dice.whole(1, 5)}/s", f"batches of 3 at poisson {few}/s",
        f"ramp 0/s to {one} over 2s", f"ramp {one} to {other} over 1500ms",
        f"spike {one} to {rate(dice, 60)} at 1s for 300ms",
        f"profile {one} 0/s {other} each 700ms", f"bursts {one} for 300ms then 0/s for exponential 400ms",
        f"bursts {one} for 1s then {other} for 500ms", "times [0s, 100ms, 100ms, 1.5s]", ["200ms", "900ms", "2s"],
    ]  # fmt: skip
    return dice.pick(forms)


def keys(dice: Dice) -> str:
    """Which keys orders carry, in every form."""
    return dice.pick(["each order", "none", "uniform over 7", "zipf 1.1 over 20", "hot 60% over 5", "uniform over 1"])


def backoff(dice: Dice) -> str:
    """The wait before a retry, in every form."""
    first = dice.whole(5, 400)
    forms = [f"fixed {first}ms", f"exponential {first}ms x2 max 1s", f"exponential {first}ms x1.5", "none"]
    return dice.pick(forms)


# ---- parts ---------------------------------------------------------------------------------------------------


def retry(dice: Dice) -> Data:
    """How failed attempts are repeated."""
    return some(dice, {
        "budget": (0.2, lambda dice: some(dice, BUDGET)),
        "attempts": (0.8, lambda dice: dice.pick([1, 2, 3, 5, 8, "unlimited"])),
        "backoff": (0.7, backoff),
        "jitter": (0.6, lambda dice: dice.pick(["none", "full", "equal", "decorrelated"])),
        "where": (0.7, lambda dice: dice.pick(["worker", "back", "aside"])),
    })  # fmt: skip


BUDGET: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "earns": (0.6, share(50)),
    "cap": (0.6, lambda dice: dice.pick([1, 5, 100])),
}
STORE: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "replication": (0.4, lambda dice: dice.pick(["all", "quorum-only"])),
    "readers": (0.4, lambda dice: dice.chance(0.5)),
    "handoff": (0.4, lambda dice: dice.chance(0.5)),
    **{step: (0.4, random_duration(0, 20)) for step in ("write", "write-ack", "read", "read-reply")},
}


def breaker(dice: Dice) -> Data:
    """When a caller stops calling."""
    rate = {"failure-rate": f"{dice.whole(1, 100)}%", "window": dice.whole(1, 20)}
    return {**dice.pick([{"failures": dice.whole(1, 5)}, rate]),
            **some(dice, {"open-for": (0.7, duration(50, 3000)), "probes": (0.5, lambda dice: dice.whole(1, 3))})}


def store(dice: Dice) -> Data:
    """Where a service keeps its state."""
    replicas = dice.whole(1, 5)
    quorums = {"write-quorum": dice.whole(1, replicas), "read-quorum": dice.whole(1, replicas)}
    made = {"replicas": replicas, **quorums, **some(dice, STORE)}
    return {**made, "write-quorum": 0, "replication": "all"} if dice.chance(0.1) else made


SERVICE: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "workers": (0.7, lambda dice: dice.pick([1, 2, 3, 4, "unlimited"])),
    "cores": (0.2, lambda dice: dice.pick([1, 2, "unlimited"])),
    "breaker": (0.2, breaker),
    "store": (0.15, store),
    "fails": (0.3, share(40)),
    "poison": (0.2, share(15)),
    "required": (0.2, lambda dice: dice.chance(0.5)),
    "idempotent": (0.3, lambda dice: dice.pick([True, True, False, {"remembers": 5}, {"for": "500ms"}])),
    "joins": (0.1, duration(0, 3000)),
    "retry": (0.2, retry),
    "dead-letters": (0.2, lambda dice: dice.chance(0.5)),
}
PRODUCER: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "key": (0.5, lambda dice: dice.pick(["customer", "product"])),
    "keys": (0.7, keys),
    "size": (0.2, lambda dice: dice.pick(["1kB", "16KiB", "200B", "0B"])),
    "priority": (0.3, lambda dice: dice.pick([0, 1, 5, 255])),
}
CLIENT: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "timeout": (0.7, lambda dice: dice.pick(["none", "1s", "300ms", "5s", "50ms"])),
    "retries": (0.5, lambda dice: dice.whole(0, 3)),
    "backoff": (0.4, backoff),
    "budget": (0.2, lambda dice: some(dice, BUDGET)),
}
LINES: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "queue-limit": (0.3, lambda dice: dice.pick([0, 1, 5, "unlimited"])),
    "discipline": (0.3, lambda dice: dice.pick(["fifo", "priority"])),
}
LINKS = ("producer-to-broker", "broker-to-producer", "broker-to-consumer", "consumer-to-broker", "broker-to-broker",
         "gateway-to-service", "service-to-gateway", "append", "route", "flush", "database-commit")  # fmt: skip
WIRE: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "base": (0.5, lambda dice: dice.pick(["none", "default"])),
    "loss": (0.3, share(3)),
    "duplicates": (0.4, share(10)),
    **{link: (0.15, random_duration(0, 8)) for link in LINKS},
}
MONOLITH: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    **LINES,
    "threads": (0.5, lambda dice: dice.pick([1, 2, 4, 6, "unlimited"])),
    "cores": (0.2, lambda dice: dice.pick([1, 2])),
    "cancels": (0.4, lambda dice: dice.chance(0.7)),
}
RPC: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    **LINES,
    "calls": (0.6, lambda dice: dice.pick(["sequential", "parallel"])),
    "open-requests": (0.3, lambda dice: dice.pick([1, 3, 200])),
    "timeout": (0.4, lambda dice: dice.pick(["none", "100ms", "1s"])),
    "cancels": (0.4, lambda dice: dice.chance(0.7)),
}
TOPIC: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "partitions": (0.8, lambda dice: dice.whole(1, 7)),
    "replication.factor": (0.6, lambda dice: 3),
    "min.insync.replicas": (0.0, lambda dice: 1),
    "retention.ms": (0.05, lambda dice: "7d"),
}
KAFKA_PRODUCER: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "acks": (0.5, lambda dice: dice.pick(["all", "1", "0"])),
    "linger.ms": (0.4, lambda dice: dice.pick([0, 5, "20ms"])),
    "batch.size": (0.3, lambda dice: dice.pick([0, 2000, "16KiB"])),
    "retries": (0.2, lambda dice: dice.pick([0, 1, 5])),
    "retry.backoff.ms": (0.2, lambda dice: dice.pick([10, 100])),
    "delivery.timeout.ms": (0.2, lambda dice: dice.pick([1000, 3000])),
    "max.in.flight.requests.per.connection": (0.3, lambda dice: dice.pick([1, 5])),
}
KAFKA_CONSUMER: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "max.poll.records": (0.4, lambda dice: dice.pick([1, 3, 500])),
    "auto.commit.interval.ms": (0.4, lambda dice: dice.pick([100, 1000, 5000])),
    "auto.offset.reset": (0.3, lambda dice: dice.pick(["earliest", "latest"])),
    "fetch.min.bytes": (0.2, lambda dice: dice.pick([1, 5000])),
    "fetch.max.wait.ms": (0.2, lambda dice: dice.pick([10, 500])),
    "max.partition.fetch.bytes": (0.2, lambda dice: dice.pick([1000, 100_000])),
    "partition.assignment.strategy": (0.5, lambda dice: dice.pick(
        ["range", "roundrobin", "sticky", "cooperative-sticky", ["cooperative-sticky", "range"]])),
}  # fmt: skip
KAFKA: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "version": (0.4, lambda dice: dice.pick(["3.9", "4.0", "4.3"])),
    "topic": (0.9, lambda dice: some(dice, TOPIC)),
    "producer": (0.6, lambda dice: _producer_options(dice)),
    "consumer": (0.6, lambda dice: _consumer_options(dice)),
    "broker": (0.3, lambda dice: {"group.initial.rebalance.delay.ms": dice.pick([0, 500, 3000])}),
    "commit": (0.5, lambda dice: dice.pick(["auto", "record", "poll", "before", "transaction"])),
    "key": (0.2, lambda dice: dice.chance(0.5)),
    "retry-topics": (0.3, lambda dice: dice.pick(["one", "each"])),
}
QUORUM: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "x-delivery-limit": (0.3, lambda dice: dice.pick([0, 2, 20])),
    "x-quorum-initial-group-size": (0.3, lambda dice: dice.pick([1, 3, 5])),
}
QUEUE: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "x-message-ttl": (0.15, lambda dice: dice.pick(["500ms", "3s", 0])),
    "x-max-length": (0.2, lambda dice: dice.whole(1, 30)),
    "x-max-length-bytes": (0.1, lambda dice: dice.pick([3000, "50kB"])),
}
RABBITMQ: dict[str, tuple[float, Callable[[Dice], Any]]] = {
    "version": (0.4, lambda dice: dice.pick(["3.10", "3.13", "4.0", "4.3"])),
    "exchange": (0.6, lambda dice: dice.pick(["topic", "direct", "fanout", "headers"])),
    "queue": (0.8, lambda dice: _queue(dice)),
    "prefetch": (0.7, lambda dice: dice.pick([1, 2, 20, "unlimited"])),
    "confirms": (0.3, lambda dice: dice.chance(0.5)),
    "persistent": (0.3, lambda dice: dice.chance(0.5)),
    "auto-ack": (0.2, lambda dice: dice.chance(0.5)),
}
ARCHITECTURES: dict[str, dict[str, tuple[float, Callable[[Dice], Any]]]] = {
    "monolith": MONOLITH, "rpc": RPC, "kafka": KAFKA, "rabbitmq": RABBITMQ,
}  # fmt: skip


def _producer_options(dice: Dice) -> Data:
    options = some(dice, KAFKA_PRODUCER)
    if "delivery.timeout.ms" in options:
        options["request.timeout.ms"] = 500
    return options


def _consumer_options(dice: Dice) -> Data:
    options = some(dice, KAFKA_CONSUMER)
    if dice.chance(0.4):
        options |= {"session.timeout.ms": dice.pick([6000, 10000]), "heartbeat.interval.ms": dice.pick([500, 2000])}
    return options


def _queue(dice: Dice) -> Data:
    kind = dice.pick(["classic", "quorum"])
    options = {"x-queue-type": kind, **some(dice, QUEUE), **(some(dice, QUORUM) if kind == "quorum" else {})}
    if kind == "classic" and dice.chance(0.3):
        options["x-max-priority"] = dice.pick([1, 10])
    overflows = ["drop-head", "reject-publish", *(["reject-publish-dlx"] if kind == "classic" else [])]
    return {**options, **({"x-overflow": dice.pick(overflows)} if dice.chance(0.4) else {})}


# ---- who publishes to whom -----------------------------------------------------------------------------------


def services(dice: Dice) -> tuple[Data, list[str]]:
    """One to four services in chains, branches and joins, and the events that producers may publish."""
    first = ["OrderPlaced", "CartChanged"][: dice.whole(1, 2)]
    names = ["inventory", "payment", "notification", "shipping"][: dice.whole(1, 4)]
    made: Data = {}
    known = list(first)
    for number, name in enumerate(names):
        picked = {dice.pick(known) for _ in range(dice.whole(1, 2))}
        handled = [first[number]] if number < len(first) else sorted(picked)
        spec: Data = {"handles": handled if len(handled) > 1 or dice.chance(0.2) else handled[0]}
        spec["work"] = random_duration(0, 40)(dice)
        spec |= some(dice, SERVICE)
        published = _publications(dice, name, handled)
        if published is not None:
            spec["publishes"] = published
            known += [published] if isinstance(published, str) else [event for event in published if event not in known]
        if spec.get("dead-letters", True) and dice.chance(0.15):
            spec["redrive"] = {"at": duration(1000, 5000)(dice), "rate": rate(dice)}
        made[name] = spec
    return made, first[: len(names)]


def _publications(dice: Dice, name: str, handled: list[str]) -> Any:
    """One event, all of several, or one of several by their shares; sometimes its own event again, for a few."""
    events = [f"{name}-done", f"{name}-failed"]
    form = dice.pick(["nothing", "one", "all", "shares", "again"])
    forms = {
        "nothing": None,
        "one": events[0],
        "all": events,
        "shares": {events[0]: share(60)(dice), events[1]: share(40)(dice)},
        "again": {handled[0]: share(40)(dice), events[0]: share(50)(dice)},
    }
    return forms[form]


def fault(dice: Dice, made: Data, sources: list[str]) -> Data:
    """One fault of any kind on anything that it fits."""
    names = list(made)
    kind = dice.pick(["unavailable", "failing", "slow", "crash", "stop", "deploy", "cut", "lossy", "duplicating"])
    processes, handling = [*names, "broker", "database", *sources], [*names, "broker", "database"]
    ending = [*processes, "broker-1"] if kind in ("crash", "stop") else processes
    linked = [*names, *sources, "broker", "gateway", *(f"{name} <-> broker" for name in (*names, *sources)),
              *(f"gateway -> {name}" for name in names)]  # fmt: skip
    fitting = {"unavailable": processes, "crash": ending, "stop": ending, "failing": handling, "deploy": names,
               "slow": [*handling, *linked[len(names) + len(sources) + 2 :]]}  # fmt: skip
    replicas = [f"{name}.replica-1" for name in names if "store" in made[name]]
    fitting["unavailable"], fitting["failing"] = processes + replicas, handling + replicas
    if "unlimited" in [made[name].get("workers") for name in names]:
        fitting["deploy"] = [name for name in names if made[name].get("workers") != "unlimited"]
        kind = kind if fitting["deploy"] else "slow"
    target = dice.pick(fitting.get(kind, linked))
    spec: Data = {kind: target}
    repeated = dice.chance(0.2)
    if repeated:
        spec["every"] = random_duration(800, 3000, tail=False)(dice)
    else:
        spec["at"] = duration(0, 4000)(dice)
    if kind != "deploy" and (repeated or dice.chance(0.8)):
        spec["for"] = random_duration(100, 2500)(dice)
    additions = {
        "slow": {"by": f"{dice.whole(1, 8)}x"},
        "failing": {"share": share(100)(dice)} if dice.chance(0.6) else {},
        "lossy": {"share": share(20)(dice)},
        "duplicating": {"share": share(40)(dice)},
        "deploy": {"rolling": duration(100, 900)(dice)},
    }
    spec |= additions.get(kind, {})
    if kind == "duplicating" and dice.chance(0.4):
        spec["after"] = duration(1, 2000)(dice)
    if kind in ("crash", "stop") and target in made and dice.chance(0.4):
        workers = made[target].get("workers", 1)
        spec["workers"] = dice.whole(1, 2 if workers == "unlimited" else workers)
    return spec


def changes(dice: Dice, made: Data, sources: list[str]) -> list[Data]:
    """Dated changes of whatever may change within a run."""
    name, source = dice.pick(list(made)), dice.pick(sources)
    possible: dict[str, Callable[[Dice], Any]] = {
        f"producers.{source}.arrivals": arrivals,
        f"producers.{source}.priority": lambda dice: dice.whole(0, 9),
        f"services.{name}.work": random_duration(0, 40),
        f"services.{name}.cores": lambda dice: dice.pick([1, 2, "unlimited"]),
        f"services.{name}.workers": lambda dice: dice.whole(1, 4),
        f"services.{name}.fails": share(40),
        f"services.{name}.poison": share(10),
        f"services.{name}.idempotent": lambda dice: dice.chance(0.5),
        "retry.attempts": lambda dice: dice.whole(1, 5),
        "client.timeout": lambda dice: dice.pick(["100ms", "2s", "none"]),
        "client.retries": lambda dice: dice.whole(0, 2),
        "wire": lambda dice: dice.pick(["none", "default"]),
        "wire.duplicates": share(10),
    }
    paths = [dice.pick(list(possible)) for _ in range(dice.whole(1, 3))]
    return [{"at": duration(0, 4000)(dice), "path": path, "value": possible[path](dice)} for path in paths]


def scenario(dice: Dice) -> Data:
    """The data of a whole file."""
    made, events = services(dice)
    sources = ["checkout", "app"][: dice.whole(len(events), 2)]
    data: Data = {"title": dice.pick(["Small", "A <b>bold</b> & $x^2$ shop", "=1+1", "../../shop"])}
    if dice.chance(0.6):
        data["duration"] = duration(1500, 5000)(dice)
        if dice.chance(0.3):
            data["warm-up"] = duration(0, 1400)(dice)
    else:
        data["orders"] = dice.whole(1, 60)
    data["drain"] = dice.pick(["60s", "5s", "0s", "20s"])
    data["producers"] = {
        name: {"publishes": events[number % len(events)], "arrivals": arrivals(dice), **some(dice, PRODUCER)}
        for number, name in enumerate(sources)
    }
    data["services"] = made
    data |= some(dice, {
        "client": (0.6, lambda dice: some(dice, CLIENT)),
        "retry": (0.7, retry),
        "faults": (0.6, lambda dice: {f"fault-{nth}": fault(dice, made, sources) for nth in range(dice.whole(1, 3))}),
        "wire": (0.7, lambda dice: dice.pick(["none", "default"]) if dice.chance(0.5) else some(dice, WIRE)),
        "changes": (0.25, lambda dice: changes(dice, made, sources)),
    })  # fmt: skip
    listed = [name for name in ARCHITECTURES if dice.chance(0.7)] or [dice.pick(list(ARCHITECTURES))]
    data["architectures"] = {name: some(dice, ARCHITECTURES[name]) for name in listed}
    if {"kafka", "rabbitmq"} & set(listed):  # where each worker is a consumer of its own, there must be so many
        made |= {name: {**spec, "workers": 3} for name, spec in made.items() if spec.get("workers") == "unlimited"}
    _fit_replicas(data["architectures"], dice)
    _fit_kafka(data)
    return data


def _fit_kafka(data: Data) -> None:
    """Transactions need an idempotent producer, and endless attempts have no topic for each."""
    kafka = data["architectures"].get("kafka", {})
    if kafka.get("commit") == "transaction":
        producer = kafka.get("producer", {})
        for option in ("acks", "retries", "enable.idempotence", "max.in.flight.requests.per.connection"):
            producer.pop(option, None)
        kafka.get("consumer", {}).pop("enable.auto.commit", None)
    policies = [data.get("retry", {}), *(service.get("retry", {}) for service in data["services"].values())]
    if any(policy.get("attempts") == "unlimited" for policy in policies):
        kafka.pop("retry-topics", None)


def _fit_replicas(architectures: Data, dice: Dice) -> None:
    topic = architectures.get("kafka", {}).get("topic", {})
    if topic.get("replication.factor") == 3 and dice.chance(0.5):
        topic["min.insync.replicas"] = 2
    rabbitmq = architectures.get("rabbitmq")
    if rabbitmq is not None and dice.chance(0.1):
        rabbitmq["queues"] = {}
