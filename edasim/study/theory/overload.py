"""Overload and near-overload, said before the run: `payment needs 4.2 workers and has 3`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edasim.core.intensity import Poisson
from edasim.core.quantiles import Floats
from edasim.core.quantity import SECOND_NS
from edasim.core.rate_curve import Varying
from edasim.scenario.flow import Flow
from edasim.scenario.value import Scenario
from edasim.study.theory.holding import handled_share
from edasim.study.theory.stations import Station, placed_streams, policy, service_rates, stations
from edasim.study.words import counted, display, listed

BUSY = 0.9
"""From which load on waits are long and vary much."""
ORDERS = ""
"""Stands for all services together, where one process does the work of whole orders."""
_INSTANTS = 200
_BISECTIONS = 30
_MOST_TIMES = 2


def warnings(scenario: Scenario, architectures: Sequence[str]) -> list[str]:
    """A sentence for each service that has more to do than it can, or nearly so, in these architectures."""
    said: dict[str, list[str]] = {}
    curves = Curves(scenario)
    for architecture in architectures:
        found = stations(scenario, architecture)
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
    if math.isinf(station.servers) or station.places is not None:
        return []
    what, unit = ("the monolith", "thread") if architecture == "monolith" else (name, "worker")
    has = int(station.servers) * len(station.shares)
    needs = station.coming.per_s * station.hold.mean_s if station.coming.per_s else 0.0
    if needs == math.inf:
        return [f"no number of {unit}s is enough for {what}: messages that always fail are tried without end"]
    factor = curves.factor(name)
    if bool(np.all(needs * factor >= has)):
        return [f"{_needs(what, needs, has, unit)}, so its backlog grows for as long as orders come"]
    if bool(np.any(needs * factor >= has)):
        peak = needs * float(factor.max())
        when = curves.over_words(name, has / needs)
        return [f"{when} {_needs(what, peak, has, unit)}, and its backlog grows"]
    share = max(station.shares)
    if share * needs >= int(station.servers) and not station.in_turns:
        wanted = f"gets {share:.0%} of the messages, which need {_digits(share * needs, 1)} {unit}s"
        return [f"one {unit} of {what} {wanted}, so its backlog grows for as long as orders come"]
    if station.load >= BUSY:
        one = f"the busiest {unit} of {what}" if len(station.shares) > 1 and not station.in_turns else what
        return [f"{one} will be {station.load:.0%} busy: waits will be long and vary much"]
    return []


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


class Curves:
    """How many times its mean rate each service's messages come over time; flat when no rate changes."""

    def __init__(self, scenario: Scenario) -> None:
        self._arrivals = {name: producer.arrivals for name, producer in scenario.producers.items()}
        self._parts = _parts(scenario)
        self.length_s = (scenario.duration or 0) / SECOND_NS
        changing = any(isinstance(one, Varying) and not isinstance(one, Poisson) for one in self._arrivals.values())
        self.flat = scenario.duration is None or not changing
        self.times_s = np.linspace(0.0, self.length_s, 1 if self.flat else _INSTANTS, endpoint=False)
        rates = {name: self._rate(name, self.times_s) for name in self._arrivals} if not self.flat else {}
        self._factors = {
            service: np.sum([part * rates[name] for name, part in parts.items()], axis=0) if rates else np.ones(1)
            for service, parts in self._parts.items()
        }

    def _rate(self, producer: str, times_s: Floats) -> Floats:
        return np.array([self._arrivals[producer].rate_at(float(time_s)) for time_s in times_s])

    def factor(self, service: str) -> Floats:
        """At each of the times."""
        return self._factors[service]

    def _over(self, service: str, time_s: float, limit: float) -> bool:
        return sum(part * self._arrivals[name].rate_at(time_s) for name, part in self._parts[service].items()) >= limit

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
