"""What is wrong with a scenario as a whole, when each value alone is right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from edasim.core.quantity import SECOND_NS, show_duration, shown
from edasim.scenario.broker_checking import check_brokers
from edasim.scenario.errors import Finding
from edasim.scenario.estimating import MOST_BYTES, MOST_EVENTS, estimate
from edasim.scenario.fault_checking import check_faults
from edasim.scenario.fields import suggestion
from edasim.scenario.flow import Flow
from edasim.scenario.sharing import check_workers
from edasim.scenario.sizing import check_size
from edasim.scenario.value import Scenario
from edasim.scenario.whatif_checking import check_changes, check_knobs

RESERVED: Final = ("broker", "database", "gateway", "client")
MOST_PARTS: Final = {"producers": 100, "services": 200, "faults": 200, "knobs": 20, "changes": 50}
MOST_EVENT_TYPES: Final = 300
MOST_FINDINGS: Final = 100


def check(scenario: Scenario, allow_large: bool = False) -> list[Finding]:
    """All findings, each with its path and one sentence. A cost that is too high is one, unless it is
    allowed.
    """
    findings = list(check_numbers(scenario))
    if findings:
        return findings
    findings = list(islice(chain(*(look(scenario) for look in (*_CHEAP, check_flow, check_brokers))), MOST_FINDINGS))
    judge = News(findings)
    findings += [*check_knobs(scenario, judge), *check_changes(scenario, judge)]
    if not findings and not allow_large:
        findings += _cost(scenario)
    return findings


class News:
    """Judges what a scenario would become: only places that are fine in the scenario itself."""

    def __init__(self, known: list[Finding]) -> None:
        self._known = {path for path, _ in known}

    def __call__(self, scenario: Scenario, path: str) -> list[Finding]:
        """The findings that are new. What takes longer is looked at only where the path leads to it."""
        findings = list(chain(*(look(scenario) for look in _CHEAP)))
        if path.startswith("architectures."):
            findings += check_brokers(scenario)
        if "publishes" in path or "handles" in path or path.count(".") < 2:
            findings += check_flow(scenario)
        return [finding for finding in findings if finding[0] not in self._known]


def check_numbers(scenario: Scenario) -> Iterator[Finding]:
    """All findings about more parts than anything should look at."""
    for parts, most in MOST_PARTS.items():
        number = len(getattr(scenario, parts))
        if number > most:
            yield (parts,), f"{number} is too many: at most {most} {parts} are allowed"
    queues = scenario.architectures.rabbitmq.queues if scenario.architectures.rabbitmq else {}
    if len(queues) > MOST_PARTS["services"]:
        found = f"{len(queues)} queues are more than there can be services"
        yield ("architectures", "rabbitmq", "queues"), f"{found}: at most {MOST_PARTS['services']} are allowed"
    services = scenario.services.values()
    named = {event for service in services for event in service.handles}
    named.update(publication.event for service in services for publication in service.publishes)
    if len(named) > MOST_EVENT_TYPES:
        yield ("services",), f"{len(named)} event types are too many: at most {MOST_EVENT_TYPES} are allowed"


def check_ends(scenario: Scenario) -> Iterator[Finding]:
    """All findings about how long a run is."""
    if (scenario.duration is None) == (scenario.orders is None):
        found = "duration and orders are both" if scenario.orders is not None else "neither duration nor orders is"
        yield ("duration",), f"{found} given: write one of them, such as duration: 60s"
    if scenario.duration is not None and scenario.warm_up >= scenario.duration:
        warm_up, duration = show_duration(scenario.warm_up), show_duration(scenario.duration)
        yield ("warm-up",), f"{warm_up} leaves nothing to measure: it must be shorter than the duration {duration}"
    rates = [producer.arrivals.mean_rate for producer in scenario.producers.values()]
    if scenario.orders is not None and rates and not any(rates):
        yield ("orders",), f"{scenario.orders} orders are never placed: all arrivals have a rate of 0/s"
    elif scenario.orders is not None and rates and scenario.warm_up * sum(rates) >= scenario.orders * SECOND_NS:
        found = f"all {scenario.orders} orders are placed in the warm-up {show_duration(scenario.warm_up)}"
        yield ("orders",), f"{found}: nothing is left to measure, so write more orders or a shorter warm-up"


def check_parts(scenario: Scenario) -> Iterator[Finding]:
    """All findings about which parts there are, and their names."""
    if not scenario.architectures.listed:
        yield ("architectures",), "none is listed: list at least one of monolith, rpc, kafka, rabbitmq"
    for parts in ("producers", "services"):
        if not getattr(scenario, parts):
            yield (parts,), "none is given: write at least one"
        for name in getattr(scenario, parts):
            if name in RESERVED:
                yield (parts, name), f"{shown(name)} is a part of the architectures: choose another name"
    for name in scenario.producers:
        if name in scenario.services:
            yield ("services", name), f"{shown(name)} is a producer too: choose another name for one of them"


def check_redrives(scenario: Scenario) -> Iterator[Finding]:
    """All findings about dead letters that are to be redriven."""
    for name, service in scenario.services.items():
        if service.redrive is not None and not service.dead_letters:
            yield ("services", name, "redrive"), "there is nothing to redrive: dead-letters is false here"


def check_flow(scenario: Scenario) -> Iterator[Finding]:
    """All findings about who publishes to whom."""
    if not scenario.producers or not scenario.services:
        return
    flow = Flow(scenario)
    for name, producer in scenario.producers.items():
        if producer.publishes not in flow.handlers:
            cure = suggestion(producer.publishes, list(flow.handlers))
            yield ("producers", name, "publishes"), f"nobody handles {shown(producer.publishes)}: {cure}"
    reached = flow.reached()
    for name, service in scenario.services.items():
        unknown = [event for event in service.handles if event not in flow.published]
        for event in unknown:
            cure = suggestion(event, sorted(flow.published))
            yield ("services", name, "handles"), f"nobody publishes {shown(event)}: {cure}"
        if not unknown and not reached.intersection(service.handles):
            cure = "let a service publish it that an order reaches"
            yield ("services", name, "handles"), f"no order ever causes {shown(service.handles[0])}: {cure}"
    for cycle in flow.endless_cycles():
        publisher = next(
            name
            for name in flow.handlers[cycle[0]]
            if any(publication.event == cycle[1] for publication in scenario.services[name].publishes)
        )
        sentence = f"{' -> '.join(cycle)} feeds itself without end: publish with a share below 100%"
        yield ("services", publisher, "publishes"), sentence


_CHEAP: Final = (check_ends, check_parts, check_redrives, check_faults, check_size, check_workers)


def _cost(scenario: Scenario) -> Iterator[Finding]:
    cost = estimate(scenario)
    if not cost.allowed:
        place = "orders" if scenario.orders is not None else "duration"
        found = f"about {cost.events:.1e} events and {cost.bytes:.1e} bytes in one run are too much"
        allowed = f"at most {MOST_EVENTS:.0e} and {MOST_BYTES:.0e} are allowed"
        yield (place,), f"{found}: {allowed}, so make it smaller or run it with --allow-large"
