"""Simulated time: what comes first at one instant, what is called off, and when time is said to stand still."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.core import clock as clock_module
from edasim.core.clock import SECOND, Clock, Signal, Timer, TimeStandsStill
from edasim.core.deadlines import Deadlines
from edasim.simulate import simulate
from tests.worlds import one_order


def test_at_one_instant_the_first_scheduled_runs_first() -> None:
    clock, log = Clock(), []
    for name in "abc":
        clock.at(5, lambda name=name: log.append(name))  # type: ignore[misc]
    clock.at(3, lambda: clock.at(5, lambda: log.append("later")))
    clock.advance(10)
    assert log == ["a", "b", "c", "later"]


def test_advance_includes_its_last_instant_and_leaves_the_clock_there() -> None:
    clock, log = Clock(), []
    for due in (9, 10, 11):
        clock.at(due, lambda due=due: log.append(due))  # type: ignore[misc]
    assert clock.advance(10) is False
    assert (log, clock.now_ns) == ([9, 10], 10)
    clock.advance(20)
    assert (log, clock.now_ns) == ([9, 10, 11], 20)


def test_an_action_of_the_past_runs_now() -> None:
    clock, log = Clock(), []
    clock.advance(100)
    clock.at(50, lambda: log.append(clock.now_ns))
    clock.advance(200)
    assert log == [100]


def test_simpy_processes_share_the_clock_in_whole_nanoseconds() -> None:
    clock, log = Clock(), []

    def process() -> Generator[Any, Any, None]:
        yield clock.timeout(SECOND)
        log.append(clock.now)
        clock.at(SECOND + 1, lambda: log.append(clock.now))

    clock.process(process())
    clock.advance(2 * SECOND)
    assert log == [SECOND, SECOND + 1]
    assert all(isinstance(time, int) for time in log)


def test_what_a_process_raises_is_raised() -> None:
    clock = Clock()

    def process() -> Generator[Any, Any, None]:
        yield clock.timeout(1)
        raise LookupError("out of paper")

    clock.process(process())
    with pytest.raises(LookupError, match="out of paper"):
        clock.advance(2)


def test_a_signal_is_armed_again_and_again() -> None:
    clock, log = Clock(), []

    def tick(signal: Signal) -> None:
        log.append(clock.now_ns)
        if len(log) < 3:
            clock.arm(signal, tick, 10)

    clock.arm(Signal(), tick, 10)
    clock.advance(100)
    assert log == [10, 20, 30]


def test_a_timer_that_was_called_off_comes_due_without_effect() -> None:
    clock, log = Clock(), []
    timer = Timer("owner")
    clock.arm_timer(timer, lambda _: log.append("old"), 10)
    fresh = timer.cancelled()
    clock.arm_timer(fresh, lambda timer: log.append(timer.owner), 5)
    clock.advance(20)
    assert log == ["owner"]
    assert fresh.cancelled() is fresh  # nothing to call off


def test_advance_stops_when_it_is_finished_or_halted() -> None:
    clock, log = Clock(), []
    for due in (1, 2, 3):
        clock.at(due, lambda due=due: log.append(due))  # type: ignore[misc]
    assert clock.advance(10, finished=lambda: len(log) == 2) is True
    assert clock.now_ns == 2
    clock.at(4, clock.halt)
    assert clock.advance(10) is True
    assert (log, clock.now_ns) == ([1, 2, 3], 4)


class Waits:
    """Things that wait until a deadline, and those whose deadline came: (item, time)."""

    def __init__(self) -> None:
        self.clock, self.open, self.expired = Clock(), OrderedDict(), []
        self.deadlines = Deadlines(self.clock, self.open, self._expire)

    def add(self, item: str, due: int) -> None:
        self.open[item] = due
        self.deadlines.watch(due)

    def _expire(self, item: str) -> None:
        del self.open[item]
        self.expired.append((item, self.clock.now_ns))


def test_deadlines_expire_what_is_still_open_in_the_order_of_their_times() -> None:
    waits = Waits()
    for item, due in (("a", 30), ("b", 10), ("c", 20), ("d", 20)):
        waits.add(item, due)
    waits.clock.at(15, lambda: waits.open.pop("c"))
    waits.clock.advance(100)
    assert (waits.expired, waits.open) == ([("b", 10), ("d", 20), ("a", 30)], {})


def test_a_deadline_that_is_added_after_all_others_have_passed_is_watched() -> None:
    waits = Waits()
    waits.add("a", 10)
    waits.clock.advance(50)
    waits.add("b", 60)
    waits.clock.advance(60)
    assert waits.expired == [("a", 10), ("b", 60)]


@given(dues=st.lists(st.integers(0, 50), min_size=1, max_size=20), ended=st.sets(st.integers(0, 19)))
def test_every_deadline_comes_on_time_and_none_of_what_ended_before(dues: list[int], ended: set[int]) -> None:
    waits = Waits()
    for number, due in enumerate(dues):
        waits.add(str(number), due + number)  # added one after another, as time goes on
        waits.clock.advance(number)
        if number in ended and str(number) in waits.open:
            del waits.open[str(number)]
    waits.clock.advance(1000)
    expected = {str(number): max(number - 1, 0) if due + number < number else due + number
                for number, due in enumerate(dues)}
    assert waits.open == {}
    assert all(time == expected[item] for item, time in waits.expired)
    assert {str(number) for number in range(len(dues))} - {item for item, _ in waits.expired} <= set(map(str, ended))


def test_a_million_events_at_one_instant_name_their_culprit() -> None:
    clock = Clock()

    def spinning(signal: Signal) -> None:
        clock.arm(signal, spinning, 0)

    clock.arm(Signal(), spinning, SECOND)
    with pytest.raises(TimeStandsStill, match=r"stands still at 1 s.*spinning"):
        clock.advance(2 * SECOND)


@pytest.mark.parametrize("architecture", ["monolith", "kafka"])
def test_a_retry_without_end_and_without_delay_stands_still_and_says_where(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "SAME_INSTANT_LIMIT", 2000)
    endless = {"attempts": 1_000_000, "backoff": "none"}
    scenario = one_order(work="0s", payment={"fails": "100%"}, retry=endless)
    with pytest.raises(TimeStandsStill, match="fewer attempts") as found:
        simulate(scenario, architecture)
    assert "_attempt_ends" in str(found.value) or "backoff" in str(found.value)


def test_a_producer_that_retries_without_delay_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "SAME_INSTANT_LIMIT", 2000)
    scenario = one_order(
        faults={"down": {"failing": "broker", "at": "0s"}},
        architectures={"kafka": {"producer": {"retry.backoff.ms": 0, "retry.backoff.max.ms": 0}}},
    )
    with pytest.raises(TimeStandsStill, match=r"[Pp]roducer|retry"):
        simulate(scenario, "kafka")
