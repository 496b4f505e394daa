"""The lab: what a notebook shows and lets people move.  Its names are found when they are first used.

    from edasim import lab

    lab.flow(edasim.compare(shop, ["monolith", "kafka"], seed=7))
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edasim.lab.flow import Flow, flow

__all__ = ["Flow", "flow"]

_HOMES = {"Flow": "edasim.lab.flow", "flow": "edasim.lab.flow"}


class _Room(ModuleType):
    """The room, which finds its names when they are first used: widgets are an extra, and slow to import."""

    def __getattr__(self, name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'edasim.lab' has no attribute {name!r}")
        found: object = getattr(import_module(_HOMES[name]), name)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # Importing the module edasim.lab.flow would put it over the function of that name.
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Room
