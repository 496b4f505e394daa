"""Overload and near-overload, said before the run: `payment needs 4.2 workers and has 3`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edasim.core.arrival_process import Arrivals
from edasim.core.intensity import Poisson
from edasim.core.quantiles import Floats
from edasim.core.quantity import SECOND_NS
from edasim.core.rate_curve import Varying
from edasim.scenario.flow import Flow
from edasim.scenario.sharing import cores
from edasim.scenario.value import Scenario
from edasim.study.theory.holding import attempts_of, handled_share
from edasim.study.theory.stations import Station, placed_streams, policy, service_rates, stations
from edasim.study.words import counted, display, listed

BUSY = 0.9
"""From which load on waits are long and vary much."""
ORDERS = ""
"""Stands for all services together, where one process does the work of whole orders."""
_INSTANTS = 200
_BISECTIONS = 14
_MOST_TIMES = 2


def warnings(scenario: Scenario, architectures: Sequence[str]) -> list[str]:
    """A sentence for each service that has more to do than it can, or nearly so, in these architectures."""
    return warnings_of(scenario, {architecture: stations(scenario, architecture) for architecture in architectures})


def warnings_of(scenario: Scenario, architectures: Mapping[str, Mapping[str, Station]]) -> list[str]:
    """The same where the stations of each architecture are known."""
    said: dict[str, list[str]] = {}
    curves = Curves(scenario)
    for architecture, found in architectures.items():
        for name in list(found)[:1] if architecture == "monolith" else list(found):
            place = (architecture, ORDERS if architecture == "monolith" else name)
            for sentence in _sentences(scenario, place, found[name], curves):
                said.setdefault(sentence, []).append(architecture)
    everywhere = [name for name in architectures if name != "monolith"]
    return [_where(sentence, names, everywhere) + _without(scenario) for sentence, names in said.items()]


def _where(sentence: str, names: list[str], everywhere: list[str]) -> str:
    if names in ([*everywhere], ["monolith"]):
        return sentence
    return f"on {listed(map(display, names))}, {sentence}"


def _without(scenario: Scenario) -> str:
    faults = list(scenario.faults)
    if not faults:
        return ""
    return f" (without the {faults[0]})" if len(faults) == 1 else " (without the faults)"


def _sentences(scenario: Scenario, place: tuple[str, str], station: Station, curves: Curves) -> list[str]:
    """What is to be said of one station: too much for all its servers or cores, at times, for one of them, or nearly
    so.  A line with little room does not grow.
    """
    architecture, name = place
    what, unit = ("the monolith", "thread") if architecture == "monolith" else (name, "worker")
    needs, has, unit = max(_limits(scenario, place, station, unit), key=lambda limit: limit[0] / limit[1])
    if station.places is not None or math.isinf(has):
        return []
    if needs == math.inf:
        return [f"no number of {unit}s is enough for {what}: messages that always fail are tried without end"]
    if found := _too_much(what, (needs, int(has), unit), curves, name):
        return [found]
    if unit == "core":
        return [f"the cores of {what} will be {needs / has:.0%} busy: waits will be long and vary much"] if (
            needs / has >= BUSY) else []
    share = max(station.shares)
    if share * needs >= int(station.servers) and not station.in_turns:
        wanted = f"gets {share:.0%} of the messages, which need {_digits(share * needs, 1)} {unit}s"
        return [f"one {unit} of {what} {wanted}, so its backlog grows for as long as orders come"]
    if station.load >= BUSY:
        one = f"the busiest {unit} of {what}" if len(station.shares) > 1 and not station.in_turns else what
        return [f"{one} will be {station.load:.0%} busy: waits will be long and vary much"]
    return []


def _limits(scenario: Scenario, place: tuple[str, str], station: Station, unit: str) -> list[tuple[float, float, str]]:
    """What is needed of servers and of cores, what there is, and what they are called."""
    architecture, name = place
    needs = station.coming.per_s * station.hold.mean_s if station.coming.per_s else 0.0
    there = cores(scenario, architecture)
    rates = service_rates(scenario)
    works = {one: rates[one] * attempts_of(service, policy(scenario, service)) * service.work.mean_s
             for one, service in scenario.services.items() if rates[one]}
    computed = sum(works.values()) if architecture == "monolith" else works.get(name, 0.0)
    return [(needs, station.servers * len(station.shares), unit), (computed, there[name or "process"], "core")]


def _too_much(what: str, limit: tuple[float, int, str], curves: Curves, name: str) -> str:
    needs, has, unit = limit
    factor = curves.factor(name)
    if bool(np.all(needs * factor >= has)):
        return f"{_needs(what, needs, has, unit)}, so its backlog grows for as long as orders come"
    if bool(np.any(needs * factor >= has)):
        peak = needs * float(factor.max())
        when = curves.over_words(name, has / needs)
        return f"{when} {_needs(what, peak, has, unit)}, and its backlog grows"
    return ""


def _needs(what: str, needs: float, has: int, unit: str) -> str:
    return f"{what} needs {_digits(needs, has)} {unit}s and has {has}"


def _digits(needs: float, has: int) -> str:
    """Two digits, or as many as tell it from what there is."""
    for digits in (2, 3, 4):
        text = f"{needs:.{digits}g}" if needs < 10 ** digits else f"{needs:,.0f}"
        if text != str(has):
            return text
    return text


# --- over time ------------------------------------------------------------------------------------------------


class _Rate:
    """The rate of arrivals in straight pieces; what is random in them has its mean length."""

    def __init__(self, arrivals: Arrivals, length_s: float) -> None:
        times_s, rates, slopes = [np.zeros(1)], [np.full(1, arrivals.mean_rate)], [np.zeros(1)]
        for chunk in arrivals.chunks(None) if isinstance(arrivals, Varying) else ():
            times_s.append(chunk.times_s[:-1])
            rates.append(chunk.pieces.from_rates)
            slopes.append(chunk.slope(np.arange(len(chunk.pieces.from_rates))))
            if chunk.end_s >= length_s:
                break
        self._times_s, self._rates, self._slopes = map(np.concatenate, (times_s, rates, slopes))

    def at(self, times_s: Floats) -> Floats:
        """Orders per second at these times."""
        piece = np.searchsorted(self._times_s, times_s, side="right") - 1
        rates: Floats = self._rates[piece] + self._slopes[piece] * (times_s - self._times_s[piece])
        return rates


class Curves:
    """How many times its mean rate each service's messages come over time; flat when no rate changes."""

    def __init__(self, scenario: Scenario) -> None:
        arrivals = {name: producer.arrivals for name, producer in scenario.producers.items()}
        changing = any(isinstance(one, Varying) and not isinstance(one, Poisson) for one in arrivals.values())
        self.length_s = (scenario.duration or 0) / SECOND_NS
        self.flat = scenario.duration is None or not changing
        self._parts = _parts(scenario)
        self._rates = {} if self.flat else {name: _Rate(one, self.length_s) for name, one in arrivals.items()}
        self.times_s = np.linspace(0.0, self.length_s, 1 if self.flat else _INSTANTS, endpoint=False)
        rates = {name: rate.at(self.times_s) for name, rate in self._rates.items()}
        self._factors = {
            service: np.sum([part * rates[name] for name, part in parts.items()], axis=0) if rates else np.ones(1)
            for service, parts in self._parts.items()
        }

    def factor(self, service: str) -> Floats:
        """At each of the times."""
        return self._factors[service]

    def _over(self, service: str, time_s: float, limit: float) -> bool:
        here = np.array([time_s])
        return sum(part * float(self._rates[name].at(here)[0]) for name, part in self._parts[service].items()) >= limit

    def _edge_s(self, service: str, place: int, limit: float) -> float:
        """Where the rate crosses a limit between two of the times."""
        if place in (0, len(self.times_s)):
            return 0.0 if place == 0 else self.length_s
        low, high = float(self.times_s[place - 1]), float(self.times_s[place])
        before = self._over(service, low, limit)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._over(service, middle, limit) == before else (low, middle)
        return high

    def over_words(self, service: str, limit: float) -> str:
        """`between 20 s and 40 s`: when the factor is at the limit or over it."""
        over = np.concatenate([[False], self.factor(service) >= limit, [False]])
        edges = np.flatnonzero(over[:-1] != over[1:]).tolist()[: 2 * _MOST_TIMES]
        ends_s = [self._edge_s(service, place, limit) for place in edges]
        spans = [f"between {start_s:.3g} s and {end_s:.3g} s"
                 for start_s, end_s in zip(ends_s[::2], ends_s[1::2], strict=True)]
        more = int(np.sum(over[:-1] != over[1:])) // 2 - len(spans)
        return listed([*spans, *([counted(more, "more time")] if more else [])])


def _parts(scenario: Scenario) -> dict[str, dict[str, float]]:
    """For each service and producer: messages that an order brings it, over the mean rate of all its messages."""
    handled = {name: handled_share(one, policy(scenario, one)) for name, one in scenario.services.items()}
    flow, means = Flow(scenario, handled), service_rates(scenario)
    numbers = {name: flow.messages_per_order(producer.publishes) for name, producer in scenario.producers.items()}
    orders = sum(stream.per_s for stream in placed_streams(scenario).values())
    return {ORDERS: dict.fromkeys(numbers, 1 / orders if orders else 0.0)} | {
        name: {producer: sum(number[event] for event in service.handles) / means[name] if means[name] else 0.0
               for producer, number in numbers.items()}
        for name, service in scenario.services.items()
    }
