"""Broker nodes: broker-1, broker-2 and so on, each of which can die, be stopped, and come back."""
from __future__ import annotations

NOWHERE = -1
"""The index of no node."""


def node_name(number: int) -> str:
    """The name of a node in a scenario, numbered from 1: `broker-2`."""
    return f"broker-{number}"


class Node:
    """One broker.  `index` counts from 0, `number` from 1.

    `alive`: clients and other nodes reach it.  `fenced` and `leaving` (in a controlled shutdown) are what the
    controller knows.  `crashed`: it went without a proper shutdown.  `life` counts its comings and goings, so that
    what belonged to an earlier life is recognised.
    """

    def __init__(self, index: int, phase_ns: int) -> None:
        self.index = index
        self.number = index + 1
        self.name = node_name(self.number)
        self.phase_ns = phase_ns
        self.alive = True
        self.fenced = False
        self.leaving = False
        self.crashed = False
        self.life = 0
        self.session_until_ns = 0

    def last_heartbeat_ns(self, now_ns: int, interval_ns: int) -> int:
        """When the controller heard of it last; heartbeats are not simulated one by one."""
        return self.phase_ns + (now_ns - self.phase_ns) // interval_ns * interval_ns
