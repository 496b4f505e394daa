"""Puts a report together and writes it.

Jinja2 fills the page, with autoescape on: whatever a scenario calls things, it stays text. A policy inside the page
forbids scripts and every request besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from edasim.core.files import write_whole
from edasim.core.quantity import printable
from edasim.report import figures
from edasim.report.fidelity import STATUSES, fidelity
from edasim.report.loading import load_table, queue_table
from edasim.report.making import SOURCE, command, making, software
from edasim.report.tables import Cell, Grid, Line, all_differences, all_numbers, main_table
from edasim.report.words import meanings
from edasim.scenario.path import steps_of
from edasim.scenario.writing import to_yaml
from edasim.study.comparison import Comparison
from edasim.study.words import counted, display, listed, subject
from edasim.version import __version__

Progress = Callable[[int, int], None]
THEORY = "theory"
"""The chart that stands in the section on theory and not among the others."""
CONTENTS = {
    "numbers": "Numbers",
    "charts": "Charts",
    "scenario": "Scenario",
    "pictures": "Pictures",
    "theory": "Theory",
    "fidelity": "Fidelity",
    "making": "How it was made",
    "all-numbers": "All numbers",
}


def write_report(comparison: Comparison, path: str | Path, progress: Progress | None = None) -> Path:
    """Write the report of a comparison to a file, whole or not at all; returns its path.

    Folders are made. `progress` is called with (pictures drawn, pictures in all), first with 0.
    """
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(file, report_text(comparison, progress))


def report_text(comparison: Comparison, progress: Progress | None = None) -> str:
    """The report as HTML: the same for the same scenario, seed and versions, byte for byte."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        finalize=_harmless, trim_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["breakable"] = _breakable
    return environment.get_template("page.html").render(**_head(comparison), **_drawn(comparison, progress),
                                                        **_told(comparison))  # fmt: skip


def _harmless(value: Any) -> Any:
    """A text without control characters, which HTML does not allow: each becomes an escape that can be read."""
    if not isinstance(value, str) or value.isprintable():
        return value
    kind = type(value)  # a text that is escaped already stays one
    return kind("\n".join(printable(line) for line in value.split("\n")))


def _breakable(name: str) -> Markup:
    """A dotted path that a narrow column may break after its dots and underscores."""
    return Markup(escape(_harmless(name)).replace(".", Markup(".<wbr>")).replace("_", Markup("_<wbr>")))


def _head(comparison: Comparison) -> dict[str, Any]:
    scenario = comparison.scenario
    many = comparison.replications > 1
    about = (
        f"{listed(map(display, comparison.architectures))}; "
        f"{counted(comparison.replications, 'replication')}, seed {comparison.seed}"
        f"{'; ± is half of the 95% interval' if many else ''}; edasim {__version__}."
    )
    return {
        "title": scenario.title,
        "description": scenario.description,
        "about": about[:1].upper() + about[1:],
        "generator": f"edasim {__version__}",
        "shortfall": comparison.shortfall,
        "single": not many,
        "verdict": comparison.verdict().splitlines(),
        "contents": CONTENTS.items(),
    }


def _drawn(comparison: Comparison, progress: Progress | None) -> dict[str, Any]:
    names = figures.chart_names(comparison)
    total = len(names) + len(comparison.architectures) + 2
    done = 0

    def drew(picture: Any) -> Any:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)
        return picture

    if progress:
        progress(0, total)
    drawn = {
        "slide": drew(figures.slide_shown(comparison)),
        "charts": [drew(figures.chart_shown(comparison, name)) for name in names if name != THEORY],
        "theory": [drew(figures.chart_shown(comparison, name)) for name in names if name == THEORY],
        "topologies": [drew(picture) for picture in figures.topologies_shown(comparison)],
        "journey": drew(figures.journeys_shown(comparison)),
    }
    if progress:
        progress(total, total)
    return {**drawn, "topology_words": _topology_words(comparison, len(drawn["topologies"]))}


def _topology_words(comparison: Comparison, drawn: int) -> str:
    if drawn < len(comparison.architectures):
        return "This scenario has too many parts for a picture that could be read; “How it was made” names them all."
    if not comparison.runs:
        return "Boxes are parts, arrows are what goes from one to the other."
    return ("Boxes are parts, arrows are what goes from one to the other, as wide as there was traffic in the first "
            "replication. A box is the darker, the more ever waited in it; what a fault hit is hatched.")  # fmt: skip


def _told(comparison: Comparison) -> dict[str, Any]:
    table = main_table(comparison)
    brokers = (fidelity(comparison.scenario, name) for name in comparison.architectures)
    return {
        "table": table,
        "meanings": meanings(line.name for group in table.groups for line in group),
        "scenario": to_yaml(comparison.scenario),
        "knobs": _knobs(comparison),
        "loads": load_table(comparison),
        "queues": queue_table(comparison),
        "fidelity": [broker for broker in brokers if broker is not None],
        "statuses": list(STATUSES.items()),
        "source": SOURCE,
        "making": making(comparison),
        "command": command(comparison),
        "numbers": all_numbers(comparison),
        "differences": all_differences(comparison),
        "base": subject(comparison.architectures[0]),
        "software": software(),
    }


def _knobs(comparison: Comparison) -> Grid | None:
    """Each knob with its range and the value that was run."""
    scenario = comparison.scenario
    texts = scenario.model_dump(by_alias=True)
    lines = tuple(
        Line(path, (Cell(_value(texts, path)), Cell(knob.low), Cell(knob.high)))
        for path, knob in scenario.knobs.items()
    )
    return Grid(("as it was run", "from", "to"), (lines,)) if lines else None


def _value(texts: Any, path: str) -> str:
    """A value as a file writes it; `default` where nothing is written."""
    for step in steps_of(path):
        texts = texts.get(step) if isinstance(texts, Mapping) else None
    return "default" if texts is None else str(texts)
