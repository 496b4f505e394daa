"""edasim, the flight simulator for event-driven architecture.

import edasim

shop = edasim.load("scenarios/payment-outage.yml")
both = edasim.compare(shop, ["monolith", "kafka"], seed=7)
print(both)
"""

from typing import TYPE_CHECKING

from edasim.lazily import find_lazily
from edasim.version import __version__

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka
    from edasim.lab.explorer import explore
    from edasim.scenario.errors import ScenarioError
    from edasim.scenario.reading import load
    from edasim.scenario.value import Scenario
    from edasim.simulate import Run, simulate
    from edasim.study.compare import compare
    from edasim.study.comparison import Comparison
    from edasim.study.find import find
    from edasim.study.sensitivity import sensitivity
    from edasim.study.sweep import sweep

__all__ = [
    "Comparison", "Run", "Scenario", "ScenarioError", "SimulatedKafka", "__version__", "compare", "explore", "find",
    "load", "sensitivity", "simulate", "sweep",
]

find_lazily(
    __name__,
    {
        "Comparison": "edasim.study.comparison",
        "Run": "edasim.simulate",
        "Scenario": "edasim.scenario.value",
        "ScenarioError": "edasim.scenario.errors",
        "SimulatedKafka": "edasim.brokers.kafka.client.simulated",
        "compare": "edasim.study.compare",
        "explore": "edasim.lab.explorer",
        "find": "edasim.study.find",
        "load": "edasim.scenario.reading",
        "sensitivity": "edasim.study.sensitivity",
        "simulate": "edasim.simulate",
        "sweep": "edasim.study.sweep",
    },
)
