"""What a user sees when something goes wrong: a sentence and an exit code, never a traceback."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

FINE, BROKEN, BAD_INPUT, STOPPED = 0, 1, 2, 130
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def plainly(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a command so that every error becomes a sentence on stderr and an exit code."""

    @functools.wraps(command)
    def told(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        try:
            return command(*arguments, **named)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            complain("Stopped.")
            raise typer.Exit(STOPPED) from None
        except BrokenPipeError:
            # Whoever read the output has gone; Python would complain once more when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FINE) from None
        except Exception as error:
            sentence, code = explained(error)
            complain(sentence)
            raise typer.Exit(code) from None

    return told


def explained(error: Exception) -> tuple[str, int]:
    """The sentence and the exit code for an error."""
    from edasim.core.clock import TimeStandsStill
    from edasim.core.conservation import ConservationError
    from edasim.core.guard import RunStopped
    from edasim.scenario.errors import ScenarioError

    if isinstance(error, ScenarioError):
        return str(error), BAD_INPUT
    if isinstance(error, (ConservationError, TimeStandsStill)):
        return str(error), BROKEN
    if isinstance(error, RunStopped):
        return str(error), BAD_INPUT
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{(error.strerror or str(error) or 'this cannot be read or written').lower()}", BAD_INPUT
    if type(error).__module__.startswith("edasim.") and isinstance(error, ValueError):
        return str(error), BAD_INPUT
    if isinstance(error, MemoryError):
        return "There is not enough memory: make the scenario or the number of replications smaller.", BAD_INPUT
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    hint = "edasim check FILE looks at the scenario; if that is fine, please report this with the command and the file."
    return f"This is a mistake in edasim, not in your input ({what}). {hint}", BROKEN


def complain(sentence: str) -> None:
    """Say it on stderr."""
    print(sentence, file=sys.stderr)
