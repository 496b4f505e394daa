"""Find my cliff, without a browser: what is asked, what is answered, and that it can be stopped."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("ipywidgets", reason="the lab needs the extra edasim[lab]")
pytest.importorskip("anywidget", reason="the lab needs the extra edasim[lab]")

import edasim.lab.cliff
from edasim.lab.aims import aims
from edasim.lab.cliff import BUDGET, OWN, Cliff
from edasim.lab.explorer import Explorer, explore
from edasim.lab.seen import see
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.find import find

SHOP = """
title: A queue for one worker or more
duration: 20s
drain: 15s
producers: {checkout: {publishes: OrderPlaced, arrivals: poisson 14/s}}
services: {payment: {handles: OrderPlaced, workers: 3, work: 100ms}}
client: {timeout: none}
faults: {outage: {unavailable: payment, at: 3.3s, for: 2s}}
wire: none
architectures: {monolith: {threads: 20}, rpc: {}}
knobs: {services.payment.workers: 1 .. 5, faults.outage.for: 500ms .. 6s, client.timeout: 1s .. 30s}
"""
WORKERS, LENGTH = "services.payment.workers", "faults.outage.for"


@pytest.fixture
def shop() -> Scenario:
    """One worker would be busy all the time and never come back."""
    return load(SHOP)


@pytest.fixture
def explorer(shop: Scenario) -> Explorer:
    """Its exploration over RPC, with the search open."""
    opened = explore(shop, architectures=["rpc"], seed=7)
    opened.buttons["Find my cliff"].click()
    return opened


def searched(explorer: Explorer, knob: str, target: str) -> Cliff:
    """Ask, and wait for the answer."""
    cliff = explorer.cliff
    cliff.knob.value, cliff.target.value = knob, target
    cliff.search.click()
    return cliff


def test_it_asks_whether_it_recovers_on_the_slider_that_was_moved_last(explorer: Explorer) -> None:
    cliff = explorer.cliff
    assert (cliff.layout.display, cliff.target.value, cliff.knob.value) == ("", "recovers", WORKERS)
    explorer.set(LENGTH, explorer.dials[LENGTH].texts[5])
    assert cliff.knob.value == LENGTH
    cliff.knob.value = "client.timeout"
    explorer.set(LENGTH, explorer.dials[LENGTH].texts[6])
    assert cliff.knob.value == "client.timeout", "the reader's own choice stays"
    explorer.buttons["Find my cliff"].click()
    assert cliff.layout.display == "none"


def test_the_answer_is_that_of_find_and_the_slider_goes_to_either_side(explorer: Explorer) -> None:
    cliff = searched(explorer, WORKERS, "recovers")
    assert cliff.found is not None and cliff.found.sure
    alone = find(explorer.base, WORKERS, "recovers", "rpc", 7, BUDGET, within="1")
    assert cliff.found.as_dict() == alone.as_dict()
    assert "payment.workers = 2 is the smallest value at which" in cliff.told.value
    assert f"10 to {BUDGET} at each value" in cliff.told.value
    row, chart = cliff.place.children
    assert bytes(chart.value[:4]) == b"\x89PNG"
    assert [button.description for button in row.children] == [
        "Go to 2, where it holds", "Go to 1, where it fails"]
    cliff.moves[1].click()
    assert explorer.scenario.services["payment"].workers == 1
    cliff.moves[0].click()
    assert (explorer.sliders[WORKERS].value, explorer.scenario.services["payment"].workers) == ("2", 2)
    assert cliff.note.value == ""
    explorer.set(LENGTH, explorer.dials[LENGTH].texts[-1])
    assert "Other sliders have moved" in cliff.note.value


def test_the_slider_goes_to_a_step_on_the_side_that_was_asked_for(explorer: Explorer) -> None:
    cliff = searched(explorer, LENGTH, "backlog_max < 50")
    assert cliff.found is not None
    holds, fails = cliff.found.searches["rpc"].bracket
    dial = explorer.dials[LENGTH]
    assert holds < fails
    assert any(bound not in dial.numbers for bound in (holds, fails)), "a step of the search between two of the slider"
    cliff.moves[0].click()
    assert explorer.scenario.faults["outage"].for_.constant_ns <= holds
    cliff.moves[1].click()
    assert explorer.scenario.faults["outage"].for_.constant_ns >= fails


def test_it_searches_at_the_values_that_the_other_sliders_have(explorer: Explorer) -> None:
    explorer.set(WORKERS, "1")
    cliff = searched(explorer, LENGTH, "recovers")
    assert cliff.found is not None
    assert cliff.found.scenario.services["payment"].workers == 1
    assert cliff.found.searches["rpc"].outcome == "holds nowhere"
    assert "holds at neither end of outage.for = 500ms .. 6s" in cliff.told.value
    assert "move another one" in cliff.told.value
    assert cliff.moves == []


def test_each_shown_architecture_has_its_own_answer(shop: Scenario) -> None:
    both = explore(shop, [WORKERS], seed=7)
    both.cliff.toggle()
    assert [label for label, _ in both.cliff.where.options] == ["monolith", "RPC", "all shown"]
    both.cliff.where.value = "all shown"
    cliff = searched(both, WORKERS, "recovers")
    assert cliff.found is not None and list(cliff.found.searches) == ["monolith", "rpc"]
    assert len(cliff.moves) == 2 * sum(search.bracket is not None for search in cliff.found.searches.values()) > 0
    assert any("RPC: 2, where it holds" in button.description for button in cliff.moves)
    both.toggles["monolith"].value = False
    assert cliff.where.value == "rpc"


def test_without_a_fault_it_says_what_recovering_means(shop: Scenario) -> None:
    calm = explore(shop.change({"faults": None, "knobs": {WORKERS: "2 .. 5"}}), architectures=["rpc"])
    cliff = searched(calm, WORKERS, "recovers")
    assert "holds at both ends" in cliff.told.value
    assert "Nothing breaks here at a known time" in cliff.told.value


REFUSED = {
    "": "is no target: write it as completion_latency_s.p99",
    "orders.refused &lt 1": "is no target",
    "orders.refused < 1%": "is a number of orders, not a share of them",
    "orders.refusd < 1": "did you mean",
    "<script>alert(1)</script> < 1": "is no number of a run",
}


def test_what_cannot_be_asked_is_a_sentence(explorer: Explorer) -> None:
    for target, sentence in REFUSED.items():
        cliff = searched(explorer, WORKERS, target)
        assert sentence in cliff.told.value
        assert "<script" not in cliff.told.value
        assert cliff.found is None and not cliff.search.disabled


def test_nothing_to_search_is_a_sentence(explorer: Explorer, shop: Scenario) -> None:
    explorer.toggles["rpc"].value = False
    assert "switch one on" in searched(explorer, WORKERS, "recovers").told.value
    bare = explore(shop.change({"knobs": None}), architectures=["rpc"])
    bare.cliff.toggle()
    bare.cliff.search.click()
    assert "There is no slider to search on" in bare.cliff.told.value


def test_an_undecided_answer_says_what_would_decide(explorer: Explorer) -> None:
    """The bound is the mean of the runs themselves at one end: no number of them excludes it."""
    at_end = find(explorer.base, WORKERS, "orders.placed < 1", "rpc", 7, BUDGET).searches["rpc"].in_order[0]
    cliff = searched(explorer, WORKERS, f"orders.placed < {at_end.interval.mean}")
    assert "undecided" in cliff.told.value
    assert "edasim.find(..., budget=80)" in cliff.told.value


def test_presets_fill_in_the_target_and_other_words_are_ones_own(explorer: Explorer) -> None:
    cliff = explorer.cliff
    cliff.aim.value = "completion_latency_s.p99 < 2s"
    assert cliff.target.value == "completion_latency_s.p99 < 2s"
    cliff.target.value = "orders.done > 5"
    assert cliff.aim.value == OWN
    cliff.target.value = "recovers"
    assert cliff.aim.value == "recovers"


@pytest.mark.parametrize("name", ["payment-outage", "flaky-network"])
def test_every_preset_is_a_target(name: str) -> None:
    shop = load(f"scenarios/{name}.yml").change({"duration": "4s", "warm-up": "0s", "faults": None, "knobs": None})
    offered = aims(shop, [see(simulate(shop, "kafka", seed=7))])
    assert offered[0] == ("it recovers", "recovers")
    assert len({target for _, target in offered}) == len(offered) >= 4
    for _, target in offered:
        edasim.study.target.read_target(target, shop)


def test_a_search_can_be_watched_and_stopped(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an event loop turns, it is done on a thread: the stop button works while runs go on."""
    cliff, threads, inner = explorer.cliff, [], edasim.lab.cliff.find

    def watched(*given: object, **options: object) -> object:
        threads.append(threading.current_thread())
        return inner(*given, **options)

    monkeypatch.setattr(edasim.lab.cliff, "find", watched)
    cliff.knob.value = LENGTH

    async def ask_and_stop() -> None:
        cliff.search.click()
        assert cliff.search.disabled and cliff.stop.layout.display == ""
        while "0 runs" in cliff.count.value[:6]:
            await asyncio.sleep(0.01)
        assert cliff.progress.layout.display == "" and 0 < cliff.bar.value < cliff.bar.max
        cliff.stop.click()
        while cliff.search.disabled:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(ask_and_stop(), 60))
    assert threads and threads[0] is not threading.main_thread()
    assert cliff.found is not None and not cliff.found.complete
    assert "stopped" in cliff.told.value
    assert cliff.stop.layout.display == cliff.progress.layout.display == "none"
