"""Writes charts to files: PNG for slides and pages, SVG for whoever wants to take them apart."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.charts.hot_partition import hot_partition
from edasim.charts.latency import accept_latency, completion_latency
from edasim.charts.outcomes import outcomes
from edasim.charts.rebalance import rebalance, rebalanced
from edasim.charts.replay import joins_late, replay
from edasim.charts.slide import slide
from edasim.charts.style import QUIET, Picture, picture, styled
from edasim.charts.theory import theory
from edasim.charts.timeline import backlog, completed, lag, lag_age, staleness, torn
from edasim.core.files import write_whole
from edasim.simulate import Run
from edasim.study.comparison import Comparison

CHARTS: dict[str, Callable[..., Axes]] = {
    "outcomes": outcomes,
    "accept-latency": accept_latency,
    "completion-latency": completion_latency,
    "completed-orders": completed,
    "backlog": backlog,
    "staleness": staleness,
    "lag": lag,
    "lag-seconds": lag_age,
    "half-done-orders": torn,
    "theory": theory,
}
"""The charts of a comparison by the name of their file; the slide comes beside them."""

KAFKA_CHARTS: dict[str, tuple[Callable[..., Axes], Callable[[Run], bool]]] = {
    "kafka-partitions": (hot_partition, lambda run: True),
    "kafka-rebalance": (rebalance, rebalanced),
    "kafka-replay": (replay, joins_late),
}
"""Charts of a run on Kafka by the name of their file, and whether a run has what they show."""


def charts_of(comparison: Comparison) -> list[str]:
    """The names of a comparison's charts: those of all, and those of Kafka that have something to show."""
    run = comparison.runs.get("kafka")
    return [*CHARTS, *(name for name, (_, has) in KAFKA_CHARTS.items() if run is not None and has(run))]


def save_charts(comparison: Comparison, folder: Path, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Save the slide and every chart, PNG and SVG each; returns the files, the slide first."""
    names = charts_of(comparison)
    files = save_figure(slide(comparison), folder / "slide")
    for number, name in enumerate(names, 1):
        if progress:
            progress(number, len(names) + 1)
        files += save_figure(chart_figure(comparison, name), folder / name)
    if progress:
        progress(len(names) + 1, len(names) + 1)
    return files


def chart_figure(comparison: Comparison, name: str) -> Picture:
    """One of the charts as a figure of its own, which says so where the comparison is incomplete."""
    figure = picture()
    with styled():
        chart = CHARTS[name] if name in CHARTS else KAFKA_CHARTS[name][0]
        chart(comparison, ax=figure.add_subplot())
        if not comparison.complete:
            figure.text(0.995, 0.005, comparison.shortfall, ha="right", va="bottom", fontsize="small", color=QUIET)
    return figure


def save_figure(figure: Figure, base: Path) -> list[Path]:
    """Save one figure as PNG and as SVG, whole or not at all, the same bytes for the same picture."""
    files = [base.with_name(f"{base.name}.{kind}") for kind in ("png", "svg")]
    for file, metadata in zip(files, (None, {"Date": None}), strict=True):
        page = BytesIO()
        with styled():
            figure.savefig(page, format=file.suffix[1:], metadata=metadata)
        write_whole(file, page.getvalue())
    return files
