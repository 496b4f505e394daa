"""The options that commands share, and the scenario that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edasim.core.guard import parse_memory
from edasim.core.quantity import QuantityError
from edasim.scenario.document import read_document, scalar
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.path import with_value
from edasim.scenario.reading import build, load
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict
from edasim.simulate import Limits

File = Annotated[
    str, typer.Argument(metavar="FILE", help="A scenario file, or the name of a shipped one such as payment-outage.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same numbers, bit by bit.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="Save numbers, verdict and charts in this folder.")
]
Pictures = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Save a picture of each architecture in this folder, PNG and SVG."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the scenario; may be given several times."),
]
Architectures = Annotated[
    list[str] | None,
    typer.Option("--arch", metavar="NAME", help="Only this architecture; may be given several times, or a,b."),
]
Replications = Annotated[
    int, typer.Option("--replications", min=1, max=100_000, help="How often it is repeated with other seeds.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=256, help="Do the runs in so many processes of this machine.")
]
Dask = Annotated[
    str | None, typer.Option("--dask", metavar="ADDRESS", help="Do the runs on a Dask cluster: tcp://HOST:8786.")
]
AllowLarge = Annotated[bool, typer.Option("--allow-large", help="Do not refuse a run of over 10^8 events or 2 GB.")]

MaxMemory = Annotated[
    str | None,
    typer.Option("--max-memory", metavar="SIZE", help="Stop when edasim takes more memory than this, such as 2GB."),
]
ShuffleTies = Annotated[
    int,
    typer.Option(
        "--shuffle-ties",
        metavar="N",
        min=0,
        max=10_000,
        help="Repeat all of it N times with what happens at one instant in a random order: conservation and verdict "
        "must not change.",
    ),
]


def limits_of(allow_large: bool, max_memory: str | None) -> Limits:
    """What a run may take; raises ScenarioError for an amount of memory that is none."""
    try:
        return Limits(not allow_large, None if max_memory is None else parse_memory(max_memory))
    except ValueError as error:
        raise ScenarioError([Problem(str(error), "--max-memory")]) from None


def read_scenario(file: str, settings: list[str] | None = None, allow_large: bool = False) -> Scenario:
    """The scenario of a file (or the name of a shipped one), with the values of `--set`; raises ScenarioError."""
    if not settings:
        return load(file, allow_large)
    scenario = load(file, allow_large=True)
    try:
        return _changed(scenario, settings, allow_large, as_text=False)
    except ScenarioError as error:
        # A shell takes the quotes away: where a number will not do, the text of it may (version=4.0).
        try:
            return _changed(scenario, settings, allow_large, as_text=True)
        except ScenarioError:
            raise error from None


def _changed(scenario: Scenario, settings: list[str], allow_large: bool, as_text: bool) -> Scenario:
    data = to_dict(scenario)
    for setting in settings:
        path, value = split_setting(setting)
        if as_text and path.endswith(".version"):
            value = setting.partition("=")[2].strip()
        try:
            data = with_value(data, scenario, path, value)
        except QuantityError as error:
            raise ScenarioError([Problem(str(error), f"--set {path}")]) from None
    return build(data, allow_large)


def split_setting(setting: str) -> tuple[str, object]:
    """The path and the value of a `--set`, the value read as a file would read it."""
    path, equals, text = setting.partition("=")
    if not equals or not path.strip():
        example = "--set services.payment.fails=10%"
        raise ScenarioError([Problem(f'"{setting}" has no path and value: write it as in {example}', "--set")])
    value = text.strip()
    if value[:1] in ("[", "{"):
        return path.strip(), read_document(f"value: {value}").data["value"]
    return path.strip(), scalar(value)


def named(architectures: list[str] | None) -> list[str] | None:
    """The architectures of `--arch`, also when several stand in one, with a comma between."""
    if not architectures:
        return None
    return [name.strip() for given in architectures for name in given.split(",") if name.strip()]


def usable_folder(out: Path | None) -> Path | None:
    """Make the folder of `--out` before anything long begins; raises OSError when that is not possible."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".edasim-was-here"
        probe.touch()
        probe.unlink()
    return out
