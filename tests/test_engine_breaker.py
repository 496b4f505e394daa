"""Circuit breakers: when they open, what gets through when, and what callers do who are kept out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from edasim.core.journal import Verb
from edasim.core.world import World
from edasim.scenario.breaker import Breaker as BreakerSpec
from edasim.scenario.retry_policy import Budget as BudgetSpec
from edasim.scenario.value import Scenario
from edasim.services.breaker import NO_PERMIT, Breaker
from edasim.services.retry import Budget
from edasim.simulate import Run, simulate
from tests.worlds import ARCHITECTURES, BROKERED, orders_of, shop, times_s

SECOND = 1_000_000_000


class Bench:
    """A breaker on a clock of its own."""

    def __init__(self, **spec: Any) -> None:
        self.world = World(seed=1)
        self.breaker = Breaker(self.world, "payment", BreakerSpec.model_validate(spec))

    def calls(self, outcomes: Iterable[bool]) -> None:
        """One call after another that ends so."""
        for ok in outcomes:
            self.breaker.over(self.breaker.enter(), ok)

    def permits(self, number: int) -> list[bool]:
        """Who of so many that ask now gets one."""
        return [self.breaker.enter() != NO_PERMIT for _ in range(number)]

    def advance(self, time_s: float) -> None:
        self.world.clock.advance(self.world.clock.now_ns + round(time_s * SECOND))

    @property
    def story(self) -> list[str]:
        return [fact.verb for fact in self.world.journal]


# --- when it opens -------------------------------------------------------------------------------------------


def test_it_opens_after_failures_in_a_row_and_a_success_between_them_counts_anew() -> None:
    bench = Bench(failures=3)
    bench.calls([False, False, True, False, False])
    assert bench.permits(1) == [True]
    bench.calls([False])
    assert (bench.permits(2), bench.story) == ([False, False], ["opened"])


@pytest.mark.parametrize(("outcomes", "opens"), [
    ([False, False, False], False),  # the window is not full
    ([False, True, False, True], True),
    ([True, True, True, False], False),
    ([True, True, True, True, False, False], True),  # the oldest leave the window
    ([False, False, True, True, True, True, False], True),
])
def test_it_opens_when_half_of_the_last_four_calls_failed(outcomes: list[bool], opens: bool) -> None:
    bench = Bench(**{"failure-rate": "50%", "window": 4})
    bench.calls(outcomes)
    assert (bench.story == ["opened"]) is opens


# --- half-open -----------------------------------------------------------------------------------------------


def opened(**spec: Any) -> Bench:
    bench = Bench(**{"failures": 1, "open-for": "10s", **spec})
    bench.calls([False])
    return bench


@pytest.mark.parametrize("probes", [1, 3])
def test_after_its_time_exactly_the_probes_get_through(probes: int) -> None:
    bench = opened(probes=probes)
    bench.advance(9.999)
    assert bench.permits(2) == [False, False]
    bench.advance(0.001)
    assert bench.permits(probes + 2) == [True] * probes + [False, False]


def test_it_closes_when_all_probes_end_well() -> None:
    bench = opened(probes=2)
    bench.advance(10)
    first, second = bench.breaker.enter(), bench.breaker.enter()
    bench.breaker.over(first, True)
    assert bench.permits(1) == [False]
    bench.breaker.over(second, True)
    assert (bench.permits(9), bench.story) == ([True] * 9, ["opened", "half-opened", "closed"])


def test_one_probe_that_fails_opens_it_for_the_whole_time_again() -> None:
    bench = opened(probes=3)
    bench.advance(10)
    first, second, third = (bench.breaker.enter() for _ in range(3))
    bench.breaker.over(first, True)
    bench.advance(1)
    bench.breaker.over(second, False)
    bench.breaker.over(third, True)  # too late to matter
    bench.advance(9.9)
    assert bench.permits(1) == [False]
    bench.advance(0.1)
    assert (bench.permits(1), bench.story) == ([True], ["opened", "half-opened", "opened", "half-opened"])


def test_how_a_call_ends_that_began_before_is_no_news() -> None:
    bench = Bench(failures=1, **{"open-for": "1s"})
    early, late = bench.breaker.enter(), bench.breaker.enter()
    bench.breaker.over(early, False)
    bench.advance(1)
    bench.breaker.over(late, True)
    assert bench.story == ["opened", "half-opened"]


def test_a_probe_that_is_called_off_leaves_its_permit_to_another() -> None:
    bench = opened(probes=1)
    bench.advance(10)
    permit = bench.breaker.enter()
    assert bench.permits(1) == [False]
    bench.breaker.abandon(permit)
    assert bench.permits(2) == [True, False]


def test_those_who_wait_are_let_in_one_after_another() -> None:
    bench = opened(probes=2)
    let_in: list[tuple[str, int]] = []
    for name in "abcde":
        bench.breaker.waiting.append(lambda name=name: let_in.append((name, bench.breaker.enter())))  # type: ignore[misc]
    bench.advance(10)
    assert [name for name, _ in let_in] == ["a", "b"]
    for _, permit in list(let_in):
        bench.breaker.over(permit, True)
    assert [name for name, _ in let_in] == ["a", "b", "c", "d", "e"]


# --- in the architectures --------------------------------------------------------------------------------------


def outage(**parts: Any) -> Scenario:
    """Ten orders a second for 30 s; from 5 s to 18 s payment fails each attempt, after its work of 40 ms."""
    payment = {"handles": "OrderPlaced", "workers": 4, "work": "40ms",
               "breaker": {"failures": 5, "open-for": "4s", "probes": 2}, **parts.pop("payment", {})}
    return shop(**{
        "duration": "30s", "services": {"payment": payment}, "retry": {"attempts": 2, "backoff": "none"},
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 10/s"}},
        "client": {"timeout": "none"},
        "changes": [{"at": "5s", "path": "services.payment.fails", "value": "100%"},
                    {"at": "18s", "path": "services.payment.fails", "value": "0%"}],
        "architectures": {"monolith": {}, "rpc": {}, "rabbitmq": {},
                          "kafka": {"topic": {"partitions": 4}, "producer": {"linger.ms": 0}}}, **parts})


def count(run: Run, verb: Verb, since_s: float = 0, until_s: float = 1e9) -> int:
    facts = run.facts
    inside = (facts.times_ns >= since_s * SECOND) & (facts.times_ns < until_s * SECOND)
    return int((inside & (facts.verbs == verb)).sum())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_service_that_fails_is_left_in_peace_but_for_probes(architecture: str) -> None:
    run = simulate(outage(payment={"work": "150ms"}), architecture)
    opened, half_opened, closed = (times_s(run, verb) for verb in ("opened", "half-opened", "closed"))
    assert len(opened) == 4 == len(half_opened)
    assert len(closed) == 1 and 18 < closed[0] < opened[-1] + 4.6
    for begin, end in zip(opened, half_opened, strict=True):
        assert end == pytest.approx(begin + 4)
        # Those that were at work already end; no attempt begins.
        assert count(run, Verb.started, begin + 1e-9, end) == 0
    for begin, end in zip(half_opened, [*opened[1:], *closed], strict=True):
        assert count(run, Verb.started, begin, end) == 2
    assert run.quiet


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_who_is_kept_out_is_told_at_once(architecture: str) -> None:
    run = simulate(outage(), architecture)
    reasons = run.summary().orders.refusals
    kept_out = count(run, Verb.short_circuited)
    assert reasons["payment breaker open"] == kept_out == run.summary().services["payment"].short_circuited > 100
    assert run.summary().services["payment"].breaker_openings == len(times_s(run, "opened"))
    assert f"{kept_out} calls not made" in str(run)
    without = simulate(outage().change({"services.payment.breaker": None}), architecture)
    assert count(without, Verb.started) > count(run, Verb.started) + 200
    assert set(without.summary().orders.refusals) == {"payment failed"}


@pytest.mark.parametrize("where", ["worker", "back", "aside"])
@pytest.mark.parametrize("architecture", BROKERED)
def test_on_a_broker_messages_wait_instead_of_being_given_up(architecture: str, where: str) -> None:
    scenario = outage(retry={"attempts": 2, "backoff": "none", "where": where})
    run = simulate(scenario, architecture)
    without = simulate(scenario.change({"services.payment.breaker": None}), architecture)
    assert without.summary().services["payment"].dead_lettered > 100
    assert run.summary().services["payment"].dead_lettered <= 8
    assert run.summary().outcomes["done"] + run.summary().outcomes["parked"] == run.summary().outcomes["placed"]
    assert count(run, Verb.short_circuited) == 0


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_an_order_that_can_do_without_the_service_goes_on(architecture: str) -> None:
    services = {
        "payment": {"handles": "OrderPlaced", "work": "1ms", "fails": "100%", "required": False,
                    "breaker": {"failures": 2, "open-for": "1h"}},
        "shipping": {"handles": "OrderPlaced", "work": "1ms"},
    }
    run = simulate(shop(services=services, retry={"attempts": 1}), architecture)
    assert len(orders_of(run, "started", "")) == 2 + 40
    assert (run.summary().outcomes["done"], len(orders_of(run, "short-circuited"))) == (40, 38)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["crash", "stop"])
def test_workers_that_go_in_the_middle_of_a_probe_do_not_keep_it_half_open(architecture: str, kind: str) -> None:
    payment = {"work": "300ms"}
    half_open_s = times_s(simulate(outage(payment=payment), architecture), "half-opened")[0]
    faults = {"gone": {kind: "payment", "at": f"{half_open_s + 0.15:g}s", "for": "50ms"}}
    run = simulate(outage(payment=payment, faults=faults), architecture)
    assert times_s(run, "half-opened")[0] == half_open_s
    assert kind == "stop" or architecture == "rpc" or len(times_s(run, "crashed")) >= 1
    assert (len(times_s(run, "closed")), run.quiet) == (1, True)


def test_a_customer_who_leaves_takes_no_permit_along() -> None:
    options = {"monolith": {"cancels": True}, "rpc": {"cancels": True}}
    for architecture in options:
        run = simulate(outage(client={"timeout": "20ms"}, architectures=options, changes=[
            {"at": "5s", "path": "services.payment.fails", "value": "100%"},
            {"at": "5s", "path": "client.timeout", "value": "1s"},
            {"at": "9500ms", "path": "client.timeout", "value": "10ms"},
            {"at": "20s", "path": "services.payment.fails", "value": "0%"},
            {"at": "20s", "path": "client.timeout", "value": "1s"}]), architecture)
        assert len(times_s(run, "closed")) == 1
        assert count(run, Verb.accepted, 21) > 80


# --- budgets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_budget_that_is_used_up_makes_the_attempt_the_last(architecture: str) -> None:
    """Seven retries are saved up, and nothing ever succeeds."""
    payment = {"fails": "100%", "breaker": None}
    retry = {"attempts": 4, "backoff": "none", "budget": {"earns": "50%", "cap": 7}}
    run = simulate(outage(payment=payment, retry=retry, changes=[]), architecture)
    assert count(run, Verb.retried) == 7
    assert count(run, Verb.started) == 300 + 7
    told = "refused" if architecture in ("monolith", "rpc") else "parked"
    assert run.summary().outcomes[told] == 300


def test_customers_share_a_budget_that_can_change_within_a_run() -> None:
    payment = {"fails": "100%", "breaker": None}
    client = {"timeout": "1s", "retries": 1, "budget": {"earns": "0%", "cap": 20}}
    changes = [{"at": "1s", "path": "client.budget.cap", "value": 5}]
    run = simulate(outage(payment=payment, client=client, retry={"attempts": 1}, changes=changes), "rpc")
    # Ten orders in the first second; then of what was saved up five are left.
    assert count(run, Verb.retried, 0, 1) + 5 == count(run, Verb.retried) == 14


def test_a_budget_saves_no_more_than_its_cap_and_ten_tenths_are_one() -> None:
    budget = Budget(BudgetSpec.model_validate({"earns": "10%", "cap": 3}))
    for _ in range(100):
        budget.earn()
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]
    for _ in range(9):
        budget.earn()
    assert budget.spend() is False
    budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


# --- repetitions that come late ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("architecture", "link"), [
    ("rpc", "gateway -> payment"), *((name, link) for name in BROKERED for link in ("payment -> broker",
                                                                                    "checkout -> broker"))])
def test_a_run_is_not_over_before_a_repetition_that_comes_late(architecture: str, link: str) -> None:
    """All is answered within 5 s, and again after 8 s."""
    again = {"duplicating": link, "share": "100%", "after": "8s", "at": "0s", "for": "5s"}
    kafka = {"producer": {"enable.idempotence": False}}
    run = simulate(shop(orders=6, faults={"again": again}, architectures={
        "rpc": {}, "rabbitmq": {}, "kafka": kafka}), architecture)
    assert count(run, Verb.handled) == 12
    assert (run.quiet, count(run, Verb.handled, 8)) == (True, 6)
