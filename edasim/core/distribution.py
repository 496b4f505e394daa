"""Reading random durations: `30ms`, `exponential 30ms`, `lognormal p50 15ms p99 60ms`, a list of durations."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from difflib import get_close_matches

from edasim.core.mixtures import Empirical, Hyper
from edasim.core.quantity import (
    QuantityError,
    count,
    duration_ns,
    positive_duration_ns,
    share,
    show_share,
    shown,
)
from edasim.core.shapes import Constant, Distribution, Exponential, Gamma, Lognormal, Pareto, Uniform

__all__ = ["Distribution", "parse_distribution"]

MOST_MEASURED = 10_000
LONGEST_TEXT = 20 * MOST_MEASURED
_BETWEEN_PARTS = re.compile(r", ?(?=[0-9.]+% )")
_PART = re.compile(r"(\S+) (.+)")
_PLAIN_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,20})?")


def parse_distribution(value: object) -> Distribution:
    """The distribution of a text, or of a list of measured durations; raises `QuantityError`."""
    if isinstance(value, (list, tuple)):
        return _empirical(list(value))
    if not isinstance(value, str):
        return Constant(duration_ns(value))
    if len(value) > LONGEST_TEXT:
        raise QuantityError(f"{shown(value)} is too long: at most {MOST_MEASURED} durations can be given")
    name, _, rest = (f"empirical {value}" if value.startswith("[") else value).partition(" ")
    if not rest or name not in _READERS:
        return Constant(_lone_duration_ns(value, name))
    pattern, reader, forms = _READERS[name]
    match = re.fullmatch(pattern, rest)
    if match is None:
        raise QuantityError(f"{shown(value)} is not a distribution: write it as {forms}")
    try:
        return reader(*match.groups())
    except QuantityError as error:
        raise QuantityError(f"in {shown(value)}, {error}") from None


def _lone_duration_ns(value: str, name: str) -> int:
    """A duration alone is a constant; a word that begins no distribution is refused with the nearest one."""
    if not name[:1].isalpha():
        return duration_ns(value)
    if name in _READERS:
        raise QuantityError(f"{shown(value)} is not complete: write it as {_READERS[name][2]}")
    near = get_close_matches(name[:40], _READERS, n=1)
    cure = f"did you mean {near[0]}?" if near else f"known are a duration such as 30ms, and {', '.join(_READERS)}"
    raise QuantityError(f"{shown(value)} is not a distribution: {cure}")


def _constant(length: str) -> Distribution:
    return Constant(duration_ns(length))


def _exponential(mean: str) -> Distribution:
    return Exponential(positive_duration_ns(mean))


def _uniform(low: str, high: str) -> Distribution:
    low_ns, high_ns = duration_ns(low), duration_ns(high)
    if low_ns > high_ns:
        raise QuantityError(f"{low} is above {high}: write the lower duration first")
    return Uniform(low_ns, high_ns)


def _lognormal(median: str | None, tail: str | None, mean: str | None, cv: str | None) -> Distribution:
    if median is None or tail is None:
        return Lognormal(positive_duration_ns(mean), _number(cv, "cv", 0.001, 100.0), by_mean=True)
    median_ns, tail_ns = positive_duration_ns(median), duration_ns(tail)
    if tail_ns < median_ns:
        raise QuantityError(f"the p99 {tail} is below the p50 {median}: write a p99 of at least the p50")
    return Lognormal(median_ns, float(tail_ns))


def _gamma(mean: str, cv: str) -> Distribution:
    return Gamma(positive_duration_ns(mean), _number(cv, "cv", 0.01, 20.0))


def _erlang(stages: str, mean: str) -> Distribution:
    whole = int(stages) if stages.isdecimal() and stages.isascii() and len(stages) < 10 else stages
    return Gamma(positive_duration_ns(mean), stages=count(whole, low=1, high=10_000))


def _pareto(least: str, shape: str) -> Distribution:
    return Pareto(positive_duration_ns(least), _number(shape, "shape", 0.1, 1000.0))


def _hyper(text: str) -> Distribution:
    parts: list[tuple[float, Distribution]] = []
    for piece in _BETWEEN_PARTS.split(text):
        match = _PART.fullmatch(piece)
        if match is None or match[2].startswith("hyper"):
            raise QuantityError(f"{shown(piece)} is not a part: write {_READERS['hyper'][2]}")
        parts.append((share(match[1]), parse_distribution(match[2])))
    total = sum((Decimal(repr(part)) for part, _ in parts), Decimal(0))
    if abs(total - 1) > Decimal("1e-9"):
        raise QuantityError(f"the shares add to {show_share(float(total))}: they must add to 100%")
    return Hyper(tuple(parts))


def _empirical(lengths: list[object]) -> Distribution:
    if not 0 < len(lengths) <= MOST_MEASURED:
        raise QuantityError(f"a list of {len(lengths)} durations is not possible: give 1 to {MOST_MEASURED}")
    return Empirical(tuple(duration_ns(length) for length in lengths))


def _empirical_text(inside: str) -> Distribution:
    return _empirical([length.strip() for length in inside.split(",")])


def _number(text: str | None, what: str, low: float, high: float) -> float:
    if text is None or not _PLAIN_NUMBER.fullmatch(text) or not low <= float(text) <= high:
        raise QuantityError(f"{what} {text} is not possible: {what} is a number from {low:g} to {high:g}")
    return float(text)


_READERS: dict[str, tuple[str, Callable[..., Distribution], str]] = {
    "constant": (r"(\S+)", _constant, "constant 30ms or 30ms"),
    "exponential": (r"(\S+)", _exponential, Exponential.forms),
    "uniform": (r"([^ .]+(?:\.[0-9][^ .]*)?)\.\.(\S+)", _uniform, Uniform.forms),
    "lognormal": (r"(?:p50 (\S+) p99 (\S+)|mean (\S+) cv (\S+))", _lognormal, Lognormal.forms),
    "gamma": (r"mean (\S+) cv (\S+)", _gamma, Gamma.forms),
    "erlang": (r"(\S+) mean (\S+)", _erlang, "erlang 2 mean 20ms"),
    "pareto": (r"(\S+) shape (\S+)", _pareto, Pareto.forms),
    "hyper": (r"(.+)", _hyper, Hyper.forms),
    "empirical": (r"\[([^\[\]]*)\]", _empirical_text, Empirical.forms),
}
