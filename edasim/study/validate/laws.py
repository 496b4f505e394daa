"""The laws of `laws.json`: what is set up, what is expected, how near it must be, and who says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Law:
    """One law. `expected` has its figures by name, some of them in lists, some in words."""

    id: str
    title: str
    setup: str
    expected: Any
    tolerance: Mapping[str, Any]
    formula: str
    source: str

    @property
    def largest_error(self) -> float | None:
        """The largest standard error that a full run may have, as a share of the exact value; None without such a rule.
        """
        share = self.tolerance.get("max_rel_se")
        return None if share is None else float(share)

    @property
    def statistical(self) -> bool:
        """Whether it is judged by standard errors."""
        return bool(self.tolerance["type"] == "statistical")

    def figures(self) -> dict[str, float]:
        """The published numbers by their path in `expected`: `W`, `p50.0`, `calls.none`."""
        return dict(_numbers("", self.expected))


def _numbers(path: str, value: Any) -> list[tuple[str, float]]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, (int, float)):
        return [(path, float(value))]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return [one for key, part in inside for one in _numbers(f"{path}.{key}" if path else str(key), part)]


@cache
def laws() -> dict[str, Law]:
    """All laws by their id, in the order of the file."""
    text = files("edasim.study.validate").joinpath("laws.json").read_text(encoding="utf-8")
    known = ("title", "setup", "expected", "tolerance", "formula", "source")
    return {entry["id"]: Law(entry["id"], *(entry[key] for key in known)) for entry in json.loads(text)}
