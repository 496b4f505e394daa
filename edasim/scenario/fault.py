"""What goes wrong, where, from when to when."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import PlainValidator, model_validator

from edasim.core.quantity import QuantityError, show_duration, show_share, shown
from edasim.scenario.fields import (
    OptionalDuration,
    OptionalFactor,
    OptionalPositiveDuration,
    OptionalRandom,
    OptionalShare,
    Part,
    optional_whole,
)

KINDS: Final = ("unavailable", "failing", "slow", "crash", "stop", "deploy", "cut", "lossy", "duplicating")
LINK_KINDS: Final = ("slow", "cut", "lossy", "duplicating")
_LINK = re.compile(r"([A-Za-z0-9_-]{1,64}) (<->|->) ([A-Za-z0-9_-]{1,64})")
_PART = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.replica-[1-9][0-9]?)?")

# What a kind of fault may have besides its times; True where it must have it.
_ADDITIONS: Final = {
    "by": {"slow": True},
    "share": {"failing": False, "lossy": True, "duplicating": True},
    "after": {"duplicating": False},
    "rolling": {"deploy": True},
    "workers": {"crash": False, "stop": False},
}
_EXAMPLES: Final = {"by": "by: 4x", "share": "share: 5%", "rolling": "rolling: 5s"}


def target_name(value: object) -> str | None:
    """A part's name, or a link as `payment -> broker` or `payment <-> broker`."""
    if value is None:
        return None
    if not isinstance(value, str) or not (_PART.fullmatch(value) or _LINK.fullmatch(value)):
        examples = "payment, broker or payment <-> broker"
        raise QuantityError(f"{shown(value)} is neither a part nor a link: write it as {examples}")
    return value


Target = Annotated[str | None, PlainValidator(target_name)]


class Fault(Part):
    """One fault. Exactly one of the kinds names its target; `at` dates it, or `every` makes it come repeatedly.

    `for_` is how long it holds (None: to the end); for crash and stop, how long until the part is back. `every` is
    the time from one end to the next start. `by` is how many times slower, `share` the part of the messages or
    attempts that it meets, `rolling` the time from one worker's restart to the next, `workers` how many of them go,
    `after` how long it takes until what is repeated comes again.
    """

    unavailable: Target = None
    failing: Target = None
    slow: Target = None
    crash: Target = None
    stop: Target = None
    deploy: Target = None
    cut: Target = None
    lossy: Target = None
    duplicating: Target = None
    at: OptionalDuration = None
    for_: OptionalRandom = None
    every: OptionalRandom = None
    by: OptionalFactor = None
    share: OptionalShare = None
    after: OptionalPositiveDuration = None
    rolling: OptionalDuration = None
    workers: Annotated[int | None, optional_whole(1, 10_000)] = None

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def target(self) -> str:
        """The part or link that it hits, as the file names it."""
        return str(getattr(self, self.kind))

    @property
    def link(self) -> tuple[str, str, bool] | None:
        """The two ends of a link, and whether both directions are hit; None when the target is a part."""
        match = _LINK.fullmatch(self.target)
        return (match[1], match[3], match[2] == "<->") if match else None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = f"{' and '.join(kinds)} are two kinds" if kinds else "no kind of fault is named"
            raise QuantityError(f"{found}: name exactly one of {', '.join(KINDS)}")
        if (self.at is None) == (self.every is None):
            raise QuantityError("when it happens is not clear: write either at: 23s, or every: exponential 60s")
        if self.every is not None and self.every.mean_s == 0:
            raise QuantityError("every 0s leaves no time between: write a longer one, such as every: 60s")
        if self.every is not None and self.for_ is None and self.kind != "deploy":
            raise QuantityError("it comes again and again but never ends: write for: 10s beside every")
        if self.kind == "deploy" and self.for_ is not None:
            raise QuantityError("a deploy takes as long as its workers: leave for out, rolling says the pace")
        if self.link is not None and self.kind not in LINK_KINDS:
            raise QuantityError(f"{shown(self.target)} is a link: {self.kind} needs a part, such as payment")
        self._check_additions(kinds[0])
        return self

    def _check_additions(self, kind: str) -> None:
        for field, kinds in _ADDITIONS.items():
            given = getattr(self, field) is not None
            if given and kind not in kinds:
                raise QuantityError(f"{field} does not belong to {kind}: it goes with {' or '.join(kinds)}")
            if not given and kinds.get(kind):
                raise QuantityError(f"{kind} needs {field}: write {_EXAMPLES[field]}")

    @property
    def words(self) -> str:
        """What breaks, as people say it: `payment down`, `broker losing 5%`."""
        what = {
            "unavailable": "down",
            "failing": "failing" if self.share in (None, 1.0) else f"failing {show_share(self.share)} of the time",
            "slow": f"{self.by or 1:g} times slower",
            "crash": "crashed",
            "stop": "stopped",
            "deploy": "deployed anew, worker by worker",
            "cut": "cut off",
            "lossy": f"losing {show_share(self.share or 0.0)}",
            "duplicating": f"repeating {show_share(self.share or 0.0)}" + (
                "" if self.after is None else f" after {show_duration(self.after)}"),
        }[self.kind]
        return f"{self.target} {what}"
