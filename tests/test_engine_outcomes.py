"""Whatever breaks, the books balance, every order has one outcome, and a run ends quiet or at its drain's end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edasim.core import clock
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.invariants import examine
from tests.worlds import ARCHITECTURES, BROKERED, one_order, outcome, shop, times_s

ENDS = ("refused", "done", "parked", "lost", "pending")
SHARES = st.sampled_from(["0%", "10%", "50%"])
BACKOFFS = st.sampled_from(["none", "fixed 30ms", "exponential 10ms x2 max 200ms"])
RETRIES = st.fixed_dictionaries({
    "attempts": st.integers(1, 4), "backoff": BACKOFFS, "where": st.sampled_from(["worker", "back", "aside"]),
    "jitter": st.sampled_from(["none", "full", "equal", "decorrelated"]),
})
BREAKERS: list[dict[str, Any]] = [
    {}, {}, {"breaker": {"failures": 2, "open-for": "100ms"}},
    {"breaker": {"failures": 1, "open-for": "30ms", "probes": 3}},
    {"breaker": {"failure-rate": "50%", "window": 3, "open-for": "1s", "probes": 2}}]
BUDGETS: list[dict[str, Any]] = [{}, {"budget": {"earns": "10%", "cap": 2}}]
WIRES = st.one_of(
    st.sampled_from(["none", "default"]),
    st.fixed_dictionaries({"base": st.just("default"), "loss": st.sampled_from(["0%", "1%"]),
                           "duplicates": st.sampled_from(["0%", "10%"])}),
)


@st.composite
def services(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Payment and inventory for every order; shipping and mail for what payment publishes, if it does."""

    def service(handles: Any) -> dict[str, Any]:
        return {"handles": handles, "workers": draw(st.integers(1, 3)), "fails": draw(SHARES), "poison": draw(SHARES),
                "work": draw(st.sampled_from(["0s", "10ms", "exponential 20ms"])),
                "idempotent": draw(st.sampled_from([False, True, {"remembers": 3}, {"for": "100ms"}])),
                "dead-letters": draw(st.booleans()), **draw(st.sampled_from(BREAKERS))}

    made = {"payment": service("OrderPlaced"), "inventory": service("OrderPlaced")}
    made["inventory"]["required"] = draw(st.booleans())
    publishes: Any = draw(st.sampled_from([None, "Paid", ["Paid", "Billed"], {"Paid": "60%", "Declined": "30%"}]))
    if publishes:
        made["payment"]["publishes"] = publishes
        made["shipping"] = service("Paid")
    if isinstance(publishes, dict):
        made["mail"] = service("Declined")
    return made


@st.composite
def fault(draw: st.DrawFn) -> dict[str, Any]:
    """One fault within the first two seconds; half of those on links hit what lies between two parts."""
    kind = draw(st.sampled_from(["unavailable", "failing", "slow", "crash", "stop", "cut", "lossy", "duplicating",
                                 "deploy"]))
    made: dict[str, Any] = {"at": draw(st.sampled_from(["0s", "300ms", "1s"]))}
    if kind == "deploy":
        return {**made, kind: "payment", "rolling": "200ms"}
    made["for"] = draw(st.sampled_from(["0s", "150ms", "1s"]))
    links = ["payment", "checkout", "broker", "payment <-> broker", "broker -> inventory", "gateway -> payment"]
    parts = ["payment", "inventory", "broker", "database"]
    made[kind] = draw(st.sampled_from(links if kind in ("cut", "lossy", "duplicating") else parts))
    if kind == "slow":
        made["by"] = "3x"
    if kind in ("lossy", "duplicating"):
        made["share"] = draw(st.sampled_from(["5%", "60%"]))
    if kind == "duplicating":
        made |= draw(st.sampled_from([{}, {"after": "200ms"}]))
    return made


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Forty orders in about a second and whatever may happen to them."""
    producer = {"publishes": "OrderPlaced", "arrivals": draw(st.sampled_from(["poisson 40/s", "constant 40/s"])),
                "keys": draw(st.sampled_from(["none", "each order", "uniform over 3"]))}
    faults = draw(st.lists(fault(), max_size=3))
    kafka = {"commit": draw(st.sampled_from(["auto", "record", "poll", "before", "transaction"])),
             "topic": {"partitions": draw(st.sampled_from([1, 4])),
                       "replication.factor": draw(st.sampled_from([1, 3]))},
             "consumer": {"session.timeout.ms": 6000, "partition.assignment.strategy": [
                 draw(st.sampled_from(["range", "cooperative-sticky"]))]}}
    rabbitmq = {"prefetch": draw(st.sampled_from([1, 20, "unlimited"])), "confirms": draw(st.booleans()),
                "auto-ack": draw(st.booleans()), "exchange": draw(st.sampled_from(["topic", "fanout", "headers"])),
                "queue": {"x-queue-type": draw(st.sampled_from(["classic", "quorum"]))}}
    rpc = {"calls": draw(st.sampled_from(["sequential", "parallel"])), "cancels": draw(st.booleans()),
           "timeout": draw(st.sampled_from(["none", "100ms"]))}
    return shop(
        orders=40, drain=draw(st.sampled_from(["0s", "1s", "60s", "60s"])), producers={"checkout": producer},
        services=draw(services()), retry=draw(RETRIES) | draw(st.sampled_from(BUDGETS)), wire=draw(WIRES),
        faults={f"fault-{number}": made for number, made in enumerate(faults)},
        client={"timeout": draw(st.sampled_from(["none", "300ms"])), "retries": draw(st.integers(0, 1)),
                **draw(st.sampled_from(BUDGETS))},
        architectures={"monolith": {"cancels": rpc["cancels"]}, "rpc": rpc, "kafka": kafka, "rabbitmq": rabbitmq},
    )


def double_booked(run: Run) -> list[str]:
    """Workers that began with a message while they had another, or ended what they had not begun."""
    hands: dict[str, int] = {}
    wrong = []
    for fact in run.journal:
        if fact.place.kind != "worker":
            continue
        if fact.verb == "started":
            wrong += [str(fact)] if fact.place.name in hands else []
            hands[fact.place.name] = fact.number
        elif hands.pop(fact.place.name, None) != fact.number:
            wrong.append(str(fact))
    return wrong


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios(), seed=st.integers(1, 5))
def test_every_order_ends_in_one_way_and_the_run_ends_quiet_or_at_its_limit(
    architecture: str, scenario: Scenario, seed: int
) -> None:
    run = simulate(scenario, architecture, seed)  # raises when the books do not balance
    outcomes = run.summary().outcomes
    assert sum(outcomes[end] for end in ENDS) == outcomes["placed"] == 40
    assert run.quiet or run.end_ns == run.closed_ns + scenario.drain
    assert not (run.quiet and outcomes["pending"])
    assert double_booked(run) == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios(), seed=st.integers(1, 5))
def test_an_idempotent_service_applies_a_message_once(architecture: str, scenario: Scenario, seed: int) -> None:
    run = simulate(scenario, architecture, seed)
    applied = [(fact.place.name, fact.number) for fact in run.journal if fact.verb == "applied"]
    for name, spec in scenario.services.items():
        mine = [number for service, number in applied if service == name]
        assert len(mine) == len(set(mine)) or spec.idempotent is not True


SAFE = {"monolith": {}, "rpc": {}, "kafka": {"topic": {"partitions": 4}, "consumer": {"session.timeout.ms": 6000}},
        "rabbitmq": {}}


@pytest.mark.parametrize("architecture", BROKERED)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(fault(), max_size=3), retry=RETRIES, wire=WIRES, seed=st.integers(1, 5))
def test_with_default_options_no_accepted_order_is_lost(
    architecture: str, faults: list[dict[str, Any]], retry: dict[str, Any], wire: Any, seed: int
) -> None:
    payment = {"handles": "OrderPlaced", "workers": 2, "work": "10ms", "fails": "20%", "publishes": "Paid"}
    others = {"shipping": {"handles": "Paid", "work": "10ms"}, "inventory": {"handles": "OrderPlaced", "work": "10ms"}}
    run = simulate(shop(services={"payment": payment, **others}, retry=retry, wire=wire, architectures=SAFE,
                        faults={f"fault-{number}": made for number, made in enumerate(faults)}), architecture, seed)
    assert (outcome(run, "lost"), outcome(run, "pending"), run.quiet) == (0, 0, True)


# --- single cases that once went wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_a_chain_of_idempotent_services_does_nothing_twice_for_a_customer_who_tries_again(architecture: str) -> None:
    # The first try is slower than the customer's patience, but it is done; the second finds that it is.
    services = {"payment": {"handles": "OrderPlaced", "workers": 2, "work": "600ms", "idempotent": True,
                            "publishes": "Paid"},
                "shipping": {"handles": "Paid", "workers": 2, "work": "600ms", "idempotent": True}}
    run = simulate(one_order(services=services, client={"timeout": "1s", "retries": 1, "backoff": "fixed 1s"}),
                   architecture)
    assert (outcome(run, "done"), len(times_s(run, "applied", "shipping"))) == (1, 1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_without_an_order_has_numbers_too(architecture: str) -> None:
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 1/h"}}
    run = simulate(shop(duration="10s", producers=producers), architecture)
    assert run.summary().outcomes["placed"] == 0
    assert run.summary().as_dict()["services"]["payment"]["handled"] == 0


@pytest.mark.parametrize("architecture", ["rpc", "rabbitmq", "kafka"])
def test_a_wire_that_repeats_everything_does_not_stop_time(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = {"handles": "OrderPlaced", "work": "10ms", "idempotent": True}
    faults = {"echo": {"duplicating": "payment", "share": "100%", "at": "500ms", "for": "1s"}}
    monkeypatch.setattr(clock, "SAME_INSTANT_LIMIT", 10_000)
    run = simulate(shop(services={"payment": payment}, faults=faults, wire="default"), architecture)
    assert (outcome(run, "done"), run.quiet) == (40, True)


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "rabbitmq"])
def test_nobody_is_busier_than_all_the_time(architecture: str) -> None:
    payment = {"handles": "OrderPlaced", "workers": 1, "work": "100ms"}
    scenario = shop(services={"payment": payment}, wire="default").change({"services.payment.workers": 8}, at="1s")
    run = simulate(scenario.change({"services.payment.work": "2s"}, at="1s"), architecture)
    assert run.summary().services["payment"].utilisation <= 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nobody_waits_for_what_a_service_would_have_published_before_it_joined(architecture: str) -> None:
    services = {
        "payment": {"handles": "OrderPlaced", "work": "10ms"},
        "rating": {"handles": "OrderPlaced", "work": "10ms", "publishes": "Rated", "joins": "1s"},
        "mail": {"handles": "Rated", "work": "10ms"},
    }
    run = simulate(shop(services=services), architecture, 7)
    assert 0 < sum(time_s < 1 for time_s in times_s(run, "placed")) < 40
    assert (outcome(run, "done"), outcome(run, "lost")) == (40, 0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_after_it_joined_they_do(architecture: str) -> None:
    services = {
        "rating": {"handles": "OrderPlaced", "work": "10ms", "publishes": "Rated", "joins": "500ms"},
        "mail": {"handles": "Rated", "work": "10ms", "fails": "100%"},
    }
    run = simulate(shop(services=services, retry={"attempts": 1}), architecture, 7)
    late = sum(time_s >= 0.5 for time_s in times_s(run, "placed"))
    assert outcome(run, "done") == 40 - late
    assert outcome(run, "parked" if architecture in BROKERED else "refused") == late > 0


def test_a_run_of_no_length_has_numbers_all_the_same() -> None:
    """One order at 0 s ends the placing at once: there is no time over which anything could be averaged."""
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "times [0s, 1s]"}}
    services = {"payment": {"handles": "OrderPlaced", "work": "2ms", "store": {}}}
    for architecture in ARCHITECTURES:
        run = examine(shop(orders=1, producers=producers, services=services), architecture, 7)
        assert run.closed_ns == 0
