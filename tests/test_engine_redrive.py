"""Dead letters that are handed to their service again, on both brokers."""

from __future__ import annotations

import numpy as np
import pytest

from edasim.core.journal import Verb
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate

BROKERS = ("kafka", "rabbitmq")


def shop(**changes: object) -> Scenario:
    """Payment fails for good for half a second; constant times, no wire, another service beside it."""
    data = {
        "duration": "4s", "warm-up": "0s", "drain": "20s",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 10/s", "key": "customer",
                                   "keys": "uniform over 20"}},
        "services": {
            "inventory": {"handles": "OrderPlaced", "work": "1ms"},
            "payment": {"handles": "OrderPlaced", "work": "1ms", "redrive": {"at": "5s", "rate": "10/s"}},
        },
        "retry": {"attempts": 1},
        "faults": {"outage": {"failing": "payment", "at": "1050ms", "for": "500ms"}},
        "architectures": {"kafka": {}, "rabbitmq": {}, "rpc": {}, "monolith": {}},
    }
    return Scenario.from_dict(data).change(changes)


def times_s(run: Run, verb: Verb, service: str) -> list[float]:
    """When something happened at the workers or the place of a service."""
    places = {number for number, place in enumerate(run.places) if place.service == service}
    facts = run.facts
    mask = (facts.verbs == verb) & np.isin(facts.places, list(places))
    return (facts.times_ns[mask] / 1e9).tolist()


@pytest.mark.parametrize("architecture", BROKERS)
def test_what_was_given_up_is_done_after_all_at_the_rate_of_the_redrive(architecture: str) -> None:
    left = simulate(shop(**{"services.payment.redrive": None}), architecture, seed=7)
    assert (left.summary().outcomes["parked"], left.quiet) == (5, True)
    run = simulate(shop(), architecture, seed=7)
    assert run.summary().outcomes["done"] == run.summary().outcomes["placed"]
    again = [time for time in times_s(run, Verb.started, "payment") if time > 4.5]
    assert again == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4], abs=0.02)
    assert run.quiet
    assert run.summary().services["payment"].dead_lettered == 5


@pytest.mark.parametrize("architecture", BROKERS)
def test_nobody_else_handles_it_again(architecture: str) -> None:
    left = simulate(shop(**{"services.payment.redrive": None}), architecture, seed=7)
    run = simulate(shop(), architecture, seed=7)
    for verb in (Verb.started, Verb.applied):
        assert times_s(run, verb, "inventory") == times_s(left, verb, "inventory")
    assert run.summary().services["payment"].duplicated_effects == 0


@pytest.mark.parametrize("architecture", BROKERS)
def test_what_fails_once_more_stays_and_does_not_go_in_circles(architecture: str) -> None:
    run = simulate(shop(**{"faults.outage.for": "20s"}), architecture, seed=7)
    gone = run.summary().outcomes
    # Orders come at 0.1, 0.2 ... 4.0 s, and all from 1.1 s on fail: 30, once each before and after the redrive.
    assert (gone["parked"], gone["done"]) == (30, 10)
    assert len(times_s(run, Verb.failed, "payment")) == 60
    assert run.quiet


@pytest.mark.parametrize("architecture", BROKERS)
def test_attempts_are_counted_anew(architecture: str) -> None:
    twice = shop(**{"retry.attempts": 2, "retry.backoff": "fixed 1ms", "faults.outage.for": "20s"})
    run = simulate(twice, architecture, seed=7)
    assert len(times_s(run, Verb.failed, "payment")) == 4 * 30


@pytest.mark.parametrize("architecture", BROKERS)
def test_a_broker_that_cannot_be_reached_delays_it_and_loses_nothing(architecture: str) -> None:
    broken = shop(**{"faults.cable": {"unavailable": "broker", "at": "5050ms", "for": "2s"}})
    run = simulate(broken, architecture, seed=7)
    assert run.summary().outcomes["done"] == run.summary().outcomes["placed"]
    again = [time for time in times_s(run, Verb.started, "payment") if time > 4.5]
    assert again[0] == pytest.approx(5.0, abs=0.02)
    assert all(time > 7.0 for time in again[1:])


@pytest.mark.parametrize("architecture", BROKERS)
def test_a_redrive_of_nothing_is_over_at_once_and_a_late_one_is_waited_for(architecture: str) -> None:
    well = simulate(shop(faults=None), architecture, seed=7)
    assert well.quiet
    assert well.end_ns >= 5_000_000_000
    late = simulate(shop(**{"services.payment.redrive.at": "12s"}), architecture, seed=7)
    assert late.summary().outcomes["parked"] == 0
    never = simulate(shop(**{"services.payment.redrive.at": "60s"}), architecture, seed=7)
    assert (never.summary().outcomes["parked"], never.quiet) == (5, False)


@pytest.mark.parametrize("architecture", ["monolith", "rpc"])
def test_without_dead_letters_there_is_nothing_to_redrive_and_the_run_says_so(architecture: str) -> None:
    run = simulate(shop(), architecture, seed=7)
    assert "redrive of payment" in run.not_applicable
    assert run.facts.packed.tolist() == simulate(
        shop(**{"services.payment.redrive": None}), architecture, seed=7).facts.packed.tolist()
