"""Who publishes to whom, how many messages an order brings, and what a run would cost."""

import pytest

from edasim.scenario.estimating import estimate
from edasim.scenario.flow import Flow
from edasim.scenario.value import Scenario, Service


def shop(**services: dict) -> Scenario:
    """A scenario of these services, 40 orders a second for 10 s; not checked, so that it may hold any cycle."""
    small = Scenario.from_dict({
        "duration": "10s",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 40/s"}},
        "services": {"payment": {"handles": "OrderPlaced", "work": "30ms"}},
    })  # fmt: skip
    parts = {name: Service.model_validate({"work": "30ms", **part}) for name, part in services.items()}
    return small.model_copy(update={"services": parts})


def test_events_are_followed_from_the_order_on() -> None:
    flow = Flow(shop(
        payment={"handles": "OrderPlaced", "publishes": {"Paid": "90%", "Refused": "10%"}},
        shipping={"handles": "Paid", "publishes": ["Packed", "Shipped"]},
        mail={"handles": ["Shipped", "Refused"]},
    ))  # fmt: skip
    assert flow.reached() == {"OrderPlaced", "Paid", "Refused", "Packed", "Shipped"}
    assert flow.endless_cycles() == []
    assert flow.messages_per_order("OrderPlaced") == pytest.approx(
        {"OrderPlaced": 1, "Paid": 0.9, "Refused": 0.1, "Packed": 0.9, "Shipped": 0.9}
    )


def test_two_handlers_of_one_event_publish_twice() -> None:
    flow = Flow(
        shop(one={"handles": "OrderPlaced", "publishes": "A"}, two={"handles": "OrderPlaced", "publishes": "A"})
    )
    assert flow.messages_per_order("OrderPlaced")["A"] == 2


def test_a_cycle_that_dies_out_is_a_geometric_series() -> None:
    flow = Flow(shop(payment={"handles": ["OrderPlaced", "Again"], "publishes": {"Again": "50%"}}))
    assert flow.endless_cycles() == []
    assert flow.messages_per_order("OrderPlaced")["Again"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("services", "cycle"),
    [
        ({"a": {"handles": "OrderPlaced", "publishes": "OrderPlaced"}}, ["OrderPlaced", "OrderPlaced"]),
        (
            {"a": {"handles": ["OrderPlaced", "C"], "publishes": "B"}, "b": {"handles": "B", "publishes": "C"}},
            ["B", "C", "B"],
        ),
        (
            {"a": {"handles": ["OrderPlaced", "B"], "publishes": {"B": "60%"}},
             "b": {"handles": "B", "publishes": {"B": "40%"}}},
            ["B", "B"],
        ),
    ],
)  # fmt: skip
def test_a_cycle_that_never_dies_out_is_named(services: dict, cycle: list[str]) -> None:
    assert Flow(shop(**services)).endless_cycles() == [cycle]


def test_the_border_between_dying_out_and_not_is_one_message_for_each() -> None:
    def endless(*shares: str) -> bool:
        parts = {f"s{n}": {"handles": ["OrderPlaced", "B"], "publishes": {"B": part}} for n, part in enumerate(shares)}
        return bool(Flow(shop(**parts)).endless_cycles())

    assert not endless("60%", "39.999%")
    assert endless("60%", "40%")


def test_the_cost_grows_with_orders_and_attempts() -> None:
    plain = shop(payment={"handles": "OrderPlaced"})
    twice = shop(payment={"handles": "OrderPlaced", "fails": "50%", "retry": {"attempts": "unlimited"}})
    assert estimate(plain).orders == 400
    assert estimate(plain).events == pytest.approx(400 * 5, rel=0.01)
    assert estimate(twice).events == pytest.approx(400 * 9, rel=0.01)


def test_an_unlimited_retry_of_what_always_fails_is_bounded_by_time() -> None:
    cost = estimate(shop(payment={"handles": "OrderPlaced", "fails": "100%", "retry": {"attempts": "unlimited"}}))
    assert 400 * 4 * 50 < cost.events < 400 * 4 * 500


def test_a_number_of_orders_costs_what_so_many_cost() -> None:
    by_number = shop(payment={"handles": "OrderPlaced"}).model_copy(update={"duration": None, "orders": 400})
    assert estimate(by_number).orders == 400
    assert estimate(by_number).events == pytest.approx(estimate(shop(payment={"handles": "OrderPlaced"})).events)
