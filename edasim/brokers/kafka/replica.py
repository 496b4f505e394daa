"""One copy of a partition on one node, and what is on its way to it."""
from __future__ import annotations

from edasim.brokers.kafka.nodes import Node
from edasim.brokers.kafka.truncation import Ending
from edasim.core.clock import Signal
from edasim.core.draws import SequentialDraw


class Replica:
    """A partition's copy on one node.

    `end` is up to where it agrees with the partition's log, `stray` what it has beyond that the log has not, `known`
    the log end offset of which the leader knows.  `streaming`: each append goes to it as it comes; else it is behind
    and fetches round after round, or not at all.  `stamp` tells transmissions of now from those before.
    """

    __slots__ = ("back", "end", "known", "node", "stamp", "stray", "streaming", "there")

    def __init__(self, node: Node, there: SequentialDraw, back: SequentialDraw) -> None:
        self.node = node
        self.there = there
        self.back = back
        self.end = self.known = 0
        self.stray: Ending | None = None
        self.streaming = True
        self.stamp = 0

    def stop(self) -> None:
        """It fetches no more, and what is on its way to it is gone."""
        self.streaming = False
        self.stamp += 1
        self.known = 0


class Copy(Signal):
    """Records on their way to a follower, up to an offset."""

    __slots__ = ("end", "replica", "stamp")

    def __init__(self, replica: Replica, end: int) -> None:
        self.replica = replica
        self.stamp = replica.stamp
        self.end = end
