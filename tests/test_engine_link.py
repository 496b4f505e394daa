"""Links: how long they take, what they keep in order, and what happens when they are slow, cut or lossy."""

from __future__ import annotations

from typing import Any

import pytest

from edasim.core.link import CALL, Call, Link, sum_of
from edasim.core.world import World
from edasim.scenario.wire import Wire
from edasim.services.network import Between, Impairment, Network
from tests.worlds import MS, takes


class Ends:
    """A link from a to b, and what arrived at b: (name, milliseconds)."""

    def __init__(self, latency: float | str = 10) -> None:
        self.world = World(seed=1)
        self.link: Link = self.world.link("a", "b", [takes(latency)])
        self.arrived: list[tuple[str, float]] = []
        self.lost: list[str] = []
        self.link.on_lost = lambda call: self.lost.append(call.value)

    def send(self, *names: str) -> None:
        for name in names:
            self.link.send(Call(self._arrive, name), CALL)

    def _arrive(self, name: Any) -> None:
        self.arrived.append((name, self.world.clock.now_ns / MS))

    def advance(self, by_ms: float) -> None:
        self.world.clock.advance(self.world.clock.now_ns + round(by_ms * MS))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.arrived]


def test_a_hop_takes_its_latency() -> None:
    ends = Ends(latency=10)
    ends.send("x")
    ends.advance(5)
    ends.send("y")
    ends.advance(100)
    assert ends.arrived == [("x", 10), ("y", 15)]


def test_a_hop_without_latency_is_a_direct_call() -> None:
    ends = Ends(latency=0)
    ends.send("x")
    assert ends.arrived == [("x", 0)]


def test_a_hop_of_several_steps_takes_their_sum() -> None:
    world = World(seed=1)
    link = world.link("a", "b", [takes(10), takes(2.5)])
    assert link.latency.draw() == 12.5 * MS
    assert sum_of([])(__import__("numpy").zeros((0, 3))).tolist() == [0, 0, 0]


def test_nothing_overtakes_on_a_link() -> None:
    ends = Ends(latency="exponential 10ms")
    names = [str(number) for number in range(200)]
    for name in names:
        ends.send(name)
        ends.advance(1)
    ends.advance(10_000)
    assert ends.names == names


def test_a_slow_link_takes_as_many_times_as_long_and_is_well_again_afterwards() -> None:
    ends = Ends(latency=10)
    ends.link.impair(slowness=4.0)
    ends.send("x")
    ends.advance(100)
    ends.link.impair(slowness=1.0)
    ends.send("y")
    ends.advance(100)
    assert ends.arrived == [("x", 40), ("y", 110)]


def test_a_cut_link_holds_what_is_sent_and_lets_it_go_in_its_order() -> None:
    ends = Ends(latency=10)
    ends.send("under way")
    ends.link.cut()
    ends.send("x", "y")
    ends.advance(100)
    assert (ends.names, ends.link.is_cut) == (["under way"], True)
    ends.link.mend()
    ends.send("z")
    ends.advance(100)
    assert ends.arrived == [("under way", 10), ("x", 110), ("y", 110), ("z", 110)]


def test_two_cuts_need_two_mends() -> None:
    ends = Ends()
    ends.link.cut()
    ends.link.cut()
    ends.send("x")
    ends.link.mend()
    ends.advance(100)
    assert ends.names == []
    ends.link.mend()
    ends.advance(100)
    assert ends.names == ["x"]


def test_nothing_overtakes_what_waited_for_a_mend_even_without_latency() -> None:
    ends = Ends(latency=0)
    ends.link.cut()
    first = Call(lambda name: (ends._arrive(name), ends.send("sent because of x")), "x")
    ends.link.send(first, CALL)
    ends.send("y")
    ends.link.mend()
    ends.advance(1)
    assert ends.names == ["x", "y", "sent because of x"]


def test_a_lossy_link_loses_its_share_and_tells_of_each() -> None:
    ends = Ends()
    ends.link.impair(loss=0.3)
    ends.send(*(str(number) for number in range(2000)))
    ends.advance(1000)
    assert len(ends.lost) + len(ends.arrived) == 2000
    assert len(ends.lost) == pytest.approx(600, abs=4 * (2000 * 0.3 * 0.7) ** 0.5)


def test_loss_changes_nothing_about_what_arrives() -> None:
    well, lossy = Ends("exponential 10ms"), Ends("exponential 10ms")
    lossy.link.impair(loss=0.5)
    for ends in (well, lossy):
        for number in range(50):
            ends.send(str(number))
            ends.advance(1000)
    survivors = dict(lossy.arrived)
    assert 0 < len(survivors) < 50
    assert survivors == {name: time for name, time in well.arrived if name in survivors}


def test_a_repeating_link_repeats_its_share() -> None:
    link = Ends().link
    assert not link.repeats()
    link.impair(duplicates=0.25)
    repeated = sum(link.repeats() for _ in range(2000))
    assert repeated == pytest.approx(500, abs=4 * (2000 * 0.25 * 0.75) ** 0.5)


def test_what_was_given_up_while_the_link_was_cut_is_not_sent() -> None:
    ends = Ends()
    ends.link.cut()
    ends.send("x")
    assert len(ends.link.forget_held()) == 1
    ends.link.mend()
    ends.advance(100)
    assert ends.names == []


# --- the network ---------------------------------------------------------------------------------------------


def network() -> tuple[Network, Link, Link]:
    """One link there and one back, of a wire without latency."""
    made = Network(World(seed=1), Wire.model_validate("none"))
    hops = ("consumer-to-broker",)
    return made, made.link("payment", "broker", hops, "payment-1"), made.link("broker", "payment", hops, "payment-1")


@pytest.mark.parametrize(("target", "there", "back"), [
    ("payment", True, True), ("broker", True, True), ("payment <-> broker", True, True),
    ("broker <-> payment", True, True), ("payment -> broker", True, False), ("broker -> payment", False, True),
    ("inventory", False, False), ("inventory -> broker", False, False),
])
def test_which_links_a_fault_hits_is_in_its_target(target: str, there: bool, back: bool) -> None:
    made, link_there, link_back = network()
    made.impair(Impairment(Between.named(target), cut=True))
    assert (link_there.is_cut, link_back.is_cut) == (there, back)


def test_faults_on_one_link_add_up_and_go_away_one_by_one() -> None:
    made, link, _ = network()
    slow, slower = (Impairment(Between("payment"), slowness=factor, loss=0.5) for factor in (2.0, 3.0))
    made.impair(slow)
    made.impair(slower)
    assert (link.slowness, link.loss) == (6.0, 0.75)
    made.repair(slow)
    assert (link.slowness, link.loss) == (3.0, 0.5)
    made.repair(slower)
    assert (link.slowness, link.loss) == (1.0, 0.0)


def test_a_link_that_is_made_during_a_fault_is_hit_as_well() -> None:
    made, _, _ = network()
    cut, lossy = Impairment(Between("payment"), cut=True), Impairment(Between("payment"), loss=0.5)
    made.impair(cut)
    made.impair(lossy)
    late = made.link("payment", "broker", ("consumer-to-broker",), "payment-2")
    assert late.is_cut and late.loss == 0.5
    made.repair(cut)
    made.repair(lossy)
    assert not late.is_cut and late.loss == 0.0
