"""Numbers and names as a reader wants them: `203 ± 9`, `1.2 s`, `Kafka and RabbitMQ`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edasim.study.precision import Interval

DISPLAY = {"monolith": "monolith", "rpc": "RPC", "kafka": "Kafka", "rabbitmq": "RabbitMQ"}


def display(architecture: str) -> str:
    """How a label writes an architecture."""
    return DISPLAY.get(architecture, architecture)


def subject(architecture: str) -> str:
    """How a sentence writes it: `the monolith`, `Kafka`."""
    return "the monolith" if architecture == "monolith" else display(architecture)


def summed_up(texts: Sequence[str], what: str = "") -> str:
    """One or two texts in full; of more the first, and how many others: `broker cut off and 3 more`."""
    if len(texts) <= 2:
        return " and ".join(texts)
    return f"{texts[0]} and {len(texts) - 1} more{what}"


def counted(number: float, what: str) -> str:
    """`1 worker`, `2 workers`, `unlimited workers`."""
    return f"{many(number)} {what}{'' if number == 1 else 's'}"


def many(number: float) -> str:
    """`2,000`, or `unlimited`."""
    return f"{number:,}" if math.isfinite(number) else "unlimited"


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    parts = list(words)
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def capitalised(sentence: str) -> str:
    """The first letter as a sentence begins; the rest stays."""
    return sentence[:1].upper() + sentence[1:]


def count_text(found: Interval, sign: bool = False) -> str:
    """A count with its error bar, `203 ± 9`, or without when all replications agree; a dash for what nobody knows."""
    return _with_half(found, 1.0, sign) if found.known else "–"


def seconds_text(found: Interval, sign: bool = False) -> str:
    """A time with its unit and error bar: `8.3 ± 0.1 ms`, `12.1 ± 0.4 s`; infinite is `never`."""
    if not found.known:
        return "never"
    scale, unit = _unit(abs(found.mean))
    return f"{_with_half(found, scale, sign, least_digits=3)} {unit}"


def seconds_short(seconds: float) -> str:
    """A time without error bar in two or three digits, for prose: `8.3 ms`, `12 s`, `never`."""
    if not math.isfinite(seconds):
        return "never"
    scale, unit = _unit(abs(seconds))
    size = math.floor(math.log10(abs(seconds * scale))) if seconds else 0
    return f"{grouped(seconds * scale, max(0, 1 - size) if seconds else 0)} {unit}"


def grouped(number: float, decimals: int = 0) -> str:
    """A number with thousands set apart, `2,198`; a zero has no sign."""
    text = f"{number:,.{decimals}f}"
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else text.lstrip("-")


def _unit(seconds: float) -> tuple[float, str]:
    if seconds == 0 or seconds >= 1:
        return 1.0, "s"
    return (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")


def _with_half(found: Interval, scale: float, sign: bool, least_digits: int = 1) -> str:
    mean, half = found.mean * scale, (found.high - found.mean) * scale
    has_half = not math.isnan(half) and half > 1e-9 * abs(mean)
    if has_half and half > mean > 0 == found.low:
        # What cannot be less than 0 is not said to be.
        decimals = _decimals(mean, half, least_digits)
        return f"{grouped(mean, decimals)} (0 to {grouped(mean + half, decimals)})"
    decimals = _decimals(mean, half if has_half else None, least_digits)
    text = grouped(mean, decimals)
    if sign and mean > 0:
        text = "+" + text
    # A half that would read as nothing is rounded up to the last digit shown.
    return f"{text} ± {grouped(max(half, 10.0**-decimals), decimals)}" if has_half else text


def _decimals(mean: float, half: float | None, least_digits: int) -> int:
    """One digit of the half, so long as the mean has three at most; without a half, so many digits of the mean."""
    if mean == 0 and not half:
        return 0
    size = math.floor(math.log10(abs(mean))) if mean else 0
    if half is None:
        whole = mean == round(mean) and least_digits == 1
        return 0 if whole else max(0, max(2, least_digits) - 1 - size)
    return max(0, min(-math.floor(math.log10(half)), 2 - size))
