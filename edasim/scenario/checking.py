"""What is wrong with a scenario as a whole, when each value alone is right."""

from __future__ import annotations

from edasim.scenario.errors import Path
from edasim.scenario.value import Scenario

Finding = tuple[Path, str]


def check(scenario: Scenario, allow_large: bool = False) -> list[Finding]:
    """All findings, each with its path and one sentence."""
    return []
