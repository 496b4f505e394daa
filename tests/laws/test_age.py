"""Age of information: how old the newest is that a service knows.

Formulas: Kaul, Yates and Gruteser, "Real-time status: how often should one update?", INFOCOM 2012; of the peak: Costa,
Codreanu and Ephremides, "On the age of information in status update systems with packet management", IEEE Trans. Inf.
Theory 62, 2016.
"""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from edasim.measure.age import Age
from edasim.simulate import Run
from tests.laws.estimates import assert_agrees, replicate
from tests.laws.shops import single_station


def waiting_root(rho: float) -> float:
    """The root below 1 of z = exp(-(1 - z) / rho): the chance that a customer of D/M/1 waits."""
    root = 0.0
    for _ in range(500):
        root = exp(-(1 - root) / rho)
    return root


def mean_age(queue: str, rho: float) -> float:
    """In service times."""
    if queue == "M/M/1":
        return 1 + 1 / rho + rho**2 / (1 - rho)
    if queue == "M/D/1":
        return 0.5 / (1 - rho) + 0.5 + (1 - rho) * exp(rho) / rho
    return 0.5 / rho + 1 / (1 - waiting_root(rho))


def mean_peak(queue: str, rho: float) -> float:
    """Between two arrivals, then the stay of the second, in service times: first come, first served."""
    stay = {"M/M/1": 1 / (1 - rho), "M/D/1": 1 + rho / (2 * (1 - rho)), "D/M/1": 1 / (1 - waiting_root(rho))}
    return 1 / rho + stay[queue]


@pytest.mark.parametrize("queue, rho, architecture", [
    ("M/M/1", 0.5, "monolith"), ("M/M/1", 0.75, "kafka"), ("M/D/1", 0.5, "rpc"), ("M/D/1", 0.7, "rabbitmq"),
    ("D/M/1", 0.5, "monolith"), ("D/M/1", 0.8, "rpc")])
def test_the_age_of_what_a_queue_delivers(queue: str, rho: float, architecture: str) -> None:
    arrivals = f"{'constant' if queue[0] == 'D' else 'poisson'} {10 * rho}/s"
    work = "100ms" if queue[2] == "D" else "exponential 100ms"
    station = single_station(arrivals, work, duration="120s", warm_up="10s")

    def read(run: Run) -> dict[str, float]:
        return run.summary().age_s["payment"]

    assert_agrees(replicate(f"age {queue} {rho}", station, architecture, read),
                  {"mean": mean_age(queue, rho) / 10, "peak": mean_peak(queue, rho) / 10})


def test_updates_that_come_more_often_make_the_view_older_when_they_queue_up() -> None:
    """Kaul, Yates and Gruteser: M/M/1 is freshest at a load of 0.53, neither idle nor busy."""
    loads = np.linspace(0.2, 0.9, 71)
    assert abs(loads[np.argmin([mean_age("M/M/1", rho) for rho in loads])] - 0.53) < 0.006


# --- a saw-tooth by hand --------------------------------------------------------------------------------------------

BORN = np.array([1.0, 2.0, 4.0, 3.0, 9.0])
APPLIED = np.array([2.0, 5.0, 6.0, 7.0, np.inf])


def test_the_age_rises_with_the_clock_and_falls_to_the_age_of_what_is_newer() -> None:
    age = Age(BORN, APPLIED)
    assert age.fall_s.tolist() == [2.0, 5.0, 6.0]
    assert age.at(np.array([0.0, 1.5, 2.0, 4.5, 5.0, 6.0, 8.0])).tolist() == [0.0, 1.5, 1.0, 3.5, 3.0, 2.0, 4.0]


def test_the_mean_is_the_area_under_it() -> None:
    age = Age(BORN, APPLIED)
    grid = np.arange(0, 10, 1e-4)
    assert abs(age.mean(0.0, 10.0) - age.at(grid + 5e-5).mean()) < 1e-3
    assert age.mean(2.0, 5.0) == 2.5
    assert age.mean(6.0, 8.0) == 3.0
    assert age.mean(3.0, 3.0) == 0.0


def test_peaks_are_what_it_had_risen_to() -> None:
    age = Age(BORN, APPLIED)
    assert age.peaks(0.0, 10.0).tolist() == [2.0, 4.0, 4.0]
    assert age.peaks(2.0, 5.5).tolist() == [4.0]
    assert age.peak(0.0, 10.0) == 10 / 3
    assert age.peak(6.5, 8.0) == 4.0, "it never falls there"


def test_a_service_that_never_applies_anything_knows_only_that_the_run_began() -> None:
    age = Age(np.zeros(0), np.zeros(0))
    assert age.mean(0.0, 10.0) == 5.0
    assert age.peak(0.0, 10.0) == 10.0
