"""A guess before the result: a chart stays covered until the reader commits to a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import traitlets
from matplotlib.figure import Figure

from edasim.charts.style import INK, QUIET, picture, styled

COVERED = "Covered until you commit to your guess."
_ACCENT = "#0072B2"
_GAP = 0.006


class Guess(widgets.VBox):
    """A question with a slider from `low` to `high` and a button; `committed` is the reader's number, or None."""

    committed = traitlets.Float(None, allow_none=True)

    def __init__(self, question: str, low: float, high: float) -> None:
        if not low < high:
            raise ValueError(f"a guess needs room: {low:g} is not below {high:g}")
        self.question, self.low, self.high = question, low, high
        whole = float(low).is_integer() and float(high).is_integer()
        kind = widgets.IntSlider if whole else widgets.FloatSlider
        step = 1 if whole else (high - low) / 100
        middle = (low + high) // 2 if whole else (low + high) / 2
        self.slider = kind(value=middle, min=low, max=high, step=step, layout=widgets.Layout(width="420px"))
        self.button = widgets.Button(description="Commit", button_style="primary", tooltip="This is my guess")
        self.told = widgets.Label()
        self.button.on_click(lambda _: self.commit(self.slider.value))
        super().__init__([widgets.HTML(f"<b>{_plain(question)}</b>"),
                          widgets.HBox([self.slider, self.button, self.told])])

    def commit(self, number: float) -> None:
        """Stand by a number; it cannot be changed any more."""
        if self.committed is not None:
            return
        self.slider.value = number
        self.slider.disabled = self.button.disabled = True
        self.told.value = "Committed."
        self.committed = float(number)

    def reveal(self, show: Callable[[], Any] | Any, answer: float | None = None) -> widgets.VBox:
        """A place that is covered until the guess is made, and then shows `show` (or what it returns when called).

        With `answer`, the result in the question's unit, the guess stands beside it as a dashed line on one scale.
        """
        place = widgets.VBox([widgets.HTML(f'<div class="edasim-covered" style="{_COVER}">{COVERED}</div>')])

        def uncover(*_: object) -> None:
            shown = [] if answer is None else [image(self.beside(answer))]
            result = show() if callable(show) else show
            place.children = [*shown, *([] if result is None else [shown_as_widget(result)])]

        if self.committed is not None:
            uncover()
        else:
            self.observe(uncover, "committed")
        return place

    def beside(self, answer: float) -> Figure:
        """The guess as a dashed line, and the answer, on one scale."""
        guess = self.low if self.committed is None else self.committed
        with styled():
            figure = picture(8.0, 1.15)
            figure.set_layout_engine("none")
            ax = figure.add_axes((0.03, 0.32, 0.94, 0.24))
            low, high = min(self.low, answer), max(self.high, answer)
            ax.set_xlim(low, high)
            ax.set_ylim(0, 1)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)
            ax.grid(False)
            ax.axvline(guess, color=_ACCENT, linestyle="dashed", linewidth=2.2, clip_on=False)
            ax.plot([answer], [0.45], marker="D", color=INK, markersize=9, clip_on=False)
            near = abs(guess - answer) < 0.25 * (high - low)
            left = guess <= answer
            for x, text, colour, side in ((guess, f"your guess {guess:,.6g}", _ACCENT, left),
                                          (answer, f"it was {answer:,.6g}", INK, not left)):
                align = ("right" if side else "left") if near else "center"
                aside = {"right": -1, "left": 1, "center": 0}[align] * _GAP * (high - low)
                ax.text(x + aside, 1.25, text, ha=align, va="bottom", color=colour, fontweight="bold")
            ax.tick_params(labelsize=9, colors=QUIET)
        return figure


_COVER = (
    "min-height:9em;display:flex;align-items:center;justify-content:center;color:#333;"
    "background:repeating-linear-gradient(45deg,#f3f3f3,#f3f3f3 14px,#e9e9e9 14px,#e9e9e9 28px)"
)


def predict(question: str, low: float, high: float) -> Guess:
    """Ask the reader for a number between `low` and `high` before anything is shown.

    guess = lab.predict("How many of the 400 are refused?", 0, 400)
    guess.reveal(both.chart, answer=391)
    """
    return Guess(question, low, high)


def image(figure: Figure) -> widgets.Image:
    """A figure as a widget."""
    from io import BytesIO

    page = BytesIO()
    with styled():
        figure.savefig(page, format="png")
    return widgets.Image(value=page.getvalue(), format="png", layout=widgets.Layout(max_width="100%"))


def shown_as_widget(result: Any) -> widgets.Widget:
    """Whatever a cell could end with, as a widget."""
    if isinstance(result, widgets.Widget):
        return result
    figure = result if isinstance(result, Figure) else getattr(result, "figure", None)
    if isinstance(figure, Figure):
        return image(figure)
    if hasattr(result, "_repr_html_"):
        return widgets.HTML(result._repr_html_())
    return widgets.HTML(f"<pre>{_plain(str(result))}</pre>")


def _plain(text: str) -> str:
    import html

    return html.escape(text)
