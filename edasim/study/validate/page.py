"""What `edasim validate` shows: lines for a terminal, plain data, and docs/validation.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edasim.scenario.writing import to_dict
from edasim.study.validate.case import Case, Experiment, Trial
from edasim.study.validate.laws import Law, laws
from edasim.study.validate.rules import BROKEN, HOLDS, IMPRECISE
from edasim.study.validate.running import Row, exit_code, law_verdict
from edasim.version import __version__

_WORDS = {HOLDS: "holds", BROKEN: "BROKEN", IMPRECISE: "IMPRECISE"}
_LONGEST_LINE = 150
_COLUMNS = ("where", "quantity", "exact", "estimate", "std error", "z", "verdict")


def by_law(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each law, in the order of the laws."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.law, []).append(row)
    return {law: found[law] for law in laws() if law in found}


def number(value: float) -> str:
    """Six digits, and a dash for what there is not."""
    return "–" if math.isnan(value) else f"{value:.6g}"


def cells(row: Row) -> tuple[str, ...]:
    """One row of a table."""
    score = "–" if math.isnan(row.score) else f"{row.score:+.2f}"
    where = f"also {row.where}" if row.also else row.where
    return (where, row.name, number(row.exact), number(row.estimate.value), number(row.estimate.error), score,
            _WORDS[row.verdict])


def as_text(rows: Sequence[Row]) -> str:
    """All laws as a table of plain text, and a last line that counts."""
    found = by_law(rows)
    table = [_COLUMNS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(_COLUMNS, widths, strict=True)).rstrip()]
    for law, mine in found.items():
        lines += ["", f"{law}  {laws()[law].title}"]
        lines += [_line(cells(row), widths) for row in mine]
    return "\n".join([*lines, "", counted(rows)])


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [cell.ljust(width) if column in (0, 1, 6) else cell.rjust(width)
               for column, (cell, width) in enumerate(zip(line, widths, strict=True))]
    return "  ".join(aligned).rstrip()


def counted(rows: Sequence[Row]) -> str:
    """How many laws hold, and which do not."""
    verdicts = {law: law_verdict(mine) for law, mine in by_law(rows).items()}
    holding = sum(verdict == HOLDS for verdict in verdicts.values())
    parts = [f"{holding} of {len(verdicts)} laws hold ({len(rows)} figures)"]
    for verdict, words in ((BROKEN, "broken"), (IMPRECISE, "not precise enough")):
        named = [law for law, one in verdicts.items() if one == verdict]
        if named:
            parts.append(f"{words}: {', '.join(named)}")
    return "; ".join(parts) + "."


# --- plain data ------------------------------------------------------------------------------------------------------


def as_dict(rows: Sequence[Row], seed: int, quick: bool) -> dict[str, Any]:
    """What --json prints."""
    return {
        "seed": seed, "version": __version__, "quick": quick, "exit_code": exit_code(rows),
        "laws": {law: {"title": laws()[law].title, "verdict": law_verdict(mine), "rows": [_node(row) for row in mine]}
                 for law, mine in by_law(rows).items()},
    }


def _node(row: Row) -> dict[str, Any]:
    return {"where": row.where, "quantity": row.name, "exact": _plain(row.exact),
            "estimate": _plain(row.estimate.value),
            "standard_error": _plain(row.estimate.error), "z": _plain(row.score), "verdict": row.verdict,
            "rule": row.rule, "replications": row.replications, "size": row.size, "also": row.also}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# --- the page --------------------------------------------------------------------------------------------------------

_HEAD = """# Validation

Written by `edasim validate`{how}, seed {seed}, version {version}; not by hand. {counted}

The laws are in `edasim/study/validate/laws.json`, the cases beside it. A statistical figure holds when it lies within
4.67 standard errors of the exact value, which chance alone exceeds once in 16,000 times (Student's t with 29 degrees
of freedom), and when, at full size, the standard error is within the share of the exact value that the law allows.
Replications are independent, warm-up is left out. Figures of several orders are pooled over the replications and have
the jackknife's standard error, percentiles Woodruff's. Rows with *also* repeat a law in another architecture at a
smaller size and are judged by z alone. z is how many standard errors the estimate lies above the exact value; a
figure without chance has none.
"""


def as_page(rows: Sequence[Row], cases: Mapping[str, Case], seed: int, quick: bool) -> str:
    """The text of docs/validation.md."""
    found = by_law(rows)
    head = _HEAD.format(how=" --quick" if quick else "", seed=seed, version=__version__, counted=counted(rows))
    index = ["| law | what | where | verdict |", "|---|---|---|---|"]
    for law, mine in found.items():
        where = ", ".join(dict.fromkeys(row.where for row in mine))
        index.append(f"| [{law}](#{law.lower()}) | {laws()[law].title} | {where} | {law_verdict(mine)} |")
    sections = [_section(laws()[law], mine, cases.get(law), quick) for law, mine in found.items()]
    return "\n".join([head, *index, "", *sections])


def _section(law: Law, rows: Sequence[Row], case: Case | None, quick: bool) -> str:
    lines = [f"## {law.id}", "", f"**{law.title}.** {law.setup}.", ""]
    lines += [f"Formula: {law.formula}. Source: {law.source}.", ""]
    lines += ["| where | quantity | exact | estimate | standard error | z | n | rule | verdict |",
              "|---|---|---:|---:|---:|---:|---|---|---|"]
    for row in rows:
        where, name, exact, estimate, error, score, verdict = (_safe(cell) for cell in cells(row))
        size = f"{row.replications} × {row.size:,}" if row.size > 1 else f"{row.replications}"
        line = (where, name, exact, estimate, error, score, size, _safe(row.rule), verdict)
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join([*lines, "", *(_how(case, quick) if case else ())])


def _safe(cell: str) -> str:
    return cell.replace("|", "\\|")


def _how(case: Case, quick: bool) -> list[str]:
    """How it was tried: what the trials say of themselves, and the scenario of the first."""
    said = list(dict.fromkeys(_said(trial) for trial in case.trials if _said(trial)))
    lines = [f"- {one}" for one in said]
    shops = [trial for trial in case.trials if isinstance(trial.sample, Experiment)]
    if shops:
        lines += ["", f"The scenario, as tried in {shops[0].where}:", "", "```yaml", *_scenario(shops[0], quick), "```"]
    return [*lines, ""]


def _said(trial: Trial) -> str:
    if isinstance(trial.sample, Experiment):
        return f"{trial.where}: {trial.said}" if trial.said else ""
    script = f"script `{trial.sample.__module__}.{trial.sample.__qualname__.split('.')[0]}`"
    return f"{trial.where}: {script}" + (f", {trial.said}" if trial.said else "")


def _scenario(trial: Trial, quick: bool) -> list[str]:
    import yaml

    assert isinstance(trial.sample, Experiment), "only a shop has a scenario"
    runs = math.ceil(trial.size(quick) / trial.most_at_once)
    data = to_dict(trial.sample.build(math.ceil(trial.size(quick) / runs)))
    data["architectures"] = {trial.where: data["architectures"].get(trial.sample.architecture, {})}
    if len(data["services"]) > 4:
        names = list(data["services"])
        data["services"] = {name: data["services"][name] for name in names[:2]} | {f"and {len(names) - 2} more": {}}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=_LONGEST_LINE)
    lines = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..." for line in text.splitlines()]
    return lines if len(lines) <= 60 else [*lines[:60], "..."]
