"""The audit goes on where it was stopped, and says what holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edasim.study import audit as module
from edasim.study.audit import Audit
from edasim.study.executors import Serial
from edasim.study.validate.measuring import covered
from edasim.study.validate.scores import Scores


def test_an_interval_of_a_short_experiment_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a load of 30% short runs will do: of 20 intervals hardly ever fewer than 15 hold the exact value."""
    hits = [covered(0.3, 1.0, (30, 150), seed) for seed in range(20)]
    assert 15 <= sum(hits) <= 20


def test_what_was_stopped_goes_on_and_another_seed_begins_anew(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def experiment(seed: int) -> bool:
        seen.append(seed)
        return len(seen) % 4 != 0

    monkeypatch.setattr(module, "experiment", experiment)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    file = tmp_path / "audit.json"
    Audit(5, file).cover(4, Serial())
    assert len(seen) == 4
    again = Audit(5, file)
    again.cover(6, Serial())
    assert (len(seen), len(set(seen)), again.hits) == (6, 6, [True, True, True, False, True, True])
    assert json.loads(file.read_text())["hits"] == again.hits
    assert Audit(6, file).hits == []
    seen_before = list(seen)
    Audit(5, tmp_path / "other.json").cover(6, Serial())
    assert seen[6:] == seen_before, "the seeds hang on the audit's seed alone"


def test_the_page_says_whether_both_laws_hold(tmp_path: Path) -> None:
    audit = Audit(5, tmp_path / "audit.json")
    honest = np.random.default_rng(8).normal(size=(20, 60))
    audit.hits = [True] * 381 + [False] * 19
    audit.scores = [Scores(tuple(row.tolist()), tuple(row[:20].tolist())) for row in honest]
    assert audit.holds()
    assert "381 of them: 95.25%" in audit.page()
    assert "**Both laws hold.**" in audit.page()
    audit.keep()
    assert Audit(5, tmp_path / "audit.json").page() == audit.page()
    audit.hits = [True] * 399 + [False]
    assert not audit.holds()
    audit.hits = [True] * 381 + [False] * 19
    audit.scores = [Scores(tuple((row + 0.3).tolist()), tuple(row[:20].tolist())) for row in honest]
    assert "**Not both laws hold.**" in audit.page()


def test_scores_come_from_statistical_laws_with_fresh_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def run(wanted: dict, seed: int, quick: bool, executor: Serial) -> list:
        assert set(wanted) == {"A01", "F09"}
        assert quick
        seeds.append(seed)
        return []

    monkeypatch.setattr(module.running, "run", run)
    audit = Audit(5, tmp_path / "audit.json")
    audit.score(3, Serial(), only=["A01", "F09", "J05"])
    assert len(set(seeds)) == 3
    assert len(Audit(5, tmp_path / "audit.json").scores) == 3
