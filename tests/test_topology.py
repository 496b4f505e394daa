"""Who talks to whom: read from the scenario, and readable with 3 and with 15 services."""

from itertools import combinations

import networkx as nx
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from edasim.pictures.topology import _half_height, _places, figure_size, topology, topology_figure
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from tests.study_worlds import small_shop

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
    graph = topology(small_shop(), "monolith")
    assert graph.nodes["process"]["text"] == "one process, 5 threads\n1. inventory\n2. payment"
    assert set(graph.edges) == {("producer checkout", "process"), ("process", "database")}


def test_the_gateway_calls_services_in_their_order() -> None:
    graph = topology(small_shop(), "rpc")
    assert names(graph, "service") == ["1. inventory", "2. payment"]
    assert all(data["both_ways"] for _, _, data in graph.edges(data=True))
    parallel = topology(small_shop().change({"architectures.rpc.calls": "parallel"}), "rpc")
    assert names(parallel, "service") == ["1. inventory", "1. payment"]


def test_each_event_has_a_topic_and_each_service_a_group() -> None:
    chained = small_shop().change({
        "services.payment.publishes": "PaymentCaptured",
        "services.shipping": {"handles": ["PaymentCaptured", "OrderPlaced"], "work": "5ms", "workers": 1},
    })  # fmt: skip
    graph = topology(chained, "kafka")
    assert set(graph.edges) == {
        ("producer checkout", "topic OrderPlaced"),
        ("publisher payment", "topic PaymentCaptured"),
        ("topic OrderPlaced", "service inventory"),
        ("topic OrderPlaced", "service payment"),
        ("topic OrderPlaced", "service shipping"),
        ("topic PaymentCaptured", "service shipping"),
    }
    assert graph.nodes["topic OrderPlaced"]["text"] == "OrderPlaced\ntopic, 6 partitions"
    assert graph.nodes["service shipping"]["text"] == "shipping\ngroup, 1 member"


def test_each_service_has_a_queue_behind_the_exchange() -> None:
    graph = topology(small_shop(), "rabbitmq")
    assert nx.has_path(graph, "producer checkout", "service payment")
    assert list(graph.predecessors("service payment")) == ["queue payment"]
    assert list(graph.predecessors("queue payment")) == ["exchange"]


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("size", [3, 15])
def test_boxes_do_not_overlap_and_hold_their_text(architecture: str, size: int) -> None:
    scenario = small_shop() if size == 3 else large_shop()
    graph = topology(scenario, architecture)
    places = _places(graph)
    for one, other in combinations(graph, 2):
        (x, y), (to_x, to_y) = places[one], places[other]
        if x == to_x:
            assert abs(y - to_y) > _half_height(graph.nodes[one]) + _half_height(graph.nodes[other])
    figure = topology_figure(scenario, architecture)
    FigureCanvasAgg(figure).draw()
    ax = figure.axes[0]
    boxes = [patch.get_window_extent() for patch in ax.patches if hasattr(patch, "get_boxstyle")]
    for text in ax.texts:
        inside = text.get_window_extent()
        assert any(box.x0 - 4 <= inside.x0 and inside.x1 <= box.x1 + 4 for box in boxes if box.y0 < inside.y0 < box.y1)


@pytest.mark.parametrize("architecture", ALL)
def test_a_picture_of_15_services_can_still_be_read_at_1200_pixels(architecture: str) -> None:
    width, _ = figure_size(topology(large_shop(), architecture))
    assert 9.0 * 8.0 / width > 7.0  # the smallest letters, in points of a page of 8 inches


def test_a_scenario_file_is_enough() -> None:
    text = "duration: 1s\nproducers: {a: {publishes: B, arrivals: 1/s}}\nservices: {c: {handles: B, work: 1ms}}\n"
    assert names(topology(load(text), "kafka"), "service") == ["c"]
