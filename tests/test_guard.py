"""What would never end is stopped: by its estimate, by its events, by its memory, by Ctrl-C, each with a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edasim.cli import main
from edasim.core import guard as guard_module
from edasim.core.clock import STRIDE, Clock, Signal
from edasim.core.guard import Guard, RunStopped, memory_bytes, parse_memory
from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.simulate import Limits, simulate
from tests.waiting import until_it_has_computed

ROOT = Path(__file__).parent.parent
simulate_module = sys.modules["edasim.simulate"]
LONG = """
title: Long
duration: 100s
producers:
  checkout: {publishes: OrderPlaced, arrivals: poisson 4000/s}
services:
  payment: {handles: OrderPlaced, workers: 9, work: 1ms}
architectures: {monolith: {}}
"""


def endless(clock: Clock) -> None:
    """A few events at each instant, for ever."""

    def tick(signal: Signal) -> None:
        clock.arm(signal, tick, 7)

    clock.arm(Signal(), tick, 7)


def test_a_run_of_many_times_its_events_is_stopped_though_time_moves() -> None:
    clock = Clock()
    endless(clock)
    Guard(clock, "The run of kafka", lambda: 200_000.0, 100_000, None)
    with pytest.raises(RunStopped) as stopped:
        clock.advance(10**12)
    assert clock.now_ns == 250_000 * 7
    assert str(stopped.value) == (
        "The run of kafka was stopped at 0.00175 s of simulated time: it has taken 250,000 events, and 200,000 are "
        "many times what its orders should take; look for what feeds itself (retries, duplicates), or allow it with "
        "--allow-large.")  # fmt: skip


def test_what_a_run_should_take_is_asked_for_once_and_only_when_it_is_long() -> None:
    asked: list[float] = []

    def most() -> float:
        asked.append(0.0)
        return 10**9

    clock = Clock()
    endless(clock)
    guard = Guard(clock, "The run", most, 3 * STRIDE, None)
    clock.advance(7 * 3 * STRIDE)
    assert (guard.events, asked) == (3 * STRIDE, [])
    clock.advance(7 * 10 * STRIDE)
    assert (guard.events, asked) == (10 * STRIDE, [0.0])


def test_a_run_that_takes_too_much_memory_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = iter(range(1, 100))
    monkeypatch.setattr(guard_module, "memory_bytes", lambda: next(grown) * 10**9)
    clock = Clock()
    endless(clock)
    Guard(clock, "The run of rpc", None, 0, 2 * 10**9)
    with pytest.raises(RunStopped, match="edasim takes 3,000 MB of memory, and 2,000 MB are allowed; make"):
        clock.advance(10**12)
    assert clock.now_ns == 3 * STRIDE * 7


def test_the_memory_of_this_process_is_known() -> None:
    """In a new process: one that has run other tests may hold 80 MB free already, and need no more for them."""
    asked = "from edasim.core.guard import memory_bytes as m; old = m(); held = b'x' * 80_000_000; print(old, m())"
    ended = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = map(int, ended.stdout.split())
    assert 10**7 < before < after - 40_000_000 < 10**12


def test_where_the_system_does_not_say_the_peak_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "_PAGES", Path("/nowhere"))
    assert 10**7 < memory_bytes() < 10**12


@pytest.mark.parametrize(("text", "size"), [("2GB", 2 * 10**9), ("1.5GiB", 3 * 2**29), ("500MB", 5 * 10**8)])
def test_an_amount_of_memory_is_read(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "2", "GB", "-1GB", "1e9GB", "0.5MB", "²GB", "1.2.3GB", "nanGB", "9" * 20 + "GB"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory: write it as 2GB"):
        parse_memory(text)


def test_a_run_that_its_estimate_forbids_does_not_begin() -> None:
    with pytest.raises(ScenarioError, match=r"are too much: at most 1e.08 and 2e.09 are allowed"):
        load(LONG.replace("100s", "100h"))


def test_a_run_of_many_times_its_estimate_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_module, "FEW_EVENTS", 60_000)
    monkeypatch.setattr(simulate_module, "TIMES_THE_ESTIMATE", 0.05)
    scenario = load(LONG)
    with pytest.raises(RunStopped, match="it has taken 150,000 events, and 100,023 are"):
        simulate(scenario, "monolith")


def test_a_run_of_so_many_events_is_stopped_whatever_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_module, "FEW_EVENTS", 60_000)
    monkeypatch.setattr(simulate_module, "MOST_EVENTS", 120_000)
    with pytest.raises(RunStopped, match="it has taken 150,000 events, and 120,000 are"):
        simulate(load(LONG), "monolith")


def test_what_is_allowed_by_name_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_module, "FEW_EVENTS", 50_000)
    monkeypatch.setattr(simulate_module, "MOST_EVENTS", 50_000)
    scenario = load(LONG.replace("100s", "10s"))
    with pytest.raises(RunStopped):
        simulate(scenario, "monolith")
    run = simulate(scenario, "monolith", limits=Limits(events=False))
    assert run.summary().services["payment"].handled > 39_000


def test_the_command_stops_for_memory_with_a_sentence_and_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "long.yml"
    file.write_text(LONG)
    words = ["run", str(file), "--max-memory", "5MB", "--out", str(tmp_path / "out")]
    ended = subprocess.run([sys.executable, "-m", "edasim", *words], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stdout == ""
    sentence = ended.stderr.splitlines()[-1]
    assert sentence.startswith("The run of monolith was stopped at ")
    assert sentence.endswith("5 MB are allowed; make the scenario smaller, or allow more with --max-memory.")
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_too_short_to_be_watched_is_stopped_for_memory_as_well() -> None:
    with pytest.raises(RunStopped, match=r"stopped at 0 s .* 2 MB are allowed"):
        simulate(load(LONG.replace("100s", "1s")), "monolith", limits=Limits(memory=2 * 10**6))


def test_a_wrong_amount_of_memory_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "payment-outage", "--max-memory", "much"]) == 2
    assert '--max-memory: "much" is not an amount of memory' in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="there are no signals here")
def test_ctrl_c_stops_a_run_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "long.yml"
    file.write_text(LONG.replace("100s", "200s"))
    command = [sys.executable, "-m", "edasim", "run", str(file)]
    # A shell starts what runs in its background with the interrupt ignored, and that is inherited.
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - one line, in the child
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=heard)
    try:
        until_it_has_computed(running.pid, 2.5)  # it is past its imports then
        running.send_signal(signal.SIGINT)
        said, complained = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert said == ""
    assert complained.splitlines()[-1].startswith("Stopped before the first replication was finished")
    assert "Traceback" not in complained
