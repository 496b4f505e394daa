"""The same seed gives the same facts, and an order needs the same work whatever stands around it."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.worlds import ARCHITECTURES, BROKERED, outcome, shop, times_s

ROOT = Path(__file__).resolve().parent.parent
RETRY = {"attempts": 3, "backoff": "fixed 20ms", "jitter": "full"}


def busy_shop(**parts: Any) -> Scenario:
    """A shop in which every source of chance is at work."""
    services = {
        "inventory": {"handles": "OrderPlaced", "work": "lognormal p50 15ms p99 60ms", "workers": 2},
        "payment": {"handles": "OrderPlaced", "work": "exponential 30ms", "workers": 2, "fails": "10%",
                    "poison": "2%", "publishes": {"Paid": "80%", "Declined": "20%"}},
        "shipping": {"handles": ["Paid", "Declined"], "work": "gamma mean 20ms cv 0.5", "fails": "5%"},
    }
    faults = {
        "crash": {"crash": "payment", "at": "700ms", "for": "exponential 300ms", "workers": 1},
        "outage": {"unavailable": "inventory", "at": "1100ms", "for": "400ms"},
        "flaky": {"lossy": "checkout -> broker", "at": "1500ms", "for": "500ms", "share": "20%"},
        "flaky-too": {"lossy": "gateway -> payment", "at": "1500ms", "for": "500ms", "share": "20%"},
    }
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 30/s", "key": "customer",
                              "keys": "zipf 1.1 over 20"}}
    kafka = {"topic": {"partitions": 4, "replication.factor": 3}, "consumer": {"session.timeout.ms": 6000}}
    given = {"orders": 60, "producers": producers, "services": services, "faults": faults, "retry": RETRY,
             "wire": {"duplicates": "5%"}, "client": {"timeout": "1s", "retries": 1},
             "architectures": {"monolith": {}, "rpc": {"calls": "parallel"}, "kafka": kafka, "rabbitmq": {}}}
    return shop(**{**given, **parts})


def digest(run: Run) -> str:
    """A fingerprint of all facts, with the places by name."""
    places = "\n".join(map(repr, run.places))
    messages = "\n".join(f"{message!r} {message.key} {message.path} {message.cause}" for message in run.messages)
    facts = run.facts
    return sha256(facts.times_ns.tobytes() + facts.packed.tobytes() + (places + messages).encode()).hexdigest()


def work_ns(run: Run, service: str) -> dict[tuple[int, int], int]:
    """How long each attempt of a service took: {(order, the how-manieth start): nanoseconds}; crashes left out."""
    begun: dict[str, tuple[tuple[int, int], int]] = {}
    starts: dict[int, int] = {}
    work = {}
    facts = run.facts
    for time, verb, place, number in zip(facts.times_ns.tolist(), facts.verbs.tolist(), facts.places.tolist(),
                                         facts.numbers.tolist(), strict=True):
        where = run.places[place]
        if where.kind != "worker" or where.service != service:
            continue
        order = run.messages[number].order
        if verb == 8:
            starts[order] = starts.get(order, 0) + 1
            begun[where.name] = ((order, starts[order]), time)
        elif verb in (9, 10):
            key, start = begun.pop(where.name)
            work[key] = time - start
    return work


# --- the same seed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_same_seed_gives_the_same_facts_bit_by_bit(architecture: str) -> None:
    first, second, other = (digest(simulate(busy_shop(), architecture, seed)) for seed in (7, 7, 8))
    assert first == second != other


def test_the_facts_do_not_hang_on_the_hash_seed_of_the_process() -> None:
    program = ("from tests.test_engine_determinism import *\n"
               "print([digest(simulate(busy_shop(), name, 7)) for name in ARCHITECTURES])")
    answers = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True,
                       env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "PATH": ""}).stdout
        for hash_seed in ("1", "2")
    ]
    here = str([digest(simulate(busy_shop(), name, 7)) for name in ARCHITECTURES])
    assert answers == [here + "\n"] * 2


def test_a_run_leaves_nothing_behind_for_the_next_one() -> None:
    alone = digest(simulate(busy_shop(), "kafka", 7))
    simulate(busy_shop(), "kafka", 99)
    simulate(busy_shop(), "rabbitmq", 7)
    assert digest(simulate(busy_shop(), "kafka", 7)) == alone


# --- the same orders everywhere ------------------------------------------------------------------------------


def test_the_same_orders_are_placed_at_the_same_instants_in_all_architectures() -> None:
    runs = [simulate(busy_shop(), architecture, 7) for architecture in ARCHITECTURES]
    placed = [times_s(run, "placed") for run in runs]
    keys = [[message.key for message in run.messages if message.cause == -1] for run in runs]
    assert len(placed[0]) == 60
    assert placed == [placed[0]] * 4 and keys == [keys[0]] * 4


def test_faults_and_services_move_no_order() -> None:
    plain = simulate(shop(), "kafka", 7)
    assert times_s(plain, "placed") == times_s(simulate(
        shop(faults={"outage": {"unavailable": "payment", "at": "500ms", "for": "1s"}}), "kafka", 7), "placed")


def test_an_order_needs_the_same_work_in_all_architectures() -> None:
    work = [work_ns(simulate(shop(), architecture, 7), "payment") for architecture in ARCHITECTURES]
    assert len(work[0]) == 40 and len(set(work[0].values())) == 40
    assert work == [work[0]] * 4


def test_a_second_attempt_too_and_it_fails_for_the_same_orders() -> None:
    services = {"payment": {"handles": "OrderPlaced", "workers": 2, "work": "exponential 30ms", "fails": "40%"}}
    scenario = shop(services=services, retry={"attempts": 3, "backoff": "fixed 100ms"})
    runs = [simulate(scenario, architecture, 7) for architecture in ARCHITECTURES]
    work = [work_ns(run, "payment") for run in runs]
    assert sum(nth == 2 for _, nth in work[0]) > 5 and sum(nth == 3 for _, nth in work[0]) > 0
    assert work == [work[0]] * 4
    failed = [sorted(run.messages[number].order for number in run.facts.only(run.facts.verbs == 10).numbers.tolist())
              for run in runs]
    assert failed == [failed[0]] * 4


@pytest.mark.parametrize("where", ["back", "aside"])
def test_the_nth_attempt_needs_the_same_work_wherever_it_waited(where: str) -> None:
    services = {"payment": {"handles": "OrderPlaced", "workers": 2, "work": "exponential 30ms", "fails": "40%"}}
    retry = {"attempts": 3, "backoff": "fixed 100ms", "jitter": "none"}
    at_the_worker = work_ns(simulate(shop(services=services, retry=retry), "rpc", 7), "payment")
    for architecture in BROKERED:
        run = simulate(shop(services=services, retry={**retry, "where": where}), architecture, 7)
        assert work_ns(run, "payment") == at_the_worker


def test_what_follows_from_an_order_needs_the_same_work_everywhere() -> None:
    runs = [simulate(busy_shop(faults={}, wire="none", client={"timeout": "none"}), name, 7) for name in ARCHITECTURES]
    work = [work_ns(run, "shipping") for run in runs]
    # The monolith rolls back, and rpc never reaches, what payment gave up; what all reach is equal.
    common = set.intersection(*map(set, work))
    assert len(common) > 50
    assert all(len({each[key] for each in work}) == 1 for key in common)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_analytics_service_changes_no_other_services_draws(architecture: str) -> None:
    plain = busy_shop(faults={}, wire="default")
    services = {name: {**spec} for name, spec in plain_services().items()}
    watched = busy_shop(faults={}, wire="default", services={
        "analytics": {"handles": ["OrderPlaced", "Paid"], "work": "exponential 5ms", "fails": "10%", "required": False},
        **services})
    runs = [simulate(scenario, architecture, 7) for scenario in (plain, watched)]
    assert any(place.service == "analytics" for place in runs[1].places)
    for service in services:
        before, after = (work_ns(run, service) for run in runs)
        assert len(before) > 50
        common = before.keys() & after.keys()
        assert len(common) > 0.9 * len(before)
        assert [before[key] for key in common] == [after[key] for key in common]
    assert outcome(runs[1], "placed") == 60


def plain_services() -> dict[str, dict[str, Any]]:
    from edasim.scenario.writing import to_dict

    services: dict[str, dict[str, Any]] = to_dict(busy_shop())["services"]
    return services


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_wire_changes_no_work(architecture: str) -> None:
    near, far = (work_ns(simulate(shop(wire=wire), architecture, 7), "payment") for wire in ("none", "default"))
    assert near == far
