"""The layout of journeys on a page, in points: rows from the top, one axis of time, names of faults above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edasim.measure.journey import CLIENT, Journey, Line, length_text
from edasim.pictures.lanes import Lane, Taken, fitted, lanes_of, text_points
from edasim.study.words import counted, listed

WIDTH = 8.0
LEFT, RIGHT = 136.0, 14.0
BAR, STRIP, GAP = 13.0, 11.0, 6.0
HEADER, TITLE_LINE, BAND_LINE, AXIS, LEGEND_LINE = 22.0, 15.0, 12.0, 32.0, 13.0
ROOMY_LINES = 26
"""With more lines than these, words stand in and beside bars only, and a line has one row of text."""
NAME = 9.0
AFTER = 78.0
"""So much room is left after the last step, for words and for what the customer sees from then on."""


@dataclass
class Row:
    """One line as it is laid out: `top` is where it begins, in points from the top of the axes."""

    journey: Journey
    line: Line
    lanes: list[Lane]
    top: float = 0.0

    def height(self, roomy: bool) -> float:
        """All its lanes with their words; in a roomy picture its own name has two lines."""
        lanes = sum(BAR + (STRIP if lane.has_strip else 0.0) for lane in self.lanes)
        named_twice = roomy and bool(fate(self.journey, self.line))
        return max(lanes, 2 * BAR - 4 if named_twice else BAR) + (GAP if roomy else GAP - 2)

    def middle(self, number: int) -> float:
        """The middle of the bars of a lane."""
        above = sum(BAR + (STRIP if lane.has_strip else 0.0) for lane in self.lanes[:number])
        return self.top + above + BAR / 2


class Sheet:
    """The layout of some journeys, one under the other: rows, the axis of time, how high all of it is.

    `wide` is how many points the axes are wide.
    """

    def __init__(self, shown: Sequence[tuple[str, Journey]], wide: float) -> None:
        self.shown = shown
        self.several = len(shown) > 1
        self.wide = wide
        journeys = [journey for _, journey in shown]
        self.start_s = min(journey.placed_s for journey in journeys)
        last_s = max(max(one.end_s, one.answered_s or one.placed_s) for one in journeys)
        self.scale = (wide - AFTER) / max(last_s - self.start_s, 1e-6)
        self.span_s = wide / self.scale
        count = sum(len(journey.lines) for journey in journeys)
        self.roomy = count <= ROOMY_LINES
        self.headers: list[float] = []
        self.rows: list[Row] = []
        self.height = self._lay_out()
        self.bands, self.band_lines = self._band_places(journeys)
        self.kinds = {step.kind for journey in journeys for step in journey.steps}
        self.kinds |= {"all-done" for journey in journeys if done_unseen(journey)}

    def _lay_out(self) -> float:
        top = GAP
        for _, journey in self.shown:
            self.headers.append(top)
            top += HEADER if self.several else 0.0
            for line in journey.lines:
                strips = self.roomy or line.service == CLIENT
                row = Row(journey, line, lanes_of(line, self.start_s, self.scale, self.wide, strips), top)
                self.rows.append(row)
                top += row.height(self.roomy)
            top += GAP if self.several else 0.0
        return top

    def _band_places(self, journeys: list[Journey]) -> tuple[list[tuple[str, float, float, float, int]], int]:
        """(text, start, end, where its name begins, in which line) for each fault; names that would touch move up."""
        found: dict[tuple[float, float], list[str]] = {}
        for text, start_s, end_s in dict.fromkeys(band for journey in journeys for band in journey.bands):
            found.setdefault((start_s, end_s), []).append(text)
        lines: list[Taken] = []
        places = []
        for (start_s, end_s), texts in found.items():
            left = max(0.0, (start_s - self.start_s) * self.scale)
            right = min(self.wide, (end_s - self.start_s) * self.scale)
            if left > self.wide or right < 0:
                continue
            name = fitted(listed(texts), self.wide)
            wide = text_points(name)
            begin = min(max(0.0, (left + right - wide) / 2), self.wide - wide)
            number = next((one for one, line in enumerate(lines) if line.free(begin - 4, begin + wide + 4)), len(lines))
            if number == len(lines):
                lines.append(Taken())
            lines[number].take(begin - 4, begin + wide + 4)
            places.append((name, left / self.scale, right / self.scale, begin / self.scale, number))
        return places, len(lines)


def fate(one: Journey, line: Line) -> str:
    """What came of it here, in few words."""
    if line.depth:
        return f"on {line.event}"
    if line.service == CLIENT or not line.attempts:
        return ""
    many = counted(len(line.attempts), "attempt")
    effects = line.times("applied")
    if len(effects) > 1:
        return f"{many}, {len(effects)} effects"
    if effects:
        return f"{many}, effect at {length_text(effects[0] - one.placed_s)}"
    return f"{many}, no effect"


def done_unseen(one: Journey) -> bool:
    """Whether all was done at another time than the customer was told."""
    return one.done_s is not None and not (one.answer == "done" and one.done_s <= (one.answered_s or 0.0))
