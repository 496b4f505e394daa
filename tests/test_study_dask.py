"""On a real Dask cluster: the same bytes as in one process, also when a worker is killed in the middle."""

import subprocess
import sys
from pathlib import Path

import pytest

from edasim.scenario.reading import load
from edasim.study.compare import compare
from edasim.study.comparison import json_text
from edasim.study.executors import Dask, WorkerError
from edasim.study.sweep import sweep
from tests import study_tasks
from tests.dask_cluster import ROOT, Cluster, cluster
from tests.test_study_sweep import TINY, hashes

pytest.importorskip("distributed")
pytestmark = pytest.mark.xdist_group("dask")
STUDY = ({"services.payment.workers": "1 .. 4 in 3", "services.payment.fails": ["0%", "10%"]}, ["kafka", "monolith"])


def test_a_sweep_in_which_a_worker_is_killed_has_the_same_bytes(tmp_path: Path) -> None:
    shop = load(TINY)
    sweep(shop, *STUDY, 5, 3).save(tmp_path / "serial")
    killed: list[int] = []
    with cluster(tmp_path, 2) as here:

        def kill_one(finished: int, wanted: int) -> None:
            # Both are at work by then, and most of it is still to be done.
            if finished == 6 and not killed:
                here.workers[0].kill()
                killed.append(wanted - finished)

        found = sweep(shop, *STUDY, 5, 3, dask=here.address, progress=kill_one)
        assert here.workers[0].wait(30) != 0
        assert here.workers[1].poll() is None
    assert killed == [54]
    found.save(tmp_path / "dask")
    assert hashes(tmp_path / "serial") == hashes(tmp_path / "dask")


@pytest.fixture(scope="module")
def alive(tmp_path_factory: pytest.TempPathFactory) -> Cluster:  # type: ignore[misc]
    """A cluster of one worker for the rest of the tests."""
    with cluster(tmp_path_factory.mktemp("dask"), 1) as here:
        yield here


def test_a_comparison_prints_the_same_on_a_cluster(alive: Cluster) -> None:
    shop = load(TINY)
    serial = compare(shop, ["kafka", "monolith"], 3, 2)
    there = compare(shop, ["kafka", "monolith"], 3, 2, dask=alive.address)
    assert json_text(serial.as_dict()) == json_text(there.as_dict())


def test_the_command_does_its_runs_there(alive: Cluster, tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(TINY, encoding="utf-8")
    words = ["sweep", str(tmp_path / "shop.yml"), "--knob", "services.payment.workers=1,2", "--replications", "2",
             "--arch", "kafka", "--json"]
    told = [
        subprocess.run([sys.executable, "-m", "edasim", *words, *more], cwd=ROOT, capture_output=True, text=True,
                       check=True, timeout=120).stdout
        for more in ([], ["--dask", alive.address])
    ]
    assert told[0] == told[1]


def test_what_a_run_raises_there_is_raised_here(alive: Cluster) -> None:
    with pytest.raises(ValueError, match="three is not wanted"):
        Dask(alive.address).map(study_tasks.refuse_three, range(6))


def test_workers_of_another_version_are_refused(alive: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.study.cluster.__version__", "99.0")
    with pytest.raises(WorkerError, match=r"do not have edasim 99\.0 \(.*\): install the same version everywhere"):
        Dask(alive.address).map(study_tasks.square, [1])


def test_a_cluster_without_workers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.study.cluster._PATIENCE_S", 5)
    with cluster(tmp_path, 0) as here, pytest.raises(WorkerError, match="has no workers: start some, try again"):
        Dask(here.address).map(study_tasks.square, [1])
