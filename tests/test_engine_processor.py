"""Workers that share cores: who ends when, what happens in the middle of shared work, and no work is lost or made."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.core.clock import Clock
from edasim.services.processor import Processor
from edasim.services.worker import Worker
from tests.laws.theory import shared


class Cores:
    """A processor on a clock of its own; `ends` is when each worker was done, by its name."""

    def __init__(self, cores: float) -> None:
        self.clock = Clock()
        self.ends: dict[str, int] = {}
        self.workers: dict[str, Worker] = {}
        self.processor = Processor(self.clock, cores, self._ended)

    def _ended(self, timer: Any) -> None:
        self.ends[timer.owner.name] = self.clock.now_ns

    def add(self, name: str, work_ns: int, speed: float = 1.0) -> None:
        worker = self.workers.setdefault(name, Worker(self.clock, name))
        self.processor.add(worker, work_ns, speed)

    def remove(self, name: str) -> int:
        return self.processor.remove(self.workers[name])

    def at(self, time_ns: int, action: Any, *given: Any) -> None:
        self.clock.at(time_ns, lambda: action(*given))

    def run(self, until_ns: int = 10**15) -> dict[str, int]:
        self.clock.advance(until_ns)
        return self.ends


def test_who_is_alone_goes_at_full_speed() -> None:
    cores = Cores(1)
    cores.add("a", 100)
    assert cores.run() == {"a": 100}


def test_two_on_one_core_take_twice_as_long_and_the_second_goes_on_alone() -> None:
    cores = Cores(1)
    cores.add("a", 100)
    cores.add("b", 150)
    assert cores.run() == {"a": 200, "b": 250}


def test_with_a_core_for_each_nobody_waits_for_anybody() -> None:
    cores = Cores(2)
    cores.add("a", 100)
    cores.add("b", 150)
    cores.at(20, cores.add, "c", 10)
    # From 20 on three share two cores: c needs 15, and a and b lose 5 by it.
    assert cores.run() == {"c": 35, "a": 105, "b": 155}


def test_equal_shares_end_at_one_instant_in_the_order_in_which_they_came() -> None:
    cores = Cores(1)
    for name in "cab":
        cores.add(name, 10)
    cores.run()
    assert list(cores.ends.items()) == [("c", 30), ("a", 30), ("b", 30)]


def test_no_work_ends_at_once_and_takes_nothing_from_the_others() -> None:
    cores = Cores(1)
    cores.add("a", 10)
    cores.at(5, cores.add, "b", 0)
    assert cores.run() == {"b": 5, "a": 10}


def test_who_is_called_off_leaves_its_share_to_the_others() -> None:
    cores = Cores(1)
    cores.add("a", 100)
    cores.add("b", 100)
    left: list[int] = []
    cores.at(50, lambda: left.append(cores.remove("b")))
    assert cores.run() == {"a": 125}
    assert left == [75]


def test_who_is_called_off_at_the_instant_at_which_it_would_have_ended_has_nothing_left() -> None:
    cores = Cores(1)
    left: list[int] = []
    cores.at(100, lambda: left.append(cores.remove("a")))
    cores.add("a", 100)
    assert cores.run() == {}
    assert left == [0] and cores.processor.active == 0


def test_slow_work_needs_its_core_for_longer() -> None:
    cores = Cores(1)
    cores.add("a", 100, 0.25)
    cores.add("b", 100)
    assert cores.run() == {"b": 200, "a": 500}


def test_other_numbers_of_cores_hold_from_their_instant_on_the_last_of_several() -> None:
    cores = Cores(1)
    cores.add("a", 100)
    cores.add("b", 100)
    cores.at(100, cores.processor.use, 7)
    cores.at(100, cores.processor.use, math.inf)
    cores.at(110, cores.processor.use, 1)
    assert cores.run() == {"a": 190, "b": 190}


def test_a_change_at_the_instant_of_another_change_takes_no_time() -> None:
    cores = Cores(1)
    cores.add("a", 90)
    for name in "bc":
        cores.at(30, cores.add, name, 30)
    cores.at(30, lambda: cores.remove("b"))
    assert cores.run() == {"c": 90, "a": 120}


jobs = some.lists(some.tuples(some.integers(0, 400), some.integers(0, 300)), min_size=1, max_size=25)


@given(jobs, some.integers(1, 5))
def test_everybody_ends_within_a_nanosecond_of_the_exact_sharing(given_jobs: list[tuple[int, int]], count: int) -> None:
    cores = Cores(count)
    for number, (time_ns, work_ns) in enumerate(given_jobs):
        cores.at(time_ns, cores.add, str(number), work_ns)
    ends = cores.run()
    for number, exact in enumerate(shared(given_jobs, count)):
        assert 0 <= ends[str(number)] - exact + Fraction(1, 1000) <= 1 + Fraction(2, 1000)


@given(jobs, some.integers(1, 4), some.lists(some.tuples(some.integers(0, 700), some.integers(0, 24)), max_size=15))
def test_what_was_done_and_what_was_left_is_what_was_drawn(given_jobs: list[tuple[int, int]], count: int,
                                                          leaving: list[tuple[int, int]]) -> None:
    """While somebody is called off and comes back with the rest, the cores do exactly the work that was drawn."""
    cores = Cores(count)

    def leave_and_come_back(name: str) -> None:
        if name in cores.workers and cores.processor.holds(cores.workers[name]):
            cores.add(name, cores.remove(name))

    for number, (time_ns, work_ns) in enumerate(given_jobs):
        cores.at(time_ns, cores.add, str(number), work_ns)
    for time_ns, number in leaving:
        cores.at(time_ns, leave_and_come_back, str(number))
    ends = cores.run()
    for number, exact in enumerate(shared(given_jobs, count)):
        # Half a nanosecond is lost or won by each who comes back, and everybody's share of it by the others.
        assert abs(ends[str(number)] - exact) <= 1 + len(leaving)


def test_many_changes_do_not_add_up_to_a_drift() -> None:
    cores = Cores(3)
    cores.add("long", 10**9)
    for number in range(3000):
        for name in "abcd":
            cores.at(number * 1000, cores.add, f"{name}{number}", 7)
    ends = cores.run()
    # Each time five share three cores until four of them have 7 each, which takes 7 * 5 / 3: the long one gets 7 then.
    assert ends["long"] == 10**9 + math.ceil(3000 * (Fraction(35, 3) - 7))


@pytest.mark.parametrize("count", [1, 2])
def test_cancelled_shares_do_not_stay_for_ever(count: int) -> None:
    cores = Cores(count)
    for number in range(50):
        cores.at(number * 10, cores.add, str(number), 5)
        cores.at(number * 10 + 2, cores.remove, str(number))
    cores.run()
    assert not cores.processor._ends and not cores.ends
