"""Writing files whole: a full disk, or Ctrl-C, leaves the file that was there before, or none, never half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a file beside the path, and put it in its place when it is whole; returns the path."""
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(beside)
        with beside.open("rb") as stream:
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole, with the line ends of the text."""
    return write_whole(path, lambda beside: beside.write_bytes(text.encode("utf-8", "backslashreplace")))
