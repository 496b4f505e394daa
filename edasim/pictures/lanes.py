"""Room on a line of time: bars in lanes, marks that do not touch, words where they fit.  All lengths are points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from edasim.measure.journey import ATTEMPTS, Line, Step, length_text

SMALL = 8.0
"""The smallest letters, in points of a page of 8 inches (1200 pixels)."""
MARK = 8.0
LEAST = 4.0
"""How wide an attempt is drawn at least."""
_PAD = 3.0
_NARROW = 24.0
_NEAR = 70.0
_MARKED = ("applied", "deduplicated", "redelivered", "dead-lettered", "expired", "dropped", "lost", "repeated",
           "rolled-back", "unroutable", "compensated")  # fmt: skip


@lru_cache(maxsize=4096)
def text_points(text: str, size: float = SMALL, bold: bool = False) -> float:
    """How wide a text is."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def fitted(text: str, room: float, size: float = SMALL, bold: bool = False) -> str:
    """The text, or as much of it as there is room for."""
    if text_points(text, size, bold) <= room:
        return text
    while text and text_points(text + "…", size, bold) > room:
        text = text[:-1]
    return text + "…"


class Taken:
    """What is taken of one line."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def free(self, left: float, right: float) -> bool:
        """Whether nothing stands between."""
        return all(right <= one or other <= left for one, other in self._spans)

    def take(self, left: float, right: float) -> None:
        """It is taken from now on."""
        self._spans.append((left, right))


@dataclass(frozen=True)
class Bar:
    """A step as it is drawn, from left to right."""

    step: Step
    left: float
    right: float


@dataclass(frozen=True)
class Mark:
    """A step that takes no time, or how an attempt ended badly; several of a kind that would touch are one."""

    kind: str
    at: float
    count: int = 1


@dataclass(frozen=True)
class Word:
    """A text beside, in (`on`) or below a bar, beginning at `left`."""

    text: str
    left: float
    below: bool
    on: Bar | None = None


@dataclass
class Lane:
    """Bars one after another, with their marks and words; `caused`: an arrow comes from the left."""

    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    caused: bool = False

    @property
    def has_strip(self) -> bool:
        """Whether words stand below its bars."""
        return any(word.below for word in self.words)


def lanes_of(line: Line, start_s: float, scale: float, room: float, strips: bool) -> list[Lane]:
    """The lanes of one line: `scale` points a second from `start_s` on, `room` points in all.

    Without `strips` words stand in and beside bars only.
    """

    def across(time_s: float) -> float:
        return (time_s - start_s) * scale

    lanes = _packed(line, across)
    for step in line.steps:
        if step.kind in _MARKED:
            lane, at = _home(lanes, step, across(step.start_s))
            _add_mark(lane, step.kind, at)
    for lane in lanes:
        _write_words(lane, room, strips)
    return lanes


def _home(lanes: list[Lane], step: Step, at: float) -> tuple[Lane, float]:
    """The lane in which something happened, and where: at the drawn end of the attempt that it belongs to."""
    attempts = [(lane, bar) for lane in lanes for bar in lane.bars if bar.step.kind in ATTEMPTS]
    for lane, bar in attempts:
        if bar.step.end_s == step.start_s:
            return lane, bar.right
    for lane, bar in attempts:
        if bar.step.end_s < step.start_s and at < bar.right and step.kind != "redelivered":
            return lane, bar.right
    return lanes[0], at


def _packed(line: Line, across: Callable[[float], float]) -> list[Lane]:
    """Bars into as few lanes as hold them, what follows at once in the same, a mark where an attempt ended badly."""
    lanes: list[Lane] = [Lane(caused=line.depth > 0)]
    for step in line.steps:
        if step.length_s <= 0 and step.kind not in ATTEMPTS:
            continue
        left = across(step.start_s)
        right = max(across(step.end_s), left + (LEAST if step.kind in ATTEMPTS else 0.8))
        ends_s = [lane.bars[-1].step.end_s if lane.bars else -1.0 for lane in lanes]
        free = [number for number, end_s in enumerate(ends_s) if end_s <= step.start_s + 1e-12]
        if not free:
            free = [len(lanes)]
            lanes.append(Lane())
            ends_s.append(-1.0)
        lane = lanes[max(free, key=lambda number: (abs(ends_s[number] - step.start_s) < 1e-12, -number))]
        lane.bars.append(Bar(step, left, right))
        if step.kind in ("failed", "crashed"):
            lane.marks.append(Mark(step.kind, right))
    return lanes


def _add_mark(lane: Lane, kind: str, at: float) -> None:
    """Where it happened, or right of other marks that stand there."""
    for number, mark in sorted(enumerate(lane.marks), key=lambda one: one[1].at):
        if abs(mark.at - at) < MARK - 0.1:
            if mark.kind == kind:
                lane.marks[number] = replace(mark, count=mark.count + 1)
                return
            at = mark.at + MARK
    lane.marks.append(Mark(kind, at))


# --- words ----------------------------------------------------------------------------------------------------


def _write_words(lane: Lane, room: float, strips: bool) -> None:
    """Words for what matters most first; what finds no room is left to the text of the journey."""
    level, strip = Taken(), Taken()
    for bar in lane.bars:
        level.take(bar.left, bar.right)
    for mark in lane.marks:
        level.take(mark.at - MARK / 2, mark.at + MARK / 2)
    wanted: list[tuple[int, float, float, Bar | None, list[str]]] = [
        (0, mark.at, mark.at + MARK / 2, None, texts) for mark in lane.marks if (texts := _mark_texts(mark))
    ]
    for group in _groups(lane.bars):
        alone = group[0] if len(group) == 1 else None
        rank = 1 if any(one.step.kind in ATTEMPTS for one in group) else 2
        wanted.append((rank, group[0].left, group[-1].right, alone, _texts(group)))
    for rank, left, right, on, texts in sorted(wanted, key=lambda one: (one[0], one[1] - one[2])):
        word = _placed(lane, (left, right), on, texts, (level, strip if strips and rank < 2 else None, room))
        if word is not None:
            lane.words.append(word)


def _placed(
    lane: Lane, span: tuple[float, float], bar: Bar | None, texts: list[str],
    where: tuple[Taken, Taken | None, float],
) -> Word | None:  # fmt: skip
    """The longest text that has room, in its bar, beside it, or below it."""
    (left, right), (level, strip, room) = span, where
    after = max([right, *(mark.at + MARK / 2 for mark in lane.marks if left - 1 <= mark.at <= right + MARK)])
    for text in texts:
        wide = text_points(text)
        if bar is not None:
            bare_left, bare_right = _bare(lane, bar)
            if wide + 2 * _PAD <= bare_right - bare_left:
                return Word(text, (bare_left + bare_right - wide) / 2, False, bar)
        if bar is not None and bar.step.kind not in ATTEMPTS:
            continue
        # Beyond a mark that is not its own a text would be read as that mark's, unless it is a length.
        marks = lane.marks if text[:1].isdigit() and "×" not in text else []
        beyond = min((mark.at + MARK / 2 for mark in marks if after < mark.at < after + _NEAR), default=after)
        for start in (after + _PAD, beyond + _PAD, *([] if lane.caused else [left - _PAD - wide])):
            if start >= 0 and start + wide <= room and level.free(start - 1, start + wide + 1):
                level.take(start - 1, start + wide + 1)
                return Word(text, start, False)
        for start in (left, (left + right - wide) / 2, right - wide) if strip is not None else ():
            start = min(max(start, 0.0), room - wide)
            if start >= 0 and strip.free(start - _PAD, start + wide + _PAD):  # type: ignore[union-attr]
                strip.take(start - _PAD, start + wide + _PAD)  # type: ignore[union-attr]
                return Word(text, start, True)
    return None


def _bare(lane: Lane, bar: Bar) -> tuple[float, float]:
    """The widest part of a bar on which nothing stands: no mark, and no attempt that is drawn wider than it took."""
    spans = [(mark.at - MARK / 2, mark.at + MARK / 2) for mark in lane.marks]
    spans += [(one.left, one.right) for one in lane.bars if one is not bar and one.step.kind in ATTEMPTS]
    edge, best = bar.left, (bar.left, bar.left)
    for left, right in sorted((*spans, (bar.right, bar.right))):
        if right < bar.left:
            continue
        left = min(left, bar.right)
        best = max(best, (edge, left), key=lambda span: span[1] - span[0])
        edge = max(edge, right)
    return best


def _groups(bars: list[Bar]) -> list[list[Bar]]:
    """Bars one by one, but attempts that are drawn too close to be told apart together."""
    groups: list[list[Bar]] = []
    last: list[Bar] = []
    for bar in bars:
        if bar.step.kind not in ATTEMPTS:
            groups.append([bar])
        elif last and bar.left - last[-1].right < MARK and max(_wide(bar), _wide(last[-1])) < _NARROW:
            last.append(bar)
        else:
            groups.append(last := [bar])
    return groups


def _wide(bar: Bar) -> float:
    return bar.right - bar.left


def _texts(group: list[Bar]) -> list[str]:
    """What to say of a bar, or of several attempts, the longest first."""
    step = group[0].step
    if len(group) > 1:
        bad = [bar.step for bar in group if bar.step.kind in ("failed", "crashed")]
        numbers = f"attempts {step.attempt}–{group[-1].step.attempt}"
        said = "fail" if len(bad) == len(group) else f"{len(bad)} fail" if bad else "handled"
        whole = length_text(group[-1].step.end_s - step.start_s)
        return [f"{numbers} in {whole}: {said}", f"{numbers}: {said}", f"{len(group)} attempts", f"{len(group)}×"]
    length = length_text(step.length_s)
    return {
        "handled": [f"attempt {step.attempt}, {length}" if step.attempt > 1 else length, length],
        "failed": [f"attempt {step.attempt} fails, {length}", f"fails, {length}", length],
        "crashed": [f"attempt {step.attempt} crashes, {length}", f"crash, {length}", length],
        "unfinished": ["unfinished when the run ends", "unfinished"],
        "retry-wait": [f"next attempt after {length}", f"retry: {length}", length],
        "open": [f"{step.text.split(',')[0]} {length}", f"open {length}", length],
        "asking": [f"{step.text} {length}", f"waits {length}", length],
    }.get(step.kind, [f"{step.text} {length}", f"waits {length}", length])


def _mark_texts(mark: Mark) -> list[str]:
    if mark.kind == "applied":
        return [f"{mark.count} effects"] if mark.count > 1 else []
    texts = {
        "redelivered": ["delivered again", "again"],
        "dead-lettered": ["dead letter"],
        "deduplicated": ["repetition: nothing done", "repetition"],
        "repeated": ["sent twice"],
        "failed": [],
        "crashed": [],
    }.get(mark.kind, [mark.kind.replace("-", " ")])
    many = {"dead letter": "dead letters"}
    return texts if mark.count == 1 else [f"{mark.count}× {many.get(text, text)}" for text in texts]
