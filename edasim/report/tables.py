"""The tables of a report as plain rows and cells: what the terminal shows, and all numbers with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from edasim.study.comparison import Comparison
from edasim.study.words import display, grouped

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """What a cell says: the number, and the lines under it, such as the difference to the first architecture."""

    text: str
    below: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a table: its name and its cells."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """A table: the names of its columns, its rows in groups, what is said about all of them; `texts` are the places of
    the columns that hold words and not numbers.
    """

    columns: tuple[str, ...]
    groups: tuple[tuple[Line, ...], ...]
    remarks: tuple[str, ...] = ()
    texts: frozenset[int] = frozenset()


def main_table(comparison: Comparison) -> Grid:
    """The table that `compare` prints, row by row."""
    return grid_of(comparison.table())


def grid_of(table: Table) -> Grid:
    """A table for the terminal, whose first column names the rows, as plain rows and cells."""
    columns = [list(column.cells) for column in table.columns]
    groups: list[list[Line]] = [[]]
    for row, (name, *cells) in zip(table.rows, zip(*columns, strict=True), strict=True):
        groups[-1].append(Line(_lines(name), tuple(_cell(_plain(cell)) for cell in cells)))
        if row.end_section:
            groups.append([])
    heads = tuple(_plain(column.header) for column in table.columns[1:])
    remarks = tuple(_plain(table.caption or "").splitlines())
    texts = frozenset(place for place, column in enumerate(table.columns[1:]) if column.justify != "right")
    return Grid(heads, tuple(tuple(group) for group in groups if group), remarks, texts)


def _plain(cell: Any) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _lines(cell: Any) -> str:
    """The lines of a row's name without their indentation."""
    return "\n".join(line.strip() for line in _plain(cell).splitlines())


def _cell(text: str) -> Cell:
    number, _, below = text.partition("\n")
    return Cell(number, below)


def all_numbers(comparison: Comparison) -> Grid:
    """Every number of `--json` in every architecture: its mean, and the two ends of its interval."""
    nodes = comparison.as_dict()["architectures"]
    by_name = {name: dict(_leaves(node)) for name, node in nodes.items()}
    paths = list(dict.fromkeys(path for found in by_name.values() for path in found))
    lines = tuple(
        Line(path, tuple(_number(by_name[name].get(path)) for name in comparison.architectures)) for path in paths
    )
    return Grid(tuple(map(display, comparison.architectures)), (lines,))


def all_differences(comparison: Comparison) -> Grid | None:
    """Every paired difference, with the share of its variance that the common draws took away; None without pairs."""
    if len(comparison.architectures) < 2 or comparison.replications < 2:
        return None
    found = comparison.differences()["architectures"]
    paths = list(dict.fromkeys(path for nodes in found.values() for path in nodes))
    lines = (Line(path, tuple(_difference(nodes.get(path)) for nodes in found.values())) for path in paths)
    told = tuple(line for line in lines if any(cell.text != NOTHING for cell in line.cells))
    return Grid(tuple(map(display, found)), (told,))


def _difference(node: Mapping[str, float | None] | None) -> Cell:
    if node is None or node["mean"] is None or node["mean"] == node["low"] == node["high"] == 0:
        return Cell(NOTHING)
    saved = node["variance_reduction"]
    number = _number(node)
    told = "" if saved is None else f"{grouped(100 * saved)}% of the variance"
    return Cell(number.text, "\n".join(filter(None, (number.below, told))))


def _leaves(node: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and set(value) != {"mean", "low", "high"}:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield before + key, value


def _number(value: Any) -> Cell:
    """A number in four digits, and under it the two ends of its interval; what is infinite or unknown is a dash."""
    if isinstance(value, Mapping):
        mean, low, high = value["mean"], value["low"], value["high"]
        if mean is None:
            return Cell(NOTHING)
        known = low is not None and high is not None and low != high
        return Cell(_digits(mean), f"{_digits(low)} to {_digits(high)}" if known else "")
    if isinstance(value, str):
        return Cell(value)
    return Cell(NOTHING if value is None else _digits(value))


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(decimals, 9)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
