"""The pictures of journeys: in every architecture, with many services, and no words over others."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from edasim.measure.journey import Journey, Journeys
from edasim.pictures.journey import journey_figure, journeys_figure
from edasim.pictures.lanes import MARK, SMALL, fitted, lanes_of, text_points
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from tests.test_topology import large_shop
from tests.worlds import ARCHITECTURES

SCENARIOS = sorted((Path(__file__).resolve().parent.parent / "scenarios").glob("*.yml"))


def texts_of(figure: Figure) -> list[Text]:
    """All texts that can be seen, once the figure is drawn."""
    FigureCanvasAgg(figure).draw()
    ticks = [tick for ax in figure.axes for tick in ax.xaxis.get_major_ticks()]
    beyond = [tick.label1 for tick in ticks if not 0 <= tick.get_loc() <= figure.axes[0].get_xlim()[1]]
    return [text for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in beyond]  # fmt: skip


def touching(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts of which one stands on the other, two pixels let go."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    return [
        (one, other) for (one, box), (other, its) in combinations(boxes, 2)
        if min(box.x1, its.x1) - max(box.x0, its.x0) > 2 and min(box.y1, its.y1) - max(box.y0, its.y0) > 2
    ]  # fmt: skip


def outside(figure: Figure) -> list[str]:
    """Texts that leave the page."""
    page = figure.bbox.padded(1)
    boxes = {text.get_text(): text.get_window_extent() for text in texts_of(figure)}
    return [text for text, box in boxes.items()
            if box.x0 < page.x0 or box.x1 > page.x1 or box.y0 < page.y0 or box.y1 > page.y1]  # fmt: skip


def hold(figure: Figure) -> None:
    """What every picture must be: 1200 pixels wide, letters of 8 points at least, nothing over anything."""
    assert figure.get_size_inches()[0] * figure.dpi == pytest.approx(1200)
    assert min(text.get_fontsize() for text in texts_of(figure)) >= SMALL
    assert touching(figure) == []
    assert outside(figure) == []


def everywhere(scenario: Scenario, order: int, seed: int = 7) -> Journeys:
    """An order in all architectures."""
    return Journeys({name: simulate(scenario, name, seed).journey(order) for name in ARCHITECTURES})


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_shipped_scenarios_can_be_read(file: Path) -> None:
    scenario = load(file).change({"duration": "30s"})
    found = everywhere(scenario, 1000)
    hold(journeys_figure(found))
    hold(journey_figure(found["kafka"]))


@pytest.mark.parametrize("order", [1, 40])
def test_fifteen_services_can_be_read(order: int) -> None:
    scenario = large_shop().change({"services.service-03.fails": "60%", "services.service-12.poison": "100%"})
    found = everywhere(scenario, order)
    hold(journeys_figure(found))
    for journey in found.journeys.values():
        hold(journey_figure(journey))


def troubled(seed: int, architecture: str) -> list[Journey]:
    """Journeys with crashes, retries, repetitions and dead letters."""
    services = {
        "payment": {"handles": "OrderPlaced", "work": "40ms", "workers": 2, "fails": "50%", "idempotent": True,
                    "publishes": "PaymentCaptured"},
        "shipping": {"handles": "PaymentCaptured", "work": "exponential 20ms", "poison": "30%"},
        "a-service-with-a-rather-long-name": {"handles": "OrderPlaced", "work": "1ms", "fails": "60%"},
    }  # fmt: skip
    scenario = Scenario.from_dict({
        "orders": 12, "wire": {"duplicates": "30%"}, "services": services,
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 10/s"}},
        "retry": {"attempts": 6, "backoff": "fixed 60ms", "where": "back" if architecture == "kafka" else "aside"},
        "faults": {"boom": {"crash": "payment", "at": "530ms", "for": "200ms"},
                   "slow": {"slow": "shipping", "by": "9x", "at": "530ms", "for": "700ms"}},
    })  # fmt: skip
    run = simulate(scenario, architecture, seed)
    return [run.journey(order) for order in range(3, 8)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_trouble_can_be_read(architecture: str) -> None:
    for journey in troubled(3, architecture):
        hold(journey_figure(journey))


def test_a_journey_can_be_drawn_on_given_axes() -> None:
    figure = Figure(figsize=(8, 5))
    ax = figure.add_subplot()
    journey = troubled(3, "rabbitmq")[0]
    assert journey.chart(ax=ax) is ax
    assert journey._repr_png_().startswith(b"\x89PNG")
    assert Journeys({"rabbitmq": journey})._repr_png_().startswith(b"\x89PNG")


def test_without_axes_a_journey_has_a_figure_of_its_own() -> None:
    journey = troubled(3, "rabbitmq")[0]
    for ax in (journey.chart(), Journeys({"rabbitmq": journey, "again": journey}).chart()):
        figure = ax.get_figure()
        assert figure is not None and figure.axes == [ax]
        plt.close(figure)


def test_a_figure_of_its_own_is_as_high_as_its_lines() -> None:
    heights = [journey_figure(simulate(scenario, "kafka", 1).journey(1)).get_size_inches()[1]
               for scenario in (load(SCENARIOS[0]).change({"duration": "10s"}), large_shop())]  # fmt: skip
    assert heights[0] < heights[1]


@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
def test_marks_stand_apart_near_their_time_and_no_word_on_them(architecture: str) -> None:
    scale = 100.0
    for journey in troubled(3, architecture):
        for line in journey.lines:
            for lane in lanes_of(line, journey.placed_s, scale, 400.0, True):
                places = [mark.at for mark in lane.marks if mark.kind not in ("failed", "crashed")]
                assert all(abs(one - other) > 7.8 for one, other in combinations(places, 2))
                words = [(word.left, word.left + text_points(word.text)) for word in lane.words if not word.below]
                assert all(at + MARK / 2 <= left + 1 or right <= at - MARK / 2 + 1
                           for at in places for left, right in words)  # fmt: skip
                true = {(step.end_s - journey.placed_s) * scale for step in line.steps}
                assert all(min(abs(at - time) for time in true) < 5 * MARK for at in places)


def test_a_text_is_cut_where_it_does_not_fit() -> None:
    assert fitted("shipping", 1000) == "shipping"
    cut = fitted("a-service-with-a-rather-long-name", 60)
    assert cut.endswith("…") and text_points(cut) <= 60
