"""What a notebook shows and lets one move: sliders, pictures, a guess before the result.

Its names are found when they are first used, so that one of them does not load what only the others need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edasim.lab.explorer import Explorer, explore
    from edasim.lab.guess import Guess, predict

__all__ = ["Explorer", "Guess", "explore", "predict"]

_HOMES = {
    "Explorer": "edasim.lab.explorer",
    "Guess": "edasim.lab.guess",
    "explore": "edasim.lab.explorer",
    "predict": "edasim.lab.guess",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'edasim.lab' has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
