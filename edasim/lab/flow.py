"""The message flow: what a run did, as dots that move, on a clock that can be stopped and turned back.

    flow = lab.flow(both)            # a comparison, or any number of runs
    flow.time_s, flow.speed, flow.playing = 23.0, 2.0, True
    flow.save_html("flow.html")      # for people without a kernel

It needs anywidget, which the extra `lab` brings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from edasim.core.files import write_whole
from edasim.lab.flow_page import SCRIPT, page
from edasim.measure.reading import NANO
from edasim.pictures.flow_data import FlowData, flow_data
from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.words import display

SLOWEST, FASTEST = 0.25, 20.0
MOST_PANELS = 6


class Flow(anywidget.AnyWidget):
    """The animation of one or more runs.

    `time_s` is the time of the run that is shown, `playing` whether it moves, `speed` how many seconds of the run pass
    in one of the viewer's (0.25 to 20), `order` the number of the order that is followed (0: none).  All of them can be
    set and read; what the viewer does arrives here, the time about four times a second while it plays.
    """

    _esm = SCRIPT.read_text(encoding="utf-8")
    _panels: Any = traitlets.List().tag(sync=True)
    time_s = traitlets.Float(0.0, help="seconds since the run began").tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(1.0).tag(sync=True)
    order = traitlets.Int(0).tag(sync=True)

    def __init__(self, data: Sequence[FlowData], **traits: Any) -> None:
        self.data = tuple(data)
        self.end_s = max((one.run.end_ns * NANO for one in self.data), default=0.0)
        super().__init__(_panels=[one.as_dict() for one in self.data], **traits)

    @traitlets.validate("time_s")
    def _within_the_run(self, proposal: dict[str, Any]) -> float:
        time_s = float(proposal["value"])
        if math.isnan(time_s):
            raise traitlets.TraitError("time_s is no number")
        return min(self.end_s, max(0.0, time_s))

    @traitlets.validate("speed")
    def _within_reach(self, proposal: dict[str, Any]) -> float:
        speed = float(proposal["value"])
        if not SLOWEST <= speed <= FASTEST:
            raise traitlets.TraitError(f"speed {speed:g} is out of reach: choose from {SLOWEST:g} to {FASTEST:g}")
        return speed

    def counts(self, time_s: float | None = None) -> list[dict[str, int]]:
        """For each panel how many messages are at each node, now or at another time."""
        when = self.time_s if time_s is None else time_s
        return [one.counts(when) for one in self.data]

    def save_html(self, path: str | PathLike[str]) -> Path:
        """Write the animation as one file that opens anywhere; it begins at the present time, speed and order."""
        traits = {"time_s": self.time_s, "playing": False, "speed": self.speed, "order": self.order}
        given = self.data[0].run.scenario.title
        title = "Message flow" if given == Scenario.model_fields["title"].default else given
        return write_whole(path, page(title, self._panels, traits))


def flow(*subjects: Run | Comparison, labels: Sequence[str] | None = None, speed: float = 1.0) -> Flow:
    """The animation of runs, or of a comparison's first replication, side by side on one clock.

    `labels` name the panels where the architecture's name does not say enough, such as before and after.
    """
    runs = [run for subject in subjects for run in _runs(subject)]
    if not runs:
        raise ValueError("a flow needs a run or a comparison: lab.flow(edasim.simulate(shop, \"kafka\"))")
    if len(runs) > MOST_PANELS:
        raise ValueError(f"{len(runs)} runs are more than one can follow: give at most {MOST_PANELS}")
    names = list(labels) if labels is not None else _names(runs)
    if len(names) != len(runs):
        raise ValueError(f"there are {len(runs)} runs, but {len(names)} labels")
    return Flow([flow_data(run, name) for run, name in zip(runs, names, strict=True)], speed=speed)


def _runs(subject: Run | Comparison) -> list[Run]:
    if isinstance(subject, Comparison):
        return list(subject.runs.values())
    if isinstance(subject, Run):
        return [subject]
    raise TypeError(f"a flow takes runs and comparisons, not {type(subject).__name__}")


def _names(runs: Sequence[Run]) -> list[str]:
    """The architectures' names; a second run of Kafka is `Kafka 2`."""
    names: list[str] = []
    for run in runs:
        earlier = sum(one.architecture == run.architecture for one in runs[: len(names)])
        names.append(display(run.architecture) + (f" {earlier + 1}" if earlier else ""))
    return names
