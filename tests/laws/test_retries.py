"""Attempts that fail and are made again, acknowledgements that get lost.  Laws D01, D04, F01."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from edasim.core.journal import Verb
from edasim.simulate import Run, simulate
from tests.laws import theory
from tests.laws.estimates import assert_agrees, replicate, seeds
from tests.laws.shops import ALL, BROKERS, Parts, Scenario, single_station

# --- D01 ------------------------------------------------------------------------------------------------------------


def failing(percent: float, attempts: int, where: str, orders: int) -> Scenario:
    service = {"work": "1ms", "fails": f"{percent}%",
               "retry": {"attempts": attempts, "backoff": "none", "where": where}}
    scenario = single_station("constant 400/s", "1ms", duration=f"{orders / 400:g}s")
    return scenario.change({f"services.payment.{name}": value for name, value in service.items()})


@pytest.mark.parametrize("percent, retries, where, architecture, orders", [
    (30, 3, "worker", "rabbitmq", 100_000),
    *((30, 3, "worker", architecture, 30_000) for architecture in ("monolith", "rpc", "kafka")),
    *((30, 3, where, architecture, 15_000) for where in ("back", "aside") for architecture in BROKERS),
    (50, 1, "worker", "kafka", 10_000), (10, 2, "back", "rabbitmq", 20_000), (55, 5, "aside", "kafka", 8_000),
    (55, 5, "worker", "rpc", 10_000), (40, 4, "worker", "monolith", 10_000), (25, 0, "worker", "rabbitmq", 10_000),
])
def test_an_order_is_given_up_as_often_as_all_its_attempts_fail(
        percent: float, retries: int, where: str, architecture: str, orders: int) -> None:
    """Within four standard deviations of the binomial, as D01 has it."""
    run = simulate(failing(percent, retries + 1, where, orders), architecture, seeds("D01")[0])
    outcomes, service = run.summary().outcomes, run.summary().services["payment"]
    given_up, fails = (percent / 100) ** (retries + 1), percent / 100
    spread = math.sqrt(orders * given_up * (1 - given_up))
    missed = outcomes["refused"] if architecture in ("monolith", "rpc") else outcomes["parked"]
    assert outcomes["placed"] == orders
    assert abs(missed - orders * given_up) <= 4 * spread
    assert outcomes["done"] == orders - missed
    mean, deviation = attempts_law(fails, retries + 1)
    assert abs(service.attempts / orders - mean) <= 4 * deviation / math.sqrt(orders)
    assert service.failed == service.retried + missed == service.attempts - outcomes["done"]


def attempts_law(fails: float, attempts: int) -> tuple[float, float]:
    """Mean and standard deviation of the number of attempts."""
    chances = [fails ** (number - 1) * (1 - fails) for number in range(1, attempts)] + [fails ** (attempts - 1)]
    mean = sum(number * chance for number, chance in enumerate(chances, start=1))
    assert math.isclose(mean, theory.attempts_until_given_up(fails, attempts))
    return mean, math.sqrt(sum((number - mean) ** 2 * chance for number, chance in enumerate(chances, start=1)))


def test_poison_fails_always_and_a_failing_attempt_by_chance() -> None:
    scenario = failing(30, 4, "worker", 20_000).change({"services.payment.poison": "2%"})
    outcomes = simulate(scenario, "rabbitmq", 3).summary().outcomes
    share = 0.02 + 0.98 * 0.3**4
    assert abs(outcomes["parked"] / 20_000 - share) <= 4 * math.sqrt(share * (1 - share) / 20_000)


# --- D04 ------------------------------------------------------------------------------------------------------------


def feedback(arrivals: float, percent: float, attempts: int | str) -> Scenario:
    """One worker; a failed order goes to the end of the line at once."""
    service = {"fails": f"{percent}%", "retry": {"attempts": attempts, "backoff": "none", "where": "back"}}
    scenario = single_station(f"poisson {arrivals}/s", "exponential 1s",
                              duration=f"{1600 / arrivals}s", warm_up=f"{200 / arrivals}s")
    return scenario.change({f"services.payment.{name}": value for name, value in service.items()})


def loop(run: Run) -> dict[str, float]:
    summary = run.summary()
    service, placed = summary.services["payment"], summary.outcomes["placed"]
    ended = np.isin(run.facts.verbs, [Verb.handled, Verb.failed])
    inside = (run.facts.times_ns > run.scenario.warm_up) & (run.facts.times_ns <= run.closed_ns)
    done, span_s = summary.completion_latency_s, summary.end_s - summary.start_s
    return {"attempts": service.attempts / placed, "L": service.backlog_mean + service.utilisation,
            "W": float(done[np.isfinite(done)].mean()), "lambda_eff": float(np.sum(ended & inside)) / span_s,
            "utilisation": service.utilisation}


@pytest.mark.parametrize("arrivals, percent, architecture", [
    *((0.5, 20, architecture) for architecture in ALL), (0.4, 40, "rabbitmq"), (0.3, 50, "rpc")])
def test_a_retry_at_the_end_of_the_line_is_one_more_arrival(arrivals: float, percent: float, architecture: str) -> None:
    """In a monolith the thread tries again at once: one longer piece of work, and by chance the same means."""
    total = arrivals / (1 - percent / 100)
    found = replicate(f"D04 {arrivals}", feedback(arrivals, percent, "unlimited"), architecture, loop)
    inside = total / (1 - total)
    assert_agrees(found, {"attempts": 1 / (1 - percent / 100), "W": inside / arrivals, "L": inside,
                          "utilisation": total, "lambda_eff": total})


def test_a_retry_that_is_given_up_after_four_attempts_is_so_many_arrivals_less() -> None:
    """BCMP: the same work at each visit, so only the rate of visits counts."""
    total = 0.5 * theory.attempts_until_given_up(0.2, 4)
    found = replicate("D05", feedback(0.5, 20, 4), "rabbitmq", loop)
    assert_agrees(found, {"attempts": total / 0.5, "L": total / (1 - total), "utilisation": total})


# --- F01 ------------------------------------------------------------------------------------------------------------


def lost_acknowledgements(percent: float, link: str = "payment -> broker", **service: object) -> Scenario:
    fault: Parts = {"duplicating": link, "share": f"{percent}%", "at": "0s"}
    scenario = single_station("constant 400/s", "1ms", duration="3s", faults={"acks": fault},
                              retry={"attempts": "unlimited", "backoff": "none"})
    return scenario.change({f"services.payment.{name}": value for name, value in service.items()})


def deliveries(run: Run) -> dict[str, float]:
    """Of the deliveries that an order got: the mean, and how many got more than one or two; and its effects."""
    handled = np.bincount(run.facts.numbers[run.facts.verbs == Verb.handled], minlength=len(run.messages))
    counts, placed = Counter(handled.tolist()), len(run.messages)
    assert counts[0] == 0, "an order was never handled"
    assert counts[1] < placed, "no acknowledgement was lost"
    service = run.summary().services["payment"]
    return {"deliveries": float(handled.mean()), "more than one": 1 - counts[1] / placed,
            "more than two": 1 - (counts[1] + counts[2]) / placed, "attempts": service.attempts / placed,
            "effects": 1 + service.duplicated_effects / placed}


@pytest.mark.parametrize("percent, architecture", [
    (10, "rabbitmq"), (10, "kafka"), (25, "rabbitmq"), (40, "kafka")])
def test_a_lost_acknowledgement_is_one_more_delivery(percent: float, architecture: str) -> None:
    share = percent / 100
    found = replicate(f"F01 {percent}", lost_acknowledgements(percent), architecture, deliveries)
    assert_agrees(found, {"deliveries": 1 / (1 - share), "more than one": share, "more than two": share**2,
                          "effects": 1 / (1 - share)})


def test_a_lost_answer_of_a_called_service_is_one_more_call() -> None:
    found = replicate("F01 rpc", lost_acknowledgements(25, "gateway -> payment"), "rpc", deliveries)
    assert_agrees(found, {"deliveries": 1 / 0.75, "more than one": 0.25, "more than two": 0.25**2,
                          "effects": 1 / 0.75})


@pytest.mark.parametrize("architecture", BROKERS)
def test_failures_and_lost_acknowledgements_multiply(architecture: str) -> None:
    found = replicate("F02", lost_acknowledgements(10, fails="30%"), architecture, deliveries)
    assert_agrees(found, {"attempts": 1 / 0.7 / 0.9, "effects": 1 / 0.9})


@pytest.mark.parametrize("architecture", BROKERS)
def test_an_idempotent_service_has_its_effect_once_however_often_it_is_told(architecture: str) -> None:
    found = replicate("F02", lost_acknowledgements(10, idempotent=True), architecture, deliveries)
    assert found["effects"].tolist() == [1.0] * 30
    assert_agrees(found, {"deliveries": 1 / 0.9})
