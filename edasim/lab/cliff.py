"""Find my cliff: where a target ceases to hold, or begins to, as one of the sliders moves and the others stay."""

from __future__ import annotations

import asyncio
import contextlib
import html
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets as widgets

from edasim.lab.aims import aims
from edasim.lab.dials import Dial
from edasim.lab.guess import image
from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.find import FEWEST, FindInterrupted, find
from edasim.study.focus import fault_windows, spike_windows
from edasim.study.found import Found
from edasim.study.knob import measured
from edasim.study.words import display

if TYPE_CHECKING:
    from edasim.lab.explorer import Explorer

BUDGET = 20
"""At most so many replications at each value: the fewest with which ten runs of ten show that most recover."""
PARTS = 32
"""The search comes as close as this part of the slider's length."""
ALL = "all shown"
OWN = "something else:"
_MOMENT_S = 0.1
_RED = "#b00020"


@dataclass(frozen=True)
class Question:
    """What a search asks: where on this slider does the target tip over, everything else as it is in the scenario."""

    scenario: Scenario
    dial: Dial
    target: str
    architectures: tuple[str, ...]
    seed: int

    @property
    def usual_runs(self) -> int:
        """How many runs it takes where ten decide each value: both ends and the halvings."""
        steps = min(PARTS, max(1, len(self.dial.texts) - 1))
        return FEWEST * (2 + math.ceil(math.log2(steps))) * len(self.architectures)

    def answer(self, progress: Callable[[int, int], None]) -> Found | str:
        """What was found, also when it was stopped; or the sentence that says why nothing can be."""
        texts = self.dial.texts
        try:
            return find(self.scenario, {self.dial.path: f"{texts[0]} .. {texts[-1]}"}, self.target, self.architectures,
                        self.seed, BUDGET, within=self._within(), progress=progress)
        except FindInterrupted as stop:
            return stop.found
        except (ScenarioError, RuntimeError, ValueError, AssertionError) as problem:
            return str(problem)

    def _within(self) -> str:
        kind, _ = measured(self.scenario, self.dial.path)
        return kind.show(max(kind.grain, kind.tidy((self.dial.numbers[-1] - self.dial.numbers[0]) / PARTS)))

    def elsewhere(self, scenario: Scenario) -> bool:
        """Whether another scenario differs in more than the slider that was searched."""
        here = {self.dial.path: self.dial.value(self.dial.texts[0])}
        try:
            return scenario.change(here) != self.scenario.change(here)
        except ScenarioError:
            return scenario != self.scenario


class Cliff(widgets.VBox):
    """A question in a row, its progress, and the answer as a sentence and a chart; `found` is the last one.

    Where an event loop turns, the runs are done on a thread, so that the stop button and the sliders work meanwhile.
    """

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.found: Found | None = None
        self.asked: Question | None = None
        self.moves: list[widgets.Button] = []
        self._stop = threading.Event()
        self._by_hand = self._quiet = False
        self._runs = self._last = 0
        self._told_at = -math.inf
        dials = [(dial.label, path) for path, dial in explorer.dials.items()]
        self.aim = widgets.Dropdown(options=[OWN], layout=widgets.Layout(width="260px"))
        self.target = widgets.Text(value="recovers", continuous_update=False, layout=widgets.Layout(width="260px"),
                                   tooltip="A number of a run and its bound, as edasim find --target takes it")
        self.knob = widgets.Dropdown(options=dials, layout=widgets.Layout(width="210px"))
        self.where = widgets.Dropdown(options=[ALL], layout=widgets.Layout(width="130px"))
        self.search = widgets.Button(description="Search", button_style="primary", layout=widgets.Layout(width="90px"))
        self.stop = widgets.Button(description="Stop", layout=widgets.Layout(width="90px", display="none"))
        self.bar = widgets.IntProgress(value=0, min=0, max=1, layout=widgets.Layout(width="260px"))
        self.count = widgets.Label()
        self.progress = widgets.HBox([self.bar, self.count], layout=widgets.Layout(display="none"))
        self.told, self.note = widgets.HTML(), widgets.HTML()
        self.place = widgets.VBox()
        self.aim.observe(lambda _: self._aimed(), "value")
        self.target.observe(lambda _: self._typed(), "value")
        self.knob.observe(lambda _: self._picked(), "value")
        self.search.on_click(lambda _: self.begin())
        self.stop.on_click(lambda _: self._stop.set())
        row = widgets.Layout(flex_flow="row wrap", align_items="center")
        super().__init__([
            widgets.HBox([widgets.HTML("<b>Where does it tip over?</b>&ensp;As"), self.knob,
                          widgets.Label("moves, in"), self.where], layout=row),
            widgets.HBox([widgets.Label("is it still true that"), self.aim, self.target, self.search, self.stop],
                         layout=row),
            self.progress, self.told, self.note, self.place,
        ], layout=widgets.Layout(display="none", border="1px solid #ccc", padding="6px 10px", margin="4px 0"))
        self.add_class("edasim-cliff")

    # --- the question -----------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Open it for what is shown now, or close it."""
        closed = self.layout.display == "none"
        self.layout.display = "" if closed else "none"
        self._by_hand = False
        if closed:
            self.follow()
            self._offer()

    def preselect(self, path: str) -> None:
        """The slider that was moved last is meant, unless the reader has chosen another."""
        if not self._by_hand:
            self._quiet, self.knob.value = True, path
            self._quiet = False

    def follow(self) -> None:
        """Offer the architectures that are shown, and say when an answer is about other values than are shown."""
        shown = self.explorer.shown
        options = [(display(name), name) for name in shown] + ([(ALL, ALL)] if len(shown) != 1 else [])
        if tuple(self.where.options) != tuple(options):
            before = self.where.value
            self.where.options = options
            self.where.value = before if before in shown else options[0][1]
        moved = self.found is not None and self.asked is not None and self.asked.elsewhere(self.explorer.scenario)
        self.note.value = _grey("Other sliders have moved since: search again.") if moved else ""

    def _offer(self) -> None:
        """The targets that make sense now."""
        offered = aims(self.explorer.scenario, self.explorer.seen)
        self._quiet = True
        self.aim.options = [*offered, (OWN, OWN)]
        self._quiet = False
        self._typed()

    def _aimed(self) -> None:
        if not self._quiet and self.aim.value != OWN:
            self.target.value = self.aim.value

    def _typed(self) -> None:
        """The list shows the words of what is written, if it has any."""
        known = [target for _, target in self.aim.options] if isinstance(self.aim.options[0], tuple) else []
        if known:
            self._quiet = True
            self.aim.value = self.target.value if self.target.value in known else OWN
            self._quiet = False

    def _picked(self) -> None:
        self._by_hand = self._by_hand or not self._quiet

    # --- the search -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Search, on a thread where an event loop turns; at once where none does (scripts, tests) or none can start."""
        if self.search.disabled:
            return
        self.found, self.asked, self.note.value = None, None, ""
        self._show([], None)
        sentence = self._missing()
        if sentence:
            self.told.value = _red(sentence)
            return
        self.asked = asked = Question(
            self.explorer.scenario, self.explorer.dials[self.knob.value], self.target.value,
            tuple(self.explorer.shown) if self.where.value == ALL else (self.where.value,), self.explorer.seed.value)
        self._busy(True, asked.usual_runs)
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._on_a_thread, args=(asked, loop), daemon=True).start()
            return
        self._finish(asked.answer(lambda done, _: self._count(done, self._tell)))

    def _missing(self) -> str:
        if not self.explorer.dials:
            return "There is no slider to search on: name some under knobs, such as client.timeout: 1s .. 30s."
        if not self.explorer.shown:
            return "No architecture is shown: switch one on."
        if self.explorer.problem.value:
            return "The sliders stand where no shop can be, as the red sentence says: move them first."
        return ""

    def _on_a_thread(self, asked: Question, loop: asyncio.AbstractEventLoop) -> None:
        """The runs are done here; all that is shown is shown by the loop's own thread. A closed one needs nothing."""
        def tell() -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell)

        answer = asked.answer(lambda done, _: self._count(done, tell))
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._finish, answer)

    def _count(self, done: int, tell: Callable[[], None]) -> None:
        """One more run of this look is done; `done` begins at those that were known before."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._runs += max(0, done - self._last) if done else 0
        self._last = done
        if time.monotonic() - self._told_at >= _MOMENT_S:
            self._told_at = time.monotonic()
            tell()

    def _tell(self) -> None:
        self.bar.max = max(self.bar.max, self._runs + FEWEST)
        self.bar.value = self._runs
        self.count.value = f"{self._runs} runs of about {self.bar.max}"

    def _busy(self, busy: bool, usual: int = 1) -> None:
        if busy:
            self._stop.clear()
            self._runs = self._last = self.bar.value = 0
            self._told_at, self.bar.max, self.told.value = -math.inf, usual, ""
            self._tell()
        self.search.disabled = busy
        self.stop.layout.display = "" if busy else "none"
        self.progress.layout.display = "" if busy else "none"

    # --- the answer -------------------------------------------------------------------------------------------

    def _finish(self, answer: Found | str) -> None:
        self._busy(False)
        if isinstance(answer, str):
            self.told.value = _red(answer)
            return
        assert self.asked is not None, "an answer belongs to a question"
        self.found = answer
        lines = [f"<b>{html.escape(sentence)}</b>" for sentence in answer.sentences().split("\n")]
        self.told.value = f'<div style="line-height:1.4">{"<br>".join(lines)}</div>{_grey(self._how())}'
        tried = any(len(search.tried) > 1 for search in answer.searches.values())
        self._show([button for name in answer.searches for button in self._ways(answer, name)],
                   image(answer.chart()) if tried else None)
        self.follow()

    def _how(self) -> str:
        """How it was searched, and what helps where nothing was found."""
        assert self.found is not None and self.asked is not None, "it was searched"
        said = [f"{self._runs} runs: 10 to {BUDGET} at each value, all with the same seeds; the other sliders as they "
                "stood."]
        outcomes = {search.outcome for search in self.found.searches.values()}
        if any(outcome.startswith("holds") for outcome in outcomes):
            said.append("Where nothing tips over on the whole slider, move another one, or ask for more or for less.")
        dated = [*fault_windows(self.asked.scenario), *spike_windows(self.asked.scenario)]
        if self.found.target.is_share and not dated:
            said.append("Nothing breaks here at a known time, so that “recovers” only asks whether all work is done "
                        "when the run ends.")
        if "undecided" in outcomes:
            said.append(f"More runs decide more: edasim.find(..., budget={4 * BUDGET}).")
        return " ".join(said)

    def _ways(self, found: Found, name: str) -> list[widgets.Button]:
        """Buttons that move the slider to either side of the edge."""
        search = found.searches[name]
        if search.bracket is None or self.asked is None:
            return []
        before = f"{display(name)}: " if len(found.searches) > 1 else ""
        holds, fails = search.bracket
        sides = ((holds, search.rising, "holds"), (fails, not search.rising, "fails"))
        return [self._way(self.asked.dial, number, up, f"{before}%s, where it {does}") for number, up, does in sides]

    def _way(self, dial: Dial, number: float, up: bool, text: str) -> widgets.Button:
        """To the slider's step at a value, or the next one away from the edge."""
        beyond = [step for step in dial.numbers if (step >= number * (1 - 1e-9) if up else step <= number * (1 + 1e-9))]
        place = dial.nearest(min(beyond) if up else max(beyond))
        button = widgets.Button(description=f"Go to {text % place}", layout=widgets.Layout(width="auto"),
                                tooltip=f"Move the slider {dial.label} to {place}")
        button.on_click(lambda _: self.explorer.set(dial.path, place))
        return button

    def _show(self, moves: list[widgets.Button], chart: widgets.Image | None) -> None:
        self.moves = moves
        row = widgets.HBox(moves, layout=widgets.Layout(flex_flow="row wrap"))
        if chart is not None:
            chart.layout.width, chart.layout.max_width = "640px", "100%"
        self.place.children = [*([row] if moves else []), *([chart] if chart is not None else [])]


def _red(sentence: str) -> str:
    return f'<div style="color:{_RED}">{html.escape(sentence)}</div>'


def _grey(sentence: str) -> str:
    return f'<div style="color:#666;font-size:12px;line-height:1.35">{html.escape(sentence)}</div>'
