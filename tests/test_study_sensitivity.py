"""Which knob matters most: each moved alone, on the same orders and draws, the largest effect first."""

import json
import math

import pytest

from edasim.charts.tornado import tornado
from edasim.cli import main
from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.metrics import UnknownMetric
from edasim.study.observation import observe
from edasim.study.replicate import replication_seed
from edasim.study.sensitivity import SensitivityInterrupted, sensitivity

SHOP = """
title: A shop with knobs
duration: 5s
producers: {checkout: {publishes: OrderPlaced, arrivals: poisson 20/s}}
services:
  payment: {handles: OrderPlaced, workers: 2, work: exponential 50ms}
  mail: {handles: OrderPlaced, workers: 3, work: 1ms, required: false}
client: {timeout: 9s}
architectures: {rabbitmq: {}, monolith: {}}
knobs:
  services.mail.workers: 2 .. 4
  services.payment.work: 25ms .. 90ms
  services.payment.workers: 2 .. 3
"""
METRIC = "completion_latency_s.mean"


@pytest.fixture(scope="module")
def shop() -> Scenario:
    """Payment is what an order waits for; mail is not."""
    return load(SHOP)


def test_each_effect_is_the_paired_difference_of_its_own_runs(shop: Scenario) -> None:
    found = sensitivity(shop, None, "rabbitmq", METRIC, 3, 8)
    by_path = {one.path: one for one in found.effects["rabbitmq"]}
    assert set(by_path) == set(shop.knobs)

    def mean_s(values: dict[str, object], number: int) -> float:
        run = simulate(shop.change(values), "rabbitmq", replication_seed(8, number))
        return observe(run).number(METRIC)

    one = by_path["services.payment.work"]
    assert one.texts == ("25ms", "50ms", "90ms")
    now, low = [mean_s({}, n) for n in range(3)], [mean_s({"services.payment.work": "25ms"}, n) for n in range(3)]
    assert list(one.now) == now
    assert list(one.at_low) == low
    assert one.low.interval.mean == pytest.approx(math.fsum(a - b for a, b in zip(low, now, strict=True)) / 3)


def test_what_matters_most_stands_on_top_and_what_does_not_matter_below(shop: Scenario) -> None:
    effects = sensitivity(shop, None, "rabbitmq", METRIC, 4).effects["rabbitmq"]
    assert [one.path.split(".", 1)[1] for one in effects] == ["payment.work", "payment.workers", "mail.workers"]
    assert (effects[0].low.sign, effects[0].high.sign) == (-1, 1)
    assert effects[-1].size == 0
    assert effects[1].low.interval.mean == 0  # its low end is where it stands


def test_a_path_without_a_span_goes_20_percent_below_and_above(shop: Scenario) -> None:
    found = sensitivity(shop, ["services.payment.work", "producers.checkout.arrivals"], "rabbitmq", METRIC, 2,
                        spread="10%")
    assert {one.texts for one in found.effects["rabbitmq"]} == {("45ms", "50ms", "55ms"), ("18/s", "20/s", "22/s")}
    counted = sensitivity(shop.change({"knobs": {}}), ["services.mail.workers"], "rabbitmq", METRIC, 2)
    assert counted.effects["rabbitmq"][0].texts == ("2", "3", "4")


def test_spans_can_be_given(shop: Scenario) -> None:
    found = sensitivity(shop, {"client.timeout": "1ms .. 9s"}, "monolith", "orders.refused", 2)
    effect = found.effects["monolith"][0]
    assert effect.low.interval.mean > 50
    mixed = sensitivity(shop, {"client.timeout": "1ms .. 9s", "services.payment.workers": None}, "monolith", METRIC, 2)
    assert {one.path: one.texts for one in mixed.effects["monolith"]} == {
        "client.timeout": ("1ms", "9s", "9s"), "services.payment.workers": ("2", "2", "3")}
    assert effect.high.interval.mean == 0


@pytest.mark.parametrize(("wrong", "error", "sentence"), [
    ({"knobs": []}, ScenarioError, "knobs: the scenario has none"),
    ({"knobs": ["services.payment.fails"]}, ScenarioError, "it stands at 0%, and 20% above and below that is the same"),
        ({"knobs": ["services.payment.nope"]}, ScenarioError, "nothing stands at this path that could be moved"),
    ({"knobs": ["title"]}, ScenarioError, "is not a quantity"),
    ({"knobs": {"services.payment.workers": "1"}}, ScenarioError, "is not a range"),
    ({"spread": "2"}, ScenarioError, "spread: 2 has no unit"),
    ({"spread": "100%"}, ScenarioError, "is no spread"),
    ({"metric": "orders.refusd"}, UnknownMetric, "did you mean orders.refused"),
    ({"replications": 1}, ValueError, "at least 2 are needed"),
])  # fmt: skip
def test_what_cannot_be_weighed_gets_a_sentence(
    shop: Scenario, wrong: dict, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        sensitivity(shop, **wrong)


def test_two_workers_weigh_the_same(shop: Scenario) -> None:
    assert sensitivity(shop, metric=METRIC, replications=2).as_dict() == sensitivity(
        shop, metric=METRIC, replications=2, workers=2
    ).as_dict()


def test_ctrl_c_leaves_the_knobs_that_were_finished(shop: Scenario) -> None:
    def stop(done: int, _: int) -> None:
        if done == 7:  # as it is, and both ends of the first knob
            raise KeyboardInterrupt

    with pytest.raises(SensitivityInterrupted) as stopped:
        sensitivity(shop, None, "rabbitmq", METRIC, 2, progress=stop)
    found = stopped.value.found
    assert found is not None
    assert [one.path for one in found.effects["rabbitmq"]] == ["services.mail.workers"]
    assert found.shortfall == "incomplete: 1 of 3 knobs everywhere"
    assert found.as_dict()["incomplete"] is True


def test_the_tornado_has_a_bar_with_its_error_for_each_end(shop: Scenario) -> None:
    ax = tornado(sensitivity(shop, None, "rabbitmq", METRIC, 3), "rabbitmq")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["payment.work", "payment.workers", "mail.workers"]
    assert len(ax.patches) == 6
    assert len(ax.containers) == 6 + 6
    assert "hangs most on payment.work" in ax.get_title(loc="left").replace("\n", " ")
    assert ax.get_xlabel() == "completion latency, mean (RabbitMQ)"


def test_a_tornado_without_any_effect_shows_no_axis_below_0(shop: Scenario) -> None:
    ax = tornado(sensitivity(shop, ["services.mail.workers"], "rabbitmq", "orders.refused", 2), "rabbitmq")
    assert ax.get_xlim() == (0.0, 1.0)


def test_the_command_prints_and_saves(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "shop.yml"
    file.write_text(SHOP, encoding="utf-8")
    words = ["sensitivity", str(file), "--metric", METRIC, "--replications", "2"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert "payment.work" in capsys.readouterr().out
    assert {"sensitivity.json", "sensitivity-rabbitmq.png", "sensitivity-monolith.svg"} <= {
        one.name for one in tmp_path.iterdir()
    }
    assert main([*words, "--arch", "rabbitmq", "--knob", "services.payment.workers=1 .. 4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["architectures"]["rabbitmq"]["knobs"][0]
    assert (told["low"]["value"], told["now"], told["high"]["value"]) == ("1", "2", "4")
    assert told["low"]["difference"]["low"] <= told["low"]["difference"]["mean"]
