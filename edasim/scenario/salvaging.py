"""What else is wrong with a file in which some values could not be read, so that all mistakes are told together.

The unreadable values are taken out, or replaced where a part cannot be without, and what is left is looked at. Only
findings that cannot be a consequence of the repair are kept.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, Final

from pydantic import ValidationError

from edasim.scenario.broker_checking import check_brokers
from edasim.scenario.checking import MOST_FINDINGS, News, check_ends, check_flow, check_numbers, check_parts
from edasim.scenario.errors import Finding, Path
from edasim.scenario.explaining import explain, keys_of, part_at
from edasim.scenario.fault_checking import check_faults
from edasim.scenario.path import steps_of
from edasim.scenario.sharing import check_workers
from edasim.scenario.sizing import check_size
from edasim.scenario.value import Scenario
from edasim.scenario.whatif_checking import check_changes, check_knobs

Look = Callable[[Scenario], Iterable[Finding]]

_REPAIRS: Final = 5
# In these a mistake takes out the whole entry, or all of them: its values belong together.
_DEPTHS: Final = {"faults": 2, "knobs": 2, "changes": 1}
# A service whose workers are not known has enough for every fault.
_STAND_INS: Final = {"work": "1ms", "arrivals": "1/s", "workers": 10_000}

_NAMES: Final = frozenset({"producers", "services"})
_FLOW: Final = _NAMES | {"handles", "publishes"}
_BROKERS: Final = frozenset({"architectures", "kafka", "rabbitmq", "version"})
# The keys that each look reads: where one of them was repaired, the look might find fault with the repair.
_LOOKS: Final[tuple[tuple[Look, frozenset[str]], ...]] = (
    (check_ends, frozenset({"duration", "orders", "warm-up", "arrivals", "producers"})),
    (check_parts, _NAMES | _BROKERS | {"monolith", "rpc"}),
    (check_faults, _NAMES | {"store", "architectures", "kafka", "version", "topic"}),
    (check_size, _FLOW | _BROKERS | {"workers", "topic", "retry", "where", "dead-letters"}),
    (check_workers, _NAMES | _BROKERS | {"workers"}),
    (check_flow, _FLOW),
    (check_brokers, frozenset({"services", "version", "commit", "producer", "consumer", "broker", "queue", "retry",
                               "where", "attempts", "retry-topics"})),
)


def further_findings(data: dict[str, Any], mistakes: Iterable[Path]) -> list[Finding]:
    """What is wrong as a whole with what can be read, given the places of what cannot."""
    bad = list(islice(mistakes, MOST_FINDINGS))
    scenario = _salvaged(data, bad) if len(bad) < MOST_FINDINGS else None
    if scenario is None or any(check_numbers(scenario)):
        return []
    touched = {key for path in bad for key in _keys_touched(path)}
    found = {look: list(islice(look(scenario), MOST_FINDINGS)) for look, _ in _LOOKS}
    kept = [finding for look, keys in _LOOKS if not keys & touched for finding in found[look]]
    judge = News(list(chain(*found.values())))
    what_ifs = (*check_knobs(scenario, judge), *check_changes(scenario, judge))
    gone = {place for path in bad for place in _taken_out(path)}
    return kept + [
        (path, sentence)
        for path, sentence in what_ifs
        if not gone & {(steps := steps_of(_target(scenario, path)))[:1], steps[:2]}
    ]


def _target(scenario: Scenario, path: Path) -> str:
    """What the knob or the change at a path moves."""
    return str(path[1]) if path[0] == "knobs" else scenario.changes[int(path[1])].path


def _taken_out(path: Path) -> list[Path]:
    """The part that is not what it was written to be: the place of a knob or a change that cannot be judged."""
    if len(path) > 2:
        return [path[:2]] if path[0] in ("faults", "architectures") else []
    return [path, *((*path[:-1], key) for key in _meant(path))]


def _salvaged(data: dict[str, Any], bad: list[Path]) -> Scenario | None:
    """The scenario of what can be read; `bad` grows by what the repair itself upsets."""
    repaired = copy.deepcopy(data)
    places = list(bad)
    for _ in range(_REPAIRS):
        for path in places:
            _repair(repaired, path)
        try:
            return Scenario.model_validate(repaired)
        except ValidationError as error:
            places = [explain(details)[0] for details in error.errors(include_url=False)]
            bad += places
    return None


def _repair(data: dict[str, Any], path: Path) -> None:
    """Take the value at a path out, and put a stand-in where its part cannot be without one."""
    steps = path[: _DEPTHS.get(str(path[0]), len(path))]
    inside: Any = data
    for step in steps[:-1]:
        inside = inside.get(step) if isinstance(inside, dict) else None
    if not isinstance(inside, dict):
        return
    inside.pop(steps[-1], None)
    part = part_at(steps[:-1])
    for field in part.model_fields.values() if part is not None else ():
        if field.alias in _meant(steps) and (field.is_required() or field.alias in _STAND_INS):
            inside.setdefault(field.alias, _STAND_INS.get(field.alias, "Salvaged"))


def _meant(path: Path) -> list[str]:
    """The key at the end of a path, or the known one that an unknown one was probably meant to be; else none."""
    part = part_at(path[:-1])
    known = keys_of(part) if part is not None else []
    word = str(path[-1])
    return [word] if word in known else get_close_matches(word[:64], known, n=1)


def _keys_touched(path: Path) -> Iterator[str]:
    """The key of the part in which a mistake is, as a file should write it."""
    while path and part_at(path[:-1]) is None:
        path = path[:-1]
    if path:
        yield from _meant(path)
