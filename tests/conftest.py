"""What holds for all tests: no window opens, and a property test tries the same examples every time."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
