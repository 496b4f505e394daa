"""What the tests hand to workers: functions at the top level of a module, as executors need them."""

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    """A result that says which item it belongs to; the first items take longest."""
    time.sleep(0.02 if number == 0 else 0)
    return number * number


def process_id(_: int) -> int:
    """Who did it."""
    return os.getpid()


def refuse_three(number: int) -> int:
    """Raises for 3."""
    if number == 3:
        raise ValueError("three is not wanted")
    return number


class Awkward(Exception):
    """An error that no pipe can carry."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_awkwardly(number: int) -> int:
    """Raises what cannot be unpickled."""
    raise Awkward(number, number)


def die_once(task: tuple[str, int]) -> int:
    """The first to do item 2 kills itself, as an operating system does that has no memory left."""
    folder, number = task
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 10


def die(_: int) -> int:
    """Whoever does this dies."""
    os._exit(9)


def wait_long(number: int) -> int:
    """The first item is done at once, the others do not come to an end."""
    if number:
        time.sleep(60)
    return number
