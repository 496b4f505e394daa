"""Error bars that are true: precision that is asked for, warm-up that is found, batch means of one long run."""

import json
import math

import numpy as np
import pytest

from edasim.cli import main
from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.batch_means import BatchMeansError, batch_means
from edasim.study.compare import compare
from edasim.study.comparison import json_text
from edasim.study.metrics import UnknownMetric
from edasim.study.precision import interval
from edasim.study.until_precise import PrecisionError
from edasim.study.warm_up import find_warm_up, mser

QUEUE = """
title: A queue
duration: 40s
producers: {checkout: {publishes: OrderPlaced, arrivals: poisson 20/s}}
services: {payment: {handles: OrderPlaced, workers: 1, work: exponential 25ms}}
wire: none
architectures: {monolith: {}, kafka: {topic: {partitions: 1}}}
"""


@pytest.fixture(scope="module")
def queue() -> Scenario:
    """One worker, half of whose time is taken."""
    return load(QUEUE)


# --- who does the runs makes no difference ----------------------------------------------------------------------------


def test_a_comparison_on_two_workers_is_the_same_to_the_byte(queue: Scenario) -> None:
    study = (queue, ["monolith", "kafka"], 4, 3)
    one, two = compare(*study, workers=1), compare(*study, workers=2)
    assert json_text(one.as_dict()) == json_text(two.as_dict())
    assert json_text(one.differences()) == json_text(two.differences())
    assert one.verdict() == two.verdict()
    assert list(two.runs) == ["monolith", "kafka"]
    assert str(one.journey("order-3")) == str(two.journey("order-3"))


# --- precision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [None, 2])
def test_replications_are_added_until_it_is_precise(queue: Scenario, workers: int | None) -> None:
    loose = compare(queue, "kafka", 5, precision="60%", precision_of="completion_latency_s.mean", workers=workers)
    tight = compare(queue, "kafka", 5, precision="6%", precision_of="completion_latency_s.mean", workers=workers)
    assert loose.replications == 5
    assert 5 < tight.replications < 100
    found = tight.interval("kafka", "completion_latency_s.mean")
    assert found.half <= 0.06 * found.mean
    before = interval(tight.values("kafka", "completion_latency_s.mean")[:5])
    assert before.half > 0.06 * before.mean
    assert tight.complete
    assert "reached with n =" in " ".join(str(tight.table()).split())


def test_a_precision_does_not_depend_on_who_does_the_runs(queue: Scenario) -> None:
    texts = {
        json_text(compare(queue, None, 5, precision="8%", workers=workers).as_dict()) for workers in (None, 1, 2)
    }
    assert len(texts) == 1


def test_where_the_budget_ends_it_says_not_reached(queue: Scenario) -> None:
    found = compare(queue, "kafka", 5, precision="0.1%", budget=9)
    assert found.replications == 9
    assert found.as_dict()["precision"] == {"of": "completion_latency_s.p50", "wanted": "0.1%", "reached": False}
    assert "not reached with n = 9, the budget" in " ".join(str(found.table()).split())


def test_a_number_that_some_replications_do_not_have_is_never_precise(queue: Scenario) -> None:
    never = queue.change({"drain": "0s", "services.payment.work": "100s"})
    found = compare(never, "kafka", 5, precision="5%", budget=6)
    assert found.precision is not None
    assert "kafka has no such number in some replications" in found.precision.sentence(found.observations)


@pytest.mark.parametrize(("wrong", "sentence"), [
    ({"precision": "2"}, "precision: 2 has no unit: write 2%"),
    ({"precision": "0%"}, "cannot be reached: write a share above 0%"),
    ({"precision": "2%", "replications": 3}, "3 replications are too few to judge a precision from"),
    ({"precision": "2%", "budget": 4}, "budget: 4 is no number from 10 replications to 100000"),
])  # fmt: skip
def test_a_precision_that_cannot_be_asked_for_gets_a_sentence(queue: Scenario, wrong: dict, sentence: str) -> None:
    with pytest.raises(PrecisionError, match=sentence):
        compare(queue, "kafka", **wrong)
    with pytest.raises(UnknownMetric, match="did you mean"):
        compare(queue, "kafka", precision="2%", precision_of="orders.don")


def test_the_command_ends_with_2_where_the_precision_was_not_reached(
    tmp_path, capsys: pytest.CaptureFixture[str]  # type: ignore[no-untyped-def]
) -> None:
    file = tmp_path / "queue.yml"
    file.write_text(QUEUE, encoding="utf-8")
    words = ["compare", str(file), "--arch", "kafka", "--replications", "5", "--budget", "6", "--json"]
    assert main([*words, "--precision", "0.1%"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["precision"]["reached"] is False
    assert "not reached" in printed.err
    assert main([*words, "--precision", "90%"]) == 0


# --- warm-up ----------------------------------------------------------------------------------------------------------


def reference(values: list[float]) -> int:
    """MSER-5 as White writes it, by hand."""
    means = [math.fsum(values[start : start + 5]) / 5 for start in range(0, len(values) - 4, 5)]

    def error(cut: int) -> float:
        rest = means[cut:]
        mean = math.fsum(rest) / len(rest)
        return math.fsum((value - mean) ** 2 for value in rest) / len(rest) ** 2

    return 5 * min(range(len(means) // 2 + 1), key=error)


@pytest.mark.parametrize("seed", range(8))
def test_mser_5_is_where_the_marginal_standard_error_is_least(seed: int) -> None:
    draws = np.random.Generator(np.random.PCG64(seed))
    values = draws.standard_normal(403) + 6 * np.exp(-np.arange(403) / (5 + 10 * seed))
    assert mser(values)[0] == reference(values.tolist())


def test_a_ramp_at_the_beginning_is_cut_and_no_more() -> None:
    draws = np.random.Generator(np.random.PCG64(1))
    values = np.concatenate([np.linspace(0, 20, 100), np.full(900, 20.0)]) + draws.standard_normal(1000)
    cut, settled = mser(values)
    assert 70 <= cut <= 110
    assert settled


def test_what_never_settles_says_so() -> None:
    assert mser(np.linspace(0, 1, 1000)) == (500, False)
    assert mser([1.0, 2.0]) == (0, False)


def test_a_busy_shop_needs_a_longer_warm_up_than_a_quiet_one(queue: Scenario) -> None:
    quiet = find_warm_up(queue.change({"services.payment.work": "exponential 2ms"}), "kafka")
    busy = find_warm_up(queue.change({"services.payment.work": "exponential 45ms", "duration": "120s"}), "kafka")
    assert quiet.scenario.warm_up < busy.scenario.warm_up <= 60 * 10**9
    assert quiet.settled
    assert "by MSER-5 on 10 pilot runs without faults: Kafka" in busy.sentence()


def test_an_overloaded_shop_never_settles(queue: Scenario) -> None:
    found = find_warm_up(queue.change({"services.payment.work": "exponential 100ms"}), "kafka")
    assert found.unsettled == ("kafka",)
    assert "Not settled in the first half of the run (Kafka)" in found.sentence()


def test_the_warm_up_that_is_found_leaves_the_faults_alone(queue: Scenario) -> None:
    down = queue.change({"faults": {"outage": {"unavailable": "payment", "at": "23s", "for": "10s"}}})
    found, again = find_warm_up(down, ["kafka"]), find_warm_up(queue, ["kafka"], workers=2)
    assert found.scenario == down.change({"warm-up": f"{found.scenario.warm_up / 10**9:g}s"})
    assert found.by_architecture == again.by_architecture


def test_the_commands_take_a_warm_up_by_hand_or_find_it(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "queue.yml"
    file.write_text(QUEUE, encoding="utf-8")
    words = ["run", str(file), "--arch", "kafka", "--json"]
    assert main([*words, "--warm-up", "10s"]) == 0
    placed = json.loads(capsys.readouterr().out)["architectures"]["kafka"]["orders"]["placed"]
    assert placed == simulate(load(QUEUE).change({"warm-up": "10s"}), "kafka").summary().outcomes["placed"]
    assert main([*words, "--warm-up", "auto"]) == 0
    assert "Warm-up" in capsys.readouterr().err
    assert main([*words, "--warm-up", "soon"]) == 2
    assert 'warm_up: "soon" is not a duration' in capsys.readouterr().err.replace("warm-up", "warm_up")


# --- batch means ------------------------------------------------------------------------------------------------------


def test_batch_means_are_the_interval_of_the_means_of_the_batches() -> None:
    values = [float(value % 7) for value in range(103)]
    found = batch_means(values, 10)
    means = [math.fsum(values[start : start + 10]) / 10 for start in range(3, 103, 10)]
    assert (found.interval.mean, found.interval.half) == (interval(means).mean, interval(means).half)
    assert (found.batches, found.size) == (10, 10)


def test_the_batches_of_a_correlated_series_are_wider_than_the_naive_interval() -> None:
    draws = np.random.Generator(np.random.PCG64(3)).standard_normal(20_000)
    values = [0.0]
    for draw in draws:
        values.append(0.95 * values[-1] + float(draw))
    found = batch_means(values)
    # The variance of the mean is (1 + 0.95) / (1 - 0.95) = 39 times that of independent values.
    assert found.interval.half / interval(values).half == pytest.approx(math.sqrt(39), rel=0.4)
    assert not found.correlated
    assert batch_means(values, 2_000).correlated


def test_a_long_run_has_an_interval_of_its_own(queue: Scenario) -> None:
    run = simulate(queue.change({"duration": "1200s"}), "monolith", 4)
    found = run.batch_means("completion_latency_s")
    # M/M/1 with 20/s and 25 ms: 1 / (40 - 20) = 50 ms. Within three half-widths of 95%.
    assert found.interval.mean == pytest.approx(0.05, abs=3 * found.interval.half)
    assert "20 batches" in str(found)


@pytest.mark.parametrize(("settings", "name", "sentence"), [
    ({}, "nonsense", '"nonsense" is no latency of a run: choose accept_latency_s, completion_latency_s or waiting_s'),
    ({"drain": "0s", "services.payment.work": "1s"}, "completion_latency_s", "orders are never done"),
    ({"duration": "1s"}, "completion_latency_s", "are too few for 20 batches"),
])  # fmt: skip
def test_what_has_no_batch_means_gets_a_sentence(queue: Scenario, settings: dict, name: str, sentence: str) -> None:
    with pytest.raises(BatchMeansError, match=sentence):
        simulate(queue.change(settings), "kafka").batch_means(name)
    with pytest.raises(ScenarioError):
        queue.change({"nonsense": 1})
