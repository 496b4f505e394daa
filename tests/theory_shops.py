"""Textbook shops for the tests of theory beside the run, long enough and short enough."""

from __future__ import annotations

import math
from typing import Any

from edasim.scenario.value import Scenario
from edasim.study.theory.assumptions import Reason, Spot, broken
from edasim.study.theory.models import Prediction, predict
from edasim.study.theory.stations import stations
from tests.laws.shops import architectures, chain, single_station

BRIEF: dict[str, Any] = {"duration": "60s", "warm_up": "6s"}


def predicted(scenario: Scenario, architecture: str, service: str = "payment") -> Prediction:
    """What theory says of a service."""
    return predict(stations(scenario, architecture)[service])


def reasons(scenario: Scenario, architecture: str, service: str = "payment") -> list[str]:
    """The broken assumptions in words."""
    station = stations(scenario, architecture)[service]
    found: tuple[Reason, ...] = broken(Spot(scenario, architecture, service, station, predict(station)))
    return [reason.text for reason in found]


def one_station(arrivals: str = "poisson 40/s", work: str = "exponential 15ms", workers: int = 1,
                **rest: Any) -> Scenario:
    """One service without a wire."""
    return single_station(arrivals, work, workers, **{**BRIEF, **rest})


def with_service(scenario: Scenario, **values: object) -> Scenario:
    """Other values of the payment service."""
    return scenario.change({f"services.payment.{name}": value for name, value in values.items()})


def near(found: float, exact: float, relative: float = 1e-9) -> bool:
    """Equal up to rounding; infinite when both are."""
    return found == exact or math.isclose(found, exact, rel_tol=relative)


__all__ = ["BRIEF", "architectures", "chain", "near", "one_station", "predicted", "reasons", "with_service"]
