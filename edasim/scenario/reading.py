"""Reading a scenario: from a file or a text with line numbers, or from a mapping without."""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from edasim.core.quantity import printable, shown
from edasim.scenario.checking import check
from edasim.scenario.document import MOST_BYTES, Document, decode, read_with_repeats
from edasim.scenario.errors import Finding, Problem, ScenarioError, show_path
from edasim.scenario.explaining import explain
from edasim.scenario.fields import suggestion
from edasim.scenario.salvaging import further_findings
from edasim.scenario.value import Scenario
from edasim.shipped import found, known_names


def load(path_or_text: str | os.PathLike[str], allow_large: bool = False) -> Scenario:
    """The scenario of a file, or of a text (one with a line break, or in braces); raises `ScenarioError`.

    A bare name that is no file here may be that of a shipped scenario, such as `payment-outage`. The error holds all
    problems that were found. `allow_large` skips the refusal of runs over 10^8 events or 2 GB.
    """
    source = os.fspath(path_or_text)
    if isinstance(path_or_text, str) and ("\n" in source or source.lstrip().startswith("{")):
        return _build(read_with_repeats(decode(source.encode("utf-8", "surrogatepass"), "")), "", allow_large)
    source = found(source)
    file = printable(source)
    return _build(read_with_repeats(decode(_content(source, file), file), file), file, allow_large)


def build(data: Any, allow_large: bool = False) -> Scenario:
    """The scenario of plain data with the texts of a file; raises `ScenarioError`, whose problems have no
    lines.
    """
    return _build(Document(data), "", allow_large)


def _build(document: Document, file: str, allow_large: bool) -> Scenario:
    data = document.data
    if not isinstance(data, dict):
        found = "the file is empty" if data is None else f"{shown(data)} is not a mapping"
        message = f"{found}: a scenario has keys such as duration, producers and services"
        raise ScenarioError(document.repeats or [Problem(message, "", document.line(()), file)])
    scenario, findings = _judged(data, allow_large)
    if scenario is None or findings or document.repeats:
        problems = [Problem(message, show_path(path), document.line(path), file) for path, message in findings]
        raise ScenarioError(sorted(document.repeats + problems, key=lambda problem: problem.line))
    return scenario


def _judged(data: dict[str, Any], allow_large: bool) -> tuple[Scenario | None, list[Finding]]:
    """The scenario, if all values can be read, and all that is wrong with it."""
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        unreadable = [explain(details) for details in error.errors(include_url=False)]
        return None, unreadable + further_findings(data, [path for path, _ in unreadable])
    return scenario, check(scenario, allow_large)


def _content(source: str, file: str) -> bytes:
    try:
        if FilePath(source).exists() and not FilePath(source).is_file() and not FilePath(source).is_dir():
            raise ValueError
        with FilePath(source).open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "this is no name of a file"
        if isinstance(error, IsADirectoryError):
            reason = "this is a folder: name a scenario file, as in " + os.path.join(source, "scenario.yml")
        if isinstance(error, FileNotFoundError) and os.path.basename(source) == source:
            reason = f"{reason}, and no shipped scenario has that name: {suggestion(source, known_names())}"
        raise ScenarioError([Problem(f"the file cannot be read: {reason}", file=file)]) from None
