"""How a study was made, told after STRESS-DES, the guideline for reporting discrete-event simulations.

Its sections and items have its numbers. Everything is said from the scenario and the study, nothing by hand.
Source: Monks, Currie, Onggo, Robinson, Kunc and Taylor, "Strengthening the reporting of empirical simulation studies:
introducing the STRESS guidelines", Journal of Simulation 13(1), 2019, doi:10.1080/17477778.2018.1442155.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from edasim.core.quantity import show_duration
from edasim.report import modelling
from edasim.scenario.value import Scenario
from edasim.study.comparison import Comparison, json_text
from edasim.study.description import Description
from edasim.study.focus import spaced
from edasim.study.precision import CONFIDENCE
from edasim.study.replicate import replication_seed
from edasim.study.words import capitalised, counted, display, listed, subject
from edasim.version import __version__

SOURCE = (
    "Monks, T., Currie, C. S. M., Onggo, B. S., Robinson, S., Kunc, M. and Taylor, S. J. E. (2019). Strengthening the "
    "reporting of empirical simulation studies: introducing the STRESS guidelines. Journal of Simulation 13(1), 55–67. "
    "doi:10.1080/17477778.2018.1442155"
)
LIBRARIES = ("numpy", "simpy", "matplotlib")
_SEEDS_TOLD = 12
_WATCHED = {
    "orders done": "orders.done",
    "customer waits, p99": "waiting_s.p99",
    "order done after, p50": "completion_latency_s.p50",
}


@dataclass(frozen=True)
class Item:
    """One item of the guideline: its number and name, and what there is to say, a paragraph each."""

    number: str
    name: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One section of the guideline."""

    name: str
    items: tuple[Item, ...]


def making(comparison: Comparison) -> tuple[Section, ...]:
    """All sections of STRESS-DES for a comparison."""
    description = Description(comparison.scenario, comparison.architectures)
    return (
        Section("1. Objectives", _objectives(comparison)),
        Section("2. Logic", _logic(comparison, description)),
        Section("3. Data", _data(comparison.scenario)),
        Section("4. Experimentation", _experimentation(comparison)),
        Section("5. Implementation", _implementation()),
        Section("6. Code access", _access(comparison)),
    )


# --- objectives -----------------------------------------------------------------------------------------------


def _objectives(comparison: Comparison) -> tuple[Item, ...]:
    scenario = comparison.scenario
    sides = listed(map(subject, comparison.architectures))
    happens = f" What happens: {comparison.focus.text}." if comparison.focus.text else ""
    asked = scenario.description or f"{scenario.title}."
    purpose = f"To see what becomes of the same orders with {sides}.{happens}"
    outputs = "The numbers of the table; “The words of the table” says what each counts and from when to when."
    return (
        Item("1.1", "Purpose of the model", (asked, purpose)),
        Item("1.2", "Model outputs", (outputs, "All are read from the run's append-only list of facts after the run. "
                                      "Percentiles are linear between the two nearest values (type 7).")),
        Item("1.3", "Aims of the experiment", (_aims(comparison), _knobs(scenario))),
    )  # fmt: skip


def _aims(comparison: Comparison) -> str:
    first, *others = map(subject, comparison.architectures)
    if not others:
        return f"To estimate the numbers for {first}; no alternative is compared."
    return f"To estimate the numbers for each architecture, and how those of {listed(others)} differ from {first}'s."


def _knobs(scenario: Scenario) -> str:
    if not scenario.knobs:
        return "The scenario names no value as worth changing."
    return "Values that the scenario names as worth changing are listed with it; this study leaves them as they are."


# --- logic ----------------------------------------------------------------------------------------------------


def _logic(comparison: Comparison, description: Description) -> tuple[Item, ...]:
    scenario = comparison.scenario
    faults = tuple(capitalised(f"{description.fault(name)}.") for name in scenario.faults) or ("Nothing breaks.",)
    changes = tuple(f"From {spaced(show_duration(change.at_ns))} on, {change.path} is {change.value}."
                    for change in scenario.changes)  # fmt: skip
    wiring = tuple(capitalised(description.wiring(name)) for name in comparison.architectures)
    return (
        Item("2.1", "Base model overview diagram", ("Who talks to whom is drawn for each architecture under "
                                                    "“Pictures”.",)),
        Item("2.2", "Base model logic", (description.time(), *modelling.flow(scenario, description),
                                         f"{description.customer()} {modelling.retries(scenario)}")),
        Item("2.3", "Scenario logic", (*faults, *changes, *wiring)),
        Item("2.4", "Algorithms", modelling.algorithms(scenario, comparison.architectures)),
        Item("2.5", "Components", modelling.components(scenario, description)),
    )  # fmt: skip


# --- data -----------------------------------------------------------------------------------------------------


def _data(scenario: Scenario) -> tuple[Item, ...]:
    return (
        Item("3.1", "Data sources", (
            "The scenario is the only source of input: its rates, times and shares are its author's, and no "
            "measurements are read. Defaults of broker options are those of the release that the scenario names; "
            "latencies of links that it leaves out are of the order of one measured broker on one machine.",)),
        Item("3.2", "Pre-processing", (
            "None of data. A distribution given by percentiles, such as lognormal p50 15ms p99 60ms, is the one "
            "that has "
            "exactly these percentiles; a rate alone means a Poisson process, a time alone a constant.",)),
        Item("3.3", "Input parameters", ("All are in “The scenario as it was run”.",)),
        Item("3.4", "Assumptions", modelling.assumptions(scenario)),
    )  # fmt: skip


# --- experimentation ------------------------------------------------------------------------------------------


def _experimentation(comparison: Comparison) -> tuple[Item, ...]:
    scenario = comparison.scenario
    uncounted = f"Orders placed in the first {_time(scenario.warm_up)}, the warm-up, flow but are not counted"
    warm_up = (f"{uncounted}; averages over time begin where it ends." if scenario.warm_up
               else "There is no warm-up: all orders count.")  # fmt: skip
    length = (f"Orders are placed for {_time(scenario.duration)}" if scenario.duration is not None
              else f"Orders are placed until there are {scenario.orders or 0:,}")  # fmt: skip
    return (
        Item("4.1", "Initialisation", (
            f"The system starts empty, with all workers there and all consumers subscribed. {warm_up}",)),
        Item("4.2", "Run length", (
            f"{length}; then no new ones are, and the run goes on until all is quiet, or for "
            f"{_time(scenario.drain)} at most.",)),
        Item("4.3", "Estimation approach", (*_estimation(comparison), _precision(comparison))),
    )  # fmt: skip


def _estimation(comparison: Comparison) -> tuple[str, ...]:
    number = comparison.replications
    told = f"{counted(number, 'independent replication')} of each architecture"
    told = told if comparison.complete else f"{told} ({comparison.shortfall}: the study was interrupted)"
    seeds = [str(replication_seed(comparison.seed, one)) for one in range(min(number, _SEEDS_TOLD))]
    more = f" and {number - len(seeds)} more" if number > len(seeds) else ""
    paragraphs = [f"{told}. Their seeds follow from the study's seed {comparison.seed}: {', '.join(seeds)}{more}."]
    if number == 1:
        return (*paragraphs, "With one replication there are no intervals: no number here says how much of it is luck.")
    paragraphs.append(f"Intervals hold the true mean in {CONFIDENCE:.0%} of studies like this one: Student's t "
                      "over the "
                      "replications' values, which are independent; no batch means.")  # fmt: skip
    if len(comparison.architectures) > 1:
        paragraphs.append("Common random numbers: in a replication the same orders are placed at the same "
                          "instants, and "
                          "the work of an order in a service is the same draw, in every architecture. Differences are "
                          "therefore taken replication by replication (paired), and the tables say how much of their "
                          "variance that took away.")  # fmt: skip
    return tuple(paragraphs)


def _precision(comparison: Comparison) -> str:
    """How wide the intervals came out, for a few numbers that matter."""
    if comparison.replications == 1:
        return "Precision: unknown, with one replication."
    parts = []
    for words, path in _WATCHED.items():
        found = {name: comparison.interval(name, path) for name in comparison.architectures}
        shares = {name: one.half / one.mean for name, one in found.items() if one.known and one.mean > 0}
        if shares:
            worst = max(shares, key=lambda name: shares[name])
            parts.append(f"{words}: at most ±{shares[worst]:.1%} ({display(worst)})")
    if not parts:
        return "Precision: none of the main numbers is finite in all replications."
    return f"Precision reached, as half of the interval's width beside the mean. {'; '.join(parts)}."


def _time(length_ns: int | None) -> str:
    return spaced(show_duration(length_ns or 0))


# --- implementation -------------------------------------------------------------------------------------------


def software() -> str:
    """What ran: versions only, and no time of day, so that the same study writes the same file."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"edasim {__version__} on Python {platform.python_version()} with {libraries}"


def _implementation() -> tuple[Item, ...]:
    return (
        Item("5.1", "Software", (f"{software()}.",)),
        Item("5.2", "Random sampling", (
            "Philox 4x64, a counter-based generator. Each draw has a name: its purpose, its service, the order, the "
            "message and the number of the attempt decide it together with the seed, and nothing else does. A "
            "variate is "
            "the inverse of the distribution function at one uniform number.",)),
        Item("5.3", "Model execution", (
            "Event by event on SimPy's agenda. Time is a whole number of nanoseconds; what happens at the same instant "
            "happens in the order in which it was scheduled. The books of every queue and partition are checked "
            "at each "
            "edge of a fault, at samples and at the end, and a run whose books do not balance is no result.",)),
        Item("5.4", "System specification", (
            f"{platform.system()} on {platform.machine()}. No number here depends on how fast it is.",)),
    )  # fmt: skip


def _access(comparison: Comparison) -> tuple[Item, ...]:
    numbers = {key: value for key, value in comparison.as_dict().items() if key != "incomplete"}
    digest = sha256(json_text(numbers).encode()).hexdigest()
    return (
        Item("6.1", "Computer model sharing statement", (
            "edasim is free software under the MIT licence. To repeat the study, save “The scenario as it was run” as "
            "scenario.yml and call:", command(comparison),
            "With the versions above and on such a system it prints the same numbers to the last bit: SHA-256 "
            f"{digest}.",
        )),
    )  # fmt: skip


def command(comparison: Comparison) -> str:
    """What to type to repeat it."""
    names = ",".join(comparison.architectures)
    return (f"edasim compare scenario.yml --arch {names} --replications {comparison.replications} "
            f"--seed {comparison.seed} --json")  # fmt: skip

