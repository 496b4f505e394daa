"""Quantities as people write them: `30ms`, `40/s`, `2%`, `4x`, `16KiB`.

Each reader takes what a file may hold at that place (any type, hostile or not) and gives a plain number in
the unit of its name, or raises `QuantityError`, whose text is one sentence: the culprit and what is allowed.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

NANOSECONDS_PER: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
SECOND_NS: Final = NANOSECONDS_PER["s"]
LONGEST_NS: Final = 3652 * NANOSECONDS_PER["d"]
HIGHEST_RATE_PER_S: Final = 1e9
LOWEST_RATE_PER_S: Final = 1e-12
BYTES_PER: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "KiB": 2**10, "MiB": 2**20}
LARGEST_BYTES: Final = 2**30

_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,40})?)"
_DURATION = re.compile(_NUMBER + r"(ns|us|ms|s|min|h|d)")
_RATE = re.compile(_NUMBER + r"/(s|min|h|d)")
_SHARE = re.compile(_NUMBER + r"%")
_FACTOR = re.compile(_NUMBER + r"x")
_SIZE = re.compile(_NUMBER + r"(B|kB|MB|KiB|MiB)")
_PLAIN = re.compile(r"[-+]?" + _NUMBER)
_LEADING_ZERO = re.compile(r"0+([0-9]{1,18})")


class QuantityError(ValueError):
    """A text that is not the quantity it should be; its text is one sentence."""


def shown(value: object) -> str:
    """The value as a sentence may quote it: short, on one line, and without control characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    if not isinstance(value, str):
        return str(value)[:60]
    return '"' + printable(value if len(value) <= 60 else value[:57] + "...") + '"'


def printable(text: str) -> str:
    """The text with an escape for each character that is no letter, sign or space."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def duration_ns(value: object) -> int:
    """Nanoseconds of `10ns`, `250us`, `30ms`, `1.5s`, `2min`, `1h` or `1d`; at most ten years."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise QuantityError(_refusal(value, "a duration", "30ms, 1.5s or 2min", "ms"))
    length_ns = round(Decimal(match[1]) * NANOSECONDS_PER[match[2]])
    if length_ns > LONGEST_NS:
        raise QuantityError(f"{shown(value)} is too long: durations are at most 10 years (3652d)")
    return length_ns


def positive_duration_ns(value: object) -> int:
    """A duration above zero, in nanoseconds."""
    length_ns = duration_ns(value)
    if length_ns == 0:
        raise QuantityError(f"{shown(value)} is too short: a duration above 0s is needed here")
    return length_ns


def rate_per_s(value: object) -> float:
    """Events per second of `40/s`, `90/min`, `3/h` or `10/d`; at most 10^9 per second."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise QuantityError(_refusal(value, "a rate", "40/s, 90/min or 3/h", "/s"))
    rate = float(Decimal(match[1]) * SECOND_NS / NANOSECONDS_PER[match[2]])
    if rate > HIGHEST_RATE_PER_S:
        raise QuantityError(f"{shown(value)} is too high: rates are at most 1000000000/s")
    if 0 < rate < LOWEST_RATE_PER_S:
        raise QuantityError(f"{shown(value)} is too low: rates are 0/s or at least one in 30000 years")
    return rate


def positive_rate_per_s(value: object) -> float:
    """A rate above zero, in events per second."""
    rate = rate_per_s(value)
    if rate == 0:
        raise QuantityError(f"{shown(value)} is too low: a rate above 0/s is needed here")
    return rate


def share(value: object) -> float:
    """A part of the whole, from 0 to 1, of `2%` or `0.5%`."""
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, float) and 0 < value <= 1:
        raise QuantityError(f"{shown(value)} has no unit: write {show_share(value)} for this part of the whole")
    if match is None:
        raise QuantityError(_refusal(value, "a share", "2% or 0.5%, from 0% to 100%", "%"))
    part = float(Decimal(match[1]) / 100)
    if part > 1:
        raise QuantityError(f"{shown(value)} is too much: shares go from 0% to 100%")
    return part


def factor(value: object) -> float:
    """How many times as much: 4.0 of `4x`."""
    match = _FACTOR.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise QuantityError(_refusal(value, "a factor", "4x or 1.5x", "x"))
    times = float(match[1])
    if not 0 < times <= 1e6:
        raise QuantityError(f"{shown(value)} is out of range: factors are above 0x and at most 1000000x")
    return times


def size_bytes(value: object) -> int:
    """Bytes of `200B`, `1kB` (1000), `16KiB` (16384) or `1MB`; at most 1 GiB."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise QuantityError(_refusal(value, "a size", "200B, 1kB or 16KiB", "B"))
    size = round(Decimal(match[1]) * BYTES_PER[match[2]])
    if size > LARGEST_BYTES:
        raise QuantityError(f"{shown(value)} is too large: sizes are at most 1024MiB")
    return size


def count(value: object, low: int = 0, high: int = 10**9) -> int:
    """A whole number from `low` to `high`; booleans, fractions and texts are none."""
    allowed = f"a whole number from {low} to {high} is needed"
    if isinstance(value, str) and (padded := _LEADING_ZERO.fullmatch(value)):
        raise QuantityError(f"{shown(value)} has a leading zero: write {int(padded[1])}, {allowed}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise QuantityError(f"{shown(value)} is not a whole number: {allowed}")
    if not low <= value <= high:
        raise QuantityError(f"{shown(value)} is out of range: {allowed}")
    return value


def show_duration(length_ns: int) -> str:
    """The shortest usual text that reads back as exactly these nanoseconds."""
    for unit, least_ns in (
        ("d", NANOSECONDS_PER["d"]),
        ("h", NANOSECONDS_PER["h"]),
        ("min", 600 * SECOND_NS),
    ):
        if length_ns >= least_ns and length_ns % NANOSECONDS_PER[unit] == 0:
            return f"{length_ns // NANOSECONDS_PER[unit]}{unit}"
    if length_ns == 0:
        return "0s"
    unit = next(unit for unit in ("s", "ms", "us", "ns") if length_ns >= NANOSECONDS_PER[unit])
    return show_number(Decimal(length_ns) / NANOSECONDS_PER[unit]) + unit


def show_rate(rate: float) -> str:
    """A rate per second as text, `40/s`."""
    return show_number(rate) + "/s"


def show_share(part: float) -> str:
    """A share from 0 to 1 as text, `2%`."""
    return show_number(Decimal(repr(float(part))) * 100) + "%"


def show_factor(times: float) -> str:
    """A factor as text, `4x`."""
    return show_number(times) + "x"


def show_size(size: int) -> str:
    """Bytes as text, `1kB`."""
    unit = "kB" if size and size % 1000 == 0 else "B"
    return f"{size // BYTES_PER[unit]}{unit}"


def show_number(number: float | Decimal) -> str:
    """A finite number without an exponent and without trailing zeros."""
    exact = number if isinstance(number, Decimal) else Decimal(repr(float(number)))
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refusal(value: object, what: str, examples: str, unit: str) -> str:
    """Why the value is not `what`, with the likeliest cure."""
    if isinstance(value, str) and value.startswith("-") and value[1:2].isdigit():
        return f"{shown(value)} is negative: {what} such as {examples} is needed"
    bare = isinstance(value, (int, float)) and not isinstance(value, bool)
    if bare and _PLAIN.fullmatch(str(value)) or isinstance(value, str) and _PLAIN.fullmatch(value):
        number = str(value)
        if not number.startswith("-"):
            return f"{number} has no unit: write {number.lstrip('+')}{unit}, or {what} such as {examples}"
        return f"{number} is negative and has no unit: {what} such as {examples} is needed"
    return f"{shown(value)} is not {what}: write it as {examples}"
