"""The rows of the benchmarks: what was measured, and what it should be."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table. `target` is empty for what is only told."""

    what: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None

    @property
    def number(self) -> str:
        """The value in as many digits as anybody reads."""
        return f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.2f}"

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty without one."""
        return "" if self.met is None else "met" if self.met else "MISSED"


@dataclass(frozen=True)
class Part:
    """One part of the benchmarks: its name, how it was measured, its rows, and what is said under them."""

    name: str
    how: str
    rows: Sequence[Row]
    remarks: Sequence[str] = ()


def at_least(what: str, value: float, target: float, aim: float | None = None) -> Row:
    """A ratio that should be large."""
    text = f"at least {target:g}" + (f", aim {aim:g}" if aim else "")
    return Row(what, value, "", text, value >= target)


def at_most(what: str, value: float, unit: str, target: float, aim: float | None = None) -> Row:
    """A number that should be small."""
    text = f"at most {target:g}" + (f", aim {aim:g}" if aim else "")
    return Row(what, value, unit, text, value <= target)


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    width = max((len(row.what) for row in rows), default=0)
    lines = []
    for row in rows:
        verdict = f"{row.verdict:<6}  ({row.target})" if row.verdict else ""
        lines.append(f"{row.what:<{width}}  {row.number:>9} {row.unit:<8}  {verdict}".rstrip())
    return "\n".join(lines)


def page(machine: str, parts: Sequence[Part]) -> str:
    """All parts as the page docs/benchmarks.md."""
    sections = [_section(part) for part in parts]
    return "\n".join([f"{HEAD}\n\nMeasured with {machine}.\n", *sections])


def _section(part: Part) -> str:
    lines = [f"## {part.name}", "", part.how, ""]
    if part.rows:
        lines += ["| what | value | unit | target | |", "|---|---:|---|---|---|"]
        lines += [f"| {row.what} | {row.number} | {row.unit} | {row.target} | {row.verdict} |" for row in part.rows]
        lines.append("")
    for remark in part.remarks:
        lines += [remark, ""]
    return "\n".join(lines)


HEAD = """# Benchmarks

Written by `make bench`, which measures anew; not by hand. What the models are and what is fair about the comparison is
told in [benchmarks/README.md](../benchmarks/README.md). Ratios say something on any machine, the other numbers only on
this one; a machine that has other things to do moves both."""
