"""Theory beside a comparison: what the closest model says of each service, what was measured, and why they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from edasim.core.quantity import SECOND_NS
from edasim.study.focus import span_s
from edasim.study.precision import Interval, interval
from edasim.study.theory.assumptions import Reason, Spot, broken
from edasim.study.theory.models import Prediction, predict
from edasim.study.theory.overload import warnings
from edasim.study.theory.stations import stations
from edasim.study.words import capitalised, display, listed, seconds_short, seconds_text, summed_up

if TYPE_CHECKING:
    from edasim.scenario.value import Scenario
    from edasim.study.comparison import Comparison
    from edasim.study.table import PrintedTable

BY_CHANCE = Reason(99, "no assumption is known to be broken: of 20 error bars one misses by chance")


_FAR = 0.25
NOTHING = Interval(math.inf, math.nan, math.nan, 0)
"""What was not measured."""


@dataclass(frozen=True)
class Beside:
    """One service in one architecture: `prediction`, the `wait` (seconds) and `utilisation` that were measured, and
    `broken`, the assumptions that do not hold.  `at_work` is how many were at work, `attempt` how long one took.
    """

    architecture: str
    service: str
    prediction: Prediction
    wait: Interval
    utilisation: Interval
    broken: tuple[Reason, ...]
    at_work: Interval = NOTHING
    attempt: Interval = NOTHING

    @property
    def differs(self) -> bool | None:
        """Whether theory lies outside the error bar of the wait; None where one of them is not there."""
        if math.isnan(self.prediction.wait_s) or not self.wait.known or math.isnan(self.wait.low):
            return None
        return not self.wait.low <= self.prediction.wait_s <= self.wait.high

    @property
    def because(self) -> tuple[Reason, ...]:
        """Why it differs, as far as that is known; empty where it does not.

        Without an error bar what is a quarter away from theory is taken to differ, unless nothing would explain it.
        """
        if self.differs is None:
            wait_s, theory_s = self.wait.mean, self.prediction.wait_s
            if math.isnan(theory_s):
                return self.broken
            apart = math.isinf(theory_s) or abs(wait_s - theory_s) > _FAR * max(wait_s, theory_s)
            return self.broken if self.wait.known and apart else ()
        return (self.broken or (BY_CHANCE,)) if self.differs else ()


def predictions(scenario: Scenario, architecture: str) -> dict[str, tuple[Prediction, tuple[Reason, ...]]]:
    """For each service what theory says of it in an architecture, and which assumptions do not hold."""
    found = {}
    for name, station in stations(scenario, architecture).items():
        prediction = predict(station)
        found[name] = prediction, broken(Spot(scenario, architecture, name, station, prediction))
    return found


class Theory:
    """What queueing theory says of a comparison; `print` shows it as a table."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @cached_property
    def rows(self) -> list[Beside]:
        """Each service in each architecture, services first."""
        return [row for services in self._by_architecture.values() for row in services.values()]

    @cached_property
    def _by_architecture(self) -> dict[str, dict[str, Beside]]:
        return {name: dict(self._of(name)) for name in self.comparison.architectures}

    def _of(self, name: str) -> Iterator[tuple[str, Beside]]:
        comparison = self.comparison
        run = comparison.runs.get(name)
        scenario = run.scenario if run is not None else comparison.scenario
        for service, (prediction, reasons) in predictions(scenario, comparison.first(name).architecture).items():
            path = f"services.{service}"
            paths = (f"{path}.wait_s.mean", f"{path}.utilisation",
                     f"at_work_mean.{service}", f"attempt_mean_s.{service}")
            wait, busy, at_work, attempt = (comparison.interval(name, one) for one in paths)
            yield service, Beside(name, service, prediction, wait, busy, reasons, at_work, attempt)

    def row(self, architecture: str, service: str) -> Beside:
        """One of them."""
        return self._by_architecture[architecture][service]

    def one_line(self, row: Beside) -> bool:
        """Whether it is about the monolith, in which all services have one line."""
        return self.comparison.first(row.architecture).architecture == "monolith"

    def little(self, architecture: str) -> tuple[Interval, Interval]:
        """Little's law on what was measured, all services together: how many messages waited on average, and how many
        came in a second times the mean wait.
        """
        services = self.comparison.scenario.services
        waiting = [0.0] * self.comparison.replications
        product = [0.0] * self.comparison.replications
        for name in services:
            number, count, wait = (
                self.comparison.values(architecture, path)[: len(waiting)]
                for path in (f"waiting_mean.{name}", f"services.{name}.wait_s.n", f"services.{name}.wait_s.mean"))
            for place in range(len(waiting)):
                waiting[place] += number[place]
                product[place] += count[place] * wait[place] / self._measured_s if count[place] else 0.0
        return interval(waiting).not_below(0.0), interval(product).not_below(0.0)

    @property
    def _measured_s(self) -> float:
        scenario = self.comparison.scenario
        return max(span_s(scenario) - scenario.warm_up / SECOND_NS, 1e-9)

    def overload(self) -> list[str]:
        """What could have been said before the run: services with more to do than they can, or nearly so."""
        return warnings(self.comparison.scenario, self._listed)

    @property
    def _listed(self) -> list[str]:
        names = (self.comparison.first(name).architecture for name in self.comparison.architectures)
        return list(dict.fromkeys(names))

    def differences(self) -> list[str]:
        """A sentence for each set of reasons why theory lies outside the error bars, with where that is so."""
        told: dict[tuple[str, ...], list[str]] = {}
        for name in self.comparison.architectures:
            rows = [row for row in self._by_architecture[name].values() if not math.isnan(row.prediction.wait_s)]
            reasons = sorted({reason for row in rows for reason in row.because})
            if reasons:
                told.setdefault(tuple(reason.text for reason in reasons), []).append(name)
        return [f"{capitalised(listed(map(display, names)))}: {'; '.join(_few(reasons))}."
                for reasons, names in told.items()]

    def as_dict(self) -> dict[str, Any]:
        """The object that is saved as theory.json; None for what is infinite or not there."""
        return {
            "scenario": self.comparison.scenario.title,
            **({} if self.comparison.complete else {"incomplete": True}),
            "overload": self.overload(),
            "architectures": {
                name: {
                    "services": {service: _node(row) for service, row in services.items()},
                    "little": dict(zip(("waiting", "rate_times_wait"), map(_measured, self.little(name)), strict=True)),
                } for name, services in self._by_architecture.items()
            },
        }

    def table(self) -> PrintedTable:
        """One row for each service in each architecture; in the monolith all services wait in one line of orders."""
        from edasim.study.theory.printing import theory_table

        return theory_table(self)

    def __str__(self) -> str:
        return str(self.table())


def _few(reasons: tuple[str, ...], most: int = 3) -> list[str]:
    left = len(reasons) - most
    return [*reasons[:most], *([f"and {left} more"] if left > 0 else [])]


def theory_words(prediction: Prediction) -> str:
    """The wait alone: `2.4 ms`, `without end`, `no closed form`."""
    if math.isnan(prediction.wait_s):
        return "no closed form"
    return "without end" if math.isinf(prediction.wait_s) else seconds_short(prediction.wait_s)


def wait_words(prediction: Prediction) -> str:
    """`M/M/3: 2.4 ms`, `M/G/7 ≈ 0.5 ms` for an approximation, `M/M/1: without end`."""
    wait = theory_words(prediction)
    if math.isnan(prediction.wait_s):
        return f"{prediction.model}: {wait}"
    return f"{prediction.model}: {wait}" if prediction.exact else f"{prediction.model} ≈ {wait}"


def measured_words(found: Interval) -> str:
    """A wait with its error bar; a dash for what is not there."""
    return seconds_text(found) if found.known else "–"


def reasons_words(row: Beside) -> str:
    """Why a row differs, in short."""
    return summed_up([reason.text for reason in row.because], " reasons")


def _node(row: Beside) -> dict[str, Any]:
    prediction = row.prediction
    return {
        "model": prediction.model,
        "formula": prediction.law,
        "approximation": not prediction.exact,
        "arrivals_per_s": _number(prediction.per_s),
        "load": _number(prediction.load),
        "refused_share": _number(prediction.refused),
        "at_work": {"theory": _number(prediction.at_work), "measured": _measured(row.at_work)},
        "attempt_s": _measured(row.attempt),
        "work_takes_longer": _number(prediction.stretch),
        "utilisation": {"theory": _number(prediction.utilisation), "measured": _measured(row.utilisation)},
        "wait_s": {
            "theory": _number(prediction.wait_s),
            "theory_percentiles": {name: _number(value) for name, value in prediction.percentiles_s.items()},
            "theory_by_priority": {name: _number(value) for name, value in prediction.urgency_waits_s.items()},
            "measured": _measured(row.wait),
        },
        "differs": row.differs,
        "broken_assumptions": [reason.text for reason in row.broken],
    }


def _measured(found: Interval) -> dict[str, float | None]:
    return {"mean": _number(found.mean), "low": _number(found.low), "high": _number(found.high)}


def _number(value: float) -> float | None:
    return float(f"{value:.10g}") if math.isfinite(value) else None
