"""Quantities: what people write, what they get, and what they are told when it cannot be."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.core import quantity
from edasim.core.quantity import LONGEST_NS, QuantityError


@pytest.mark.parametrize(
    ("text", "length_ns"),
    [
        ("30ms", 30_000_000),
        ("1.5s", 1_500_000_000),
        ("2min", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("1d", 86_400_000_000_000),
        ("250us", 250_000),
        ("10ns", 10),
        ("0s", 0),
        ("3652d", LONGEST_NS),
    ],
)
def test_a_duration_is_a_whole_number_of_nanoseconds(text: str, length_ns: int) -> None:
    assert quantity.duration_ns(text) == length_ns


@pytest.mark.parametrize(
    "value",
    ["0", "30", "1:30", "010", "-5s", "nans", "infs", "1e3s", " 3s", "3 s", "3S", "3653d", "", "s", "٣s"]
    + [30, 1.5, math.nan, math.inf, True, False, None, [], {}, "1" * 100 + "s"],
)
def test_what_is_no_duration_is_refused_in_one_sentence(value: object) -> None:
    with pytest.raises(QuantityError) as refused:
        quantity.duration_ns(value)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert ": " in sentence
    assert len(sentence) < 200


def test_a_missing_unit_is_named_with_its_cure() -> None:
    with pytest.raises(QuantityError, match=r"^30 has no unit: write 30ms, or a duration such as 30ms, 1.5s or 2min$"):
        quantity.duration_ns(30)
    with pytest.raises(QuantityError, match=r"^40 has no unit: write 40/s"):
        quantity.rate_per_s("40")


def test_rates_shares_factors_and_sizes_read_as_their_unit_says() -> None:
    assert quantity.rate_per_s("90/min") == 1.5
    assert quantity.rate_per_s("0/s") == 0.0
    assert quantity.share("0.5%") == 0.005
    assert quantity.share("100%") == 1.0
    assert quantity.factor("1.5x") == 1.5
    assert quantity.size_bytes("1kB") == 1000
    assert quantity.size_bytes("16KiB") == 16384


@pytest.mark.parametrize("value", ["101%", "2", 2, 0.02, True, "-1%", "NaN%", None])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(QuantityError):
        quantity.share(value)


@pytest.mark.parametrize("value", ["-1/s", "1e9/s", "2000000000/s", "0.0000000000001/s", "40", 40, math.inf, False])
def test_what_is_no_rate_is_refused(value: object) -> None:
    with pytest.raises(QuantityError):
        quantity.rate_per_s(value)


@pytest.mark.parametrize("value", [True, 1.0, "3", "010", None, 11, -1, 10**400])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(QuantityError, match="a whole number from 0 to 10 is needed"):
        quantity.count(value, 0, 10)


def test_a_leading_zero_is_read_neither_as_octal_nor_as_decimal() -> None:
    with pytest.raises(QuantityError, match='"010" has a leading zero: write 10'):
        quantity.count("010", 0, 20)


@given(some.integers(0, LONGEST_NS))
def test_a_duration_reads_back_as_it_is_shown(length_ns: int) -> None:
    assert quantity.duration_ns(quantity.show_duration(length_ns)) == length_ns


@given(some.just(0.0) | some.floats(1e-12, 1e9))
def test_a_rate_reads_back_as_it_is_shown(rate: float) -> None:
    assert quantity.rate_per_s(quantity.show_rate(rate)) == rate


@given(some.integers(0, 100_000).map(lambda thousandths: thousandths / 100_000))
def test_a_share_reads_back_as_it_is_shown(part: float) -> None:
    assert quantity.share(quantity.show_share(part)) == part


def test_durations_are_shown_in_the_unit_that_people_would_use() -> None:
    shown = [quantity.show_duration(length_ns) for length_ns in (30_000_000, 60 * 10**9, 1_500_000_000, 36 * 10**11, 0)]
    assert shown == ["30ms", "60s", "1.5s", "1h", "0s"]


@given(some.one_of(some.text(), some.integers(), some.floats(), some.booleans(), some.none()))
def test_no_value_at_all_gets_past_as_anything_but_a_number_or_a_sentence(value: object) -> None:
    for read in (quantity.duration_ns, quantity.rate_per_s, quantity.share, quantity.factor, quantity.size_bytes):
        try:
            number = read(value)
        except QuantityError as refused:
            assert str(refused).isprintable()
        else:
            assert math.isfinite(number)
            assert number >= 0


def test_a_value_is_quoted_without_what_could_move_a_terminals_cursor() -> None:
    assert quantity.shown("\x1b[2J\n") == '"\\x1b[2J\\x0a"'
    assert len(quantity.shown("x" * 10**6)) == 62
    assert quantity.shown(10**5000) == "a number of more than 30 digits"
