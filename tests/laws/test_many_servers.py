"""Several workers: on one queue, on a queue with little room, or each on a partition.  Laws A04, A13, A22."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edasim.brokers.kafka.partitioner import partition_for
from edasim.scenario.value import Scenario
from edasim.simulate import Run
from tests.laws import theory
from tests.laws.estimates import Floats, assert_agrees, replicate
from tests.laws.shops import ONE_QUEUE, architectures, single_station

FOUR_APART = "depot"
"""depot-1 to depot-4 are hashed to partitions 0 to 3 of four, one each."""


def lasting(arrivals: float, workers: int, orders: int, **rest: object) -> Scenario:
    """Workers with exponential work of a second; a fifth as many orders come before as warm-up."""
    warm_up_s, all_s = (share * orders / arrivals for share in (0.2, 1.2))
    return single_station(f"poisson {arrivals}/s", "exponential 1s", workers, duration=f"{all_s:.6f}s",
                          warm_up=f"{warm_up_s:.6f}s", **rest)


# --- A04 ------------------------------------------------------------------------------------------------------------


def waits(run: Run, arrivals: float, workers: int) -> dict[str, float]:
    summary = run.summary()
    service = summary.services["payment"]
    mean = 1 / (workers - arrivals)
    inside = summary.open_orders()
    return {
        "P(wait)": float(np.mean(service.wait_s > 0)),
        "P(wait > its mean)": float(np.mean(service.wait_s > mean)),
        "P(wait > 3 of its mean)": float(np.mean(service.wait_s > 3 * mean)),
        "Wq": float(service.wait_s.mean()),
        "W": float(summary.completion_latency_s.mean()),
        "Lq": service.backlog_mean,
        "L": inside.mean(summary.start_s, summary.end_s),
        "utilisation": service.utilisation,
        "all busy": inside.share_at_least(workers, summary.start_s, summary.end_s),
    }


@pytest.mark.parametrize("arrivals, workers, architecture", [
    *((4.0, 5, architecture) for architecture in ONE_QUEUE),
    (8.0, 10, "rabbitmq"), (1.5, 2, "rpc"), (2.0, 3, "monolith"), (10.0, 30, "rabbitmq"),
])
def test_workers_on_one_queue_wait_as_erlang_has_it(arrivals: float, workers: int, architecture: str) -> None:
    waiting, wait = theory.erlang_c(workers, arrivals), theory.pooled_wait(arrivals, 1.0, workers)
    found = replicate(f"A04 {arrivals} {workers}", lasting(arrivals, workers, 1700), architecture,
                      lambda run: waits(run, arrivals, workers))
    exact = {"P(wait)": waiting, "P(wait > its mean)": waiting / math.e, "P(wait > 3 of its mean)": waiting / math.e**3,
             "Wq": wait, "Lq": arrivals * wait, "W": wait + 1, "L": arrivals * (wait + 1),
             "utilisation": arrivals / workers, "all busy": waiting}
    if workers > 2 * arrivals:  # nobody ever waits: there is nothing to estimate
        exact = {name: exact[name] for name in ("W", "L", "utilisation")}
    assert_agrees(found, exact)


# --- A13 ------------------------------------------------------------------------------------------------------------


def bounded_queue(arrivals: float, workers: int, room: int, overflow: str, orders: int) -> Scenario:
    """A RabbitMQ queue in which room - workers messages may wait; each worker holds one."""
    queue = {"x-queue-type": "classic", "x-max-length": room - workers, "x-overflow": overflow}
    built = architectures(threads=workers)
    return lasting(arrivals, workers, orders, architectures=built | {"rabbitmq": {"prefetch": 1, "queue": queue}})


def losses(run: Run, arrivals: float) -> dict[str, float]:
    summary = run.summary()
    outcomes, service = summary.outcomes, summary.services["payment"]
    done = summary.completion_latency_s[np.isfinite(summary.completion_latency_s)]
    return {"loss": (outcomes["refused"] + outcomes["parked"]) / outcomes["placed"],
            "throughput": service.throughput_per_s, "sojourn": float(done.mean()), "utilisation": service.utilisation}


BOUNDED = [(0.9, 1, 10), (2.0, 1, 5), (2.7, 3, 8), (3.0, 5, 5), (1.0, 1, 1), (0.8, 1, 4)]


@pytest.mark.parametrize("arrivals, workers, room", BOUNDED)
def test_a_queue_with_little_room_refuses_as_its_birth_and_death_chain_has_it(
        arrivals: float, workers: int, room: int) -> None:
    scenario = bounded_queue(arrivals, workers, room, "reject-publish", 1400)
    found = replicate(f"A13 {arrivals} {workers} {room}", scenario, "rabbitmq", lambda run: losses(run, arrivals))
    assert_agrees(found, theory.bounded(arrivals, 1.0, workers, room))


@pytest.mark.parametrize("arrivals, workers, room", [(0.9, 1, 10), (2.7, 3, 8)])
def test_dropping_the_head_drops_as_many_as_refusing_the_last(arrivals: float, workers: int, room: int) -> None:
    scenario = bounded_queue(arrivals, workers, room, "drop-head", 1400)
    found = replicate(f"A13 head {arrivals} {workers}", scenario, "rabbitmq", lambda run: losses(run, arrivals))
    exact = theory.bounded(arrivals, 1.0, workers, room)
    assert_agrees(found, {name: exact[name] for name in ("loss", "throughput", "utilisation")})


# --- A22 ------------------------------------------------------------------------------------------------------------


def sojourns(arrivals: float, workers: int, architecture: str, keys: str, law: str) -> Floats:
    """The mean sojourn of each replication, with as many partitions as there are workers."""
    scenario = lasting(arrivals, workers, 1800, producer={"key": FOUR_APART, "keys": keys})
    means = replicate(law, scenario, architecture, lambda run: {"W": float(run.summary().completion_latency_s.mean())})
    return means["W"]


@pytest.mark.parametrize("arrivals", [3.2, 2.0])
def test_one_queue_for_four_workers_beats_a_partition_for_each(arrivals: float) -> None:
    law = f"A22 {arrivals}"
    pooled = sojourns(arrivals, 4, "rabbitmq", "uniform over 4", law)
    parted = sojourns(arrivals, 4, "kafka", "uniform over 4", law)
    exact = {"pooled": 1 + theory.pooled_wait(arrivals, 1, 4), "partitioned": 1 / (1 - arrivals / 4)}
    ratio = exact["partitioned"] / exact["pooled"]
    # How far the ratio is off, order by order of one and the same seed, without dividing one estimate by another.
    assert_agrees({"pooled": pooled, "partitioned": parted, "ratio": parted - ratio * pooled}, exact | {"ratio": 0.0})


@pytest.mark.parametrize("keys, weights", [
    ("uniform over 10", [0.1] * 10),
    ("hot 40% over 9", [0.4] + [0.075] * 8),
    ("zipf 1 over 12", [1 / rank / theory.harmonic(12) for rank in range(1, 13)]),
])
def test_each_partition_is_as_busy_as_the_keys_that_it_was_given(keys: str, weights: list[float]) -> None:
    shares = np.zeros(4)
    for rank, weight in enumerate(weights, start=1):
        shares[partition_for(f"{FOUR_APART}-{rank}", 4)] += weight
    arrivals = 0.75 / shares.max()
    found = sojourns(arrivals, 4, "kafka", keys, f"A22 {keys}")
    assert_agrees({"W": found}, {"W": float(np.sum(shares / (1 - arrivals * shares)))})
