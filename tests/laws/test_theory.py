"""The formulas give the figures that were published for each law, so that the other tests ask for the right thing."""

from __future__ import annotations

import pytest

from tests.laws import theory
from tests.laws.test_single_server import A07, A08


def near(*figures: float) -> object:
    """Published to six digits."""
    return pytest.approx(figures, rel=5e-6)


def test_single_servers() -> None:
    """A01, A02, A07, A08, and A09 and A11 as two more of Pollaczek's and Khinchine's."""
    basic = theory.single(0.8, 1.0)
    assert tuple(basic.values()) == near(5, 4, 4, 3.2, 0.8, 0.2)
    assert (basic["utilisation"] ** 10,) == near(0.107374)
    milliseconds = [1000 * theory.exponential_quantile(share, 25) for share in (0.5, 0.95, 0.99, 0.999)]
    assert tuple(milliseconds) == near(27.7259, 119.829, 184.207, 276.31)
    waits = [theory.pollaczek_khinchine(arrivals, mean, variance) for arrivals, _, mean, variance in (A07, A08)]
    assert tuple(waits) == near(2, 0.375893)
    assert theory.pollaczek_khinchine(35, 0.02, 2.25 * 4e-4) * 1000 == pytest.approx(75.8333, rel=5e-6)
    assert theory.pollaczek_khinchine(0.8, 1, 0.5) == pytest.approx(3)


def test_many_servers() -> None:
    """A04, A05, A13, A14, A16, A17, A22."""
    wait = theory.pooled_wait(4, 1, 5)
    assert (theory.erlang_c(5, 4), wait, 1 + wait, 4 * wait) == near(0.554113, 0.554113, 1.55411, 2.21645)
    assert (theory.erlang_c(10, 8),) == near(0.40918)
    assert tuple(theory.bounded(0.9, 1, 1, 10).values())[:3] == near(0.0508137, 0.854268, 4.6466)
    assert tuple(theory.bounded(2.0, 1, 1, 5).values())[:3] == near(0.507937, 0.984127, 4.16129)
    assert tuple(theory.bounded(2.7, 1, 3, 8).values())[:3] == near(0.0852745, 2.46976, 1.60132)
    assert (theory.erlang_b(5, 3), theory.bounded(3, 1, 5, 5)["loss"]) == near(0.110054, 0.110054)
    pooled = 1 + theory.pooled_wait(3.2, 1, 4)
    assert (pooled, 5 / pooled) == near(1.74554, 2.86444)


def test_networks() -> None:
    """B01, B03, B05, E01, E03."""
    stages = [theory.single(0.6, rate)["W"] for rate in (1.0, 0.8)]
    assert (*stages, sum(stages), 0.6 * sum(stages)) == near(2.5, 5, 7.5, 4.5)
    assert (theory.fork_join_of_two(0.5, 1), theory.nelson_tantawi(3, 0.5, 1)) == near(2.875, 3.39773)
    assert (theory.harmonic(3) / 0.5,) == near(3.66667)
    assert (theory.any_of(0.01, 100),) == near(0.633968)
    published = {1: (6.93147, 46.0517, 10), 10: (27.0356, 69.0324, 29.2897), 100: (49.7515, 92.0537, 51.8738)}
    for leaves, figures in published.items():
        median, tail = (theory.largest_quantile(share, leaves, 10) for share in (0.5, 0.99))
        assert (median, tail, 10 * theory.harmonic(leaves)) == near(*figures)


def test_retries_and_windows() -> None:
    """D01, D04, D05, F14, F15."""
    attempts = theory.attempts_until_given_up(0.3, 4)
    assert (attempts, 100_000 * 0.3**4) == near(1.417, 810)
    for cap, (total, inside, sojourn) in {10**6: (0.625, 1.66667, 3.33333), 4: (0.624, 1.65957, 3.31915)}.items():
        visits = 0.5 * theory.attempts_until_given_up(0.2, cap)
        station = theory.single(visits, 1.0)
        assert (visits, station["L"], station["L"] / 0.5) == near(total, inside, sojourn)
    outage = {"arrivals": 100, "rate": 125, "down_s": 600}
    assert (theory.catch_up(**outage),) == near(2400)
    busy = [theory.prefetch_utilisation(prefetch, 4, 104) for prefetch in (1, 10, 25, 26, 51)]
    assert tuple(busy) == near(0.0384615, 0.384615, 0.961538, 1, 1)
    assert tuple(250 * share for share in busy) == near(9.61538, 96.1538, 240.385, 250, 250)


def test_two_recursions_agree_on_an_example_by_hand() -> None:
    """Arrivals at 0, 1, 2, 3 with works 4, 1, 3, 1: with one server they wait 0, 3, 3, 5; with two 0, 0, 0, 1."""
    arrivals, works = [0, 1, 2, 3], [4, 1, 3, 1]
    assert theory.lindley(arrivals, works) == [0, 3, 3, 5]
    assert theory.lindley(arrivals, works, servers=2) == [0, 0, 0, 1]
