"""Four panels that are redrawn in place: latency, backlog, how orders ended, staleness and half-done orders.

Axes, ticks and names are drawn once and kept as a picture; a new result only draws its curves over a copy of it, which
takes a few milliseconds where a fresh figure takes hundreds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, NullFormatter

from edasim.charts.marks import wrapped
from edasim.charts.style import FAULT, INK, OUTCOME_COLOURS, OUTCOME_WORDS, QUIET, look, styled, text_colour
from edasim.lab.seen import Seen, told
from edasim.measure.steps import Floats
from edasim.study.words import display, seconds_short

WIDTH, HEIGHT, DPI = 10.4, 6.3, 100
DOUBLE = "#C00000"
_OUTCOMES = ("done", "parked", "pending", "lost", "refused")
_SHORTEST_S, _LONGEST_S = 5e-4, 300.0
_HEADROOM = 1.25
_TOO_SMALL = 0.25
_MOST_BANDS = 20
_PINNED_ALPHA = 0.3


@dataclass(frozen=True)
class Scales:
    """Where the axes end: seconds of the run, messages, seconds of age, half-done orders, orders placed."""

    end_s: float = 1.0
    backlog: float = 1.0
    stale: float = 1.0
    torn: float = 1.0
    placed: float = 1.0

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> Scales:
        """Scales with some room above what these runs need."""
        return cls(
            end_s=max((_busy_until_s(one) for one in seen), default=1.0),
            backlog=_HEADROOM * max((float(one.backlog.max()) for one in seen), default=1.0) + 1,
            stale=_HEADROOM * max((float(one.stale.max()) for one in seen), default=1.0) + 0.1,
            torn=_HEADROOM * max((one.torn_peak for one in seen), default=1) + 1,
            placed=max((one.outcomes["placed"] for one in seen), default=1) * 1.01,
        )

    def fit(self, needed: Scales) -> bool:
        """Whether these still show what needs those: nothing beyond the end, and nothing squeezed to the floor."""
        pairs = zip(vars(self).values(), vars(needed).values(), strict=True)
        return all(_TOO_SMALL * have <= need <= _HEADROOM * have for have, need in pairs)


def _busy_until_s(one: Seen) -> float:
    moving = np.flatnonzero((one.backlog > 0) | (one.torn > 0) | (one.stale > 0))
    last_s = float(one.times_s[moving[-1]]) if len(moving) else float(one.times_s[-1])
    return max(1.0, last_s * 1.04)


class Panels:
    """The picture of an exploration. `png` draws runs and returns the bytes of a PNG; `scales` stay until `fit`."""

    def __init__(self, architectures: Sequence[str]) -> None:
        self.architectures = tuple(architectures)
        self.scales = Scales()
        with styled():
            self.figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
            self.figure.set_layout_engine("none")
            self.canvas = FigureCanvasAgg(self.figure)
            self.latency, self.backlog = self._axes(0, 0), self._axes(0, 1)
            self.outcomes, self.ages = self._axes(1, 0), self._axes(1, 1)
            self.halves = self.ages.twinx()
            self.title = self.figure.text(0.02, 0.985, "", fontsize=12.5, fontweight="bold", va="top", animated=True)
            self._frame()
        self._lines = {name: self._lines_of(name, 1.0) for name in self.architectures}
        self._pinned = {name: self._lines_of(name, _PINNED_ALPHA) for name in self.architectures}
        self._bars = {name: self._bars_of(row) for row, name in enumerate(self.architectures)}
        self._bands = [self._band(ax) for ax in (self.backlog, self.ages) for _ in range(_MOST_BANDS)]
        self._background: object = None

    # --- what stays -------------------------------------------------------------------------------------------

    def _axes(self, row: int, column: int) -> Axes:
        return self.figure.add_axes((0.088 + 0.477 * column, 0.535 - 0.457 * row, 0.37, 0.315))

    def _frame(self) -> None:
        self.latency.set_xscale("log")
        self.latency.set_xlim(_SHORTEST_S, _LONGEST_S)
        self.latency.set_ylim(0, 102)
        self.latency.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_short(value).replace(".0 ", " ")))
        self.latency.xaxis.set_minor_formatter(NullFormatter())
        _name(self.latency, "How long it takes", "time since the order was placed",
              "% of customers, of accepted orders")
        _name(self.backlog, "What waits", "time since the start (s)", "messages waiting")
        _name(self.outcomes, "How orders end", "orders placed after the warm-up", "")
        _name(self.ages, "What is behind", "time since the start (s)", "oldest missing order (s)")
        for ax, text in ((self.latency, "dotted: customer answered"), (self.ages, "dotted: orders half done")):
            ax.set_title(text, fontsize=8.5, color=QUIET, loc="right", pad=5, fontweight="normal")
        self.halves.set_ylabel("orders half done", fontsize=9, color=QUIET)
        self.halves.grid(False)
        self.halves.tick_params(labelsize=8.5)
        self.halves.spines["right"].set_visible(True)
        self.outcomes.set_yticks(range(len(self.architectures)), [display(name) for name in self.architectures])
        self.outcomes.set_ylim(len(self.architectures) - 0.4, -0.6)
        self.outcomes.grid(False, axis="y")
        for tick, name in zip(self.outcomes.get_yticklabels(), self.architectures, strict=True):
            tick.set_color(text_colour(look(name).colour))
            tick.set_fontweight("bold")
        self._key()

    def _key(self) -> None:
        """The names of the architectures with their lines, and of the outcomes with their colours."""
        handles = [
            self.latency.plot([], [], color=look(name).colour, linestyle=look(name).dashes,
                              linewidth=look(name).width, label=display(name))[0]
            for name in self.architectures
        ]
        self.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.013, 0.925), ncols=len(handles),
                           fontsize=9.5, handlelength=2.4)
        boxes = [Rectangle((0, 0), 1, 1, facecolor=OUTCOME_COLOURS[name], label=OUTCOME_WORDS[name])
                 for name in _OUTCOMES]
        self.figure.legend(handles=boxes, loc="upper right", bbox_to_anchor=(0.99, 0.925), ncols=len(boxes), fontsize=9,
                           handlelength=1.0, columnspacing=1.0)

    def fit(self, seen: Sequence[Seen]) -> None:
        """End the axes where these runs need it, and draw all that stays anew."""
        self.scales = Scales.of(seen)
        for ax in (self.backlog, self.ages):
            ax.set_xlim(0, self.scales.end_s)
        self.backlog.set_ylim(0, self.scales.backlog)
        self.ages.set_ylim(0, self.scales.stale)
        self.halves.set_ylim(0, self.scales.torn)
        self.outcomes.set_xlim(0, self.scales.placed)
        with styled():
            self.canvas.draw()
        self._background = self.canvas.copy_from_bbox(self.figure.bbox)

    # --- what moves -------------------------------------------------------------------------------------------

    def _lines_of(self, name: str, alpha: float) -> dict[str, tuple[Axes, Line2D]]:
        looks = look(name)
        kinds = {"done_s": (self.latency, looks.dashes), "answered_s": (self.latency, "dotted"),
                 "backlog": (self.backlog, looks.dashes), "stale": (self.ages, looks.dashes),
                 "torn": (self.halves, "dotted")}
        return {
            kind: (ax, ax.plot([], [], color=looks.colour, linestyle=dashes, animated=True, alpha=alpha,
                               linewidth=looks.width if dashes != "dotted" else 1.6)[0])
            for kind, (ax, dashes) in kinds.items()
        }

    def _bars_of(self, row: int) -> tuple[list[Rectangle], Text, Text]:
        bars = [Rectangle((0, row - 0.36), 0, 0.4, facecolor=OUTCOME_COLOURS[name], animated=True)
                for name in _OUTCOMES]
        for bar in bars:
            self.outcomes.add_patch(bar)
        words = self.outcomes.text(0, row + 0.07, "", fontsize=8.5, va="top", ha="left", color=INK, animated=True)
        double = self.outcomes.text(0, row + 0.07, "", fontsize=8.5, va="top", ha="right", color=DOUBLE,
                                    fontweight="bold", animated=True)
        return bars, words, double

    def _band(self, ax: Axes) -> tuple[Axes, Rectangle]:
        band = Rectangle((0, 0), 0, 1, transform=ax.get_xaxis_transform(), color=FAULT, alpha=0.25, linewidth=0,
                         animated=True, visible=False)
        ax.add_patch(band)
        return ax, band

    def png(self, seen: Sequence[Seen], pinned: Sequence[Seen] = (), title: str | None = None) -> bytes:
        """Draw these runs, the pinned ones faintly behind them, and return the picture."""
        if self._background is None:
            self.fit([*seen, *pinned])
        self.canvas.restore_region(self._background)
        text = told(seen) if title is None else title
        self.title.set_text("\n".join(wrapped(text, 98)[:2]))
        self.figure.draw_artist(self.title)
        self._draw_bands(seen)
        for runs, lines in ((pinned, self._pinned), (seen, self._lines)):
            for one in runs:
                if one.architecture in lines:
                    _draw_lines(one, lines[one.architecture])
        for one in seen:
            if one.architecture in self._bars:
                self._draw_bars(one)
        return _encoded(self.canvas)

    def _draw_bands(self, seen: Sequence[Seen]) -> None:
        spans = list(dict.fromkeys((start_s, end_s) for one in seen for _, start_s, end_s in one.bands))[:_MOST_BANDS]
        for number, (ax, band) in enumerate(self._bands):
            place = number % _MOST_BANDS
            if place < len(spans):
                start_s, end_s = spans[place]
                band.set_bounds(start_s, 0, end_s - start_s, 1)
                band.set_visible(True)
                ax.draw_artist(band)

    def _draw_bars(self, one: Seen) -> None:
        bars, words, double = self._bars[one.architecture]
        left = 0.0
        for name, bar in zip(_OUTCOMES, bars, strict=True):
            bar.set_x(left)
            bar.set_width(one.outcomes[name])
            left += one.outcomes[name]
            self.outcomes.draw_artist(bar)
        few = [f"{one.outcomes[name]:,} {OUTCOME_WORDS[name]}" for name in _OUTCOMES if one.outcomes[name]]
        words.set_text(", ".join(few))
        double.set_text(f"{one.twice:,} effects made twice" if one.twice else "")
        double.set_x(self.scales.placed)
        for text in (words, double):
            self.outcomes.draw_artist(text)

    def time_fraction(self, seconds: float) -> float:
        """How far across the axes over time a moment is, from 0 to 1."""
        return seconds / self.scales.end_s

    def boxes(self) -> list[tuple[float, float, float, float]]:
        """(left, top, width, height) of the axes over time, in fractions of the picture."""
        return [
            (box.x0, 1 - box.y1, box.width, box.height)
            for box in (ax.get_position() for ax in (self.backlog, self.ages))
        ]


def _name(ax: Axes, title: str, across: str, up: str) -> None:
    ax.set_title(title, fontsize=10.5, pad=5)
    ax.set_xlabel(across, fontsize=9, labelpad=2)
    ax.set_ylabel(up, fontsize=9, labelpad=3)
    ax.tick_params(labelsize=8.5)


def _draw_lines(one: Seen, lines: dict[str, tuple[Axes, Line2D]]) -> None:
    for kind, (ax, line) in lines.items():
        values: Floats = getattr(one, kind)
        if kind in ("done_s", "answered_s"):
            line.set_data(*_share_until(values))
        else:
            line.set_data(one.times_s, values)
        ax.draw_artist(line)


def _share_until(ascending: Floats) -> tuple[Floats, Floats]:
    """The share, in percent, that was over until a time; what never ends is missing at the top."""
    if not len(ascending):
        return np.zeros(0), np.zeros(0)
    percent = np.linspace(0, 100, min(len(ascending), 400))
    place = np.round(percent / 100 * (len(ascending) - 1)).astype(int)
    times = ascending[place]
    known = np.isfinite(times)
    until = np.append(np.maximum(times[known], _SHORTEST_S), _LONGEST_S)
    share = np.append(percent[known], percent[known][-1] if known.any() else 0.0)
    return until, share


def _encoded(canvas: FigureCanvasAgg) -> bytes:
    """The canvas as a PNG without filters: half the time of an encoder that tries five of them for each row.

    Source of the format: the PNG specification of the W3C, third edition.
    """
    pixels = np.asarray(canvas.buffer_rgba())
    height, width = pixels.shape[:2]
    # A row is the number of its filter, 0 for none, and then red, green and blue of each pixel.
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    for number in range(3):
        rows[:, 1 + number :: 3] = pixels[..., number]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
