"""The students' copies: everything but the solutions."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edasim.handout import without_solutions, write_handout
from edasim.shipped import notebooks_folder

ROOT = Path(__file__).resolve().parent.parent


def cell(kind: str, source: str, *tags: str) -> dict:
    """A cell as a notebook's file has it."""
    made = {"cell_type": kind, "id": source, "metadata": {"tags": list(tags)} if tags else {}, "source": source}
    return made | ({"outputs": [{"output_type": "stream"}], "execution_count": 3} if kind == "code" else {})


def test_a_solution_is_left_out_with_all_outputs_and_nothing_else_is() -> None:
    notebook = {"cells": [cell("markdown", "Exercise"), cell("code", "mine"), cell("code", "theirs", "solution"),
                          cell("markdown", "why", "other", "solution"), cell("code", "last", "other")],
                "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}
    before = copy.deepcopy(notebook)
    handed = without_solutions(notebook)
    assert [one["source"] for one in handed["cells"]] == ["Exercise", "mine", "last"]
    assert all(one["outputs"] == [] and one["execution_count"] is None
               for one in handed["cells"] if one["cell_type"] == "code")
    assert {key: handed[key] for key in handed if key != "cells"} == {
        key: before[key] for key in before if key != "cells"}
    assert notebook == before


def test_the_command_writes_every_notebook_without_a_solution(tmp_path: Path) -> None:
    printed = subprocess.run([sys.executable, "-m", "edasim.handout", str(tmp_path / "handout")], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout.split()
    originals = sorted(notebooks_folder().glob("*.ipynb"))
    assert [Path(line).name for line in printed] == [file.name for file in originals]
    for file in originals:
        whole = json.loads(file.read_text(encoding="utf-8"))
        handed = json.loads((tmp_path / "handout" / file.name).read_text(encoding="utf-8"))
        tagged = [one for one in whole["cells"] if "solution" in one["metadata"].get("tags", [])]
        assert len(handed["cells"]) == len(whole["cells"]) - len(tagged)
        assert not any("solution" in one["metadata"].get("tags", []) for one in handed["cells"])


def test_the_notebooks_themselves_are_never_written_over() -> None:
    with pytest.raises(ValueError, match="choose another folder"):
        write_handout(notebooks_folder())
