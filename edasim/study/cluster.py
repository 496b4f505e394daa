"""An existing Dask cluster: whether it can be used, and handing tasks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from edasim.study.workers import WorkerError
from edasim.version import __version__

_PATIENCE_S = 20


class DaskCluster:
    """A connection to a Dask scheduler, as a context; leaving it lets go of what was not finished.

    Raises `WorkerError` where there is no scheduler, no worker, or another version of edasim than here.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise WorkerError("a Dask cluster needs distributed: install it with pip install 'edasim[dask]'") from None
        self._address = address
        connect: Any = distributed.Client
        try:
            self._client: Any = connect(address, timeout=_PATIENCE_S, set_as_default=False)
        except (OSError, ValueError, TypeError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise WorkerError(
                f"there is no Dask scheduler at {address} ({reason}): give its address as tcp://HOST:8786"
            ) from None
        self._futures: list[Any] = []

    def __enter__(self) -> DaskCluster:
        try:
            self._check_workers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.cancel(self._futures)
        self._client.close()

    def done(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """(place, result) of each item when it is there; Dask gives the tasks of a dead worker to another one."""
        import distributed
        from distributed.scheduler import KilledWorker

        as_completed: Any = distributed.as_completed
        self._futures = self._client.map(function, items, pure=False)
        places = {future.key: place for place, future in enumerate(self._futures)}
        for future in as_completed(self._futures, loop=self._client.loop):
            try:
                yield places[future.key], future.result()
            except KilledWorker:
                raise WorkerError(
                    "Dask gave up a run whose workers died again and again: "
                    "give them more memory, or make the scenario smaller"
                ) from None
            except CancelledError:
                raise WorkerError(
                    f"the Dask scheduler at {self._address} was lost: start it, and run the same command again"
                ) from None

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError:
            raise WorkerError(f"the Dask cluster at {self._address} has no workers: start some, try again") from None
        try:
            found = set(map(str, self._client.run(_version, on_error="return").values()))
        except Exception as error:  # what a worker without edasim says is wrapped in many ways
            found = {f"{type(error).__name__}: {error}"}
        strange = sorted(" ".join(one.split())[:100] for one in found - {__version__})
        if strange:
            raise WorkerError(
                f"workers at {self._address} do not have edasim {__version__} ({', '.join(strange)}): "
                "install the same version everywhere, or the results would differ"
            )


def _version() -> str:
    return __version__
