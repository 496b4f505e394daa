"""What-if: copies of a scenario with other values, from the start or from a time within the run."""

import pytest

from edasim.core.quantity import SECOND_NS
from edasim.scenario.errors import ScenarioError
from edasim.scenario.path import current, steps_of
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario

SHOP = Scenario.from_dict({
    "duration": "60s",
    "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "spike 40/s to 200/s at 23s for 10s"}},
    "services": {
        "inventory": {"handles": "OrderPlaced", "work": "lognormal p50 15ms p99 60ms"},
        "payment": {"handles": "OrderPlaced", "work": "exponential 30ms", "publishes": {"Paid": "95%", "Failed": "5%"}},
    },
    "faults": {"outage": {"unavailable": "payment", "at": "23s", "for": "10s"}},
    "architectures": {"kafka": {"topic": {"partitions": 6}}, "rabbitmq": {}},
    "knobs": {"services.payment.fails": "0% .. 60%"},
})  # fmt: skip


def refusal(values: dict[str, object], at: str | None = None) -> str:
    """The sentence that a change is refused with."""
    with pytest.raises(ScenarioError) as refused:
        SHOP.change(values, at=at)
    return str(refused.value)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("services.payment.work", "50ms", "exponential 50ms"),
        ("services.inventory.work", "30ms", "lognormal p50 30ms p99 120ms"),
        ("services.inventory.work", "constant 30ms", "30ms"),
        ("services.inventory.work", ["1ms", "2ms"], "empirical [1ms, 2ms]"),
        ("producers.checkout.arrivals", "20/s", "spike 20/s to 100/s at 23s for 10s"),
        ("producers.checkout.arrivals", "poisson 20/s", "poisson 20/s"),
        ("faults.outage.for", "0s", "0s"),
        ("wire.producer-to-broker", "1ms", "lognormal p50 1ms p99 5.5ms"),
        ("wire.append", "exponential 1ms", "exponential 1ms"),
    ],
)
def test_a_number_alone_moves_a_distribution_and_a_text_replaces_it(path: str, value: object, text: str) -> None:
    assert current(SHOP.change({path: value}), path).text == text


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("services.payment.fails", "10%", 0.1),
        ("services.payment.workers", 5, 5),
        ("services.payment.retry.attempts", "unlimited", None),
        ("retry.attempts", 7, 7),
        ("client.timeout", "30s", 30 * SECOND_NS),
        ("warm-up", "1s", SECOND_NS),
        ("architectures.kafka.topic.min.insync.replicas", 1, 1),
        ("architectures.kafka.consumer.max.poll.records", 10, 10),
        ("architectures.rabbitmq.queues.payment.x-max-length", 9, 9),
        ("architectures.rabbitmq.prefetch", 1, 1),
        ("wire.duplicates", "10%", 0.1),
    ],
)
def test_a_value_is_changed_by_its_path_and_nothing_else_is(path: str, value: object, found: object) -> None:
    changed = SHOP.change({path: value})
    assert current(changed, path) == found
    assert changed != SHOP
    back = {path: None}
    assert changed.change(back) == SHOP.change(back)


def test_what_stands_beside_a_plain_value_is_changed_by_its_path_too() -> None:
    changed = SHOP.change({"services.payment.idempotent": {"remembers": 9},
                           "services.payment.breaker": {"failures": 3}})
    changed = changed.change({"services.payment.idempotent.remembers": 12, "services.payment.breaker.probes": 2,
                              "retry.budget": {"cap": 4}})
    assert current(changed, "services.payment.idempotent.remembers") == 12
    assert current(changed, "services.payment.breaker.probes") == 2
    assert current(changed.change({"retry.budget.cap": 5}), "retry.budget.cap") == 5
    assert changed.change({"services.payment.idempotent": True}).services["payment"].idempotent is True
    with pytest.raises(ScenarioError, match="cannot change within a run"):
        changed.change({"services.payment.breaker.failures": 5}, at="1s")


def test_a_change_leaves_the_scenario_that_it_starts_from() -> None:
    before = SHOP.model_copy(deep=True)
    SHOP.change({"services.payment.fails": "10%", "architectures.kafka.topic.partitions": 3})
    assert before == SHOP


def test_several_values_change_together() -> None:
    changed = SHOP.change({"duration": None, "orders": 1000})
    assert (changed.duration, changed.orders) == (None, 1000)
    assert "both given" in refusal({"orders": 1000})


def test_parts_come_and_go() -> None:
    wider = SHOP.change({"services.analytics": {"handles": "Paid", "work": "5ms", "required": False}})
    assert list(wider.services) == ["inventory", "payment", "analytics"]
    assert wider.change({"services.analytics": None}) == SHOP
    assert SHOP.change({"faults.outage": None}).faults == {}
    assert SHOP.change({"architectures.kafka": None}).architectures.listed == ("rabbitmq",)
    assert SHOP.change({"architectures.rpc": {"calls": "parallel"}}).architectures.listed == (
        "rpc",
        "kafka",
        "rabbitmq",
    )


def test_shares_of_publications_are_changed_one_by_one() -> None:
    changed = SHOP.change({"services.payment.publishes.Failed": "1%"})
    assert [(publication.event, publication.share) for publication in changed.services["payment"].publishes] == [
        ("Paid", 0.95), ("Failed", 0.01),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("services.paymnt.fails", "1%",
         'services.paymnt.fails: there is no "paymnt" among the services: did you mean payment?'),
        ("services.payment.failss", "1%", "services.payment.failss: this key is not known: did you mean fails?"),
        ("services.payment.fails", "101%", 'services.payment.fails: "101%" is too much: shares go from 0% to 100%'),
        ("architectures.rpc.calls", "parallel",
         'architectures.rpc.calls: there is no "rpc" among the architectures: choose from kafka, rabbitmq'),
        ("duration.x", "1s", "duration.x: duration has no parts of its own: change all of it"),
        ("", "1s", ': "" is not a path: write it as services.payment.fails'),
        ("services.inventory", None, ""),
        ("faults.outage.unavailable", "paymnt",
         'faults.outage.unavailable: there is no "paymnt": did you mean payment?'),
    ],
)  # fmt: skip
def test_a_change_to_what_cannot_be_is_refused(path: str, value: object, sentence: str) -> None:
    if sentence:
        assert refusal({path: value}) == sentence.removeprefix(": ")
    else:
        assert SHOP.change({path: value}).services.keys() == {"payment"}


def test_a_dated_change_is_kept_in_time_order_and_applied_one_after_the_other() -> None:
    changed = SHOP.change({"services.payment.fails": "50%"}, at="40s").change({"retry.attempts": 9}, at="30s")
    assert [(change.at_ns // SECOND_NS, change.path, change.value) for change in changed.changes] == [
        (30, "retry.attempts", 9),
        (40, "services.payment.fails", "50%"),
    ]
    assert changed.services["payment"].fails == 0.0
    later = changed.at(changed.changes[0])
    assert (later.retry.attempts, later.services["payment"].fails) == (9, 0.0)
    assert later.at(changed.changes[1]).services["payment"].fails == 0.5


def test_a_dated_number_moves_the_distribution_of_its_time() -> None:
    changed = SHOP.change({"services.inventory.work": "30ms"}, at="30s")
    assert changed.at(changed.changes[0]).services["inventory"].work.text == "lognormal p50 30ms p99 120ms"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "Mine"),
        ("duration", "70s"),
        ("warm-up", "1s"),
        ("drain", "1s"),
        ("producers.checkout.publishes", "OrderPlaced"),
        ("producers.checkout.key", "product"),
        ("producers.checkout.keys", "none"),
        ("services.payment.handles", "OrderPlaced"),
        ("services.payment.publishes", "Paid"),
        ("services.payment.joins", "3s"),
        ("services.analytics", {"handles": "Paid", "work": "5ms"}),
        ("faults.outage.for", "3s"),
        ("architectures.kafka.topic.partitions", 3),
        ("architectures.rabbitmq.exchange", "fanout"),
    ],
)
def test_what_a_run_reads_once_cannot_change_within_it(path: str, value: object) -> None:
    assert f'"{path}" cannot change within a run: change it from the start' in refusal({path: value}, at="30s")


def test_a_dated_change_is_held_to_the_same_rules() -> None:
    assert refusal({"services.payment.fails": "101%"}, at="30s") == (
        'changes[0].value: services.payment.fails: "101%" is too much: shares go from 0% to 100%'
    )
    assert refusal({"services.payment.fails": "1%"}, at="30").startswith("changes[0].at: ")
    assert "nothing cannot take the place" in refusal({"services.payment.fails": None}, at="30s")


def test_each_end_of_a_knob_is_tried_by_itself() -> None:
    """Three in-sync replicas need as many replicas, but no knob stands where another one's end has left it."""
    knobs = {
        "architectures.kafka.topic.min.insync.replicas": "1 .. 3",
        "architectures.kafka.topic.replication.factor": "1 .. 3",
    }
    topic = {"architectures.kafka.topic": {"replication.factor": 3, "min.insync.replicas": 1}}
    assert list(SHOP.change(topic).change({f"knobs.{path}": knob for path, knob in knobs.items()}).knobs)[1:] == [
        *knobs
    ]


def test_names_with_dots_are_one_step_of_a_path() -> None:
    assert steps_of("architectures.kafka.topic.min.insync.replicas") == (
        "architectures", "kafka", "topic", "min.insync.replicas",
    )  # fmt: skip
    assert steps_of("knobs.services.payment.fails") == ("knobs", "services.payment.fails")
    assert steps_of("architectures.rabbitmq.queues.payment.x-max-length")[3:] == ("payment", "x-max-length")
    assert steps_of("architectures.kafka.version") == ("architectures", "kafka", "version")


def test_a_part_that_is_taken_out_takes_its_knobs_along() -> None:
    shop = load("scenarios/payment-outage.yml").change({"faults.outage": None})
    assert "outage" not in shop.faults
    assert "faults.outage.for" not in shop.knobs
    assert "client.timeout" in shop.knobs
