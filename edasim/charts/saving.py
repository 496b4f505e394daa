"""Writes charts to files: PNG for slides and pages, SVG for whoever wants to take them apart."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edasim.charts.latency import accept_latency, completion_latency
from edasim.charts.outcomes import outcomes
from edasim.charts.slide import slide
from edasim.charts.style import QUIET, picture, styled
from edasim.charts.theory import theory
from edasim.charts.timeline import backlog, completed, staleness, torn
from edasim.core.files import write_whole
from edasim.study.comparison import Comparison

CHARTS: dict[str, Callable[..., Axes]] = {
    "outcomes": outcomes,
    "accept-latency": accept_latency,
    "completion-latency": completion_latency,
    "completed-orders": completed,
    "backlog": backlog,
    "staleness": staleness,
    "half-done-orders": torn,
    "theory": theory,
}
"""The charts of a comparison by the name of their file; the slide comes beside them."""


def save_charts(comparison: Comparison, folder: Path, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Save the slide and every chart, PNG and SVG each; returns the files, the slide first."""
    files = save_figure(slide(comparison), folder / "slide")
    for number, (name, draw) in enumerate(CHARTS.items(), 1):
        if progress:
            progress(number, len(CHARTS) + 1)
        figure = picture()
        with styled():
            draw(comparison, ax=figure.add_subplot())
            if not comparison.complete:
                figure.text(0.995, 0.005, comparison.shortfall, ha="right", va="bottom", fontsize="small", color=QUIET)
        files += save_figure(figure, folder / name)
    if progress:
        progress(len(CHARTS) + 1, len(CHARTS) + 1)
    return files


def save_figure(figure: Figure, base: Path) -> list[Path]:
    """Save one figure as PNG and as SVG, whole or not at all, the same bytes for the same picture."""
    files = [base.with_name(f"{base.name}.{kind}") for kind in ("png", "svg")]
    for file, metadata in zip(files, (None, {"Date": None}), strict=True):
        page = BytesIO()
        with styled():
            figure.savefig(page, format=file.suffix[1:], metadata=metadata)
        write_whole(file, page.getvalue())
    return files
