"""edasim, the flight simulator for event-driven architecture.

import edasim

shop = edasim.load("scenarios/payment-outage.yml")
both = edasim.compare(shop, ["monolith", "kafka"], seed=7)
print(both)
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from edasim.version import __version__

if TYPE_CHECKING:
    from edasim.lab.explorer import explore
    from edasim.scenario.errors import ScenarioError
    from edasim.scenario.reading import load
    from edasim.scenario.value import Scenario
    from edasim.simulate import Run, simulate
    from edasim.study.compare import compare
    from edasim.study.comparison import Comparison

__all__ = ["Comparison", "Run", "Scenario", "ScenarioError", "__version__", "compare", "explore", "load", "simulate"]

_HOMES = {
    "Comparison": "edasim.study.comparison",
    "Run": "edasim.simulate",
    "Scenario": "edasim.scenario.value",
    "ScenarioError": "edasim.scenario.errors",
    "compare": "edasim.study.compare",
    "explore": "edasim.lab.explorer",
    "load": "edasim.scenario.reading",
    "simulate": "edasim.simulate",
}


class _Package(ModuleType):
    """The package, which finds its names when they are first used, so that `import edasim` is light."""

    def __getattr__(self, name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'edasim' has no attribute {name!r}")
        found: object = getattr(import_module(_HOMES[name]), name)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # Importing the module edasim.simulate would put it over the function of that name.
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
