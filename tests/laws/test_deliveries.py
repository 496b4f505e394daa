"""What is delivered more than once, and what is lost: answers that get lost, crashes between commit and work.

Laws F01 (producers), F02 (calls), F03, F04; see test_retries for F01 and F02 at the consumers of a broker.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from edasim.core.journal import Verb
from edasim.simulate import Run, simulate
from tests.laws.estimates import assert_agrees, replicate, seeds
from tests.laws.shops import Parts, Scenario, architectures, single_station


def repeating(percent: float, link: str, orders: int = 1200, **service: object) -> Scenario:
    """Word that something arrived or was done gets lost on a link, again and again."""
    kafka = {"topic": {"partitions": 1}, "producer": {"linger.ms": 0, "enable.idempotence": False}}
    fault: Parts = {"duplicating": link, "share": f"{percent}%", "at": "0s"}
    scenario = single_station("constant 400/s", "1ms", duration=f"{orders / 400}s", faults={"words": fault},
                              retry={"attempts": "unlimited", "backoff": "none"},
                              architectures=architectures() | {"kafka": kafka})
    return scenario.change({f"services.payment.{name}": value for name, value in service.items()})


def numbers(run: Run) -> dict[str, float]:
    """Of what happened to an order: how often it was handled, attempted, and how many effects it has."""
    placed = len(run.messages)
    handled = np.bincount(run.facts.numbers[run.facts.verbs == Verb.handled], minlength=placed)
    service = run.summary().services["payment"]
    assert handled.min() >= 1, "an order was never handled"
    return {"deliveries": float(handled.mean()), "more than one": float(np.mean(handled > 1)),
            "more than two": float(np.mean(handled > 2)), "attempts": service.attempts / placed,
            "effects": 1 + service.duplicated_effects / placed}


# --- F01, F02 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("percent, architecture", [(10, "rabbitmq"), (10, "kafka"), (40, "rabbitmq"), (35, "kafka")])
def test_a_lost_confirm_is_one_more_publication(percent: float, architecture: str) -> None:
    share = percent / 100
    found = replicate(f"F01 producer {percent}", repeating(percent, "checkout -> broker"), architecture, numbers)
    assert_agrees(found, {"deliveries": 1 / (1 - share), "more than one": share, "more than two": share**2,
                          "effects": 1 / (1 - share)})


def test_an_idempotent_producer_repeats_in_vain() -> None:
    scenario = repeating(40, "checkout -> broker").change(
        {"architectures.kafka.producer.enable.idempotence": True})
    run = simulate(scenario, "kafka", 1)
    assert int(np.sum(run.facts.verbs == Verb.repeated)) > 300
    assert numbers(run)["deliveries"] == 1


@pytest.mark.parametrize("fails, percent, link", [
    (30, 10, "gateway -> payment"), (20, 40, "payment -> gateway"), (60, 25, "payment")])
def test_failures_and_lost_answers_multiply_over_rpc(fails: float, percent: float, link: str) -> None:
    p, q = fails / 100, percent / 100
    found = replicate(f"F02 rpc {fails}", repeating(percent, link, 600, fails=f"{fails}%"), "rpc", numbers)
    assert_agrees(found, {"attempts": 1 / ((1 - p) * (1 - q)), "effects": 1 / (1 - q), "more than two": q**2})


def test_an_idempotent_service_has_its_effect_once_however_often_it_is_called() -> None:
    found = replicate("F02 rpc idempotent", repeating(25, "payment", 600, fails="30%", idempotent=True), "rpc", numbers)
    assert found["effects"].tolist() == [1.0] * 30
    assert_agrees(found, {"deliveries": 1 / 0.75})


# --- F03 ------------------------------------------------------------------------------------------------------------


def crashing(share: float, orders: int, commit: str) -> Scenario:
    """One record in a poll and one worker that is always busy, whose life is memoryless.

    It dies before a record's effect exists with the chance 1 - exp(-work / mean life).  Its work takes long, so that
    the session that must run out after each death is nothing beside it; a death between two records costs nothing.
    """
    life_s = -1000 / math.log(1 - share)
    kafka = {"commit": commit, "topic": {"partitions": 1}, "producer": {"linger.ms": 0},
             "consumer": {"max.poll.records": 1, "max.poll.interval.ms": 86_400_000}}
    return single_station("constant 100/s", "1000s", duration=f"{orders / 100}s", drain=f"{orders * 1500}s",
                          architectures={"kafka": kafka},
                          faults={"death": {"crash": "payment", "every": f"exponential {life_s}s", "for": "1ms"}})


@pytest.mark.parametrize("percent, orders", [(2, 20_000), (15, 4_000), (40, 2_000)])
def test_what_is_committed_before_it_is_done_is_lost_with_its_worker(percent: float, orders: int) -> None:
    """Within four standard deviations of the binomial, as F03 has it."""
    share = percent / 100
    run = simulate(crashing(share, orders, "before"), "kafka", seeds("F03")[0])
    service, outcomes = run.summary().services["payment"], run.summary().outcomes
    assert (outcomes["pending"], service.duplicated_effects) == (0, 0)
    assert outcomes["done"] + outcomes["lost"] == outcomes["placed"] == orders
    assert abs(outcomes["done"] / orders - (1 - share)) <= 4 * math.sqrt(share * (1 - share) / orders)


def test_what_is_committed_after_it_is_done_is_done_again_by_the_next_worker() -> None:
    run = simulate(crashing(0.15, 2_000, "record"), "kafka", seeds("F03")[0])
    attempts = run.summary().services["payment"].attempts / 2_000
    assert run.summary().outcomes["done"] == 2_000
    assert abs(attempts - 1 / 0.85) <= 4 * math.sqrt(0.15 / 0.85**2 / 2_000)


# --- F04 ------------------------------------------------------------------------------------------------------------


def reprocessed(rate: float, interval_s: float, seed: int) -> int:
    """How many records a group handles twice because its only member died.

    Commits begin at a drawn phase, so that a fixed time is a uniform one between two of them.  What comes while the
    group does without a member is handled once, by the next.
    """
    died_s = 2 * interval_s + 1.37
    kafka = {"topic": {"partitions": 1}, "producer": {"linger.ms": 0},
             "consumer": {"auto.commit.interval.ms": round(interval_s * 1000)}}
    scenario = single_station(f"constant {rate}/s", "10us", duration=f"{died_s + 0.1}s",
                              architectures={"kafka": kafka},
                              faults={"death": {"crash": "payment", "at": f"{died_s}s", "for": "10ms"}})
    run = simulate(scenario, "kafka", seed)
    service = run.summary().services["payment"]
    assert run.summary().outcomes["done"] == len(run.messages)
    assert service.attempts - len(run.messages) == service.duplicated_effects
    return service.duplicated_effects


@pytest.mark.parametrize("rate, interval_s, crashes", [(100, 5, 60), (40, 1.5, 200)])
def test_a_crash_repeats_what_was_handled_since_the_last_commit(rate: float, interval_s: float, crashes: int) -> None:
    """Uniform between nothing and all of an interval: F04's 250 and 500, and other numbers."""
    found = np.array([reprocessed(rate, interval_s, seed) for seed in seeds(f"F04 {rate}", crashes)])
    whole = rate * interval_s
    assert 0 <= found.min() < 0.1 * whole and 0.9 * whole < found.max() <= whole + 1
    assert abs(found.mean() - whole / 2) <= 4 * whole / math.sqrt(12 * crashes)
    assert abs(found.std() - whole / math.sqrt(12)) <= 0.15 * whole / math.sqrt(12)
