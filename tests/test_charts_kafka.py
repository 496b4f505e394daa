"""The charts of partitions: a hot one, who reads which, and a late group; each says what is seen, and true numbers."""

from __future__ import annotations

import re
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from edasim.charts.hot_partition import hot_partition
from edasim.charts.rebalance import NOBODY, rebalance
from edasim.charts.replay import replay
from edasim.charts.saving import charts_of
from edasim.charts.style import LOOKS, picture, styled
from edasim.measure.ownership import Ownership
from edasim.measure.partitions import partitions
from edasim.simulate import Run, simulate
from edasim.study.compare import compare
from tests.study_worlds import small_comparison, small_shop
from tests.test_charts import box_of, shown_in, texts

QUICK = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000}
CRASH = {"crash": "payment", "workers": 1, "at": "3.1s", "for": "1s"}
CHARTS = {"rebalance": rebalance, "hot": hot_partition, "replay": replay}


@cache
def crashed(strategy: str = "range") -> Run:
    """One of three workers of payment dies and comes back after a second."""
    consumer = {**QUICK, "partition.assignment.strategy": [strategy]}
    return simulate(small_shop().change({"faults.outage": CRASH, "architectures.kafka.consumer": consumer}), "kafka", 7)


@cache
def late(reset: str = "earliest") -> Run:
    """Analytics joins after three seconds."""
    analytics = {"handles": "OrderPlaced", "workers": 1, "work": "2ms", "joins": "3s", "required": False}
    consumer = {"auto.offset.reset": reset}
    quiet = small_shop().change({"faults": None, "services.analytics": analytics,
                                 "architectures.kafka.consumer": consumer,
                                 "architectures.kafka.broker": {"group.initial.rebalance.delay.ms": 0}})
    return simulate(quiet, "kafka", 7)


@cache
def hot() -> Run:
    """One customer places seven orders in ten."""
    return simulate(small_shop().change({"faults": None, "producers.checkout.keys": "hot 70% over 50"}), "kafka", 7)


def drawn(name: str) -> Axes:
    """A chart of its run on a figure of its own, laid out."""
    runs = {"rebalance": (crashed(), crashed("cooperative-sticky")), "hot": (hot(),),
            "replay": (late(), late("latest"))}
    figure = picture()
    with styled():
        ax: Axes = CHARTS[name](*runs[name], ax=figure.add_subplot())
        FigureCanvasAgg(figure).draw()
    return ax


def titled(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


@pytest.mark.parametrize("name", CHARTS)
def test_it_says_what_is_seen_and_no_text_leaves_the_picture(name: str) -> None:
    ax = drawn(name)
    figure = ax.get_figure(root=True)
    assert re.search(r"\d", titled(ax))
    assert "(s)" in ax.get_xlabel()
    assert ax.get_ylabel()
    outside = [text.get_text() for text in texts(figure) for box in [box_of(text)]
               if box.x0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y0 < -1 or box.y1 > figure.bbox.y1 + 1]
    assert outside == []


def test_a_rebalance_is_black_for_as_long_as_nobody_reads() -> None:
    ax = drawn("rebalance")
    black = [bar for bar in ax.patches if to_hex(bar.get_facecolor()) == NOBODY.lower()]
    widths = sum(bar.get_width() for bar in black)  # type: ignore[attr-defined]
    unread = [run.summary().groups["payment"].unread_partition_s
              for run in (crashed(), crashed("cooperative-sticky"))]
    assert widths == pytest.approx(sum(unread), abs=0.05)
    numbers = [float(number) for number in re.findall(r"([\d.]+) \(", titled(ax))]
    assert numbers == pytest.approx(unread, abs=0.51)
    assert "payment crashed" in shown_in(ax)
    assert all(word in titled(ax) for word in ("payment", "range, eager", "cooperative-sticky"))


def test_every_stretch_of_a_rebalance_is_a_bar_in_the_row_of_its_partition() -> None:
    owned = Ownership(crashed().summary().reading, "payment")
    with styled():
        ax = rebalance(crashed(), ax=picture().add_subplot())
    rows = dict(enumerate(owned.by_partition))
    left, right = ax.get_xlim()
    for row, name in rows.items():
        bars = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches  # type: ignore[attr-defined]
                      if hasattr(bar, "get_x") and abs(bar.get_y() + bar.get_height() / 2 - row) < 1e-9)
        shown = sorted([(max(left, one.start_s), min(right, one.end_s)) for one in owned.by_partition[name]
                        if one.end_s > left and one.start_s < right]
                       + [(start, end) for partition, start, end in owned.unread() if partition == name])
        assert np.allclose([bar for bar in bars if bar[1] - bar[0] > 0.001],
                           [one for one in shown if one[1] - one[0] > 0.001])


def test_the_hot_partition_is_the_one_in_colour_and_its_share_is_told() -> None:
    ax = drawn("hot")
    found = partitions(hot().summary().reading, "payment")
    most = max(found, key=lambda one: one.waiting().max(0, 1e9))
    coloured = [line for line in ax.get_lines() if to_hex(line.get_color()) == LOOKS["kafka"].colour.lower()]
    assert len(coloured) == 1 < len(ax.get_lines()) == len(found)
    times_s, waiting = np.asarray(coloured[0].get_xdata()), np.asarray(coloured[0].get_ydata())
    assert waiting.tolist() == most.waiting().at(times_s).tolist()
    share = most.records / sum(one.records for one in found)
    assert 0.7 < share < 0.8
    assert f"Partition {most.number} gets {share:.0%} of the records, and up to" in titled(ax)


def test_without_a_name_it_is_a_service_that_is_there_from_the_start() -> None:
    both = late().scenario.change({"producers.checkout.keys": "hot 70% over 50"})
    assert "wait there for payment" in titled(hot_partition(simulate(both, "kafka", 7), ax=picture().add_subplot()))


def test_a_replay_tells_what_was_there_before_and_whether_it_is_read() -> None:
    ax = drawn("replay")
    written = sum((one.appended_s <= 3.0).sum() for one in partitions(late().summary().reading, "analytics"))
    assert re.fullmatch(rf"Analytics joins after 3.0 s, {written} records behind: with earliest it is level after "
                        rf"[\d.]+ m?s and with latest it never reads them", titled(ax))
    assert "analytics joins" in shown_in(ax)


def test_the_charts_of_partitions_are_saved_where_there_is_something_to_see() -> None:
    assert [name for name in charts_of(small_comparison()) if name.startswith("kafka")] == ["kafka-partitions"]
    for run, more in ((crashed(), "kafka-rebalance"), (late(), "kafka-replay")):
        assert more in charts_of(compare(run.scenario, ["kafka"], 1, 7))
    assert not [name for name in charts_of(compare(small_shop(), ["monolith"], 1, 7)) if name.startswith("kafka")]


def test_what_cannot_be_drawn_says_why() -> None:
    monolith = simulate(small_shop(), "monolith", seed=7)
    for chart in CHARTS.values():
        with pytest.raises(ValueError, match="needs a run on Kafka"):
            chart(monolith)
    with pytest.raises(ValueError, match="is there from the start"):
        replay(hot())
    with pytest.raises(ValueError, match="shows one run"):
        hot_partition(hot(), crashed())
    plt.close("all")
