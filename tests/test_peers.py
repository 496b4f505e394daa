"""The comparison with Ciw: the same queues, held against theory; left out with a word where Ciw cannot be had."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest

from benchmarks import peers, rows
from benchmarks.peers import CASES, Case
from benchmarks.rows import Part, Row

SMALL = [replace(case, orders=4_000) for case in CASES]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_edasim_has_the_waits_of_theory_in_every_case(case: Case) -> None:
    runs = [peers._waits_s(replace(case, seed=seed)) for seed in range(1, 11)]
    for station, exact_s in enumerate(case.exact_waits_s()):
        waits_s = [run[station] for run in runs]
        assert abs(fmean(waits_s) - exact_s) < 5 * stdev(waits_s) / len(waits_s) ** 0.5


def test_exact_waits_are_those_of_the_textbook() -> None:
    single, fan = CASES
    assert single.exact_waits_s() == [pytest.approx(0.8 / (100 - 80))]
    assert fan.visits == 90_000 and single.visits == single.orders == 200_000
    # Two servers with a load of 0.6: Erlang C is 2 r^2 / (1 + r) with r = 0.3.
    assert fan.exact_waits_s()[0] == pytest.approx(2 * 0.09 / 1.3 * 0.015 / (2 - 0.6))


def test_each_order_is_a_visit_at_each_station() -> None:
    from edasim.simulate import simulate

    case = SMALL[1]
    summary = simulate(case.scenario(), case.architecture, seed=1).summary()
    assert sum(service.handled for service in summary.services.values()) == case.visits
    assert summary.outcomes["done"] == case.orders


def test_without_ciw_there_is_a_word_and_no_row() -> None:
    def nowhere() -> Path:
        raise OSError("it cannot be installed (no network)")

    assert peers.part(python=nowhere) == Part("Beside Ciw", "Left out: it cannot be installed (no network).", ())


def test_what_cannot_be_installed_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    with pytest.raises(OSError, match="it cannot be installed"):
        peers._call([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path), peers.CIW],
                    "it cannot be installed")
    assert not peers._has(tmp_path / "bin" / "python", peers.CIW)


def test_a_wait_beside_theory_is_called_so() -> None:
    assert peers._wait_words([0.039, 0.040, 0.041], 0.040) == "40 ± 0.58 ms (theory's 40)"
    assert "NOT theory's" in peers._wait_words([0.0390, 0.0391, 0.0392], 0.080)


def test_the_part_has_both_libraries_and_their_ratio() -> None:
    rounds = [{"spent_s": 2.0, "waits_s": [0.04], "version": "3.2.7"}, {"spent_s": 4.0, "waits_s": [0.041]}]
    slower = [{"spent_s": 4.0, "waits_s": [0.04]}, {"spent_s": 12.0, "waits_s": [0.039]}]
    found = peers._speed_rows(CASES[0], {"edasim": rounds, "Ciw": slower})
    assert [(row.what, row.value) for row in found] == [
        ("M/M/1: edasim", 75_000.0), ("M/M/1: Ciw", pytest.approx(33_333.3, rel=1e-4)), ("M/M/1: edasim / Ciw", 2.5)]


def test_a_run_in_a_process_of_its_own_says_what_it_took() -> None:
    answer = peers._asked([sys.executable, peers.__file__], replace(CASES[1], orders=300))
    assert answer["spent_s"] > 0 and len(answer["waits_s"]) == 3


@pytest.mark.skipif(not peers._has(peers.HOME / "bin" / "python", peers.CIW), reason="make bench has not installed Ciw")
def test_ciw_has_the_waits_of_theory_too() -> None:
    command = [str(peers.HOME / "bin" / "python"), str(peers.ROOT / "benchmarks" / "ciw_models.py")]
    case = replace(CASES[1], orders=4_000)
    runs = [peers._asked(command, replace(case, seed=seed))["waits_s"] for seed in range(1, 6)]
    for station, exact_s in enumerate(case.exact_waits_s()):
        waits_s = [run[station] for run in runs]
        assert abs(fmean(waits_s) - exact_s) < 8 * stdev(waits_s) / len(waits_s) ** 0.5


def test_the_page_is_the_one_that_make_bench_writes() -> None:
    measured = [Row("edasim", 1234.5, "orders/s"), rows.at_least("ratio", 2.0, 3)]
    part = Part("Speed", "Ten runs.", measured, ["A remark."])
    text = rows.page("Python 3 with 2 cores", [part])
    assert "| edasim | 1,234 | orders/s |  |  |" in text
    assert "| ratio | 2.00 |  | at least 3 | MISSED |" in text
    assert text.endswith("A remark.\n") and "with 2 cores" in text
    written = (peers.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert written.startswith(rows.HEAD)
    assert "## Beside Ciw" in written


def test_ciw_models_need_nothing_of_edasim() -> None:
    code = "import ast, sys; print([n.module if isinstance(n, ast.ImportFrom) else n.names[0].name " \
           "for n in ast.walk(ast.parse(open(sys.argv[1]).read())) if isinstance(n, (ast.Import, ast.ImportFrom))])"
    file = peers.ROOT / "benchmarks" / "ciw_models.py"
    told = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True).stdout
    assert set(json.loads(told.replace("'", '"'))) == {"__future__", "gc", "json", "sys", "time", "importlib.metadata",
                                                       "typing", "ciw"}  # fmt: skip
