"""What a notebook shows and lets one move: sliders, pictures, a guess before the result.

Its names are found when they are first used, so that one of them does not load what only the others need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edasim.lab import exercises
    from edasim.lab.counting import Counts, counts, history, mails
    from edasim.lab.drawing import drawn
    from edasim.lab.explorer import Explorer, explore
    from edasim.lab.guess import Guess, predict

__all__ = ["Counts", "Explorer", "Guess", "counts", "drawn", "exercises", "explore", "history", "mails", "predict"]

_HOMES = {
    "Counts": "edasim.lab.counting",
    "counts": "edasim.lab.counting",
    "drawn": "edasim.lab.drawing",
    "history": "edasim.lab.counting",
    "mails": "edasim.lab.counting",
    "Explorer": "edasim.lab.explorer",
    "Guess": "edasim.lab.guess",
    "exercises": "edasim.lab.exercises",
    "explore": "edasim.lab.explorer",
    "predict": "edasim.lab.guess",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'edasim.lab' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    found: object = home if home.__name__.endswith(f".{name}") else getattr(home, name)
    globals()[name] = found
    return found
