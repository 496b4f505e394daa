"""Replicated stores: who waits for what, what faults do, and what the journal says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edasim.core.conservation import ConservationError
from edasim.measure.replication import StoreReading
from edasim.scenario.errors import ScenarioError
from edasim.scenario.estimating import estimate
from edasim.scenario.reading import load
from edasim.scenario.store import Store
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict, to_yaml
from edasim.services.replicas import Replica
from edasim.simulate import Run, simulate
from edasim.study.compare import compare
from edasim.study.description import Description
from edasim.study.load import loads
from tests.laws.shops import ALL, Parts, shop

LEGS = {"write": "10ms", "write-ack": "20ms", "read": "5ms", "read-reply": "7ms"}


def stored(store: Parts | None = None, orders: int = 1, **rest: Any) -> Scenario:
    """Orders at 1 s, 2 s ...; a tenth of a second of work, then a write that takes 30 ms."""
    service = {"work": "100ms", "store": LEGS | (store or {}), **rest.pop("service", {})}
    return shop("constant 1/s", {"inventory": service}, orders=orders, **rest)


def reading(run: Run) -> StoreReading:
    return run.summary().stores["inventory"]


def facts(run: Run, place: str = "") -> list[tuple[str, float]]:
    """What happened at the workers, the store and its replicas: (verb, seconds), at a place if one is named."""
    found = [fact for fact in run.journal if fact.place.kind in ("worker", "store", "replica", "service")]
    return [(fact.verb, round(fact.time_s, 6)) for fact in found if place in (fact.place.name, "")]


# --- one write and one read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ALL)
def test_an_attempt_has_ended_well_when_the_write_quorum_has_acknowledged(architecture: str) -> None:
    run = simulate(stored(), architecture, 1)
    assert facts(run, "inventory") == [("written", 1.1), ("confirmed", 1.13), ("applied", 1.13)]
    worker = "thread-1" if architecture == "monolith" else "inventory-1"
    assert facts(run, worker) == [("started", 1.0), ("handled", 1.13)]
    for number in (1, 2, 3):
        assert facts(run, f"inventory.replica-{number}") == [
            ("stored", 1.11), ("asked", 1.135), ("replied", 1.142)]
    assert run.summary().services["inventory"].work_s.tolist() == pytest.approx([0.13])
    assert run.quiet
    assert run.end_ns >= 1_142_000_000, "the run is not over before the reader has all replies"


def test_the_journal_tells_how_long_writes_and_reads_took() -> None:
    store = reading(simulate(stored(orders=3), "rpc", 1))
    assert store.write_latency_s.tolist() == pytest.approx([0.03] * 3)
    assert store.read_latency_s.tolist() == pytest.approx([0.012] * 3)
    assert store.convergence_s.tolist() == pytest.approx([0.01] * 3)
    assert store.visible_after_s.tolist() == [0.0, 0.0, 0.0]
    assert store.versions_behind.tolist() == [0, 0, 0]


def test_with_write_quorum_0_nobody_waits_and_replicas_follow() -> None:
    run = simulate(stored({"write-quorum": 0}), "rpc", 1)
    assert facts(run, "inventory") == [("written", 1.1), ("confirmed", 1.1), ("applied", 1.1)]
    # The read reaches the replicas 5 ms after the confirmation, the version 10 ms after.
    store = reading(run)
    assert store.visible_after_s.tolist() == pytest.approx([0.005])
    assert store.t_visibility(np.array([0.0, 0.0049, 0.0051])).tolist() == [0.0, 0.0, 1.0]
    assert store.versions_behind.tolist() == [1]
    assert store.missing().integral(0.0, 2.0) == pytest.approx(0.01)
    assert store.stale_share(1.1, 1.2) == store.stale_share(1.1, 1.2, "inventory.replica-3") == pytest.approx(0.1)


def test_without_readers_nobody_looks() -> None:
    run = simulate(stored({"readers": False}), "rpc", 1)
    assert "asked" not in {verb for verb, _ in facts(run)}
    store = reading(run)
    assert (int(store.read.sum()), store.failed_reads, store.within(1)) == (0, 0, 1.0)


def test_a_write_that_goes_to_a_quorum_only_reaches_each_replica_as_often() -> None:
    store = reading(simulate(stored({"replication": "quorum-only", "write-quorum": 2}, orders=600), "rpc", 1))
    arrived = np.isfinite(store.arrived_s)
    assert set(arrived.sum(axis=1)) == {2}
    assert abs(arrived.mean(axis=0) - 2 / 3).max() < 0.08


def test_replies_of_one_instant_favour_no_replica() -> None:
    store = reading(simulate(stored({"read-quorum": 1}, orders=600), "rpc", 1))
    assert abs(np.bincount(store._first[:, 0], minlength=3) / 600 - 1 / 3).max() < 0.08


def test_the_last_writer_wins_whatever_arrives_last() -> None:
    store = {"write-quorum": 0, "write": "uniform 0s..4s"}
    run = simulate(stored(store, orders=40, producer={"key": "item", "keys": "uniform over 2"}), "rpc", 2)
    found = reading(run)
    overtaken = sum(verb == "superseded" for verb, _ in facts(run))
    assert overtaken > 10
    assert found.converged
    assert found.newest.tolist() == [[int(np.flatnonzero(found.key_of == key)[-1]) + 1] * 3 for key in (0, 1)]


def test_what_a_read_sees_agrees_with_a_replay_of_the_facts() -> None:
    """Against a dozen lines that walk through the journal."""
    store = {"write-quorum": 1, "read-quorum": 2, "write": "exponential 2s", "read": "exponential 900ms",
             "read-reply": "exponential 300ms"}
    run = simulate(stored(store, orders=150, producer={"key": "item", "keys": "uniform over 3"},
                          service={"workers": 9}), "rabbitmq", 3)
    found = reading(run)
    key = found.key_of.tolist()
    holds: dict[tuple[str, int], int] = {}
    seen: dict[int, dict[str, int]] = {}
    replies: dict[int, list[str]] = {}
    for fact in run.journal:
        if fact.verb == "stored":
            holds[fact.place.name, key[fact.number - 1]] = fact.number
        elif fact.verb == "asked":
            seen.setdefault(fact.number, {})[fact.place.name] = holds.get((fact.place.name, key[fact.number - 1]), 0)
        elif fact.verb == "replied":
            replies.setdefault(fact.number, []).append(fact.place.name)
    behind = []
    for version in range(1, 151):
        newest = max(seen[version][name] for name in replies[version][:2])
        behind.append(sum(newest < other <= version and key[other - 1] == key[version - 1] for other in range(1, 151)))
    assert found.versions_behind.tolist() == behind
    assert 20 < sum(number > 0 for number in behind) < 130
    assert ((found.visible_after_s == 0) == (found.versions_behind == 0)).all()


# --- faults ----------------------------------------------------------------------------------------------------------


def fault(kind: str, number: int, at: str = "500ms", **rest: object) -> dict[str, object]:
    return {kind: f"inventory.replica-{number}", "at": at, **rest}


def test_a_failing_replica_declines_and_the_others_suffice() -> None:
    run = simulate(stored(faults={"one": fault("failing", 1)}), "rpc", 1)
    assert facts(run, "inventory") == [("written", 1.1), ("confirmed", 1.13), ("applied", 1.13)]
    assert facts(run, "inventory.replica-1") == [("declined", 1.11), ("declined", 1.135)]
    assert reading(run).failed_reads == 0
    assert run.summary().not_applicable == []


@pytest.mark.parametrize("architecture", ALL)
def test_a_write_without_its_quorum_is_a_failed_attempt_that_is_tried_again(architecture: str) -> None:
    faults = {"one": fault("failing", 1), "two": fault("failing", 3, **{"for": "700ms"})}
    run = simulate(stored(faults=faults, retry={"attempts": 3, "backoff": "fixed 100ms", "jitter": "none"}),
                   architecture, 1)
    assert [fact for fact in facts(run, "inventory") if fact[0] != "retried"] == [
        ("written", 1.1), ("abandoned", 1.13), ("written", 1.33), ("confirmed", 1.36), ("applied", 1.36)]
    # The version that was given up stays where it had arrived.
    assert facts(run, "inventory.replica-2")[:2] == [("stored", 1.11), ("stored", 1.34)]
    assert run.summary().services["inventory"].failed == 1


@pytest.mark.parametrize("architecture, fate", [("monolith", "refused"), ("rpc", "refused"), ("kafka", "parked"),
                                                ("rabbitmq", "parked")])
def test_an_order_whose_write_fails_for_good_has_no_effect(architecture: str, fate: str) -> None:
    faults = {"one": fault("failing", 1), "two": fault("failing", 2)}
    run = simulate(stored(faults=faults, retry={"attempts": 2}), architecture, 1)
    assert run.summary().outcomes[fate] == 1
    assert [verb for verb, _ in facts(run, "inventory")].count("abandoned") == 2
    assert "applied" not in dict(facts(run))


def test_a_replica_that_declines_a_share_fails_as_many_writes() -> None:
    scenario = stored({"replicas": 1, "write-quorum": 1, "read-quorum": 1}, orders=800, retry={"attempts": 1},
                      faults={"one": fault("failing", 1, share="30%")})
    run = simulate(scenario, "rpc", 1)
    assert abs(run.summary().outcomes["refused"] / 800 - 0.3) < 0.07
    store = reading(run)
    assert abs(store.failed_reads / store.confirmed.sum() - 0.3) < 0.09


@pytest.mark.parametrize("architecture", ALL)
def test_who_writes_to_an_unavailable_replica_waits_for_it_if_it_must(architecture: str) -> None:
    away = {"away": fault("unavailable", 2, **{"for": "2s"})}
    enough = simulate(stored(faults=away), architecture, 1)
    assert facts(enough, "inventory")[1] == ("confirmed", 1.13)
    assert facts(enough, "inventory.replica-2") == [("stored", 2.5), ("asked", 2.5), ("replied", 2.507)]
    assert reading(enough).staleness().max(0, 3) == pytest.approx(2.5 - 1.13)
    needed = simulate(stored({"write-quorum": 3}, faults=away), architecture, 1)
    assert facts(needed, "inventory")[:2] == [("written", 1.1), ("confirmed", 2.52)]


def test_a_slow_replica_takes_its_factor_longer_both_ways() -> None:
    run = simulate(stored({"write-quorum": 3}, faults={"slow": fault("slow", 3, by="4x")}), "rpc", 1)
    assert facts(run, "inventory")[:2] == [("written", 1.1), ("confirmed", 1.22)]
    assert facts(run, "inventory.replica-3") == [("stored", 1.14), ("asked", 1.24), ("replied", 1.268)]


def test_a_worker_that_dies_while_it_waits_leaves_its_version_behind() -> None:
    crash = {"crash": {"crash": "inventory", "at": "1115ms", "for": "200ms"}}
    run = simulate(stored(faults=crash), "rabbitmq", 1)
    assert facts(run, "inventory-1") == [("started", 1.0), ("crashed", 1.115)]
    assert [verb for verb, _ in facts(run, "inventory")] == ["written", "confirmed", "written", "confirmed", "applied"]
    assert run.summary().outcomes["done"] == 1
    for architecture in ("monolith", "rpc"):
        gone = simulate(stored(faults=crash), architecture, 1)
        assert gone.quiet
        assert "applied" not in dict(facts(gone))


def test_a_slower_service_does_not_touch_a_write_under_way() -> None:
    faults = {"slow": {"slow": "inventory", "by": "10x", "at": "1110ms"},
              "stop": {"unavailable": "inventory", "at": "1120ms", "for": "500ms"}}
    assert facts(simulate(stored(faults=faults), "rpc", 1), "inventory")[1] == ("confirmed", 1.13)


def test_a_customer_who_leaves_calls_the_thread_back_from_a_write() -> None:
    scenario = stored(client={"timeout": "115ms"}, architectures={"monolith": {"threads": 1, "cancels": True}})
    run = simulate(scenario, "monolith", 1)
    assert facts(run, "thread-1") == [("started", 1.0), ("failed", 1.115)]
    assert run.summary().outcomes["refused"] == 1
    assert run.quiet


def test_a_version_stays_when_a_transaction_is_rolled_back() -> None:
    services = {"inventory": {"work": "10ms", "store": LEGS}, "payment": {"work": "10ms", "poison": "100%"}}
    run = simulate(shop("constant 1/s", services, orders=1, retry={"attempts": 1}), "monolith", 1)
    assert run.summary().outcomes["refused"] == 1
    assert reading(run).newest.tolist() == [[1, 1, 1]]
    assert "applied" not in dict(facts(run))


def test_an_idempotent_service_writes_a_message_once() -> None:
    wire = {"base": "none", "duplicates": "30%"}
    scenario = stored(orders=60, service={"idempotent": True, "work": "1ms"}, wire=wire)
    run = simulate(scenario, "rabbitmq", 1)
    assert [verb for verb, _ in facts(run)].count("deduplicated") > 5
    assert len(reading(run)) == 60


def test_a_version_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replica, "take", lambda self, write: None)
    with pytest.raises(ConservationError, match=r"store inventory: 3 transmissions of 1 versions, but 0 arrived"):
        simulate(stored(), "rpc", 1)


# --- the scenario ----------------------------------------------------------------------------------------------------


def test_a_store_is_written_as_it_is_read() -> None:
    scenario = stored({"replicas": 5, "write-quorum": 3, "replication": "quorum-only", "readers": False},
                      faults={"one": fault("slow", 5, by="2x")})
    assert load(to_yaml(scenario)) == scenario
    assert to_dict(scenario)["services"]["inventory"]["store"] == {
        "replicas": 5, "write-quorum": 3, "replication": "quorum-only", "readers": False, **LEGS}
    defaults = scenario.change({"services.inventory.store": {}, "faults.one": None}).services["inventory"].store
    assert defaults == Store()
    assert (defaults.replicas, defaults.read_quorum, defaults.write_quorum) == (3, 2, 2)
    assert scenario.change({"services.inventory.store": None, "faults.one": None}).services["inventory"].store is None


def test_a_slider_moves_a_time_or_a_quorum() -> None:
    scenario = stored({"write": "exponential 10ms"}).change({
        "knobs": {"services.inventory.store.write": "1ms .. 100ms", "services.inventory.store.write-quorum": "1 .. 3"}})
    moved = scenario.change({"services.inventory.store.write": "50ms", "services.inventory.store.write-quorum": 3})
    assert moved.services["inventory"].store.write.text == "exponential 50ms"
    with pytest.raises(ScenarioError, match="write-quorum 4 can never be met: there are 3 replicas"):
        scenario.change({"services.inventory.store.write-quorum": 4})


def test_the_description_says_who_is_waited_for() -> None:
    words = Description(stored(), ("rpc",)).service("inventory")
    assert "keeps its state on 3 replicas: a write waits for 2, a read takes the first 2 replies" in words
    alone = Description(stored({"write-quorum": 0, "read-quorum": 1, "replicas": 1}), ("rpc",)).service("inventory")
    assert "on 1 replica: a write waits for none, a read takes the first reply" in alone


def test_a_worker_is_needed_while_it_waits_for_a_write() -> None:
    assert loads(stored())["inventory"].needed == pytest.approx(0.13)
    legs = {"replicas": 5, "write-quorum": 3, "write": "exponential 100ms", "write-ack": "0s"}
    third_of_five_s = 0.1 * (1 / 5 + 1 / 4 + 1 / 3)
    assert loads(stored(legs))["inventory"].needed == pytest.approx(0.1 + third_of_five_s, rel=1e-3)


def test_a_store_costs_events_and_parts() -> None:
    plain, with_store = (stored(orders=1000).change({"services.inventory.store": store}) for store in (None, LEGS))
    assert estimate(with_store).events > estimate(plain).events + 11 * 1000
    assert estimate(with_store).bytes > estimate(plain).bytes
    for architecture, more in (("monolith", 3), ("rpc", 2), ("kafka", 2)):
        parts = [simulate(one, architecture, 1).summary().parts for one in (plain, with_store)]
        assert parts[1]["parts"] - parts[0]["parts"] == more
        assert parts[1]["bytes_per_order"] - parts[0]["bytes_per_order"] == 3 * 1000


def test_a_printed_run_and_a_study_tell_of_the_store() -> None:
    scenario = stored({"write-quorum": 0}, orders=5)
    run = simulate(scenario, "kafka", 1)
    assert ("inventory's replicas: a write is confirmed after p50 0.0 ms; 0.0% of reads at once see it, "
            "99% after 5.0 ms") in str(run)
    numbers = compare(scenario, ["kafka"], replications=1, seed=1).observations["kafka"][0].further["stores"]
    assert numbers["inventory"]["consistent_at_once"] == 0.0
    assert numbers["inventory"]["versions_behind"] == 1.0
    frame = run.frame()
    assert frame[frame.verb == "written"].message.tolist() == [0, 1, 2, 3, 4]
    assert set(frame[frame.verb == "stored"].message) == {-1}, "a version is no message"
    assert "inventory" in str(run.journey(2))


def test_a_service_without_a_store_has_no_reading_of_one() -> None:
    run = simulate(stored().change({"services.inventory.store": None}), "rpc", 1)
    assert run.summary().stores == {}
    with pytest.raises(ValueError, match="inventory has no store"):
        StoreReading(run.summary().reading, run.summary().orders, "inventory")
