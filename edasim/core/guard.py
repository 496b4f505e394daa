"""A guard over a run: it stops one that takes many more events than were expected, or more memory than is allowed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from edasim.core.clock import SECOND, Clock
from edasim.core.quantity import shown

_PAGES = Path("/proc/self/statm")


class RunStopped(RuntimeError):
    """A run that a guard has stopped; the message says when, why, and what can be done about it."""


class Guard:
    """Watches a clock's events and the memory of the process while a run goes on.

    `most_events` is asked for once, when a run is so long that it is worth asking; None: any number.  `most_bytes` is
    for the whole process; None: any number.  `doing` is what a sentence says is being run.
    """

    def __init__(self, clock: Clock, doing: str, most_events: Callable[[], float] | None, worth_asking: int,
                 most_bytes: int | None) -> None:
        self._clock = clock
        self._doing = doing
        self._most_events = most_events
        self._limit: float = worth_asking
        self._most_bytes = most_bytes
        self.events = 0
        clock.watchers.append(self.look)

    def look(self, events: int) -> None:
        """So many events more; raises RunStopped."""
        self.events += events
        if self._most_events is not None and self.events > self._limit:
            self._limit = max(self._limit, self._most_events())
            if self.events > self._limit:
                raise RunStopped(self._stopped(
                    f"it has taken {self.events:,} events, and {self._limit:,.0f} are many times what its orders "
                    "should take", "look for what feeds itself (retries, duplicates), or allow it with --allow-large"))
        if self._most_bytes is not None and (taken := memory_bytes()) > self._most_bytes:
            raise RunStopped(self._stopped(
                f"edasim takes {megabytes(taken)} of memory, and {megabytes(self._most_bytes)} are allowed",
                "make the scenario smaller, or allow more with --max-memory"))

    def _stopped(self, why: str, cure: str) -> str:
        return f"{self._doing} was stopped at {self._clock.now_ns / SECOND:.6g} s of simulated time: {why}; {cure}."


def memory_bytes() -> int:
    """The memory that this process takes now; where the system does not say, the most that it ever took, or 0."""
    try:
        return int(_PAGES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def megabytes(size: int) -> str:
    """Bytes as people read them, `1,234 MB`."""
    return f"{size / 1e6:,.0f} MB"


def parse_memory(text: str) -> int:
    """Bytes of `2GB`, `1.5GiB`, `500MB`; raises ValueError with one sentence."""
    for unit, size in {"GiB": 2**30, "MiB": 2**20, "GB": 10**9, "MB": 10**6}.items():
        number = text.removesuffix(unit).strip()
        if text.endswith(unit) and number.replace(".", "", 1).isdecimal() and number.isascii() and len(number) < 10:
            found = round(float(number) * size)
            if found >= 10**6:
                return found
    raise ValueError(f"{shown(text)} is not an amount of memory: write it as 2GB, 1.5GiB or 500MB")
