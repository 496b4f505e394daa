"""A scenario in plain words: load against capacity by the calculator, faults, wiring, and what is not modelled."""

import pytest

from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.shipped import scenario_file, scenario_names
from edasim.study.description import Description
from edasim.study.focus import fault_words, focus, span_s
from edasim.study.load import loads
from tests.study_worlds import small_shop

CHAIN = """
duration: 10s
producers: {checkout: {publishes: OrderPlaced, arrivals: poisson 40/s}}
services:
  payment: {handles: OrderPlaced, workers: 2, work: 20ms, publishes: {PaymentCaptured: 75%, PaymentFailed: 25%}}
  shipping: {handles: PaymentCaptured, workers: 1, work: 30ms, fails: 50%, retry: {attempts: 2}}
  mail: {handles: [OrderPlaced, PaymentFailed], workers: 1, work: 30ms}
"""


def words(scenario: Scenario, *architectures: str) -> str:
    """The whole description."""
    return "\n".join(Description(scenario, architectures or scenario.architectures.listed).paragraphs())


def test_load_follows_events_with_their_shares_and_their_attempts() -> None:
    found = loads(load(CHAIN))
    rates = {name: one.per_s for name, one in found.items()}
    assert rates == pytest.approx({"payment": 40, "shipping": 30, "mail": 50})
    assert found["payment"].needed == pytest.approx(40 * 0.020)
    assert found["shipping"].attempts == pytest.approx(1.5)
    assert found["shipping"].needed == pytest.approx(30 * 0.030 * 1.5)
    assert found["mail"].utilisation == pytest.approx(1.5)


def test_a_budget_bounds_the_attempts() -> None:
    budget = {"services.shipping.retry": {"attempts": 5, "budget": {"earns": "10%", "cap": 10}}}
    assert loads(load(CHAIN).change(budget))["shipping"].attempts == pytest.approx(1 / (1 - 0.1 * 0.5))
    ample = {"services.shipping.retry": {"attempts": 2, "budget": {"earns": "100%", "cap": 10}}}
    assert loads(load(CHAIN).change(ample))["shipping"].attempts == pytest.approx(1.5)


def test_what_keeps_failures_from_spreading_is_said() -> None:
    text = words(load(CHAIN).change({
        "services.payment.breaker": {"failure-rate": "50%", "window": 20, "open-for": "5s", "probes": 3},
        "services.mail.breaker": {"failures": 4},
        "services.mail.idempotent": {"for": "10s"},
        "services.shipping.idempotent": {"remembers": 1000},
        "retry.budget": {"earns": "20%", "cap": 7}, "client": {"retries": 2, "budget": {"earns": "5%", "cap": 3}},
        "faults.acks": {"duplicating": "payment", "share": "5%", "after": "8s", "at": "1s"}}))
    assert "its breaker opens when 50% of the last 20 calls failed, for 5s, and closes after 3 probes without" in text
    assert "its breaker opens after 4 failures in a row, for 10s, and closes after 1 probe without failure" in text
    assert "while it remembers it (each id for 10s)" in text and "while it remembers it (the last 1000 ids)" in text
    assert "each success earns 20% of a retry; at most 7 of them are saved up" in text
    assert "tries 2 more times at most: each success earns 5% of a retry; at most 3" in text
    assert "payment repeating 5% after 8s" in text


def test_services_say_what_they_need_and_what_they_have() -> None:
    text = words(load(scenario_file("payment-outage")))
    assert "payment handles OrderPlaced in exponential 30ms: needs 1.2 workers and has 3" in text
    assert "2% of its attempts fail" in text
    chained = words(load(CHAIN))
    assert "mail handles OrderPlaced and PaymentFailed in 30ms: needs 1.5 of its 1 worker, so its backlog" in chained
    assert "publishes PaymentCaptured (75%) and PaymentFailed (25%)" in chained


def test_a_peak_that_is_too_high_is_said() -> None:
    shop = small_shop().change({"producers.checkout.arrivals": "spike 40/s to 200/s at 3s for 1s"})
    assert "at the busiest time it needs 6" in words(shop)


def test_a_fault_says_what_it_leaves_behind() -> None:
    text = words(small_shop())
    assert "Outage: payment down for 2 s, from 3.1 s on; by its end about 80 messages wait for payment" in text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"unavailable": "payment", "at": "1s", "for": "10s"}, "payment down for 10 s"),
        ({"failing": "payment", "share": "30%", "at": "1s"}, "payment failing 30% of the time to the end"),
        ({"slow": "payment", "by": "4x", "at": "1s", "for": "500ms"}, "payment 4 times slower for 500 ms"),
        (
            {"crash": "broker", "every": "1min", "for": "exponential 2s"},
            "broker crashed for exponential 2s again and again",
        ),
        (
            {"lossy": "payment <-> broker", "share": "5%", "at": "1s", "for": "1s"},
            "payment <-> broker losing 5% for 1 s",
        ),
        ({"deploy": "payment", "rolling": "1s", "at": "1s"}, "payment deployed anew, worker by worker"),
    ],
)
def test_faults_are_told_as_people_say_them(fault: dict[str, object], said: str) -> None:
    shop = small_shop().change({"faults.trouble": fault})
    assert fault_words(shop.faults["trouble"]) == said


def test_options_that_are_not_modelled_are_named() -> None:
    shop = small_shop().change({"architectures.kafka.producer": {"compression.type": "lz4"}})
    description = Description(shop, ("kafka",))
    notes = description.as_dict()["architectures"]["kafka"]["notes"]
    assert list(notes) == ["compression.type"]
    assert "ompression.type is " in words(shop, "kafka")


@pytest.mark.parametrize(("options", "said"), [
    ({}, ""),
    ({"group.protocol": "consumer"}, "Groups share their partitions by the consumer protocol."),
    ({"partition.assignment.strategy": "cooperative-sticky"}, "Groups share their partitions by cooperative-sticky."),
    ({"group.protocol": "consumer", "group.instance.id": "payment"},
     "Groups share their partitions by the consumer protocol and have static members."),
])
def test_a_group_says_how_it_shares_its_partitions_where_that_is_not_the_default(
        options: dict[str, str], said: str) -> None:
    shop = load(CHAIN).change({f"architectures.kafka.consumer.{name}": value for name, value in options.items()})
    found = words(shop, "kafka")
    assert said in found
    assert ("Groups " in found) == bool(said)


def test_members_without_a_partition_are_said_to_idle() -> None:
    shop = small_shop().change({"architectures.kafka.topic": {"partitions": 2}})
    assert "With 2 partitions, members of payment stay idle." in words(shop, "kafka")


def test_a_fault_on_a_missing_part_is_said_where_it_is_missing() -> None:
    shop = small_shop().change({"faults.cable": {"unavailable": "broker", "at": "2s", "for": "1s"}})
    described = Description(shop, shop.architectures.listed)
    assert {name: described.missing(name) for name in described.architectures} == {
        "monolith": ["cable"], "rpc": ["cable"], "kafka": [], "rabbitmq": [],
    }  # fmt: skip


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_can_be_told(name: str) -> None:
    scenario = load(scenario_file(name))
    text = words(scenario)
    assert all(service in text for service in scenario.services)
    assert "None" not in text
    assert "inf" not in text.replace("information", "")


def test_the_focus_is_the_fault_when_it_is_dated_and_short() -> None:
    found = focus(small_shop())
    assert (found.start_s, found.end_s, found.whole) == (3.1, 5.1, False)
    assert found.text == "payment down for 2 s"


def test_the_focus_is_everything_when_faults_come_all_the_time() -> None:
    shop = small_shop().change({"faults.outage": {"lossy": "payment", "share": "5%", "every": "2s", "for": "1s"}})
    assert focus(shop).whole
    assert focus(shop).text == "payment losing 5% for 1 s again and again"


def test_a_spike_is_a_focus_too() -> None:
    shop = small_shop().change({"producers.checkout.arrivals": "spike 40/s to 200/s at 3s for 1s", "faults": {}})
    assert (focus(shop).start_s, focus(shop).end_s) == (3.0, 4.0)
    assert focus(shop).text == "200/s instead of 40/s for 1 s"


def test_a_number_of_orders_takes_as_long_as_the_arrivals_say() -> None:
    shop = small_shop().change({"duration": None, "orders": 400, "faults": {}})
    assert span_s(shop) == pytest.approx(10.0)
