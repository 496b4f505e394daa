"""What happens at one instant in another order: conclusions and conservation must not hang on it."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from edasim.cli import main
from edasim.core.clock import Clock, Signal
from edasim.core.conservation import ConservationError
from edasim.core.link import CALL, Call
from edasim.core.world import World
from edasim.simulate import Limits, Run, simulate
from edasim.study.compare import compare
from edasim.study.ties import conclusion, shuffle_ties
from tests.worlds import ARCHITECTURES, MS, shop, takes, times_s

TOGETHER = "batches of 5 at constant 4/s"


def busy(**parts: Any) -> Any:
    """A shop where much happens at the same instants: batches, whole milliseconds, no wire."""
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": TOGETHER}}
    services = {
        "payment": {"handles": "OrderPlaced", "workers": 2, "work": "50ms", "fails": "10%", "publishes": "Paid"},
        "shipping": {"handles": "Paid", "workers": 1, "work": "10ms"},
    }
    retry = {"attempts": 3, "backoff": "fixed 50ms", "jitter": "none"}
    return shop(**{"producers": producers, "services": services, "retry": retry, **parts})


def facts(run: Run) -> bytes:
    return run.facts.times_ns.tobytes() + run.facts.packed.tobytes()


def in_any_order(names: str, due: int = 5, ties: int = 1) -> str:
    clock, log = Clock(Random(ties)), []
    for name in names:
        clock.at(due, lambda name=name: log.append(name))  # type: ignore[misc]
    clock.advance(10)
    return "".join(log)


def test_what_is_due_at_one_instant_happens_in_a_random_order_that_a_number_repeats() -> None:
    found = [in_any_order("abcdef", ties=ties) for ties in range(20)]
    assert {"".join(sorted(order)) for order in found} == {"abcdef"}
    assert len(set(found)) > 15
    assert {order[0] for order in found} > {"a", "b"}
    assert found == [in_any_order("abcdef", ties=ties) for ties in range(20)]


def test_time_still_moves_forward() -> None:
    clock, log = Clock(Random(1)), []
    for due in (7, 3, 5, 3, 7):
        clock.at(due, lambda: log.append(clock.now_ns))
    clock.advance(10)
    assert log == [3, 3, 5, 7, 7]


def test_a_connection_keeps_its_order_all_the_same() -> None:
    for ties in range(10):
        world, arrived = World(1, ties), []
        one, other = (world.link(end, "b", [takes(10)]) for end in "ac")
        for number in range(6):
            (one if number % 2 else other).send(Call(arrived.append, number), CALL)
        world.clock.advance(20 * MS)
        assert [number for number in arrived if number % 2] == [1, 3, 5]
        assert [number for number in arrived if not number % 2] == [0, 2, 4]


@pytest.mark.parametrize("latency_ms", [0, 10])
def test_what_waited_for_a_cut_to_end_still_goes_before_what_is_sent_then(latency_ms: int) -> None:
    for ties in range(10):
        world, arrived = World(1, ties), []
        link = world.link("a", "b", [takes(latency_ms)])
        link.cut()
        for number in range(3):
            link.send(Call(arrived.append, number), CALL)

        def mend(link: Any = link, arrived: list[int] = arrived) -> None:
            link.mend()
            link.send(Call(arrived.append, 3), CALL)

        world.clock.at(5 * MS, mend)
        world.clock.at(5 * MS, lambda link=link, arrived=arrived: link.send(Call(arrived.append, 4), CALL))  # type: ignore[misc]
        world.clock.advance(50 * MS)
        assert sorted(arrived) == [0, 1, 2, 3, 4]
        assert [number for number in arrived if number != 4] == [0, 1, 2, 3]


def test_signals_armed_in_order_do_not_overtake_each_other() -> None:
    for ties in range(10):
        clock, log = Clock(Random(ties)), []
        arm = clock.arm_in_order()
        for number in range(5):
            arm(Signal(), lambda _, log=log, number=number: log.append(number), 3)  # type: ignore[misc]
            clock.at(3, lambda log=log: log.append(-1))  # type: ignore[misc]
        clock.advance(5)
        assert [number for number in log if number >= 0] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_random_order_changes_facts_and_loses_nothing(architecture: str) -> None:
    plain = simulate(busy(), architecture, 7)
    first, again, other = (simulate(busy(), architecture, 7, shuffle_ties=ties) for ties in (1, 1, 2))
    assert facts(first) == facts(again)
    assert len({facts(run) for run in (plain, first, other)}) == 3
    for run in (first, other):
        assert run.checks > 10 and run.quiet
        assert run.summary().outcomes["placed"] == plain.summary().outcomes["placed"] == 40
        assert run.summary().outcomes["lost"] == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_ties_the_order_of_ties_changes_nothing(architecture: str) -> None:
    smooth = shop(wire="default", services={"payment": {"handles": "OrderPlaced", "work": "exponential 30ms"}})
    assert facts(simulate(smooth, architecture, 7)) == facts(simulate(smooth, architecture, 7, shuffle_ties=3))


def test_dated_changes_of_one_instant_are_made_in_the_order_of_the_file() -> None:
    changes = [{"at": "500ms", "path": "services.payment.work", "value": work} for work in ("1ms", "2ms", "3ms")]
    scenario = busy(changes=changes, services={"payment": {"handles": "OrderPlaced", "workers": 9, "work": "50ms"}})
    for ties in range(5):
        run = simulate(scenario, "rpc", 7, shuffle_ties=ties)
        began = np.array(times_s(run, "started"))
        assert (np.array(times_s(run, "handled")) - began)[began > 0.5].round(6).tolist() == [0.003] * 30


def test_ties_report_what_changes_and_whether_the_conclusions_do() -> None:
    sources = {name: {"publishes": "OrderPlaced", "arrivals": "constant 20/s"} for name in ("shop", "app")}
    scenario = busy(producers=sources, services={"payment": {"handles": "OrderPlaced", "work": "exponential 30ms"}})
    plain = compare(scenario, ["monolith", "kafka"], replications=2, seed=7)
    told: list[tuple[int, int]] = []
    ties = shuffle_ties(plain, 3, Limits(), lambda *so_far: told.append(so_far))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert ties.changed and all(one.low != one.before or one.high != one.before for one in ties.changed)
    assert ties.as_dict()["orders"] == 3
    assert set(ties.as_dict()["changed"]) == {"monolith", "kafka"}
    assert f"{len(ties.changed)} numbers change" in str(ties)


def test_a_conclusion_is_the_verdict_without_amounts() -> None:
    plain = compare(busy(), ["monolith", "kafka"], replications=2, seed=7)
    other = compare(busy(), ["monolith", "kafka"], replications=2, seed=8)
    assert plain.verdict() != other.verdict()
    assert not any(letter.isdigit() for letter in conclusion(plain))
    assert conclusion(plain) == conclusion(other)


def test_broken_conservation_says_in_which_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scenario: Any, architecture: str, seed: int, **keywords: Any) -> Run:
        if keywords.get("shuffle_ties") == 2:
            raise ConservationError("conservation is broken at 1 s: one vanished")
        return simulate(scenario, architecture, seed, **keywords)

    monkeypatch.setattr("edasim.study.ties.simulate", broken)
    with pytest.raises(ConservationError, match="with ties in random order 2, conservation is broken at 1 s"):
        shuffle_ties(compare(busy(), ["rpc"], 1), 3, Limits(), lambda *_: None)


def test_the_commands_exit_with_1_when_a_conclusion_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["payment-outage", "--set", "duration=6s", "--set", "warm-up=0s", "--set", "faults.outage.at=3s", "--arch",
             "monolith", "--replications", "1", "--shuffle-ties", "2"]
    assert main(["run", *words]) == 0
    assert "Ties: in 2 random orders" in capsys.readouterr().out
    verdicts = iter(["same", "other", "same", "other", "other", "same"])
    monkeypatch.setattr("edasim.study.ties.conclusion", lambda _: next(verdicts))
    assert main(["compare", *words]) == 1
    assert "CONCLUSIONS CHANGE" in capsys.readouterr().out
