"""Faults that hit nothing, or something that cannot break in that way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from edasim.core.quantity import shown
from edasim.scenario.broker_option import MOST_REPLICAS
from edasim.scenario.broker_options import OptionError, resolve
from edasim.scenario.errors import Finding
from edasim.scenario.fault import Fault
from edasim.scenario.fields import suggestion
from edasim.scenario.store import replica_name
from edasim.scenario.value import Scenario

PARTS: Final = ("broker", "database", "gateway")
"""Parts that an architecture has beside the scenario's own services and producers; broker-2 is one of Kafka's nodes."""

_HANDLING: Final = {"service", "broker", "database", "replica"}
_PROCESSES: Final = {"service", "producer", "broker", "database", "node"}
_LINKED: Final = {"service", "producer", "broker", "database", "gateway"}
_FITTING: Final = {
    "unavailable": _PROCESSES | {"replica"},
    "failing": _HANDLING,
    "slow": _HANDLING,
    "crash": _PROCESSES,
    "stop": _PROCESSES,
    "deploy": {"service"},
    "cut": _LINKED,
    "lossy": _LINKED,
    "duplicating": _LINKED,
}


def check_faults(scenario: Scenario) -> Iterator[Finding]:
    """All findings about the faults' targets."""
    for name, fault in scenario.faults.items():
        for sentence in _link_findings(scenario, fault) if fault.link else _part_findings(scenario, fault):
            yield ("faults", name, fault.kind), sentence
        service = scenario.services.get(fault.target)
        if fault.workers is not None and service is None:
            yield ("faults", name, "workers"), f"{shown(fault.target)} has no workers: only services have"
        elif fault.workers is not None and service is not None and fault.workers > service.workers:
            yield ("faults", name, "workers"), f"{fault.workers} is too many: {fault.target} has {service.workers}"
        elif fault.kind == "deploy" and service is not None and service.workers == math.inf:
            found = f"{fault.target} has unlimited workers, which cannot be replaced one after another"
            yield ("faults", name, "deploy"), f"{found}: give it a number of workers"


def is_node(scenario: Scenario, part: str) -> bool:
    """Whether a fault's target is one of Kafka's brokers."""
    return _kind_of(scenario, part) == "node"


def _part_findings(scenario: Scenario, fault: Fault) -> Iterator[str]:
    kind = _kind_of(scenario, fault.target)
    if kind is None:
        yield f"there is no {shown(fault.target)}: {suggestion(fault.target, _known(scenario))}"
    elif kind not in _FITTING[fault.kind]:
        fitting = ", ".join(sorted(_FITTING[fault.kind]))
        yield f"{shown(fault.target)} is a {kind}: {fault.kind} fits {fitting}"


def _link_findings(scenario: Scenario, fault: Fault) -> Iterator[str]:
    one, other, _ = fault.link or ("", "", True)
    unknown = [end for end in (one, other) if _kind_of(scenario, end) is None]
    for end in unknown:
        yield f"there is no {shown(end)}: {suggestion(end, _known(scenario))}"
    if not unknown and (one == other or not {one, other} & set(PARTS)):
        yield f"{shown(fault.target)} is no link: one end is broker, gateway or database, as in payment <-> broker"


def _known(scenario: Scenario) -> list[str]:
    return [*scenario.services, *scenario.producers, *_replicas(scenario), *PARTS, *_nodes(scenario)]


def _nodes(scenario: Scenario) -> list[str]:
    """Kafka's brokers: as many as its topics have replicas; where that cannot be told, as many as there may be."""
    kafka, number = scenario.architectures.kafka, MOST_REPLICAS
    if kafka is not None:
        with suppress(OptionError):
            number = resolve("kafka topic", kafka.version, kafka.topic)["replication.factor"]
    return [f"broker-{one}" for one in range(1, number + 1)]


def _replicas(scenario: Scenario) -> list[str]:
    stores = ((name, service.store) for name, service in scenario.services.items() if service.store is not None)
    return [replica_name(name, number) for name, store in stores for number in range(1, store.replicas + 1)]


def _kind_of(scenario: Scenario, part: str) -> str | None:
    if part in scenario.services:
        return "service"
    if part in scenario.producers:
        return "producer"
    if "." in part and part in _replicas(scenario):
        return "replica"
    if part.startswith("broker-") and part in _nodes(scenario):
        return "node"
    return part if part in PARTS else None
