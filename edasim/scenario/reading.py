"""Reading a scenario: from a file or a text with line numbers, or from a mapping without."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edasim.core.quantity import shown
from edasim.scenario.checking import check
from edasim.scenario.document import MOST_BYTES, Document, decode, read_document
from edasim.scenario.errors import Path, Problem, ScenarioError, show_path
from edasim.scenario.fields import suggestion, yaml_name
from edasim.scenario.value import Scenario


def load(path_or_text: str | os.PathLike[str], allow_large: bool = False) -> Scenario:
    """The scenario of a file, or of a text (one with a line break or braces); raises `ScenarioError` with all its problems.

    `allow_large` skips the refusal of runs over 10^8 events or 2 GB.
    """
    source = os.fspath(path_or_text)
    if "\n" in source or source.lstrip().startswith("{"):
        return build_document(read_document(decode(source.encode("utf-8", "surrogatepass"), "")), "", allow_large)
    file = str(source)
    return build_document(read_document(decode(_content(file), file), file), file, allow_large)


def build(data: Any, allow_large: bool = True) -> Scenario:
    """The scenario of plain data with the texts of a file."""
    return build_document(Document(data), "", allow_large)


def build_document(document: Document, file: str, allow_large: bool) -> Scenario:
    """The scenario of a document; every problem names the document's line and the path."""
    if not isinstance(document.data, dict):
        found = "the file is empty" if document.data is None else f"the top level is {shown(document.data)}"
        raise ScenarioError([Problem(f"{found}: a scenario is a mapping with keys such as services", "", document.line(()), file)])
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        raise ScenarioError(_sorted(_problem(details, document, file) for details in error.errors(include_url=False))) from None
    found_wrong = check(scenario, allow_large)
    if found_wrong:
        raise ScenarioError(
            _sorted(Problem(message, show_path(path), document.line(path), file) for path, message in found_wrong)
        )
    return scenario


def _content(file: str) -> bytes:
    try:
        with FilePath(file).open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such name is possible"
        raise ScenarioError([Problem(f"the file cannot be read: {reason}", file=shown(file)[1:-1])]) from None


def _sorted(problems: Any) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line)


def _problem(details: ErrorDetails, document: Document, file: str) -> Problem:
    """One of pydantic's findings as a sentence at its place."""
    path: Path = tuple(step for step in details["loc"] if step != "[key]")
    return Problem(_sentence(details, path), show_path(path), document.line(path), file)


def _sentence(details: ErrorDetails, path: Path) -> str:
    kind = details["type"]
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind == "extra_forbidden":
        return f"this key is not known: {suggestion(str(path[-1]), _known(path[:-1]))}"
    if kind == "missing":
        return f"this is missing: write {_description(path)}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{shown(details['input'])} is not a mapping: write keys with values"
    return f"{shown(details['input'])} is not possible: {details['msg'][:1].lower()}{details['msg'][1:]}"


def _known(path: Path) -> list[str]:
    part = _part(path)
    return [yaml_name(field) for field in part.model_fields] if part else []


def _description(path: Path) -> str:
    part = _part(path[:-1])
    fields: Mapping[str, Any] = {yaml_name(field): info for field, info in part.model_fields.items()} if part else {}
    description = fields[str(path[-1])].description if str(path[-1]) in fields else None
    return description or "a value for it"


def _part(path: Path) -> type[BaseModel] | None:
    """The class of the part at a path."""
    kind: Any = Scenario
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kinds = {yaml_name(field): info.annotation for field, info in kind.model_fields.items()}
            kind = kinds.get(str(step))
        kind = _inner(kind) if not _is_part(kind) else kind
    return kind if _is_part(kind) else None


def _is_part(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _inner(kind: Any) -> Any:
    """The class of parts inside a mapping, a tuple, or an optional one."""
    for argument in get_args(kind):
        inner = argument if _is_part(argument) else _inner(argument)
        if inner is not None:
            return inner
    return None
