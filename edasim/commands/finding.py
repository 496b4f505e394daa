"""`edasim find`: the value of one knob at which a target holds, or ceases to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import BAD_INPUT, STOPPED, complain, plainly
from edasim.commands.options import (
    AllowLarge,
    Architectures,
    Dask,
    File,
    Json,
    Out,
    Seed,
    Set,
    Workers,
    named,
    read_scenario,
    usable_folder,
)
from edasim.commands.printing import print_table, print_text
from edasim.commands.progress import SlowProgress
from edasim.scenario.errors import Problem, ScenarioError
from edasim.study.find import BUDGET, FEWEST, FindInterrupted
from edasim.study.find import find as find_value
from edasim.study.found import Found
from edasim.study.knob import split_knob

Knob = Annotated[
    list[str],
    typer.Option("--knob", metavar="PATH=SPAN", help="Where to look: client.timeout=1s .. 9s, or one of the "
                                                     "scenario's own knobs by its path alone."),
]
TargetText = Annotated[
    str, typer.Option("--target", metavar="TARGET", help="What is to hold: completion_latency_s.p99 < 2s, or recovers.")
]
Budget = Annotated[
    int, typer.Option("--budget", min=FEWEST, max=100_000, help="At most so many replications for each value.")
]
Within = Annotated[
    str | None, typer.Option("--within", metavar="STEP", help="How close to come; without it a 64th of the span.")
]


@plainly
def find(  # noqa: PLR0913 - the options of a command
    file: File,
    knob: Knob,
    target: TargetText,
    arch: Architectures = None,
    budget: Budget = BUDGET,
    within: Within = None,
    seed: Seed = 1,
    setting: Set = None,
    out: Out = None,
    workers: Workers = None,
    dask: Dask = None,
    json: Json = False,
    allow_large: AllowLarge = False,
) -> None:
    """Find the value of one knob at which a target begins to hold, or ceases to; exit code 2 where it is not found.

    Example: edasim find payment-outage --knob 'services.payment.workers=1 .. 8' --target 'orders.refused < 100'
    """
    scenario = read_scenario(file, setting, allow_large)
    where = _where(knob)
    folder = usable_folder(out)
    try:
        with SlowProgress("searching") as progress:
            found = find_value(
                scenario, where, target, named(arch), seed, budget, within=within, workers=workers, dask=dask,
                allow_large=allow_large, progress=progress.advance,
            )
    except FindInterrupted as stop:
        complain("Stopped: what follows is marked incomplete.")
        _show(stop.found, folder, json)
        raise typer.Exit(STOPPED) from None
    _show(found, folder, json)
    if not found.sure:
        raise typer.Exit(BAD_INPUT)


def _where(knobs: list[str]) -> dict[str, str] | str:
    """The one knob, with its span where one is given."""
    if len(knobs) > 1:
        raise ScenarioError([Problem(f"{len(knobs)} knobs cannot be searched at once: give one, and --set the others",
                                     "--knob")])
    return dict([split_knob(knobs[0])]) if "=" in knobs[0] else knobs[0]


def _show(found: Found, folder: Path | None, json: bool) -> None:
    if json:
        from edasim.study.comparison import json_text

        sys.stdout.write(json_text(found.as_dict()))
    else:
        print_table(found.table())
        print_text(found.sentences())
    if folder is not None and any(search.tried for search in found.searches.values()):
        files = found.save(folder)
        (complain if json else print_text)(f"Saved in {folder}: {', '.join(file.name for file in files)}")
    sys.stdout.flush()
