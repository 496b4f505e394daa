"""The journey of one order: each step at its time, each attempt once, what the customer saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edasim.core.journal import Verb
from edasim.measure.journey import ATTEMPTS, Journey, length_text
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.compare import compare
from tests.worlds import ARCHITECTURES, BROKERED, one_order, shop

QUICK: dict[str, Any] = {
    "kafka": {"topic": {"partitions": 1}, "producer": {"linger.ms": 0}},
    "rabbitmq": {}, "monolith": {}, "rpc": {},
}  # fmt: skip
RETRY = {"attempts": 3, "backoff": "fixed 200ms", "jitter": "none"}
SCENARIOS = sorted((Path(__file__).resolve().parent.parent / "scenarios").glob("*.yml"))


def steps(journey: Journey, service: str) -> list[tuple[str, float, float]]:
    """(kind, start, end) of each step at a service, in ms since the order was placed."""
    return [(step.kind, round(1e3 * (step.start_s - journey.placed_s), 3),
             round(1e3 * (step.end_s - journey.placed_s), 3))
            for step in journey.steps if step.service == service]  # fmt: skip


def one(architecture: str, **parts: Any) -> Journey:
    """The journey of the one order of a shop that takes 100 ms for payment."""
    scenario = one_order(**{"work": "100ms", "architectures": QUICK, **parts})
    return simulate(scenario, architecture, 1).journey("order-1")


# --- step by step ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["rpc", *BROKERED])
def test_an_attempt_takes_the_work_and_then_its_effect_is_there(architecture: str) -> None:
    journey = one(architecture)
    assert steps(journey, "payment") == [("handled", 0, 100), ("applied", 100, 100)]
    assert journey.outcome == "done" and journey.done_s == pytest.approx(journey.placed_s + 0.1)


def test_in_the_monolith_the_effect_comes_with_the_commit() -> None:
    journey = one("monolith", wire={"database-commit": "5ms"})
    assert steps(journey, "payment") == [("handled", 0, 100), ("applied", 105, 105)]
    assert steps(journey, "") == [("open", 0, 105)]


@pytest.mark.parametrize(("architecture", "told_ms", "answer"), [
    ("monolith", 100, "done"), ("rpc", 100, "done"), ("kafka", 0, "received"), ("rabbitmq", 0, "received"),
])  # fmt: skip
def test_a_yes_means_done_without_a_broker_and_received_with_one(
    architecture: str, told_ms: float, answer: str
) -> None:
    journey = one(architecture)
    assert journey.answer == answer
    assert journey.answered_s == pytest.approx(journey.placed_s + told_ms / 1e3)
    assert journey.seen_at(journey.placed_s + 0.2) == f'told yes: "{answer}"'
    assert journey.seen_at(journey.placed_s - 0.1) == ""


@pytest.mark.parametrize("architecture", ["rpc", "monolith"])
def test_a_customer_who_leaves_saw_nothing_until_then(architecture: str) -> None:
    journey = one(architecture, client={"timeout": "40ms"})
    assert journey.answer == "left"
    assert journey.seen_at(journey.placed_s + 0.039) == "waiting"
    assert journey.seen_at(journey.placed_s + 0.041) == "left"
    assert steps(journey, "client") == [("placed", 0, 0), ("asking", 0, 40), ("refused", 40, 40)]


def test_a_no_says_why() -> None:
    journey = one("rpc", payment={"poison": "100%"}, retry={"attempts": 1})
    assert (journey.answer, journey.reason) == ("no", "payment failed")
    assert "told no after 100 ms (payment failed), never done (refused)" in str(journey)


def test_a_customer_who_tries_again_asks_twice() -> None:
    client = {"timeout": "40ms", "retries": 1, "backoff": "fixed 10ms"}
    journey = one("rpc", client=client)
    assert [kind for kind, *_ in steps(journey, "client")] == ["placed", "asking", "retried", "asking", "refused"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_retries_are_counted_with_the_waits_between_them(architecture: str) -> None:
    journey = one(architecture, payment={"poison": "100%"}, retry=RETRY)
    wanted = [("failed", 0, 100), ("retry-wait", 100, 300), ("failed", 300, 400), ("retry-wait", 400, 600),
              ("failed", 600, 700)]  # fmt: skip
    dead = [("dead-lettered", 700, 700)] if architecture in BROKERED else []
    assert steps(journey, "payment") == wanted + dead
    assert [step.attempt for step in journey.steps if step.kind in ATTEMPTS] == [1, 2, 3]
    assert journey.outcome == ("parked" if dead else "refused")


@pytest.mark.parametrize("where", ["back", "aside"])
@pytest.mark.parametrize("architecture", BROKERED)
def test_by_way_of_the_broker_it_waits_as_long(architecture: str, where: str) -> None:
    journey = one(architecture, payment={"poison": "100%"}, retry={**RETRY, "where": where})
    kinds = [kind for kind, *_ in steps(journey, "payment")]
    waits = [end - start for kind, start, end in steps(journey, "payment") if kind == "retry-wait"]
    assert kinds == ["failed", "retry-wait", "failed", "retry-wait", "failed", "dead-lettered"]
    assert waits == [pytest.approx(200, abs=12), pytest.approx(200, abs=12)]


def test_after_a_crash_it_waits_until_it_is_delivered_again() -> None:
    faults = {"boom": {"crash": "payment", "at": "1.05s", "for": "1s"}}
    journey = one("rabbitmq", faults=faults)
    assert steps(journey, "payment") == [
        ("crashed", 0, 50), ("waiting", 50, 1050), ("redelivered", 1050, 1050), ("handled", 1050, 1150),
        ("applied", 1150, 1150),
    ]  # fmt: skip
    assert [text for text, *_ in journey.bands] == ["payment crashed"]


def test_without_a_broker_a_crash_is_an_error_for_the_caller() -> None:
    faults = {"boom": {"crash": "payment", "at": "1.05s", "for": "1s"}}
    monolith = one("monolith", faults=faults)
    assert steps(monolith, "payment") == [("crashed", 0, 50)]
    assert steps(monolith, "") == [("open", 0, 50), ("rolled-back", 50, 50)]
    calls = steps(one("rpc", faults=faults, retry=RETRY), "payment")
    assert calls == [("crashed", 0, 50), ("retry-wait", 50, 250), ("retry-wait", 250, 450)]


@pytest.mark.parametrize("architecture", BROKERED)
def test_what_waits_behind_another_order_waits_for_a_worker(architecture: str) -> None:
    scenario = one_order("1500ms", orders=2, architectures=QUICK)
    assert steps(simulate(scenario, architecture, 1).journey(2), "payment")[:2] == [
        ("waiting", 0, 500), ("handled", 500, 2000)]  # fmt: skip


def chain() -> Scenario:
    """Payment publishes, shipping follows; payment is the one that must recognise repetitions."""
    services = {
        "payment": {"handles": "OrderPlaced", "work": "100ms", "publishes": "PaymentCaptured", "idempotent": True},
        "shipping": {"handles": "PaymentCaptured", "work": "70ms"},
        "mail": {"handles": "OrderPlaced", "work": "10ms"},
    }
    return shop(orders=3, services=services, architectures=QUICK)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_follows_stands_below_its_cause(architecture: str) -> None:
    journey = simulate(chain(), architecture, 1).journey(1)
    services = [(line.service, line.depth) for line in journey.lines if line.service not in ("client", "")]
    assert services == [("payment", 0), ("shipping", 1), ("mail", 0)]
    published = next(step for step in journey.steps if step.kind == "published")
    begun = next(step for step in journey.steps if step.service == "shipping")
    assert published.text == "publishes PaymentCaptured" and begun.event == "PaymentCaptured"
    assert begun.start_s >= published.start_s


def test_a_repetition_is_recognised_or_takes_effect_again() -> None:
    scenario = chain().change({"wire.duplicates": "60%"})
    run = simulate(scenario, "rabbitmq", 3)
    kinds = {(step.service, step.kind) for order in (1, 2, 3) for step in run.journey(order).steps}
    assert ("payment", "deduplicated") in kinds and ("payment", "redelivered") in kinds
    again = [step.text for order in (1, 2, 3) for step in run.journey(order).steps if "again: effect" in step.text]
    assert again and again[0] == "takes effect again: effect number 2"


# --- nothing is left out, nothing is told twice ----------------------------------------------------------------


def attempt_facts(run: Run, order: int) -> list[tuple[str, str, float]]:
    """(service, verb, time) of the facts that start or end an attempt of an order."""
    return sorted(
        (fact.place.service, fact.verb, round(float(fact.time_s), 9)) for fact in run.journal
        if fact.verb in ("started", "handled", "failed", "crashed") and run.messages[fact.number].order == order
    )  # fmt: skip


def attempt_steps(journey: Journey) -> list[tuple[str, str, float]]:
    """The same from its steps."""
    attempts = [step for step in journey.steps if step.kind in ATTEMPTS]
    starts = [(step.service, "started", round(step.start_s, 9)) for step in attempts]
    return sorted(starts + [(one.service, one.kind, round(one.end_s, 9)) for one in attempts
                            if one.kind != "unfinished"])  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("where", ["worker", "back", "aside"])
def test_each_attempt_appears_once_whatever_breaks(architecture: str, where: str) -> None:
    middle = "broker" if architecture in BROKERED else "gateway"
    faults = {
        "boom": {"crash": "payment", "at": "1.1s", "for": "300ms"},
        "noise": {"lossy": middle, "at": "1s", "for": "1s", "share": "20%"},
    }
    scenario = Scenario.from_dict({
        "orders": 30, "drain": "60s", "faults": faults, "wire": {"duplicates": "10%"},
        "retry": {**RETRY, "where": where}, "architectures": QUICK,
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 15/s"}},
        "services": {
            "payment": {"handles": "OrderPlaced", "work": "50ms", "workers": 2, "fails": "30%",
                        "publishes": "PaymentCaptured", "idempotent": where == "aside"},
            "shipping": {"handles": "PaymentCaptured", "work": "20ms", "poison": "20%"},
        },
    })  # fmt: skip
    run = simulate(scenario, architecture, 5)
    for order in range(1, 31):
        journey = run.journey(order)
        assert attempt_steps(journey) == attempt_facts(run, order)
        assert all(step.start_s <= step.end_s and step.start_s >= journey.placed_s - 1e-9 for step in journey.steps)
        effects = sum(fact.verb == "applied" and run.messages[fact.number].order == order for fact in run.journal)
        assert sum(step.kind == "applied" for step in journey.steps) == effects


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_what_the_customer_heard_agrees_with_the_numbers(file: Path) -> None:
    scenario = load(file).change({"duration": "12s", "warm-up": "2s"})
    for architecture in ARCHITECTURES:
        run = simulate(scenario, architecture, 2)
        orders = run.summary().orders
        for order in (1, 40, 150, len(orders)):
            journey = run.journey(order)
            assert (journey.answer in ("done", "received")) == bool(orders.accepted[order - 1])
            assert journey.counted == bool(orders.counted[order - 1])


# --- which order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["order-2", "2", 2])
def test_an_order_has_a_name_and_a_number(which: str | int) -> None:
    assert simulate(chain(), "kafka", 1).journey(which).name == "order-2"


@pytest.mark.parametrize(("which", "said"), [
    ("order-17", "there is no order-17: this run placed 3 orders, order-1 to order-3"),
    (0, "there is no order-0: this run placed 3 orders, order-1 to order-3"),
    ("the third", "there is no the third: this run placed 3 orders, order-1 to order-3"),
    (True, "this run placed 3 orders"),
])  # fmt: skip
def test_an_unknown_order_is_refused_with_how_many_there_are(which: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulate(chain(), "rabbitmq", 1).journey(which)


def test_an_order_of_the_warm_up_is_shown_and_says_so() -> None:
    run = simulate(chain().change({"orders": 40, "warm-up": "1s"}), "kafka", 1)
    assert "placed in the warm-up, so that the tables do not count it" in str(run.journey(1))


def test_a_comparison_shows_the_same_order_everywhere() -> None:
    both = compare(chain(), ["rpc", "kafka"], replications=1, seed=4)
    journeys = both.journey("order-2")
    assert journeys["rpc"].placed_s == journeys["kafka"].placed_s
    assert journeys.seen_at(journeys["rpc"].placed_s + 0.05) == {"rpc": "waiting", "kafka": 'told yes: "received"'}
    assert str(journeys).count("order-2 on") == 2
    with pytest.raises(ValueError, match="this run placed 3 orders"):
        both.journey("order-4")


def test_the_text_is_a_timeline() -> None:
    text = str(one("rabbitmq", payment={"poison": "100%"}, retry=RETRY))
    assert text.splitlines()[0] == 'order-1 on RabbitMQ: told yes: "received" after 0 s, never done (parked)'
    assert "  0.1000 s    200 ms  payment   waits before the next attempt" in text.splitlines()


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0 s"), (0.00045, "450 µs"), (0.0081, "8.1 ms"), (0.0312, "31 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"),
    (43.64, "43.6 s"), (123.9, "124 s"), (-0.02, "−20 ms"),
])  # fmt: skip
def test_lengths_are_short(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_verbs_of_attempts_are_those_of_the_journal() -> None:
    assert {kind for kind in ATTEMPTS if kind != "unfinished"} <= {verb.name for verb in Verb}
