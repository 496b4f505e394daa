"""A chart as a cell's result: on a figure of its own, which a notebook shows once, in a cell or behind a guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edasim.charts.style import Picture, picture, styled
from edasim.simulate import Run
from edasim.study.comparison import Comparison

Chart = Callable[..., Any]
"""A chart function, the package's or the user's: f(*runs, ax=None) -> Axes."""
_WIDE, _HIGH, _HIGH_OF_SEVERAL = 8.0, 5.0, 3.6


def drawn(chart: Chart | Sequence[Chart], *subjects: Run | Comparison, **options: Any) -> Picture:
    """A chart of these runs or of a comparison, as a picture; several charts stand under each other.

    lab.drawn(timeline.staleness, both, service="payment")
    """
    charts = [chart] if callable(chart) else list(chart)
    figure = picture(_WIDE, _HIGH if len(charts) == 1 else _HIGH_OF_SEVERAL * len(charts))
    with styled():
        for number, draw in enumerate(charts, 1):
            draw(*subjects, ax=figure.add_subplot(len(charts), 1, number), **options)
    return figure
