"""Broker nodes: broker-1, broker-2 and so on, each of which can die, be stopped, and come back."""
from __future__ import annotations

from collections.abc import Callable

NOWHERE = -1
"""The index of no node."""


def node_name(number: int) -> str:
    """The name of a node in a scenario, numbered from 1: `broker-2`."""
    return f"broker-{number}"


class Node:
    """One broker.  `index` counts from 0, `number` from 1.

    `alive`: its process runs.  `paused_since_ns`: since when it is stuck, so that it does nothing and yet no
    connection breaks (None: it is not); `held` is what it will do afterwards.  `fenced` and `leaving` (in a controlled
    shutdown) are what the controller knows.  `crashed`: it went without a proper shutdown.  `life` counts its comings
    and goings, so that what belonged to an earlier life is recognised.
    """

    def __init__(self, index: int, phase_ns: int) -> None:
        self.index = index
        self.number = index + 1
        self.name = node_name(self.number)
        self.phase_ns = phase_ns
        self.alive = True
        self.paused_since_ns: int | None = None
        self.held: list[Callable[[], None]] = []
        self.fenced = False
        self.leaving = False
        self.crashed = False
        self.life = 0
        self.session_until_ns = 0

    @property
    def answers(self) -> bool:
        """Whether clients and other nodes hear anything of it."""
        return self.alive and self.paused_since_ns is None

    def last_heartbeat_ns(self, now_ns: int, interval_ns: int) -> int:
        """When the controller heard of it last; heartbeats are not simulated one by one."""
        upto_ns = now_ns if self.paused_since_ns is None else self.paused_since_ns
        return self.phase_ns + (upto_ns - self.phase_ns) // interval_ns * interval_ns
