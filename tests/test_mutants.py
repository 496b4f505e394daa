"""The planted defects fit the code as it is, and what tells whether one is caught tells the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from edasim.study.validate.laws import laws
from tools import mutants
from tools.mutants import Misfit, Mutant, changed, plant


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_each_defect_can_be_planted_and_is_looked_for(mutant: Mutant) -> None:
    for change in mutant.changes:
        text = (mutants.ROOT / "edasim" / change.file).read_text(encoding="utf-8")
        assert text.count(change.before) == 1, change.file
        compile(text.replace(change.before, change.after), change.file, "exec")
    assert mutants.checks_of(mutant)
    assert set(mutant.laws) <= set(laws())
    assert all((mutants.ROOT / tests).exists() for tests in mutant.tests)


def test_what_is_planted_can_be_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "edasim" / "one.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    held = plant(tmp_path, Mutant("one", changed("one.py", "x = 1", "x = 2")))
    assert file.read_text() == "x = 2\n"
    assert held == {file: "x = 1\n"}


@pytest.mark.parametrize("before", ["y = 1", "= "])
def test_a_defect_that_does_not_fit_is_an_error(tmp_path: Path, before: str) -> None:
    file = tmp_path / "edasim" / "one.py"
    file.parent.mkdir()
    file.write_text("x = 1\nz = 2\n")
    with pytest.raises(Misfit, match=r"cannot be planted: edasim.one.py has"):
        plant(tmp_path, Mutant("one", changed("one.py", before, "")))
    assert file.read_text() == "x = 1\nz = 2\n"


def test_a_defect_that_nobody_sees_survives_and_one_that_is_seen_does_not(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment is no defect; a wrong fold is one."""
    planted = (
        Mutant("a comment", changed("sourcing/__init__.py", '"""Event sourcing', '"""Event  sourcing'), laws=("H08",)),
        Mutant("money vanishes", changed("sourcing/aggregate.py", "reduce(handle, events, initial)",
                                         "reduce(handle, list(events)[:-1], initial)"), laws=("H08",)))
    monkeypatch.setattr(mutants, "MUTANTS", planted)
    written = tmp_path / "mutants.md"
    assert mutants.main(["--page", str(written)]) == 1
    lines = written.read_text().splitlines()
    assert "| a comment | H08 | **SURVIVED** |" in lines
    assert any(line.startswith("| money vanishes | H08 | ") and "SURVIVED" not in line for line in lines)
    assert lines[-1] == "Survived: a comment."
    monkeypatch.setattr(mutants, "MUTANTS", planted[1:])
    assert mutants.main(["--page", str(written)]) == 0
    capsys.readouterr()
