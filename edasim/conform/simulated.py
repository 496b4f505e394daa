"""The simulated side: edasim's own client on a simulated cluster, with the names that confluent-kafka has."""

from __future__ import annotations

import importlib
from typing import Any

from edasim.conform.script import NOT_REACHED, NotReached, Script, Trace, play
from edasim.conform.settings import BROKER_SETTINGS
from edasim.conform.trace import plain

BROKER_VERBS = ("kill_broker", "stop_broker", "start_broker", "freeze_broker", "thaw_broker", "eligible_leaders")


class SimulatedSide:
    """The namespace that a script sees on the simulated side: one object, and one cluster, for one run of a script."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.trace: Trace = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cluster, name, None)
        if found is None and name in BROKER_VERBS:
            raise NotReached(f"the simulated cluster has no {name}")
        if found is None:
            raise AttributeError(f"the simulated client has no {name}")
        return found

    def name(self, plain_name: str) -> str:
        """The name itself: each run has a cluster of its own."""
        return plain_name

    def note(self, label: str, value: Any) -> None:
        """Record an observation."""
        self.trace.append((label, plain(value)))


def trace_of(script: Script) -> Trace:
    """The trace of a script on a simulated cluster of three brokers with the settings of the real one."""
    try:
        client = importlib.import_module("edasim.brokers.kafka.client.simulated")
    except ImportError:
        return [(NOT_REACHED, "the simulated client")]
    kafka = SimulatedSide(client.SimulatedKafka(brokers=3, version="4.3", options=BROKER_SETTINGS))
    play(script, kafka)
    return kafka.trace
