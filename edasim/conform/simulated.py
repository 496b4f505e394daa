"""The simulated side: edasim's own client on a simulated cluster, with the names that confluent-kafka has."""

from __future__ import annotations

from typing import Any

from edasim.brokers.kafka.client.simulated import SimulatedKafka
from edasim.conform.script import Script, Trace, play
from edasim.conform.settings import BROKER_SETTINGS
from edasim.conform.trace import plain

BROKERS = 3


class SimulatedSide:
    """The namespace that a script sees on the simulated side: one object, and one cluster, for one run of a script."""

    def __init__(self) -> None:
        self._cluster = SimulatedKafka(brokers=BROKERS, version="4.3", options=BROKER_SETTINGS)
        self.trace: Trace = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def name(self, plain_name: str) -> str:
        """The name itself: each run has a cluster of its own."""
        return plain_name

    def note(self, label: str, value: Any) -> None:
        """Record an observation."""
        self.trace.append((label, plain(value)))


def trace_of(script: Script) -> Trace:
    """The trace of a script on a simulated cluster of three brokers with the settings of the real one."""
    kafka = SimulatedSide()
    play(script, kafka)
    return kafka.trace
