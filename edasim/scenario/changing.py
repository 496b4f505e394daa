"""What if: a copy of a scenario with other values, named by path as in `services.payment.fails`."""

from __future__ import annotations

from collections.abc import Mapping

from edasim.core.quantity import QuantityError
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.path import with_value
from edasim.scenario.reading import build
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict


def change(scenario: Scenario, values: Mapping[str, object], at: str | None = None) -> Scenario:
    """A copy with the values at their paths, checked like a file; with `at`, from that time of the run on.

    A duration alone (or a rate alone) at the place of a distribution (or of arrivals) moves the first number
    there and keeps the shape; any other text replaces. A part is added by a mapping at its path, and taken
    out by None.
    """
    if at is not None:
        return _dated(scenario, values, at)
    data = to_dict(scenario)
    for path, value in values.items():
        try:
            data = with_value(data, scenario, path, value)
        except QuantityError as error:
            raise ScenarioError([Problem(str(error), path)]) from None
    return build(data)


def _dated(scenario: Scenario, values: Mapping[str, object], at: str) -> Scenario:
    data = to_dict(scenario)
    dated = [{"at": at, "path": path, "value": value} for path, value in values.items()]
    data["changes"] = [*data.get("changes", []), *dated]
    return build(data)
