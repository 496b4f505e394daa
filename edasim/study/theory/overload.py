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
from edasim.scenario.value import Scenario
from edasim.study.theory.holding import handled_share
from edasim.study.theory.stations import Station, placed_streams, policy, product, service_rates, stations
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
    """What is to be said of one station: too much for all its servers, at times, for one of them, or nearly so."""
    architecture, name = place
    what, unit = ("the monolith", "thread") if architecture == "monolith" else (name, "worker")
    whole = station.servers * len(station.shares)
    unit = "prefetch" if station.unlimited and math.isfinite(whole) else unit
    needs = product(station.coming.per_s, station.hold.mean_s)
    if needs == math.inf and math.isfinite(station.servers):
        return [f"no number of {unit}s is enough for {what}: messages that always fail are tried without end"]
    limits = [(needs if math.isfinite(whole) else 0.0, whole, unit)]
    if station.sharing:
        limits.append((station.coming.per_s * station.core_s, station.cores, "core"))
    factor = curves.factor(name)
    asked, has, scarce = max(limits, key=lambda limit: limit[0] / limit[1])
    if bool(np.any(asked * factor >= has)):
        return [_too_much((what, scarce), (asked, has), station.bounded, curves.spells(name, has / asked))]
    if math.isinf(station.servers) and not station.sharing or station.bounded:
        return []
    share = max(station.shares)
    if share * needs >= station.servers and not station.in_turns:
        wanted = f"gets {share:.0%} of the messages, which need {_digits(share * needs, 1)} {unit}s"
        return [f"one {unit} of {what} {wanted}, so its backlog grows for as long as orders come"]
    if station.load >= BUSY:
        alone = len(station.shares) > 1 and not station.in_turns and scarce != "core"
        one = f"the busiest {unit} of {what}" if alone else what
        return [f"{one} will be {station.load:.0%} busy: waits will be long and vary much"]
    return []


def _too_much(what: tuple[str, str], limit: tuple[float, float], refuses: bool, spells: tuple[str, float]) -> str:
    """`payment needs 4.2 workers and has 3, so its backlog grows for as long as orders come`, or only at times.

    Where there is little room the backlog does not grow, and what comes on top is refused.
    """
    (name, unit), (asked, has), (when, factor) = what, limit, spells
    number = _digits(asked * factor, has)
    wanted = f"a prefetch of {number}" if unit == "prefetch" else f"{number} {unit}s"
    needs = f"{when}{name} needs {wanted} and has {has:.0f}"
    if refuses:
        return f"{needs}, so that what finds its queue full is refused"
    return f"{needs}, and its backlog grows" if when else f"{needs}, so its backlog grows for as long as orders come"


def _digits(needs: float, has: float) -> str:
    """Two digits, or as many as tell it from what there is."""
    for digits in (2, 3, 4):
        text = f"{needs:.{digits}g}" if needs < 10 ** digits else f"{needs:,.0f}"
        if text != f"{has:.0f}":
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

    def spells(self, service: str, limit: float) -> tuple[str, float]:
        """When the factor is at the limit or over it, and its highest value then; no words and its mean for always."""
        factor = self.factor(service)
        if bool(np.all(factor >= limit)):
            return "", 1.0
        return f"{self.over_words(service, limit)} ", float(factor.max())

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
