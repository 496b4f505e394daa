"""`edasim sweep`: a scenario over a grid of values, as a tidy table and charts."""

from __future__ import annotations

import sys
from importlib.util import find_spec
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
from edasim.study.knob import axis_from_text
from edasim.study.sweep import METRICS, SweepInterrupted
from edasim.study.sweep import sweep as sweep_scenario
from edasim.study.sweep_files import NO_PARQUET
from edasim.study.swept import Sweep

Knobs = Annotated[
    list[str],
    typer.Option("--knob", metavar="PATH=VALUES",
                 help="Values of a knob: 0%,5%,20% or 1 .. 8 in 4; may be given several times, for a grid."),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="PATH",
                 help=f"A number to look at; may be given several times. Without: {' and '.join(METRICS)}."),
]


@plainly
def sweep(  # noqa: PLR0913 - the options of a command
    file: File,
    knob: Knobs,
    metric: Metrics = None,
    arch: Architectures = None,
    replications: Replications = 10,
    seed: Seed = 1,
    setting: Set = None,
    out: Out = None,
    workers: Workers = None,
    dask: Dask = None,
    json: Json = False,
    allow_large: AllowLarge = False,
) -> None:
    """Run a scenario at every combination of values of some knobs, with error bars.

    With --out finished runs are kept, and the same command goes on where a stopped one was.

    Example: edasim sweep payment-outage --knob 'services.payment.fails=0%,5%,20%' --arch kafka --workers 2 --out out/
    """
    scenario = read_scenario(file, setting, allow_large)
    axes = [axis_from_text(text) for text in knob]
    folder = usable_folder(out)
    try:
        with SlowProgress("simulating") as progress:
            found = sweep_scenario(
                scenario, axes, named(arch), replications, seed, metric or METRICS, workers=workers, dask=dask,
                folder=folder, allow_large=allow_large, progress=progress.advance,
            )
    except SweepInterrupted as stop:
        finished, wanted = stop.sweep.runs
        kept = f", and kept in {folder}: the same command goes on from there" if folder else ""
        complain(f"Stopped: {finished} of {wanted} runs were finished{kept}.")
        if finished:
            _show(stop.sweep, folder, json)
        raise typer.Exit(STOPPED) from None
    _show(found, folder, json)


def _show(found: Sweep, folder: Path | None, json: bool) -> None:
    if json:
        from edasim.study.comparison import json_text

        sys.stdout.write(json_text(found.as_dict()))
    else:
        print_table(found.table())
    if folder is not None:
        with SlowProgress("drawing"):
            files = found.save(folder)
        say = complain if json else print_text
        say(f"Saved in {folder}: {', '.join(file.name for file in files if file.suffix != '.svg')}")
        if find_spec("pyarrow") is None:
            say(NO_PARQUET)
    sys.stdout.flush()
