"""Traces and how they are compared: a trace is the list of a script's notes, (label, plain JSON value)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from edasim.conform.script import Trace

ABSENT = "no such note"


@dataclass(frozen=True)
class Difference:
    """One note that the two sides do not agree on."""

    script: str
    label: str
    simulated: Any
    real: Any

    def __str__(self) -> str:
        return f"{self.script}: {self.label}: simulated {shown(self.simulated)}, real {shown(self.real)}"


def shown(value: Any, limit: int = 300) -> str:
    """A value as JSON, cut in the middle when it is long."""
    text = value if value == ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 2 :]}"


def plain(value: Any, prefix: str = "") -> Any:
    """The JSON value of what a script notes: tuples and sets are lists, bytes text; the run's prefix is taken off."""
    if isinstance(value, dict):
        return {str(plain(key, prefix)): plain(item, prefix) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item, prefix) for item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item, prefix) for item in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, str):
        return value.replace(prefix, "") if prefix else value
    assert value is None or isinstance(value, (bool, int, float)), f"{value!r} is no plain value"
    return value


def differences(script: str, simulated: Trace, real: Trace) -> Iterator[Difference]:
    """Note by note; where the labels part, the rest is compared by label."""
    if [label for label, _ in simulated] == [label for label, _ in real]:
        pairs = iter([(label, ours, theirs) for (label, ours), (_, theirs) in zip(simulated, real, strict=True)])
    else:
        pairs = _by_label(simulated, real)
    for label, ours, theirs in pairs:
        if json.dumps(ours, sort_keys=True) != json.dumps(theirs, sort_keys=True):
            yield Difference(script, label, ours, theirs)


def _by_label(simulated: Trace, real: Trace) -> Iterator[tuple[str, Any, Any]]:
    labels = dict.fromkeys([label for label, _ in real] + [label for label, _ in simulated])
    for label in labels:
        ours = [value for each, value in simulated if each == label]
        theirs = [value for each, value in real if each == label]
        for mine, yours in zip_longest(ours, theirs, fillvalue=ABSENT):
            yield label, mine, yours
