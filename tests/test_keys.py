"""How keys are spread over orders."""

import math

import numpy as np
import pytest

from edasim.core.keys import Keys, parse_keys
from edasim.core.quantity import QuantityError

GRID = (np.arange(1_000_000) + 0.5) / 1_000_000


@pytest.mark.parametrize("text", ["uniform over 500", "zipf 1.1 over 500", "hot 30% over 500", "each order", "none"])
def test_the_text_of_keys_reads_back_as_the_same(text: str) -> None:
    assert parse_keys(text).text == text
    assert parse_keys(parse_keys(text).text) == parse_keys(text)


def shares(text: str) -> np.ndarray:
    """The share of each key, over an even grid of uniforms."""
    keys = parse_keys(text)
    return np.bincount(keys.index(GRID), minlength=keys.count) / GRID.size


def test_uniform_keys_are_equally_likely() -> None:
    assert shares("uniform over 8") == pytest.approx([1 / 8] * 8, abs=2e-6)


def test_zipf_keys_fall_off_by_a_power_of_their_rank() -> None:
    weights = np.arange(1, 6) ** -1.5
    assert shares("zipf 1.5 over 5") == pytest.approx(weights / weights.sum(), abs=2e-6)
    assert shares("zipf 0 over 5") == pytest.approx([0.2] * 5, abs=2e-6)


def test_one_hot_key_has_its_share_and_the_others_split_the_rest() -> None:
    assert shares("hot 30% over 8") == pytest.approx([0.3] + [0.1] * 7, abs=2e-6)
    assert shares("hot 100% over 2").tolist() == [1.0, 0.0]


def test_the_ends_of_the_uniform_are_keys_too() -> None:
    ends = np.array([2.0**-54, 1 - 2.0**-53])
    for text in ("uniform over 500", "zipf 1.1 over 500", "hot 30% over 500"):
        assert parse_keys(text).index(ends).tolist() == [0, 499]


def test_a_larger_uniform_is_never_an_earlier_key() -> None:
    for text in ("uniform over 77", "zipf 2 over 77", "hot 50% over 77"):
        assert (np.diff(parse_keys(text).index(GRID)) >= 0).all()


def test_without_a_text_every_order_has_its_own_key() -> None:
    assert Keys().text == "each order"


@pytest.mark.parametrize(
    "value",
    ["uniform over 0", "uniform over -1", "hot 30% over 1", "hot 130% over 5", "hot 30 over 5", "zipf over 5"]
    + ["zipf 50 over 5", "uniform over 99999999", "uniform 500", 500, None, True, [], {}, math.nan, "each"],
)
def test_what_are_no_keys_is_refused_in_one_sentence(value: object) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_keys(value)
    assert str(refused.value).isprintable()
