"""Who talks to whom: read from the scenario, and readable with 3 and with 15 services, with a run and without."""

from functools import cache
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from edasim.pictures import topology
from edasim.pictures.topology import Plan, topology_figure
from edasim.pictures.traffic import measured
from edasim.pictures.wiring import wiring
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from tests.study_worlds import small_shop

SCENARIOS = sorted((Path(__file__).resolve().parent.parent / "scenarios").glob("*.yml"))
ALL = ("monolith", "rpc", "kafka", "rabbitmq")


def large_shop() -> Scenario:
    """Fifteen services in a row of three levels."""
    services = {
        f"service-{number:02}": {
            "handles": "OrderPlaced" if number <= 5 else f"Event{(number - 6) % 5 + 1}",
            "work": "5ms",
            **({"publishes": f"Event{number}"} if number <= 5 else {}),
        }
        for number in range(1, 16)
    }
    producers = {"checkout": {"publishes": "OrderPlaced", "arrivals": "10/s"}}
    return Scenario.from_dict({"duration": "5s", "producers": producers, "services": services})


def names(graph: nx.DiGraph, kind: str) -> list[str]:
    """The first lines of all nodes of a kind."""
    return [data["text"].split("\n")[0] for _, data in graph.nodes(data=True) if data["kind"] == kind]


def test_the_monolith_is_one_process_with_a_database() -> None:
    graph = wiring(small_shop(), "monolith")
    assert graph.nodes["process"]["text"] == "one process, 5 threads\n1. inventory\n2. payment"
    assert set(graph.edges) == {("producer checkout", "process"), ("process", "database")}


def test_the_gateway_calls_services_in_their_order() -> None:
    graph = wiring(small_shop(), "rpc")
    assert names(graph, "service") == ["1. inventory", "2. payment"]
    assert all(data["both_ways"] for _, _, data in graph.edges(data=True))
    parallel = wiring(small_shop().change({"architectures.rpc.calls": "parallel"}), "rpc")
    assert names(parallel, "service") == ["1. inventory", "1. payment"]


def test_each_event_has_a_topic_and_each_service_a_group() -> None:
    chained = small_shop().change({
        "services.payment.publishes": "PaymentCaptured",
        "services.shipping": {"handles": ["PaymentCaptured", "OrderPlaced"], "work": "5ms", "workers": 1},
    })  # fmt: skip
    graph = wiring(chained, "kafka")
    assert set(graph.edges) == {
        ("producer checkout", "topic OrderPlaced"),
        ("publisher payment", "topic PaymentCaptured"),
        ("topic OrderPlaced", "service inventory"),
        ("topic OrderPlaced", "service payment"),
        ("topic OrderPlaced", "service shipping"),
        ("topic PaymentCaptured", "service shipping"),
        *((f"service {name}", f"dead {name}") for name in ("inventory", "payment", "shipping")),
    }
    assert graph.nodes["topic OrderPlaced"]["text"] == "OrderPlaced\ntopic, 6 partitions"
    assert graph.nodes["service shipping"]["text"] == "shipping\ngroup, 1 member"


def test_each_service_has_a_queue_behind_the_exchange() -> None:
    graph = wiring(small_shop(), "rabbitmq")
    assert nx.has_path(graph, "producer checkout", "service payment")
    assert list(graph.predecessors("service payment")) == ["queue payment"]
    assert list(graph.predecessors("queue payment")) == ["exchange"]


# --- with a run -----------------------------------------------------------------------------------------------


@cache
def run_of(architecture: str) -> Run:
    """The small shop, whose payment is unavailable from 3.1 s to 5.1 s."""
    return simulate(small_shop(), architecture, 7)


def drawn(architecture: str, at_s: float | None = None) -> nx.DiGraph:
    """The graph with what the run did."""
    graph = wiring(small_shop(), architecture)
    measured(graph, run_of(architecture), at_s)
    return graph


def test_an_edge_counts_what_went_that_way() -> None:
    orders = len(run_of("kafka").summary().orders)
    kafka, rabbit = drawn("kafka").edges, drawn("rabbitmq").edges
    assert kafka["producer checkout", "topic OrderPlaced"]["messages"] == orders
    assert kafka["topic OrderPlaced", "service payment"]["messages"] == orders
    assert rabbit["exchange", "queue payment"]["messages"] == rabbit["queue payment", "service payment"]["messages"]
    parked = run_of("rabbitmq").summary().orders.parked.sum()
    assert rabbit["service payment", "dead payment"]["messages"] == parked > 0
    committed = run_of("monolith").summary().orders
    assert drawn("monolith").edges["process", "database"]["messages"] == np.isfinite(committed.done_s).sum()


def test_until_a_time_only_what_went_before_it_counts() -> None:
    placed = run_of("kafka").summary().orders.placed_s
    edges = drawn("kafka", at_s=4.0).edges
    assert edges["producer checkout", "topic OrderPlaced"]["messages"] == pytest.approx((placed <= 4.0).sum(), abs=2)


def test_partitions_share_the_records_of_their_topic() -> None:
    graph = drawn("kafka")
    cells = graph.nodes["topic OrderPlaced"]["cells"]
    assert len(cells) == 6 and sum(cells) == graph.edges["producer checkout", "topic OrderPlaced"]["messages"]


@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
def test_a_box_says_what_waited_there(architecture: str) -> None:
    node = "queue payment" if architecture == "rabbitmq" else "service payment"
    backlog = run_of(architecture).summary().backlog("payment")
    assert drawn(architecture).nodes[node]["backlog"] == backlog.max(0.0, 1e3) > 30
    assert drawn(architecture, at_s=4.0).nodes[node]["backlog"] == backlog.at(np.array([4.0]))[0]


def test_at_the_gateway_waits_what_is_not_let_in() -> None:
    graph = drawn("rpc")
    waiting = graph.nodes["gateway"]["backlog"], graph.nodes["service payment"]["backlog"]
    assert waiting == (0, pytest.approx(60, abs=40))


def test_a_fault_is_seen_where_it_holds_and_when() -> None:
    word = small_shop().faults["outage"].words.removeprefix("payment ")
    assert drawn("kafka").nodes["service payment"]["faults"] == [word]
    assert "faults" not in drawn("kafka").nodes["service inventory"]
    assert "faults" not in drawn("kafka", at_s=6.0).nodes["service payment"]
    assert drawn("monolith", at_s=4.0).nodes["process"]["struck"] == [2]


def test_a_link_that_is_cut_is_seen_on_its_edges() -> None:
    cut = {"cut": "payment <-> broker", "at": "2s", "for": "1s"}
    scenario = Scenario.from_dict({
        "duration": "4s", "faults": {"cable": cut}, "services": {"payment": {"handles": "OrderPlaced", "work": "1ms"}},
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "20/s"}},
    })  # fmt: skip
    graph = wiring(scenario, "rabbitmq")
    measured(graph, simulate(scenario, "rabbitmq", 1))
    broken = [edge for edge in graph.edges if "faults" in graph.edges[edge]]
    assert broken == [("queue payment", "service payment")]


def test_two_producers_of_one_event_are_not_told_apart() -> None:
    producers = {name: {"publishes": "OrderPlaced", "arrivals": "20/s"} for name in ("shop", "app")}
    scenario = Scenario.from_dict({"duration": "2s", "producers": producers,
                                   "services": {"payment": {"handles": "OrderPlaced", "work": "1ms"}}})  # fmt: skip
    graph = wiring(scenario, "kafka")
    measured(graph, simulate(scenario, "kafka", 1))
    assert graph.edges["producer shop", "topic OrderPlaced"]["messages"] is None


def test_a_time_or_a_run_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a time needs a run"):
        topology_figure(small_shop(), "kafka", at_s=3.0)
    with pytest.raises(ValueError, match="the run is one of kafka, not of rabbitmq"):
        topology_figure(small_shop(), "rabbitmq", run_of("kafka"))


# --- the picture ----------------------------------------------------------------------------------------------


def hold(scenario: Scenario, architecture: str, run: Run | None) -> None:
    """Boxes apart, words in boxes or free of them, letters of 8 points at least on 1200 pixels."""
    figure = topology_figure(scenario, architecture, run)
    boxes = Plan(wiring(scenario, architecture)).boxes
    for (left, top, wide, high), (x, y, its_wide, its_high) in combinations(boxes.values(), 2):
        assert left + wide <= x or x + its_wide <= left or top + high <= y or y + its_high <= top
    FigureCanvasAgg(figure).draw()
    assert figure.get_size_inches()[0] * figure.dpi == pytest.approx(1200)
    texts = figure.axes[0].texts
    assert min(text.get_fontsize() for text in texts) >= 8
    extents = [text.get_window_extent() for text in texts]
    for one, other in combinations(extents, 2):
        assert min(one.x1, other.x1) - max(one.x0, other.x0) < 3 or min(one.y1, other.y1) - max(one.y0, other.y0) < 3
    drawn_boxes = [patch.get_window_extent() for patch in figure.axes[0].patches if hasattr(patch, "get_boxstyle")]
    for text in extents:
        across = [box for box in drawn_boxes if text.x0 < box.x1 and box.x0 < text.x1
                  and text.y0 + 3 < box.y1 and box.y0 < text.y1 - 3]  # fmt: skip
        assert all(box.x0 - 1 <= text.x0 and text.x1 <= box.x1 + 1 for box in across)
        assert figure.bbox.x0 <= text.x0 and text.x1 <= figure.bbox.x1


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("ran", [False, True])
@pytest.mark.parametrize("scenario", [small_shop(), large_shop()], ids=["two services", "fifteen services"])
def test_everything_can_be_read_at_1200_pixels(architecture: str, ran: bool, scenario: Scenario) -> None:
    hold(scenario, architecture, simulate(scenario, architecture, 1) if ran else None)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_shipped_scenarios_can_be_read(file: Path) -> None:
    scenario = load(file).change({"duration": "10s"})
    for architecture in ALL:
        hold(scenario, architecture, simulate(scenario, architecture, 1))
        hold(scenario.change({"retry.where": "aside"}), architecture, None)


def test_numbers_that_would_touch_move_to_the_other_end() -> None:
    producers = {name: {"publishes": f"{name}Event", "arrivals": "400/s"} for name in "ABC"}
    service = {"handles": [f"{name}Event" for name in "ABC"], "work": "1ms", "workers": 4}
    services = dict.fromkeys(("one", "two", "three", "four"), service)
    scenario = Scenario.from_dict({"duration": "5s", "producers": producers, "services": services})
    hold(scenario, "kafka", simulate(scenario, "kafka", 1))


def test_it_can_be_drawn_on_given_axes() -> None:
    ax = Figure(figsize=(8, 4)).add_subplot()
    assert topology(small_shop(), "kafka", run_of("kafka"), ax=ax) is ax


def test_without_axes_a_new_figure_is_large_enough() -> None:
    figure = topology(large_shop(), "rabbitmq").get_figure()
    assert figure is not None and figure.get_size_inches()[1] > 6
    plt.close(figure)


def test_a_scenario_file_is_enough() -> None:
    text = "duration: 1s\nproducers: {a: {publishes: B, arrivals: 1/s}}\nservices: {c: {handles: B, work: 1ms}}\n"
    assert names(wiring(load(text), "kafka"), "service") == ["c"]


def test_a_redrive_is_an_arrow_back() -> None:
    shop = small_shop().change({"services.payment.redrive": {"at": "6s", "rate": "20/s"}})
    for architecture in ("kafka", "rabbitmq"):
        graph = wiring(shop, architecture)
        ends = [graph.edges[edge]["both_ways"] for edge in graph.edges if edge[1].startswith("dead ")]
        assert ends == [False, True]
        assert "redriven at 20/s" in graph.nodes["dead payment"]["text"]
        hold(shop, architecture, simulate(shop, architecture, 1))
