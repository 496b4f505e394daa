"""Where the runs of a study are done: in this process, in several on this machine, or on a Dask cluster.

All give the same results in the same order: a run depends on nothing but its own task. Tasks and results travel as
pickles through pipes and sockets between processes that trust one another, and never through a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from edasim.study.cluster import DaskCluster
from edasim.study.workers import Crew, WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")
OnResult = Callable[[int, Any], None]
"""Called with (place of the item, its result) as soon as it is there, in this process and one at a time."""

MOST_WORKERS = 256


class Executor(Protocol):
    """Something that applies a function to items."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], on_result: OnResult | None = None
    ) -> list[Result]:
        """The results in the order of the items, whatever the order in which they are finished.

        `function` stands at the top level of a module, items and results are plain values. What the function raises is
        raised here, and then, as after Ctrl-C, nothing is begun any more: what was finished went to `on_result`.
        """
        ...


def executor_for(workers: int | None = None, dask: str | None = None) -> Executor:
    """The executor for `workers=` and `dask=`, of which one may be given; without either, this process."""
    if dask is not None:
        if workers is not None:
            raise WorkerError("workers and a Dask cluster exclude each other: the cluster has its own workers")
        return Dask(dask)
    if workers is None or (workers == 1 and not isinstance(workers, bool)):
        return Serial()
    return Processes(workers)


class Serial:
    """One after another, in this process."""

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], on_result: OnResult | None = None
    ) -> list[Result]:
        """See `Executor`."""
        return _in_order(((place, function(item)) for place, item in enumerate(items)), len(items), on_result)


def on_stderr(sentence: str) -> None:
    """Say it on stderr."""
    print(sentence, file=sys.stderr)


class Processes:
    """Several fresh processes on this machine. A script that asks for them needs `if __name__ == "__main__":`.

    A process that dies is replaced and its task begun again, and `say` is told so; when one task has seen three die,
    the study ends with a `WorkerError`.
    """

    def __init__(self, workers: int, say: Callable[[str], None] = on_stderr) -> None:
        if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MOST_WORKERS:
            raise WorkerError(f"{workers!r} is no number of workers: give a whole number from 1 to {MOST_WORKERS}")
        self.workers = workers
        self.say = say

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], on_result: OnResult | None = None
    ) -> list[Result]:
        """See `Executor`."""
        with Crew(function, min(self.workers, len(items)), self.say) as crew:
            return _in_order(crew.done(items), len(items), on_result)


class Dask:
    """An existing Dask cluster, by the address of its scheduler such as `tcp://10.0.0.5:8786`.

    Its workers need the same version of edasim. Those that die are missed by Dask, which gives their tasks to others.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], on_result: OnResult | None = None
    ) -> list[Result]:
        """See `Executor`."""
        if not items:
            return []
        with DaskCluster(self.address) as cluster:
            return _in_order(cluster.done(function, items), len(items), on_result)


def _in_order(done: Iterable[tuple[int, Any]], number: int, on_result: OnResult | None) -> list[Any]:
    results: list[Any] = [None] * number
    for place, result in done:
        results[place] = result
        if on_result:
            on_result(place, result)
    return results
