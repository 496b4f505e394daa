"""How long an idempotent service recognises a message that it has handled before."""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias

from pydantic import Discriminator, PlainValidator, Tag, model_validator

from edasim.core.quantity import QuantityError, show_duration
from edasim.scenario.fields import OptionalPositiveDuration, Part, optional_whole, yes_or_no

MOST_REMEMBERED = 10_000_000


class Memory(Part):
    """A window of recognition: `remembers` so many ids, or each id for the nanoseconds of `for_`."""

    remembers: Annotated[int | None, optional_whole(1, MOST_REMEMBERED)] = None
    for_: OptionalPositiveDuration = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.remembers is None) == (self.for_ is None):
            found = "no window is given" if self.remembers is None else "remembers and for are both given"
            raise QuantityError(f"{found}: write remembers: 1000, or for: 10s, or just true")
        return self

    @property
    def words(self) -> str:
        """What it recognises, as people say it."""
        return f"the last {self.remembers} ids" if self.for_ is None else f"each id for {show_duration(self.for_)}"


def _kind(value: object) -> str:
    return "[window]" if isinstance(value, (dict, Memory)) else "[flag]"


Idempotence: TypeAlias = Annotated[
    Annotated[bool, PlainValidator(yes_or_no), Tag("[flag]")] | Annotated[Memory, Tag("[window]")], Discriminator(_kind)
]
"""Not at all, for ever, or within a window. The tags stand in pydantic's places in brackets, as its own do."""
