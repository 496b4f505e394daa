"""Intervals and differences: against the printed tables of Student's t, and against sums done by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.study.precision import Interval, difference, interval, student_t, student_t_below

# (probability, degrees of freedom, quantile), as printed in the NIST/SEMATECH e-Handbook, 1.3.6.7.2, and, with more
# digits, from the closed forms for 1, 2 and 4 degrees of freedom.
TABLE = [
    (0.90, 1, 3.0776835),
    (0.975, 1, 12.7062047),
    (0.975, 2, 4.3026527),
    (0.95, 4, 2.1318468),
    (0.975, 9, 2.2621572),
    (0.995, 10, 3.1692727),
    (0.975, 29, 2.0452296),
    (0.9995, 3, 12.9239786),
    (0.975, 1000, 1.9623391),
]


@pytest.mark.parametrize(("probability", "freedom", "quantile"), TABLE)
def test_quantiles_agree_with_the_printed_table(probability: float, freedom: int, quantile: float) -> None:
    assert student_t(probability, freedom) == pytest.approx(quantile, abs=1e-6)


@given(st.floats(1e-6, 1 - 1e-6))
def test_quantiles_agree_with_the_closed_forms_for_one_and_two_degrees_of_freedom(probability: float) -> None:
    cauchy = math.tan(math.pi * (probability - 0.5))
    two = (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    assert student_t(probability, 1) == pytest.approx(cauchy, rel=1e-6, abs=1e-6)
    assert student_t(probability, 2) == pytest.approx(two, rel=1e-6, abs=1e-6)


@given(st.floats(1e-9, 1 - 1e-9), st.integers(1, 10_000))
def test_a_quantile_is_where_the_distribution_reaches_its_probability(probability: float, freedom: int) -> None:
    assert student_t_below(student_t(probability, freedom), freedom) == pytest.approx(probability, abs=1e-9)


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    assert student_t(0.975, 10_000_000) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize(("probability", "freedom"), [(0.0, 3), (1.0, 3), (0.5, 0), (math.nan, 3)])
def test_there_is_no_quantile_for_what_is_no_probability(probability: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_t(probability, freedom)


def test_an_interval_is_the_mean_and_t_standard_errors_beside_it() -> None:
    found = interval([1.0, 2.0, 3.0, 4.0])
    half = 3.1824463 * math.sqrt(5 / 3 / 4)  # t(0.975, 3) = 3.1824463; the sample variance is 5/3
    assert found.mean == 2.5
    assert found.half == pytest.approx(half, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((2.5 - half, 2.5 + half))


def test_one_replication_has_a_number_and_no_interval() -> None:
    found = interval([7.0])
    assert found.mean == 7.0
    assert math.isnan(found.low)
    assert math.isnan(found.half)


def test_one_infinite_replication_makes_the_mean_infinite() -> None:
    assert not interval([1.0, math.inf, 2.0]).known
    with pytest.raises(ValueError, match="at least one"):
        interval([])


def test_the_lower_end_of_a_count_is_not_below_zero() -> None:
    found = interval([0.0, 0.0, 1.0]).not_below(0.0)
    assert found.low == 0.0
    assert found.high > 1.0
    assert found.mean == pytest.approx(1 / 3)


def test_an_interval_covers_the_true_mean_in_95_of_100_studies() -> None:
    import numpy as np

    samples = np.random.Generator(np.random.PCG64(5)).standard_normal((4000, 5))
    hits = sum(found.low <= 0.0 <= found.high for found in (interval(row.tolist()) for row in samples))
    # Within four standard errors of a share of 0.95 over 4,000 studies.
    assert hits / 4000 == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))


def test_pairing_finds_a_small_difference_that_noise_would_hide() -> None:
    base = [10.0, 20.0, 30.0, 40.0]
    found = difference([value + step for value, step in zip(base, (1.0, 1.1, 0.9, 1.0), strict=True)], base)
    assert found.sign == 1
    assert found.interval.mean == pytest.approx(1.0)
    assert found.variance_reduction > 0.99


def test_a_difference_whose_interval_includes_zero_has_no_sign() -> None:
    assert difference([1.0, 3.0], [2.0, 2.0]).sign == 0
    assert difference([1.0, 1.1], [2.0, 2.0]).sign == -1


def test_a_single_run_claims_no_difference() -> None:
    assert difference([5.0], [1.0]).sign == 0


def test_differences_with_something_infinite_are_unknown() -> None:
    found = difference([1.0, math.inf], [1.0, 2.0])
    assert not found.interval.known
    assert found.sign == 0
    with pytest.raises(ValueError, match="paired"):
        difference([1.0], [1.0, 2.0])


def test_no_variance_is_no_reduction() -> None:
    assert math.isnan(difference([1.0, 1.0], [1.0, 1.0]).variance_reduction)
    assert Interval(math.inf, math.inf, math.inf, 3).known is False
