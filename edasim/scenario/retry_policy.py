"""How a failed attempt is tried again: how often, after which wait, and where the wait is spent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import PlainSerializer, PlainValidator

from edasim.core.quantity import (
    LONGEST_NS,
    SECOND_NS,
    QuantityError,
    count,
    factor,
    positive_duration_ns,
    show_duration,
    show_factor,
    shown,
)
from edasim.scenario.fields import Part, PositiveDurationOrNone, Share, choice, or_word, show_or_word, whole

FORMS: Final = "none, fixed 100ms, or exponential 100ms x2 max 5s"
_FIXED = re.compile(r"fixed (\S+)")
_EXPONENTIAL = re.compile(r"exponential (\S+) x([0-9.]{1,20})(?: max (\S+))?")


@dataclass(frozen=True)
class Backoff:
    """The wait before each retry: `first_ns`, times `growth` for each retry before it, at most `most_ns`."""

    first_ns: int = 0
    growth: float = 1.0
    most_ns: int | None = None

    @property
    def text(self) -> str:
        """How a file writes it."""
        if self.first_ns == 0:
            return "none"
        if self.growth == 1.0 and self.most_ns is None:
            return f"fixed {show_duration(self.first_ns)}"
        most = "" if self.most_ns is None else f" max {show_duration(self.most_ns)}"
        return f"exponential {show_duration(self.first_ns)} x{show_factor(self.growth)[:-1]}{most}"

    def delay_ns(self, retry_number: int) -> int:
        """Nanoseconds before retry 1, 2, 3 ..., without jitter."""
        assert retry_number >= 1, f"retries count from 1, not {retry_number}"
        most_ns = LONGEST_NS if self.most_ns is None else self.most_ns
        if self.growth == 1.0 or self.first_ns == 0:
            return min(self.first_ns, most_ns)
        try:
            return min(round(self.first_ns * self.growth ** (retry_number - 1)), most_ns)
        except OverflowError:  # no float holds it, so it is past the limit
            return most_ns

    def __str__(self) -> str:
        return self.text


def parse_backoff(value: object) -> Backoff:
    """The backoff of a text; raises `QuantityError`."""
    if value == "none":
        return Backoff()
    if isinstance(value, str) and (match := _FIXED.fullmatch(value)):
        return Backoff(positive_duration_ns(match[1]))
    if isinstance(value, str) and (match := _EXPONENTIAL.fullmatch(value)):
        growth = factor(match[2] + "x")
        if not 1 <= growth <= 1000:
            raise QuantityError(f"in {shown(value)}, x{match[2]} is out of range: write x1 to x1000")
        return Backoff(positive_duration_ns(match[1]), growth, positive_duration_ns(match[3]) if match[3] else None)
    raise QuantityError(f"{shown(value)} is not a backoff: write it as {FORMS}")


Wait = Annotated[Backoff, PlainValidator(parse_backoff), PlainSerializer(str)]
Attempts = Annotated[
    int | None,
    PlainValidator(or_word("unlimited", lambda value: count(value, 1, 1_000_000))),
    show_or_word("unlimited", int),
]


class Budget(Part):
    """How many retries are affordable: each success earns a part of one, at most `cap` are saved up.

    A bucket of tokens, full at the start, as in the AWS SDKs' standard retry mode, in Finagle's RetryBudget and in
    M. Brooker, "Fixing retries with token buckets and circuit breakers" (2022).
    """

    earns: Share = 0.1
    cap: Annotated[int, whole(1, 1_000_000)] = 10


class Retry(Part):
    """What follows a failed attempt. `attempts` counts all, the first included; None is without limit.

    With a budget a service's retries are made only as far as it lasts; what it does not pay for is given up.
    """

    attempts: Attempts = 3
    backoff: Wait = Backoff(100_000_000, 2.0, 5 * SECOND_NS)
    jitter: Annotated[str, choice("none", "full", "equal", "decorrelated")] = "full"
    where: Annotated[str, choice("worker", "back", "aside")] = "worker"
    budget: Budget | None = None


class Client(Part):
    """Who places an order and waits for the answer, at most `timeout` nanoseconds from placed on (None: for ever)."""

    timeout: PositiveDurationOrNone = 5 * SECOND_NS
    retries: Annotated[int, whole(0, 1000)] = 0
    backoff: Wait = Backoff()
    budget: Budget | None = None
