"""The command line: `edasim WORD ...`. Each word's work is in `edasim.commands`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from edasim import jobs
from edasim.commands.checking import check
from edasim.commands.comparing import compare, run
from edasim.commands.conforming import conform
from edasim.commands.describing import describe
from edasim.commands.doctoring import doctor
from edasim.commands.failing import BROKEN, STOPPED, plainly
from edasim.commands.fidelity import fidelity
from edasim.commands.finding import find
from edasim.commands.opening import app as open_app
from edasim.commands.opening import lab
from edasim.commands.reporting import report
from edasim.commands.sweeping import sweep
from edasim.commands.validating import validate
from edasim.commands.weighing import sensitivity
from edasim.version import __version__

EXIT_CODES = (
    "Exit codes: 0 fine, 1 an invariant is broken, 2 bad input, or the precision asked for was not reached, "
    "130 after Ctrl-C."
)

app = typer.Typer(
    name="edasim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A flight simulator for event-driven architecture: the same orders through four ways to build a shop.",
    epilog=f"{EXIT_CODES}\n\nBegin with: edasim demo",
)
COMMANDS = (run, compare, sweep, find, sensitivity, report, validate, conform, check, describe, fidelity, lab, doctor)
for command in COMMANDS:
    app.command(epilog=EXIT_CODES)(command)
app.command("app", epilog=EXIT_CODES)(open_app)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"edasim {__version__}")
        raise typer.Exit()


@app.callback()
def edasim(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A flight simulator for event-driven architecture."""


@app.command(epilog=EXIT_CODES)
@plainly
def demo() -> None:
    """Put the payment outage through all four architectures and save table, verdict and charts in out/demo.

    Example: edasim demo
    """
    code = main(jobs.demo_command())
    raise typer.Exit(code)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@plainly
def test(context: typer.Context) -> None:
    """Run the tests of the clone that this is, on two cores; what follows goes to pytest.

    Example: edasim test -k precision
    """
    raise typer.Exit(jobs.test(context.args))


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words after `edasim` say; returns the exit code.

    0 fine, 1 broken, 2 bad input, or the precision asked for was not reached, 130 stopped.
    """
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="edasim")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else BROKEN if end.code else 0
    except KeyboardInterrupt:
        return STOPPED
    return 0
