"""How faithful the brokers of a scenario are: which of their real options are modelled, simplified or ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edasim.scenario.architecture_options import KafkaOptions, RabbitOptions
from edasim.scenario.broker_option import BrokerOption, Status
from edasim.scenario.broker_options import SECTIONS
from edasim.scenario.value import Scenario
from edasim.study.words import display

STATUSES: dict[Status, str] = {
    "modelled": "has the effect of the real one",
    "simplified": "has its main effect, as the note says",
    "ignored": "is accepted and changes nothing",
}


@dataclass(frozen=True)
class Fidelity:
    """How faithful one broker is: the options that the scenario names, and those left at their defaults."""

    title: str
    named: tuple[tuple[str, str, str, str], ...]
    modelled: tuple[str, ...]
    simplified: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]


def fidelity(scenario: Scenario, architecture: str) -> Fidelity | None:
    """The options of a broker by how edasim treats them; None for an architecture without one.

    `named` has (option, value, status, note). Of the options left at their defaults, `modelled` and `ignored` are
    names, and `simplified` has (option, note).
    """
    options = getattr(scenario.architectures, architecture, None)
    given = _given(options)
    if options is None or given is None:
        return None
    named = []
    resting: dict[Status, dict[str, str]] = {status: {} for status in STATUSES}
    for place, section, values in given:
        known = SECTIONS[section]
        named += [(f"{place} {name}", _written(value), known[name].status, known[name].note)
                  for name, value in values.items()]  # fmt: skip
    sections = tuple(dict.fromkeys(section for _, section, _ in given))
    for section in sections:
        written = {name for _, of, values in given if of == section for name in values}
        for option in SECTIONS[section].values():
            if option.exists_in(options.version) and option.name not in written:
                resting[option.status][_named(option, section, sections)] = option.note
    return Fidelity(
        title=f"{display(architecture)} {options.version}",
        named=tuple(named),
        modelled=tuple(sorted(resting["modelled"])),
        simplified=tuple(sorted(resting["simplified"].items())),
        ignored=tuple(sorted(resting["ignored"])),
    )


def _named(option: BrokerOption, section: str, sections: tuple[str, ...]) -> str:
    """Its name, with its section where others have an option of that name that is treated in another way."""
    namesakes = (SECTIONS[other][option.name] for other in sections if option.name in SECTIONS[other])
    alike = all(other.status == option.status for other in namesakes)
    return option.name if alike else f"{section.split()[-1]} {option.name}"


def _given(options: Any) -> list[tuple[str, str, Mapping[str, object]]] | None:
    """(where it stands, its section, the options named there)."""
    if isinstance(options, KafkaOptions):
        places = ("topic", "producer", "consumer", "broker")
        return [(place, f"kafka {place}", getattr(options, place)) for place in places]
    if isinstance(options, RabbitOptions):
        section = "rabbitmq queue"
        own = [(f"queues.{name}", section, values) for name, values in options.queues.items()]
        return [("queue", section, options.queue), *own]
    return None


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
