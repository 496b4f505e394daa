"""`edasim compare` and `edasim run`: simulate, print a table and a verdict, or JSON, and save what was asked for."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import typer

from edasim.commands.failing import BROKEN, STOPPED, complain, plainly
from edasim.commands.options import (
    AllowLarge,
    Architectures,
    File,
    Json,
    MaxMemory,
    Out,
    Replications,
    Seed,
    Set,
    ShuffleTies,
    limits_of,
    named,
    read_scenario,
    usable_folder,
)
from edasim.commands.printing import print_table, print_text
from edasim.commands.progress import SlowProgress
from edasim.scenario.value import Scenario
from edasim.simulate import Limits
from edasim.study.comparison import Comparison
from edasim.study.ties import Ties


@plainly
def compare(  # noqa: PLR0913 - the options of a command
    file: File,
    arch: Architectures = None,
    replications: Replications = 10,
    seed: Seed = 1,
    setting: Set = None,
    out: Out = None,
    json: Json = False,
    allow_large: AllowLarge = False,
    max_memory: MaxMemory = None,
    shuffled: ShuffleTies = 0,
) -> None:
    """Put the same orders through each architecture: a table with error bars, a verdict, charts.

    Differences are paired, against the first architecture.

    Example: edasim compare scenarios/payment-outage.yml --set client.timeout=30s --out out/
    """
    scenario = read_scenario(file, setting, allow_large)
    limits = limits_of(allow_large, max_memory)
    comparison, stopped = _study(scenario, named(arch), (replications, seed), limits, usable_folder(out))
    if not json:
        print_table(comparison.table())
        print_text(comparison.verdict())
    _finish(comparison, out, json, stopped, _ties(comparison, shuffled, limits, stopped))


@plainly
def run(  # noqa: PLR0913 - the options of a command
    file: File,
    arch: Architectures = None,
    replications: Replications = 1,
    seed: Seed = 1,
    setting: Set = None,
    out: Out = None,
    json: Json = False,
    allow_large: AllowLarge = False,
    max_memory: MaxMemory = None,
    shuffled: ShuffleTies = 0,
) -> None:
    """Run a scenario in one architecture, or once in each that it lists, and print the numbers.

    Example: edasim run scenarios/payment-outage.yml --arch kafka --seed 7
    """
    scenario = read_scenario(file, setting, allow_large)
    limits = limits_of(allow_large, max_memory)
    comparison, stopped = _study(scenario, named(arch), (replications, seed), limits, usable_folder(out))
    if not json:
        if comparison.replications > 1 or not comparison.complete:
            print_table(comparison.table())
        else:
            print("\n\n".join(str(one) for one in comparison.runs.values()))
            print_table(comparison.theory().table())
    _finish(comparison, out, json, stopped, _ties(comparison, shuffled, limits, stopped))


def _study(
    scenario: Scenario, architectures: list[str] | None, study: tuple[int, int], limits: Limits, out: Path | None
) -> tuple[Comparison, bool]:
    """The comparison of (replications, seed), and whether Ctrl-C stopped it; exits when there is nothing yet."""
    from edasim.simulate import simulate
    from edasim.study.compare import Interrupted, chosen_architectures
    from edasim.study.compare import compare as compare_architectures
    from edasim.study.theory.overload import warnings

    replications, seed = study
    runner = partial(simulate, limits=limits)
    for sentence in warnings(scenario, chosen_architectures(scenario, architectures)):
        complain(f"Before the run: {sentence}.")
    try:
        with SlowProgress("simulating") as progress:
            return compare_architectures(scenario, architectures, replications, seed, progress.advance, runner), False
    except Interrupted as stop:
        if stop.comparison is None:
            complain("Stopped before the first replication was finished everywhere: there is nothing to save.")
            raise typer.Exit(STOPPED) from None
        done = f"{stop.comparison.replications} of {replications} replications were finished"
        complain(f"Stopped: {done}; what follows{' and what is saved' if out else ''} is marked incomplete.")
        return stop.comparison, True


def _ties(comparison: Comparison, orders: int, limits: Limits, stopped: bool) -> Ties | None:
    """The same with ties in so many random orders; None when that was not asked for, or Ctrl-C has been pressed."""
    from edasim.study.ties import shuffle_ties

    if not orders or stopped:
        return None
    with SlowProgress("shuffling ties") as progress:
        return shuffle_ties(comparison, orders, limits, progress.advance)


def _finish(comparison: Comparison, out: Path | None, json: bool, stopped: bool, ties: Ties | None) -> None:
    from edasim.study.comparison import json_text

    if json:
        sys.stdout.write(json_text({**comparison.as_dict(), **({"ties": ties.as_dict()} if ties else {})}))
    elif ties:
        print_text(str(ties))
    if out is not None:
        (complain if json else print_text)(_save(comparison, out))
    sys.stdout.flush()
    if stopped:
        raise typer.Exit(STOPPED)
    if ties and not ties.fine:
        raise typer.Exit(BROKEN)


def _save(comparison: Comparison, out: Path) -> str:
    """Save everything and say where; after Ctrl-C say on stderr what is there, and exit."""
    from edasim.charts.saving import CHARTS

    drawn: list[int] = []
    try:
        with SlowProgress("drawing") as progress:

            def advance(done: int, total: int) -> None:
                drawn.append(done)
                progress.advance(done, total)

            files = comparison.save(out, advance)
    except KeyboardInterrupt:
        whole = ["slide", *CHARTS][: drawn[-1]] if drawn else []
        complain(_stopped_words(out, bool(drawn), [f"{name}.png" for name in whole], len(CHARTS) + 1))
        raise typer.Exit(STOPPED) from None
    charts = [file.name for file in files if file.suffix == ".png"]
    others = [file.name for file in files if file.suffix not in (".png", ".svg")]
    return f"Saved in {out}: {', '.join(others)}; charts, each as PNG and SVG: {', '.join(charts)}"


def _stopped_words(out: Path, numbers: bool, charts: list[str], wanted: int) -> str:
    if not numbers:
        return f"Stopped before the numbers were saved in {out}."
    saved = f"Stopped while drawing. Saved in {out}: all numbers and the verdict"
    return f"{saved}; charts, {len(charts)} of {wanted}: {', '.join(charts)}" if charts else f"{saved}, but no chart"
