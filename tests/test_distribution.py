"""Random durations: texts, moments, and quantiles against closed forms and numerical integration."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.core.distribution import Distribution, parse_distribution
from edasim.core.quantiles import gamma_quantile, normal_quantile
from edasim.core.quantity import QuantityError, show_duration

EVERY_FORM = [
    "30ms",
    "exponential 30ms",
    "uniform 10ms..50ms",
    "uniform 1.5ms..2.5ms",
    "lognormal p50 15ms p99 60ms",
    "lognormal mean 20ms cv 1.5",
    "gamma mean 20ms cv 0.5",
    "gamma mean 20ms cv 2",
    "erlang 2 mean 20ms",
    "erlang 40 mean 20ms",
    "pareto 10ms shape 2.5",
    "pareto 10ms shape 5",
    "hyper 95% 16ms, 5% exponential 300ms",
    "hyper 20% exponential 90ms, 30% lognormal p50 1ms p99 4ms, 50% 3ms",
    "hyper 50% empirical [1ms, 3ms], 50% 2ms",
    "empirical [10ms, 12ms, 30ms]",
]
MIXED = ("hyper", "empirical")


def moments_by_integration(law: Distribution) -> tuple[float, float]:
    """Mean and variance of the quantile over 0..1, on a grid that is fine towards both ends (a substitution)."""
    place = (np.arange(100_000) + 0.5) / 100_000
    uniform = place**3 * (10 - 15 * place + 6 * place**2)
    weight = 30 * place**2 * (1 - place) ** 2 / 100_000
    uniform = np.clip(uniform, 1e-300, 1 - 2.0**-53)
    value = law.quantile_s(uniform)
    mean = float(np.sum(value * weight))
    return mean, float(np.sum((value - mean) ** 2 * weight))


@pytest.mark.parametrize("text", EVERY_FORM)
def test_the_text_of_a_distribution_reads_back_as_the_same(text: str) -> None:
    law = parse_distribution(text)
    assert law.text == text
    assert parse_distribution(law.text) == law
    assert hash(parse_distribution(law.text)) == hash(law)


@pytest.mark.parametrize("text", EVERY_FORM)
def test_mean_and_variance_are_those_of_the_quantile(text: str) -> None:
    law = parse_distribution(text)
    mean, variance = moments_by_integration(law)
    assert mean == pytest.approx(law.mean_s, rel=2e-4)
    if text != "pareto 10ms shape 2.5":  # its variance converges too slowly for any grid
        assert variance == pytest.approx(law.variance_s2, rel=5e-3, abs=1e-15)
        assert variance + mean**2 == pytest.approx(law.second_moment_s2, rel=5e-3)


@pytest.mark.parametrize("text", [text for text in EVERY_FORM if not text.startswith(MIXED)])
@given(lower=some.floats(1e-12, 1 - 1e-12), upper=some.floats(1e-12, 1 - 1e-12))
def test_a_larger_uniform_is_a_longer_duration(text: str, lower: float, upper: float) -> None:
    short_s, long_s = parse_distribution(text).quantile_s(np.array(sorted((lower, upper))))
    assert 0 <= short_s <= long_s * (1 + 1e-12)


@given(some.sampled_from(EVERY_FORM), some.integers(1, 10**12))
def test_moving_the_first_number_scales_all_durations_alike(text: str, first_ns: int) -> None:
    law = parse_distribution(text)
    moved = law.with_first(show_duration(first_ns))
    ratio = first_ns / law.first_ns
    uniform = np.linspace(0.001, 0.999, 101)
    assert moved.first_ns == first_ns
    assert parse_distribution(moved.text) == moved
    assert moved.quantile_s(uniform) == pytest.approx(law.quantile_s(uniform) * ratio, rel=1e-3, abs=2e-9)


def test_the_first_number_is_the_first_duration_that_the_text_names() -> None:
    assert parse_distribution("hyper 95% 16ms, 5% exponential 300ms").first == "16ms"
    assert parse_distribution("lognormal p50 15ms p99 60ms").with_first("30ms").text == "lognormal p50 30ms p99 120ms"
    assert parse_distribution("hyper 95% 16ms, 5% exponential 300ms").with_first("8ms").text == (
        "hyper 95% 8ms, 5% exponential 150ms"
    )


def test_a_first_number_of_0s_scales_only_where_nothing_else_is_named() -> None:
    assert parse_distribution("0s").with_first("10s").text == "10s"
    assert parse_distribution("exponential 10s").with_first("0s").constant_ns == 0
    with pytest.raises(QuantityError, match="begins with 0s and cannot be scaled"):
        parse_distribution("uniform 0s..10ms").with_first("5ms")


def test_a_mixture_gives_its_parts_their_shares_and_stretches_the_uniform_inside_them() -> None:
    law = parse_distribution("hyper 20% exponential 300ms, 80% 16ms")
    uniform = (np.arange(1000) + 0.5) / 1000
    lengths = law.quantile_s(uniform)
    assert (lengths == 0.016).sum() == 800
    stretched = (uniform[800:] - 0.8) / 0.2
    assert lengths[800:] == pytest.approx(parse_distribution("exponential 300ms").quantile_s(stretched), rel=1e-12)


def test_a_list_is_the_steps_of_what_was_measured() -> None:
    law = parse_distribution(["30ms", "10ms", "20ms"])
    assert law.quantile_ns(np.array([0.1, 0.3333, 0.3334, 0.7, 0.999])).tolist() == [
        10_000_000, 10_000_000, 20_000_000, 30_000_000, 30_000_000,
    ]  # fmt: skip
    assert law.text == "empirical [30ms, 10ms, 20ms]"


def test_the_normal_quantile_agrees_with_the_standard_library() -> None:
    uniform = np.concatenate([np.logspace(-15, -1, 200), np.linspace(0.05, 0.95, 181), 1 - np.logspace(-15, -1, 200)])
    normal = statistics.NormalDist()
    assert normal_quantile(uniform) == pytest.approx([normal.inv_cdf(each) for each in uniform], rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("stages", [1, 2, 3, 10, 40])
def test_the_gamma_quantile_inverts_the_closed_form_of_whole_stages(stages: int) -> None:
    uniform = np.concatenate([np.logspace(-12, -1, 60), np.linspace(0.1, 0.9999, 60)])
    deviate = gamma_quantile(uniform, float(stages))
    terms = [np.exp(k * np.log(deviate) - deviate - math.lgamma(k + 1)) for k in range(stages + 400)]
    assert np.sum(terms[stages:], axis=0) == pytest.approx(uniform, rel=1e-9)


@pytest.mark.parametrize("shape", [0.0025, 0.01, 0.3, 0.9999, 1.5, 7.7, 123.4, 10_000.0])
def test_the_gamma_quantile_inverts_its_density_integrated(shape: float) -> None:
    """Between two quantiles lies the share between their uniforms: Gauss-Legendre over the density in the
    logarithm.
    """
    uniform = np.array([0.2, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99, 0.9999])
    points = np.log(gamma_quantile(uniform, shape))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    for (start, end), part in zip(itertools.pairwise(points), np.diff(uniform), strict=True):
        logarithm = 0.5 * (end - start) * nodes + 0.5 * (start + end)
        density = np.exp(shape * logarithm - np.exp(logarithm) - math.lgamma(shape))
        assert 0.5 * (end - start) * float(np.sum(weights * density)) == pytest.approx(part, rel=1e-9)


def test_gamma_of_one_stage_is_exponential() -> None:
    uniform = (np.arange(999) + 0.5) / 999
    assert parse_distribution("gamma mean 20ms cv 1").quantile_s(uniform) == pytest.approx(
        parse_distribution("exponential 20ms").quantile_s(uniform), rel=1e-9
    )


def test_a_heavy_tail_may_have_no_mean_but_every_draw_fits() -> None:
    law = parse_distribution("pareto 1s shape 0.1")
    assert math.isinf(law.mean_s)
    assert law.scv == math.inf
    assert law.quantile_ns(np.array([1 - 2.0**-53])).tolist() == [3652 * 86_400 * 10**9]


def test_a_lognormal_has_the_percentiles_that_its_text_names() -> None:
    law = parse_distribution("lognormal p50 15ms p99 60ms")
    assert law.quantile_s(np.array([0.5, 0.99])) == pytest.approx([0.015, 0.06], rel=1e-14)


def test_only_a_constant_is_one() -> None:
    assert parse_distribution("constant 30ms").constant_ns == 30_000_000
    assert parse_distribution("exponential 30ms").constant_ns is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("exponentil 30ms", '"exponentil 30ms" is not a distribution: did you mean exponential?'),
        ("exponential", '"exponential" is not complete: write it as exponential 30ms'),
        ("exponential 30", 'in "exponential 30", 30 has no unit: write 30ms, or a duration such as 30ms, 1.5s or 2min'),
        ("uniform 5ms..1ms", 'in "uniform 5ms..1ms", 5ms is above 1ms: write the lower duration first'),
        ("lognormal p50 9ms p99 3ms",
         'in "lognormal p50 9ms p99 3ms", the p99 3ms is below the p50 9ms: write a p99 of at least the p50'),
        ("hyper 50% 1ms, 40% 2ms", 'in "hyper 50% 1ms, 40% 2ms", the shares add to 90%: they must add to 100%'),
        ("gamma mean 3ms cv nan", 'in "gamma mean 3ms cv nan", cv nan is not possible: cv is a number from 0.01 to 20'),
        ("1:30", '"1:30" is not a duration: write it as 30ms, 1.5s or 2min'),
        (True, "true is not a duration: write it as 30ms, 1.5s or 2min"),
        ([], "a list of 0 durations is not possible: give 1 to 10000"),
    ],
)  # fmt: skip
def test_what_is_no_distribution_is_refused_with_the_cure(value: object, sentence: str) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_distribution(value)
    assert str(refused.value) == sentence


@given(some.text(max_size=80) | some.from_regex(r"(hyper|gamma|lognormal|uniform) [0-9a-z%., ]{0,40}", fullmatch=True))
def test_any_text_is_a_distribution_or_a_sentence(text: str) -> None:
    try:
        law = parse_distribution(text)
    except QuantityError as refused:
        assert str(refused).isprintable()
    else:
        assert parse_distribution(law.text) == law
