"""One option of a real broker: its values, its default by release, and how much of it is modelled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from edasim.core.quantity import QuantityError, duration_ns, shown, size_bytes

Kind = Literal["int", "bool", "duration_ms", "bytes", "enum", "str", "float", "list"]
Status = Literal["modelled", "simplified", "ignored"]

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
MOST_REPLICAS = 99
"""Kafka itself stops at 32,767 and RabbitMQ nowhere, but each replica costs time and no real cluster has so many."""
NANOSECONDS_PER_MS = 1_000_000

_WHOLE = re.compile(r"-?[0-9]{1,19}")

KAFKA_VERSIONS = ("3.9", "4.0", "4.3")
RABBITMQ_VERSIONS = ("3.10", "3.13", "4.0", "4.3")


def at_version(value: object, version: str) -> object:
    """The value in a release: `value` itself, or the newest of a table {from this release on: value}."""
    if not isinstance(value, Mapping):
        return value
    reached = [release for release in value if _order(release) <= _order(version)]
    return value[max(reached, key=_order)] if reached else None


@cache
def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True)
class BrokerOption:
    """A real option. `status` says how edasim treats it: the one field to change when a model learns more.

    Numbers are counts, bytes or milliseconds, as the kind says. `default_by_version` and `low` are a plain
    value or a table {from this release on: value}. The option exists from release `since` on and is gone in
    `until`. `queue_types` are the RabbitMQ queue types that accept the argument (empty: all).
    `not_modelled` are real values that edasim refuses instead of pretending.
    """

    name: str
    kind: Kind
    default_by_version: object = None
    status: Status = "ignored"
    note: str = ""
    allowed: tuple[str, ...] = ()
    low: object = None
    high: float = INT_MAX
    since: str = "0"
    until: str = "99"
    queue_types: tuple[str, ...] = ()
    not_modelled: tuple[str, ...] = ()
    takes_duration: str = ""
    """A value that has an ISO 8601 duration behind it, as by_duration:PT1H."""

    def default(self, version: str) -> object:
        """What this release uses when nothing is said; None means unset or unlimited."""
        return at_version(self.default_by_version, version)

    def exists_in(self, version: str) -> bool:
        """Whether this release knows the option."""
        return _order(self.since) <= _order(version) < _order(self.until)

    def parse(self, value: object, version: str) -> object:
        """The value in the type of its kind; ValueError with a sentence if the broker would refuse it."""
        parsed = _PARSERS[self.kind](self, value)
        if isinstance(parsed, (int, float)) and not isinstance(parsed, bool):
            self._check_range(parsed, version)
        return parsed

    def _check_range(self, number: float, version: str) -> None:
        low = at_version(self.low, version)
        lowest = low if isinstance(low, (int, float)) else -self.high - 1
        if not lowest <= number <= self.high:
            unit = {"duration_ms": " ms", "bytes": " bytes"}.get(self.kind, "")
            allowed = f"{lowest} to {self.high}{unit}"
            raise ValueError(f"{self.name} is {shown(number)}{unit}, but {allowed} is allowed")


def ignored(note: str, kind: Kind, defaults: Mapping[str, object], **more: object) -> Iterable[BrokerOption]:
    """Options of one kind that are real, are accepted, and change nothing here, all for the same reason."""
    for name, default in defaults.items():
        yield BrokerOption(name, kind, default, "ignored", note, **more)  # type: ignore[arg-type]


def table(*options: BrokerOption) -> dict[str, BrokerOption]:
    """The options by name."""
    by_name = {option.name: option for option in options}
    assert len(by_name) == len(options), "an option is listed twice"
    return by_name


_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?")


def iso_duration_ns(text: str, name: str) -> int:
    """A duration as Java writes it (P1D, PT1H30M, PT0.5S) in nanoseconds; ValueError with a sentence."""
    found = _ISO.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f'{name}: "{text}" is no ISO 8601 duration; write PT1H, PT30S or P1D')
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000_000)


def _wrong(option: BrokerOption, value: object, wanted: str) -> ValueError:
    return ValueError(f"{option.name} is {shown(value)}, but {wanted} is needed")


def _whole(option: BrokerOption, value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(option, value, "a whole number")
    return value


def _milliseconds(option: BrokerOption, value: object) -> int:
    """Milliseconds: a bare number as in the broker's own files, or with a unit as elsewhere in a scenario."""
    try:
        return _whole(option, value)
    except ValueError:
        if not isinstance(value, str):
            raise _wrong(option, value, 'a number of milliseconds or a text like "30s"') from None
    try:
        nanoseconds = duration_ns(value)
    except QuantityError as error:
        raise ValueError(f"{option.name}: {error}") from None
    if nanoseconds % NANOSECONDS_PER_MS:
        raise _wrong(option, value, "a whole number of milliseconds")
    return nanoseconds // NANOSECONDS_PER_MS


def _bytes(option: BrokerOption, value: object) -> int:
    try:
        return _whole(option, value)
    except ValueError:
        if not isinstance(value, str):
            raise _wrong(option, value, 'a number of bytes or a text like "16KiB"') from None
    try:
        return size_bytes(value)
    except QuantityError as error:
        raise ValueError(f"{option.name}: {error}") from None


def _truth(option: BrokerOption, value: object) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise _wrong(option, value, "true or false")
    return value


def _fraction(option: BrokerOption, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _wrong(option, value, "a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise _wrong(option, value, "a number") from None


def _word(option: BrokerOption, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if option.takes_duration and text.startswith(option.takes_duration + ":"):
        iso_duration_ns(text.partition(":")[2], option.name)
        return text
    if text in option.not_modelled or text.partition(":")[0] in option.not_modelled:
        modelled = ", ".join(option.allowed)
        raise ValueError(f"{option.name}: {shown(text)} is real, but edasim models only {modelled}")
    if option.allowed and text not in option.allowed:
        raise _wrong(option, value, "one of " + ", ".join(option.allowed))
    return text


def _text(option: BrokerOption, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise _wrong(option, value, "a text")


def _words(option: BrokerOption, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise _wrong(option, value, "a list or a text with commas")
    return tuple(_word(option, item) for item in value)


_PARSERS: dict[Kind, Callable[[BrokerOption, object], object]] = {
    "int": _whole,
    "bool": _truth,
    "duration_ms": _milliseconds,
    "bytes": _bytes,
    "enum": _word,
    "str": _text,
    "float": _fraction,
    "list": _words,
}
