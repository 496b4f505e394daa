"""The monolith's one database: commits take time, may be refused, and wait while it makes no progress."""
from __future__ import annotations

from collections.abc import Callable
from math import prod

from edasim.core.clock import Stage, Timer
from edasim.core.draws import Law
from edasim.core.world import World
from edasim.services.faults import Mend
from edasim.services.worker import Worker


class Database:
    """Commits for threads, each of which waits for its own; `committed(thread, ok)` hears of each end."""

    def __init__(self, world: World, commit_ns: Law, committed: Callable[[Worker, bool], None]) -> None:
        self._commit_ns = world.draws.sequential("commit", "database", commit_ns)
        self._luck = world.draws.sequential("fault", "database")
        self._committed = committed
        self._over: Stage = self._is_over
        self._refusing: list[float] = []
        self._slowness: list[float] = []
        self._held: list[Worker] = []
        self._stops = 0

    def use(self, commit_ns: Law) -> None:
        """Commits that begin from now on take as long as this law has it."""
        self._commit_ns.use(commit_ns)

    def commit(self, thread: Worker) -> None:
        """A thread's transaction is to be committed."""
        if self._stops:
            self._held.append(thread)
            return
        delay_ns = round(self._commit_ns.draw() * prod(self._slowness))
        if delay_ns:
            thread.wait(self._over, delay_ns)
        else:
            self._is_over(thread.timer)

    def _is_over(self, timer: Timer) -> None:
        refused = bool(self._refusing) and self._luck.draw() < max(self._refusing)
        self._committed(timer.owner, not refused)

    def forget(self, threads: set[Worker]) -> None:
        """These threads do not wait for it any more."""
        self._held = [thread for thread in self._held if thread not in threads]

    # --- faults -----------------------------------------------------------------------------------------------

    def refuse(self, share: float) -> Mend:
        """This share of the commits is refused until it is mended."""
        self._refusing.append(share)
        return lambda: self._refusing.remove(share)

    def slow_down(self, factor: float) -> Mend:
        """Commits take `factor` times as long until it is mended."""
        self._slowness.append(factor)
        return lambda: self._slowness.remove(factor)

    def hold(self) -> None:
        """No progress until `release`."""
        self._stops += 1

    def release(self) -> None:
        """Undo one `hold`: who waited begins in the same order."""
        self._stops -= 1
        if not self._stops:
            held, self._held = self._held, []
            for thread in held:
                self.commit(thread)
