"""`edasim report`: compare, and write all there is to say to one HTML file."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.comparing import Study
from edasim.commands.failing import STOPPED, complain, plainly
from edasim.commands.options import (
    AllowLarge,
    Architectures,
    Dask,
    File,
    Json,
    MaxMemory,
    Replications,
    Seed,
    Set,
    Workers,
    limits_of,
    named,
    read_scenario,
    usable_folder,
)
from edasim.commands.printing import print_text
from edasim.commands.progress import SlowProgress
from edasim.study.comparison import Comparison

Page = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The HTML file; in a folder that is there, report.html.")
]


@plainly
def report(  # noqa: PLR0913 - the options of a command
    file: File,
    arch: Architectures = None,
    replications: Replications = 10,
    seed: Seed = 1,
    setting: Set = None,
    out: Page = Path("out/report.html"),
    workers: Workers = None,
    dask: Dask = None,
    json: Json = False,
    allow_large: AllowLarge = False,
    max_memory: MaxMemory = None,
) -> None:
    """Compare, and write one HTML file that opens without a network: verdict, numbers, charts, how it was made.

    It has no script and asks nothing of anybody, so that it can be mailed, archived and printed.

    Example: edasim report scenarios/payment-outage.yml --out out/report.html
    """
    scenario = read_scenario(file, setting, allow_large)
    page = out / "report.html" if out.is_dir() else out
    usable_folder(page.parent)
    study = Study(named(arch), replications, seed, limits_of(allow_large, max_memory), page, workers, dask)
    comparison, stopped = study.compare(scenario)
    written = _write(comparison, page)
    if json:
        _print_json(comparison, written)
    else:
        print_text(comparison.verdict())
        print_text(f"Written: {written} ({written.stat().st_size / 1e6:.1f} MB); it opens in any browser.")
    sys.stdout.flush()
    if stopped:
        raise typer.Exit(STOPPED)


def _write(comparison: Comparison, page: Path) -> Path:
    """Draw and write; after Ctrl-C say that there is no file, and exit."""
    try:
        with SlowProgress("drawing") as progress:
            return comparison.report(page, progress.advance)
    except KeyboardInterrupt:
        complain(f"Stopped while drawing: {page} is not written.")
        raise typer.Exit(STOPPED) from None


def _print_json(comparison: Comparison, page: Path) -> None:
    from edasim.study.comparison import json_text

    content = page.read_bytes()
    where = {"file": str(page), "bytes": len(content), "sha256": sha256(content).hexdigest()}
    sys.stdout.write(json_text({**comparison.as_dict(), "report": where}))
