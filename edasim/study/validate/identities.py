"""What holds exactly in every run: Little's law, the utilisation law, conservation.  Laws B07, B08, F10."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Facts, Verb
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.validate.case import Case, Numbers, Quantity, Trial, mean_of
from edasim.study.validate.rules import Absolute, Exact, Meets
from edasim.study.validate.shops import ALL, Parts, architectures, shop

SERVICES: Parts = {
    "inventory": {"work": "lognormal p50 15ms p99 60ms", "workers": 2, "publishes": "StockReserved"},
    "payment": {"work": "exponential 30ms", "workers": 3, "fails": "10%", "poison": "0.5%",
                "publishes": {"PaymentCaptured": "90%", "PaymentFailed": "10%"}},
    "shipping": {"work": "gamma mean 20ms cv 0.7", "workers": 2, "handles": ["PaymentCaptured", "StockReserved"]},
    "notification": {"work": "uniform 1ms..40ms", "workers": 2, "required": False, "idempotent": True},
}
KEPT: Parts = {"client": {"timeout": "5s", "retries": 1}, "wire": {"base": "default", "duplicates": "2%"},
               "producer": {"keys": "uniform over 50", "key": "customer"}}
FAULTS: Parts = {
    "outage": {"unavailable": "payment", "at": "6.3s", "for": "2s"},
    "slow-mail": {"slow": "notification", "by": "3x", "at": "4.1s", "for": "5s"},
    "flaky": {"failing": "inventory", "share": "40%", "at": "9.7s", "for": "1.5s"},
    "broken-line": {"lossy": "shipping", "share": "2%", "at": "3.3s", "for": "6s"},
}
CRASH: Parts = {"crash": {"crash": "inventory", "at": "11.9s", "for": "1s", "workers": 1}}
RETRY: Parts = {"attempts": 4, "backoff": "none"}
QUORUM: Parts = {"queue": {"x-queue-type": "quorum", "x-max-length": 40, "x-overflow": "reject-publish"}}


def day(profile: str, faults: Parts, **rest: object) -> Scenario:
    """A shop with everything in it that goes wrong, which begins and ends empty."""
    built = architectures(threads=7, partitions=6) | {"rabbitmq": rest.pop("rabbitmq", {})}
    return shop(f"profile {profile}", SERVICES, duration="20s", faults=faults, architectures=built, **{**KEPT, **rest})


def whole_days() -> dict[str, Scenario]:
    """Days on which different things go wrong, each over before the run is."""
    return {
        "calm": day("40/s 20/s each 10s", {}),
        "faults": day("40/s 20/s each 10s", FAULTS),
        "crash": day("40/s 20/s each 10s", FAULTS | CRASH),
        "retries aside": day("40/s 20/s each 10s", FAULTS, retry=RETRY | {"where": "aside", "backoff": "fixed 80ms"}),
        "retries at the back": day("40/s 20/s each 10s", FAULTS, retry=RETRY | {"where": "back"}),
        "no room": day("90/s 20/s each 10s", FAULTS, rabbitmq=QUORUM),
    }


def apart(one: float, other: float) -> float:
    """How far two numbers are apart, as a share of the larger one."""
    return abs(one - other) / max(abs(one), abs(other), 1e-3)


# --- B07: Little -----------------------------------------------------------------------------------------------------


def queue_moves(run: Run) -> dict[str, tuple[Facts, Facts]]:
    """For each queue of a broker or a server what came in and what left, straight from the journal."""
    out = (Verb.acknowledged, Verb.dropped, Verb.expired, Verb.dead_lettered)
    moves = {}
    for number, place in enumerate(run.places):
        if place.kind == "queue" and place.detail != "parking":
            here = run.facts.only(run.facts.places == number)
            moves[place.name] = here.only(here.verbs == Verb.routed), here.only(np.isin(here.verbs, out))
    return moves


def stays_ns(came: Facts, left: Facts) -> NDArray[np.int64]:
    """How long each entry was in: what is with a message for the nth time leaves at that message's nth leaving."""
    ins, outs = (np.lexsort((facts.times_ns, facts.numbers)) for facts in (came, left))
    if came.numbers[ins].tolist() != left.numbers[outs].tolist():
        raise AssertionError("not all that came into a queue has left it")
    stays: NDArray[np.int64] = left.times_ns[outs] - came.times_ns[ins]
    return stays


def little(run: Run) -> float:
    """The largest relative difference between the integral of N and the sum of the sojourns: queues, backlogs, orders.
    """
    summary, end_s = run.summary(), run.end_ns / 1e9
    found = []
    for service in run.scenario.services:
        waits = float(summary.services[service].wait_s.sum())
        found.append(apart(summary.backlog(service).integral(0.0, end_s), waits))
    orders = summary.orders
    left_s = np.minimum(np.where(orders.refused, orders.refused_s, np.maximum(orders.done_s, orders.placed_s)), end_s)
    found.append(apart(summary.open_orders().integral(0.0, end_s), float((left_s - orders.placed_s).sum())))
    for came, left in queue_moves(run).values():
        times = np.concatenate([came.times_ns, left.times_ns])
        moves = np.concatenate([np.ones(len(came), np.int64), -np.ones(len(left), np.int64)])
        order = np.lexsort((-moves, times))
        area = int(np.sum(np.cumsum(moves[order])[:-1] * np.diff(times[order]))) if len(times) else 0
        found.append(apart(area / 1e9, int(stays_ns(came, left).sum()) / 1e9))
    return max(found)


# --- B08: utilisation ------------------------------------------------------------------------------------------------


def utilisation(run: Run) -> float:
    """The largest relative difference between busy time and throughput times the mean work, over the services."""
    summary, end_s = run.summary(), run.end_ns / 1e9
    found = []
    for service in run.scenario.services:
        reading = summary.service(service)
        work = reading.work_s()
        found.append(apart(reading.busy().mean(0.0, end_s), len(work) / end_s * float(work.mean())))
    return max(found)


# --- F10: conservation -----------------------------------------------------------------------------------------------


def in_queues(run: Run) -> Counter[int]:
    """The messages that a queue has and has not let go, by what the journal counts."""
    here: Counter[int] = Counter()
    for came, left in queue_moves(run).values():
        here.update(came.numbers.tolist())
        here.subtract(left.numbers.tolist())
    if min(here.values(), default=0) < 0:
        raise AssertionError("a message left a queue more often than it came")
    return +here


def in_logs(run: Run) -> Counter[int]:
    """The messages at or above a group's committed offset, by what the journal says of both."""
    logs: dict[str, list[int]] = {}
    for number, place in enumerate(run.places):
        if place.kind == "partition" and place.detail != "parking":
            here = run.facts.only(run.facts.places == number)
            logs[place.name] = here.numbers[here.verbs == Verb.appended].tolist()
    owed: Counter[int] = Counter()
    for number, place in enumerate(run.places):
        _, _, partition = place.name.partition(" ")
        if place.kind == "group" and not place.detail and partition in logs:
            here = run.facts.only((run.facts.places == number) & (run.facts.verbs == Verb.committed))
            owed.update(logs[partition][int(here.numbers[-1]) if len(here) else 0:])
    return owed


def unanswered(run: Run) -> set[int]:
    """The messages of orders that are neither accepted nor refused."""
    answered = np.isin(run.facts.verbs, [Verb.accepted, Verb.refused])
    return set(run.facts.numbers[run.facts.verbs == Verb.placed]) - set(run.facts.numbers[answered])


def one_service(faults: bool) -> Scenario:
    """One service, so that what the live parts say they owe can be held against the journal's counts."""
    own: Parts = {name: fault for name, fault in FAULTS.items() if "payment" in fault.values()} | {
        "crash": {"crash": "payment", "at": "9.1s", "for": "1s", "workers": 1}} if faults else {}
    return shop("90/s", {"payment": {**SERVICES["payment"], "publishes": []}}, duration="14s", faults=own,
                **{**KEPT, "wire": "default", "client": {"timeout": "none"}})


STOPS_S = (0.05, 1.7, 6.31, 8.2, 9.15, 10.4, 13.9)


def astray(architecture: str, seed: int) -> Numbers:
    """How many messages the journal's books and the live parts disagree on, whenever time stops; and on whole days."""
    off = checks = 0
    for faults in (False, True):
        for stop_s in STOPS_S:
            run = simulate(one_service(faults).change({"duration": f"{stop_s}s", "drain": "0s"}), architecture, seed)
            expected = set(in_logs(run) if architecture == "kafka" else in_queues(run)) | unanswered(run)
            off += len(run.owed ^ expected)
            checks += run.checks
    for scenario in whole_days().values():
        run = simulate(scenario, architecture, seed)
        outcomes = run.summary().outcomes
        off += abs(outcomes["placed"] - sum(outcomes[one] for one in ("refused", "done", "parked", "lost", "pending")))
        off += outcomes["pending"] + (len(in_queues(run)) if architecture != "kafka" else 0)
        checks += run.checks
    return {"off": float(off), "checks": float(checks)}


def over_days(read: Callable[[Run], float]) -> tuple[Trial, ...]:
    """An identity on all days in each architecture: the largest difference."""
    quantities = (Quantity("largest relative difference", 0.0, Absolute(1e-9)),)
    trials = []
    for name in ALL:

        def sample(seed: int, _size: int, name: str = name) -> Numbers:
            found = [read(simulate(one, name, seed)) for one in whole_days().values()]
            return {"largest relative difference": max(found)}

        trials.append(Trial(name, sample, quantities, 1, 1, 1, said=f"days: {', '.join(whole_days())}"))
    return tuple(trials)


def conserved() -> tuple[Trial, ...]:
    """In = out + what is still there, at the checks of the engine and wherever a run is stopped."""
    quantities = (Quantity("messages unaccounted for", 0.0, Exact(), mean_of("off")),
                  Quantity("checks of the books against the live parts", 40.0,
                           Meets(lambda estimate: estimate.value >= 40, "at least so many"),
                           mean_of("checks")))
    trials = []
    for name in ALL:

        def sample(seed: int, _size: int, name: str = name) -> Numbers:
            return astray(name, seed)

        trials.append(Trial(name, sample, quantities, 1, 1, 1, said=f"stopped at {STOPS_S} s, and the days of B07"))
    return tuple(trials)


CASES = (
    Case("B07", over_days(little)),
    Case("B08", over_days(utilisation)),
    Case("F10", conserved()),
)
