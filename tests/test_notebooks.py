"""The notebooks: one shape for all, thin cells, and each runs from top to bottom in any folder."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import statistics
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from edasim.simulate import Run

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
START = "00-start-here"
"""The page that greets people: it has a shape of its own, and keeps to the rules about cells like the others."""
WORKSHOP = [file for file in NOTEBOOKS if file.stem != START]
HEADINGS = ["After this you can", "The question", "Predict", "Run", "Twiddle", "Look closer", "Exercise",
            "What to remember", "A question to take home"]
MOST_LINES, MEDIAN_LINES, FEWEST_CELLS, MOST_CELLS, LONGEST_LINE = 12, 2, 12, 20, 110
SECONDS_FOR_A_CELL = 300

every_notebook = pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
every_workshop_notebook = pytest.mark.parametrize("file", WORKSHOP, ids=lambda file: file.stem)
needs_jupyter = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("nbclient", "nbformat", "ipykernel", "ipywidgets", "anywidget")),
    reason="running a notebook needs nbclient and the lab: pip install 'edasim[dev,lab]'")


def cells_of(file: Path, kind: str = "") -> list[dict[str, Any]]:
    """The cells of a notebook, of one kind or all; the source of each is one text."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in cells if cell["cell_type"] == (kind or
                                                                                                 cell["cell_type"])]


def is_solution(cell: dict[str, Any]) -> bool:
    """Whether the students' copies leave it out."""
    return "solution" in cell["metadata"].get("tags", [])


def own_code(file: Path) -> list[str]:
    """The code of a notebook without its solution."""
    return [cell["source"] for cell in cells_of(file, "code") if not is_solution(cell)]


def lines_of(source: str) -> list[str]:
    """The lines of a cell that say something."""
    return [line for line in source.splitlines() if line.strip()]


def place_of(file: Path, heading: str) -> int:
    """The number of the cell that has a heading."""
    return next(number for number, cell in enumerate(cells_of(file)) if f"## {heading}" in cell["source"].splitlines())


# --- the rules --------------------------------------------------------------------------------------------------


@every_notebook
def test_a_notebook_is_saved_without_outputs_for_the_usual_kernel(file: Path) -> None:
    code = cells_of(file, "code")
    assert [cell["source"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    assert json.loads(file.read_text(encoding="utf-8"))["metadata"]["kernelspec"]["name"] == "python3"


@every_notebook
def test_cells_are_short_and_define_nothing(file: Path) -> None:
    assert [source for source in own_code(file) if len(lines_of(source)) > MOST_LINES] == []
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node.name for source in own_code(file) for node in ast.walk(ast.parse(source))
             if isinstance(node, defining)]
    assert found == []


@every_workshop_notebook
def test_a_notebook_has_the_shape_of_all(file: Path) -> None:
    text = "\n".join(cell["source"] for cell in cells_of(file, "markdown"))
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert len(re.findall(r"^# .+$", text, re.MULTILINE)) == 1
    assert FEWEST_CELLS <= len(cells_of(file)) <= MOST_CELLS
    assert statistics.median(len(lines_of(source)) for source in own_code(file)) <= MEDIAN_LINES
    assert [line for source in own_code(file) for line in source.splitlines() if len(line) > LONGEST_LINE] == []


@every_workshop_notebook
def test_it_says_how_long_it_takes_and_what_it_needs(file: Path) -> None:
    assert re.search(r"^\*\d\d minutes\. It needs .+\.\*$", cells_of(file)[0]["source"], re.MULTILINE)


@every_workshop_notebook
def test_a_picture_comes_before_the_guess_and_the_guess_before_the_result(file: Path) -> None:
    sources = [cell["source"] for cell in cells_of(file)]
    picture, guess, reveal = (next(number for number, source in enumerate(sources) if word in source)
                              for word in ("topology_figure(", "lab.predict(", "guess.reveal("))
    assert picture < place_of(file, "Predict") < guess < place_of(file, "Run") < reveal < place_of(file, "Twiddle")


@every_workshop_notebook
def test_there_is_one_seed_one_twiddle_one_exercise_and_its_solution_is_hidden(file: Path) -> None:
    code = "\n".join(own_code(file))
    assert re.findall(r"^SEED = \d+$", code, re.MULTILINE) == ["SEED = 7"]
    assert set(re.findall(r"seed=(\w+)", code)) == {"SEED"}
    assert code.count("edasim.explore(") == 1
    assert code.count("lab.exercises.") == 1
    solutions = [cell for cell in cells_of(file) if is_solution(cell)]
    assert len(solutions) == 1
    assert [cell["metadata"]["jupyter"] for cell in solutions] == [{"source_hidden": True}]
    numbers = [number for number, cell in enumerate(cells_of(file)) if is_solution(cell)]
    assert place_of(file, "Exercise") < numbers[0] < place_of(file, "What to remember")
    assert "lab.exercises." in solutions[0]["source"]


@every_workshop_notebook
def test_it_ends_with_three_sentences_and_a_question(file: Path) -> None:
    text = cells_of(file)[-1]["source"]
    remember, question = re.split(r"^## A question to take home$", text, flags=re.MULTILINE)
    assert len(re.findall(r"[.;](?:\s|$)", remember)) >= 3
    assert "?" in question


# --- running them -----------------------------------------------------------------------------------------------


def executed(file: Path, folder: Path) -> Any:
    """A notebook after it has run in a folder of its own; cells that need what is not here yet are left out."""
    import nbformat
    from nbclient import NotebookClient

    copy = Path(shutil.copy(file, folder))
    notebook = nbformat.read(copy, as_version=4)
    if not hasattr(Run, "journey"):
        notebook.cells = [cell for cell in notebook.cells if ".journey(" not in cell.source]
    NotebookClient(notebook, timeout=SECONDS_FOR_A_CELL, kernel_name="python3", allow_errors=True,
                   resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


@pytest.fixture
def kernel_finds_edasim(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel imports this clone, whatever is installed, and asks nothing of the user's own settings."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def shown_by(cell: Any) -> str:
    """What a cell shows, as text."""
    return "\n".join(output.data.get("text/plain", "") for output in cell.outputs if "data" in output)


@needs_jupyter
@pytest.mark.parametrize("file", [
    pytest.param(file, id=file.stem, marks=[] if file.stem.startswith("00") else [pytest.mark.notebooks])
    for file in NOTEBOOKS
])
@pytest.mark.usefixtures("kernel_finds_edasim")
def test_it_runs_from_top_to_bottom_in_any_folder(file: Path, tmp_path: Path) -> None:
    cells = [cell for cell in executed(file, tmp_path).cells if cell.cell_type == "code"]
    errors = [f"{output.ename}: {output.evalue}" for cell in cells for output in cell.outputs
              if output.output_type == "error"]
    assert errors == []
    exercises = [cell for cell in cells if "lab.exercises." in cell.source]
    if file in WORKSHOP:
        before, after = exercises
        assert shown_by(before).startswith("Not yet: ")
        assert shown_by(after).startswith("Made it: ")


@needs_jupyter
@every_workshop_notebook
def test_who_does_not_move_the_slider_is_not_right_by_accident(file: Path) -> None:
    """A slider stands in the middle of its range at first: the answer is well away from there."""
    answers = {"01-events": 0, "02-monolith-or-events": 344, "04-retries-and-dead-letters": 204,
               "05-eventual-consistency": 30, "06-kafka": 864}
    low, high = map(float, re.findall(r"lab\.predict\(.+, (\d+), (\d+)\)", "\n".join(own_code(file)))[0])
    answer = answers.get(file.stem, low)
    assert low <= answer <= high
    assert abs(answer - (low + high) / 2) > 0.15 * (high - low)
