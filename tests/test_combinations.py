"""Features that meet in one service: each is tested by itself elsewhere, here two or three of them together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.invariants import examine
from tests.laws.shops import ALL, SEPARATE, Parts, architectures, shop
from tests.worlds import orders_of, outcome, times_s

STORE = {"write": "10ms", "write-ack": "20ms", "readers": False}
"""A write that takes 30 ms."""


def given(**more: Parts) -> Parts:
    """All architectures with room for two at a time, and what is added to the options of each."""
    return {name: {**options, **more.get(name, {})} for name, options in architectures(2, 2).items()}


def orders_at(times: str, payment: Parts, **rest: Any) -> Scenario:
    """Orders at some seconds for two workers of payment, each 100 ms of work, unless said otherwise."""
    rest.setdefault("architectures", given(rabbitmq={"prefetch": 1}))
    return shop(f"times [{times}]", {"payment": {"work": "100ms", "workers": 2, **payment}}, duration="60s", **rest)


def with_cores(cores: int, payment: Parts, times: str = "1s, 1.01s", **rest: Any) -> Scenario:
    """The same on few cores, those of the process in the monolith."""
    return orders_at(times, {"cores": cores, **payment}, architectures=given(monolith={"cores": cores}), **rest)


# --- a store and cores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ALL)
def test_who_waits_for_a_write_leaves_the_core_to_the_others(architecture: str) -> None:
    """One core: 10 ms alone, then both at half speed until 1.19 s, and the rest of the second one until 1.2 s."""
    run = simulate(with_cores(1, {"store": STORE}), architecture, 1)
    assert times_s(run, "started") == [1.0, 1.01]
    assert times_s(run, "written") == [1.19, 1.2]
    assert times_s(run, "handled") == times_s(run, "applied") == [1.22, 1.23]


@pytest.mark.parametrize("architecture", ALL)
def test_the_cores_are_used_for_work_and_not_for_waiting(architecture: str) -> None:
    """Two works of 100 ms in 60 s on one core; the workers are held 30 ms longer, the second one from 1.01 s on."""
    numbers = simulate(with_cores(1, {"store": STORE}), architecture, 1).summary().services["payment"]
    assert numbers.utilisation == pytest.approx(0.2 / 60)
    assert numbers.at_work == pytest.approx((0.22 + 0.22) / 60)
    if architecture != "monolith":
        faults = {"crash": {"crash": "payment", "at": "1195ms", "for": "120s"}}
        died = simulate(with_cores(1, {"store": STORE}, faults=faults), architecture, 1).summary().services["payment"]
        assert died.utilisation == pytest.approx(0.195 / 60)


@pytest.mark.parametrize("architecture", ALL)
def test_an_outage_stops_shared_work_and_no_write(architecture: str) -> None:
    down = {"unavailable": "payment", "for": "1s"}
    early = with_cores(1, {"store": STORE}, faults={"outage": {**down, "at": "1050ms"}})
    assert times_s(simulate(early, architecture, 1), "written") == [2.19, 2.2]
    late = with_cores(1, {"store": STORE}, faults={"outage": {**down, "at": "1195ms"}})
    run = simulate(late, architecture, 1)
    assert times_s(run, "written") == [1.19, 2.2]
    assert times_s(run, "handled") == [1.22, 2.23]


@pytest.mark.parametrize("architecture", SEPARATE)
def test_who_dies_at_work_leaves_its_share_and_who_dies_waiting_had_none(architecture: str) -> None:
    def crash(at: str) -> Run:
        faults = {"crash": {"crash": "payment", "workers": 1, "at": at, "for": "30s"}}
        return simulate(with_cores(1, {"store": STORE}, faults=faults), architecture, 1)

    assert times_s(crash("1050ms"), "written")[0] == 1.13
    assert times_s(crash("1195ms"), "written")[:2] == [1.19, 1.2]


@pytest.mark.parametrize("architecture", ALL)
def test_failures_of_all_kinds_meet_in_a_service_with_a_store_and_cores(architecture: str) -> None:
    """Attempts that fail after their work, at once, and for want of replicas."""
    faults = {"errors": {"failing": "payment", "share": "30%", "at": "1s", "for": "4s"},
              "disk": {"failing": "payment.replica-1", "share": "50%", "at": "2s", "for": "4s"},
              "slow": {"slow": "payment", "by": "3x", "at": "3s", "for": "2s"},
              "dies": {"crash": "payment", "at": "4s", "for": "1s"}}
    store = {**STORE, "write-quorum": 3}
    scenario = with_cores(1, {"store": store, "fails": "20%", "workers": 4, "work": "exponential 60ms"},
                          times=", ".join(f"{number / 10}s" for number in range(1, 80)), faults=faults)
    run = examine(scenario, architecture, 2)
    verbs = Counter(fact.verb for fact in run.journal)
    assert verbs["failed"] > 15 and verbs["abandoned"] >= 3 and verbs["crashed"] >= 1
    assert verbs["confirmed"] >= verbs["applied"] >= outcome(run, "done") > 20


# --- a breaker and ... ----------------------------------------------------------------------------------------


def failing(payment: Parts, **rest: Any) -> Scenario:
    """Ten orders a second for 20 s; from 5 s to 12 s payment fails after its work of 150 ms."""
    breaker = {"failures": 5, "open-for": "3s", "probes": 2}
    changes = [{"at": "5s", "path": "services.payment.fails", "value": "100%"},
               {"at": "12s", "path": "services.payment.fails", "value": "0%"}]
    return shop("constant 10/s", {"payment": {"work": "150ms", "workers": 4, "breaker": breaker, **payment}},
                **{"duration": "20s", "architectures": architectures(4, 4), "changes": changes,
                   "retry": {"attempts": 2, "backoff": "none"}, **rest})


def begun_while_open(run: Run) -> tuple[int, list[int]]:
    """How many attempts began while the breaker was open, and how many each time that it was half-open."""
    opened, half_opened, closed = (times_s(run, verb) for verb in ("opened", "half-opened", "closed"))
    assert len(opened) == len(half_opened) >= 2 and len(closed) == 1
    starts = times_s(run, "started")
    during = sum(begin + 1e-9 < start < end for begin, end in zip(opened, half_opened, strict=True) for start in starts)
    ends = [*opened[1:], *closed]
    return during, [sum(begin <= start < end for start in starts)
                    for begin, end in zip(half_opened, ends, strict=True)]


@pytest.mark.parametrize("prefetch", [3, 20, "unlimited"])
def test_all_hands_of_unlimited_workers_have_one_breaker(prefetch: object) -> None:
    scenario = failing({"workers": "unlimited"}, architectures={"rabbitmq": {"prefetch": prefetch}})
    run = examine(scenario, "rabbitmq", 1)
    during, probes = begun_while_open(run)
    assert during == 0 and set(probes) == {2}
    assert outcome(run, "done") + outcome(run, "parked") == outcome(run, "placed") == 200
    assert outcome(run, "parked") <= 2 * len(probes) + 5


def test_the_one_consumer_of_unlimited_workers_dies_while_its_hands_wait_for_the_breaker() -> None:
    faults = {"dies": {"crash": "payment", "at": "7s", "for": "500ms"}}
    run = examine(failing({"workers": "unlimited"}, faults=faults, architectures={"rabbitmq": {"prefetch": 20}}),
                  "rabbitmq", 1)
    assert begun_while_open(run)[0] == 0
    assert outcome(run, "done") + outcome(run, "parked") == 200


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_unlimited_workers_are_kept_out_by_one_breaker(architecture: str) -> None:
    run = examine(failing({"workers": "unlimited"}, architectures={architecture: {}}), architecture, 1)
    during, probes = begun_while_open(run)
    assert during == 0 and set(probes) == {2}


@pytest.mark.parametrize("architecture", ALL)
def test_writes_that_fail_open_the_breaker(architecture: str) -> None:
    faults = {f"disk-{number}": {"failing": f"payment.replica-{number}", "at": "5s", "for": "7s"} for number in (1, 2)}
    run = examine(failing({"store": STORE}, changes=[], faults=faults), architecture, 1)
    during, probes = begun_while_open(run)
    assert during == 0 and set(probes) == {2}
    assert times_s(run, "abandoned")[0] == pytest.approx(times_s(run, "failed")[0])
    assert len(times_s(run, "failed")) == len(times_s(run, "abandoned"))


@pytest.mark.parametrize("architecture", ALL)
def test_a_budget_is_earned_by_writes_that_are_confirmed(architecture: str) -> None:
    """Two retries are saved up, and only writes fail."""
    faults = {f"disk-{number}": {"failing": f"payment.replica-{number}", "at": "0s"} for number in (1, 2)}
    retry = {"attempts": 5, "backoff": "none", "budget": {"earns": "100%", "cap": 2}}
    scenario = orders_at("1s, 2s, 3s", {"store": {**STORE, "handoff": False}}, retry=retry, faults=faults)
    assert len(times_s(simulate(scenario, architecture, 1), "started")) == 3 + 2
    well = scenario.change({"faults.disk-1.for": "1500ms"})
    assert len(times_s(simulate(well, architecture, 1), "handled")) == 2


def test_a_call_that_finds_no_room_is_a_failure_for_the_breaker() -> None:
    payment = {"workers": 1, "breaker": {"failures": 2, "open-for": "10s"}}
    run = simulate(orders_at("1s, 1.01s, 1.02s, 1.03s, 20s", payment, retry={"attempts": 1},
                             architectures={"rpc": {"queue-limit": 0}}), "rpc", 1)
    assert (times_s(run, "opened"), times_s(run, "short-circuited")) == ([1.02], [1.03])
    assert (times_s(run, "closed"), outcome(run, "done")) == ([20.1], 2)


def test_an_order_that_finds_no_thread_says_nothing_about_the_service() -> None:
    payment = {"workers": 1, "breaker": {"failures": 2, "open-for": "10s"}}
    run = simulate(orders_at("1s, 1.01s, 1.02s, 1.03s, 20s", payment, retry={"attempts": 1},
                             architectures={"monolith": {"queue-limit": 0, "threads": 1}}), "monolith", 1)
    assert times_s(run, "opened") == []
    assert run.summary().orders.refusals == {"queue full": 3}


# --- priorities and what comes back ----------------------------------------------------------------------------


def urgent_first(options: Parts, architecture: str = "rabbitmq", **rest: Any) -> list[int]:
    """Order 1 is urgent and its first attempt fails at 1.1 s; 2, 3 and 4 came meanwhile: which are handled in turn."""
    scenario = shop("times [1.01s, 1.02s, 1.03s]", {"payment": {"work": "100ms", **rest.pop("payment", {})}},
                    **{"duration": "60s", "architectures": {architecture: options}, **rest})
    scenario = scenario.change({"producers.urgent": {
        "publishes": "OrderPlaced", "arrivals": "times [1s]", "priority": 9}})
    run = examine(scenario.change({"services.payment.fails": "100%"}).change({"services.payment.fails": "0%"},
                                                                             at="1105ms"), architecture, 1)
    assert orders_of(run, "failed") == [1]
    return orders_of(run, "handled")


QUEUES: dict[str, Parts] = {
    "classic": {"x-queue-type": "classic", "x-max-priority": 10},
    "quorum": {"x-queue-type": "quorum"},
    "none": {"x-queue-type": "classic"},
}


@pytest.mark.parametrize(("queue", "back", "aside"), [
    ("classic", [1, 2, 3, 4], [2, 3, 1, 4]),
    ("quorum", [1, 2, 3, 4], [2, 3, 1, 4]),
    ("none", [2, 3, 4, 1], [2, 3, 4, 1]),
])
def test_a_retry_by_way_of_the_broker_keeps_its_priority(queue: str, back: list[int], aside: list[int]) -> None:
    options = {"prefetch": 1, "queue": QUEUES[queue]}
    assert urgent_first(options, retry={"backoff": "none", "where": "back"}) == back
    waits = {"backoff": "fixed 150ms", "jitter": "none"}
    assert urgent_first(options, retry={**waits, "where": "aside"}) == aside
    # Until it is sent back, it is in the hands of a consumer that may have one message.
    assert urgent_first(options, retry={**waits, "where": "back"}) == back


@pytest.mark.parametrize(("queue", "order"), [("classic", [2, 1, 3, 4]), ("quorum", [2, 1, 3, 4]),
                                              ("none", [2, 3, 4, 1])])
def test_what_is_redriven_keeps_its_priority(queue: str, order: list[int]) -> None:
    redriven = {"redrive": {"at": "1150ms", "rate": "100/s"}}
    options = {"prefetch": 1, "queue": QUEUES[queue]}
    assert urgent_first(options, payment=redriven, retry={"attempts": 1}) == order


def given_up(options: Parts, architecture: str, **rest: Any) -> Scenario:
    """Orders 1, 2 and 3 at 1 s and from 9 s on 4 to 6, of which 1 and 4 to 6 are urgent; from 5 s on a dead letter is
    redriven each second.  All that is handled fails.
    """
    payment = {"work": "100ms", "fails": "100%", "redrive": {"at": "5s", "rate": "1/s"}}
    scenario = shop("times [1.01s, 1.02s]", {"payment": payment}, **{
        "duration": "60s", "retry": {"attempts": 1}, "architectures": {architecture: options}, **rest})
    return scenario.change({"producers.urgent": {
        "publishes": "OrderPlaced", "arrivals": "times [1s, 5.8s, 5.81s, 5.82s]", "priority": 9}})


@pytest.mark.parametrize(("architecture", "options"), [
    *(("rabbitmq", {"prefetch": 1, "queue": queue}) for queue in QUEUES.values()),
    *(("kafka", {"topic": {"partitions": number}, "producer": {"linger.ms": 0}}) for number in (1, 2, 5))])
def test_what_lies_there_is_redriven_once_whatever_comes_meanwhile(architecture: str, options: Parts) -> None:
    run = examine(given_up(options, architecture), architecture, 1)
    assert Counter(orders_of(run, "started")) == {1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}
    assert outcome(run, "parked") == 6


@pytest.mark.parametrize("queue", QUEUES.values(), ids=QUEUES)
def test_what_is_redriven_is_what_leaves_the_dead_letters(queue: Parts) -> None:
    """Its copy takes a second to arrive, and urgent ones are given up meanwhile."""
    wire = {"producer-to-broker": "1s"}
    run = examine(given_up({"prefetch": 1, "queue": queue}, "rabbitmq", wire=wire), "rabbitmq", 1)
    assert Counter(orders_of(run, "started")) == {1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}
    assert sorted(orders_of(run, "acknowledged", "payment.dlq")) == [1, 2, 3]


@pytest.mark.parametrize("queue", QUEUES.values(), ids=QUEUES)
def test_dead_letters_that_a_crash_takes_are_not_redriven(queue: Parts) -> None:
    """The copy of the first is under way when the broker dies and forgets what is not on disk."""
    options = {"prefetch": 1, "queue": queue, "persistent": False}
    faults = {"crash": {"crash": "broker", "at": "5500ms", "for": "100ms"}}
    run = examine(given_up(options, "rabbitmq", wire={"producer-to-broker": "1s"}, faults=faults), "rabbitmq", 1)
    forgets = queue["x-queue-type"] == "classic"
    starts = Counter(orders_of(run, "started"))
    assert [starts[order] for order in (1, 2, 3)] == ([2, 1, 1] if forgets else [2, 2, 2])
    assert len(times_s(run, "dropped", "payment.dlq")) == 3 * forgets


@pytest.mark.parametrize(("discipline", "order"), [("priority", [2, 1, 3, 4]), ("fifo", [2, 3, 4, 1])])
def test_a_call_that_is_made_again_keeps_its_priority(discipline: str, order: list[int]) -> None:
    assert urgent_first({"discipline": discipline}, "rpc", retry={"backoff": "none"}) == order


@pytest.mark.parametrize(("queue", "order"), [("classic", [1, 2, 1, 3, 4]), ("quorum", [1, 2, 1, 3, 4]),
                                              ("none", [1, 2, 3, 4, 1])])
def test_a_copy_that_comes_late_has_the_priority_of_its_message(queue: str, order: list[int]) -> None:
    scenario = shop("times [1.01s, 1.02s, 1.03s]", {"payment": {"work": "100ms"}}, duration="60s", architectures={
        "rabbitmq": {"prefetch": 1, "queue": QUEUES[queue]}})
    again = {"duplicating": "urgent -> broker", "share": "100%", "after": "150ms", "at": "0s", "for": "1.1s"}
    urgent = {"publishes": "OrderPlaced", "arrivals": "times [1s]", "priority": 9}
    scenario = scenario.change({"producers.urgent": urgent, "faults.again": again})
    assert orders_of(examine(scenario, "rabbitmq", 1), "handled") == order


# --- a window of recognition and a store -----------------------------------------------------------------------


@pytest.mark.parametrize(("window", "versions"), [("10s", 3), ("2s", 6)])
@pytest.mark.parametrize("architecture", SEPARATE)
def test_a_repetition_within_the_window_writes_no_version(architecture: str, window: str, versions: int) -> None:
    link = "gateway -> payment" if architecture == "rpc" else "payment -> broker"
    faults = {"again": {"duplicating": link, "share": "100%", "after": "8s", "at": "0s", "for": "5s"}}
    scenario = orders_at("1s, 2s, 3s", {"workers": 3, "store": STORE, "idempotent": {"for": window}}, faults=faults)
    run = examine(scenario, architecture, 1)
    verbs = Counter(fact.verb for fact in run.journal)
    assert (verbs["started"], verbs["written"], verbs["applied"]) == (6, versions, versions)
    assert verbs["deduplicated"] == 6 - versions
