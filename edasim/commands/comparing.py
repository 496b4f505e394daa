"""`edasim compare` and `edasim run`: simulate, print a table and a verdict, or JSON, and save what was asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import BAD_INPUT, BROKEN, STOPPED, complain, plainly
from edasim.commands.options import (
    AllowLarge,
    Architectures,
    Dask,
    File,
    Json,
    MaxMemory,
    Out,
    Replications,
    Seed,
    Set,
    ShuffleTies,
    Workers,
    limits_of,
    named,
    read_scenario,
    usable_folder,
)
from edasim.commands.printing import print_table, print_text
from edasim.commands.progress import SlowProgress
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.value import Scenario
from edasim.simulate import Limits
from edasim.study.comparison import Comparison
from edasim.study.ties import Ties
from edasim.study.until_precise import PRECISE_METRIC

Wanted = Annotated[
    str | None,
    typer.Option("--precision", metavar="SHARE", help="Add replications until ± is at most so much of the mean: 2%."),
]
WantedOf = Annotated[
    str, typer.Option("--precision-of", metavar="PATH", help="Of which number, everywhere it is run.")
]
Budget = Annotated[
    int, typer.Option("--budget", min=5, max=100_000, help="At most so many replications for the precision.")
]
AUTO = "auto"
BUDGET = 100
WarmUp = Annotated[
    str | None,
    typer.Option("--warm-up", metavar="DURATION", help="Leave out the orders of so long; auto finds out how long."),
]


@plainly
def compare(  # noqa: PLR0913 - the options of a command
    file: File,
    arch: Architectures = None,
    replications: Replications = 10,
    seed: Seed = 1,
    setting: Set = None,
    out: Out = None,
    workers: Workers = None,
    dask: Dask = None,
    precision: Wanted = None,
    precision_of: WantedOf = PRECISE_METRIC,
    budget: Budget = BUDGET,
    warm_up: WarmUp = None,
    json: Json = False,
    allow_large: AllowLarge = False,
    max_memory: MaxMemory = None,
    shuffled: ShuffleTies = 0,
) -> None:
    """Put the same orders through each architecture: a table with error bars, a verdict, charts.

    Differences are paired, against the first architecture.

    Example: edasim compare scenarios/payment-outage.yml --set client.timeout=30s --out out/
    """
    scenario = read_scenario(file, _with_warm_up(setting, warm_up), allow_large)
    limits = limits_of(allow_large, max_memory)
    if precision is None and (precision_of, budget) != (PRECISE_METRIC, BUDGET):
        option = "--budget" if budget != BUDGET else "--precision-of"
        raise ScenarioError([Problem("it does nothing without --precision: write --precision 2% beside it", option)])
    study = Study(named(arch), replications, seed, limits, usable_folder(out), workers, dask, precision, precision_of,
                  budget)
    scenario = study.warmed_up(scenario, warm_up)
    comparison, stopped = study.compare(scenario)
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
    workers: Workers = None,
    dask: Dask = None,
    warm_up: WarmUp = None,
    json: Json = False,
    allow_large: AllowLarge = False,
    max_memory: MaxMemory = None,
    shuffled: ShuffleTies = 0,
) -> None:
    """Run a scenario in one architecture, or once in each that it lists, and print the numbers.

    Example: edasim run scenarios/payment-outage.yml --arch kafka --seed 7
    """
    scenario = read_scenario(file, _with_warm_up(setting, warm_up), allow_large)
    limits = limits_of(allow_large, max_memory)
    study = Study(named(arch), replications, seed, limits, usable_folder(out), workers, dask)
    scenario = study.warmed_up(scenario, warm_up)
    comparison, stopped = study.compare(scenario)
    if not json:
        if comparison.replications > 1 or not comparison.complete:
            print_table(comparison.table())
        else:
            print("\n\n".join(str(one) for one in comparison.runs.values()))
            print_table(comparison.theory().table())
    _finish(comparison, out, json, stopped, _ties(comparison, shuffled, limits, stopped))


def _with_warm_up(settings: list[str] | None, warm_up: str | None) -> list[str] | None:
    """A warm-up by hand is a setting like others."""
    return settings if warm_up in (None, AUTO) else [*(settings or []), f"warm-up={warm_up}"]


@dataclass
class Study:
    """What was asked for on the command line."""

    architectures: list[str] | None
    replications: int
    seed: int
    limits: Limits
    out: Path | None
    workers: int | None = None
    dask: str | None = None
    precision: str | None = None
    precision_of: str = PRECISE_METRIC
    budget: int = BUDGET

    def warmed_up(self, scenario: Scenario, warm_up: str | None) -> Scenario:
        """The scenario with the warm-up that was found, which is told on stderr, where it was asked for."""
        from edasim.study.warm_up import find_warm_up

        if warm_up != AUTO:
            return scenario
        with SlowProgress("looking for the warm-up") as progress:
            found = find_warm_up(
                scenario, self.architectures, self.seed, workers=self.workers, dask=self.dask, progress=progress.advance
            )
        complain(found.sentence())
        return found.scenario

    def compare(self, scenario: Scenario) -> tuple[Comparison, bool]:
        """The comparison, and whether Ctrl-C stopped it; exits when there is nothing yet."""
        from edasim.study.compare import Interrupted, chosen_architectures
        from edasim.study.compare import compare as compare_architectures
        from edasim.study.theory.overload import warnings

        for sentence in warnings(scenario, chosen_architectures(scenario, self.architectures)):
            complain(f"Before the run: {sentence}.")
        try:
            with SlowProgress("simulating") as progress:
                return compare_architectures(
                    scenario, self.architectures, self.replications, self.seed, progress.advance,
                    workers=self.workers, dask=self.dask, precision=self.precision, precision_of=self.precision_of,
                    budget=self.budget, how={"limits": self.limits},
                ), False
        except Interrupted as stop:
            if stop.comparison is None:
                complain("Stopped before the first replication was finished everywhere: there is nothing to save.")
                raise typer.Exit(STOPPED) from None
            done = f"{stop.comparison.replications} of {stop.comparison.asked} replications were finished"
            saved = " and what is saved" if self.out else ""
            complain(f"Stopped: {done}; what follows{saved} is marked incomplete.")
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
    wanted = comparison.precision
    if wanted is not None and not wanted.reached(comparison.observations):
        complain(wanted.sentence(comparison.observations))
        raise typer.Exit(BAD_INPUT)
    if ties and not ties.fine:
        raise typer.Exit(BROKEN)


def _save(comparison: Comparison, out: Path) -> str:
    """Save everything and say where; after Ctrl-C say on stderr what is there, and exit."""
    from edasim.charts.saving import charts_of

    drawn: list[int] = []
    try:
        with SlowProgress("drawing") as progress:

            def advance(done: int, total: int) -> None:
                drawn.append(done)
                progress.advance(done, total)

            files = comparison.save(out, advance)
    except KeyboardInterrupt:
        wanted = ["slide", *charts_of(comparison)]
        whole = wanted[: drawn[-1]] if drawn else []
        complain(_stopped_words(out, bool(drawn), [f"{name}.png" for name in whole], len(wanted)))
        raise typer.Exit(STOPPED) from None
    charts = [file.name for file in files if file.suffix == ".png"]
    others = [file.name for file in files if file.suffix not in (".png", ".svg")]
    return f"Saved in {out}: {', '.join(others)}; charts, each as PNG and SVG: {', '.join(charts)}"


def _stopped_words(out: Path, numbers: bool, charts: list[str], wanted: int) -> str:
    if not numbers:
        return f"Stopped before the numbers were saved in {out}."
    saved = f"Stopped while drawing. Saved in {out}: all numbers and the verdict"
    return f"{saved}; charts, {len(charts)} of {wanted}: {', '.join(charts)}" if charts else f"{saved}, but no chart"
