"""Retries that have to be paid for, retry storms, breakers, windows of recognition.  Laws D13, D14, D16, D18, F05."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edasim.core.journal import Verb
from edasim.simulate import Run, simulate
from tests.laws.estimates import assert_agrees, replicate
from tests.laws.shops import ALL, BROKERS, Parts, Scenario, architectures, shop, single_station


def count(run: Run, verb: Verb) -> int:
    """How many facts of a kind there are."""
    return int(np.sum(run.facts.verbs == verb))


# --- D18 ------------------------------------------------------------------------------------------------------------


def budgeted(orders: int, percent: float, attempts: int, where: str = "worker", **budget: object) -> Scenario:
    """Attempts that fail; each retry costs a token that successes have earned."""
    retry = {"attempts": attempts, "backoff": "none", "where": where, "budget": budget}
    scenario = single_station("constant 400/s", "1ms", duration=f"{orders / 400:g}s", retry=retry)
    return scenario.change({"services.payment.fails": f"{percent}%"})


def load_factor(fails: float, earns: float) -> float:
    """Attempts for each call when every retry that successes pay for is made: x = earns (1 - fails)(1 + x)."""
    return 1 + earns * (1 - fails) / (1 - earns * (1 - fails))


@pytest.mark.parametrize("orders, percent, earns, architecture, where", [
    (40_000, 50, 10, "monolith", "worker"),
    *((10_000, 50, 10, architecture, "worker") for architecture in ("rpc", *BROKERS)),
    *((5_000, 60, 20, architecture, where) for architecture in BROKERS for where in ("back", "aside")),
    (10_000, 80, 40, "rpc", "worker"),
])
def test_retries_are_no_more_than_what_successes_pay_for(
        orders: int, percent: float, earns: float, architecture: str, where: str) -> None:
    """Within .003 of 1.0526 at 40,000 calls; at fewer within four standard deviations of the successes' share of it."""
    run = simulate(budgeted(orders, percent, 2, where, earns=f"{earns}%", cap=10), architecture, 1)
    found = run.summary().services["payment"].attempts / orders
    allowed = 0.003 if orders == 40_000 else 4 * earns / 100 * 0.5 / math.sqrt(orders) + 11 / orders
    assert abs(found - load_factor(percent / 100, earns / 100)) <= allowed
    retried, succeeded = count(run, Verb.retried), count(run, Verb.handled)
    assert retried <= 10 + earns / 100 * succeeded < retried + 2


def test_customers_have_a_budget_of_their_own() -> None:
    client = {"timeout": "none", "retries": 1, "budget": {"earns": "10%", "cap": 10}}
    scenario = budgeted(20_000, 50, 1).change({"client": client, "retry": {"attempts": 1}})
    for architecture in ("monolith", "rpc"):
        run = simulate(scenario, architecture, 1)
        assert abs(count(run, Verb.started) / 20_000 - 1.0526) <= 0.003
        assert count(run, Verb.retried) <= 10 + 0.1 * count(run, Verb.accepted)


def test_a_budget_that_lasts_changes_nothing() -> None:
    ample = budgeted(2_000, 50, 3, earns="100%", cap=1_000_000)
    without = ample.change({"retry.budget": None})
    for architecture in ALL:
        numbers = [simulate(one, architecture, 1).summary().services["payment"].attempts for one in (ample, without)]
        assert numbers[0] == numbers[1] > 3_000


# --- D14 ------------------------------------------------------------------------------------------------------------


def storm(arrivals: float, retries: int, duration_s: int, capacity: float = 300,
          outage: Parts | None = None, **client: object) -> Scenario:
    """A database that takes one request after another; customers leave after 1 s and may come once more.

    The reading of "an outage whose requests all arrive at its end": the database serves nothing from 60 s to 70 s
    while customers go on asking, leaving and asking again; all of that stands in its line at 70 s, 10 s of arrivals
    and the second tries of the first 9 s of them.  If nobody had left before the end of the outage, all second tries
    would come at 71 s and the line be as long then: the law's times are the same to 1 s.
    """
    return single_station(
        f"constant {arrivals}/s", f"{round(1e9 / capacity)}ns", duration=f"{duration_s}s", drain="5s",
        client={"timeout": "1s", "retries": retries, **client}, retry={"attempts": 1},
        faults={"outage": outage or {"unavailable": "payment", "at": "60s", "for": "10s"}})


def recovery_s(run: Run) -> float:
    """How long after the outage the last order was placed whose customer left without an answer; infinite when
    customers still left at the end.
    """
    facts, closed_ns = run.facts, run.closed_ns
    gone = (facts.verbs == Verb.refused) | (facts.verbs == Verb.retried)
    left = facts.times_ns[gone & (facts.times_ns <= closed_ns)]
    last_s = float(left.max()) / 1e9
    return math.inf if last_s > closed_ns / 1e9 - 1 else last_s - 1 - 70


BUDGET = {"earns": "10%", "cap": 10}


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
@pytest.mark.parametrize("arrivals, retries, recovers_s, client", [
    (140, 1, 117, {}), (280, 0, 125, {}), (280, 1, 125, {"budget": BUDGET})])
def test_below_half_the_capacity_and_without_free_retries_a_storm_ends(
        arrivals: float, retries: int, recovers_s: float, client: Parts, architecture: str) -> None:
    run = simulate(storm(arrivals, retries, 220, **client), architecture, 1)
    assert abs(recovery_s(run) - recovers_s) <= 3


@pytest.mark.parametrize("arrivals, architecture", [(151, "monolith"), (280, "monolith"), (155, "rpc")])
def test_above_it_a_storm_feeds_itself(arrivals: float, architecture: str) -> None:
    """Nobody is answered in time, and the line of what nobody waits for any more grows by 2 x arrivals - capacity."""
    run = simulate(storm(arrivals, 1, 220), architecture, 1)
    facts = run.facts
    accepted_s = facts.times_ns[facts.verbs == Verb.accepted] / 1e9
    assert recovery_s(run) == math.inf
    assert accepted_s.max() < 62
    inside = (facts.times_ns > 100e9) & (facts.times_ns <= 220e9)
    tried = np.sum(inside & ((facts.verbs == Verb.placed) | (facts.verbs == Verb.retried))) / 120
    served = np.sum(inside & (facts.verbs == Verb.handled)) / 120
    assert (tried, served) == (pytest.approx(2 * arrivals, rel=0.01), pytest.approx(300, rel=0.01))


def test_just_below_the_threshold_it_takes_long() -> None:
    """149 of 150: 1265 s, at a tenth of the numbers and at the law's own clock."""
    run = simulate(storm(14.9, 1, 1400, capacity=30), "monolith", 1)
    assert abs(recovery_s(run) - 1265) <= 0.05 * 1265
    assert recovery_s(simulate(storm(15.1, 1, 1600, capacity=30), "monolith", 1)) == math.inf


def test_a_cut_that_holds_requests_back_is_the_same_storm() -> None:
    cut = {"cut": "gateway -> payment", "at": "60s", "for": "10s"}
    assert abs(recovery_s(simulate(storm(140, 1, 220, outage=cut), "rpc", 1)) - 117) <= 3
    assert recovery_s(simulate(storm(160, 1, 220, outage=cut), "rpc", 1)) == math.inf


# --- D16 ------------------------------------------------------------------------------------------------------------


def calls_until_open(run: Run, openings: int) -> list[int]:
    """How many attempts ended between the breaker's closing (or the start) and its next opening."""
    lengths, calls = [], 0
    for verb in run.facts.verbs.tolist():
        if verb in (Verb.handled, Verb.failed):
            calls += 1
        elif verb == Verb.closed:
            calls = 0
        elif verb == Verb.opened:
            lengths.append(calls)
            calls = 0
    # A probe that fails opens it again after one call: that is no run that began closed.
    closed = [length for length in lengths if length > 1]
    assert len(closed) >= openings, "the run is too short"
    return closed[:openings]


@pytest.mark.parametrize("percent, breaker, exact, orders, architecture", [
    (50, {"failures": 5}, 62, 5_500, "monolith"),
    *((50, {"failures": 3}, 14, 1_400, architecture) for architecture in BROKERS),
    (70, {"failures": 4}, (1 - 0.7**4) / (0.7**4 * 0.3), 1_400, "rpc"),
    (50, {"failure-rate": "100%", "window": 3}, 14, 1_400, "monolith"),
])
def test_a_breaker_opens_after_the_first_run_of_failures(
        percent: float, breaker: Parts, exact: float, orders: int, architecture: str) -> None:
    scenario = single_station("constant 400/s", "1ms", duration=f"{orders / 400:g}s", retry={"attempts": 1})
    scenario = scenario.change({"services.payment.fails": f"{percent}%",
                                "services.payment.breaker": {**breaker, "open-for": "3ms"}})
    found = replicate(f"D16 {percent} {breaker}", scenario, architecture,
                      lambda run: {"calls": float(np.mean(calls_until_open(run, 40)))})
    assert_agrees(found, {"calls": exact})


# --- D13 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tries, attempts", [(4, 4), (3, 5), (1, 3), (6, 1)])
@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_layers_of_retries_multiply(tries: int, attempts: int, architecture: str) -> None:
    """Customers above callers: a service that is down sees tries x attempts of every order."""
    scenario = single_station("constant 10/s", "1ms", duration="2s", client={"timeout": "none", "retries": tries - 1},
                              retry={"attempts": attempts, "backoff": "none"})
    run = simulate(scenario.change({"services.payment.fails": "100%"}), architecture, 1)
    assert run.summary().outcomes["refused"] == 20
    assert count(run, Verb.started) == 20 * tries * attempts


# --- F05 ------------------------------------------------------------------------------------------------------------


def windowed(memory: Parts, delay: str, link: str, rate: float = 100) -> Scenario:
    """A tenth of the messages comes again after a fixed delay, and again; orders go on coming long after that ends."""
    wide = architectures() | {"rabbitmq": {"prefetch": "unlimited", "queue": {"x-queue-type": "classic"}},
                              "kafka": {"topic": {"partitions": 1},
                                        "producer": {"linger.ms": 0, "enable.idempotence": False}}}
    again = {"duplicating": link, "share": "10%", "after": delay, "at": "0s", "for": "20s"}
    return shop(f"constant {rate}/s", {"payment": {"work": "1ms", "idempotent": memory}}, duration="45s",
                architectures=wide, faults={"again": again})


LINKS = [*((architecture, link) for architecture in BROKERS for link in ("payment -> broker", "checkout -> broker")),
         ("rpc", "gateway -> payment")]


@pytest.mark.parametrize("architecture, link", LINKS)
@pytest.mark.parametrize("rate, memory, delay, passes", [
    (100, {"remembers": 1000}, "8s", False), (100, {"remembers": 1000}, "12s", True),
    (50, {"remembers": 1000}, "12s", False), (100, {"remembers": 300}, "4s", True),
    (100, {"for": "10s"}, "12s", True),
])
def test_a_repetition_passes_when_so_many_ids_came_meanwhile(
        rate: float, memory: Parts, delay: str, passes: bool, architecture: str, link: str) -> None:
    run = simulate(windowed(memory, delay, link, rate), architecture, 1)
    repetitions = count(run, Verb.handled) - count(run, Verb.placed)
    assert repetitions > 0.05 * 20 * rate
    service = run.summary().services["payment"]
    assert (service.duplicated_effects, count(run, Verb.deduplicated)) == (
        (repetitions, 0) if passes else (0, repetitions))


def test_an_id_is_remembered_for_a_time_from_its_effect_on() -> None:
    """A first repetition after 6 s is recognised, a second one after 12 s is not."""
    run = simulate(windowed({"for": "10s"}, "6s", "payment -> broker"), "rabbitmq", 1)
    times = np.bincount(run.facts.numbers[run.facts.verbs == Verb.handled])
    assert set(times.tolist()) >= {1, 2, 3}
    assert count(run, Verb.deduplicated) == np.sum(times > 1) + np.sum(times > 3)
    assert run.summary().services["payment"].duplicated_effects == np.sum(times > 2) + np.sum(times > 4)
