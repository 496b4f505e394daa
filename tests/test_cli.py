"""The command line: what it prints where, its exit codes, and that nobody ever sees a traceback."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import edasim.cli
from edasim import jobs
from edasim.charts.saving import CHARTS
from edasim.cli import app, main
from edasim.commands.failing import BAD_INPUT, BROKEN, STOPPED, explained
from edasim.commands.options import split_setting
from edasim.commands.progress import SlowProgress
from edasim.core.clock import TimeStandsStill
from edasim.core.conservation import ConservationError
from edasim.scenario.errors import ScenarioError
from edasim.study.compare import compare
from tests.study_worlds import SMALL
from tests.waiting import until_it_has_computed

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """The file of a small shop."""
    file = tmp_path / "shop.yml"
    file.write_text(SMALL, encoding="utf-8")
    return str(file)


def edasim_process(*words: str, **settings: object) -> subprocess.Popen:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edasim", *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings,
    )  # type: ignore[call-overload]  # fmt: skip


def test_there_are_the_commands_that_the_readme_names() -> None:
    assert {"run", "compare", "check", "describe", "demo", "test"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: edasim {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("words", [[], ["run"], ["compare"], ["check"], ["describe"], ["demo"]])
def test_the_help_says_what_the_exit_codes_mean(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*words, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    unmet = f"{BAD_INPUT} bad input, or the precision asked for was not reached"
    assert f"0 fine, {BROKEN} an invariant is broken, {unmet}, {STOPPED} after Ctrl-C" in told


def test_the_readme_has_a_line_for_each_exit_code() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert [f"| {code} | " in readme for code in (0, BROKEN, BAD_INPUT, STOPPED)] == [True] * 4
    assert f"| {BAD_INPUT} | Bad input, or the precision asked for was not reached" in readme


def test_the_help_of_describe_says_that_it_saves_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    main(["describe", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Save a picture of each architecture" in told
    assert "verdict" not in told


def test_check_says_ok(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", shop]) == 0
    assert capsys.readouterr().out == "ok\n"
    assert main(["check", "payment-outage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": []}


def test_check_says_what_is_wrong_with_file_line_and_cure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(SMALL.replace("workers: 3", "workres: 3").replace("duration: 8s", "duration: 8"), encoding="utf-8")
    assert main(["check", str(file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{file}:3: duration: 8 has no unit: write 8" in said.err
    assert "did you mean workers?" in said.err
    assert main(["check", str(file), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert {problem["line"] for problem in found["problems"]} == {3, 9}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["check", "nowhere.yml"], "nowhere.yml: the file cannot be read"),
        (["compare", "SHOP", "--arch", "soap"], '"soap" is no architecture: choose monolith, rpc, kafka, rabbitmq'),
        (["compare", "SHOP", "--set", "services.payment.colour=1%"], "services.payment.colour: this key is not known"),
        (["run", "SHOP", "--set", "services.payment.fails=1"], "has no unit: write 1%"),
        (["run", "SHOP", "--set", "client.timeout"], "write it as in --set services.payment.fails=10%"),
        (["run", "SHOP", "--set", "faults.x={crash: broker"], ""),
        (["describe", "SHOP", "--arch", "monolith,soap"], '"soap" is no architecture'),
        (["compare", "SHOP", "--set", "duration=100h", "--set", "producers.checkout.arrivals=9000/s"], "--allow-large"),
        (["compare", "SHOP", "--replications", "0"], "replications"),
        (["compare", "SHOP", "--out", "SHOP/inside"], "not a directory"),
        (["compare"], "FILE"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_2(
    words: list[str], sentence: str, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.replace("SHOP", shop) for word in words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert "Traceback" not in said.err


def test_compare_prints_table_and_verdict(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", shop, "--replications", "2", "--arch", "monolith,kafka"]) == 0
    said = capsys.readouterr()
    assert "customer waits, p99" in said.out
    assert "Payment down for 2 s: of" in said.out
    assert "Kafka" in said.out
    assert "RabbitMQ" not in said.out


def test_json_is_one_object_and_nothing_else(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", shop, "--replications", "2", "--seed", "5", "--arch", "rpc", "--arch", "kafka", "--json"]
    assert main(words) == 0
    first = capsys.readouterr().out
    node = json.loads(first)
    assert (node["seed"], node["replications"], list(node["architectures"])) == (5, 2, ["rpc", "kafka"])
    assert main(words) == 0
    assert capsys.readouterr().out == first


def test_run_prints_one_run_of_each(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", shop, "--arch", "kafka", "--seed", "7"]) == 0
    out = capsys.readouterr().out
    assert "kafka · seed 7" in out
    assert main(["run", shop, "--arch", "kafka", "--json"]) == 0
    placed = json.loads(capsys.readouterr().out)["architectures"]["kafka"]["orders"]["placed"]
    assert isinstance(placed, int)


def test_set_changes_what_is_run(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*settings: str) -> int:
        words = [word for setting in settings for word in ("--set", setting)]
        assert main(["run", shop, "--arch", "monolith", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)["architectures"]["monolith"]["orders"]["refused"]

    assert refused() > 30
    assert refused("client.timeout=30s", "services.payment.poison=0%") == 0
    assert refused("faults={}", "services.payment.poison=0%") == 0


def test_set_reads_values_as_a_file_does() -> None:
    assert split_setting("services.payment.workers=5") == ("services.payment.workers", 5)
    assert split_setting("client.timeout = none") == ("client.timeout", "none")
    assert split_setting("a.b=x=y") == ("a.b", "x=y")
    assert split_setting("f={crash: broker, at: 3s}") == ("f", {"crash": "broker", "at": "3s"})
    assert split_setting("s=[A, B]") == ("s", ["A", "B"])
    with pytest.raises(ScenarioError):
        split_setting("=3")


def test_out_saves_and_says_where(shop: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "out"
    assert main(["compare", shop, "--replications", "1", "--arch", "rpc,kafka", "--json", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert f"Saved in {out}" in said.err
    assert (out / "slide.png").exists()


def test_describe_tells_and_draws(shop: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", shop, "--arch", "kafka", "--out", str(tmp_path)]) == 0
    assert "payment handles OrderPlaced" in capsys.readouterr().out
    assert (tmp_path / "topology-kafka.png").exists()
    assert not (tmp_path / "topology-rpc.png").exists()
    assert main(["describe", shop, "--json"]) == 0
    node = json.loads(capsys.readouterr().out)
    assert node["services"]["payment"]["workers_needed"] == pytest.approx(40 * 0.030 * (0.99 + 0.01 * 3))


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"edasim {edasim.__version__}\n"


def test_the_demo_saves_and_prints_where_its_charts_are(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    monkeypatch.setattr(
        jobs, "demo_command", lambda: ["compare", shop, "--replications", "1", "--arch", "rpc,kafka", "--out", str(out)]
    )
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "customer waits, p99" in printed
    assert "Payment down for 2 s" in printed
    assert "slide.png" in printed
    assert (out / "slide.png").exists()


def test_the_tests_get_their_words_and_their_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(jobs, "test", lambda words: given.append(list(words)) or 3)
    assert main(["test", "-k", "precision", "--maxfail=1"]) == 3
    assert given == [["-k", "precision", "--maxfail=1"]]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConservationError("conservation is broken at 3.0 s: queue payment"), 1, "conservation is broken at 3.0 s"),
        (TimeStandsStill("10^6 events at 3.0 s: payment"), 1, "10^6 events"),
        (ZeroDivisionError("division by zero"), 1, "a mistake in edasim, not in your input"),
        (OSError(28, "No space left on device", "out/slide.png"), 2, "out/slide.png: no space left on device"),
        (MemoryError(), 2, "not enough memory"),
    ],
)
def test_errors_become_one_sentence_and_a_code(
    error: Exception,
    code: int,
    said: str,
    shop: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("edasim.study.compare.simulate", break_down)
    assert main(["compare", shop]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert explained(error)[1] == code


def test_ctrl_c_saves_what_is_finished_and_marks_it(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*study: object, **further: object) -> object:
        def stop(done: int, total: int) -> None:
            if done == 5:
                raise KeyboardInterrupt

        return compare(*study[:4], stop, **further)  # type: ignore[arg-type]

    monkeypatch.setattr("edasim.study.compare.compare", stopped)
    out = tmp_path / "out"
    assert main(["compare", shop, "--arch", "rpc,kafka", "--replications", "9", "--out", str(out)]) == 130
    printed = capsys.readouterr()
    assert "2 of 9 replications were finished" in printed.err
    assert "incomplete" in printed.out
    saved = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert (saved["incomplete"], saved["replications"]) == (True, 2)
    everywhere = ["differences.json", "verdict.txt", "slide.svg", *(f"{name}.svg" for name in CHARTS)]
    assert all("ncomplete" in (out / name).read_text(encoding="utf-8") for name in everywhere)


def test_ctrl_c_while_drawing_ends_with_130_too(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = ["compare", shop, "--arch", "kafka", "--replications", "1", "--out", str(tmp_path)]
    with monkeypatch.context() as patched:
        patched.setattr("edasim.charts.saving.save_charts", stop)
        assert main(words) == 130
    said = f"Stopped while drawing. Saved in {tmp_path}: all numbers and the verdict"
    assert capsys.readouterr().err.endswith(f"{said}, but no chart\n")
    assert (tmp_path / "comparison.json").exists()
    with monkeypatch.context() as patched:
        patched.setitem(CHARTS, "accept-latency", stop)
        assert main(words) == 130
    assert capsys.readouterr().err.endswith(f"{said}; charts, 2 of {len(CHARTS) + 2}: slide.png, outcomes.png\n")
    assert (tmp_path / "outcomes.svg").exists()
    with monkeypatch.context() as patched:
        patched.setattr("edasim.study.comparison.Comparison.differences", stop)
        assert main([*words, "--json"]) == 130
    assert capsys.readouterr().err == f"Stopped before the numbers were saved in {tmp_path}.\n"


@pytest.mark.skipif(os.name == "nt", reason="signals are sent in another way there")
def test_a_real_ctrl_c_ends_with_130_and_no_traceback(shop: str, tmp_path: Path) -> None:
    words = ("compare", shop, "--replications", "100000", "--out", str(tmp_path))
    # A shell starts what runs in its background with the interrupt ignored, and that is inherited.
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - one line, in the child
    process = edasim_process(*words, start_new_session=True, preexec_fn=heard)
    until_it_has_computed(process.pid, 4.5)  # more than two seconds of it after its imports
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "replications were finished" in err
    assert json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["incomplete"] is True
    assert "simulating" in err  # it took more than two seconds
    assert "simulating" not in out


def test_a_reader_that_goes_away_is_no_error(shop: str) -> None:
    process = edasim_process("describe", shop)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) in (0, 1)


def test_a_rejection_loads_nothing_that_takes_its_time(tmp_path: Path) -> None:
    """So it takes half a second; what would draw, simulate or measure stays where it is."""
    file = tmp_path / "bad.yml"
    file.write_text("duration: 1:30\n", encoding="utf-8")
    words = ["-X", "importtime", "-m", "edasim", "compare", str(file)]
    process = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 2
    loaded = {line.rsplit("|", 1)[1].strip() for line in process.stderr.splitlines() if line.count("|") == 2}
    assert "edasim.scenario.value" in loaded
    assert not loaded & {"matplotlib", "pandas", "networkx", "ipywidgets"}


def test_a_bar_is_shown_only_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    page = io.StringIO()
    monkeypatch.setattr(sys, "stderr", page)
    with SlowProgress("quick") as progress:
        progress.advance(1, 2)
    assert page.getvalue() == ""
    with SlowProgress("slow", patience_s=0.01) as progress:
        progress.advance(1, 2)
        time.sleep(0.2)
    assert "slow" in page.getvalue()
    assert "1/2" in page.getvalue()
