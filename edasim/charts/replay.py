"""A replay: what has been written to a service's topics, and how far a group that came late has read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.axes import Axes

from edasim.charts.kafka_runs import kafka_runs
from edasim.charts.marks import Label, draw_bands, label_ends, title
from edasim.charts.style import INK, QUIET, axes, look, styled
from edasim.charts.subject import comparison_of
from edasim.measure.partitions import PartitionReading, partitions
from edasim.measure.reading import NANO
from edasim.measure.steps import Floats, Steps
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.words import grouped, listed, seconds_short

_POINTS = 600
_DASHES = ("solid", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
_JUST_NOW_S = 1.0


@dataclass(frozen=True)
class _Late:
    """A group that joined late: what it had before it, and how far it has come."""

    name: str
    run: Run
    service: str
    found: list[PartitionReading]

    @property
    def joined_s(self) -> float:
        """When its members came."""
        return self.run.scenario.services[self.service].joins * NANO

    @cached_property
    def written(self) -> Steps:
        """Records in the log so far."""
        return Steps.counting(np.concatenate([one.appended_s for one in self.found]), np.zeros(0))

    @cached_property
    def begun(self) -> Steps:
        """Records that it has begun to handle so far; those that it passed over are not among them."""
        return Steps.counting(np.concatenate([one.begun_s for one in self.found]), np.zeros(0))

    @cached_property
    def waiting(self) -> Steps:
        """Records that wait for it."""
        came = np.concatenate([one.appended_s for one in self.found])
        left = np.concatenate([np.minimum(one.begun_s, one.passed_s) for one in self.found])
        return Steps.counting(came, left)

    @property
    def history(self) -> int:
        """What had been written when it joined."""
        return int(self.written.at(np.array([self.joined_s]))[0])

    @property
    def passed(self) -> int:
        """What it will never read."""
        return int(sum(np.isfinite(one.passed_s).sum() for one in self.found))

    @property
    def level_s(self) -> float:
        """From joining until no more waits than came within the last second; infinite for never."""
        moments = self.waiting.times_s[self.waiting.times_s > self.joined_s]
        just_now = self.written.at(moments) - self.written.at(moments - _JUST_NOW_S)
        level = np.flatnonzero(self.waiting.at(moments) <= just_now)
        first = float(moments[level[0]]) if len(level) else np.inf
        return first - self.joined_s


def replay(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """Records written and records begun, over time, for a group that joined late (`joins`); a line for each run.

    Without a name, the service that joins last.  Raises ValueError where there is no run on Kafka, or none joins late.

    replay(earliest, latest, service="analytics")
    """
    runs = kafka_runs(subjects)
    late = [_Late(name, run, chosen, partitions(run.summary().reading, chosen))
            for name, run in runs.items() for chosen in [service or _last_to_join(run)]]
    if not all(one.joined_s for one in late):
        raise ValueError(f"{late[0].service} is there from the start: a replay needs a service that joins later, "
                         "such as joins: 30s")
    with styled():
        ax = axes(ax)
        end_s = max(float(one.begun.times_s[-1]) if len(one.begun.times_s) else one.joined_s for one in late)
        grid_s = np.linspace(0.0, 1.02 * max(end_s, float(late[0].written.times_s[-1])), _POINTS)
        labels = _draw(ax, late, grid_s, _words(late))
        draw_bands(ax, comparison_of((late[0].run,)))
        ax.set_xlim(0, grid_s[-1])
        ax.set_ylim(0, None)
        ax.axvline(late[0].joined_s, color=QUIET, linewidth=1, linestyle="dotted", zorder=1)
        ax.annotate(f"{late[0].service} joins", (late[0].joined_s, 0.985), xycoords=("data", "axes fraction"),
                    xytext=(-4, 0), textcoords="offset points", ha="right", va="top", fontsize="small", color=QUIET)
        ax.set_xlabel("time since the start (s)")
        ax.set_ylabel(f"records since the start, for {late[0].service}")
        label_ends(ax, labels)
        title(ax, _seen(late, _words(late)))
    return ax


def joins_late(run: Run) -> bool:
    """Whether a service of this run joins after the start, and before its end."""
    return any(0 < service.joins < run.end_ns for service in run.scenario.services.values())


def _last_to_join(run: Run) -> str:
    return max(run.scenario.services, key=lambda name: run.scenario.services[name].joins)


def _words(late: list[_Late]) -> Mapping[str, str]:
    """What tells the runs apart: where their groups begin, or else their numbers."""
    words = {}
    for one in late:
        kafka = one.run.scenario.architectures.kafka
        assert kafka is not None, "a run on Kafka has its options"
        words[one.name] = str(kafka.consumer.get("auto.offset.reset", "latest"))
    if len(set(words.values())) < len(words):
        return {name: f"{number}. {text}" for number, (name, text) in enumerate(words.items(), 1)}
    return words


def _draw(ax: Axes, late: list[_Late], grid_s: Floats, words: Mapping[str, str]) -> list[Label]:
    written = late[0].written.at(grid_s)
    ax.plot(grid_s, written, color=INK, linewidth=1.6, zorder=3)
    labels = [Label(float(grid_s[-1]), float(written[-1]), "written", "")]
    for number, one in enumerate(late):
        begun = one.begun.at(grid_s)
        ax.plot(grid_s, np.where(grid_s >= one.joined_s, begun, np.nan), color=look("kafka").colour,
                linewidth=look("kafka").width, linestyle=_DASHES[number % len(_DASHES)], zorder=4)
        text = f"read\n({words[one.name]})" if len(late) > 1 else "read"
        labels.append(Label(float(grid_s[-1]), float(begun[-1]), text, "kafka"))
    return labels


def _seen(late: list[_Late], words: Mapping[str, str]) -> str:
    """What each made of the history that it found."""
    first = late[0]
    begin = f"{first.service} joins after {seconds_short(first.joined_s)}, {grouped(first.history)} records behind"
    told = []
    for one in late:
        with_ = f"with {words[one.name]} it " if len(late) > 1 else ""
        if one.passed:
            what = "them" if one.passed == one.history else f"{grouped(one.passed)} records"
            told.append(f"{with_}never reads {what}")
        elif np.isfinite(one.level_s):
            told.append(f"{with_}is level after {seconds_short(one.level_s)}")
        else:
            told.append(f"{with_}never catches up")
    return f"{begin}: {listed(told)}" if len(late) > 1 else f"{begin}, and {told[0]}"
