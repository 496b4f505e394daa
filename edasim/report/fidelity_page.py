"""The page of fidelity: every real option of both brokers, with its default and what edasim makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from edasim.conform.on_purpose import ON_PURPOSE
from edasim.report.fidelity import STATUSES
from edasim.report.model_limits import LIMITS
from edasim.scenario.broker_option import BrokerOption
from edasim.scenario.broker_options import SECTIONS, versions

_HEAD = """# Fidelity

Written by `edasim fidelity --out docs`, not by hand: every option by its real name, with its real default, and what
edasim makes of it.

"""


def fidelity_page(sections: Iterable[str] | None = None) -> str:
    """Markdown: for each section (all of them without `sections`) its options by status, with defaults by release."""
    meanings = "\n".join(f"- **{status}**: {meaning}." for status, meaning in STATUSES.items())
    chosen = list(SECTIONS if sections is None else sections)
    summary = ["| options of | modelled | simplified | ignored |", "|---|---:|---:|---:|"]
    summary += [f"| [{name}](#{_anchor(name)}) | {' | '.join(_counts(name))} |" for name in chosen]
    brokers = dict.fromkeys(name.split()[0] for name in chosen)
    parts = [meanings, "\n".join(summary), *map(_simpler, brokers), *map(_section, chosen)]
    return _HEAD + "\n\n".join(parts) + "\n"


def _simpler(broker: str) -> str:
    """Where the model differs on purpose: beyond options, and in notes of conformance scripts."""
    lines = [f"- {limit}" for limit in LIMITS[broker]]
    if broker == "kafka":
        lines += [f"- Script {one.script}, {one.label}: {one.reason}" for one in ON_PURPOSE]
        lines += [] if ON_PURPOSE else ["- Of the conformance scripts' notes none differs on purpose."]
    return f"## Where {broker} is simpler on purpose\n\n" + "\n".join(lines)


def _anchor(section: str) -> str:
    return section.replace(" ", "-")


def _counts(section: str) -> list[str]:
    found = Counter(option.status for option in SECTIONS[section].values())
    return [str(found[status]) for status in STATUSES]


def _section(section: str) -> str:
    options = sorted(SECTIONS[section].values(), key=lambda option: option.name)
    rows = ["| option | default | | what of it |", "|---|---|---|---|"]
    for option in options:
        if option.status != "ignored":
            rows.append(f"| `{option.name}` | {_default(section, option)} | {option.status} | {_note(option)} |")
    reasons: dict[str, list[str]] = {}
    for option in options:
        if option.status == "ignored":
            reasons.setdefault(option.note, []).append(f"`{option.name}`")
    ignored = [f"- {note}: {', '.join(names)}" for note, names in sorted(reasons.items())]
    parts = [f"## {section}", "\n".join(rows)]
    if ignored:
        parts.append("Ignored, each with the reason:\n\n" + "\n".join(ignored))
    return "\n\n".join(parts)


def _note(option: BrokerOption) -> str:
    refused = ", ".join(option.not_modelled)
    return f"{option.note}; refused: {refused}" if refused else option.note


def _default(section: str, option: BrokerOption) -> str:
    """The default, release by release where they differ: `0` in 3.9, `5` from 4.0."""
    runs: list[tuple[str, str]] = []
    for version in versions(section):
        text = _written(option.default(version)) if option.exists_in(version) else "absent"
        if not runs or runs[-1][1] != text:
            runs.append((version, text))
    if len(runs) == 1:
        return runs[0][1]
    return ", ".join(f"{text} from {version}" for version, text in runs)


def _written(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "empty"
    return f"`{value}`" if str(value) else "empty"
