"""`edasim conform`: the simulated broker beside the real one."""

from __future__ import annotations

import json as json_format
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import plainly
from edasim.commands.options import Json, usable_folder
from edasim.commands.progress import SlowProgress
from edasim.conform.outcome import Outcome
from edasim.conform.script import Trace


class Broker(StrEnum):
    """The brokers that there are scripts for."""

    kafka = "kafka"


Which = Annotated[Broker, typer.Argument(metavar="BROKER", help="Which broker: kafka.")]
Bootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap", metavar="HOST:PORT", help="A running cluster; without it, a recorded one."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this script; may be given several times, or a,b."),
]
Record = Annotated[
    Path | None,
    typer.Option("--record", metavar="FOLDER", help="Play all twice, save what the cluster did here."),
]
List = Annotated[bool, typer.Option("--list", help="Print the scripts with what each observes, and play none.")]


@plainly
def conform(
    broker: Which,
    bootstrap: Bootstrap = None,
    only: Only = None,
    record: Record = None,
    listed: List = False,
    json: Json = False,
) -> None:
    """Play the same scripts on the simulated broker and on a real one, and print where they differ.

    A script uses a client step by step (it produces, polls, commits, crashes, kills a broker) and notes what it
    observes. Without --bootstrap the real side is what Apache Kafka 4.3.1 was recorded to do; with it, confluent-kafka
    is needed: pip install 'edasim[kafka]'. Exit code 0: no difference, 1: differences, 2: the cluster does not answer.

    Example: edasim conform kafka --bootstrap localhost:9092 --only partition-of-a-thousand-keys
    """
    from edasim.conform import golden, outcome, real, running
    from edasim.conform.script import chosen

    scripts = chosen([name.strip() for given in only for name in given.split(",") if name.strip()] if only else None)
    if listed:
        print("\n".join(f"{one.name}: {one.sentence}" for one in scripts))
        return
    if record is not None and bootstrap is None:
        raise running.NothingToRecord("--record saves what a real cluster does: name one by --bootstrap HOST:PORT.")
    folder = usable_folder(record)
    with SlowProgress("conforming") as progress:
        if bootstrap is None:
            outcomes, other = running.beside_golden(scripts, progress.advance), golden.described(scripts)
        else:
            cluster, other = real.connect(bootstrap), f"the Kafka at {bootstrap}"
            outcomes = running.beside_cluster(scripts, cluster, advance=progress.advance)
            if folder is not None:
                _save(outcomes, running.real_traces(scripts, cluster, None, progress.advance), folder, other)
    if json:
        print(json_format.dumps(outcome.as_dict(outcomes, other), indent=2, ensure_ascii=False))
    else:
        print(outcome.as_text(outcomes, other))
    sys.stdout.flush()
    raise typer.Exit(outcome.exit_code(outcomes))


def _save(outcomes: list[Outcome], again: dict[str, Trace], folder: Path, other: str) -> None:
    from edasim.conform import running

    left_out = running.record(outcomes, again, folder, other)
    print(f"The golden traces are in {folder}.", file=sys.stderr)
    if left_out:
        print(f"Not recorded, as they were cut short or not the same twice: {', '.join(left_out)}.", file=sys.stderr)
