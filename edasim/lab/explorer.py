"""Exploring: the scenario's knobs as sliders, the architectures as toggles, and pictures that follow at once."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from edasim.core.files import write_whole
from edasim.core.quantity import SECOND_NS, show_duration
from edasim.lab.bands import after_the_faults_ns, bands
from edasim.lab.beside import readout, readout_beside
from edasim.lab.cliff import Cliff
from edasim.lab.dials import Dial, dials
from edasim.lab.drawing import Chart, drawn
from edasim.lab.guess import COVERED, Guess, image
from edasim.lab.panels import Panels
from edasim.lab.picture import Picture
from edasim.lab.seen import Seen, see, told
from edasim.lab.track import paint
from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_yaml
from edasim.simulate import Run, simulate
from edasim.study.compare import chosen_architectures, compare
from edasim.study.words import display

_SOON_S = 0.02
_REST_S = 0.5
_TENTH_NS = SECOND_NS // 10
REPLICATIONS = 10
"""How many runs the error bars are made of."""
REDRIVE_RATES = ("5/s", "20/s", "100/s")


class Explorer(widgets.VBox):
    """Sliders beside pictures.

    `scenario` is the one that is shown now, `runs` its runs by architecture, `sliders` by path.  A change waits a
    moment for the next one, so that a dragged slider does not run everything in between.
    """

    def __init__(self, scenario: Scenario, knobs: Iterable[str] | None, architectures: Sequence[str],
                 chart: Chart | None, seed: int) -> None:
        self.base = scenario
        self.scenario = scenario
        self.chart = chart
        self.runs: dict[str, Run] = {}
        self.pinned: list[Seen] = []
        self.title = ""
        self._seen: dict[str, Seen] = {}
        self._values: dict[str, object] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._quiet = False
        self.panels = Panels(architectures)
        self.picture = Picture()
        self.place = widgets.VBox([self.picture])
        self.dials = {dial.path: dial for dial in dials(scenario, knobs)}
        self.sliders = {path: self._slider(dial) for path, dial in self.dials.items()}
        self.toggles = {name: self._toggle(name) for name in architectures}
        self.seed = widgets.BoundedIntText(value=seed, min=0, max=2**31 - 1, description="seed",
                                           layout=widgets.Layout(width="150px"),
                                           style={"description_width": "40px"})
        self.seed.observe(lambda _: self._later("run", _SOON_S, self.refresh), "value")
        self.redrive = widgets.ToggleButton(value=False, description="Redrive dead letters",
                                            layout=widgets.Layout(width="200px"),
                                            tooltip="Hand what was given up to its service again, after the faults")
        self.redrive_rate = widgets.Dropdown(options=REDRIVE_RATES, value=REDRIVE_RATES[1],
                                             layout=widgets.Layout(width="100px"))
        for one in (self.redrive, self.redrive_rate):
            one.observe(lambda _: self._redrive_moved(), "value")
        self.status = widgets.HTML()
        self.problem = widgets.HTML()
        self.theory = widgets.HTML()
        self.text = widgets.Textarea(layout=widgets.Layout(width="98%", height="180px", display="none"))
        self.picture.observe(self._dragged, "moved")
        self.cliff = Cliff(self)
        self._tracks = widgets.HTML()
        super().__init__([
            widgets.HBox(
                [self._controls(), widgets.VBox([self.place, self.problem, self.cliff, self.theory, self.text],
                                                layout=widgets.Layout(flex="1 1 560px", min_width="0"))],
                layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start")),
            self._tracks,
        ])
        self.add_class("edasim-explorer")
        self.refresh()
        self._rest()

    # --- the controls -----------------------------------------------------------------------------------------

    def _controls(self) -> widgets.VBox:
        buttons = {
            "Pin this run": (self.pin, "Keep it as a faint line beside the next ones; once more lets it go"),
            "Reset": (self.reset, "Back to the scenario as it was"),
            "Copy as YAML": (self.copy, "The scenario as it stands now"),
            "With error bars": (self.error_bars, f"Run it {REPLICATIONS} times: waits with error bars beside theory"),
            "Save chart": (self.save, "As a PNG in the notebook's folder"),
            "Find my cliff": (self.cliff.toggle, "Where on a slider the shop ceases to recover, or whatever you ask"),
        }
        self.buttons = {}
        for text, (action, tooltip) in buttons.items():
            button = widgets.Button(description=text, tooltip=tooltip, layout=widgets.Layout(width="160px"))
            button.on_click(lambda _, action=action: action())
            self.buttons[text] = button
        return widgets.VBox(
            [
                widgets.HBox(list(self.toggles.values()), layout=widgets.Layout(flex_flow="row wrap", width="340px")),
                *self.sliders.values(),
                self.seed,
                widgets.HBox([self.redrive, self.redrive_rate]),
                widgets.HBox(list(self.buttons.values()), layout=widgets.Layout(flex_flow="row wrap", width="340px")),
                self.status,
            ],
            layout=widgets.Layout(width="350px", flex="0 0 auto"),
        )

    def _toggle(self, name: str) -> widgets.ToggleButton:
        toggle = widgets.ToggleButton(value=True, description=display(name), layout=widgets.Layout(width="160px"),
                                      tooltip=f"Show {display(name)}")
        toggle.observe(lambda _: self._later("run", _SOON_S, self.refresh), "value")
        return toggle

    def _slider(self, dial: Dial) -> widgets.SelectionSlider:
        slider = widgets.SelectionSlider(
            options=dial.texts, index=dial.start, description=dial.label, continuous_update=True,
            layout=widgets.Layout(width="340px"), style={"description_width": "125px"},
        )
        slider.tooltip = dial.path
        slider.add_class(_css_class(dial.path))
        slider.observe(lambda change: self._moved(dial, change["new"]), "value")
        return slider

    def _moved(self, dial: Dial, text: str) -> None:
        if self._quiet:
            return
        self._values[dial.path] = dial.value(text)
        self.cliff.preselect(dial.path)
        self._later("run", _SOON_S, self.refresh)

    def _dragged(self, change: dict[str, Any]) -> None:
        """A band was dragged: its fault begins and ends elsewhere."""
        moved = change["new"]
        if self.scenario.faults.get(moved.get("name")) is None:
            return
        start_ns, end_ns = (round(moved[side] * SECOND_NS / _TENTH_NS) * _TENTH_NS for side in ("start", "end"))
        path = f"faults.{moved['name']}"
        lengths_ns = {"at": start_ns, "for": max(_TENTH_NS, end_ns - start_ns)}
        self._quiet = True
        for key, length_ns in lengths_ns.items():
            text = show_duration(length_ns)
            dial = self.dials.get(f"{path}.{key}")
            if dial is not None:
                # Its slider follows, and stands where it can.
                text = self.sliders[dial.path].value = dial.nearest(length_ns)
            self._values[f"{path}.{key}"] = text
        self._quiet = False
        self._later("run", _SOON_S, self.refresh)

    def _redrive_moved(self) -> None:
        """Redrive the dead letters of every service, or leave them where they lie."""
        if self._quiet:
            return
        spec = {"at": show_duration(after_the_faults_ns(self.scenario)), "rate": self.redrive_rate.value}
        for name, service in self.base.services.items():
            path = f"services.{name}.redrive"
            self._values.pop(path, None)
            if self.redrive.value and service.dead_letters:
                self._values[path] = spec
        self._later("run", _SOON_S, self.refresh)

    def _later(self, name: str, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action after a moment without another change; at once where no event loop turns (tests, scripts)."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            action()
            return
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = loop.call_later(delay_s, action)

    # --- showing ----------------------------------------------------------------------------------------------

    def set(self, path: str, text: str) -> None:
        """Move a slider, as a reader would; raises `KeyError` for a path without one."""
        self.sliders[path].value = text

    @property
    def shown(self) -> list[str]:
        """The architectures that are switched on."""
        return [name for name, toggle in self.toggles.items() if toggle.value]

    @property
    def seen(self) -> list[Seen]:
        """What the panels show of the present runs."""
        return list(self._seen.values())

    def refresh(self) -> None:
        """Run what is set, and draw it; a value that cannot be says why, and the last picture stays."""
        self._timers.pop("run", None)
        self.status.value = "<i>running …</i>"
        try:
            self.scenario = self.base.change(self._values) if self._values else self.base
            self.runs = {name: simulate(self.scenario, name, seed=self.seed.value) for name in self.shown}
        except (ScenarioError, RuntimeError, ValueError, AssertionError) as problem:
            self.problem.value = f'<div style="color:#b00020">{html.escape(str(problem))}</div>'
            self.status.value = ""
            return
        self.problem.value = ""
        self._seen = {name: see(run) for name, run in self.runs.items()}
        self.title = told(list(self._seen.values()))
        self.theory.value = readout(self.scenario, self.shown)
        self._draw()
        self.status.value = ""
        self.cliff.follow()
        self._later("rest", _REST_S, self._rest)

    def _draw(self) -> None:
        if self.chart is not None:
            self.place.children = [_own_chart(self.chart, list(self.runs.values()))]
            return
        self.picture.png = self.panels.png(list(self._seen.values()), self.pinned)
        self.picture.alt = self.title
        self._put_bands()

    def _put_bands(self) -> None:
        self.picture.boxes = self.panels.boxes()
        self.picture.end_s = self.panels.scales.end_s
        self.picture.bands = bands(self.scenario)

    def _rest(self) -> None:
        """Nothing moves any more: the axes may fit anew, and the tracks are coloured for where things stand."""
        self._timers.pop("rest", None)
        seen = [*self._seen.values(), *self.pinned]
        if self.chart is None and seen and not self.panels.scales.fit(type(self.panels.scales).of(seen)):
            self.panels.fit(seen)
            self._draw()
        classes = {path: _css_class(path) for path in self.sliders}
        self._tracks.value = paint(self.scenario, list(self.dials.values()), classes)

    # --- the buttons ------------------------------------------------------------------------------------------

    def pin(self) -> None:
        """Keep the present runs as faint lines; once more lets them go."""
        self.pinned = [] if self.pinned else list(self._seen.values())
        self.buttons["Pin this run"].description = "Unpin" if self.pinned else "Pin this run"
        self._draw()

    def reset(self) -> None:
        """Back to the scenario as it was given."""
        self._values.clear()
        self._quiet = True
        for path, dial in self.dials.items():
            self.sliders[path].index = dial.start
        self.redrive.value = False
        self._quiet = False
        self.refresh()

    def error_bars(self) -> None:
        """Run what is set several times: waits with error bars beside theory, until something moves again."""
        if not self.shown:
            return
        self.status.value = f"<i>running {REPLICATIONS} times …</i>"
        try:
            self.theory.value = readout_beside(compare(self.scenario, self.shown, REPLICATIONS, self.seed.value))
        except (ScenarioError, RuntimeError, ValueError, AssertionError) as problem:
            self.problem.value = f'<div style="color:#b00020">{html.escape(str(problem))}</div>'
        self.status.value = ""

    def copy(self) -> None:
        """The scenario as it stands, on the clipboard and as a text to select."""
        text = to_yaml(self.scenario)
        self.picture.copy(text)
        self.text.value = text
        self.text.layout.display = "none" if self.text.layout.display != "none" else ""

    def save(self, folder: str | Path = ".") -> Path:
        """Write the picture as a PNG that does not overwrite another; says where."""
        name = re.sub(r"[^a-z0-9]+", "-", self.scenario.title.lower()).strip("-")[:60] or "chart"
        place = Path(folder)
        file = next(path for number in range(1, 100_000)
                    if not (path := place / (f"{name}.png" if number == 1 else f"{name}-{number}.png")).exists())
        data = self.picture.png if self.chart is None else self.place.children[0].value
        write_whole(file, bytes(data))
        self.status.value = f"Saved as {html.escape(file.name)}"
        return file

    def cover(self, guess: Guess) -> Explorer:
        """Hide the pictures until a guess is made; returns itself."""
        if guess.committed is None:
            self.picture.cover = COVERED
            guess.observe(lambda _: setattr(self.picture, "cover", ""), "committed")
        return self


def explore(scenario: Scenario, knobs: Iterable[str] | None = None, architectures: Sequence[str] | None = None,
            *, chart: Chart | None = None, seed: int = 1) -> Explorer:
    """Sliders for a scenario, in a notebook: its knobs (or these paths), its architectures (or these).

    `chart` is a function f(*runs, ax=None) to draw instead of the four panels.  Raises `ScenarioError` for a path that
    no slider can move, and `UnknownArchitecture`.

    edasim.explore(shop)
    edasim.explore(shop, ["client.timeout"], ["monolith", "kafka"], chart=edasim.charts.backlog)
    """
    return Explorer(scenario, knobs, chosen_architectures(scenario, architectures), chart, seed)


def _own_chart(chart: Chart, runs: list[Run]) -> widgets.Image:
    return image(drawn(chart, *runs))


def _css_class(path: str) -> str:
    return "edasim-dial-" + re.sub(r"[^A-Za-z0-9]+", "-", path)
