"""edasim beside Ciw, a library for the simulation of queueing networks, on what both can say.

Source: Palmer, Knight, Harper and Hawa, "Ciw: an open-source discrete event simulation library", Journal of Simulation
13(1), 2019. Ciw gets an environment of its own, since it brings its own versions of libraries; where that cannot be
made the comparison is left out, with a word.
"""
from __future__ import annotations

import gc
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.rows import Part, Row
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.precision import student_t

ROOT = Path(__file__).resolve().parent.parent
CIW = "ciw==3.2.7"
HOME = ROOT / ".venv-ciw"
EDASIM = "edasim"
_PATIENCE_S = 300
_SURE = 0.999


@dataclass(frozen=True)
class Case:
    """Poisson arrivals of `rate` orders a second, each to all `stations`: (servers, mean of exponential work in s)."""

    name: str
    rate: float
    stations: tuple[tuple[int, float], ...]
    orders: int
    architecture: str
    seed: int = 1

    @property
    def visits(self) -> int:
        """Customers served, counted at each station."""
        return self.orders * len(self.stations)

    def exact_waits_s(self) -> list[float]:
        """The mean wait at each station by Erlang's formula for M/M/c: what a fan-out hands to each is Poisson."""
        return [_erlang_c_wait_s(self.rate, work_s, servers) for servers, work_s in self.stations]

    def scenario(self) -> Scenario:
        """The same for edasim: no wire, patient customers, one message at a time for each consumer."""
        services = {f"station-{number}": {"handles": "OrderPlaced", "workers": servers,
                                          "work": f"exponential {work_s * 1e3:g}ms"}
                    for number, (servers, work_s) in enumerate(self.stations, 1)}
        options: dict[str, Any] = {"rabbitmq": {"prefetch": 1, "queue": {"x-queue-type": "classic"}},
                                   "rpc": {"open-requests": 1_000_000}}
        return Scenario.from_dict({
            "title": self.name, "orders": self.orders, "drain": "48h", "wire": "none", "client": {"timeout": "none"},
            "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": f"poisson {self.rate:g}/s"}},
            "services": services, "architectures": {self.architecture: options[self.architecture]}})


CASES = (
    Case("M/M/1", 80.0, ((1, 0.010),), 200_000, "rpc"),
    Case("fan-out to three", 40.0, ((2, 0.015), (3, 0.030), (2, 0.025)), 30_000, "rabbitmq"),
)


def _erlang_c_wait_s(rate: float, work_s: float, servers: int) -> float:
    load = rate * work_s
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    waits = blocked / (1 - load / servers * (1 - blocked))
    return waits * work_s / (servers - load)


# --- one run --------------------------------------------------------------------------------------------------


def edasim_once(case: Case) -> dict[str, Any]:
    """One run with edasim, warmed up: CPU seconds with the mean waits, and these."""
    _waits_s(replace(case, orders=200))
    gc.collect()
    start = time.process_time()
    waits_s = _waits_s(case)
    return {"spent_s": time.process_time() - start, "waits_s": waits_s}


def _waits_s(case: Case) -> list[float]:
    services = simulate(case.scenario(), case.architecture, seed=case.seed).summary().services
    return [float(service.wait_s.mean()) for service in services.values()]


def _asked(command: list[str], case: Case) -> dict[str, Any]:
    told = subprocess.run([*command, json.dumps(asdict(case))], capture_output=True, text=True, check=True,
                          timeout=_PATIENCE_S)
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


# --- Ciw's environment ----------------------------------------------------------------------------------------


def python_with_ciw(home: Path = HOME, requirement: str = CIW) -> Path:
    """The Python of an environment that has Ciw, made where there is none; OSError says why it cannot be."""
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not _has(python, requirement):
        _call([sys.executable, "-m", "venv", "--clear", str(home)], "its environment cannot be made")
        _call([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement],
              "it cannot be installed")
    return python


def _has(python: Path, requirement: str) -> bool:
    name, _, wanted = requirement.partition("==")
    question = f"from importlib.metadata import version; print(version({name!r}))"
    try:
        told = subprocess.run([str(python), "-c", question], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.stdout.strip() == wanted


def _call(command: list[str], failing: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise OSError(f"{failing} within {_PATIENCE_S} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise OSError(f"{failing} ({last[:200]})")


# --- measuring ------------------------------------------------------------------------------------------------


def measure(cases: Sequence[Case], rounds: int, python: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By case and library, what each round gave; the libraries take turns, and each round has a seed of its own."""
    ours = [sys.executable, __file__]
    theirs = [str(python), str(ROOT / "benchmarks" / "ciw_models.py")]
    found: dict[str, dict[str, list[dict[str, Any]]]] = {case.name: {EDASIM: [], "Ciw": []} for case in cases}
    for seed in range(1, rounds + 1):
        for case in cases:
            seeded = replace(case, seed=seed)
            for library, command in ((EDASIM, ours), ("Ciw", theirs)):
                found[case.name][library].append(_asked(command, seeded))
    return found


def part(quick: bool = False, rounds: int = 5, python: Callable[[], Path] = python_with_ciw) -> Part:
    """The part of the benchmarks on peers; without rows and with a word where Ciw cannot be had."""
    cases = [replace(case, orders=case.orders // 20) for case in CASES] if quick else list(CASES)
    try:
        found = measure(cases, min(rounds, 3) if quick else rounds, python())
    except OSError as error:
        return Part("Beside Ciw", f"Left out: {error}.", ())
    version = next(iter(found.values()))["Ciw"][0]["version"]
    how = (f"Ciw {version} in an environment of its own, on the same Python; each run in a fresh process, the "
           f"libraries in turns, medians of {len(found[cases[0].name][EDASIM])} rounds. Timed are the run and its mean "
           "waits, from the records that both keep of everybody. A visit is one customer served at one station.")
    rows = [row for case in cases for row in _speed_rows(case, found[case.name])]
    return Part("Beside Ciw", how, rows, [*map(_told, cases), *(_agreement(case, found[case.name]) for case in cases)])


def _speed_rows(case: Case, found: dict[str, list[dict[str, Any]]]) -> list[Row]:
    speeds = {library: [case.visits / one["spent_s"] for one in rounds] for library, rounds in found.items()}
    ratio = median(one / other for one, other in zip(speeds[EDASIM], speeds["Ciw"], strict=True))
    return [*(Row(f"{case.name}: {library}", median(values), "visits/s") for library, values in speeds.items()),
            Row(f"{case.name}: {EDASIM} / Ciw", ratio, "")]


def _told(case: Case) -> str:
    """What was run, and what is not the same about it."""
    stations = ", ".join(f"{servers} x {work_s * 1e3:g} ms" for servers, work_s in case.stations)
    text = (f"**{case.name}**: {case.orders:,} orders, Poisson {case.rate:g}/s, exponential work ({stations}); in "
            f"edasim the architecture {case.architecture} without a wire.")
    if len(case.stations) == 1:
        return f"{text} edasim also places, answers and follows each order; Ciw serves customers."
    return (f"{text} Ciw has no fork and join: there each station gets a Poisson stream of its own, {case.visits:,} "
            "customers in all. That leaves the law at each station as it is, and leaves out what only edasim does: one "
            "order becomes three messages with one key, and is done when all three are.")


def _agreement(case: Case, found: dict[str, list[dict[str, Any]]]) -> str:
    """Whether the mean waits of both are those of theory."""
    words = []
    for library, rounds in found.items():
        for station, exact_s in enumerate(case.exact_waits_s()):
            waits_s = [one["waits_s"][station] for one in rounds]
            words.append(f"{library} {_wait_words(waits_s, exact_s)}")
    return f"Mean waits, {case.name}, with the standard error of the rounds: {'; '.join(words)}."


def _wait_words(waits_s: Sequence[float], exact_s: float) -> str:
    """`39.9 ± 0.4 ms (theory 40)`, and `NOT theory's` where theory is outside of the 99.9% interval of the rounds."""
    middle_s = fmean(waits_s)
    error_s = stdev(waits_s) / math.sqrt(len(waits_s)) if len(waits_s) > 1 else math.inf
    near = abs(middle_s - exact_s) <= student_t((1 + _SURE) / 2, max(1, len(waits_s) - 1)) * error_s
    bar = "" if math.isinf(error_s) else f" ± {error_s * 1e3:.2g}"
    return f"{middle_s * 1e3:.4g}{bar} ms ({'' if near else 'NOT '}theory's {exact_s * 1e3:.4g})"


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    asked["stations"] = tuple(tuple(station) for station in asked["stations"])
    print(json.dumps(edasim_once(Case(**asked))))
