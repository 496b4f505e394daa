"""`edasim sweep` at the command line: files, exit codes, Ctrl-C, and input that cannot hurt."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import edasim
from edasim.cli import main
from edasim.scenario.reading import load
from edasim.study.sweep import sweep
from tests.test_study_sweep import TINY

ROOT = Path(__file__).resolve().parent.parent
KNOB = "services.payment.workers=1,2"


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """The file of a tiny shop."""
    file = tmp_path / "shop.yml"
    file.write_text(TINY, encoding="utf-8")
    return str(file)


def test_a_sweep_prints_a_table_and_saves_everything(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["sweep", tiny, "--knob", KNOB, "--knob", "services.payment.fails=0%,10%", "--metric", "orders.done",
             "--arch", "kafka", "--replications", "2", "--out", str(out)]
    assert main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "payment.workers" in printed
    assert "Saved in" in printed
    names = {file.name for file in out.iterdir()}
    assert {"sweep.csv", "sweep.json", "scenario.yml", "runs.jsonl", "sweep-orders-done.png"} <= names
    before = (out / "sweep.csv").read_bytes()
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == ["orders.done"]
    assert (out / "sweep.csv").read_bytes() == before


@pytest.mark.parametrize(("words", "sentence"), [
    (["--knob", "services.payment.workers=0,1"], "services.payment.workers: 0 is out of range"),
    (["--knob", "services.payment.workrs=1"], "did you mean workers?"),
    (["--knob", "services.payment.workers"], "has no path and values"),
    (["--knob", KNOB, "--knob", "services.payment.workers=3"], "services.payment.workers: this knob is there twice"),
    (["--knob", "services.payment.fails=0% .. 9% in 12345678901"], "12345678901 steps are out of range: give 2 to"),
    (["--knob", KNOB, "--metric", "orders.refusd"], "did you mean orders.refused?"),
    (["--knob", KNOB, "--arch", "rpc"], 'the scenario does not list "rpc"'),
    (["--knob", KNOB, "--workers", "2", "--dask", "tcp://127.0.0.1:1"], "exclude each other"),
    (["--knob", "services.payment.fails=0% .. 9% in 900", "--knob", "services.payment.poison=0% .. 9% in 900"],
     "810,000 runs, and at most 100,000 are done unasked"),
])  # fmt: skip
def test_a_mistake_is_a_sentence_and_exit_code_2(
    tiny: str, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    several = ["--replications", "1"] if "--arch" in words else ["--replications", "1", "--arch", "kafka"]
    assert main(["sweep", tiny, *words, *several]) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_a_search_takes_one_knob_and_says_so(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", tiny, "--knob", KNOB, "--knob", "client.timeout=1s .. 2s", "--target", "recovers"]) == 2
    assert capsys.readouterr().err == "--knob: 2 knobs cannot be searched at once: give one, and --set the others\n"


def test_what_only_a_precision_needs_is_not_silently_left_out(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", tiny, "--budget", "30"]) == 2
    assert "--budget: it does nothing without --precision" in capsys.readouterr().err
    assert main(["compare", tiny, "--precision-of", "orders.done"]) == 2
    assert "--precision-of: it does nothing without --precision" in capsys.readouterr().err


def test_names_of_knobs_and_numbers_are_whole_in_a_narrow_table(tiny: str) -> None:
    knobs = {"services.payment.workers": [1, 2], "services.payment.fails": ["0%"], "client.timeout": ["1s"]}
    found = sweep(load(tiny), knobs, ["kafka", "rabbitmq"], 1, metrics="completion_latency_s.p99")
    page = io.StringIO()
    Console(file=page, width=95).print(found.table())
    assert "…" not in page.getvalue()
    for word in ("completion_latency_s.", "workers ", "fails ", "client. ", "timeout "):
        assert word in page.getvalue()


def test_another_study_in_the_folder_is_exit_code_2(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", tiny, "--knob", KNOB, "--arch", "kafka", "--replications", "1", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert main([*words, "--seed", "2"]) == 2
    assert 'has runs of another study (seed "1", not "2")' in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are sent in another way there")
@pytest.mark.parametrize("more", [[], ["--workers", "2"]])
def test_ctrl_c_ends_with_130_and_the_sweep_goes_on_afterwards(tiny: str, tmp_path: Path, more: list[str]) -> None:
    out, kept = tmp_path / "out", tmp_path / "out" / "runs.jsonl"
    words = ["sweep", tiny, "--knob", KNOB, "--arch", "kafka", "--out", str(out), *more]
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - one line, in the child
    process = subprocess.Popen([sys.executable, "-m", "edasim", *words, "--replications", "5000"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heard)
    deadline = time.monotonic() + 60
    while not (kept.exists() and kept.read_bytes().count(b"\n") > 5):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    found = re.search(r"Stopped: (\d+) of 10000 runs were finished, and kept in .*: the same command goes on", err)
    assert found is not None
    rows = list(csv.DictReader((out / "sweep.csv").open(encoding="utf-8")))
    assert len(rows) == int(found[1]) == kept.read_bytes().count(b"\n") - 1
    assert {row["study"] for row in rows} == {f"incomplete: {found[1]} of 10000 runs"}
    assert main([*words, "--replications", "3"]) == 0
    assert {row["study"] for row in csv.DictReader((out / "sweep.csv").open(encoding="utf-8"))} == {"complete"}


HOSTILE = "=HYPERLINK(\"http://x\")<script>alert(1)</script>../../../x"


def test_hostile_names_are_harmless_in_every_file(tmp_path: Path) -> None:
    shop = load(TINY.replace("A tiny shop", json.dumps(HOSTILE)))
    out = tmp_path / "out"
    values = ["=1+1", "@SUM(A1)\n-2", "+x", "-x", "<script>", "../../x"]
    edasim.sweep(shop, {"description": values}, "kafka", 1, folder=out).save(out)
    rows = list(csv.reader((out / "sweep.csv").open(encoding="utf-8", newline="")))
    assert len(rows) == 1 + len(values)
    assert len({len(row) for row in rows}) == 1
    assert [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r", "-")] == []
    assert {one.parent for one in tmp_path.rglob("*") if one.is_file()} == {out}
    assert all("<script>" not in one.read_text(encoding="utf-8") for one in out.glob("*.svg"))
