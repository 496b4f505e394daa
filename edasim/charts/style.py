"""How all charts look: one style sheet, a fixed colour and line for each architecture, outcomes apart from them.

The colours are those of Okabe and Ito (2008), which colour-blind people can tell apart; lines differ in their dashes
and markers in their shape as well.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

SHEET = Path(__file__).with_name("edasim.mplstyle")
INK = "#222222"
QUIET = "#666666"
FAULT = "#9A9A9A"


@dataclass(frozen=True)
class Look:
    """The look of one architecture."""

    colour: str
    dashes: str | tuple[int, tuple[float, ...]]
    marker: str
    width: float


LOOKS = {
    "monolith": Look("#D55E00", "solid", "s", 2.4),
    "rpc": Look("#E69F00", (0, (5, 1.6)), "D", 2.2),
    "kafka": Look("#0072B2", "solid", "o", 3.4),
    "rabbitmq": Look("#009E73", (0, (3.0, 3.0)), "^", 2.0),
}
OUTCOME_COLOURS = {
    "done": "#CBD3DA",
    "parked": "#56B4E9",
    "refused": "#1A1A1A",
    "lost": "#CC79A7",
    "pending": "#F0E442",
}
OUTCOME_WORDS = {"done": "done", "parked": "parked", "refused": "turned away", "lost": "lost", "pending": "pending"}


def look(architecture: str) -> Look:
    """The look of an architecture; black for one that has none."""
    return LOOKS.get(architecture, Look("#000000", "solid", "o", 2.0))


def text_colour(colour: str) -> tuple[float, float, float]:
    """A colour darkened until it can be read as text on white (contrast of at least 4.5 to 1)."""
    red, green, blue = to_rgb(colour)
    while 1.05 / (_luminance(red, green, blue) + 0.05) < 4.5:
        red, green, blue = red * 0.95, green * 0.95, blue * 0.95
    return red, green, blue


def _luminance(*parts: float) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def styled() -> AbstractContextManager[None]:
    """The style sheet, for as long as a chart is drawn or saved."""
    return mpl.rc_context(fname=SHEET)


class Picture(Figure):
    """A figure that no window and no notebook cell holds on to: a notebook shows it when it is a cell's result."""

    def _repr_png_(self) -> bytes:
        from io import BytesIO

        page = BytesIO()
        with styled():
            self.savefig(page, format="png")
        return page.getvalue()


def picture(width: float = 8.0, height: float = 5.0) -> Picture:
    """An empty figure of so many inches (150 pixels each)."""
    with styled():
        return Picture(figsize=(width, height))


def inches(ax: Axes) -> tuple[float, float]:
    """Width and height of the figure that the axes are in."""
    figure = ax.get_figure(root=True)
    width, height = figure.get_size_inches() if figure is not None else (8.0, 5.0)
    return float(width), float(height)


def axes(ax: Axes | None) -> Axes:
    """The axes to draw on: those given, or those of a new pyplot figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.figure().add_subplot()
