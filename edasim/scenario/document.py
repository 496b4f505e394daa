"""A YAML file as plain data with line numbers, read strictly from the parser's events.

YAML 1.2 core scalars, except that numbers with a leading zero stay texts; no tags, anchors or aliases; no key twice;
1 MB and 50 levels at most. The limits are checked before anything that could be slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from edasim.core.quantity import shown
from edasim.scenario.errors import Path, Problem, ScenarioError, show_path

MOST_BYTES: Final = 1_000_000
MOST_LEVELS: Final = 50
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+|(?<=[0-9])\.|(?<=[0-9]))([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_MOST_DIGITS = 300
_Parser = getattr(yaml, "CParser", None)


@dataclass
class Document:
    """The data of a file, and the line of each path in it (the first line is 1)."""

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest part above it that the file has; 0 for the whole."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def scalar(text: str) -> Any:
    """What an unquoted YAML 1.2 scalar is: null, a boolean, a number, or the text itself."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if len(text) <= _MOST_DIGITS and _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= _MOST_DIGITS and _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text) or text in (".nan", ".NaN", ".NAN"):
        return float(text.replace(".", "", 1))
    return text


def decode(content: bytes, file: str) -> str:
    """The text of a file's bytes, which must be UTF-8 and at most 1 MB."""
    if len(content) > MOST_BYTES:
        raise ScenarioError([Problem("the file is over 1 MB: a scenario has at most 1000000 bytes", file=file)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise ScenarioError([Problem(message, "", line, file)]) from None


def read_document(text: str, file: str = "") -> Document:
    """The document of a text; raises `ScenarioError` with the problems of its form."""
    return _Reader(text, file).read()


class _Reader:
    """Builds the data while the events come, so that a file that is too deep or not YAML is left at once."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.document = Document(None)
        self.events = self._events(text)

    def read(self) -> Document:
        event = self._skip_to_content()
        if event is not None:
            self.document.data = self._node(event, ())
            self._expect_end()
        if self.problems:
            raise ScenarioError(self.problems)
        return self.document

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            parser = _Parser(text) if _Parser is not None else yaml.Loader(text)
            while parser.check_event():
                yield parser.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = " ".join(part for part in (error.context, error.problem) if part)
            self._stop(f"this is not YAML: {what}", (), mark.line + 1 if mark else 0)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self._stop(f"character {shown(chr(error.character))} is not allowed: {error.reason}", (), line)

    def _skip_to_content(self) -> yaml.Event | None:
        for event in self.events:
            if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent, yaml.AliasEvent)):
                return event
        return None

    def _expect_end(self) -> None:
        event = self._skip_to_content()
        if event is not None:
            self._note("a second document begins: a file is one scenario", (), event)

    def _node(self, event: yaml.Event, path: Path) -> Any:
        self.document.lines.setdefault(path, event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            self._note(f"*{event.anchor} is an alias: write the value out, aliases are not allowed", path, event)
            return None
        if event.anchor is not None:
            self._note(f"&{event.anchor} is an anchor: write the value out, anchors are not allowed", path, event)
        if event.tag is not None:
            self._note(f"{shown(event.tag)} is a tag: write plain values, tags are not allowed", path, event)
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.style is None or event.style == "" else event.value
        if len(path) >= MOST_LEVELS:
            self._stop(f"this is nested too deeply: at most {MOST_LEVELS} levels are allowed", path[:3], event.start_mark.line + 1)
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._sequence(path)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path)
            line = event.start_mark.line + 1
            if key in entries:
                first = self.document.lines[(*path, key)]
                self._note(f"the key {shown(key)} is here twice, first in line {first}: keep one of them", path, event)
                self._node(next(self.events), (*path, key))
                continue
            self.document.lines[(*path, key)] = line
            entries[key] = self._node(next(self.events), (*path, key))
        return entries

    def _key(self, event: yaml.Event, path: Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop("a key is not text: write it as name: value", path, event.start_mark.line + 1)
        if event.anchor is not None or event.tag is not None:
            self._note(f"the key {shown(event.value)} has a tag or an anchor: neither is allowed", path, event)
        return str(event.value)

    def _note(self, message: str, path: Path, event: yaml.Event) -> None:
        self.problems.append(Problem(message, show_path(path), event.start_mark.line + 1, self.file))

    def _stop(self, message: str, path: Path, line: int) -> NoReturn:
        self.problems.append(Problem(message, show_path(path), line, self.file))
        raise ScenarioError(self.problems) from None
