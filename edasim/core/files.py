"""Writing files: a file is there whole or not at all, also when the disk is full or somebody presses Ctrl-C."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex


class NotWritten(OSError):
    """A file that could not be written; its text names the file and the reason. What was there before is whole."""

    def __init__(self, path: Path, reason: OSError) -> None:
        why = reason.strerror or str(reason) or type(reason).__name__
        super().__init__(reason.errno or 0, f"not written ({why}); what was there before is whole", str(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a text (as UTF-8, line ends as they are) or bytes; returns the path.

    The content goes to a temporary file in the same folder, which then takes the name, so that a reader meets the old
    file or the new one and never a half; a link of that name is replaced and not followed. Raises NotWritten.
    """
    target = Path(path)
    beside = target.with_name(f".edasim-{token_hex(8)}.part")
    try:
        with open(beside, "xb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)
        os.replace(beside, target)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise NotWritten(target, error) from None
        raise
    return target
