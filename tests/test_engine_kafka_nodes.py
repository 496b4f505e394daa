"""Faults on Kafka's nodes in whole shops: what orders get lost, refused or repeated, and that nothing else vanishes."""

from __future__ import annotations

from typing import Any

import pytest

from edasim.brokers.kafka.bounded_producer import BoundedProducer
from edasim.brokers.kafka.cluster import Cluster
from edasim.brokers.kafka.replication import ReplicatedCluster
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.services.shop import Shop
from edasim.simulate import BUILDERS, Run, simulate
from tests.worlds import outcome, shop, times_s

SLOW_COPIES = {"broker-to-broker": "100ms"}


def kafka(acks: str = "all", minimum: int = 2, version: str = "4.3", **parts: Any) -> Scenario:
    """100 orders, one each 100 ms from 0.1 s on, to three brokers 100 ms apart, the first of which leads."""
    options = {"version": version, "producer": {"acks": acks, "linger.ms": 0},
               "topic": {"partitions": 1, "replication.factor": 3, "min.insync.replicas": minimum}}
    built = {"orders": 100, "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "constant 10/s"}},
             "services": {"payment": {"handles": "OrderPlaced", "workers": 1, "work": "1ms"}},
             "client": {"timeout": "30s"}, "wire": {"base": "none", **SLOW_COPIES}, "drain": "100s",
             "architectures": {"kafka": options}, **parts}
    return shop(**built)


def crash(node: str, at: str, **more: Any) -> dict[str, Any]:
    return {"crash": node, "at": at, **more}


@pytest.mark.parametrize(("acks", "lost"), [("1", 1), ("0", 1), ("all", 0)])
def test_what_the_dead_leader_alone_had_is_lost_unless_all_had_to_confirm(acks: str, lost: int) -> None:
    # A copy is under way for 100 ms, and an order comes each 100 ms.
    run = simulate(kafka(acks, faults={"x": crash("broker-1", "3050ms")}), "kafka")
    assert (outcome(run, "lost"), outcome(run, "done"), outcome(run, "refused")) == (lost, 100 - lost, 0)
    assert run.quiet


def test_with_too_few_in_sync_orders_are_refused_and_none_is_lost() -> None:
    faults = {"x": crash("broker-2", "1050ms"), "y": crash("broker-3", "1150ms")}
    run = simulate(kafka(faults=faults, client={"timeout": "5s"}), "kafka")
    assert outcome(run, "refused") > 80 and outcome(run, "lost") == 0
    alone = simulate(kafka("1", faults=faults, client={"timeout": "5s"}), "kafka")
    assert outcome(alone, "refused") == 0 and outcome(alone, "accepted") == 100


def test_a_node_that_comes_back_ends_the_refusals() -> None:
    faults = {"x": crash("broker-2", "1050ms", **{"for": "20s"}), "y": crash("broker-3", "1150ms")}
    run = simulate(kafka(faults=faults), "kafka")
    assert (outcome(run, "done"), outcome(run, "refused"), outcome(run, "lost")) == (100, 0, 0)


def test_an_unclean_election_loses_what_one_node_had_confirmed_alone() -> None:
    faults = {"x": crash("broker-2", "1050ms", **{"for": "30s"}), "y": crash("broker-3", "1150ms"),
              "z": crash("broker-1", "20050ms")}
    losing = {"architectures.kafka.topic.unclean.leader.election.enable": True,
              "architectures.kafka.topic.min.insync.replicas": 1}
    scenario = kafka("1", version="3.9", faults=faults, orders=400)
    waiting, lossy = simulate(scenario, "kafka"), simulate(scenario.change(losing), "kafka")
    assert (outcome(waiting, "lost"), times_s(waiting, "dropped", "OrderPlaced-0")) == (0, [])
    assert outcome(waiting, "pending") > 0  # Nobody reads what one node alone has while two have to be in sync.
    dropped = len(times_s(lossy, "dropped", "OrderPlaced-0"))
    # Broker 1 is alone from about 8 to 20 s, and one order comes each 100 ms; most of them were handled before.
    assert 100 < dropped < 200 and outcome(lossy, "lost") + outcome(lossy, "done") == 400 - outcome(lossy, "refused")


def test_the_band_of_a_node_is_named_and_dated_as_others_are() -> None:
    run = simulate(kafka(faults={"x": crash("broker-1", "3050ms", **{"for": "5s"})}), "kafka")
    band = run.bands[0]
    assert (band.name, band.text, band.start_ns / 1e9) == ("x", "broker-1 crashed", 3.05)
    assert times_s(run, "recovered") == [8.05]


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "rabbitmq"])
def test_a_node_of_kafka_is_not_applicable_elsewhere(architecture: str) -> None:
    scenario = kafka(faults={"x": crash("broker-1", "3050ms")},
                     architectures={"kafka": {"topic": {"replication.factor": 3}}, architecture: {}})
    run = simulate(scenario, architecture)
    assert run.not_applicable == ["x"] and outcome(run, "done") == 100


def test_broker_means_all_nodes() -> None:
    run = simulate(kafka(faults={"x": crash("broker", "3050ms", **{"for": "10s"})}), "kafka")
    assert (outcome(run, "done"), outcome(run, "lost")) == (100, 0)
    assert not [at for at in times_s(run, "appended") if 3.06 < at < 12.0]


def test_a_node_that_two_faults_took_is_back_when_both_are_over() -> None:
    faults = {"x": crash("broker-1", "2050ms", **{"for": "15s"}), "y": crash("broker-1", "5050ms", **{"for": "20s"})}
    run = simulate(kafka(faults=faults, orders=300), "kafka")
    back = [(fact.number, float(fact.time_s)) for fact in run.journal
            if fact.verb == "expanded" and fact.place.name == "OrderPlaced-0"]
    assert [number for number, _ in back] == [1] and 25.05 < back[0][1] < 27


def test_a_stopped_node_costs_customers_no_session() -> None:
    def slowest(kind: str) -> float:
        run = simulate(kafka(faults={"x": {kind: "broker-1", "at": "3050ms"}}), "kafka")
        return max(at - placed for at, placed in zip(times_s(run, "accepted"), times_s(run, "placed"), strict=True))

    assert slowest("stop") < 1 < 5 < slowest("crash")


def test_the_same_seed_gives_the_same_run() -> None:
    scenario = kafka(faults={"x": crash("broker", "3050ms", **{"for": "10s"})}, wire="default")

    def facts(run: Run) -> list[Any]:
        return [(fact.time_s, fact.verb, fact.number, fact.place) for fact in run.journal]

    assert facts(simulate(scenario, "kafka", 5)) == facts(simulate(scenario, "kafka", 5))


# --- the plain classes where nothing of it happens --------------------------------------------------------------


def wired(scenario: Scenario) -> Any:
    made: Any = BUILDERS["kafka"](Shop(scenario, 1), scenario.architectures.kafka)
    return made


def test_without_a_fault_on_a_node_the_cluster_and_its_producers_are_the_plain_ones() -> None:
    plain = wired(kafka(faults={"x": {"unavailable": "payment", "at": "1s", "for": "1s"}}))
    assert type(plain.cluster) is Cluster and not issubclass(plain._producer_kind, BoundedProducer)
    assert type(wired(kafka(faults={"x": crash("broker-2", "1s")})).cluster) is ReplicatedCluster


@pytest.mark.parametrize("parts", [
    {"faults": {"x": {"unavailable": "broker", "at": "1s", "for": "1s"}}},
    {"architectures": {"kafka": {"producer": {"buffer.memory": "1MiB"}}}},
    {"producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "10/s", "size": "2MiB"}}},
])
def test_a_buffer_that_may_get_full_is_counted(parts: dict[str, Any]) -> None:
    assert wired(kafka(**parts))._producer_kind is BoundedProducer


def test_a_full_buffer_makes_customers_wait_and_then_refuses_them() -> None:
    options = {"producer": {"buffer.memory": 32_768, "max.block.ms": 2000, "linger.ms": 0}, "topic": {"partitions": 1}}
    down = {"unavailable": "broker", "at": "3050ms", "for": "6s"}
    run = simulate(kafka(architectures={"kafka": options}, faults={"x": down}), "kafka")
    # Of the 60 that come meanwhile two are on their way in batches of 16 KiB; the last 20 have not waited for 2 s yet.
    assert (outcome(run, "refused"), outcome(run, "done"), outcome(run, "lost")) == (38, 62, 0)


def test_a_message_that_no_request_can_carry_is_refused_or_dropped() -> None:
    services = {"payment": {"handles": "OrderPlaced", "work": "1ms", "publishes": "PaymentCaptured"},
                "shipping": {"handles": "PaymentCaptured", "work": "1ms"}}
    options = {"producer": {"max.request.size": 500}}
    run = simulate(kafka(services=services, architectures={"kafka": options}), "kafka")
    assert outcome(run, "refused") == 100


def test_a_node_that_is_stuck_is_found_out_by_timeouts() -> None:
    stuck = {"x": {"unavailable": "broker-1", "at": "3050ms", "for": "60s"}}
    run = simulate(kafka(faults=stuck, client={"timeout": "60s"}), "kafka")
    late = [at for at in times_s(run, "accepted") if at > 4]
    # The session is over after 9 s, but who has asked waits for request.timeout.ms of 30 s.
    assert len(late) > 60 and min(late) > 33 and outcome(run, "done") == 100


def test_the_shipped_failover_loses_with_acks_1_and_refuses_with_all() -> None:
    shipped = load("scenarios/kafka-failover.yml")
    safe = simulate(shipped, "kafka", 1)
    fast = simulate(shipped.change({"architectures.kafka.producer.acks": "1"}), "kafka", 1)
    assert outcome(safe, "lost") == 0 < 100 < outcome(safe, "refused")
    assert outcome(fast, "lost") > 0 == outcome(fast, "refused")
    assert [band.text for band in safe.bands] == ["broker-1 crashed", "broker-2 crashed"]
