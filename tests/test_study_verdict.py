"""The verdict: made from the numbers, in the reader's words, fair to both sides, and never sure of what is not."""

import re

import pytest

from edasim.scenario.reading import load
from edasim.study.compare import compare
from edasim.study.comparison import Comparison
from edasim.study.headline import headline
from edasim.study.turning import candidates
from tests.study_worlds import SMALL, made_up, observed, small_comparison

OUTAGE = {"focus__refused": 40, "orders__refused": 45, "left": 40, "waiting_s__p99": 1.0, "orphan_effects": 90}
REFUSED = {"orders__refused": 45}
EVENTS = {"torn_peak": 80, "dead_lettered": 3, "operations__parts": 10, "completion_latency_s__p99": 4.0}


def sentences(text: str) -> list[str]:
    """The sentences of a verdict."""
    return [part for part in re.split(r"(?<=\.)\s(?=[A-Z0-9])", text) if part and not part.startswith("(One")]


def three(architecture: str, step: float = 0.0, **numbers: float | None) -> list:
    """Three made-up replications; each number is `step` smaller, the same and `step` larger."""
    return [
        observed(architecture, **{name: value and value + move for name, value in numbers.items()})
        for move in (-step, 0.0, step)
    ]


def outage() -> Comparison:
    """The monolith refuses, Kafka keeps."""
    return made_up({"monolith": three("monolith", 1.0, **OUTAGE), "kafka": three("kafka", 1.0, **EVENTS)})


def test_it_has_three_to_five_sentences_for_every_choice_of_architectures() -> None:
    both = small_comparison()
    some = [("monolith",), ("rpc",), ("kafka",), ("kafka", "rabbitmq"), ("monolith", "kafka")]
    for names in (*some, both.architectures):
        found = {name: both.observations[name] for name in names}
        text = Comparison(both.scenario, both.seed, both.asked, found, {}).verdict()
        assert 3 <= len(sentences(text)) <= 5, text


def test_it_counts_the_customers_that_were_turned_away() -> None:
    assert (
        outage()
        .verdict()
        .startswith(
            "Payment down for 2 s: of 80 customers who ordered then, the monolith turned 40 ± 2 away; "
            "Kafka turned nobody away and lost no order."
        )
    )


def test_it_says_what_events_cost_and_what_one_transaction_is_worth() -> None:
    text = outage().verdict()
    assert "up to 80 ± 2 orders half done at one time" in text
    assert "3 ± 2 dead letters" in text
    assert "11 ± 2 parts to run instead of 2" in text or "10 ± 2 parts to run instead of 2" in text
    assert "The monolith's one transaction left no order half done" in text
    assert "refused orders left effects behind, 90 ± 2 with the monolith" in text


def test_the_waiting_moved_and_did_not_vanish() -> None:
    assert (
        "The waiting did not go away, it moved from the customer into the log"
        in made_up(
            {"monolith": three("monolith", 0.0, **{**OUTAGE, "waiting_s__p99": 2.0}), "kafka": three("kafka", **EVENTS)}
        ).verdict()
    )


@pytest.mark.parametrize("claim", ["faster", "quicker", "heal", "better", "best"])
def test_it_never_claims_that_one_side_wins(claim: str) -> None:
    assert claim not in outage().verdict()
    assert claim not in small_comparison().verdict()


def test_two_whose_difference_may_be_none_are_not_told_apart() -> None:
    rpc = [observed("rpc", focus__refused=value) for value in (39, 42, 40)]
    text = made_up({"monolith": three("monolith", 1.0, **OUTAGE), "rpc": rpc}).verdict()
    assert "(the monolith and RPC are not told apart)" in text
    far = [observed("rpc", focus__refused=value) for value in (59, 60, 61)]
    assert "not told apart" not in made_up({"monolith": three("monolith", 1.0, **OUTAGE), "rpc": far}).verdict()


def test_lost_orders_are_not_passed_over() -> None:
    lossy = made_up({"monolith": three("monolith"), "kafka": three("kafka", 1.0, orders__lost=12)})
    assert "but Kafka lost 12 ± 2 of the orders that had been accepted" in lossy.verdict()
    assert "lost no order" not in lossy.verdict()


def test_brokers_that_refuse_are_named_like_anybody() -> None:
    down = made_up({"monolith": three("monolith"), "kafka": three("kafka", 1.0, focus__refused=30)})
    assert "Kafka turned 30 ± 2 away; the monolith turned nobody away." in down.verdict()


def test_orders_that_are_never_done_do_not_become_a_number() -> None:
    never = {"completion_latency_s__p50": None, "completion_latency_s__p95": None, "completion_latency_s__p99": None}
    text = made_up({"kafka": [observed("kafka", **never)] * 3}).verdict()
    assert "half of the accepted orders were not done at all" in text
    assert "inf" not in text
    one = made_up({"kafka": [observed("kafka"), observed("kafka", completion_latency_s__p99=None)]}).verdict()
    assert "95 of 100 orders were done within 200 ms on Kafka" in one


def test_what_would_turn_it_was_tried_and_not_guessed() -> None:
    both = small_comparison()
    turning = both.turning
    assert turning is not None
    was, now = turning.refused
    assert turning.path == "client.timeout"
    assert was == both.first("monolith").number("orders.refused")
    assert now <= was / 2
    assert f"would turn {now} customers away instead of {was}" in both.verdict()


@pytest.mark.parametrize(
    ("knobs", "tried"),
    [
        ("", ["client.timeout=10s", "client.timeout=30s"]),
        ("client.timeout: 1s .. 15s", ["client.timeout=10s", "client.timeout=15s"]),
        ("client.timeout: 1s .. 3s", ["client.timeout=3s"]),
        ("client.timeout: 500ms .. 1s", []),
    ],
)
def test_what_is_tried_stays_within_the_range_of_its_knob(knobs: str, tried: list[str]) -> None:
    base = outage().observations
    shop = load(SMALL + (f"knobs: {{{knobs}}}\n" if knobs else ""))
    left = Comparison(shop, 7, 3, base, {})
    assert [f"{path}={after}" for path, _, after in candidates(left, three("monolith", left=45, **REFUSED)[0])] == tried


def test_more_attempts_and_shorter_timeouts_stay_in_the_range_of_their_knobs_too() -> None:
    shop = load(SMALL + "knobs: {retry.attempts: 1 .. 8, client.timeout: 400ms .. 30s}\nretry: {attempts: 5}\n")
    found = list(candidates(Comparison(shop, 7, 3, outage().observations, {}), three("monolith", **REFUSED)[0]))
    assert found == [("retry.attempts", "5", "8")]
    slow = shop.change({"client.timeout": "5s", "retry.attempts": 8, "knobs": {"client.timeout": "2s .. 30s"}})
    found = list(candidates(Comparison(slow, 7, 3, outage().observations, {}), three("monolith", **REFUSED)[0]))
    assert found[-1] == ("client.timeout", "5s", "2s")


def test_effects_made_twice_are_told_of_all_sides() -> None:
    rpc, kafka = three("rpc", 1.0, duplicated_effects=9), three("kafka", 1.0, duplicated_effects=20)
    text = made_up({"rpc": rpc, "kafka": kafka}).verdict()
    assert "effects were made twice, 9 ± 2 with RPC" in text
    assert "20 ± 2 effects made twice" in text


def test_nothing_turns_a_study_that_is_not_finished() -> None:
    both = small_comparison()
    assert Comparison(both.scenario, both.seed, 99, both.observations, {}).turning is None


def test_one_run_says_that_it_is_one() -> None:
    both = small_comparison()
    first = {name: found[:1] for name, found in both.observations.items()}
    text = Comparison(both.scenario, both.seed, 1, first, {}).verdict()
    assert text.endswith("(One run: no error bars.)")
    assert "±" not in text


def test_the_headline_has_the_number_with_its_interval_and_the_price() -> None:
    assert headline(outage()) == (
        "Payment down for 2 s: the monolith turned 40 ± 2 of 80 customers away; "
        "Kafka kept them all, and up to 80 ± 2 stood half done meanwhile"
    )
    assert "took them all but lost 12 ± 2 with Kafka" in headline(
        made_up({"monolith": three("monolith", 1.0, **OUTAGE), "kafka": three("kafka", 1.0, orders__lost=12)})
    )
    usual = {"monolith": three("monolith", 1.0, **OUTAGE), "kafka": three("kafka", torn_peak=4)}
    assert headline(made_up(usual)).endswith("; Kafka kept them all")
    quiet = headline(made_up({"monolith": three("monolith"), "kafka": three("kafka")}))
    assert quiet == (
        "Payment down for 2 s: nobody of 80 customers turned away; "
        "orders were done within 300 ms with the monolith and 300 ms with Kafka (p99)"
    )


def test_where_all_orders_are_done_the_headline_says_what_differs() -> None:
    twice = made_up({"rpc": three("rpc", duplicated_effects=9), "kafka": three("kafka", 1.0, duplicated_effects=20)})
    assert headline(twice) == (
        "Payment down for 2 s: nobody of 80 customers turned away; effects made twice: 9 with RPC and 20 ± 2 with Kafka"
    )
    order = made_up({"rpc": three("rpc", ordering_violations=7), "kafka": three("kafka", ordering_violations=0)})
    assert headline(order).endswith("effects out of order per key: 7 with RPC and 0 with Kafka")
    chance = made_up({"rpc": three("rpc", 9.0, duplicated_effects=9), "kafka": three("kafka", duplicated_effects=8)})
    assert headline(chance).endswith("(p99)")
    parked = made_up({"rpc": three("rpc", duplicated_effects=9), "kafka": three("kafka", focus__parked=2)})
    assert headline(parked).endswith("(p99)")


def test_a_price_that_only_one_broker_pays_is_put_to_its_name() -> None:
    text = made_up(
        {"kafka": three("kafka", 1.0, torn_peak=80), "rabbitmq": three("rabbitmq", 1.0, torn_peak=40)}
    ).verdict()
    assert "up to 80 ± 2 orders half done at one time (Kafka)" in text


def test_one_is_one() -> None:
    assert "1 dead letter for a person" in made_up({"kafka": three("kafka", dead_lettered=1)}).verdict()


def test_the_price_of_a_slow_step_that_nobody_waits_for_is_its_lateness() -> None:
    shop = load("scenarios/slow-notification.yml")
    said = headline(compare(shop, ["monolith", "kafka", "rabbitmq"], 3, 7))
    assert re.search(r"kept them all, and notification fell up to \d+ s behind \(Kafka\)$", said)
    assert not compare(shop, ["kafka"], 3, 7).rises("kafka", "torn", 5)
    well = shop.change({"faults.sluggish.by": "1x"})
    assert "behind" not in headline(compare(well, ["monolith", "kafka", "rabbitmq"], 3, 7))
