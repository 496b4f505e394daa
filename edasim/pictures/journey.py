"""The journey of one order as a picture: a line for each message at each service; several runs on one axis of time."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from edasim.charts.style import FAULT, INK, QUIET, Picture, axes, inches, look, picture, styled, text_colour
from edasim.measure.journey import ATTEMPTS, CLIENT, Journey, Journeys
from edasim.pictures.lanes import MARK, SMALL, Mark, fitted, text_points
from edasim.pictures.sheet import (
    AXIS,
    BAND_LINE,
    BAR,
    GAP,
    HEADER,
    LEFT,
    LEGEND_LINE,
    NAME,
    RIGHT,
    STRIP,
    TITLE_LINE,
    WIDTH,
    Row,
    Sheet,
    done_unseen,
    fate,
)
from edasim.study.words import display, listed

_WAITING, _RETRY, _OPEN, _BAD = "#D4D4D4", "#FFFFFF", "#EFEFEF", "#FFFFFF"
_SAW = {"received": ("#FFFFFF", INK, "///"), "done": ("#36454F", "#FFFFFF", ""), "no": ("#000000", "#FFFFFF", ""),
        "left": ("#5A5A5A", "#FFFFFF", "xx"), "": (_WAITING, INK, "")}  # fmt: skip
_MARKS = {
    "all-done": ("*", "#F0E442", 9.0, "all done (the customer is not told)"),
    "applied": ("D", "#F0E442", 5.0, "takes effect"),
    "deduplicated": ("D", "#FFFFFF", 5.0, "recognised, nothing done"),
    "failed": ("x", INK, 5.5, ""),
    "crashed": ("X", "#FFFFFF", 7.0, ""),
    "redelivered": ("<", "#FFFFFF", 6.0, "delivered again"),
    "dead-lettered": ("s", "#000000", 6.0, "dead letter"),
    "expired": ("v", "#FFFFFF", 6.0, "expired"),
    "dropped": ("v", "#000000", 6.0, "dropped"),
    "rolled-back": ("v", "#FFFFFF", 6.0, "rolled back"),
    "lost": ("v", "#CC79A7", 6.0, "lost"),
    "repeated": ("2", INK, 7.0, "sent twice"),
    "unroutable": ("v", "#FFFFFF", 6.0, "no queue wants it"),
    "compensated": ("o", "#FFFFFF", 5.5, "effect undone"),
}


# --- what a user calls ----------------------------------------------------------------------------------------


def journey(one: Journey, ax: Axes | None = None) -> Axes:
    """One order through services, attempts and time."""
    return _draw([(one.architecture, one)], one.title, ax)


def journeys(several: Journeys, ax: Axes | None = None) -> Axes:
    """The same order in each architecture, on one axis of time."""
    return _draw(list(several.journeys.items()), _title_of(several), ax)


def journey_figure(one: Journey) -> Picture:
    """The picture of a journey as a figure of its own."""
    return _figure([(one.architecture, one)], one.title)


def journeys_figure(several: Journeys) -> Picture:
    """The picture of several journeys as a figure of its own."""
    return _figure(list(several.journeys.items()), _title_of(several))


def _title_of(several: Journeys) -> str:
    first = next(iter(several.journeys.values()))
    told: dict[str, list[str]] = {}
    for name, one in several.journeys.items():
        told.setdefault(one.customer_saw[-1][0], []).append(display(name))
    what = "; ".join(f"{state} ({listed(names)})" for state, names in told.items())
    return f"{first.name}, placed at {first.placed_s:.2f} s: {what}"


def _figure(shown: Sequence[tuple[str, Journey]], title: str) -> Picture:
    with styled():
        sheet = Sheet(shown, WIDTH * 72 - LEFT - RIGHT)
        figure = picture(WIDTH, 1.0)
        figure.set_layout_engine("none")
        _fit(figure, sheet, title)
        _draw_sheet(figure.axes[0], sheet, title)
    return figure


def _fit(figure: Picture, sheet: Sheet, title: str) -> None:
    """The height that the sheet needs, and axes of exactly its size."""
    above = 6 + TITLE_LINE * len(_title_lines(title, WIDTH * 72)) + BAND_LINE * sheet.band_lines + 4
    below = AXIS + LEGEND_LINE * _legend_rows(sheet) + 4
    height = above + sheet.height + below
    figure.set_size_inches(WIDTH, height / 72)
    figure.add_axes((LEFT / (WIDTH * 72), below / height, sheet.wide / (WIDTH * 72), sheet.height / height))


def _draw(shown: Sequence[tuple[str, Journey]], title: str, ax: Axes | None) -> Axes:
    with styled():
        if ax is None:
            sheet = Sheet(shown, WIDTH * 72 - LEFT - RIGHT)
            figure = axes(None).get_figure()
            assert figure is not None
            figure.clear()
            figure.set_layout_engine("none")  # type: ignore[union-attr]
            _fit(figure, sheet, title)  # type: ignore[arg-type]
            ax = figure.axes[0]
        else:
            sheet = Sheet(shown, ax.get_position().width * inches(ax)[0] * 72)
        _draw_sheet(ax, sheet, title)
    return ax


# --- drawing --------------------------------------------------------------------------------------------------


def _draw_sheet(ax: Axes, sheet: Sheet, title: str) -> None:
    ax.set_xlim(0.0, sheet.span_s)
    ax.set_ylim(sheet.height, 0.0)
    ax.grid(False, axis="y")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    _draw_axis(ax, sheet)
    _draw_bands(ax, sheet)
    for (name, one), top in zip(sheet.shown, sheet.headers, strict=True):
        if sheet.several:
            _draw_header(ax, sheet, name, one, top)
    for row in sheet.rows:
        _draw_row(ax, sheet, row)
    for number in range(len(sheet.rows)):
        _draw_causes(ax, sheet, number)
    _draw_legend(ax, sheet)
    lines = _title_lines(title, LEFT + sheet.wide + RIGHT)
    _beside(ax, "\n".join(lines), (6 - LEFT, 4 + BAND_LINE * sheet.band_lines), (0.0, 0.0), size=11.5, weight="bold",
            va="bottom", linespacing=1.15)  # fmt: skip


def _title_lines(title: str, wide: float) -> list[str]:
    columns = 80
    while columns > 20:
        lines = textwrap.wrap(title, columns)
        if all(text_points(line, 11.5, True) <= wide - 16 for line in lines):
            return lines
        columns -= 2
    return [title]


def _beside(ax: Axes, text: str, offset: tuple[float, float], at: tuple[float, float], **look_of: object) -> None:
    """A text left of the axes, or above: `at` is (fraction of the width, height in data), `offset` in points."""
    ax.annotate(text, at, xycoords=("axes fraction", "data"), xytext=offset, textcoords="offset points",
                annotation_clip=False, **look_of)  # type: ignore[arg-type]  # fmt: skip


def _draw_axis(ax: Axes, sheet: Sheet) -> None:
    unit, scale = ("s", 1.0) if sheet.span_s >= 1 else ("ms", 1e3) if sheet.span_s >= 1e-3 else ("µs", 1e6)
    ax.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * scale:g}"))
    ax.tick_params(axis="x", labelsize=9)
    name = sheet.shown[0][1].name
    ax.set_xlabel(f"time since {name} was placed ({unit})", fontsize=9, labelpad=2)


def _draw_bands(ax: Axes, sheet: Sheet) -> None:
    for text, left, right, begin, line in sheet.bands:
        ax.axvspan(left, right, facecolor=FAULT, alpha=0.22, linewidth=0, zorder=0)
        for edge in (left, right):
            if 0 < edge < sheet.span_s:
                ax.axvline(edge, color=QUIET, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0.5)
        ax.annotate(text, (begin, 0.0), xytext=(0, 2 + BAND_LINE * line), textcoords="offset points", ha="left",
                    va="bottom", fontsize=SMALL, color=INK, annotation_clip=False)  # fmt: skip


def _draw_header(ax: Axes, sheet: Sheet, name: str, one: Journey, top: float) -> None:
    colour = text_colour(look(one.architecture).colour)
    ax.plot([(8 - LEFT) / sheet.wide, 1.0], [top, top], transform=ax.get_yaxis_transform(), color=QUIET, linewidth=0.8,
            clip_on=False)  # fmt: skip
    _beside(ax, display(name), (8 - LEFT, 0), (0.0, top + HEADER / 2 + 1), size=11, weight="bold", color=colour,
            va="center")  # fmt: skip
    told = one.title.partition(": ")[2]
    _beside(ax, told, (2, 0), (0.0, top + HEADER / 2 + 1), size=9, color=INK, va="center")


def _draw_row(ax: Axes, sheet: Sheet, row: Row) -> None:
    _draw_name(ax, sheet, row)
    if row.line.service == CLIENT:
        _draw_seen(ax, sheet, row)
    for number, lane in enumerate(row.lanes):
        middle = row.middle(number)
        for bar in lane.bars:
            _draw_bar(ax, sheet, row, (bar.left, bar.right, middle), bar.step.kind)
        for mark in lane.marks:
            _draw_mark(ax, sheet, mark, middle)
        for word in lane.words:
            height = middle + (BAR / 2 + STRIP / 2 - 1 if word.below else 0.0)
            solid = word.on is not None and word.on.step.kind == "handled"
            dark = solid and _is_dark(row.journey.architecture)
            halo = [] if solid else [withStroke(linewidth=2.4, foreground="white")]
            ax.text(word.left / sheet.scale, height, word.text, fontsize=SMALL, va="center", ha="left",
                    color="#FFFFFF" if dark else INK, zorder=6, path_effects=halo)  # fmt: skip


def _is_dark(architecture: str) -> bool:
    return architecture in ("kafka", "monolith", "rabbitmq")


def _draw_name(ax: Axes, sheet: Sheet, row: Row) -> None:
    line, one = row.line, row.journey
    indent = 8 + 10 * min(line.depth, 4)
    room = LEFT - indent - 4
    name = ("└ " if line.depth else "") + one.who(line.service)
    middle = row.middle(0)
    _beside(ax, fitted(name, room, NAME, True), (indent - LEFT, 0), (0.0, middle), size=NAME, weight="bold",
            va="center", color=INK)  # fmt: skip
    small = fate(one, line)
    if sheet.roomy and small:
        _beside(ax, fitted(small, room), (indent - LEFT, 0), (0.0, middle + 11), size=SMALL, color=QUIET, va="center")
    if row is not sheet.rows[0] and row.top not in [top + HEADER for top in sheet.headers if sheet.several]:
        ax.axhline(row.top - GAP / 2 - 0.5, color="#E4E4E4", linewidth=0.7, zorder=0.2)


def _draw_bar(ax: Axes, sheet: Sheet, row: Row, place: tuple[float, float, float], kind: str) -> None:
    left, right, middle = place
    colour = look(row.journey.architecture).colour
    high = BAR - 2
    fill, edge, hatch = {
        "handled": (colour, INK, ""),
        "failed": (_BAD, INK, "/////"),
        "crashed": (_BAD, INK, "xxxxx"),
        "unfinished": (_BAD, colour, ""),
        "retry-wait": (_RETRY, QUIET, "...."),
        "open": (_OPEN, QUIET, ""),
    }.get(kind, (_WAITING, QUIET, ""))
    ax.add_patch(Rectangle(
        (left / sheet.scale, middle - high / 2), (right - left) / sheet.scale, high, facecolor=fill, edgecolor=edge,
        hatch=hatch, linewidth=0.7, zorder=4 if kind in ATTEMPTS else 3,
    ))  # fmt: skip


def _draw_mark(ax: Axes, sheet: Sheet, mark: Mark, middle: float) -> None:
    marker, fill, size, _ = _MARKS[mark.kind]
    ax.plot([mark.at / sheet.scale], [middle], marker=marker, markersize=size, markerfacecolor=fill,
            markeredgecolor=INK, markeredgewidth=1.6 if marker in "x2" else 0.9, linestyle="", zorder=5,
            clip_on=False)  # fmt: skip


def _draw_seen(ax: Axes, sheet: Sheet, row: Row) -> None:
    """What the customer saw after the answer, to the end of the picture; where all is done, a mark."""
    one = row.journey
    middle = row.middle(0)
    if one.answered_s is not None:
        fill, ink, hatch = _SAW[one.answer]
        left = (one.answered_s - sheet.start_s) * sheet.scale
        ax.add_patch(Rectangle(
            (left / sheet.scale, middle - BAR / 2 + 1), (sheet.wide - left) / sheet.scale, BAR - 2, facecolor=fill,
            edgecolor="#BBBBBB" if hatch == "///" else INK, hatch=hatch, linewidth=0.7, zorder=3,
        ))  # fmt: skip
        ax.add_patch(Rectangle((left / sheet.scale, middle - BAR / 2 + 1), (sheet.wide - left) / sheet.scale, BAR - 2,
                               facecolor="none", edgecolor=INK, linewidth=0.8, zorder=3.5))  # fmt: skip
        state = one.customer_saw[-1][0]
        short = (state, state.partition(":")[0])
        text = next((text for text in short if text_points(text) < sheet.wide - left - 8), "")
        star = ((one.done_s or 0.0) - sheet.start_s) * sheet.scale if done_unseen(one) else -MARK
        begin = left + 5 if not left - MARK < star < left + text_points(text) + MARK + 5 else star + MARK
        ax.text(begin / sheet.scale, middle, text, fontsize=SMALL, color=ink, va="center", zorder=6,
                bbox={"facecolor": fill, "edgecolor": "none", "pad": 0.8})  # fmt: skip
    if done_unseen(one):
        _draw_mark(ax, sheet, Mark("all-done", ((one.done_s or 0.0) - sheet.start_s) * sheet.scale), middle)


def _draw_causes(ax: Axes, sheet: Sheet, number: int) -> None:
    """An arrow from where a message was published to the line of each service that handles it."""
    row = sheet.rows[number]
    published = {step.text.removeprefix("publishes "): step.start_s for step in reversed(row.line.steps)
                 if step.kind == "published"}
    for below in sheet.rows[number + 1:]:
        if below.journey is not row.journey or below.line.depth <= row.line.depth:
            break
        start_s = published.get(below.line.event)
        if below.line.depth != row.line.depth + 1 or start_s is None:
            continue
        x = (start_s - sheet.start_s) * sheet.scale
        first = min((bar.left for lane in below.lanes for bar in lane.bars), default=x)
        lane = next((at for at, lane in enumerate(row.lanes) if any(bar.step.end_s == start_s for bar in lane.bars)), 0)
        _arrow(ax, sheet, (x, row.middle(lane) + BAR / 2 - 1), (first, below.middle(0)))


def _arrow(ax: Axes, sheet: Sheet, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x, y), (to_x, to_y) = start, end
    straight = to_x - x < 9
    turn = to_y - BAR / 2 + 1 if straight else to_y
    ax.plot([x / sheet.scale, x / sheet.scale], [y, turn], color=QUIET, linewidth=0.9, zorder=2.5)
    tip = (x, turn) if straight else (to_x, to_y)
    tail = (x, turn - 3) if straight else (x, to_y)
    ax.annotate("", (tip[0] / sheet.scale, tip[1]), (tail[0] / sheet.scale, tail[1]), zorder=2.5,
                arrowprops={"arrowstyle": "-|>", "color": QUIET, "linewidth": 0.9, "mutation_scale": 7, "shrinkA": 0,
                            "shrinkB": 0})  # fmt: skip


# --- the key --------------------------------------------------------------------------------------------------


def _legend_handles(sheet: Sheet) -> list[Patch | Line2D]:
    colour = look(sheet.shown[0][1].architecture).colour if not sheet.several else "#8A8A8A"
    boxes = {
        "waiting": (_WAITING, QUIET, "", "waits"),
        "open": (_OPEN, QUIET, "", "has a thread, or is open"),
        "handled": (colour, INK, "", "attempt, handled"),
        "failed": (_BAD, INK, "/////", "attempt, failed (×)"),
        "crashed": (_BAD, INK, "xxxxx", "attempt, crashed"),
        "unfinished": (_BAD, colour, "", "attempt, unfinished"),
        "retry-wait": (_RETRY, QUIET, "....", "waits before the next attempt"),
    }
    kinds = sheet.kinds | ({"waiting"} if "asking" in sheet.kinds else set())
    handles: list[Patch | Line2D] = [
        Patch(facecolor=fill, edgecolor=edge, hatch=hatch, linewidth=0.7, label=text)
        for kind, (fill, edge, hatch, text) in boxes.items() if kind in kinds
    ]  # fmt: skip
    for kind, (marker, fill, size, text) in _MARKS.items():
        if kind in kinds and text:
            handles.append(Line2D([], [], marker=marker, markersize=size, markerfacecolor=fill, markeredgecolor=INK,
                                  linestyle="", label=text))  # fmt: skip
    return handles


def _legend_columns(sheet: Sheet) -> int:
    """As many as the longest text has room for."""
    longest = max((text_points(str(handle.get_label())) for handle in _legend_handles(sheet)), default=1.0)
    return max(1, int((LEFT + sheet.wide) / (longest + 40)))


def _legend_rows(sheet: Sheet) -> int:
    return -(-len(_legend_handles(sheet)) // _legend_columns(sheet))


def _draw_legend(ax: Axes, sheet: Sheet) -> None:
    handles = _legend_handles(sheet)
    below = -AXIS / max(sheet.height, 1.0)
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=((6 - LEFT) / sheet.wide, below),
        ncols=_legend_columns(sheet), fontsize=SMALL, handlelength=1.8, handleheight=0.9, borderaxespad=0,
        borderpad=0.2, labelspacing=0.35, columnspacing=1.2,
    )  # fmt: skip
