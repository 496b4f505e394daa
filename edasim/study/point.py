"""A point of a study: the scenario with other values at some paths."""

from __future__ import annotations

from collections.abc import Mapping

from edasim.core.quantity import QuantityError, shown
from edasim.scenario.errors import Problem, ScenarioError
from edasim.scenario.path import with_value
from edasim.scenario.reading import build
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict


def at_point(scenario: Scenario, values: Mapping[str, object], allow_large: bool = False) -> Scenario:
    """A copy with the values at their paths, checked like a file, and without knobs: a study has its own.

    Raises `ScenarioError`, each problem of which names the point.
    """
    data = {key: part for key, part in to_dict(scenario).items() if key != "knobs"}
    for path, value in values.items():
        try:
            data = with_value(data, scenario, path, value)
        except QuantityError as error:
            raise ScenarioError([Problem(str(error), path)]) from None
    try:
        return build(data, allow_large)
    except ScenarioError as error:
        where = f" (with {point_text(values)})" if values else ""
        problems = [Problem(problem.message + where, problem.path) for problem in error.problems]
        raise ScenarioError(problems) from None


def point_text(values: Mapping[str, object]) -> str:
    """`services.payment.fails=5% and client.timeout=1s`, short and on one line."""
    return " and ".join(f"{path}={shown(value).strip(chr(34))}" for path, value in values.items())
