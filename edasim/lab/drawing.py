"""A chart as a cell's result: on a figure of its own, which a notebook shows once, in a cell or behind a guess."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edasim.charts.style import Picture, picture, styled
from edasim.simulate import Run
from edasim.study.comparison import Comparison

Chart = Callable[..., Any]
"""A chart function, the package's or the user's: f(*runs, ax=None) -> Axes."""


def drawn(chart: Chart, *subjects: Run | Comparison, **options: Any) -> Picture:
    """A chart of these runs or of a comparison, as a picture.

    lab.drawn(timeline.staleness, both, service="payment")
    """
    figure = picture()
    with styled():
        chart(*subjects, ax=figure.add_subplot(), **options)
    return figure
