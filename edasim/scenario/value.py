"""The scenario: an immutable value that says what exists, what happens to it, and for how long.

Durations are whole nanoseconds, rates orders per second, shares 0 to 1. Files write all of these as texts;
see `reading`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, model_serializer, model_validator

from edasim.core.keys import Keys
from edasim.core.quantity import SECOND_NS, QuantityError, share, show_share, shown
from edasim.scenario.architecture_options import Architectures
from edasim.scenario.breaker import Breaker
from edasim.scenario.deduplication import Idempotence
from edasim.scenario.fault import Fault
from edasim.scenario.fields import (
    Boolean,
    ByPath,
    Duration,
    FrozenMapping,
    KeySpread,
    Name,
    Named,
    Names,
    OptionalPositiveDuration,
    Part,
    Placing,
    Random,
    Rate,
    Share,
    Size,
    many,
    name,
    optional_whole,
    show_many,
    text,
)
from edasim.scenario.retry_policy import Client, Retry
from edasim.scenario.store import Store
from edasim.scenario.wire import Wire

_RANGE = re.compile(r"(\S.*?) ?\.\. ?(\S.*)")


class Producer(Part):
    """Who places orders: each is a message of the event type `publishes`, of `size` bytes, with a key such as
    `customer-17`. `priority` is the property of an AMQP message, 0 to 255: higher ones are handled first where there
    are priorities, and what services publish because of a message inherits it.
    """

    publishes: Name = Field(description="the event that it publishes, such as OrderPlaced")
    arrivals: Placing = Field(description="when orders are placed, such as poisson 40/s")
    key: Name = "order"
    keys: KeySpread = Keys()
    size: Size = 1000
    priority: Annotated[int | None, optional_whole(0, 255)] = None


class Publication(Part):
    """An event that a service publishes when it has handled a message, and for which share of them."""

    event: str
    share: float = 1.0


def read_publications(value: object) -> tuple[Publication, ...]:
    """`PaymentCaptured`, a list of which each is published, or shares of which one is: `{A: 95%, B: 5%}`."""
    if value is None:
        return ()
    if isinstance(value, dict):
        parts = [Publication(event=name(event), share=share(part)) for event, part in value.items()]
        if sum(part.share for part in parts) > 1 + 1e-9:
            total = show_share(round(sum(part.share for part in parts), 9))
            raise QuantityError(f"the shares add to {total}: at most one event is published, so 100% is the most")
        return tuple(parts)
    events = [name(event) for event in value] if isinstance(value, (list, tuple)) else [name(value)]
    if len(set(events)) < len(events):
        raise QuantityError("an event is listed twice: list each once")
    return tuple(Publication(event=event) for event in events)


def _show_publications(publications: tuple[Publication, ...]) -> Any:
    if any(publication.share < 1.0 for publication in publications):
        return {publication.event: show_share(publication.share) for publication in publications}
    events = [publication.event for publication in publications]
    return events[0] if len(events) == 1 else events


Publications = Annotated[
    tuple[Publication, ...], PlainValidator(read_publications), PlainSerializer(_show_publications)
]


class Redrive(Part):
    """When a service's dead letters are handed to it again, and how many of them in each second."""

    at: Duration = Field(description="when it begins, such as 40s")
    rate: Rate = Field(description="how many are handed on in each second, such as 20/s")


class Service(Part):
    """A business capability: which events it handles, with how many workers, how long it takes, what goes wrong.

    `fails` is each attempt's chance to fail, `poison` a message's chance that all its attempts fail; `joins` is
    when it starts to exist (nanoseconds). `idempotent` says whether it recognises a repetition, and how long.
    `workers` and `cores` may be infinite: a worker for each message, and a core for each worker; fewer cores are shared
    equally by the workers that are at work.
    """

    handles: Names = Field(description="the event (or a list of events) that it handles, such as OrderPlaced")
    work: Random = Field(description="how long handling takes, such as exponential 30ms")
    workers: Annotated[float, many(1, 10_000), show_many] = 1
    cores: Annotated[float, many(1, 10_000), show_many] = math.inf
    fails: Share = 0.0
    poison: Share = 0.0
    required: Boolean = True
    idempotent: Idempotence = False
    publishes: Publications = ()
    joins: Duration = 0
    retry: Retry | None = None
    breaker: Breaker | None = None
    dead_letters: Boolean = True
    redrive: Redrive | None = None
    store: Store | None = None

    @property
    def at_once(self) -> float:
        """How many attempts make full progress at one time: as many as there are workers, and cores for them."""
        return min(self.workers, self.cores)

    @property
    def publishes_one_of(self) -> bool:
        """Whether at most one of its events is published for a message, by their shares, and not each of them."""
        return any(publication.share < 1.0 for publication in self.publishes)


class Knob(Part):
    """From where to where a slider moves a value, both ends as texts: `5/s .. 95/s`."""

    low: str
    high: str

    @model_validator(mode="before")
    @classmethod
    def _range(cls, data: Any) -> Any:
        match = _RANGE.fullmatch(data) if isinstance(data, str) and len(data) <= 1000 else None
        if match is None:
            raise QuantityError(f"{shown(data)} is not a range: write it as 1 .. 8 or 0s .. 30s")
        return {"low": match[1], "high": match[2]}

    @model_serializer
    def _text(self) -> str:
        return f"{self.low} .. {self.high}"


class Change(Part):
    """A value that changes within the run: from `at_ns` on (nanoseconds; a file writes `at`), `path` is `value`."""

    at_ns: Duration = Field(alias="at", description="when it changes, such as 30s")
    path: Annotated[str, text(1000)] = Field(description="what changes, such as services.payment.fails")
    value: Any = Field(description="what it is from then on, such as 10%")


def _in_time(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: change.at_ns))


class Scenario(Part):
    """What exists and for how long. Exactly one of `duration` and `orders` ends the placing of orders."""

    title: Annotated[str, text(200)] = "Untitled"
    description: Annotated[str, text(10_000, lines=True)] = ""
    duration: OptionalPositiveDuration = None
    orders: Annotated[int | None, optional_whole(1, 10**15)] = None
    warm_up: Duration = 0
    drain: Duration = 120 * SECOND_NS
    producers: Named[Producer] = FrozenMapping()
    services: Named[Service] = FrozenMapping()
    client: Client = Client()
    retry: Retry = Retry()
    faults: Named[Fault] = FrozenMapping()
    wire: Wire = Wire()
    architectures: Architectures = Field(default_factory=lambda: Architectures.model_validate(None))
    knobs: ByPath[Knob] = FrozenMapping()
    changes: Annotated[tuple[Change, ...], AfterValidator(_in_time)] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scenario:
        """The scenario of a mapping with the same texts as a file; raises `ScenarioError`."""
        from edasim.scenario.reading import build

        return build(dict(data))

    def change(self, values: Mapping[str, object], at: str | None = None) -> Scenario:
        """A copy with other values by path, from the start or (`at="30s"`) from a time within the run; raises
        `ScenarioError`.
        """
        from edasim.scenario.changing import change

        return change(self, values, at)

    def may_have(self, path: str, absent: object) -> bool:
        """Whether the value at a path is another than the one that stands for its absence, now or after a dated
        change.
        """
        from edasim.scenario.path import current

        return current(self, path) != absent or any(change.path == path for change in self.changes)

    def at(self, change: Change) -> Scenario:
        """The scenario as it is once a dated change has happened."""
        from edasim.scenario.changing import change as apply

        return apply(self, {change.path: change.value})
