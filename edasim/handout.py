"""The students' copies of the notebooks, without the solutions: `python -m edasim.handout out/handout`."""

import json
import sys
from pathlib import Path
from typing import Any

from edasim.core.files import write_whole
from edasim.shipped import notebooks_folder

SOLUTION = "solution"
"""The tag of a cell that the students' copies leave out."""


def without_solutions(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook without the cells of its solution, and without outputs, which might show one."""
    cells = [cell for cell in notebook["cells"] if SOLUTION not in cell["metadata"].get("tags", [])]
    return {**notebook, "cells": [_without_output(cell) for cell in cells]}


def _without_output(cell: dict[str, Any]) -> dict[str, Any]:
    return {**cell, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else cell


def write_handout(folder: Path, source: Path | None = None) -> list[Path]:
    """Write the students' copies to a folder; copies that are there already are written anew.  Returns the files.

    Raises FileNotFoundError if this copy of edasim has no notebooks, ValueError for the folder of the notebooks itself.
    """
    notebooks = source or notebooks_folder()
    if folder.resolve() == notebooks.resolve():
        raise ValueError(f"{folder} holds the notebooks with their solutions: choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file in sorted(notebooks.glob("*.ipynb")):
        copy = without_solutions(json.loads(file.read_text(encoding="utf-8")))
        written.append(write_whole(folder / file.name, json.dumps(copy, indent=1, ensure_ascii=False) + "\n"))
    return written


if __name__ == "__main__":
    for file in write_handout(Path(sys.argv[1] if len(sys.argv) > 1 else "out/handout")):
        print(file)
