"""`edasim lab`, `app` and `doctor`, without a browser."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from edasim.cli import main
from edasim.commands import doctoring, opening
from edasim.shipped import notebooks_folder

needs_lab = pytest.mark.skipif(
    any(find_spec(name) is None for name in doctoring.LAB), reason="the lab needs the extra edasim[lab]")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Path]]:
    """The servers that would have been started, with their folders."""
    calls: list[tuple[list[str], Path]] = []

    def serve(command: list[str], folder: Path) -> int:
        calls.append((command, folder))
        return 0

    monkeypatch.setattr(opening, "_serve", serve)
    return calls


@needs_lab
def test_lab_opens_the_first_notebook_on_loopback_only(served: list[tuple[list[str], Path]]) -> None:
    assert main(["lab", "--no-browser", "--port", "8899"]) == 0
    (command, folder), = served
    assert folder == notebooks_folder()
    assert "--ip=127.0.0.1" in command
    assert "--ServerApp.port=8899" in command
    assert "--LabApp.default_url=/lab/tree/00-start-here.ipynb" in command
    assert "--no-browser" in command
    extensions = next(Path(word.partition("=")[2]) for word in command if "extra_labextensions_path" in word)
    assert json.loads((extensions / "edasim-start" / "package.json").read_text())["jupyterlab"]["extension"] is True


@needs_lab
def test_lab_finds_a_notebook_by_its_number_and_names_all_when_there_is_none(
    served: list[tuple[list[str], Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "02"]) == 0
    assert any("02-monolith-or-events.ipynb" in word for word in served[0][0])
    assert main(["lab", "nothing"]) == 2
    assert "00-start-here" in capsys.readouterr().err
    assert len(served) == 1


@needs_lab
def test_lab_copies_the_notebooks_and_never_writes_over_one(
    served: list[tuple[list[str], Path]], tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    assert main(["lab", "--folder", str(place)]) == 0
    mine = place / "00-start-here.ipynb"
    assert mine.read_text(encoding="utf-8") == (notebooks_folder() / mine.name).read_text(encoding="utf-8")
    mine.write_text("my own work", encoding="utf-8")
    assert main(["lab", "--folder", str(place)]) == 0
    assert mine.read_text(encoding="utf-8") == "my own work"
    assert served[-1][1] == place


@needs_lab
def test_app_serves_the_sliders_of_any_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, str] = {}

    def serve(command: list[str], folder: Path) -> int:
        seen["command"] = " ".join(command)
        seen["page"] = (folder / "edasim.ipynb").read_text(encoding="utf-8")
        seen["scenario"] = (folder / "scenario.yml").read_text(encoding="utf-8")
        return 0

    monkeypatch.setattr(opening, "_serve", serve)
    words = ["app", "black-friday", "--arch", "monolith,kafka", "--seed", "7", "--set", "client.timeout=12s"]
    assert main([*words, "--no-browser"]) == 0
    assert "--Voila.ip=127.0.0.1" in seen["command"]
    port = seen["command"].split("--port=")[1].split()[0]
    assert int(port) > 0
    assert f"http://127.0.0.1:{port}/" in capsys.readouterr().out
    assert "12s" in seen["scenario"]
    cell, = json.loads(seen["page"])["cells"]
    assert "('monolith', 'kafka')" in cell["source"] or "['monolith', 'kafka']" in cell["source"]
    assert "seed=7" in cell["source"]
    assert main(["app", "no-such-scenario.yml"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@needs_lab
def test_the_page_of_the_app_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edasim.scenario.reading import load
    from edasim.scenario.writing import to_yaml

    (tmp_path / "scenario.yml").write_text(to_yaml(load("scenarios/payment-outage.yml")), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    cell, = opening.app_notebook(["kafka"], 3)["cells"]  # type: ignore[misc]
    exec(cell["source"].replace("edasim.explore(", "shown = edasim.explore("), scope)
    assert list(scope["shown"].runs) == ["kafka"]  # type: ignore[attr-defined]


@needs_lab
def test_doctor_finds_this_machine_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctoring, "_browser", lambda: doctoring.Finding("browser", True, "chromium"))
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.count("ok  ") == 9
    assert main(["doctor", "--json"]) == 0
    assert all(finding["well"] for finding in json.loads(capsys.readouterr().out))


def test_doctor_has_one_cure_for_each_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> doctoring.Finding:
        raise OSError("no fonts")

    monkeypatch.setattr(doctoring, "find_spec", lambda name: None)
    monkeypatch.setattr(doctoring, "_charts", broken)
    monkeypatch.setattr(doctoring.shutil, "which", lambda name: None)
    assert main(["doctor"]) == 2
    lines = capsys.readouterr().out.splitlines()
    faults = [number for number, line in enumerate(lines) if line.startswith("FAIL")]
    assert len(faults) >= 4
    assert all(lines[number + 1].startswith("      cure: ") for number in faults)
    assert "OSError: no fonts" in "\n".join(lines)
    assert not doctoring.python((3, 10)).well


def test_without_the_extra_the_cure_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    assert main(["lab"]) == 2
    assert "pip install 'edasim[lab]'" in capsys.readouterr().err
