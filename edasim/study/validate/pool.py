"""Where replications are done: in this process, or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, Protocol

OnResult = Callable[[int, Any], None]


class Executor(Protocol):
    """Something that applies a function to items."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], on_result: OnResult | None = None) -> list[Any]:
        """The results in the order of the items."""
        ...


class Serial:
    """One after another, in this process."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], on_result: OnResult | None = None) -> list[Any]:
        """See `Executor`."""
        results = []
        for place, item in enumerate(items):
            results.append(function(item))
            if on_result:
                on_result(place, results[-1])
        return results


class Processes:
    """Several processes on this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], on_result: OnResult | None = None) -> list[Any]:
        """See `Executor`."""
        results: list[Any] = [None] * len(items)
        with ProcessPoolExecutor(self.workers, mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(function, item): place for place, item in enumerate(items)}
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                if on_result:
                    on_result(futures[future], results[futures[future]])
        return results
