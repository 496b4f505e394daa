"""Where runs are done: the same results in the same order in one process and in several, whatever dies."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edasim.study.executors import Dask, Executor, Processes, Serial, WorkerError, executor_for
from tests import study_tasks as tasks

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("executor", [Serial(), Processes(2)])
def test_results_stand_in_the_order_of_the_items(executor: Executor) -> None:
    seen: list[tuple[int, int]] = []
    assert executor.map(tasks.square, range(8), lambda *found: seen.append(found)) == [n * n for n in range(8)]
    assert sorted(seen) == [(n, n * n) for n in range(8)]


def test_two_workers_are_two_other_processes() -> None:
    found = set(Processes(2).map(tasks.process_id, range(40)))
    assert os.getpid() not in found
    assert 1 <= len(found) <= 2


@pytest.mark.parametrize("executor", [Serial(), Processes(2)])
def test_what_a_run_raises_is_raised(executor: Executor) -> None:
    with pytest.raises(ValueError, match="three is not wanted"):
        executor.map(tasks.refuse_three, range(6))


def test_an_error_that_no_pipe_carries_comes_as_its_sentence() -> None:
    with pytest.raises(WorkerError, match="Awkward: 1 and 1"):
        Processes(1).map(tasks.raise_awkwardly, [1])


def test_a_worker_that_dies_is_reported_and_its_run_is_done_again(tmp_path: Path) -> None:
    said: list[str] = []
    found = Processes(2, said.append).map(tasks.die_once, [(str(tmp_path), n) for n in range(6)])
    assert found == [0, 10, 20, 30, 40, 50]
    assert said == ["A worker died (signal SIGKILL, as when memory runs out); another one does its run again."]


def test_a_run_that_ends_every_worker_ends_the_study() -> None:
    said: list[str] = []
    with pytest.raises(WorkerError, match=r"One run has ended 3 workers \(exit code 9\): make the scenario smaller"):
        Processes(1, said.append).map(tasks.die, [0])
    assert len(said) == 2


def test_nothing_to_do_is_nothing_done() -> None:
    assert Processes(2).map(tasks.square, []) == []
    assert Dask("tcp://127.0.0.1:1").map(tasks.square, []) == []


def test_ctrl_c_stops_at_once_and_leaves_no_process() -> None:
    script = textwrap.dedent("""
        import sys
        from edasim.study.executors import Processes
        from tests import study_tasks as tasks
        if __name__ == "__main__":
            try:
                Processes(2).map(tasks.wait_long, [0, 1, 1], lambda place, result: print("done", place, flush=True))
            except KeyboardInterrupt:
                import multiprocessing
                print("stopped", multiprocessing.active_children())
    """)
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, text=True, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "done 0\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out == "stopped []\n"
    assert err == ""


def test_the_executor_follows_what_was_asked_for() -> None:
    assert isinstance(executor_for(), Serial)
    assert isinstance(executor_for(1), Serial)
    assert isinstance(executor_for(2), Processes)
    assert isinstance(executor_for(dask="tcp://127.0.0.1:8786"), Dask)
    for workers in (0, -1, 257, True, "2"):
        with pytest.raises(WorkerError, match="is no number of workers: give a whole number from 1 to 256"):
            executor_for(workers)  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match="exclude each other"):
        executor_for(2, "tcp://127.0.0.1:8786")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:99999999", ""])
def test_where_no_scheduler_is_there_is_a_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.study.cluster._PATIENCE_S", 1)
    with pytest.raises(WorkerError, match=r"there is no Dask scheduler at .*: give its address as tcp://HOST:8786"):
        Dask(address).map(tasks.square, [1])
