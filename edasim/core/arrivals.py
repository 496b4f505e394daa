"""Reading when orders are placed: `40/s`, `constant 40/s`, `ramp 10/s to 95/s over 60s`, `times [1s, 2s]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from itertools import pairwise

from edasim.core.arrival_process import Arrivals, Batches, Regular, Renewal, Times
from edasim.core.distribution import LONGEST_TEXT, MOST_MEASURED, parse_distribution
from edasim.core.intensity import Bursts, Poisson, Profile, Ramp, Spike
from edasim.core.quantity import QuantityError, count, duration_ns, positive_duration_ns, rate_per_s, shown

__all__ = ["Arrivals", "parse_arrivals"]

_RATE_ALONE = re.compile(r"[-+.0-9]+/?[a-z]*")


def parse_arrivals(value: object) -> Arrivals:
    """The arrivals of a text, or of a list of times; raises `QuantityError`."""
    if isinstance(value, (list, tuple)):
        return _times(list(value))
    if not isinstance(value, str) or _RATE_ALONE.fullmatch(value):
        return Poisson(rate_per_s(value))
    if len(value) > LONGEST_TEXT:
        raise QuantityError(f"{shown(value)} is too long: at most {MOST_MEASURED} times can be given")
    name, _, rest = (f"times {value}" if value.startswith("[") else value).partition(" ")
    if name not in _READERS:
        near = get_close_matches(name[:40], _READERS, n=1)
        known = f"known are a rate such as 40/s, and {', '.join(_READERS)}"
        cure = f"did you mean {near[0]}?" if near else known
        raise QuantityError(f"{shown(value)} does not say when orders are placed: {cure}")
    pattern, reader, form = _READERS[name]
    match = re.fullmatch(pattern, rest)
    if match is None:
        raise QuantityError(f"{shown(value)} does not say when orders are placed: write it as {form}")
    try:
        return reader(*match.groups())
    except QuantityError as error:
        raise QuantityError(f"in {shown(value)}, {error}") from None


def _poisson(rate: str) -> Arrivals:
    return Poisson(rate_per_s(rate))


def _constant(rate: str) -> Arrivals:
    return Regular(rate_per_s(rate))


def _every(interval: str) -> Arrivals:
    distribution = parse_distribution(interval)
    if distribution.mean_s == 0:
        raise QuantityError(f"{shown(interval)} leaves no time between orders: more than 0s is needed")
    return Renewal(distribution)


def _batches(size: str, moments: str) -> Arrivals:
    if moments.startswith("batches"):
        raise QuantityError("batches of batches are not known: write one batch size")
    return Batches(count(int(size), low=1, high=1_000_000), parse_arrivals(moments))


def _ramp(from_rate: str, to_rate: str, length: str) -> Arrivals:
    return Ramp(rate_per_s(from_rate), rate_per_s(to_rate), positive_duration_ns(length))


def _spike(base: str, top: str, at: str, length: str) -> Arrivals:
    return Spike(rate_per_s(base), rate_per_s(top), duration_ns(at), duration_ns(length))


def _profile(rates: str, step: str) -> Arrivals:
    return Profile(tuple(rate_per_s(rate) for rate in rates.split(" ")), positive_duration_ns(step))


def _bursts(busy: str, busy_length: str, calm: str, calm_length: str) -> Arrivals:
    bursts = Bursts(
        rate_per_s(busy), parse_distribution(busy_length), rate_per_s(calm), parse_distribution(calm_length)
    )
    if not 0 < bursts.segment_s < float("inf"):
        raise QuantityError("busy and calm times must have a mean above 0s that is finite")
    return bursts


def _times(times: list[object]) -> Arrivals:
    if not 0 < len(times) <= MOST_MEASURED:
        raise QuantityError(f"a list of {len(times)} times is not possible: give 1 to {MOST_MEASURED}")
    times_ns = tuple(duration_ns(time) for time in times)
    for earlier, (before_ns, after_ns) in enumerate(pairwise(times_ns)):
        if after_ns < before_ns:
            raise QuantityError(f"{times[earlier + 1]} comes after {times[earlier]}: write times in their order")
    return Times(times_ns)


def _times_text(inside: str) -> Arrivals:
    return _times([time.strip() for time in inside.split(",")])


_READERS: dict[str, tuple[str, Callable[..., Arrivals], str]] = {
    "poisson": (r"(\S+)", _poisson, "poisson 40/s"),
    "constant": (r"(\S+)", _constant, "constant 40/s"),
    "every": (r"(.+)", _every, "every exponential 25ms"),
    "batches": (r"of ([0-9]{1,9}) at (.+)", _batches, "batches of 10 at poisson 4/s"),
    "ramp": (r"(\S+) to (\S+) over (\S+)", _ramp, "ramp 10/s to 95/s over 60s"),
    "spike": (r"(\S+) to (\S+) at (\S+) for (\S+)", _spike, "spike 40/s to 300/s at 20s for 5s"),
    "profile": (r"(\S+(?: \S+)*) each (\S+)", _profile, "profile 10/s 40/s 95/s each 15s"),
    "bursts": (r"(\S+) for (.+?) then (\S+) for (.+)", _bursts, "bursts 100/s for 2s then 5/s for 8s"),
    "times": (r"\[([^\[\]]*)\]", _times_text, "times [1s, 1.5s, 3s]"),
}
