"""`edasim validate`: the engine beside what is known exactly."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import plainly
from edasim.commands.options import Json, Seed, usable_folder
from edasim.commands.progress import SlowProgress

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ID", help="Only this law; may be given several times, or A01,B03."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Smaller sizes, judged by z alone: 3 minutes on 2 cores.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=256, help="How many processes share the work.")]
Folder = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="Save validation.md and validation.json in this folder.")
]


@plainly
def validate(
    seed: Seed = 1,
    only: Only = None,
    quick: Quick = False,
    workers: Workers = 1,
    json: Json = False,
    out: Folder = None,
) -> None:
    """Run all laws (queueing theory, retries, delivery, staleness and more) and compare with what is exact.

    Prints case, exact value, estimate, standard error, z and verdict. Exit code 0: all hold, 1: a law is broken, 2: the
    precision was not reached. At full size it takes about 25 minutes on 2 cores.

    Example: edasim validate --quick --workers 2 --only A01 --only F14
    """
    from edasim.core.files import write_whole
    from edasim.study.executors import executor_for
    from edasim.study.validate import page, running, scores

    folder = usable_folder(out)
    names = [name.strip() for given in only for name in given.split(",") if name.strip()] if only else None
    wanted = running.chosen(names)
    with SlowProgress("validating") as progress:
        rows = running.run(wanted, seed, quick, executor_for(workers), progress.advance)
    if names is None or running.SCORES in names:
        rows += scores.judged(scores.Scores.of(rows), 1)
    data = json_format.dumps(page.as_dict(rows, seed, quick), indent=2, ensure_ascii=False) + "\n"
    if json:
        sys.stdout.write(data)
    else:
        print(page.as_text(rows))
    if folder is not None:
        write_whole(folder / "validation.md", page.as_page(rows, wanted, seed, quick))
        write_whole(folder / "validation.json", data)
    sys.stdout.flush()
    raise typer.Exit(running.exit_code(rows))
