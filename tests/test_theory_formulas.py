"""The formulas beside a run against the tests' own, which are written from the books without the package's code."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.study.theory import many_servers, networks, one_server
from tests.laws import theory

LOADS = some.floats(0.01, 0.98)
WORKS_S = some.floats(1e-4, 10.0)


@given(LOADS, WORKS_S)
def test_one_server_with_exponential_work(load: float, work_s: float) -> None:
    per_s = load / work_s
    exact = theory.single(per_s, 1 / work_s)
    assert one_server.single_wait_s(per_s, work_s) == pytest.approx(exact["Wq"])
    assert one_server.single_sojourn_quantile_s(0.99, per_s, work_s) == pytest.approx(
        theory.exponential_quantile(0.99, 1 / work_s - per_s))
    assert one_server.sharing_sojourn_s(per_s, work_s) == pytest.approx(exact["W"])
    assert networks.little(per_s, exact["W"]) == pytest.approx(exact["L"])


@given(LOADS, WORKS_S, some.floats(0, 20))
def test_one_server_with_any_work(load: float, work_s: float, scv: float) -> None:
    per_s, variance = load / work_s, scv * work_s**2
    exact = theory.pollaczek_khinchine(per_s, work_s, variance)
    assert one_server.pollaczek_khinchine_s(per_s, work_s, variance + work_s**2) == pytest.approx(exact)
    assert one_server.batch_wait_s(per_s, 1, work_s, variance + work_s**2) == pytest.approx(exact)
    assert one_server.irregular_wait_s(per_s, work_s, (1.0, scv)) == pytest.approx(exact)
    assert many_servers.allen_cunneen_s(per_s, work_s, 1, (1.0, scv)) == pytest.approx(exact)
    bound = one_server.kingman_bound_s(per_s, work_s, (1 / per_s**2, variance))
    assert bound >= exact * (1 - 1e-9)


@given(some.integers(1, 60), LOADS, WORKS_S)
def test_many_servers(servers: int, load: float, work_s: float) -> None:
    offered = load * servers
    per_s = offered / work_s
    assert many_servers.erlang_b(servers, offered) == pytest.approx(theory.erlang_b(servers, offered))
    assert many_servers.erlang_c(servers, offered) == pytest.approx(theory.erlang_c(servers, offered))
    wait_s = many_servers.pooled_wait_s(per_s, work_s, servers)
    assert wait_s == pytest.approx(theory.pooled_wait(per_s, 1 / work_s, servers))
    assert many_servers.unlimited_number(per_s, work_s) == pytest.approx(offered)
    # The tail adds up to the mean, and the quantile is where the tail says.
    times_s = np.linspace(0, 40 * work_s / (servers - offered), 4001)
    tail = [many_servers.pooled_wait_tail(float(one), per_s, work_s, servers) for one in times_s]
    area = float(np.sum((np.array(tail[1:]) + tail[:-1]) / 2 * np.diff(times_s)))
    assert area == pytest.approx(wait_s, rel=1e-3)
    far_s = many_servers.pooled_wait_quantile_s(0.999, per_s, work_s, servers)
    if far_s:
        assert many_servers.pooled_wait_tail(far_s, per_s, work_s, servers) == pytest.approx(0.001)


@given(some.integers(1, 6), some.integers(0, 30), some.floats(0.05, 3))
def test_bounded_queues(servers: int, room: int, load: float) -> None:
    places, per_s, work_s = servers + room, load * servers / 0.02, 0.02
    found = many_servers.bounded(per_s, work_s, servers, places)
    exact = theory.bounded(per_s, 1 / work_s, servers, places)
    assert found.refused == pytest.approx(exact["loss"])
    assert found.through_per_s == pytest.approx(exact["throughput"])
    assert found.wait_s + work_s == pytest.approx(exact["sojourn"])
    assert found.utilisation == pytest.approx(exact["utilisation"])


def test_a_bounded_queue_with_hundreds_of_places_does_not_overflow() -> None:
    found = many_servers.bounded(5000.0, 1.0, 10, 2000)
    assert found.refused == pytest.approx(1 - 10 / 5000)
    assert many_servers.bounded(0.0, 1.0, 2, 5) == many_servers.Bounded(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("stages", [0, 1, 2, 5])
def test_regular_arrivals_at_an_exponential_server(stages: int) -> None:
    """The root of sigma = A(mu - mu sigma), by halving, with the transform of Erlang (or constant) intervals."""
    per_s, work_s = 8.0, 0.1
    low, high = 0.0, 1 - 1e-9
    for _ in range(200):
        middle = (low + high) / 2
        power = (1 - middle) / work_s
        transform = (stages * per_s / (stages * per_s + power)) ** stages if stages else math.exp(-power / per_s)
        low, high = (middle, high) if transform > middle else (low, middle)
    assert one_server.erlang_markov_wait_s(per_s, stages, work_s) == pytest.approx(low * work_s / (1 - low), rel=1e-6)
    if stages == 1:
        assert one_server.erlang_markov_wait_s(per_s, 1, work_s) == pytest.approx(theory.single(8, 10)["Wq"])


def test_priorities_share_the_wait_by_the_conservation_law() -> None:
    """Kleinrock's conservation law: the sum of rho_i W_i is the same as first come first served."""
    classes = [(3.0, 0.05, 0.005), (2.0, 0.1, 0.02), (4.0, 0.1, 0.015)]
    waits = one_server.priority_waits_s(classes)
    per_s = sum(one[0] for one in classes)
    work, square = (sum(one[0] * one[place] for one in classes) / per_s for place in (1, 2))
    together = theory.pollaczek_khinchine(per_s, work, square - work**2)
    shared = sum(one[0] * one[1] * wait for one, wait in zip(classes, waits, strict=True))
    assert shared == pytest.approx(per_s * work * together)
    assert waits == sorted(waits)
    assert one_server.priority_waits_s([(1.0, 0.5, 0.5), (1.0, 0.6, 0.72)])[1] == math.inf


@given(some.floats(0, 1), some.one_of(some.none(), some.integers(1, 12)))
def test_attempts(fails: float, most: int | None) -> None:
    found = networks.attempts_each(fails, most)
    if most is None:
        assert found == (pytest.approx(1 / (1 - fails)) if fails < 1 else math.inf)
    else:
        assert found == pytest.approx(theory.attempts_until_given_up(fails, most) if fails < 1 else most)
    assert networks.retried_rate(10.0, fails, most) == pytest.approx(10 * found)


@given(LOADS, some.integers(2, 40))
def test_networks_of_queues(load: float, count: int) -> None:
    assert networks.fork_join_of_two_s(load, 1.0) == pytest.approx(theory.fork_join_of_two(load, 1.0))
    assert networks.nelson_tantawi_s(count, load, 1.0) == pytest.approx(theory.nelson_tantawi(count, load, 1.0))
    stages = [theory.single(load, rate)["W"] for rate in (1.0, 1.25)]
    assert networks.tandem_sojourn_s(load, [1.0, 0.8]) == pytest.approx(sum(stages))


def test_streams_that_are_poisson_stay_so() -> None:
    """Burke, splitting at random and merging: the squared coefficient of variation stays 1."""
    assert networks.departure_scv(0.7, 1, (1.0, 1.0)) == pytest.approx(1)
    assert networks.departure_scv(0.7, 4, (1.0, 1.0)) == pytest.approx(1)
    assert networks.split_scv(0.3, 1.0) == pytest.approx(1)
    assert networks.merged_scv([(3.0, 1.0), (5.0, 1.0)]) == pytest.approx(1)
    # A server that is never idle lets its own work pass, one that is always idle the arrivals.
    assert networks.departure_scv(1.0, 1, (0.3, 2.5)) == pytest.approx(2.5)
    assert networks.departure_scv(0.0, 1, (0.3, 2.5)) == pytest.approx(0.3)


def test_what_is_overloaded_waits_without_end() -> None:
    assert one_server.single_wait_s(10, 0.1) == math.inf
    assert one_server.pollaczek_khinchine_s(11, 0.1, 0.02) == math.inf
    assert one_server.batch_wait_s(11, 3, 0.1, 0.02) == math.inf
    assert one_server.erlang_markov_wait_s(11, 0, 0.1) == math.inf
    assert many_servers.pooled_wait_s(30, 0.1, 3) == math.inf
    assert many_servers.erlang_c(3, 3.5) == 1.0
    assert networks.settling_s(1.0, 0.1, 1, (1.0, 1.0)) == math.inf
    # The relaxation time of M/M/1 is 1 / (mu (1 - sqrt(rho))^2); the fit of Odoni and Roth is 0.71 of it.
    assert networks.settling_s(0.64, 1.0, 1, (1.0, 1.0)) == pytest.approx(2 / 2.8 / 0.04)
