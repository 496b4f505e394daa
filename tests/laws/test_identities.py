"""What holds exactly in every run: Little's law, the utilisation law, conservation.  Laws B07, B08, F10."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from edasim.simulate import Run, simulate
from edasim.study.validate.identities import (
    CRASH,
    FAULTS,
    KEPT,
    SERVICES,
    day,
    in_logs,
    in_queues,
    queue_moves,
    stays_ns,
    unanswered,
    whole_days,
)
from tests.laws.estimates import assert_near
from tests.laws.shops import ALL, Parts, shop

WHOLE_DAYS = whole_days()
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


@pytest.mark.parametrize("name, architecture", [one for one in EVERYWHERE if one[1] != "kafka"])
def test_littles_law_holds_in_every_queue_to_the_nanosecond(name: str, architecture: str) -> None:
    for queue, (came, left) in queue_moves(whole(name, architecture)).items():
        times = np.concatenate([came.times_ns, left.times_ns])
        moves = np.concatenate([np.ones(len(came), np.int64), -np.ones(len(left), np.int64)])
        order = np.lexsort((-moves, times))
        length = np.cumsum(moves[order])
        area = int(np.sum(length[:-1] * np.diff(times[order]))) if len(length) else 0
        stays = stays_ns(came, left)
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
