"""The first workshop's claim, held on the shipped scenario: what ten seconds without payment do to four shops."""
from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from edasim.measure.summary import Summary
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate

EVENTS = ("kafka", "rabbitmq")
CALLS = ("monolith", "rpc")
SEED = 11


@cache
def shop() -> Scenario:
    return load("scenarios/payment-outage.yml")


@cache
def summary(architecture: str, timeout: str = "5s") -> Summary:
    return simulate(shop().change({"client.timeout": timeout}), architecture, SEED).summary()


def test_the_same_orders_are_placed_everywhere() -> None:
    placed = [summary(architecture).orders.placed_s for architecture in CALLS + EVENTS]
    assert all(np.array_equal(placed[0], other) for other in placed[1:])
    assert len({summary(architecture).outcomes["placed"] for architecture in CALLS + EVENTS}) == 1


@pytest.mark.parametrize("architecture", CALLS)
def test_who_calls_payment_turns_customers_away_in_the_outage(architecture: str) -> None:
    orders = summary(architecture).orders
    in_time = (orders.placed_s >= 23) & (orders.placed_s < 28)
    assert np.mean(orders.refused[in_time]) > 0.95
    quiet = (orders.placed_s >= 5) & (orders.placed_s < 17)
    assert np.mean(orders.refused[quiet]) < 0.02


@pytest.mark.parametrize("architecture", CALLS)
def test_patient_customers_are_hardly_turned_away_but_wait(architecture: str) -> None:
    patient = summary(architecture, "30s")
    assert patient.outcomes["refused"] < 0.01 * patient.outcomes["placed"]
    assert patient.refusals.get("timeout", 0) == 0
    assert np.max(patient.waiting_s) > 9


@pytest.mark.parametrize("architecture", EVENTS)
def test_events_keep_every_order_and_finish_it_or_put_it_aside(architecture: str) -> None:
    outcomes = summary(architecture).outcomes
    assert outcomes["accepted"] == outcomes["placed"] == outcomes["done"] + outcomes["parked"]
    assert (outcomes["lost"], outcomes["pending"], outcomes["refused"]) == (0, 0, 0)


@pytest.mark.parametrize("architecture", EVENTS)
def test_half_done_orders_and_staleness_rise_and_come_back(architecture: str) -> None:
    seen = summary(architecture)
    before, at_its_end, after = seen.torn().at(np.array([22.9, 32.9, 59.0]))
    assert at_its_end > 350 > 50 > max(before, after)
    stale = seen.staleness("payment", np.array([22.9, 32.9, 59.0]))
    assert stale[1] > 9.5 > 1 > max(stale[0], stale[2])
    assert all(np.isfinite(seen.convergence_s("payment")))


def test_the_monolith_leaves_no_order_half_done() -> None:
    assert summary("monolith").torn_peak == 0 < summary("rpc").torn_peak


def test_with_cancels_the_monolith_leaves_nothing_of_a_refused_order() -> None:
    cancelling = simulate(shop().change({"architectures.monolith.cancels": True}), "monolith", SEED).summary()
    assert (cancelling.orphan_effects, cancelling.torn_peak) == (0, 0)
    assert 0 < cancelling.outcomes["refused"] < summary("monolith").outcomes["refused"]


CALLERS = [("monolith", "sequential"), ("rpc", "sequential"), ("rpc", "parallel")]


@pytest.mark.parametrize(("architecture", "calls"), CALLERS)
def test_where_a_yes_means_done_it_comes_when_all_is_done(architecture: str, calls: str) -> None:
    run = simulate(shop().change({"architectures.rpc.calls": calls}), architecture, SEED)
    orders = run.summary().orders
    assert orders.accepted.any()
    assert np.all(orders.done_s[orders.accepted] <= orders.accepted_s[orders.accepted])
