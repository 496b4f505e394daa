"""Writing files: a file is there whole or not at all, also when the disk is full or somebody presses Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


class NotWritten(OSError):
    """A file that could not be written; its text names the file and the reason. What was there before is whole."""

    def __init__(self, path: Path, reason: OSError) -> None:
        self._made_of = (path, OSError(reason.errno, reason.strerror or str(reason)))
        why = reason.strerror or str(reason) or type(reason).__name__
        super().__init__(reason.errno or 0, f"not written ({why}); what was there before is whole", str(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"

    def __reduce__(self) -> tuple[type[NotWritten], tuple[Path, OSError]]:
        return NotWritten, self._made_of


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a text (as UTF-8, line ends as they are) or bytes; returns the path. Raises NotWritten."""
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    return fill_whole(path, lambda beside: beside.write_bytes(data))


def fill_whole(path: str | os.PathLike[str], fill: Callable[[Path], object]) -> Path:
    """Let `fill` write a new file, which then takes the place of the one at the path; returns the path.

    It is in the same folder under a temporary name, so that a reader meets the old file or the new one and never a
    half; a link of that name is replaced and not followed. Raises NotWritten.
    """
    target = Path(path)
    beside = target.with_name(f".edasim-{os.urandom(8).hex()}.part")
    try:
        fill(beside)
        os.replace(beside, target)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise NotWritten(target, error) from None
        raise
    return target
