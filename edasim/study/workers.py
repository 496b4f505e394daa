"""Processes of one's own: started afresh, fed through pipes, replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

_LIVES = 3
_PATIENCE_S = 20
_CURES = (
    'make the scenario smaller, or ask for fewer workers; a script needs its calls under if __name__ == "__main__":'
)


class WorkerError(ValueError):
    """The workers could not do what was asked of them; its text is one sentence with the cure."""


class _Worker:
    """A process with a pipe to it, and the place of the item that it has."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, function), daemon=True)
        self.place: int | None = None
        self.process.start()
        theirs.close()

    def give(self, place: int, item: object) -> None:
        """Hand it an item; when it is dead already, its sentinel will say so."""
        self.place = place
        with suppress(OSError):
            self.pipe.send(item)

    def end(self) -> None:
        """End the process at once."""
        self.pipe.close()
        self.process.terminate()


class Crew:
    """The workers of one `map`; leaving the context ends them."""

    def __init__(self, function: Callable[[Any], Any], size: int, say: Callable[[str], None]) -> None:
        self._function = function
        self._size = size
        self._say = say
        self._workers: list[_Worker] = []
        self._finished = 0
        self._deaths: dict[int, int] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.process.join(_PATIENCE_S)

    def done(self, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """(place, result) of each item when it is there."""
        waiting = deque(range(len(items)))
        with _deaf_to_ctrl_c_while_starting():
            self._workers = [_Worker(self._function) for _ in range(self._size)]
        while self._finished < len(items):
            for worker in self._workers:
                if worker.place is None and waiting:
                    place = waiting.popleft()
                    worker.give(place, items[place])
            for worker in self._ready():
                had, worker.place = worker.place, None
                found = _received(worker.pipe)
                if found is None:
                    self._replace(worker, had, waiting)
                elif had is not None:
                    self._finished += 1
                    yield had, _unwrapped(found)

    def _ready(self) -> list[_Worker]:
        """Those that have an answer, or have died."""
        by_sign: dict[Any, _Worker] = {}
        for worker in self._workers:
            by_sign |= {worker.pipe: worker, worker.process.sentinel: worker}
        found = wait(list(by_sign))
        return list({id(by_sign[sign]): by_sign[sign] for sign in found}.values())

    def _replace(self, worker: _Worker, place: int | None, waiting: deque[int]) -> None:
        """Put another one in the place of a dead one, and its item in front of the others."""
        worker.process.join(_PATIENCE_S)
        how = _death(worker.process.exitcode)
        worker.end()
        self._workers.remove(worker)
        if place is not None:
            self._deaths[place] = self._deaths.get(place, 0) + 1
            if self._deaths[place] >= _LIVES:
                raise WorkerError(f"One run has ended {_LIVES} workers ({how}): {_CURES}")
            waiting.appendleft(place)
            self._say(f"A worker died ({how}); another one does its run again.")
        if not waiting:
            return
        with _deaf_to_ctrl_c_while_starting():
            self._workers.append(_Worker(self._function))


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return f"signal {name}" + (", as when memory runs out" if -code == getattr(signal, "SIGKILL", 9) else "")
    return f"exit code {code}"


@contextmanager
def _deaf_to_ctrl_c_while_starting() -> Iterator[None]:
    """Ctrl-C goes to all processes of a terminal. A child inherits deafness to it from its first moment, this way."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """What a worker does: an answer for each item, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            item = pipe.recv()
            pipe.send(_answer(function, item))
    except (EOFError, OSError):
        os._exit(0)


def _answer(function: Callable[[Any], Any], item: object) -> tuple[bool, Any]:
    """(True, result), or (False, what was raised)."""
    try:
        return True, function(item)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return False, WorkerError(f"{type(error).__name__}: {error}")
        return False, error


def _received(pipe: Connection) -> tuple[bool, Any] | None:
    """What a worker sent; None when it died."""
    try:
        found: tuple[bool, Any] = pipe.recv()
    except (EOFError, OSError):
        return None
    return found


def _unwrapped(found: tuple[bool, Any]) -> Any:
    fine, value = found
    if not fine:
        raise value
    return value
