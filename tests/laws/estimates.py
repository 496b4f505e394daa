"""Independent replications, and the rule by which their mean agrees with theory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate

REPLICATIONS = 30
LIMIT = 4.67
"""Student's t with 29 degrees of freedom is beyond it as often as a normal variate is beyond 4: once in 16,000."""

Floats = NDArray[np.float64]
Numbers = Mapping[str, float]


def seeds(law: str, number: int = REPLICATIONS) -> list[int]:
    """The seeds of a law's replications, all from one base, different for each law."""
    return [int.from_bytes(blake2b(f"edasim laws\0{law}\0{count}".encode(), digest_size=6).digest(), "big")
            for count in range(number)]


def replicate(law: str, scenario: Scenario, architecture: str, read: Callable[[Run], Numbers],
              number: int = REPLICATIONS) -> dict[str, Floats]:
    """What `read` finds in each of the replications, by name."""
    found = [read(simulate(scenario, architecture, seed)) for seed in seeds(law, number)]
    return {name: np.array([numbers[name] for numbers in found]) for name in found[0]}


def score(values: Sequence[float] | Floats, exact: float) -> float:
    """How many standard errors the mean lies above the exact value."""
    values = np.asarray(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    miss = float(np.mean(values)) - exact
    return miss / error if error else math.copysign(math.inf, miss) if abs(miss) > 1e-12 * abs(exact) else 0.0


def assert_agrees(found: Mapping[str, Floats], exact: Numbers) -> None:
    """|mean - exact| <= 4.67 standard errors, for each name; says by how much each of them misses."""
    missed = []
    for name, value in exact.items():
        distance = score(found[name], value)
        if not abs(distance) <= LIMIT:
            missed.append(f"{name}: {np.mean(found[name]):.6g} instead of {value:.6g}, {distance:+.1f} standard errors")
    assert not missed, "; ".join(missed)


def assert_near(found: float, exact: float, relative: float) -> None:
    """|found - exact| <= relative x exact."""
    assert abs(found - exact) <= relative * abs(exact), (
        f"{found:.10g} instead of {exact:.10g}, {(found - exact) / exact:+.2e} where {relative:g} is allowed")
