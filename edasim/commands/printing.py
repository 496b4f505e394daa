"""Printing for people: as wide as the terminal, and wide enough where there is none."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

_WITHOUT_TERMINAL = 120
_READABLE = 110


def console() -> Console:
    """A console on stdout; in a file or a pipe it is wide enough for a table of four architectures."""
    return Console() if sys.stdout.isatty() else Console(width=_WITHOUT_TERMINAL)


def print_table(table: Table) -> None:
    """Print a rich table."""
    console().print(table)


def print_text(text: str) -> None:
    """Print prose, wrapped at words, with a blank line before it."""
    page = console()
    page.print()
    page.print(text, width=min(page.width, _READABLE), markup=False, highlight=False, emoji=False)
