"""The first minute: a shop that runs, an outage at the push of a button, a guess, the result and one slider."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from edasim.lab.explorer import Explorer, explore
from edasim.lab.flow import Flow, flow
from edasim.lab.guess import image, predict
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.shipped import scenario_file
from edasim.simulate import simulate
from edasim.study.compare import compare
from edasim.study.focus import focus
from edasim.study.headline import headline

SIDES = ("monolith", "kafka")
_HEALTHY_FROM_S = 10.0
_AHEAD_S, _AFTER_S = 2.0, 5.0
_SPEED = 2.0
_BIG = {"width": "260px", "height": "54px"}


class Start(widgets.VBox):
    """The steps of the first minute, one below the other; `step` is 0 before Start, 1 running, 2 broken, 3 told."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.step = 0
        self.focus = focus(scenario)
        self.result = 0
        self.placed = 0
        self.sentence = ""
        self.flow: Flow | None = None
        self.explorer: Explorer | None = None
        self.start_button = _big_button("Start", "success", self.begin)
        self.break_button = _big_button("Take payment down", "danger", self.take_down)
        self.skip_button = widgets.Button(description="Show the result now", layout=widgets.Layout(width="200px"))
        self.skip_button.on_click(lambda _: self.tell())
        self.place = widgets.VBox([self.start_button])
        super().__init__([widgets.HTML(_OPENING), self.place])
        self.add_class("edasim-start")

    def begin(self) -> None:
        """Show the shop in good health, in both architectures on the very same orders."""
        if self.step:
            return
        self.step = 1
        healthy = self.scenario.change({"faults": None})
        self.flow = flow(*(simulate(healthy, name, self.seed) for name in SIDES))
        self.flow.time_s, self.flow.playing = _HEALTHY_FROM_S, True
        self.comparison = compare(self.scenario, list(SIDES), 1, self.seed)
        self.placed = int(self.comparison.interval(SIDES[0], "focus.placed").mean)
        length_s = self.focus.end_s - self.focus.start_s
        self.guess = predict(
            f"Payment will be down for {length_s:g} seconds, and {self.placed:,} customers order meanwhile. "
            "How many of them will the monolith turn away?", 0, self.placed)
        self.guess.button.layout.display = "none"
        self.place.children = [self.flow, self.guess, self.break_button]

    def take_down(self) -> None:
        """The guess stands; payment goes down, and the dots pile up."""
        if self.step != 1:
            return
        self.step = 2
        self.guess.commit(self.guess.slider.value)
        assert self.flow is not None, "the shop runs before it breaks"
        self.flow.playing = False
        self.flow = flow(self.comparison)
        self.flow.time_s = max(0.0, self.focus.start_s - _AHEAD_S)
        self.flow.speed, self.flow.playing = _SPEED, True
        self.flow.observe(self._passes, "time_s")
        self.place.children = [self.flow, self.guess, self.skip_button]

    def _passes(self, change: dict[str, Any]) -> None:
        if change["new"] >= self.focus.end_s + _AFTER_S:
            self.tell()

    def tell(self) -> None:
        """One sentence with the guess and the result, and one slider."""
        if self.step != 2:
            return
        self.step = 3
        self.result = int(self.comparison.interval(SIDES[0], "focus.refused").mean)
        guess = int(self.guess.committed or 0)
        self.sentence = f"You guessed {guess:,}. {headline(self.comparison)}."
        self.explorer = explore(self.scenario, ["client.timeout"], list(SIDES), seed=self.seed)
        assert self.flow is not None, "the shop is broken before it is told"
        self.place.children = [
            self.flow, image(self.guess.beside(self.result)),
            widgets.HTML(f'<p class="edasim-told" style="font-size:1.15em"><b>{html.escape(self.sentence)}</b></p>'
                         f"<p>{_SLIDE}</p>"),
            self.explorer,
        ]


_OPENING = (
    "<p>A web shop takes 40 orders a second. Each needs stock, a payment and a mail. On the left one program does all "
    "three; on the right the very same orders go through Kafka.</p>"
)
_SLIDE = (
    "Move the slider: with a patience of 30 seconds nearly nobody is turned away by the monolith. The waiting is still "
    "there; the question is who waits, and whether they know."
)


def _big_button(text: str, style: str, action: Any) -> widgets.Button:
    button = widgets.Button(description=text, button_style=style, layout=widgets.Layout(**_BIG))
    button.style.font_size = "1.25em"
    button.on_click(lambda _: action())
    return button


def start(scenario: Scenario | None = None, seed: int = 7) -> Start:
    """The first minute, as a widget with one button; with the payment outage unless another scenario is given."""
    return Start(load(scenario_file("payment-outage")) if scenario is None else scenario, seed)
