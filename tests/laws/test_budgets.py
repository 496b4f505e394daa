"""Arithmetic that people do on envelopes: colliding ids and downtime.  Laws F07, C05."""

from __future__ import annotations

import numpy as np
import pytest

from edasim.core.identity import collision_probability, ids_until_collision
from edasim.core.quantity import duration_ns
from edasim.measure.budget import downtime_ns
from tests.laws.estimates import LIMIT, assert_near


@pytest.mark.parametrize("bits, ids, chance", [
    (32, 100_000, 0.68781), (64, 10**9, 0.026741), (24, 1000, 0.0293337), (128, 10**15, 1.4693679e-9)])
def test_random_ids_collide_by_the_birthday_law(bits: int, ids: int, chance: float) -> None:
    assert_near(collision_probability(ids, bits), chance, 1e-4)


@pytest.mark.parametrize("bits, ids", [(12, 60), (16, 300)])
def test_random_ids_collide_as_often_as_they_are_drawn_alike(bits: int, ids: int) -> None:
    generator = np.random.default_rng(5)
    drawn = np.sort(generator.integers(0, 2**bits, size=(4000, ids)), axis=1)
    share = float(np.mean(np.any(np.diff(drawn, axis=1) == 0, axis=1)))
    chance = collision_probability(ids, bits)
    # The birthday law leaves out what is of the order of ids cubed over the number of ids squared.
    assert abs(share - chance) < LIMIT * (chance * (1 - chance) / 4000) ** 0.5 + ids**3 / 6 / 4**bits


def test_half_of_all_shops_have_two_ids_alike_at_77163_ids_of_32_bits() -> None:
    assert ids_until_collision(0.5, 32) == 77_164
    for bits, chance in ((32, 0.5), (64, 0.01), (10, 0.9), (8, 1e-9)):
        ids = ids_until_collision(chance, bits)
        assert collision_probability(ids, bits) >= chance > collision_probability(ids - 1, bits)
    assert (ids_until_collision(0.0, 32), collision_probability(1, 8), collision_probability(0, 8)) == (0, 0.0, 0.0)


def test_what_cannot_be_asked_is_refused() -> None:
    for ask in (lambda: collision_probability(-1, 8), lambda: collision_probability(1, 0),
                lambda: ids_until_collision(1.0, 8), lambda: downtime_ns(1.01, 1), lambda: downtime_ns(-0.1, 1)):
        with pytest.raises(ValueError, match="not possible"):
            ask()


@pytest.mark.parametrize("availability, period, downtime", [
    (0.999, "30d", "43.2min"), (0.999, "365d", "525.6min"), (0.9999, "365d", "52.56min"), (0.95, "7d", "8.4h"),
    (1.0, "30d", "0s"), (0.0, "1d", "24h"), (0.99999, "30d", "25.92s")])
def test_a_downtime_budget_is_exact(availability: float, period: str, downtime: str) -> None:
    assert downtime_ns(availability, duration_ns(period)) == duration_ns(downtime)
