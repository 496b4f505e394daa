"""Packages that find their names when they are first used, so that importing them is light."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

_homes: dict[str, Mapping[str, str]] = {}


class _Package(ModuleType):
    """A package whose names are in other modules."""

    def __getattr__(self, name: str) -> object:
        homes = _homes[self.__name__]
        if name not in homes:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        home = import_module(homes[name])
        found: object = getattr(home, name, home)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # Importing a module of the same name (edasim.simulate, edasim.lab.flow) would put it over the function.
        if not (name in _homes[self.__name__] and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_homes[self.__name__]})


def find_lazily(package: str, homes: Mapping[str, str]) -> None:
    """Let a package find these names, each in the module that is its home, at their first use (as PEP 562 has it).

    A name that its home does not have means the module itself.
    """
    _homes[package] = homes
    sys.modules[package].__class__ = _Package
