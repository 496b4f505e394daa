"""The page of fidelity tells every option, and the one in docs/ is of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from edasim.cli import main
from edasim.conform.on_purpose import OnPurpose
from edasim.report.fidelity_page import fidelity_page
from edasim.scenario.broker_options import SECTIONS


def test_the_page_in_docs_is_the_one_that_is_written_now() -> None:
    assert Path("docs/fidelity.md").read_text(encoding="utf-8") == fidelity_page(), "run: edasim fidelity --out docs"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_option_stands_there_once_with_its_status(section: str) -> None:
    page = fidelity_page([section])
    for option in SECTIONS[section].values():
        row = f"| `{option.name}` |" in page
        assert row == (option.status != "ignored")
        assert page.count(f"`{option.name}`") >= 1


def test_a_default_that_changed_is_told_release_by_release() -> None:
    page = fidelity_page(["kafka producer"])
    assert "| `linger.ms` | `0` from 3.9, `5` from 4.0 | modelled |" in page


def test_it_says_where_a_broker_is_simpler_beyond_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "do not fail over" in fidelity_page(["kafka broker"])
    assert "none differs on purpose" in fidelity_page(["kafka broker"])
    assert "do not fail over" not in fidelity_page(["rabbitmq queue"])
    one = OnPurpose("failover", "leader", "elections take no time")
    monkeypatch.setattr("edasim.report.fidelity_page.ON_PURPOSE", (one,))
    assert "- Script failover, leader: elections take no time" in fidelity_page(["kafka broker"])
    assert "none differs" not in fidelity_page(["kafka broker"])


def test_one_broker_can_be_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["fidelity", "rabbitmq"]) == 0
    said = capsys.readouterr().out
    assert "## rabbitmq queue" in said
    assert "## kafka" not in said
    assert main(["fidelity", "--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "fidelity.md").read_text(encoding="utf-8") == fidelity_page()


def test_an_unknown_broker_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fidelity", "pulsar"]) == 2
    assert capsys.readouterr().err == '"pulsar" is no broker that edasim knows: choose kafka or rabbitmq\n'
