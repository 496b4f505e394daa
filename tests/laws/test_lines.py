"""Lines with little room, and lines in which some come first.  Laws A13, A14, A16, A17 and A20."""

from __future__ import annotations

import numpy as np
import pytest

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.laws import theory
from tests.laws.estimates import assert_agrees, replicate
from tests.laws.shops import Parts, shop

CALLED = ("monolith", "rpc")


def bounded(arrivals: float, work: str, workers: int, room: int, orders: int) -> Scenario:
    """Workers and room - workers places to wait; a refused call is not tried again."""
    warm_up_s, all_s = (share * orders / arrivals for share in (0.2, 1.2))
    built = {"monolith": {"threads": workers, "queue-limit": room - workers},
             "rpc": {"open-requests": 1_000_000, "queue-limit": room - workers}}
    return shop(f"poisson {arrivals}/s", {"payment": {"work": work, "workers": workers}}, retry={"attempts": 1},
                duration=f"{all_s:.6f}s", warm_up=f"{warm_up_s:.6f}s", architectures=built)


def losses(run: Run) -> dict[str, float]:
    summary = run.summary()
    service = summary.services["payment"]
    assert set(summary.refusals) <= {"queue full", "payment failed"}
    return {"loss": summary.outcomes["refused"] / summary.outcomes["placed"], "utilisation": service.utilisation,
            "throughput": service.throughput_per_s, "sojourn": float(summary.completion_latency_s.mean())}


@pytest.mark.parametrize("arrivals, workers, room, architecture", [
    (0.9, 1, 10, "monolith"), (2.0, 1, 5, "rpc"), (2.7, 3, 8, "monolith"), (2.7, 3, 8, "rpc"),
    (1.0, 1, 1, "rpc"), (3.0, 5, 5, "monolith"), (8.108, 15, 15, "rpc"),
])
def test_a_line_with_little_room_refuses_as_its_chain_has_it(
        arrivals: float, workers: int, room: int, architecture: str) -> None:
    found = replicate(f"A13 {architecture} {arrivals} {workers} {room}",
                      bounded(arrivals, "exponential 1s", workers, room, 1300), architecture, losses)
    exact = theory.bounded(arrivals, 1.0, workers, room)
    if room == workers:
        assert exact["loss"] == pytest.approx(theory.erlang_b(workers, arrivals))
    assert_agrees(found, exact)


@pytest.mark.parametrize("architecture", CALLED)
@pytest.mark.parametrize("workers, room", [(1, 1), (1, 4), (2, 3), (3, 3)])
def test_with_constant_work_exactly_those_are_refused_who_find_it_full(
        architecture: str, workers: int, room: int) -> None:
    run = simulate(bounded(1.2 * workers, "1s", workers, room, 400), architecture, seed=11)
    orders = run.summary().orders
    placed_ns = [round(time_s * 1e9) for time_s in orders.placed_s]
    expected = theory.refused(placed_ns, 1_000_000_000, workers, room)
    assert 0 < sum(expected) < len(expected)
    assert orders.refused.tolist() == expected


# --- A20: non-preemptive priorities -------------------------------------------------------------------------------------


def classes(arrivals: list[float], services: dict[str, Parts], span_s: float, built: Parts, *,
            events: bool = False) -> Scenario:
    """Producers first, second, ... with falling priority; with `events`, each publishes one of its own."""
    names = ["first", "second", "third"][: len(arrivals)]
    producers = {name: {"publishes": f"By-{name}" if events else "OrderPlaced", "arrivals": f"poisson {rate}/s",
                        "priority": 9 - 4 * number}
                 for number, (name, rate) in enumerate(zip(names, arrivals, strict=True))}
    del producers[names[-1]]["priority"]
    return Scenario.from_dict({"duration": f"{span_s * 1.15:.6f}s", "warm-up": f"{span_s * 0.15:.6f}s", "drain": "48h",
                               "wire": "none", "client": {"timeout": "none"}, "architectures": built,
                               "producers": producers, "services": services})


def sojourns(run: Run) -> dict[str, float]:
    return {name: float(run.summary().completion_latency_of(name).mean()) for name in run.scenario.producers}


CLASSIC = {"prefetch": 1, "queue": {"x-max-priority": 10}}
QUORUM = {"prefetch": 1, "queue": {"x-queue-type": "quorum"}}
BY_PRIORITY = {"monolith": {"threads": 1, "discipline": "priority"}, "rpc": {"discipline": "priority"}}


@pytest.mark.parametrize("architecture, options", [
    ("monolith", BY_PRIORITY["monolith"]), ("rpc", {"open-requests": 1_000_000, **BY_PRIORITY["rpc"]}),
    ("rpc", {"open-requests": 1, **BY_PRIORITY["rpc"]}), ("rabbitmq", CLASSIC), ("rabbitmq", QUORUM),
])
def test_the_high_wait_shorter_and_the_low_wait_longer_as_cobham_has_it(architecture: str, options: Parts) -> None:
    services = {"payment": {"handles": "OrderPlaced", "work": "exponential 1s"}}
    found = replicate(f"A20 {options}", classes([0.2, 0.6], services, 1800, {architecture: options}), architecture,
                      sojourns)
    high, low = theory.cobham([(0.2, 1.0, 2.0), (0.6, 1.0, 2.0)])
    assert (high + 1, low + 1) == pytest.approx((2, 6))
    assert_agrees(found, {"first": 2, "second": 6})


@pytest.mark.parametrize("architecture", CALLED)
def test_three_classes_with_work_of_their_own_wait_as_cobham_has_it(architecture: str) -> None:
    works = {"first": ("20ms", 0.02, 4e-4), "second": ("exponential 40ms", 0.04, 32e-4),
             "third": ("hyper 90% 10ms, 10% 110ms", 0.02, 0.9 * 1e-4 + 0.1 * 121e-4)}
    services = {f"for-{name}": {"handles": f"By-{name}", "work": work} for name, (work, _, _) in works.items()}
    built = {"monolith": BY_PRIORITY["monolith"], "rpc": {"open-requests": 1, **BY_PRIORITY["rpc"]}}
    rates = [10.0, 8.0, 12.0]
    found = replicate("A20 three", classes(rates, services, 60, built, events=True), architecture, sojourns)
    waits = theory.cobham([(rate, mean, square) for rate, (_, mean, square) in zip(rates, works.values(), strict=True)])
    assert_agrees(found, {name: wait + mean for wait, (name, (_, mean, _)) in zip(waits, works.items(), strict=True)})


@pytest.mark.parametrize("architecture", ["rpc", "rabbitmq"])
def test_three_classes_at_three_workers_wait_as_cobham_has_it(architecture: str) -> None:
    services = {"payment": {"handles": "OrderPlaced", "work": "exponential 1s", "workers": 3}}
    built = {"rpc": {"open-requests": 1_000_000, **BY_PRIORITY["rpc"]}, "rabbitmq": CLASSIC}
    found = replicate(f"A20 pooled {architecture}", classes([0.5, 1.0, 0.9], services, 600, built), architecture,
                      sojourns)
    waits = theory.cobham([(rate, 1.0, 2.0) for rate in (0.5, 1.0, 0.9)], servers=3)
    assert_agrees(found, {name: wait + 1 for name, wait in zip(("first", "second", "third"), waits, strict=True)})


def test_without_priorities_in_the_line_both_wait_alike() -> None:
    services = {"payment": {"handles": "OrderPlaced", "work": "exponential 1s"}}
    scenario = classes([0.2, 0.6], services, 1500, {"kafka": {"topic": {"partitions": 1}, "producer": {"linger.ms": 0}}})
    found = replicate("A20 kafka", scenario, "kafka", sojourns)
    assert_agrees(found, {"first": 5, "second": 5})
    assert "priority of first" in simulate(scenario, "kafka").not_applicable
    assert np.all(found["first"] > 0)
