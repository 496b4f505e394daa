"""Runs in which much goes wrong, for the animation, and what their journals say when they are counted by hand."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from edasim.simulate import Run, simulate
from tests.worlds import shop

PRODUCER = {"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 40/s", "key": "customer",
                         "keys": "uniform over 20"}}
ALL: dict[str, dict] = {"monolith": {}, "rpc": {}, "kafka": {}, "rabbitmq": {}}
LATE = {"handles": "OrderPlaced", "joins": "3s", "work": "exponential 9ms"}
RETRY = "exponential 50ms x2 max 1s"


def three(**payment: Any) -> dict[str, Any]:
    """Three services that handle an order; payment as given."""
    return {
        "inventory": {"handles": "OrderPlaced", "workers": 2, "work": "exponential 15ms"},
        "payment": {"handles": "OrderPlaced", "workers": 3, "work": "exponential 30ms", **payment},
        "notification": {"handles": "OrderPlaced", "workers": 2, "work": "exponential 25ms"},
    }


def chain(length: int) -> dict[str, Any]:
    """Services each of which handles what the one before publishes."""
    return {f"step-{number}": {"handles": f"Event{number}" if number else "OrderPlaced", "workers": 2,
                               "work": "exponential 8ms", "publishes": f"Event{number + 1}"}
            for number in range(length)}


def retries(where: str, attempts: int = 3) -> dict[str, Any]:
    """Where failed attempts wait."""
    return {"attempts": attempts, "backoff": RETRY, "jitter": "full", "where": where}


SHOPS: dict[str, dict[str, Any]] = {
    "healthy": {"services": three()},
    "outage": {"services": three(), "faults": {"outage": {"unavailable": "payment", "at": "3s", "for": "3s"}}},
    "dead letters": {"services": three(fails="30%", poison="5%"), "retry": retries("worker")},
    "aside": {"services": three(fails="30%", poison="2%"), "retry": retries("aside")},
    "back": {"services": three(fails="30%", poison="2%"), "retry": retries("back")},
    "no dead letters": {"services": three(fails="30%", **{"dead-letters": False}), "retry": retries("worker", 2)},
    "crash": {"services": three(), "faults": {
        "one": {"crash": "payment", "at": "3.3s", "for": "1s", "workers": 1},
        "all": {"crash": "inventory", "at": "4.1s", "for": "2s"}},
        "architectures": {**ALL, "kafka": {"consumer": {"session.timeout.ms": 6000}}}},
    "crash in a retry": {"services": three(fails="40%"), "retry": retries("worker", 6), "faults": {
        "all": {"crash": "payment", "at": "3.3s", "for": "0.5s"},
        "more": {"crash": "payment", "at": "5.1s", "for": "0.5s", "workers": 1}}},
    "duplicates": {"services": three(idempotent=True), "wire": {"base": "default", "duplicates": "10%"}},
    "losses": {"services": three(), "wire": {"base": "default", "loss": "2%"}},
    "broker down": {"services": three(), "faults": {"broker": {"crash": "broker", "at": "3.3s", "for": "2s"}}},
    "database down": {"services": three(), "faults": {"base": {"unavailable": "database", "at": "3.3s", "for": "2s"}}},
    "link cut": {"services": three(), "faults": {"cut": {"cut": "payment", "at": "3.3s", "for": "2s"}}},
    "deploy": {"services": three(), "faults": {"deploy": {"deploy": "payment", "at": "3.3s", "rolling": "0.5s"}}},
    "customers retry": {"services": three(), "client": {"timeout": "0.5s", "retries": 2}, "faults": {
        "outage": {"unavailable": "payment", "at": "3s", "for": "2s"}}},
    "cancelled": {"services": three(), "client": {"timeout": "0.5s"}, "faults": {
        "outage": {"unavailable": "payment", "at": "3s", "for": "2s"}},
        "architectures": {**ALL, "monolith": {"cancels": True}, "rpc": {"cancels": True, "calls": "parallel"}}},
    "limits": {"services": three(work="exponential 90ms"), "architectures": {
        "rabbitmq": {"queue": {"x-queue-type": "classic", "x-max-length": 20, "x-message-ttl": 800}, "prefetch": 3},
        "rpc": {"open-requests": 5}, "kafka": {"topic": {"partitions": 14}}, "monolith": {"threads": 2}}},
    "overflow": {"services": three(work="exponential 90ms"), "architectures": {
        "rabbitmq": {"queue": {"x-queue-type": "classic", "x-max-length": 9, "x-overflow": "reject-publish-dlx"}}}},
    "auto": {"services": three(fails="20%"), "faults": {"crash": {"crash": "payment", "at": "3s", "for": "1s"}},
             "architectures": {"rabbitmq": {"auto-ack": True}, "kafka": {"commit": "auto"}}},
    "late": {"services": {**three(), "analytics": LATE}},
    "late and earliest": {
        "services": {**three(), "analytics": LATE},
        "architectures": {"kafka": {"consumer": {"auto.offset.reset": "earliest"}}}},
    "fifteen": {"services": chain(15)},
    "branches": {"services": {**three(publishes={"PaymentCaptured": "80%", "PaymentFailed": "20%"}),
                              "shipping": {**LATE, "handles": ["PaymentCaptured", "PaymentFailed"], "joins": "0s"}}},
}


@cache
def run_of(name: str, architecture: str, seed: int = 7) -> Run:
    """One of the runs; the same object for all tests."""
    parts = {"duration": "8s", "drain": "30s", "producers": PRODUCER, "wire": "default", "architectures": ALL,
             "client": {"timeout": "5s"}, **SHOPS[name]}
    return simulate(shop(**parts), architecture, seed)


CASES = [(name, architecture) for name, parts in SHOPS.items() for architecture in parts.get("architectures", ALL)]


class Recount:
    """The facts of a run one after another, counted in plain numbers; `until(t)` brings it to a time (seconds)."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.waiting: Counter[tuple[str, int]] = Counter()
        self.working: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.customers: Counter[str] = Counter()
        self._facts = iter(run.journal)
        self._next: Any = next(self._facts, None)
        self._crashed: Counter[tuple[str, int]] = Counter()
        self.now_s = 0.0
        self._at_once: Counter[Any] = Counter()
        self._resting: Counter[tuple[str, int]] = Counter()
        self._offsets: Counter[tuple[str, str]] = Counter()
        self._skipped = {(fact.place.service, fact.place.name.split(" ", 1)[1]): fact.number
                         for fact in run.journal if fact.verb == "skipped"}

    def until(self, time_s: float) -> None:
        while self._next is not None and self._next.time_s <= time_s:
            self._count(self._next)
            self._next = next(self._facts, None)

    def waiting_for(self, service: str) -> int:
        return sum(number for (name, _), number in self.waiting.items() if name == service)

    def _count(self, fact: Any) -> None:
        verb, place, message = fact.verb, fact.place, fact.number
        self.now_s = fact.time_s
        key = (place.service or place.name, message)
        if place.kind == "client":
            self.customers[verb] += 1  # also of an order that is placed again
        elif place.kind == "worker":
            self.working[place.service] += {"started": 1}.get(verb, -1)
            self._begin_or_crash(verb, place, key)
        elif place.detail == "parking":
            self.dead[place.service] += verb in ("routed", "appended")
        elif verb == "appended" and not place.service:
            self._append(place.name, message)
        elif verb in ("routed", "appended"):
            self.waiting[key] += 1
        elif verb == "retried" and self._keeps(place.service):
            self._resting[key] += 1
            self.working[place.service] += 1
        elif place.kind in ("queue", "group"):
            self._leave(verb, key)

    def _append(self, partition: str, message: int) -> None:
        for name, service in self.run.scenario.services.items():
            if partition.rpartition("-")[0] in service.handles:
                self._offsets[name, partition] += 1
                if self._offsets[name, partition] > self._skipped.get((name, partition), 0):
                    self.waiting[name, message] += 1

    def _keeps(self, service: str) -> bool:
        """Whether a worker keeps what failed until it tries again."""
        where = (self.run.scenario.services[service].retry or self.run.scenario.retry).where
        return self.run.architecture == "monolith" or (self.run.architecture != "rpc" and where == "worker")

    def _back(self, key: tuple[str, int]) -> None:
        self._resting[key] -= 1
        self.working[key[0]] -= 1

    def _begin_or_crash(self, verb: str, place: Any, key: tuple[str, int]) -> None:
        brokered = self.run.architecture in ("kafka", "rabbitmq")
        if verb == "started" and place.detail != "again" and self.run.architecture != "monolith":
            # Of a copy that came back to its queue while another one waited, the journal says nothing.
            self.waiting[key] = max(0, self.waiting[key] - 1)
        elif verb == "started" and place.detail == "again":
            self._back(key)
        elif verb == "crashed" and brokered:
            self.waiting[key] += 1
        elif verb == "crashed":
            self._crashed[key] += 1

    def _leave(self, verb: str, key: tuple[str, int]) -> None:
        if verb == "redelivered":
            if self._resting[key] and not self.waiting[key]:
                self._back(key)
            # Two at one instant are two copies; else it may be one that nobody has begun yet.
            here = self._at_once[key, self.now_s] = self._at_once[key, self.now_s] + 1
            self.waiting[key] = max(here, self.waiting[key])
        elif verb == "delivered" and self.run.architecture in ("monolith", "rpc") and key[0] in ("orders", "gateway"):
            self.waiting[key] -= 1
        elif verb == "dropped" and self.run.architecture == "monolith" and not self.waiting[key]:
            for held in [held for held, number in self._resting.items() if number and held[1] == key[1]]:
                self._back(held)
        elif verb == "dropped" and self._crashed[key]:
            self._crashed[key] -= 1
        elif verb in ("dropped", "expired", "dead-lettered") and self.waiting[key] > 0:
            self.waiting[key] -= 1
