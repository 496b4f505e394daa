"""Draws hang on their key and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.core.draws import Draws, KeyedDraw, SequentialDraw
from tests.worlds import takes

KEYS = st.tuples(st.integers(1, 10_000), st.sampled_from([0, 7, 2**56 - 1]), st.integers(0, 5))


def work(seed: int = 1, name: str = "payment", purpose: str = "work") -> KeyedDraw:
    return Draws(seed).keyed(purpose, name)


@given(keys=st.lists(KEYS, min_size=1, max_size=50))
def test_a_keyed_draw_does_not_hang_on_what_was_asked_before(keys: list[tuple[int, int, int]]) -> None:
    all_at_once = work()
    values = [all_at_once.at(*key) for key in keys]
    assert values == [work().at(*key) for key in keys]
    assert values[::-1] == [all_at_once.at(*key) for key in reversed(keys)]


def test_a_keyed_draw_is_the_same_again_when_many_others_came_between() -> None:
    draw = work()
    first = draw.at(1, 0, 1)
    for block in range(200):
        draw.at(block * 1024, 0, 2)
    assert draw.at(1, 0, 1) == first


def test_every_part_of_a_key_matters() -> None:
    base = work().at(17, 0, 1)
    others = [work().at(18, 0, 1), work().at(17, 5, 1), work().at(17, 0, 2), work(seed=2).at(17, 0, 1),
              work(name="inventory").at(17, 0, 1), work(purpose="failure").at(17, 0, 1)]
    assert len({base, *others}) == 7


def test_uniforms_lie_strictly_between_0_and_1_and_are_uniform() -> None:
    draw = work()
    values = np.array([draw.at(order, 0, 1) for order in range(1, 20_001)])
    assert values.min() > 0 and values.max() < 1
    assert values.mean() == pytest.approx(0.5, abs=4 * 12**-0.5 / 20_000**0.5)
    counts, _ = np.histogram(values, 20, (0, 1))
    chi_squared = float(np.sum((counts - 1000) ** 2 / 1000))
    assert chi_squared < 19 + 5 * 38**0.5  # 19 degrees of freedom, five standard deviations


def test_neighbouring_orders_and_attempts_are_uncorrelated() -> None:
    draw = work()
    first = np.array([draw.at(order, 0, 1) for order in range(1, 10_001)])
    second = np.array([draw.at(order, 0, 2) for order in range(1, 10_001)])
    for one, other in ((first[1:], first[:-1]), (first, second)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.04  # four standard errors


def test_another_law_is_made_from_the_same_uniforms() -> None:
    draw = work()
    before = draw.at(17, 0, 1)
    draw.use(lambda uniforms: 10 * uniforms)
    assert draw.at(17, 0, 1) == 10 * before


def test_a_sequence_goes_on_under_another_law_where_it_stood() -> None:
    plain, moved = (Draws(1).sequential("latency", "a -> b") for _ in range(2))
    expected = [plain.draw() for _ in range(3000)]
    values = [moved.draw() for _ in range(700)]
    moved.use(lambda uniforms: 10 * uniforms)
    values += [moved.draw() / 10 for _ in range(2300)]
    assert values == pytest.approx(expected, rel=1e-15)


def test_a_sequence_may_change_its_law_before_its_first_draw() -> None:
    plain, moved = (Draws(1).sequential("latency", "a -> b") for _ in range(2))
    moved.use(lambda uniforms: 2 * uniforms)
    assert moved.draw() == 2 * plain.draw()


def test_sequences_of_different_links_know_nothing_of_each_other() -> None:
    draws = Draws(1)
    alone = [draws.sequential("loss", "x").draw() for _ in range(1)]
    other: SequentialDraw = draws.sequential("loss", "y")
    mixed = []
    again = draws.sequential("loss", "x")
    for _ in range(5):
        other.draw()
        mixed.append(again.draw())
    assert mixed[0] == alone[0]


def test_a_constant_law_needs_no_luck() -> None:
    assert work().at(1, 0, 1) != 0.5
    constant = Draws(1).keyed("work", "payment", takes(30))
    assert {constant.at(order, 0, 1) for order in range(1, 3000)} == {30_000_000}
