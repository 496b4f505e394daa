"""`edasim sensitivity`: which knob of a scenario matters most."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import STOPPED, complain, plainly
from edasim.commands.options import (
    AllowLarge,
    Architectures,
    Dask,
    File,
    Json,
    Out,
    Replications,
    Seed,
    Set,
    Workers,
    named,
    read_scenario,
    usable_folder,
)
from edasim.commands.printing import print_table, print_text
from edasim.commands.progress import SlowProgress
from edasim.study.knob import split_knob
from edasim.study.sensitivity import METRIC, SensitivityInterrupted
from edasim.study.sensitivity import sensitivity as weigh
from edasim.study.weighed import Sensitivity

Knobs = Annotated[
    list[str] | None,
    typer.Option("--knob", metavar="PATH[=SPAN]", help="Only this knob, from end to end: services.payment.fails=0% .. "
                                                       "9%; may be given several times."),
]
Metric = Annotated[str, typer.Option("--metric", metavar="PATH", help="What the knobs are weighed by.")]
Spread = Annotated[
    str | None, typer.Option("--spread", metavar="SHARE", help="Move every knob by so much below and above: 20%.")
]


@plainly
def sensitivity(  # noqa: PLR0913 - the options of a command
    file: File,
    knob: Knobs = None,
    metric: Metric = METRIC,
    arch: Architectures = None,
    spread: Spread = None,
    replications: Replications = 10,
    seed: Seed = 1,
    setting: Set = None,
    out: Out = None,
    workers: Workers = None,
    dask: Dask = None,
    json: Json = False,
    allow_large: AllowLarge = False,
) -> None:
    """Move each knob alone to its low and its high end: which one matters most, with error bars.

    Example: edasim sensitivity payment-outage --arch kafka --metric orders.refused --out out/
    """
    scenario = read_scenario(file, setting, allow_large)
    folder = usable_folder(out)
    try:
        with SlowProgress("simulating") as progress:
            found = weigh(
                scenario, _knobs(knob), named(arch), metric, replications, seed, spread=spread, workers=workers,
                dask=dask, allow_large=allow_large, progress=progress.advance,
            )
    except SensitivityInterrupted as stop:
        if stop.found is None:
            complain("Stopped before the first knob was weighed: there is nothing to save.")
            raise typer.Exit(STOPPED) from None
        complain(f"Stopped ({stop.found.shortfall}): what follows is marked incomplete.")
        _show(stop.found, folder, json)
        raise typer.Exit(STOPPED) from None
    _show(found, folder, json)


def _knobs(given: list[str] | None) -> dict[str, str | None] | None:
    """The knobs with their spans; None for one that is named by its path alone."""
    if not given:
        return None
    return dict(split_knob(text) if "=" in text else (text.strip(), None) for text in given)


def _show(found: Sensitivity, folder: Path | None, json: bool) -> None:
    if json:
        from edasim.study.comparison import json_text

        sys.stdout.write(json_text(found.as_dict()))
    else:
        print_table(found.table())
    if folder is not None:
        files = found.save(folder)
        (complain if json else print_text)(f"Saved in {folder}: {', '.join(file.name for file in files)}")
    sys.stdout.flush()
