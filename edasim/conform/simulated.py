"""The simulated side: edasim's own client on a simulated cluster, with the names that confluent-kafka has."""

from __future__ import annotations

import importlib

from edasim.conform.script import NOT_REACHED, Script, Trace


def trace_of(script: Script) -> Trace:
    """The trace of a script on a simulated cluster of three brokers with the settings of the real one."""
    try:
        importlib.import_module("edasim.brokers.kafka.client.namespace")
    except ImportError:
        return [(NOT_REACHED, "the simulated client")]
    raise NotImplementedError
