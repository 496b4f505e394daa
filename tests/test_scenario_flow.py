"""Who publishes to whom, how many messages an order brings, and what a run would cost."""

import subprocess
import sys

import pytest

from edasim.scenario.architecture_options import ARCHITECTURES
from edasim.scenario.estimating import MOST_BYTES, MOST_EVENTS, estimate
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


def broken(fault: dict, **more: object) -> Scenario:
    """Forty orders a second for 10 s through two services, with a fault; not checked."""
    plain = shop(payment={"handles": "OrderPlaced", "publishes": "Paid"}, mail={"handles": "Paid"})
    parts = Scenario.model_validate({"faults": {"f": fault}, **more})
    return plain.model_copy(update={name: getattr(parts, name) for name in ("faults", *more)})


def test_attempts_while_a_service_fails_are_bounded_by_the_fault_and_the_backoff() -> None:
    fault = {"failing": "payment", "at": "2s", "for": "1s"}
    assert estimate(broken(fault, retry={"attempts": "unlimited", "where": "aside"})).events < 2e4
    aside = {"attempts": "unlimited", "backoff": "fixed 1ms", "jitter": "none", "where": "aside"}
    # The orders of 3 s may meet the fault, and 1000 waits fit into it.
    assert estimate(broken(fault, retry=aside)).events == pytest.approx(4 * 0.3 * 400 * 1000, rel=0.1)
    assert estimate(broken({**fault, "share": "50%"}, retry=aside)).events < 1e4


def test_calls_to_a_lone_worker_that_is_deployed_anew_fail_at_once_and_are_counted() -> None:
    retry = {"attempts": "unlimited", "backoff": "fixed 1ms", "jitter": "none"}
    parts = {"retry": retry, "architectures": {"rpc": {}, "kafka": {}}}
    alone = broken({"deploy": "payment", "at": "2s", "rolling": "1s"}, **parts)
    # The orders of 3 s may meet the second in which nobody is there, and 1000 waits fit into it.
    assert estimate(alone).events == pytest.approx(4 * 0.3 * 400 * 1000, rel=0.1)
    payment = alone.services["payment"].model_copy(update={"workers": 2})
    assert estimate(alone.model_copy(update={"services": {**alone.services, "payment": payment}})).events < 1e4


def test_a_broker_that_refuses_is_asked_again_ten_times_a_second() -> None:
    waits = broken({"failing": "broker", "at": "0s"}, drain="1h")
    assert estimate(waits).events == pytest.approx(4 * 400 * 36_100, rel=0.1)
    assert estimate(broken({"failing": "broker", "at": "0s", "for": "1s"}, drain="1h")).events < 1e4


def test_duplicates_repeat_as_often_as_they_are_drawn_until_time_or_workers_end_it() -> None:
    plain = shop(payment={"handles": "OrderPlaced", "work": "1ms"})
    wires = [Scenario.model_validate({"wire": {"duplicates": share}}).wire for share in ("0%", "50%", "100%")]
    none, half, all_of_them = (estimate(plain.model_copy(update={"wire": wire})).events for wire in wires)
    assert half - none == pytest.approx(4 * 400, rel=0.01)
    assert all_of_them - none == pytest.approx(4 * 130 * 1000, rel=0.01)  # one worker, 1 ms each, 130 s


def test_what_stands_before_the_first_order_costs_memory() -> None:
    plain = shop(payment={"handles": "OrderPlaced"})
    many = shop(payment={"handles": "OrderPlaced", "workers": 10_000})
    topic = {"partitions": 1000, "replication.factor": 30}
    wide = plain.change({"architectures.kafka.topic": topic})
    # A run with 10,000 consumers took 147 MB, one with 4,000 partitions of 30 replicas 131 MB.
    assert estimate(many).bytes - estimate(plain).bytes >= 140e6
    assert estimate(wide).bytes - estimate(plain).bytes >= 65e6


MEASURE = """
import sys
from resource import RUSAGE_SELF, getrusage
import edasim.measure.summary
from edasim.scenario.reading import load
from edasim.simulate import simulate
scenario = load(sys.argv[1])
before = getrusage(RUSAGE_SELF).ru_maxrss
run = simulate(scenario, sys.argv[2])
text = str(run)
print((getrusage(RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
ORDERS = """{orders: 5000,
producers: {checkout: {publishes: OrderPlaced, arrivals: poisson 40/s}},
services: {payment: {handles: OrderPlaced, work: exponential 15ms, publishes: Paid}, mail: {handles: Paid, work: 5ms}},
architectures: {monolith: , rpc: , kafka: {topic: {partitions: 6, replication.factor: 3}}, rabbitmq: }}"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory has another unit elsewhere")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_with_its_summary_takes_no_more_memory_than_estimated(architecture: str) -> None:
    from edasim.scenario.reading import load

    command = [sys.executable, "-c", MEASURE, ORDERS, architecture]
    taken = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # What the interpreter takes once, however small the run is.
    assert taken <= estimate(load(ORDERS)).bytes + 10e6


def test_200_000_orders_of_the_benchmarks_are_allowed() -> None:
    from benchmarks.workload import Workload

    cost = estimate(Scenario.from_dict({**Workload().scenario(), "orders": 200_000}))
    assert cost.allowed
    assert cost.bytes < MOST_BYTES / 2
    assert cost.events < MOST_EVENTS / 2
