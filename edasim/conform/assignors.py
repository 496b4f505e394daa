"""The assignors beside those of Kafka's Java client, as its classes were recorded to divide partitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from edasim.brokers.kafka.assignors import assign

FILE = Path(str(files("edasim.conform") / "golden" / "assignors.json"))

Reads = dict[str, list[str]]


@dataclass(frozen=True)
class History:
    """A group's life under one strategy: at each step the topics, the members' subscriptions and who reads what."""

    strategy: str
    steps: list[dict[str, Any]]


def histories() -> list[History]:
    """The recorded histories."""
    data = json.loads(FILE.read_text(encoding="utf-8"))
    return [History(one["strategy"], one["steps"]) for one in data["histories"]]


def simulated(history: History) -> Iterator[tuple[Reads, Reads, Reads]]:
    """Step by step: what each member read before, what the simulated assignor gives it, what Java's gave it.

    Each step begins with what Java's assignor gave in the step before, so that one difference is counted once.
    """
    before: Reads = {}
    for step in history.steps:
        owned = {member: [_place(each) for each in before.get(member, ())] for member in step["members"]}
        given = assign(history.strategy, list(step["members"]), step["topics"], step["members"], owned)
        ours = {member: sorted(f"{topic}-{number}" for topic, number in mine) for member, mine in given.items()}
        yield before, ours, step["reads"]
        before = step["reads"]


def moved(before: Reads, after: Reads) -> int:
    """How many partitions somebody has to give up who stays in the group."""
    return sum(len(set(before[member]) - set(after[member])) for member in before if member in after)


def _place(text: str) -> tuple[str, int]:
    topic, _, number = text.rpartition("-")
    return topic, int(number)
