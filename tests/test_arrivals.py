"""When orders are placed: expected counts, Poisson statistics, and what a changed rate does to the instants."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.core.arrivals import Arrivals, parse_arrivals
from edasim.core.quantity import SECOND_NS, QuantityError

POISSON_FORMS = [
    "poisson 40/s",
    "ramp 10/s to 95/s over 60s",
    "ramp 60/s to 0/s over 50s",
    "bursts 100/s for 2s then 5/s for 8s",
    "bursts 100/s for exponential 2s then 0/s for uniform 1s..3s",
    "spike 40/s to 300/s at 20s for 5s",
    "profile 10/s 40/s 0/s 95/s each 15s",
]
OTHER_FORMS = [
    "constant 40/s",
    "every exponential 25ms",
    "every erlang 4 mean 10ms",
    "batches of 10 at poisson 4/s",
    "batches of 3 at constant 10/s",
    "times [1s, 1.5s, 1.5s, 3s]",
]
SEED = 20_250_101


def uniforms(purpose: str, block: int) -> np.ndarray:
    """A stream of uniforms by blocks, as a run's draws give it."""
    numbers = np.random.Generator(np.random.Philox(key=[SEED, sum(purpose.encode())], counter=[0, 0, block, 0]))
    return numbers.random(1024) * (1 - 2.0**-52) + 2.0**-53


def placed(arrivals: Arrivals, until_s: float, after_ns: int = 0, number: int = 0, spent: float = 0.0) -> np.ndarray:
    """All instants up to a time, in nanoseconds."""
    found: list[int] = []
    for block in arrivals.instants(uniforms, after_ns, number, spent):
        assert block.size
        found += block.tolist()
        if found[-1] > until_s * SECOND_NS:
            break
    return np.array([instant for instant in found if instant <= until_s * SECOND_NS], dtype=np.int64)


@pytest.mark.parametrize("text", POISSON_FORMS + OTHER_FORMS)
def test_the_text_of_arrivals_reads_back_as_the_same(text: str) -> None:
    arrivals = parse_arrivals(text)
    assert arrivals.text == text
    assert parse_arrivals(arrivals.text) == arrivals


@pytest.mark.parametrize("text", POISSON_FORMS + OTHER_FORMS)
def test_instants_ascend_and_come_after_the_start(text: str) -> None:
    instants = placed(parse_arrivals(text), 300)
    assert instants.dtype == np.int64
    assert (np.diff(instants) >= 0).all()
    assert instants[0] > 0


@pytest.mark.parametrize("text", [text for text in POISSON_FORMS if "exponential" not in text])
def test_as_many_orders_come_as_expected(text: str) -> None:
    """In each tenth of the run, by the z-score of a Poisson count."""
    arrivals = parse_arrivals(text)
    instants_s = placed(arrivals, 600) / SECOND_NS
    for start in range(0, 600, 60):
        expected = arrivals.expected(start, start + 60)
        came = ((instants_s > start) & (instants_s <= start + 60)).sum()
        assert abs(came - expected) <= 4 * math.sqrt(expected)


@pytest.mark.parametrize("text", [text for text in POISSON_FORMS if "exponential" not in text])
def test_the_rate_adds_up_to_the_expected_orders(text: str) -> None:
    arrivals = parse_arrivals(text)
    moments = (np.arange(60_000) + 0.5) / 1000
    summed = sum(arrivals.rate_at(moment) for moment in moments[::10].tolist()) / 100
    assert summed == pytest.approx(arrivals.expected(0, 60), rel=1e-3)


@pytest.mark.parametrize("text", [text for text in POISSON_FORMS if "exponential" not in text])
def test_poisson_arrivals_are_exponential_in_the_time_of_their_own_rate(text: str) -> None:
    """Between two orders the expected number is exponential of mean 1: by its mean, its square and its first
    tenth.
    """
    arrivals = parse_arrivals(text)
    instants_s = [0.0, *(placed(arrivals, 400) / SECOND_NS)]
    gaps = np.array([arrivals.expected(a, b) for a, b in itertools.pairwise(instants_s)])
    n = gaps.size
    assert n > 1000
    assert abs(gaps.mean() - 1) <= 4 / math.sqrt(n)
    assert abs((gaps**2).mean() - 2) <= 4 * math.sqrt(20 / n)
    early = 1 - math.exp(-0.1)
    assert abs((gaps < 0.1).mean() - early) <= 4 * math.sqrt(early * (1 - early) / n)


def test_drawn_bursts_have_their_mean_rate_in_the_long_run() -> None:
    arrivals = parse_arrivals("bursts 100/s for exponential 2s then 0/s for uniform 1s..3s")
    rates = placed(arrivals, 20_000).size / 20_000
    # Renewal cycles of mean 4 s; a cycle's count has variance 200 + 200^2, its length 4 + 1/3 (4/12).
    spread = math.sqrt((200 + 200**2 - 2 * 50 * 100 * 4 + 50**2 * (4 + 4 / 12)) / 4 / 20_000)
    assert arrivals.mean_rate == pytest.approx(50)
    assert abs(rates - 50) <= 4 * spread


def test_constant_arrivals_keep_time_without_drift() -> None:
    instants = placed(parse_arrivals("constant 3/s"), 1000)
    assert instants.size == 3000
    assert instants[[0, 1, 2, 2999]].tolist() == [333_333_333, 666_666_667, 10**9, 1000 * 10**9]


def test_renewals_are_the_running_sum_of_their_intervals() -> None:
    arrivals = parse_arrivals("every empirical [10ms, 20ms, 60ms]")
    gaps = np.diff(placed(arrivals, 60))
    assert set(gaps.tolist()) == {10_000_000, 20_000_000, 60_000_000}
    assert arrivals.mean_rate == pytest.approx(1000 / 30)


def test_all_orders_of_a_batch_come_at_one_instant() -> None:
    instants = placed(parse_arrivals("batches of 10 at poisson 4/s"), 100)
    single = placed(parse_arrivals("poisson 4/s"), 100)
    assert instants.tolist() == np.repeat(single, 10).tolist()


def test_given_times_are_placed_as_given_also_at_the_start() -> None:
    arrivals = parse_arrivals(["0s", "1s", "1.5s"])
    assert parse_arrivals("[0s, 1s, 1.5s]") == parse_arrivals("times [0s, 1s, 1.5s]") == arrivals
    assert placed(arrivals, 10).tolist() == [0, SECOND_NS, 3 * SECOND_NS // 2]
    assert placed(arrivals, 10, after_ns=SECOND_NS, number=2).tolist() == [3 * SECOND_NS // 2]
    assert arrivals.expected(0, 10) == 3


@pytest.mark.parametrize("text", ["0/s", "profile 0/s 0/s each 1s", "bursts 0/s for 1s then 0/s for exponential 1s"])
def test_a_rate_of_zero_ends_at_once(text: str) -> None:
    assert list(parse_arrivals(text).instants(uniforms)) == []


def test_a_tiny_rate_ends_before_time_no_longer_fits() -> None:
    for text in ("0.000000001/s", "constant 0.000000001/s", "every 3000d", "every pareto 1s shape 0.1"):
        assert sum(block.size for block in parse_arrivals(text).instants(uniforms)) < 100_000


def test_a_doubled_rate_halves_every_instant() -> None:
    slow, fast = placed(parse_arrivals("40/s"), 100), placed(parse_arrivals("40/s").with_first("80/s"), 50)
    assert fast == pytest.approx(slow / 2, abs=1)


@pytest.mark.parametrize("text", POISSON_FORMS + OTHER_FORMS[:5])
def test_a_change_to_the_same_arrivals_changes_nothing(text: str) -> None:
    """Taking up a stream in its midst, in the midst of an interval, gives the instants that would have come
    anyway.
    """
    arrivals = parse_arrivals(text)
    whole = placed(arrivals, 60)
    number = 300
    last_ns, next_ns = int(whole[number - 1]), int(whole[number])
    now_ns = (last_ns + next_ns) // 2
    rest = placed(arrivals, 60, now_ns, number, arrivals.spent(uniforms, last_ns, now_ns))
    assert rest == pytest.approx(whole[number:], abs=10)


@given(some.floats(0.1, 10.0))
def test_a_changed_rate_scales_what_is_left_of_the_running_interval(ratio: float) -> None:
    arrivals = parse_arrivals("40/s")
    whole = placed(arrivals, 60)
    now_ns = int(whole[99]) + 1000
    changed = parse_arrivals(f"{40 * ratio:.6f}/s")
    first = int(placed(changed, 60, now_ns, 100, arrivals.spent(uniforms, int(whole[99]), now_ns))[0])
    assert first - now_ns == pytest.approx((int(whole[100]) - now_ns) / ratio, rel=1e-5, abs=10)


@pytest.mark.parametrize(
    ("text", "first", "moved", "result"),
    [
        ("40/s", "40/s", "50/s", "poisson 50/s"),
        ("ramp 10/s to 95/s over 60s", "10/s", "20/s", "ramp 20/s to 190/s over 60s"),
        ("spike 40/s to 300/s at 20s for 5s", "40/s", "20/s", "spike 20/s to 150/s at 20s for 5s"),
        ("profile 10/s 40/s each 15s", "10/s", "5/s", "profile 5/s 20/s each 15s"),
        ("bursts 100/s for 2s then 5/s for 8s", "100/s", "200/s", "bursts 200/s for 2s then 10/s for 8s"),
        ("batches of 10 at poisson 4/s", "4/s", "8/s", "batches of 10 at poisson 8/s"),
        ("every exponential 25ms", "25ms", "50ms", "every exponential 50ms"),
        ("times [1s, 3s]", "1s", "2s", "times [2s, 6s]"),
        ("constant 40/s", "40/s", "1/min", "constant 0.016666666666666666/s"),
    ],
)
def test_moving_the_first_number_scales_all_rates_alike(text: str, first: str, moved: str, result: str) -> None:
    arrivals = parse_arrivals(text)
    assert arrivals.first == first
    assert arrivals.with_first(moved).text == result


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (40, "40 has no unit: write 40/s, or a rate such as 40/s, 90/min or 3/h"),
        ("poison 40/s", '"poison 40/s" does not say when orders are placed: did you mean poisson?'),
        ("spike 40/s",
         '"spike 40/s" does not say when orders are placed: write it as spike 40/s to 300/s at 20s for 5s'),
        ("every 0s", 'in "every 0s", "0s" leaves no time between orders: more than 0s is needed'),
        ("times [2s, 1s]", 'in "times [2s, 1s]", 1s comes after 2s: write times in their order'),
        ("batches of 0 at 4/s",
         'in "batches of 0 at 4/s", 0 is out of range: a whole number from 1 to 1000000 is needed'),
        ("bursts 4/s for 0s then 3/s for 0s",
         'in "bursts 4/s for 0s then 3/s for 0s", busy and calm times must have a mean above 0s that is finite'),
        (None, "nothing is not a rate: write it as 40/s, 90/min or 3/h"),
    ],
)  # fmt: skip
def test_what_are_no_arrivals_is_refused_with_the_cure(value: object, sentence: str) -> None:
    with pytest.raises(QuantityError) as refused:
        parse_arrivals(value)
    assert str(refused.value) == sentence


@given(
    some.text(max_size=80) | some.from_regex(r"(ramp|bursts|profile|spike|batches) [0-9a-z/. ]{0,40}", fullmatch=True)
)
def test_any_text_is_arrivals_or_a_sentence(text: str) -> None:
    try:
        arrivals = parse_arrivals(text)
    except QuantityError as refused:
        assert str(refused).isprintable()
    else:
        assert parse_arrivals(arrivals.text) == arrivals
