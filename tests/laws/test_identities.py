"""What holds exactly in every run: Little's law, the utilisation law, conservation.  Laws B07, B08, F10."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from edasim.core.journal import Facts, Verb
from edasim.simulate import Run, simulate
from tests.laws.estimates import assert_near
from tests.laws.shops import ALL, Parts, Scenario, architectures, shop

SERVICES = {
    "inventory": {"work": "lognormal p50 15ms p99 60ms", "workers": 2, "publishes": "StockReserved"},
    "payment": {"work": "exponential 30ms", "workers": 3, "fails": "10%", "poison": "0.5%",
                "publishes": {"PaymentCaptured": "90%", "PaymentFailed": "10%"}},
    "shipping": {"work": "gamma mean 20ms cv 0.7", "workers": 2, "handles": ["PaymentCaptured", "StockReserved"]},
    "notification": {"work": "uniform 1ms..40ms", "workers": 2, "required": False, "idempotent": True},
}
KEPT = {"client": {"timeout": "5s", "retries": 1}, "wire": {"base": "default", "duplicates": "2%"},
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


WHOLE_DAYS = {
    "calm": day("40/s 20/s each 10s", {}),
    "faults": day("40/s 20/s each 10s", FAULTS),
    "crash": day("40/s 20/s each 10s", FAULTS | CRASH),
    "retries aside": day("40/s 20/s each 10s", FAULTS, retry=RETRY | {"where": "aside", "backoff": "fixed 80ms"}),
    "retries at the back": day("40/s 20/s each 10s", FAULTS, retry=RETRY | {"where": "back"}),
    "no room": day("90/s 20/s each 10s", FAULTS, rabbitmq=QUORUM),
}
EVERYWHERE = [(name, architecture) for name in WHOLE_DAYS for architecture in ALL]


def whole(name: str, architecture: str, seed: int = 4) -> Run:
    run = simulate(WHOLE_DAYS[name], architecture, seed)
    assert run.quiet, "the run has to end empty"
    return run


def close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)


# --- B07 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, architecture", EVERYWHERE)
def test_the_area_under_the_backlog_is_the_sum_of_the_waits(name: str, architecture: str) -> None:
    run = whole(name, architecture)
    summary, end_s = run.summary(), run.end_ns / 1e9
    for service in SERVICES:
        area = summary.backlog(service).integral(0.0, end_s)
        waits = summary.services[service].wait_s
        assert len(waits) > 100
        assert close(area, float(waits.sum())), service


@pytest.mark.parametrize("name, architecture", EVERYWHERE)
def test_the_area_under_the_open_orders_is_the_sum_of_their_times(name: str, architecture: str) -> None:
    run = whole(name, architecture)
    summary, end_s = run.summary(), run.end_ns / 1e9
    orders = summary.orders
    left_s = np.minimum(np.where(orders.refused, orders.refused_s, np.maximum(orders.done_s, orders.placed_s)), end_s)
    area = summary.open_orders().integral(0.0, end_s)
    assert close(area, float((left_s - orders.placed_s).sum()))


def queue_moves(run: Run) -> dict[str, tuple[Facts, Facts]]:
    """For each queue of a broker or a server what came in and what left, straight from the journal."""
    out = (Verb.acknowledged, Verb.dropped, Verb.expired, Verb.dead_lettered)
    moves = {}
    for number, place in enumerate(run.places):
        if place.kind == "queue" and place.detail != "parking":
            here = run.facts.only(run.facts.places == number)
            moves[place.name] = here.only(here.verbs == Verb.routed), here.only(np.isin(here.verbs, out))
    return moves


def sojourns_ns(came: Facts, left: Facts) -> NDArray[np.int64]:
    """How long each entry was in: what is with a message for the nth time leaves at that message's nth leaving."""
    order = [np.lexsort((facts.times_ns, facts.numbers)) for facts in (came, left)]
    assert came.numbers[order[0]].tolist() == left.numbers[order[1]].tolist(), "not all that came has left"
    times: NDArray[np.int64] = left.times_ns[order[1]] - came.times_ns[order[0]]
    return times


@pytest.mark.parametrize("name, architecture", [one for one in EVERYWHERE if one[1] != "kafka"])
def test_littles_law_holds_in_every_queue_to_the_nanosecond(name: str, architecture: str) -> None:
    for queue, (came, left) in queue_moves(whole(name, architecture)).items():
        times = np.concatenate([came.times_ns, left.times_ns])
        moves = np.concatenate([np.ones(len(came), np.int64), -np.ones(len(left), np.int64)])
        order = np.lexsort((-moves, times))
        length = np.cumsum(moves[order])
        area = int(np.sum(length[:-1] * np.diff(times[order]))) if len(length) else 0
        stays = sojourns_ns(came, left)
        assert np.all(stays >= 0) and np.all(length >= 0), queue
        assert area == int(stays.sum()), queue


# --- B08 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, architecture", EVERYWHERE)
def test_busy_time_is_throughput_times_the_mean_of_the_work(name: str, architecture: str) -> None:
    run = whole(name, architecture)
    summary, end_s = run.summary(), run.end_ns / 1e9
    for service in SERVICES:
        reading = summary.service(service)
        work = reading.work_s()
        assert len(work) > 100
        busy = reading.busy().mean(0.0, end_s)
        assert close(busy, len(work) / end_s * float(work.mean())), service


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("faults", [{}, FAULTS], ids=["calm", "faults"])
def test_the_utilisation_of_a_table_is_its_throughput_times_its_work(faults: Parts, architecture: str) -> None:
    """Placed in the first 12 seconds, all done before the span of the table ends."""
    run = simulate(day("40/s 0/s each 12s", faults, client={"timeout": "none"}), architecture, 4)
    for name, service in run.summary().services.items():
        workers = run.capacity.get(name) or run.capacity["process"]
        ended = service.handled + service.failed
        assert close(service.utilisation * workers * 20, ended * float(service.work_s.mean())), name


@pytest.mark.parametrize("architecture", ALL)
def test_work_without_failures_is_exactly_what_was_drawn(architecture: str) -> None:
    services = {"payment": {"work": "7ms", "workers": 2}}
    run = simulate(shop("profile 40/s 0/s each 12s", services, duration="20s"), architecture, 4)
    numbers = run.summary().services["payment"]
    workers = run.capacity.get("payment") or run.capacity["process"]
    assert_near(numbers.utilisation * workers, numbers.throughput_per_s * 0.007, 1e-9)


# --- F10 ------------------------------------------------------------------------------------------------------------


def in_queues(run: Run) -> Counter[int]:
    """The messages that a queue has and has not let go, by what the journal counts."""
    here: Counter[int] = Counter()
    for came, left in queue_moves(run).values():
        here.update(came.numbers.tolist())
        here.subtract(left.numbers.tolist())
    assert min(here.values(), default=0) >= 0, "a message left a queue more often than it came"
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
        if place.kind == "group" and partition in logs:
            here = run.facts.only((run.facts.places == number) & (run.facts.verbs == Verb.committed))
            owed.update(logs[partition][int(here.numbers[-1]) if len(here) else 0:])
    return owed


def unanswered(run: Run) -> set[int]:
    """The messages of orders that are neither accepted nor refused."""
    answered = np.isin(run.facts.verbs, [Verb.accepted, Verb.refused])
    return set(run.facts.numbers[run.facts.verbs == Verb.placed]) - set(run.facts.numbers[answered])


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("faults", [{}, FAULTS | CRASH], ids=["calm", "faults"])
def test_whenever_time_stops_what_came_is_done_or_still_there(faults: Parts, architecture: str) -> None:
    """One service, so that what the live parts say they owe can be held against the journal's counts."""
    own = {name: fault for name, fault in faults.items() if "payment" in fault.values()} | {
        "crash": {"crash": "payment", "at": "9.1s", "for": "1s", "workers": 1}} if faults else {}
    whole_run = shop("90/s", {"payment": {**SERVICES["payment"], "publishes": []}}, duration="14s", faults=own,
                     **{**KEPT, "wire": "default", "client": {"timeout": "none"}})
    for stop_s in (0.05, 1.7, 6.31, 8.2, 9.15, 10.4, 13.9):
        run = simulate(whole_run.change({"duration": f"{stop_s}s", "drain": "0s"}), architecture, 4)
        expected = set(in_logs(run) if architecture == "kafka" else in_queues(run)) | unanswered(run)
        assert run.owed == expected, f"at {stop_s} s"
        assert (len(expected) > 0) or run.quiet


@pytest.mark.parametrize("name", WHOLE_DAYS)
def test_in_rabbitmq_all_that_came_into_a_queue_has_left_it_in_a_known_way(name: str) -> None:
    run = whole(name, "rabbitmq")
    assert not in_queues(run)
    journal = Counter((fact.verb, fact.place.detail == "parking") for fact in run.journal if fact.place.kind == "queue")
    assert journal["dead-lettered", False] == journal["routed", True]
    assert journal["dead-lettered", False] > 0


@pytest.mark.parametrize("name, architecture", EVERYWHERE)
def test_the_books_are_held_against_the_live_parts_all_the_time(name: str, architecture: str) -> None:
    """39 times while orders are placed, at both edges of each fault, at the end."""
    run = whole(name, architecture)
    assert run.checks >= 39 + 2 * len(run.bands) + 1
    outcomes = run.summary().outcomes
    assert outcomes["placed"] == sum(outcomes[one] for one in ("refused", "done", "parked", "lost", "pending"))
    assert outcomes["pending"] == 0
