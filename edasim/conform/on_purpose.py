"""The differences between the simulated Kafka and the real one that are on purpose, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OnPurpose:
    """One note of one script, or all its notes (`label` is "*"), that may differ, and why."""

    script: str
    label: str
    reason: str


_STICKY = (
    "an assignor is part of the client, and the simulated one is that of the Java client (edasim conforms with its "
    "classes): librdkafka's cooperative-sticky takes other partitions, but equally many, from who has too many"
)

ON_PURPOSE: tuple[OnPurpose, ...] = (
    *(OnPurpose("cooperative-sticky-join-and-leave", who, _STICKY) for who in ("b joined", "c joined", "b left")),
    *(OnPurpose("cooperative-sticky-member-dies", who, _STICKY) for who in ("b joined", "c joined", "b died")),
    OnPurpose("cooperative-revokes-only-what-moves", "a is told to give up", _STICKY),
)


def reason_for(script: str, label: str) -> str | None:
    """Why this note may differ; None if it must not."""
    for one in ON_PURPOSE:
        if one.script == script and one.label in ("*", label):
            return one.reason
    return None
