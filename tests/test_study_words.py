"""Numbers as a reader sees them."""

import math

import pytest

from edasim.study.precision import Interval
from edasim.study.words import capitalised, count_text, listed, seconds_short, seconds_text, summed_up


def around(mean: float, half: float) -> Interval:
    """An interval with so much on both sides."""
    return Interval(mean, mean - half, mean + half, 10)


def test_what_cannot_be_negative_is_not_said_to_be() -> None:
    assert seconds_text(Interval(0.009, 0.0, 0.023, 3)) == "9 (0 to 23) ms"
    assert count_text(Interval(2.0, 0.0, 5.0, 3)) == "2 (0 to 5)"
    assert count_text(Interval(-2.0, -5.0, 1.0, 3), sign=True) == "−2 ± 3"


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (203.4, 9.2, "203 ± 9"),
        (2188.0, 27.0, "2,188 ± 27"),
        (0.0, 0.0, "0"),
        (0.3, 0.48, "0.3 ± 0.5"),
        (-3.5, 1.0, "−4 ± 1"),
        (5.0, math.nan, "5"),
        (1.25, math.nan, "1.2"),
    ],
)
def test_counts_have_as_many_digits_as_their_error_allows(mean: float, half: float, text: str) -> None:
    assert count_text(around(mean, half)) == text


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.0077, 0.00007, "7.70 ± 0.07 ms"),
        (12.34, 0.31, "12.3 ± 0.3 s"),
        (5.0, 0.0, "5.00 s"),
        (4.9966, 0.00002, "5.00 ± 0.01 s"),
        (0.0000421, math.nan, "42.1 µs"),
        (math.inf, math.inf, "never"),
    ],
)
def test_times_carry_their_unit(mean: float, half: float, text: str) -> None:
    assert seconds_text(around(mean, half)) == text


def test_a_difference_shows_its_sign() -> None:
    assert count_text(around(39.0, 14.0), sign=True) == "+39 ± 14"
    assert seconds_text(around(-0.089, 0.002), sign=True) == "−89 ± 2 ms"
    assert count_text(around(0.0, 0.0), sign=True) == "0"


def test_prose_rounds_to_two_digits() -> None:
    assert [seconds_short(value) for value in (0.0077, 11.51, 0.0, math.inf, 0.222)] == [
        "7.7 ms", "12 s", "0 s", "never", "222 ms",
    ]  # fmt: skip


def test_words_are_joined_as_in_a_sentence() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [summed_up(words, " faults") for words in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a", "a and b", "a and 2 more faults",
    ]  # fmt: skip
    assert capitalised("rPC waits") == "RPC waits"
