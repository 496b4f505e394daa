"""Charts: named faults, error bars, the same colours everywhere, and no text that runs out of the picture."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from edasim.charts.latency import waits
from edasim.charts.marks import bands_of, spread, wrapped
from edasim.charts.outcomes import _columns
from edasim.charts.saving import CHARTS, save_figure
from edasim.charts.slide import slide
from edasim.charts.style import LOOKS, OUTCOME_COLOURS, QUIET, picture, styled, text_colour
from edasim.charts.timeline import backlog, completed, staleness
from edasim.scenario.reading import load
from edasim.simulate import simulate
from edasim.study.compare import compare
from edasim.study.comparison import Comparison
from tests.study_worlds import made_up, observed, small_comparison, small_shop

PACKAGE = Path(__file__).resolve().parent.parent / "edasim"
OKABE_ITO = {"#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"}


def drawn(draw: Callable[..., Axes], comparison: Comparison | None = None) -> Axes:
    """A chart on a figure of its own, laid out."""
    figure = picture()
    with styled():
        ax = draw(comparison or small_comparison(), ax=figure.add_subplot())
        FigureCanvasAgg(figure).draw()
    return ax


def texts(figure: Figure) -> Iterator[Text]:
    """All texts that can be seen; a tick beyond its axis cannot."""
    unseen = {
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for label, tick in zip(axis.get_ticklabels(which="both"), axis.get_ticklocs(), strict=False)
        if not min(axis.get_view_interval()) <= tick <= max(axis.get_view_interval())
    }
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in unseen:
            yield text


def box_of(text: Text) -> Bbox:
    """Where a text stands, without the line that leads from it to its point."""
    return Text.get_window_extent(text)


def shown_in(ax: Axes) -> str:
    """All that is written on a chart."""
    return "\n".join(text.get_text() for text in texts(ax.get_figure(root=True)))


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_says_what_is_seen_and_in_which_unit(name: str) -> None:
    ax = drawn(CHARTS[name])
    assert len(ax.get_title(loc="left")) > 15
    assert ax.get_xlabel()
    timed = "(s)" in ax.get_xlabel() or " s" in shown_in(ax) or "orders" in ax.get_xlabel()
    assert timed
    assert all(word in shown_in(ax) for word in ("monolith", "RPC", "Kafka", "RabbitMQ"))


@pytest.mark.parametrize("name", ["completed-orders", "backlog", "staleness", "lag", "lag-seconds", "half-done-orders"])
def test_the_fault_is_a_band_with_its_name_and_errors_are_bands(name: str) -> None:
    ax = drawn(CHARTS[name])
    assert "payment down" in shown_in(ax)
    assert ax.get_ylabel()
    spans = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
    assert any((span.x0, span.x1) == pytest.approx((3.1, 5.1)) for span in spans)
    assert len(ax.collections) >= 4  # an interval around each curve


def test_faults_of_the_same_time_are_one_band_and_names_do_not_touch() -> None:
    again = {"slow": "inventory", "by": "2x", "at": "3.1s", "for": "2s"}
    soon = {"failing": "payment", "share": "1%", "at": "5.2s", "for": "100ms"}
    shop = small_shop().change({"faults.second": again, "faults.third": {**again, "by": "3x"}, "faults.soon": soon})
    ax = drawn(CHARTS["backlog"], compare(shop, ["kafka"], 1, 7))
    names = [text for text in ax.texts if text.get_color() == QUIET]
    assert "payment down and 2 more faults" in [text.get_text() for text in names]
    assert not any(box_of(one).overlaps(box_of(other)) for one, other in combinations(names, 2))


def test_bands_are_named_as_the_title_names_them() -> None:
    shop = load("scenarios/flaky-network.yml")
    comparison = compare(shop, ["monolith", "rpc", "kafka"], 1, 7)
    assert comparison.focus.text == "broker losing 0.5% for 20 s and 3 more faults"
    assert [text for text, _, _ in bands_of(comparison)] == ["broker losing 0.5% and 3 more faults"]


def test_error_bars_of_outcomes_end_inside_the_chart() -> None:
    ax = drawn(CHARTS["outcomes"])
    right = ax.get_xlim()[1]
    comparison = small_comparison()
    assert all(comparison.interval(name, "orders.done").high < right for name in comparison.architectures)


@pytest.mark.parametrize("name", ["accept-latency", "completion-latency", "outcomes"])
def test_error_bars_are_drawn(name: str) -> None:
    assert drawn(CHARTS[name]).containers
    assert "±" in shown_in(drawn(CHARTS[name]))


@pytest.mark.parametrize("name", CHARTS)
def test_no_text_leaves_the_picture(name: str) -> None:
    figure = drawn(CHARTS[name]).get_figure(root=True)
    page = figure.bbox
    outside = [
        text.get_text()
        for text in texts(figure)
        for box in [box_of(text)]
        if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
    ]
    assert outside == []


@pytest.mark.parametrize("name", ["backlog", "staleness", "lag", "lag-seconds", "half-done-orders", "completed-orders"])
def test_the_labels_of_lines_do_not_touch(name: str) -> None:
    ax = drawn(CHARTS[name])
    boxes = [box_of(text) for text in ax.texts if text.get_fontweight() == "bold"]
    assert len(boxes) >= 2
    assert not any(one.shrunk(0.98, 0.9).overlaps(other.shrunk(0.98, 0.9)) for one, other in combinations(boxes, 2))


def test_an_architecture_has_one_colour_in_every_chart() -> None:
    for name in ("backlog", "completed-orders", "accept-latency"):
        colours = {to_hex(line.get_color()) for line in drawn(CHARTS[name]).get_lines()}
        assert {look.colour.lower() for look in LOOKS.values()} <= colours


def test_colours_are_those_of_okabe_and_ito_and_differ_beyond_colour() -> None:
    looks = list(LOOKS.values())
    assert {look.colour.lower() for look in looks} <= OKABE_ITO
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 4
    assert len({(look.dashes, look.width) for look in looks}) == 4
    architectures = {look.colour for look in looks}
    assert not architectures & set(OUTCOME_COLOURS.values())
    assert len(set(OUTCOME_COLOURS.values())) == 5


@pytest.mark.parametrize("colour", [look.colour for look in LOOKS.values()] + ["#F0E442"])
def test_coloured_text_can_be_read_on_white(colour: str) -> None:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in text_colour(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_a_chart_takes_runs_as_well() -> None:
    run, other = simulate(small_shop(), "kafka", seed=7), simulate(small_shop(), "kafka", seed=8)
    ax = backlog(run, other)
    assert "kafka 2" in shown_in(ax)
    assert staleness(run).get_figure() is not ax.get_figure()
    plt.close("all")
    with pytest.raises(ValueError, match="at least one run"):
        backlog()
    with pytest.raises(ValueError, match="one comparison, or runs"):
        backlog(small_comparison(), run)


def test_a_chart_can_show_another_service() -> None:
    ax = drawn(lambda comparison, ax: backlog(comparison, ax=ax, service="inventory"))
    assert ax.get_ylabel() == "messages waiting for inventory"


def test_the_catch_up_is_labelled_with_its_interval() -> None:
    text = shown_in(drawn(completed))
    assert "catches up in" in text


def test_the_slide_is_16_to_9_and_has_all_that_a_sceptic_asks_for() -> None:
    figure = slide(small_comparison())
    FigureCanvasAgg(figure).draw()
    assert figure.get_size_inches()[0] / figure.get_size_inches()[1] == pytest.approx(16 / 9)
    written = "\n".join(text.get_text() for text in texts(figure))
    for wanted in (
        "Payment down for 2 s: the monolith turned", "The price", "parts\nto run", "a model, not a measurement",
        "seed 7", "n = 3, 95% intervals", "client timeout 1 s", "What would turn it", "one dot is one order",
        "answer = done", "answer = received", "payment down", "turned away",
    ):  # fmt: skip
        assert wanted in written, wanted


def test_nothing_on_the_slide_touches_or_leaves_it() -> None:
    figure = slide(small_comparison())
    FigureCanvasAgg(figure).draw()
    own = [(text.get_text(), box_of(text)) for text in figure.texts]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for _, box in own)
    touching = [(a, b) for (a, one), (b, other) in combinations(own, 2) if one.overlaps(other)]
    assert touching == []


def test_the_best_of_the_price_is_bold_whoever_it_is() -> None:
    figure = slide(small_comparison())
    price = next(ax for ax in figure.axes if any(text.get_text() == "The price" for text in ax.texts))
    values = [(text.get_text(), text.get_fontweight()) for text in price.texts if text.get_position()[0] > 0.2]
    parts = [weight for text, weight in values if text in ("2", "5", "7", "8")]
    assert "bold" in parts
    assert "normal" in parts


def test_all_dots_fit_into_their_box() -> None:
    for number in (1, 2, 17, 393, 600):
        for ratio in (0.5, 1.0, 1.72, 3.0):
            columns = _columns(number, ratio)
            rows = -(-number // columns)
            assert rows <= columns / ratio
            least = max(1, int((number * ratio) ** 0.5))
            assert all(-(-number // fewer) > fewer / ratio for fewer in range(least, columns))


def test_a_number_stays_with_its_error_bar_and_its_unit() -> None:
    text = "RPC turned 711 ± 41 away; done within 222 ms with RPC, 1.74 ± 0.01 ms with RabbitMQ and 15 s with Kafka"
    for columns in range(20, 60):
        lines = wrapped(text, columns)
        assert " ".join(lines) == text
        assert not any(line.startswith(("±", "ms ", "s ", "41", "0.01")) or line.endswith("±") for line in lines), lines


@pytest.mark.parametrize("name", ["backlog", "staleness", "half-done-orders"])
def test_the_number_at_a_curve_is_that_of_its_highest_point(name: str) -> None:
    ax = drawn(CHARTS[name])
    for text in ax.texts:
        if text.get_fontweight() == "bold" and text.get_text().startswith(("Kafka\n", "RabbitMQ\n")):
            number, unit = re.fullmatch(r"\S+\n([\d.,]+)(?: ± [\d.,]+)?( m?s)?", text.get_text()).groups()  # type: ignore[union-attr]
            assert float(number) * (1e-3 if unit == " ms" else 1) == pytest.approx(text.xy[1], rel=0.06)  # type: ignore[attr-defined]
    told = re.search(r"([\d.]+)(?: ± [\d.]+)? (?:s old|messages|orders)", " ".join(ax.get_title(loc="left").split()))
    assert told
    assert float(told[1]) < ax.get_ylim()[1]


def test_what_the_customer_waits_touches_no_axis_and_no_name() -> None:
    spreads = [(0.0017, 5.0), (0.0017, 0.0034), (0.002, 100.0), (0.08, 0.2)]
    for p50, p99 in spreads:
        found = [observed("rabbitmq", waiting_s__p50=p50 * step, waiting_s__p99=p99) for step in (0.99, 1.0, 1.01)]
        figure = picture(12.8, 7.2)
        figure.set_layout_engine("none")
        with styled():
            ax = waits(made_up({"rabbitmq": found}), figure.add_axes((0.66, 0.35, 0.32, 0.15)))
            FigureCanvasAgg(figure).draw()
        assert all(box_of(text).x0 > ax.bbox.x0 + 3 for text in ax.texts)


def test_a_catch_up_is_shown_only_where_a_backlog_grew() -> None:
    still = {"completed": np.arange(12.0), "backlog inventory": np.zeros(12), "backlog payment": np.ones(12)}
    grown = {**still, "backlog payment": np.array([0, 1, 1, 1, 40, 80, 40, 0, 0, 0, 0, 0.0])}
    one = observed("kafka", catch_up_s=2.0)
    for curves, shown in ((still, False), (grown, True)):
        text = shown_in(drawn(completed, made_up({"kafka": [replace(one, curves=curves)] * 3})))
        assert ("Kafka catches up in" in text) == shown


def test_done_orders_are_told_of_everybody_who_is_behind() -> None:
    words = " ".join(drawn(completed).get_title(loc="left").split())
    assert "more orders done than" in words
    assert "the monolith" in words
    assert "RPC" in words


def test_labels_are_moved_apart_around_their_middle() -> None:
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.2, 0.8], 0.1) == pytest.approx([0.2, 0.8])
    assert spread([], 0.1) == []
    for heights in ([0.0, 0.0, 0.01], [0.97, 0.98, 1.2], [0.5] * 5):
        placed = np.array(spread(heights, 0.1))
        assert (np.diff(placed) >= 0.1 - 1e-9).all()
        assert placed.min() >= 0.0
        assert placed.max() <= 0.98 + 1e-9


def test_a_picture_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        figure = picture()
        with styled():
            CHARTS["outcomes"](small_comparison(), ax=figure.add_subplot())
        save_figure(figure, tmp_path / folder / "outcomes")
    for name in ("outcomes.png", "outcomes.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_picture_is_1200_pixels_wide(tmp_path: Path) -> None:
    png = save_figure(picture(), tmp_path / "empty")[0]
    assert plt.imread(png).shape[:2] == (750, 1200)


def test_the_package_never_opens_a_window() -> None:
    shown = [
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("plt.show", "pyplot.show")
    ]
    assert shown == []


def test_a_curve_that_never_leaves_zero_has_the_time_of_the_run_below_it() -> None:
    one = compare(small_shop(), ["monolith"], replications=1, seed=7)
    ax = staleness(one, ax=picture().add_subplot())
    assert ax.get_xlim()[1] == pytest.approx(8 * 1.02)
