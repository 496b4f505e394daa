"""Random scenarios of every architecture, each named by one integer: `make fuzz SEED=123` shows and runs it."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from edasim.core.journal import Facts, Verb
from edasim.scenario.errors import ScenarioError
from edasim.scenario.estimating import estimate
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.compare import compare
from edasim.study.theory.beside import predictions, wait_words
from edasim.study.theory.overload import warnings
from tests import invariants
from tests.strategies import Data, Rolled, scenario, scenarios
from tests.worlds import shop
from tools.fuzz import MOST_EVENTS, Figures, attempt, smaller, written

SCENARIOS, BATCH = 200, 10
NOT_A_NUMBER = re.compile(r"(?<![\w-])(nan|inf)(?![\w-])", re.IGNORECASE)
FIRST = int(os.environ.get("EDASIM_FUZZ_SEED", "1"))


@pytest.mark.parametrize("first", range(FIRST, FIRST + SCENARIOS, BATCH))
def test_no_invariant_is_broken(first: int) -> None:
    figures = Figures()
    for seed in range(first, first + BATCH):
        problem = attempt(seed, figures)
        assert not problem, f"make fuzz SEED={seed}: {problem}"
    assert figures.run >= BATCH // 2 and figures.facts > 100


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_nor_by_scenarios_that_can_be_shrunk(data: Data) -> None:
    try:
        made = Scenario.from_dict(data)
    except ScenarioError:
        return
    if estimate(made).events < MOST_EVENTS:
        invariants.examine(made, made.architectures.listed[0], 1)


def theory_words(made: Scenario, architecture: str) -> str:
    """All that theory says of a scenario before it runs, its JSON included."""
    told = warnings(made, [architecture])
    for prediction, reasons in predictions(made, architecture).values():
        assert not prediction.wait_s < 0 and 0 <= prediction.refused <= 1
        assert math.isnan(prediction.utilisation) or 0 <= prediction.utilisation <= 1
        told += [wait_words(prediction), prediction.name, *(reason.text for reason in reasons)]
    return " | ".join(told)


@pytest.mark.filterwarnings("error")
def test_theory_has_words_for_each() -> None:
    said = 0
    for seed in range(FIRST, FIRST + SCENARIOS):
        data, architecture = written(seed)
        try:
            made = Scenario.from_dict(data)
        except ScenarioError:
            continue
        told = theory_words(made, architecture)
        assert not NOT_A_NUMBER.search(told), f"make fuzz SEED={seed}: {told}"
        assert "does not know" not in told, f"make fuzz SEED={seed}: {told}"
        said += 1
    assert said > 0.9 * SCENARIOS


def test_theory_stands_beside_the_run_of_each() -> None:
    compared = 0
    for seed in range(FIRST, FIRST + 25):
        data, architecture = written(seed)
        try:
            made = Scenario.from_dict(data)
        except ScenarioError:
            continue
        if estimate(made).events > MOST_EVENTS / 4:
            continue
        theory = compare(made, [architecture], 1, seed).theory()
        printed = f"{theory} {theory.comparison.table()}"
        assert not NOT_A_NUMBER.search(printed), f"make fuzz SEED={seed}: {printed}"
        json.dumps(theory.as_dict(), allow_nan=False)
        compared += 1
    assert compared > 10


def test_the_writer_writes_valid_scenarios_with_every_feature() -> None:
    """Of 300, few are refused, and every key of a file is written somewhere."""
    figures, seen = Figures(), set()
    for seed in range(300):
        data = scenario(Rolled(seed))
        try:
            Scenario.from_dict(data)
        except ScenarioError:
            figures.refused += 1
        seen |= keys_of(data)
    assert figures.refused <= 10
    written_nowhere = {path for path in every_key() if path not in seen}
    assert written_nowhere == {"description", "knobs"}


def keys_of(data: Data) -> set[str]:
    """The keys of a scenario as paths, names of services, producers and faults left out."""
    found = set(data)
    for parts in ("producers", "services", "faults"):
        found |= {f"{parts}.{key}" for part in data.get(parts, {}).values() for key in part}
    for service in data["services"].values():
        for part in ("breaker", "store", "retry"):
            found |= {f"{part}.{key}" for key in service.get(part, {})}
    budgets = (data.get(part, {}).get("budget", {}) for part in ("client", "retry"))
    found |= {f"budget.{key}" for budget in budgets for key in budget}
    for part in ("client", "retry", "wire"):
        found |= {f"{part}.{key}" for key in data.get(part, {}) if isinstance(data.get(part), dict)}
    for name, options in data["architectures"].items():
        found |= {f"architectures.{name}.{key}" for key in options}
    return found


def every_key() -> set[str]:
    """The same of everything that a file may say."""
    from edasim.scenario.architecture_options import (
        Architectures,
        KafkaOptions,
        MonolithOptions,
        RabbitOptions,
        RpcOptions,
    )
    from edasim.scenario.breaker import Breaker
    from edasim.scenario.fault import Fault
    from edasim.scenario.fields import yaml_name
    from edasim.scenario.retry_policy import Budget, Client, Retry
    from edasim.scenario.store import Store
    from edasim.scenario.value import Producer, Service
    from edasim.scenario.wire import Wire

    rooms = {"": Scenario, "producers.": Producer, "services.": Service, "faults.": Fault, "client.": Client,
             "retry.": Retry, "wire.": Wire, "breaker.": Breaker, "store.": Store, "budget.": Budget,
             "architectures.monolith.": MonolithOptions,
             "architectures.rpc.": RpcOptions, "architectures.kafka.": KafkaOptions,
             "architectures.rabbitmq.": RabbitOptions}  # fmt: skip
    assert set(Architectures.model_fields) == {"monolith", "rpc", "kafka", "rabbitmq"}
    return {f"{room}{yaml_name(field)}" for room, part in rooms.items() for field in part.model_fields}


def test_one_integer_names_one_scenario() -> None:
    assert written(123) == written(123)
    assert written(123) != written(124)


def test_dice_are_the_same_in_every_release() -> None:
    dice = Rolled(7)
    assert [dice.whole(0, 9) for _ in range(12)] == [7, 5, 3, 9, 0, 2, 1, 0, 9, 9, 8, 7]


def test_a_broken_invariant_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_time(run: object) -> None:
        scenario = run.scenario  # type: ignore[attr-defined]
        if "payment" in scenario.services:
            raise AssertionError("time: payment is there")

    monkeypatch.setattr(invariants, "check_time", check_time)
    seed = next(seed for seed in range(50) if "payment" in written(seed)[0]["services"])
    data, architecture = written(seed)
    assert attempt(seed, Figures()) == "AssertionError: time: payment is there"
    left = smaller(data, architecture, seed)
    assert "payment" in left["services"]
    assert not {"faults", "wire", "client", "retry", "changes"} & set(left)


def repeated(run: Run, verb: Verb, times: int = 1) -> None:
    """Let some facts be in the journal again."""
    again = np.repeat(np.flatnonzero(run.facts.verbs == verb)[:3], times)
    rows = np.sort(np.concatenate([np.arange(len(run.facts)), again]), kind="stable")
    run._facts, run._summary = Facts(run.facts.times_ns[rows], run.facts.packed[rows]), None


def backwards(run: Run) -> None:
    """Let time run backwards."""
    run._facts = Facts(run.facts.times_ns[::-1], run.facts.packed)


BREAKS: dict[str, Callable[[Run], object]] = {
    "outcomes": lambda run: run.summary().outcomes.update(done=7),
    "answers": lambda run: repeated(run, Verb.accepted),
    "attempts": lambda run: repeated(run, Verb.started, 9),
    "effects": lambda run: repeated(run, Verb.applied),
    "losses": lambda run: run.summary().outcomes.update(lost=1),
    "time": backwards,
    "numbers": lambda run: run.summary().outcomes.update(parked=-1),
}


@pytest.mark.parametrize("name", invariants.CHECKS)
def test_every_invariant_can_be_broken(name: str) -> None:
    check = getattr(invariants, f"check_{name}")
    run = simulate(shop(), "kafka", 7)
    check(run)
    BREAKS[name](run)
    with pytest.raises(AssertionError, match=f"^{name}: "):
        check(run)
