"""How long a quorum queue takes until a majority of its members has an entry on disk."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.core.draws import Law, SequentialDraw, StreamBundle
from edasim.core.world import World


@dataclass(frozen=True)
class BrokerTimes:
    """How long the broker's own steps take: laws from uniforms to nanoseconds."""

    hop: Law
    flush: Law


class Majority:
    """Draws the time to a majority for one queue of so many members, the leader included."""

    def __init__(self, world: World, queue: str, members: int, times: BrokerTimes) -> None:
        self._followers = members - 1
        self._needed = members // 2 + 1
        streams = [world.draws.stream(f"majority {part} {number}", queue)
                   for number in range(self._followers) for part in ("there", "flush", "back")]
        streams.append(world.draws.stream("majority flush", queue))
        self._draws = SequentialDraw(StreamBundle(streams), self._law(times))
        self.draw: Callable[[], int] = self._draws.draw

    def use(self, times: BrokerTimes) -> None:
        """Other latencies from now on."""
        self._draws.use(self._law(times))

    def _law(self, times: BrokerTimes) -> Law:
        def law(uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
            done = [times.flush(uniforms[-1])]
            for number in range(self._followers):
                there, flush, back = uniforms[3 * number : 3 * number + 3]
                done.append(times.hop(there) + times.flush(flush) + times.hop(back))
            ordered: NDArray[np.int64] = np.sort(np.array(done), axis=0)
            fast_enough: NDArray[np.int64] = ordered[self._needed - 1]
            return fast_enough

        return law
