"""The tidy table of a sweep as files: a row for each run, a column for each knob and each metric.

The bytes depend on nothing but the study: not on who did the runs, when, or in which order.
"""

from __future__ import annotations

import csv
import io
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edasim.scenario.writing import to_yaml
from edasim.study.comparison import json_text
from edasim.study.files import write_text, write_whole
from edasim.study.swept import Sweep
from edasim.study.tasks import digest, scenario_text
from edasim.version import __version__

Cell = str | int | float
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def columns(sweep: Sweep) -> dict[str, list[Any]]:
    """The columns by name: the point, each knob as its text and its number, the run, the metrics, where it is from.

    A knob's number stands in `PATH (UNIT)`. What never came (the p99 of orders that are never done) is infinite.
    """
    rows = list(sweep.rows())
    points = sweep.points
    table: dict[str, list[Any]] = {"point": [point for point, *_ in rows]}
    for place, axis in enumerate(sweep.axes):
        texts, numbers = axis.texts, axis.numbers
        table[axis.path] = [texts[points[point][place]] for point, *_ in rows]
        if axis.kind is not None:
            table[f"{axis.path} ({axis.kind.unit})"] = [numbers[points[point][place]] for point, *_ in rows]
    table["architecture"] = [name for _, name, *_ in rows]
    table["replication"] = [replication for _, _, replication, *_ in rows]
    table["seed"] = [task.seed for _, _, _, task, _ in rows]
    for place, metric in enumerate(sweep.metrics):
        table[metric] = [numbers[place] for *_, numbers in rows]
    table["edasim"] = [__version__] * len(rows)
    table["scenario"] = [digest(scenario_text(sweep.scenario))] * len(rows)
    table["study"] = [sweep.shortfall or "complete"] * len(rows)
    return table


def description(sweep: Sweep) -> dict[str, Any]:
    """What made the table: the scenario's text, the seed, the version, the knobs, and what each column holds."""
    return {
        "made_by": f"edasim {__version__}",
        "version": __version__,
        "seed": sweep.seed,
        "replications": sweep.replications,
        **({} if sweep.complete else {"incomplete": sweep.shortfall}),
        "architectures": list(sweep.architectures),
        "metrics": list(sweep.metrics),
        "knobs": {axis.path: list(axis.texts) for axis in sweep.axes},
        "units": {axis.path: axis.kind.unit if axis.kind else "" for axis in sweep.axes},
        "scenario_digest": digest(scenario_text(sweep.scenario)),
        "scenario": to_yaml(sweep.scenario),
    }


def save_tables(sweep: Sweep, folder: Path) -> list[Path]:
    """Write sweep.csv, sweep.json with description and results, scenario.yml, and sweep.parquet where it can be."""
    files = [
        write_text(folder / "sweep.csv", csv_text(columns(sweep))),
        write_text(folder / "sweep.json", json_text({**description(sweep), "results": sweep.as_dict()})),
        write_text(folder / "scenario.yml", to_yaml(sweep.scenario)),
    ]
    if find_spec("pyarrow") is not None:
        files.append(write_whole(folder / "sweep.parquet", lambda path: _write_parquet(sweep, path)))
    return files


NO_PARQUET = "sweep.parquet was not written: it needs pyarrow, which pip install 'edasim[parquet]' brings."


def csv_text(table: dict[str, list[Any]]) -> str:
    """RFC 4180, with LF at the ends of lines; a text that a spreadsheet would take for a formula begins with '."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(map(harmless, table))
    for row in zip(*table.values(), strict=True):
        writer.writerow(map(harmless, row))
    return page.getvalue()


def harmless(cell: Cell) -> str:
    """A cell as text: numbers exact, `inf` for what never came, texts without line breaks and never a formula."""
    if isinstance(cell, float):
        return repr(cell) if math.isfinite(cell) else "inf"
    if isinstance(cell, int):
        return str(cell)
    text = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in cell)
    return f"'{text}" if text.startswith(_FORMULA) or cell.startswith(_FORMULA) else text


def _write_parquet(sweep: Sweep, path: Path) -> None:
    import json

    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({name: pyarrow.array(cells, _arrow_type(cells)) for name, cells in columns(sweep).items()})
    metadata = {f"edasim.{key}": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                for key, value in description(sweep).items()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path, compression="snappy")


def _arrow_type(cells: list[Any]) -> Any:
    import pyarrow

    kinds = {type(cell) for cell in cells}
    if kinds <= {int}:
        return pyarrow.int64()
    return pyarrow.float64() if kinds <= {int, float} else pyarrow.string()
