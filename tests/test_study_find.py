"""Finding the value at which a target holds: against theory, and with everything that may stay open."""

import json
import math
import warnings

import pytest

from edasim.charts.find import find_chart
from edasim.charts.metric import tick_text
from edasim.cli import main
from edasim.core.quantity import SECOND_NS
from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.study.find import FindInterrupted, find
from edasim.study.found import Search, Tried
from edasim.study.knob import KINDS
from edasim.study.metrics import UnknownMetric
from edasim.study.precision import Interval, share_interval
from edasim.study.target import TargetError, read_target

QUEUE = """
title: A queue
duration: 200s
warm-up: 10s
drain: 600s
producers: {checkout: {publishes: OrderPlaced, arrivals: poisson 20/s}}
services: {payment: {handles: OrderPlaced, workers: 1, work: exponential 100ms}}
wire: none
architectures: {monolith: {threads: 20}, rpc: {}}
knobs: {services.payment.workers: 1 .. 8}
"""


@pytest.fixture(scope="module")
def queue() -> Scenario:
    """Two workers would be busy all the time."""
    return load(QUEUE)


# --- targets ----------------------------------------------------------------------------------------------------------


def test_targets_are_read(queue: Scenario) -> None:
    found = read_target("completion_latency_s.p99<2s", queue)
    assert (found.metric, found.below, found.bound, found.strict) == ("completion_latency_s.p99", True, 2.0, True)
    assert read_target("services.payment.utilisation >= 80%", queue).bound == 0.8
    assert read_target("recovers", queue).metric == "recovered"
    assert read_target("recovers >= 90%", queue).bound == 0.9


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "is no target: write it as completion_latency_s.p99 < 2s, or recovers"),
    ("orders.done", "is no target"),
    ("completion_latency_s.p99 < 2", "completion_latency_s.p99 is a time: write completion_latency_s.p99 < 2s"),
    ("orders.refused < 2s", "is no bound for orders.refused: write a number, a share such as 2%, or a rate"),
    ("orders.refused < 1e999", "is no bound"),
    ("orders.refused < 1%", "orders.refused is a number of orders, not a share of them: write it as"),
    ("recovers >= 100%", "cannot be shown by some"),
    ("recovers > 2", "recovers is a share of runs"),
    ("a < b" * 100, "is no target"),
])  # fmt: skip
def test_what_is_no_target_gets_a_sentence(queue: Scenario, text: str, sentence: str) -> None:
    with pytest.raises(TargetError, match=sentence):
        read_target(text, queue)
    with pytest.raises(UnknownMetric, match="did you mean"):
        read_target("orders.refusd < 1", queue)


@pytest.mark.parametrize(("target", "span", "verdict"), [
    ("< 2", (0, 1.9), True), ("< 2", (0, 2), None), ("< 2", (2, 3), False), ("< 2", (2, 2), False),
    ("<= 2", (0, 2), True), ("<= 2", (2, 3), None), ("<= 2", (2, 2), True), ("<= 2", (2.1, 3), False),
    ("> 2", (2.1, 3), True), ("> 2", (2, 3), None), ("> 2", (1, 2), False), (">= 2", (2, 3), True),
    (">= 2", (1, 2), None), (">= 2", (1, 1.9), False), ("< 2", (math.inf, math.inf), False),
    ("> 2", (math.inf, math.inf), True),
])  # fmt: skip
def test_an_interval_decides_only_when_it_excludes_the_bound(
    queue: Scenario, target: str, span: tuple[float, float], verdict: bool | None
) -> None:
    low, high = span
    mean = math.inf if math.isinf(low) else (low + high) / 2
    assert read_target(f"orders.refused {target}", queue).judge(Interval(mean, low, high, 10)) is verdict


def test_the_interval_of_a_share_is_that_of_the_printed_tables() -> None:
    # Clopper and Pearson for 3 of 10 and 95%: 0.0667 to 0.6525; for 0 of 10 the upper end is 1 - 0.025^(1/10).
    found = share_interval(3, 10)
    assert (found.low, found.high) == pytest.approx((0.06674, 0.65245), abs=1e-5)
    assert share_interval(0, 10).high == pytest.approx(1 - 0.025**0.1)
    assert share_interval(10, 10).low == pytest.approx(0.025**0.1)


# --- searching --------------------------------------------------------------------------------------------------------


def test_the_smallest_number_of_workers_is_that_of_erlang_c(queue: Scenario) -> None:
    """M/M/c with 2 erlangs; the mean time in the system is Erlang C's chance to wait, times the wait, and the work."""

    def sojourn_s(workers: int, load: float = 2.0, work_s: float = 0.1) -> float:
        terms = [load**n / math.factorial(n) for n in range(workers)]
        last = load**workers / math.factorial(workers) * workers / (workers - load)
        return last / (sum(terms) + last) * work_s / (workers - load) + work_s

    enough = next(workers for workers in range(3, 9) if sojourn_s(workers) < 0.115)
    found = find(queue, "services.payment.workers", "completion_latency_s.mean < 115ms", "rpc", seed=3)
    assert enough == 4
    assert found.value("rpc") == enough
    assert found.sure
    search = found.searches["rpc"]
    assert search.bracket == (4, 3)
    assert [one.number for one in search.in_order][:1] == [1.0]
    told = "payment.workers = 4 is the smallest value at which completion latency, mean < 115ms holds; at 3 it does not"
    assert told in found.sentence("rpc")


def test_the_highest_rate_is_that_of_the_queue(queue: Scenario) -> None:
    """M/M/1 with 10 ms: the mean time in the system 1 / (100 - rate) is 50 ms at 80/s."""
    one = queue.change({"services.payment.work": "exponential 10ms", "duration": "60s"})
    found = find(one, {"producers.checkout.arrivals": "40/s .. 120/s"}, "completion_latency_s.mean < 50ms", "rpc",
                 within="40/s", budget=40)
    holds, fails = found.searches["rpc"].bracket or (0, 0)
    assert holds < 80 < fails
    assert "largest value that was tried" in found.sentence("rpc") or found.searches["rpc"].outcome == "undecided"


def test_two_workers_find_the_same(queue: Scenario) -> None:
    short = queue.change({"duration": "10s", "warm-up": "1s", "drain": "60s"})
    study = (short, "services.payment.workers", "completion_latency_s.p99 < 600ms", ["rpc", "monolith"], 1, 10)
    assert find(*study).as_dict() == find(*study, workers=2).as_dict()


def test_what_the_budget_does_not_decide_stays_undecided(queue: Scenario) -> None:
    """With the bound in the middle of what three workers give, no number of runs that anybody does can tell."""
    short = queue.change({"duration": "30s", "warm-up": "5s"})
    mean = find(short, {"services.payment.workers": "3 .. 4"}, "completion_latency_s.mean < 1h", "rpc", budget=20)
    tried = mean.searches["rpc"].in_order[0].interval.mean
    target = f"completion_latency_s.mean < {tried * 1000:.3f}ms"
    found = find(short, {"services.payment.workers": "1 .. 3"}, target, "rpc", budget=20)
    assert found.searches["rpc"].outcome == "undecided"
    assert found.value("rpc") is None
    assert "undecided between 1 and 3: with payment.workers at 3 the budget ended" in found.sentence("rpc")
    assert found.searches["rpc"].in_order[-1].interval.n == 20


@pytest.mark.parametrize(("target", "does"), [
    ("completion_latency_s.mean < 1h", "holds at both ends"), ("completion_latency_s.mean < 1us", "holds at neither"),
])  # fmt: skip
def test_a_target_that_does_not_change_says_so(queue: Scenario, target: str, does: str) -> None:
    found = find(queue.change({"duration": "30s"}), {"services.payment.workers": "3 .. 8"}, target, "rpc")
    assert does in found.sentence("rpc")
    assert not found.sure
    assert len(found.searches["rpc"].tried) == 2


def test_where_some_runs_never_come_the_table_the_chart_and_the_sentence_say_so() -> None:
    shop = load("""
        title: Some are parked
        duration: 20s
        producers: {checkout: {publishes: OrderPlaced, arrivals: 20/s}}
        services: {payment: {handles: OrderPlaced, workers: 2, work: 10ms, poison: 1%}}
        retry: {attempts: 1}
        architectures: {rabbitmq: {}}
    """)
    found = find(shop, {"services.payment.workers": "1 .. 2"}, "completion_latency_s.p99 < 2s", "rabbitmq")
    never = found.searches["rabbitmq"].in_order[0].never
    assert 0 < never < 10
    assert f"never in {never} of 10" in str(found.table())
    assert f"in some runs it never comes ({never} of 10 at 1 and {never} of 10 at 2)" in found.sentence("rabbitmq")
    ax = find_chart(found)
    tops = [line for line in ax.lines if line.get_marker() == "^" and len(line.get_xdata())]
    assert [line.get_markerfacecolor() for line in tops[:2]] == ["white", "white"]  # it fails there
    assert [text.get_text() for text in ax.texts].count(f"never in\n{never} of 10") == 2


def test_no_two_ticks_of_a_chart_read_alike() -> None:
    ticks = [0.25 * number for number in range(8)]
    assert [tick_text(value, "completion_latency_s.p99") for value in ticks] == [
        "0 s", "250 ms", "500 ms", "750 ms", "1 s", "1.25 s", "1.5 s", "1.75 s"]
    assert tick_text(1_250, "orders.refused") == "1,250"


def test_it_is_found_from_how_long_an_outage_on_the_queue_does_not_come_back() -> None:
    """The fluid law: at 80% load an outage of d takes 4 d to work off, while orders are still placed."""
    shop = load("""
        title: Down
        duration: 60s
        producers: {checkout: {publishes: OrderPlaced, arrivals: every 50ms}}
        services: {payment: {handles: OrderPlaced, workers: 1, work: 40ms}}
        faults: {outage: {unavailable: payment, at: 20.02s, for: 10s}}
        architectures: {rabbitmq: {}}
    """)
    found = find(shop, {"faults.outage.for": "2s .. 30s"}, "recovers", within="1s")
    holds, fails = found.searches["rabbitmq"].bracket or (0, 0)
    # From 20 s on, d + 4 d = 40 s.
    assert holds <= 8.3 * SECOND_NS
    assert fails >= 7.7 * SECOND_NS
    assert fails - holds <= SECOND_NS
    assert found.sure


def test_points_that_stay_undecided_are_left_between_the_decided_ones() -> None:
    def tried(number: float, holds: bool | None) -> Tried:
        return Tried(number, Interval(1.0, 0.0, 2.0, 10), holds)

    search = Search(KINDS["count"], None, finished=True)  # type: ignore[arg-type]
    for number, holds in ((1, False), (9, True), (5, None), (3, False), (7, True), (4, None)):
        search.take(tried(number, holds))
    assert search.inside() == (3, 4, 5, 7)
    assert search.bracket == (7, 3)
    assert search.outcome == "undecided"
    search.take(tried(5, True))
    search.take(tried(4, False))
    assert (search.bracket, search.outcome) == ((5, 4), "found")


@pytest.mark.parametrize(("knob", "sentence"), [
    ("services.payment.fails", "the scenario has no such knob: give its span"),
    ({"services.payment.workers": "1"}, "is not a range: write it as 1 .. 8"),
    ({"services.payment.workers": "8 .. 1"}, "is empty"),
    ({"services.payment.workers": "0 .. 8"}, r"\(with services.payment.workers=0\)"),
])  # fmt: skip
def test_a_knob_that_cannot_be_searched_gets_a_sentence(queue: Scenario, knob: object, sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        find(queue, knob, "recovers", "rpc")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 knobs cannot be searched"):
        find(queue, {"a": "1 .. 2", "b": "1 .. 2"}, "recovers", "rpc")
    with pytest.raises(ValueError, match="budget: 5 is no number from 10"):
        find(queue, "services.payment.workers", "recovers", "rpc", budget=5)


def test_ctrl_c_leaves_what_was_tried(queue: Scenario) -> None:
    def stop(done: int, _: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(FindInterrupted) as stopped:
        find(queue.change({"duration": "20s", "warm-up": "0s"}), "services.payment.workers", "recovers", "rpc",
             progress=stop)
    found = stopped.value.found
    assert found.as_dict()["incomplete"] is True
    assert "stopped after 0 values" in found.sentence("rpc")
    found.searches["rpc"].take(Tried(1.0, Interval(0.5, 0.2, 0.8, 10), None))
    assert "stopped after 1 value;" in found.sentence("rpc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.chart()  # of one value, so that its axis has no length of its own


def test_the_command_finds_saves_and_says_how_sure(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "queue.yml"
    file.write_text(QUEUE.replace("200s", "40s"), encoding="utf-8")
    words = ["find", str(file), "--arch", "rpc", "--target", "completion_latency_s.mean < 1s"]
    assert main([*words, "--knob", "services.payment.workers", "--out", str(tmp_path)]) == 0
    assert "(95% sure)" in " ".join(capsys.readouterr().out.split())
    told = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    node = told["architectures"]["rpc"]
    assert (node["outcome"], node["value"], node["fails_at"]) == ("found", "3", "2")
    assert (tmp_path / "found.png").stat().st_size > 10_000
    assert main([*words, "--knob", "services.payment.workers=3 .. 8", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["architectures"]["rpc"]["outcome"] == "holds everywhere"
