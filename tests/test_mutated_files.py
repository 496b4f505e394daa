"""Mistyped, cut and hostile files: a scenario or sentences, never a traceback, soon, and in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edasim.core.guard import memory_bytes
from tests.mutations import mutated
from tools import mutate

ROOT = Path(__file__).resolve().parent.parent
FILES, BATCH = 1_500, 500


@pytest.mark.parametrize("first", range(1, FILES + 1, BATCH))
def test_no_mutated_file_does_harm(first: int) -> None:
    """In a process of its own, which is allowed 200 MB more than it has and 20 seconds for a file."""
    command = [sys.executable, "-m", "tools.mutate", str(first), str(BATCH)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{BATCH} mutated files: " in ended.stdout
    assert " 0 did harm" in ended.stdout


def test_most_are_refused_and_some_are_still_valid(tmp_path: Path) -> None:
    outcomes = []
    for seed in range(150):
        (tmp_path / "file.yml").write_bytes(mutated(seed))
        outcomes.append(mutate.read(tmp_path / "file.yml"))
    assert outcomes.count("refused") > 75
    assert outcomes.count("valid") > 5
    assert set(outcomes) == {"refused", "valid"}


def test_one_integer_names_one_file() -> None:
    assert mutated(17) == mutated(17) != mutated(18)


@pytest.mark.parametrize(
    ("break_down", "said"),
    [
        (lambda file: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda file: bytearray(MANY), "MemoryError: "),
        (lambda file: (_ for _ in ()).throw(mutate.ScenarioError([])), "badly refused: ''"),
    ],
)
def test_harm_is_seen(
    break_down: object, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutate, "load", break_down)
    monkeypatch.setattr(mutate, "hold_down", lambda: None)
    assert mutate.many(1, 2) == 1
    assert capsys.readouterr().out.startswith(f"file 1: {said}")


MANY = 1 << 60


def test_memory_is_really_held_down() -> None:
    program = "from tools.mutate import hold_down\nhold_down()\n"
    program += "bytearray(150_000_000)\nprint(1)\nbytearray(250_000_000)"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    if sys.platform != "linux" or not memory_bytes():
        pytest.skip("the system does not say how much memory a process has")
    assert (ended.stdout, "MemoryError" in ended.stderr) == ("1\n", True)
