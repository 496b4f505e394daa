"""The differences between the simulated Kafka and the real one that are on purpose, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OnPurpose:
    """One note of one script, or all its notes (`label` is "*"), that may differ, and why."""

    script: str
    label: str
    reason: str


ON_PURPOSE: tuple[OnPurpose, ...] = ()
"""At this moment no note of any script differs on purpose."""


def reason_for(script: str, label: str) -> str | None:
    """Why this note may differ; None if it must not."""
    for one in ON_PURPOSE:
        if one.script == script and one.label in ("*", label):
            return one.reason
    return None
