"""A real Dask cluster on loopback for the tests: a scheduler and workers, each a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_S = 60


class Cluster:
    """Its address, and its workers, the first of which a test may kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        told = folder / "scheduler.json"
        self._scheduler = self._begin(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)
        )
        deadline = time.monotonic() + _PATIENCE_S
        while not (told.exists() and told.stat().st_size):
            assert time.monotonic() < deadline, "the scheduler did not begin"
            assert self._scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        import json

        self.address: str = json.loads(told.read_text())["address"]

    def add_worker(self) -> None:
        """One more, with one thread, without a nanny that would start it anew."""
        self.workers.append(self._begin(
            "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", str(self.folder), name=f"worker-{len(self.workers)}",
        ))  # fmt: skip

    def end(self) -> None:
        """End every process of it."""
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait(_PATIENCE_S)

    def _begin(self, word: str, *options: str, name: str = "") -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name or word}.log").open("wb")
        with log:
            return subprocess.Popen([sys.executable, "-m", "dask", word, *options], cwd=ROOT, stdout=log, stderr=log)


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """A cluster that is gone afterwards, whatever happens."""
    here = Cluster(folder)
    try:
        for _ in range(workers):
            here.add_worker()
        yield here
    finally:
        here.end()
