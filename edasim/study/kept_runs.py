"""Runs that a stopped study has finished already: a file of JSON lines in its folder, read as data, never trusted."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from edasim.core.quantity import shown

NAME = "runs.jsonl"
MOST_BYTES = 512 * 2**20
_LONGEST_LINE = 2**20
Numbers = tuple[float, ...]


class KeptRunsError(ValueError):
    """The file in the folder is not this study's; its text is one sentence with the cure."""


class KeptRuns:
    """The finished runs of a study in a folder, by their key; a context that holds the file open for more.

    The first line says which study it is, each further one is a run with its numbers, null for an infinite one. A last
    line without an end is what a stopped study was about to write, and is left out.
    """

    def __init__(self, folder: Path, study: dict[str, str], numbers: int) -> None:
        self.path = folder / NAME
        self._study = study
        self._width = numbers
        self.found: dict[str, Numbers] = {}
        self._stream: int | None = None

    def __enter__(self) -> KeptRuns:
        if self.path.is_symlink():
            raise KeptRunsError(f"{self.path} is a link to elsewhere: take it away, or choose another folder")
        whole = self._read() if self.path.exists() else 0
        self._stream = os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        os.ftruncate(self._stream, whole)
        os.lseek(self._stream, whole, os.SEEK_SET)
        if not whole:
            self._append(self._study)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        if self._stream is not None:
            os.close(self._stream)

    def keep(self, key: str, numbers: Numbers) -> None:
        """Write one finished run down at once."""
        self.found[key] = numbers
        self._append({"run": key, "numbers": [number if math.isfinite(number) else None for number in numbers]})

    def _append(self, entry: Mapping[str, object]) -> None:
        assert self._stream is not None, "the file is open within the context only"
        left = json.dumps(entry, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        while left:
            left = left[os.write(self._stream, left) :]

    def _read(self) -> int:
        """Take in what is there; returns how many bytes of it are whole lines."""
        if not self.path.is_file():
            raise KeptRunsError(f"{self.path} is no file: choose another folder")
        if self.path.stat().st_size > MOST_BYTES:
            raise KeptRunsError(f"{self.path} is too large to be the runs of a study: choose another folder")
        whole = 0
        with self.path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE), b""), 1):
                if not line.endswith(b"\n"):
                    if len(line) == _LONGEST_LINE:
                        raise self._strange(number)
                    break
                self._take(number, line)
                whole += len(line)
        return whole

    def _take(self, number: int, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise self._strange(number) from None
        if not isinstance(entry, dict):
            raise self._strange(number)
        if number == 1:
            self._compare(entry)
            return
        key, numbers = entry.get("run"), entry.get("numbers")
        if not isinstance(key, str) or not isinstance(numbers, list) or len(numbers) != self._width:
            raise self._strange(number)
        if not all(_is_number(one) for one in numbers):
            raise self._strange(number)
        self.found.setdefault(key, tuple(math.inf if one is None else float(one) for one in numbers))

    def _compare(self, study: dict[str, object]) -> None:
        if set(study) != set(self._study):
            raise self._strange(1)
        other = [what for what, mine in self._study.items() if study[what] != mine]
        if other:
            differ = ", ".join(f"{what} {shown(study[what])}, not {shown(self._study[what])}" for what in other)
            raise KeptRunsError(f"{self.path} has runs of another study ({differ}): choose another folder or delete it")

    def _strange(self, number: int) -> KeptRunsError:
        return KeptRunsError(f"{self.path}:{number}: this line is of no kept study: choose another folder or delete it")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        return False
    try:
        return value is None or math.isfinite(value)
    except OverflowError:
        return False
