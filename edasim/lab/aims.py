"""Targets that make sense for a scenario: what a search for its cliff may ask, in words and as `find` takes it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edasim.core.quantity import show_duration
from edasim.lab.seen import Seen
from edasim.scenario.value import Scenario
from edasim.study.load import loads

_FEW = 0.01
_LONG = "2s"
_BUSY = "80%"


def aims(scenario: Scenario, seen: Sequence[Seen]) -> list[tuple[str, str]]:
    """(words, target) for a scenario whose present runs look like this; first, that it recovers."""
    patience_ns = scenario.client.timeout
    patient = patience_ns is None or math.isinf(patience_ns)
    within = _LONG if patient else show_duration(round(patience_ns or 0))
    found = [("it recovers", "recovers")]
    if seen and (not patient or any(one.outcomes["refused"] for one in seen)):
        few = max(1, round(_FEW * max(one.outcomes["placed"] for one in seen)))
        found.append((f"fewer than {few:,} are turned away", f"orders.refused < {few}"))
    found.append((f"99 of 100 are done within {within}", f"completion_latency_s.p99 < {within}"))
    if any(one.outcomes["parked"] for one in seen):
        few = max(1, round(_FEW * max(one.outcomes["placed"] for one in seen)))
        found.append((f"fewer than {few:,} are parked", f"orders.parked < {few}"))
    if any(one.twice for one in seen):
        found.append(("nothing is done twice", "duplicated_effects < 1"))
    busiest = max(loads(scenario).items(), key=lambda pair: pair[1].utilisation, default=None)
    if busiest is not None:
        found.append((f"{busiest[0]} is less than {_BUSY} busy", f"services.{busiest[0]}.utilisation < {_BUSY}"))
    return found
