"""A shop whose workers commit in transactions: what shows twice, what does not, and what goes on after a fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edasim import load, simulate
from edasim.measure.lag import stretches
from edasim.measure.orders import Orders
from edasim.measure.reading import Reading
from edasim.measure.services import ServiceReading
from edasim.pictures.flow_data import flow_data
from edasim.simulate import Run
from edasim.study.description import Description
from tests.worlds import shop, times_s

CHAIN = {
    "payment": {"handles": "OrderPlaced", "workers": 3, "work": "exponential 30ms", "publishes": "PaymentCaptured"},
    "shipping": {"handles": "PaymentCaptured", "workers": 2, "work": "exponential 10ms"},
}
CRASH = {"kill": {"crash": "payment", "at": "3.3s", "for": "1s"}}


def chain(commit: str = "transaction", faults: Any = CRASH, payment: Any = None, **parts: Any) -> Run:
    """300 orders that are paid and then shipped."""
    services = {**CHAIN, "payment": {**CHAIN["payment"], **(payment or {})}}
    kafka = {"commit": commit, "topic": {"partitions": 6},
             "consumer": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000}, **parts.pop("kafka", {})}
    world = shop(orders=300, services=services, faults=faults, architectures={"kafka": kafka}, drain="300s",
                 producers={"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 85/s"}}, wire="default",
                 client={"timeout": "60s"},
                 **parts)
    return simulate(world, "kafka", seed=5)


def twice(run: Run, service: str) -> int:
    return run.summary().services[service].duplicated_effects


def orders(run: Run, outcome: str = "done") -> int:
    return run.summary().outcomes[outcome]


def test_within_kafka_nothing_shows_twice_but_a_charge_still_does() -> None:
    at_least, exactly = chain("poll"), chain("transaction")
    assert orders(at_least) == orders(exactly) == 300
    assert twice(at_least, "payment") > 5
    assert twice(exactly, "payment") > 5
    assert twice(at_least, "shipping") > 5
    assert twice(exactly, "shipping") == 0


def test_a_reader_of_what_is_uncommitted_ships_twice_all_the_same() -> None:
    run = chain(kafka={"consumer": {"isolation.level": "read_uncommitted", "session.timeout.ms": 6000}})
    assert twice(run, "shipping") > 5


def test_who_recognises_a_payment_announces_it_again_when_the_announcement_was_aborted() -> None:
    run = chain(payment={"idempotent": True})
    assert (orders(run), twice(run, "payment"), twice(run, "shipping")) == (300, 0, 0)


def test_what_is_stopped_properly_does_nothing_twice() -> None:
    run = chain(faults={"release": {"deploy": "payment", "rolling": "700ms", "at": "1.1s"}})
    assert (orders(run), twice(run, "payment"), twice(run, "shipping")) == (300, 0, 0)
    assert not times_s(run, "aborted")


@pytest.mark.parametrize("where", ["worker", "aside", "back"])
def test_copies_for_retry_and_dead_letter_topics_are_part_of_the_transaction(where: str) -> None:
    retry = {"attempts": 3, "backoff": "fixed 200ms", "where": where}
    broken = chain(payment={"fails": "20%", "poison": "3%"}, retry=retry)
    assert orders(broken) + orders(broken, "parked") == 300
    assert orders(broken, "parked") > 2
    assert twice(broken, "shipping") == 0


def test_a_transaction_that_takes_too_long_is_aborted_and_done_again() -> None:
    hold = {"outage": {"unavailable": "payment", "at": "2s", "for": "15s"}}
    run = chain(faults=hold, kafka={
        "producer": {"transaction.timeout.ms": 3000, "delivery.timeout.ms": 3000, "request.timeout.ms": 2000},
        "broker": {"transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000}})
    assert orders(run) == 300
    assert twice(run, "payment") > 0
    assert twice(run, "shipping") == 0


def test_its_successor_takes_over_the_id_and_readers_need_not_wait_for_the_timeout() -> None:
    waits = max(times_s(chain(), "applied", "shipping"))
    never_back = chain(faults={"kill": {"crash": "payment", "at": "3.3s", "workers": 1}})
    assert waits < 30 < 60 < max(times_s(never_back, "applied", "shipping"))


def test_markers_outlive_the_leader_of_their_partition() -> None:
    run = chain(faults={"node": {"crash": "broker-2", "at": "1.7s", "for": "3s"}},
                kafka={"topic": {"partitions": 6, "replication.factor": 3, "min.insync.replicas": 2}})
    assert (orders(run), twice(run, "shipping")) == (300, 0)


def test_lag_counts_records_and_not_markers() -> None:
    run = chain(faults={})
    began, settled = stretches(Reading(run), "shipping")
    assert len(began) == 300
    assert (settled > began).all() and (settled < 1e9).all()


@pytest.mark.parametrize("retry", [None, {"attempts": 3, "backoff": "fixed 200ms", "where": "aside"}])
def test_what_waits_in_the_animation_is_the_backlog_that_is_measured(retry: Any) -> None:
    run = chain(payment={"fails": "20%"} if retry else {}, **({"retry": retry} if retry else {}))
    assert len(times_s(run, "aborted")) > 5
    data, reading = flow_data(run), Reading(run)
    for service in run.scenario.services:
        begins, ends = ServiceReading(reading, Orders(reading), service).waiting()
        for time_s in np.linspace(0.5, run.end_ns / 1e9 - 1e-6, 60):
            there = int(np.sum(begins <= time_s) - np.sum(ends <= time_s))
            assert data.waiting(service, time_s) == there, f"{service} at {time_s}"
        assert np.isfinite(ends).all()


def test_a_description_says_what_a_transaction_holds() -> None:
    told = "\n".join(Description(load("scenarios/kafka-exactly-once.yml"), ("kafka",)).paragraphs())
    assert "shows in one transaction with its offsets" in told
