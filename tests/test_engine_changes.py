"""Parameters that change within a run take effect at that time, and leave everything before as it was."""

from __future__ import annotations

from typing import Any

import pytest

from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.worlds import ARCHITECTURES, BROKERED, orders_of, outcome, shop, times_s

MANY_PARTITIONS = {"monolith": {}, "rpc": {}, "rabbitmq": {}, "kafka": {
    "topic": {"partitions": 12}, "producer": {"linger.ms": 0},
    "consumer": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000}}}


def steady(**parts: Any) -> Scenario:
    """An order every 100 ms for 10 s, each 10 ms of payment."""
    payment = {"handles": "OrderPlaced", "workers": 2, "work": "10ms", **parts.pop("payment", {})}
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 10/s"}}
    return shop(**{"duration": "10s", "producers": producers, "services": {"payment": payment},
                   "client": {"timeout": "none"}, "architectures": MANY_PARTITIONS, **parts})


def work_s(run: Run) -> list[float]:
    """How long each attempt took, in the order of their starts; one worker handles one order at a time."""
    begun, work = {}, {}
    for fact in run.journal:
        if fact.place.kind == "worker" and fact.verb == "started":
            begun[fact.place.name] = fact.time_s
        elif fact.place.kind == "worker" and fact.verb in ("handled", "failed"):
            work[begun[fact.place.name], fact.place.name] = round(fact.time_s - begun[fact.place.name], 9)
    return [work[key] for key in sorted(work)]


def most_at_once(run: Run, start_s: float, end_s: float) -> int:
    """The most workers that were at work at one time within a stretch."""
    busy: set[str] = set()
    most = 0
    for fact in run.journal:
        if fact.time_s > end_s:
            break
        if fact.place.kind == "worker" and fact.verb == "started":
            busy.add(fact.place.name)
        elif fact.place.kind == "worker":
            busy.discard(fact.place.name)
        if fact.time_s >= start_s:
            most = max(most, len(busy))
    return most


# --- what changes, and from when -----------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("path", "value"), [
    ("services.payment.work", "50ms"), ("services.payment.fails", "50%"), ("services.payment.workers", 5),
    ("services.payment.workers", 1), ("services.payment.poison", "50%"), ("producers.checkout.arrivals", "30/s"),
    ("client.timeout", "1ms"), ("retry.attempts", 1), ("wire.loss", "0.1%"), ("wire.duplicates", "20%"),
    ("wire.producer-to-broker", "50ms"), ("services.payment.idempotent", True),
])
def test_everything_before_a_change_is_as_it_was(architecture: str, path: str, value: object) -> None:
    base = steady(wire="default", payment={"fails": "10%"})
    before, after = (simulate(scenario, architecture, 7) for scenario in (base, base.change({path: value}, at="5s")))
    plain, changed = ([(fact.time_s, fact.verb, fact.number, fact.place) for fact in run.journal if fact.time_s < 5]
                      for run in (before, after))
    assert len(plain) > 150 and plain == changed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_work_begins_at_the_change_and_what_is_under_way_keeps_its_own(architecture: str) -> None:
    scenario = steady(payment={"work": "40ms"}).change({"services.payment.work": "20ms"}, at="5020ms")
    assert work_s(simulate(scenario, architecture)) == [0.04] * 50 + [0.02] * 50


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_failure_rate_holds_from_its_change_on(architecture: str) -> None:
    scenario = steady(retry={"attempts": 1}).change({"services.payment.fails": "100%"}, at="5050ms")
    run = simulate(scenario, architecture)
    assert orders_of(run, "handled") == list(range(1, 51))
    assert orders_of(run, "failed") == list(range(51, 101))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_arrivals_change_their_pace_at_the_change(architecture: str) -> None:
    scenario = steady().change({"producers.checkout.arrivals": "constant 50/s"}, at="5050ms")
    placed = times_s(simulate(scenario, architecture), "placed")
    assert placed == [round(number / 10, 6) for number in range(1, 51)] + [
        round(5.05 + (number - 0.5) / 50, 6) for number in range(1, 249)]  # half an interval was over


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_customers_of_later_orders_have_another_timeout(architecture: str) -> None:
    scenario = steady(payment={"work": "60ms"}, client={"timeout": "1s"})
    run = simulate(scenario.change({"client.timeout": "50ms"}, at="5050ms"), architecture)
    assert orders_of(run, "accepted") == list(range(1, 51))
    assert orders_of(run, "refused") == list(range(51, 101))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("workers", "most"), [(5, 5), (1, 1)])
def test_as_many_workers_as_there_are_to_be(architecture: str, workers: int, most: int) -> None:
    scenario = steady(payment={"work": "2s"}, drain="10min", wire="default")
    scenario = scenario.change({"services.payment.workers": workers}, at="5s")
    run = simulate(scenario, architecture)
    assert most_at_once(run, 0, 4.9) == 2
    assert most_at_once(run, 15, 1000) == most
    assert outcome(run, "done") == 100


PATIENCE = {"attempts": 1000, "backoff": "fixed 100ms", "jitter": "none"}


@pytest.mark.parametrize("architecture", ["rpc", "kafka", "rabbitmq"])
@pytest.mark.parametrize("fault", ["crash", "stop"])
def test_who_comes_back_from_a_crash_finds_the_number_of_workers_that_is_in_force(
    architecture: str, fault: str
) -> None:
    scenario = steady(payment={"work": "1s", "workers": 3}, drain="10min", retry=PATIENCE, wire="default",
                      faults={"crash": {fault: "payment", "at": "3s", "for": "4s"}})
    run = simulate(scenario.change({"services.payment.workers": 1}, at="5s"), architecture)
    assert most_at_once(run, 0, 2.9) == 3
    assert most_at_once(run, 20, 1000) == 1


@pytest.mark.parametrize("architecture", ["rpc", "kafka", "rabbitmq"])
def test_workers_that_are_hired_in_a_crash_of_some_stay(architecture: str) -> None:
    scenario = steady(payment={"work": "1s", "workers": 3}, drain="10min", retry=PATIENCE, wire="default",
                      faults={"crash": {"crash": "payment", "workers": 2, "at": "3s", "for": "4s"}})
    run = simulate(scenario.change({"services.payment.workers": 5}, at="5s"), architecture)
    assert most_at_once(run, 12, 1000) == 5


def test_another_prefetch_holds_from_its_change_on() -> None:
    scenario = steady(payment={"work": "1s", "workers": 1}, drain="10min", wire="default")
    run = simulate(scenario.change({"architectures.rabbitmq.prefetch": 1}, at="5s"), "rabbitmq")
    unsettled, most = 0, {True: 0, False: 0}
    for fact in run.journal:
        if fact.place.name == "payment" and fact.verb in ("delivered", "acknowledged"):
            unsettled += 1 if fact.verb == "delivered" else -1
            most[fact.time_s > 30] = max(most[fact.time_s > 30], unsettled)
    assert most == {False: 20, True: 1}


def test_another_call_timeout_holds_for_later_calls() -> None:
    scenario = steady(payment={"work": "60ms"}, retry={"attempts": 1})
    run = simulate(scenario.change({"architectures.rpc.timeout": "50ms"}, at="5050ms"), "rpc")
    assert orders_of(run, "accepted") == list(range(1, 51))


def test_changes_follow_each_other_in_the_order_of_their_times() -> None:
    scenario = steady().change({"services.payment.work": "30ms"}, at="6s").change(
        {"services.payment.work": "20ms"}, at="3s")
    work = work_s(simulate(scenario, "rabbitmq"))
    assert work == [0.01] * 29 + [0.02] * 30 + [0.03] * 41 or work == [0.01] * 30 + [0.02] * 30 + [0.03] * 40


def test_a_change_at_the_start_is_as_good_as_the_value_itself() -> None:
    changed = steady().change({"services.payment.work": "30ms"}, at="0s")
    assert work_s(simulate(changed, "kafka")) == work_s(simulate(steady(payment={"work": "30ms"}), "kafka"))


@pytest.mark.parametrize(("architecture", "path"), [
    ("rabbitmq", "wire.flush"),
    ("kafka", "wire.broker-to-broker"), ("monolith", "wire.database-commit"),
])
def test_the_brokers_own_steps_change_too(architecture: str, path: str) -> None:
    options = {"monolith": {}, "kafka": {"topic": {"replication.factor": 3}, "producer": {"linger.ms": 0}},
               "rabbitmq": {"queue": {"x-queue-type": "quorum"}}}
    run = simulate(steady(architectures=options).change({path: "40ms"}, at="5050ms"), architecture)
    placed, accepted = times_s(run, "placed"), times_s(run, "accepted")
    waits = [round(yes - asked, 6) for asked, yes in zip(placed, accepted, strict=True)]
    assert max(waits[:50]) <= 0.011
    assert min(waits[50:]) >= 0.04


# --- what cannot -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "value"), [
    ("duration", "20s"), ("drain", "1s"), ("services.payment.handles", ["OrderPlaced"]),
    ("producers.checkout.keys", "none"), ("architectures.kafka.commit", "record"),
    ("architectures.rabbitmq.exchange", "fanout"), ("faults.outage", {"unavailable": "payment", "at": "6s"}),
])
def test_what_a_run_cannot_take_back_cannot_change_within_it(path: str, value: object) -> None:
    with pytest.raises(ScenarioError, match="within a run"):
        steady().change({path: value}, at="5s")


@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
@pytest.mark.parametrize("where", ["back", "aside"])
def test_where_retries_wait_changes_within_a_run_or_is_refused_with_a_sentence(architecture: str, where: str) -> None:
    try:
        scenario = steady(payment={"fails": "50%"}).change({"retry.where": where}, at="5s")
    except ScenarioError as error:
        assert "within a run" in str(error)
        return
    assert simulate(scenario, architecture).quiet


@pytest.mark.parametrize("architecture", BROKERED)
def test_dead_letters_change_within_a_run_or_are_refused_with_a_sentence(architecture: str) -> None:
    base = steady(payment={"fails": "50%", "dead-letters": False}, retry={"attempts": 1})
    try:
        scenario = base.change({"services.payment.dead-letters": True}, at="5s")
    except ScenarioError as error:
        assert "within a run" in str(error)
        return
    assert outcome(simulate(scenario, architecture), "parked") > 5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_after_the_last_of_so_many_orders_a_change_of_arrivals_places_no_more(architecture: str) -> None:
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 10/s"}}
    base = shop(orders=10, producers=producers, services={"payment": {"handles": "OrderPlaced", "work": "2s"}},
                client={"timeout": "none"})
    run = simulate(base.change({"producers.checkout.arrivals": "constant 50/s"}, at="3s"), architecture)
    assert (outcome(run, "placed"), outcome(run, "done"), run.quiet) == (10, 10, True)
