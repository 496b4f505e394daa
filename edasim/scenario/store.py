"""A replicated store in which a service keeps its state: how many replicas, how many must answer, how long it takes."""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import Annotated, Final, Self

import numpy as np
from pydantic import model_validator

from edasim.core.quantity import QuantityError
from edasim.core.shapes import Constant
from edasim.scenario.fields import Boolean, Part, Random, choice, whole

MOST_REPLICAS: Final = 15
_GRID: Final = 200
_HALF_A_MS: Final = Constant(500_000)


class Store(Part):
    """Replicas with quorums, as in Dynamo, Cassandra and Riak; the defaults are Dynamo's usual (N, R, W) = (3, 2, 2).

    A write goes to all replicas, or (`replication: quorum-only`) to as many at random as must acknowledge, and is
    confirmed by the first `write_quorum` acknowledgements; with 0 nobody is waited for. A reader asks all and takes
    the first `read_quorum` replies. `write`, `write_ack`, `read` and `read_reply` are one-way times to and from a
    replica, each drawn for itself (the WARS model). With `readers`, somebody looks after each confirmed write; with
    `handoff`, a replica that declined writes gets them when it fails no more (hinted handoff).

    Sources: DeCandia et al., "Dynamo", SOSP 2007, section 4.5; Bailis et al., "Probabilistically Bounded Staleness
    for Practical Partial Quorums", VLDB 2012, section 4.
    """

    replicas: Annotated[int, whole(1, MOST_REPLICAS)] = 3
    write_quorum: Annotated[int, whole(0, MOST_REPLICAS)] = 2
    read_quorum: Annotated[int, whole(1, MOST_REPLICAS)] = 2
    replication: Annotated[str, choice("all", "quorum-only")] = "all"
    readers: Boolean = True
    handoff: Boolean = True
    write: Random = _HALF_A_MS
    write_ack: Random = _HALF_A_MS
    read: Random = _HALF_A_MS
    read_reply: Random = _HALF_A_MS

    @property
    def targets(self) -> int:
        """To how many replicas a write is sent."""
        return self.replicas if self.replication == "all" else self.write_quorum

    def mean_write_s(self) -> float:
        """How long a worker waits for a write on average (seconds), in good health; approximate for heavy tails."""
        return self.write_moments_s()[0]

    def write_moments_s(self) -> tuple[float, float]:
        """Mean and variance of that wait, in seconds and square seconds."""
        return _write_moments_s(self)

    @model_validator(mode="after")
    def _quorums_can_be_met(self) -> Self:
        for name, quorum in (("write-quorum", self.write_quorum), ("read-quorum", self.read_quorum)):
            if quorum > self.replicas:
                have = "is 1 replica" if self.replicas == 1 else f"are {self.replicas} replicas"
                raise QuantityError(f"{name} {quorum} can never be met: there {have}, so write at most that many")
        if self.targets == 0:
            found = "write-quorum 0 with replication quorum-only would send a write to nobody"
            raise QuantityError(f"{found}: write a write-quorum of at least 1, or replication: all")
        return self


@lru_cache(maxsize=256)
def _write_moments_s(store: Store) -> tuple[float, float]:
    if store.write_quorum == 0:
        return 0.0, 0.0
    grid = (np.arange(_GRID) + 0.5) / _GRID
    times = np.sort(np.add.outer(store.write.quantile_s(grid), store.write_ack.quantile_s(grid)).ravel())
    below = np.arange(len(times) + 1) / len(times)
    # The chance that at least a quorum of the targets has answered by each of the times.
    answered = sum(comb(store.targets, number) * below**number * (1 - below) ** (store.targets - number)
                   for number in range(store.write_quorum, store.targets + 1))
    chances = np.diff(answered)
    mean = float(np.sum(times * chances))
    return mean, float(np.sum((times - mean) ** 2 * chances))


def replica_name(service: str, number: int) -> str:
    """How a fault names a replica, the first with number 1: `inventory.replica-1`."""
    return f"{service}.replica-{number}"
