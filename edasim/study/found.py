"""What a search found: the value, or the bracket around it, and the evidence at each value that was tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edasim.core.files import write_whole
from edasim.scenario.value import Scenario
from edasim.study.comparison import interval_node, json_text
from edasim.study.knob import Kind
from edasim.study.metrics import in_seconds, short_path
from edasim.study.precision import Interval
from edasim.study.target import Target
from edasim.study.words import capitalised, count_text, counted, display, seconds_text, subject
from edasim.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edasim.study.table import PrintedTable


@dataclass(frozen=True)
class Tried:
    """One value: its mean with the interval that was judged, and whether the target holds; None is undecided."""

    number: float
    interval: Interval
    holds: bool | None
    never: int = 0
    """In how many of the runs it never came."""

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "holds", False: "fails", None: "undecided"}[self.holds]


@dataclass
class Search:
    """The search in one architecture. `finished` is false while it goes on, and stays so after Ctrl-C."""

    kind: Kind
    target: Target
    tried: dict[float, Tried] = field(default_factory=dict)
    finished: bool = False

    def take(self, one: Tried) -> None:
        """The latest look at a value."""
        self.tried[one.number] = one

    @property
    def in_order(self) -> list[Tried]:
        """What was tried, by value."""
        return [self.tried[number] for number in sorted(self.tried)]

    def inside(self) -> tuple[float, ...]:
        """The values from the last that is like the lower end to the first that is like the upper end."""
        ordered = self.in_order
        upper = next(place for place, one in enumerate(ordered) if one.holds is ordered[-1].holds)
        lower = max(place for place, one in enumerate(ordered[:upper]) if one.holds is ordered[0].holds)
        return tuple(one.number for one in ordered[lower : upper + 1])

    @property
    def outcome(self) -> str:
        """`found`, `undecided`, `holds everywhere`, `holds nowhere`, or `incomplete`."""
        ordered = self.in_order
        if not self.finished:
            return "incomplete"
        if ordered[0].holds is None or ordered[-1].holds is None:
            return "undecided"
        if ordered[0].holds == ordered[-1].holds:
            return "holds everywhere" if ordered[0].holds else "holds nowhere"
        return "found" if len(self.inside()) == 2 else "undecided"

    @property
    def rising(self) -> bool:
        """Whether the target holds at the upper end and not at the lower one."""
        return bool(self.in_order[-1].holds)

    @property
    def bracket(self) -> tuple[float, float] | None:
        """(The last value at which it holds, the next at which it does not); None where it does not change."""
        ordered = self.in_order
        if len(ordered) < 2 or {ordered[0].holds, ordered[-1].holds} != {True, False}:
            return None
        inside = self.inside()
        return (inside[-1], inside[0]) if self.rising else (inside[0], inside[-1])


class Found:
    """The searches by architecture; `path` is the knob."""

    def __init__(
        self, scenario: Scenario, path: str, target: Target, seed: int, searches: dict[str, Search]
    ) -> None:
        self.scenario = scenario
        self.path = path
        self.target = target
        self.seed = seed
        self.searches = searches

    @property
    def sure(self) -> bool:
        """Whether the value was found in every architecture."""
        return all(search.outcome == "found" for search in self.searches.values())

    @property
    def complete(self) -> bool:
        """Whether the search was not stopped."""
        return all(search.finished for search in self.searches.values())

    def value(self, architecture: str) -> object:
        """The value that was found, as a file writes it; None where none was."""
        search = self.searches[architecture]
        found = search.bracket
        return search.kind.value(found[0]) if found is not None and search.outcome == "found" else None

    def sentence(self, architecture: str) -> str:
        """What was found in one architecture, with how sure it is."""
        search, words = self.searches[architecture], self.target.words
        knob, show = short_path(self.path), search.kind.show
        here, bracket = capitalised(subject(architecture)), search.bracket
        if bracket is None:
            return f"{here}: {self._without_bracket(search)}"
        holds, fails = map(show, bracket)
        if search.outcome == "incomplete":
            return f"{here}: stopped; so far, {words} holds with {knob} at {holds} and not at {fails} (95% sure)."
        if search.outcome == "undecided":
            between = " and ".join(show(number) for number in search.inside()[1:-1])
            low, high = map(show, sorted(bracket))
            return (
                f"{here}: undecided between {low} and {high}: {words} holds with {knob} at {holds} and not at "
                f"{fails} (95% sure); at {between} the budget ended before the interval excluded the target."
            )
        end = "smallest" if search.rising else "largest"
        exact = search.kind.unit == "number" and abs(bracket[0] - bracket[1]) == search.kind.grain
        value = f"{end} value" if exact else f"{end} value that was tried"
        return f"{here}: {knob} = {holds} is the {value} at which {words} holds; at {fails} it does not (95% sure)."

    def _without_bracket(self, search: Search) -> str:
        """Why there is nothing to search between."""
        words, knob = self.target.words, short_path(self.path)
        if search.outcome == "incomplete":
            return f"stopped after {counted(len(search.tried), 'value')}; nothing is decided."
        low, high = (search.kind.show(one.number) for one in (search.in_order[0], search.in_order[-1]))
        if search.outcome.startswith("holds"):
            does = "holds at both ends" if search.outcome == "holds everywhere" else "holds at neither end"
            return f"{words} {does} of {knob} = {low} .. {high}: {self._other_search(search)}."
        which = " and ".join(search.kind.show(one.number) for one in search.in_order if one.holds is None)
        return (
            f"undecided between {low} and {high}: with {knob} at {which} the budget ended before the interval excluded "
            "the target."
        )

    def _other_search(self, search: Search) -> str:
        """What to try where the target does not change."""
        never = [one for one in search.in_order if one.never]
        if not never:
            return "search in another span"
        where = " and ".join(f"{one.never} of {one.interval.n} at {search.kind.show(one.number)}" for one in never)
        return f"in some runs it never comes ({where}); search in another span, or for another number"

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "scenario": self.scenario.title,
            "seed": self.seed,
            "version": __version__,
            **({} if self.complete else {"incomplete": True}),
            "knob": self.path,
            "target": self.target.text,
            "architectures": {name: _node(search) for name, search in self.searches.items()},
        }

    def table(self) -> PrintedTable:
        """The evidence: each value that was tried, with the interval that was judged."""
        from edasim.study.table import PrintedTable

        table = PrintedTable(title=f"{self.scenario.title}: {self.target.words}", caption_justify="left", caption=(
            "± is wide enough for all looks and values of a search together: with 95% all its decisions are right."
        ))
        for text in ("", short_path(self.path), self.target.metric, "runs", "target"):
            table.add_column(text, justify="left" if text in ("", "target") else "right")
        for name, search in self.searches.items():
            table.add_section()
            for place, one in enumerate(search.in_order):
                cells = search.kind.show(one.number), self.mean_text(one), str(one.interval.n), one.verdict
                table.add_row(display(name) if place == 0 else "", *cells)
        return table

    def mean_text(self, one: Tried) -> str:
        """The mean of a value that was tried, with its error bar; or in how many runs it never came."""
        found = one.interval
        if 0 < one.never < found.n:
            return f"never in {one.never} of {found.n}"
        if self.target.is_share:
            return f"{found.mean:.0%} ({found.low:.0%} to {found.high:.0%})"
        return seconds_text(found) if in_seconds(self.target.metric) else count_text(found)

    def chart(self) -> Figure:
        """The tried values with their error bars, and the target."""
        from edasim.charts.find import find_figure

        return find_figure(self)

    def save(self, folder: str | Path) -> list[Path]:
        """Write found.json, the sentences and the chart to a folder; returns the files."""
        from edasim.charts.find import find_figure
        from edasim.charts.saving import save_figure
        from edasim.scenario.writing import to_yaml

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        return [
            write_whole(place / "found.json", json_text(self.as_dict())),
            write_whole(place / "found.txt", f"{self}\n"),
            write_whole(place / "scenario.yml", to_yaml(self.scenario)),
            *save_figure(find_figure(self), place / "found"),
        ]

    def sentences(self) -> str:
        """A line for each architecture."""
        return "\n".join(map(self.sentence, self.searches))

    def __str__(self) -> str:
        return f"{self.table()}\n\n{self.sentences()}"


def _node(search: Search) -> dict[str, Any]:
    bracket = search.bracket
    return {
        "outcome": search.outcome,
        "value": search.kind.show(bracket[0]) if bracket and search.outcome == "found" else None,
        "holds_at": search.kind.show(bracket[0]) if bracket else None,
        "fails_at": search.kind.show(bracket[1]) if bracket else None,
        "tried": [
            {"value": search.kind.show(one.number), "replications": one.interval.n, **interval_node(one.interval),
             "target": one.verdict}
            for one in search.in_order
        ],
    }
