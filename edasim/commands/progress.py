"""A bar on stderr for what takes longer than two seconds, and nothing for what does not."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PATIENCE_S = 2.0


class SlowProgress:
    """A context; `advance(done, total)` says how far it is, and may be handed to `compare`."""

    def __init__(self, what: str, patience_s: float = PATIENCE_S) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=console,
            transient=console.is_terminal,
            refresh_per_second=2,  # ten times a second takes a tenth of a core from what it shows
        )
        self._task = self._bar.add_task(what, total=None)
        # A single run may itself take long, so that a clock has to start the bar.
        self._clock = threading.Timer(patience_s, self._bar.start)
        self._clock.daemon = True

    def __enter__(self) -> SlowProgress:
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clock.cancel()
        if self._bar.live.is_started:
            self._bar.stop()

    def advance(self, done: int, total: int) -> None:
        """So many of so many are finished."""
        self._bar.update(self._task, completed=done, total=total)
