"""The picture of an exploration in the browser: its image, bands of time to drag, a cover until a guess is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Picture(anywidget.AnyWidget):
    """`png` is what is shown; `bands` are {name, text, start, end} in seconds over each of `boxes`, which are
    (left, top, width, height) of the axes over time in fractions of the picture, and end at `end_s`.

    `moved` is what the reader did last: {name, start, end, number}.  A `cover` hides the picture under its text.
    """

    _esm = _HERE / "picture.js"
    _css = _HERE / "picture.css"
    png = traitlets.Bytes(b"").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    boxes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    bands: traitlets.List[dict[str, object]] = traitlets.List().tag(sync=True)
    end_s = traitlets.Float(1.0).tag(sync=True)
    cover = traitlets.Unicode("").tag(sync=True)
    moved: traitlets.Dict[str, object] = traitlets.Dict().tag(sync=True)

    def copy(self, text: str) -> None:
        """Put a text on the reader's clipboard, where the browser lets it."""
        self.send({"copy": text})
