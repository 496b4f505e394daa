"""A YAML file as plain data with line numbers, read strictly from the parser's events.

YAML 1.2 core scalars, except that numbers with a leading zero stay texts; no tags, anchors or aliases; no key
twice; 1 MB, 50 levels and 20,000 values at most. The limits are checked before anything that could be slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from edasim.core.quantity import shown
from edasim.scenario.errors import Path, Problem, ScenarioError, show_path

MOST_BYTES: Final = 1_000_000
MOST_LEVELS: Final = 50
MOST_VALUES: Final = 20_000
_MOST_DIGITS: Final = 300
_TOO_DEEP: Final = f"this is nested too deeply: at most {MOST_LEVELS} levels are allowed"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")


class _PythonParser(Reader, Scanner, Parser):
    """PyYAML's own parser, for where libyaml is not built in; it makes events and nothing else."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


_Parser: Final[type] = yaml._yaml.CParser if yaml.__with_libyaml__ else _PythonParser


@dataclass
class Document:
    """The data of a file, the line of each path in it (the first line is 1), and the keys that are there twice."""

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    repeats: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest part above it that the file has; 0 where there is no file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def scalar(text: str) -> Any:
    """What an unquoted YAML 1.2 scalar is: null, a boolean, a number, or the text itself."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text[0] in "tT"
    if len(text) <= _MOST_DIGITS and _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= _MOST_DIGITS and _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text) or text in (".nan", ".NaN", ".NAN"):
        return float(text.replace(".", "", 1))
    return text


def decode(content: bytes, file: str) -> str:
    """The text of a file's bytes, which must be UTF-8 and at most 1 MB; raises `ScenarioError`."""
    if len(content) > MOST_BYTES:
        raise ScenarioError([Problem(f"this is over 1 MB: at most {MOST_BYTES} bytes are allowed", file=file)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise ScenarioError([Problem(message, "", line, file)]) from None


def read_document(text: str, file: str = "") -> Document:
    """The document of a text; raises `ScenarioError` with all problems of its form."""
    document = read_with_repeats(text, file)
    if document.repeats:
        raise ScenarioError(document.repeats)
    return document


def read_with_repeats(text: str, file: str = "") -> Document:
    """The same where a key may be there twice: the last value holds, and `repeats` says so."""
    return _Builder(text, file).read()


class _Builder:
    """Builds the data while the events come, so that a file that is too deep or no YAML is left at once."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._document = Document(None)
        self._values = 0
        self._events = self._parsed(text)

    def read(self) -> Document:
        event = self._next_content()
        if event is not None:
            self._document.data = self._node(event, ())
            if (second := self._next_content()) is not None:
                self._note("a second document begins: one file is one scenario", (), second)
        if self._problems:
            raise self._error()
        return self._document

    def _parsed(self, text: str) -> Iterator[yaml.Event]:
        if (odd := _NOT_YAML.search(text)) is not None:
            line = text.count("\n", 0, odd.start()) + 1
            self._stop(f"the character {shown(odd[0])} is not allowed: leave it out", (), line)
        try:
            parser = _Parser(text)
            while parser.check_event():
                yield parser.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            if "nesting" in str(error.problem):  # libyaml looks ahead and has a limit of its own, far above ours
                self._stop(_TOO_DEEP, (), mark.line + 1 if mark else 0)
            what = ", ".join(part for part in (error.context, error.problem) if part)
            self._stop(f"this is not YAML: {what}", (), mark.line + 1 if mark else 0)

    def _next_content(self) -> yaml.Event | None:
        """The next value, behind the marks of streams and documents."""
        for event in self._events:
            if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent, yaml.AliasEvent)):
                return event
        return None

    def _node(self, event: yaml.Event, path: Path) -> Any:
        line = _line(event)
        self._document.lines.setdefault(path, line)
        self._values += 1
        if self._values > MOST_VALUES:
            self._stop(f"this is too much: at most {MOST_VALUES} values are allowed", path[:2], line)
        if isinstance(event, yaml.AliasEvent):
            self._note(f"*{event.anchor} is an alias: write the value out", path, event)
            return None
        self._check_marks(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else scalar(event.value)
        if len(path) >= MOST_LEVELS:
            self._stop(_TOO_DEEP, (), line)
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._sequence(path)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path)
            inside = (*path, key)
            if key in entries:
                first = self._document.lines[inside]
                message = f"this key is here twice, first in line {first}: keep one of them"
                self._document.repeats.append(Problem(message, show_path(inside), _line(event), self._file))
            self._document.lines.setdefault(inside, _line(event))
            entries[key] = self._node(next(self._events), inside)
        return entries

    def _key(self, event: yaml.Event, path: Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop("a key is not a text: write keys as name: value", path, _line(event))
        self._check_marks(event, path)
        return str(event.value)

    def _check_marks(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            self._note(f"&{event.anchor} is an anchor: write values out", path, event)
        if event.tag is not None:
            self._note(f"{shown(event.tag)} is a tag: write plain values", path, event)

    def _note(self, message: str, path: Path, event: yaml.Event) -> None:
        self._problems.append(Problem(message, show_path(path), _line(event), self._file))

    def _stop(self, message: str, path: Path, line: int) -> NoReturn:
        self._problems.append(Problem(message, show_path(path), line, self._file))
        raise self._error() from None

    def _error(self) -> ScenarioError:
        return ScenarioError(sorted(self._problems + self._document.repeats, key=lambda problem: problem.line))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0
