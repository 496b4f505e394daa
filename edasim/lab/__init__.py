"""The lab: what a notebook shows and lets people move.  Its names are found when they are first used.

    from edasim import lab

    lab.start()                                                     # the first minute
    guess = lab.predict("How many of the 400 are refused?", 0, 400) # a guess before the result
    lab.explore(shop)                                               # sliders; also edasim.explore
    lab.flow(edasim.compare(shop, ["monolith", "kafka"], seed=7))   # the messages on their way
"""

from typing import TYPE_CHECKING

from edasim.lazily import find_lazily

if TYPE_CHECKING:
    from edasim.lab import exercises
    from edasim.lab.counting import Counts, counts, history, mails
    from edasim.lab.drawing import drawn
    from edasim.lab.explorer import Explorer, explore
    from edasim.lab.flow import Flow, flow
    from edasim.lab.guess import Guess, predict
    from edasim.lab.start import Start, start

__all__ = [
    "Counts", "Explorer", "Flow", "Guess", "Start", "counts", "drawn", "exercises", "explore", "flow", "history",
    "mails", "predict", "start",
]  # fmt: skip

find_lazily(
    __name__,
    {
        "Counts": "edasim.lab.counting",
        "Explorer": "edasim.lab.explorer",
        "Flow": "edasim.lab.flow",
        "Guess": "edasim.lab.guess",
        "Start": "edasim.lab.start",
        "counts": "edasim.lab.counting",
        "drawn": "edasim.lab.drawing",
        "exercises": "edasim.lab.exercises",
        "explore": "edasim.lab.explorer",
        "flow": "edasim.lab.flow",
        "history": "edasim.lab.counting",
        "mails": "edasim.lab.counting",
        "predict": "edasim.lab.guess",
        "start": "edasim.lab.start",
    },
)
