"""What moves through RabbitMQ: a publication on its way in, an entry in a queue, and the record of its deaths."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edasim.brokers.rabbitmq.routes import Headers
from edasim.core.clock import Signal
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.rabbitmq.channel import Publisher

Answer = Callable[["Publication", bool], None]
"""Told when a publication is confirmed (True) or refused (False)."""


@dataclass(frozen=True)
class Properties:
    """The basic properties that matter here.  `attempt` and `last_wait_ns` are headers of the application: attempts
    made so far, and how long the message was made to wait before it came back."""

    headers: Headers | None = None
    expiration_ns: int | None = None
    attempt: int = 0
    last_wait_ns: int = 0
    deaths: tuple[Death, ...] = ()


@dataclass(frozen=True)
class Death:
    """One element of x-death: how often a message died in one queue for one reason."""

    queue: str
    reason: str
    count: int
    exchange: str
    routing_key: str
    time_ns: int
    original_expiration_ns: int | None = None


PLAIN = Properties()


class Publication(Signal):
    """One basic.publish: re-armed for the way in, the disk, and the way of its confirm.

    `context` is the publishing application's own; `publisher` awaits the confirm (None: nobody does); `first` is
    the publication of which this is a repetition; `waiting` counts the queues that do not have it safe yet.
    """

    __slots__ = (
        "answer", "context", "exchange", "first", "message", "ok", "properties", "publisher", "routing_key", "waiting",
    )

    def __init__(
        self, message: Message, exchange: str, routing_key: str, answer: Answer | None,
        properties: Properties = PLAIN, context: Any = None,
    ) -> None:
        self.context = context
        self.message = message
        self.exchange = exchange
        self.routing_key = routing_key
        self.answer = answer
        self.properties = properties
        self.publisher: Publisher | None = None
        self.first: Publication | None = None
        self.waiting = 0
        self.ok = True

    def repetition(self) -> Publication:
        """The same publication once more, to be sent while the first may still be on its way."""
        again = Publication(self.message, self.exchange, self.routing_key, self.answer, self.properties)
        again.publisher = self.publisher
        again.first = self.first or self
        return again


class Entry(Signal):
    """The copy of a message in one queue; its `position` is its place for ever, also after a requeue.

    Re-armed for each hop: to the consumer and back as an acknowledgement.  `publication` is what brought it here,
    `redelivered` whether it was handed out before, `delivery_count` what counts toward x-delivery-limit.
    """

    __slots__ = ("delivery_count", "expires_ns", "message", "position", "publication", "redelivered")

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self.message = publication.message
        self.expires_ns = 0
        self.position = 0
        self.redelivered = False
        self.delivery_count = 0

    @property
    def attempt(self) -> int:
        """How many attempts were made before it came here, as the publisher wrote into its headers."""
        return self.publication.properties.attempt

    @property
    def last_wait_ns(self) -> int:
        """How long it was made to wait before it came here."""
        return self.publication.properties.last_wait_ns

    @property
    def properties(self) -> Properties:
        """The properties with which it came."""
        return self.publication.properties

    def fresh_copy(self) -> Entry:
        """The same entry as a new signal, because the old one is still on its way or in a client's hands."""
        copy = Entry(self.publication)
        copy.position, copy.expires_ns = self.position, self.expires_ns
        copy.redelivered, copy.delivery_count = self.redelivered, self.delivery_count
        return copy


def with_death(publication: Publication, queue: str, reason: str, now_ns: int) -> Properties:
    """The properties of what died in a queue: x-death newest first, one element for each queue and reason."""
    properties = publication.properties
    deaths = properties.deaths
    same = next((death for death in deaths if (death.queue, death.reason) == (queue, reason)), None)
    if same is None:
        newest = Death(
            queue, reason, 1, publication.exchange, publication.routing_key, now_ns,
            properties.expiration_ns if reason == "expired" else None,
        )
    else:
        newest = replace(same, count=same.count + 1)
    # The message's own expiration is removed, so that it does not expire again where it goes.
    return replace(
        properties, expiration_ns=None, deaths=(newest, *(death for death in deaths if death is not same)))


def died_in_circles(properties: Properties, queue: str) -> bool:
    """Whether a message that just died came to `queue` before and has died since only of itself.

    Such a cycle is dropped; one with a rejection in it was somebody's decision and goes on.  Source:
    RabbitMQ documentation, "Dead Letter Exchanges", section on cycles.
    """
    if not properties.deaths or properties.deaths[0].reason == "rejected":
        return False
    since = []
    for death in properties.deaths:
        since.append(death)
        if death.queue == queue:
            return all(one.reason != "rejected" for one in since)
    return False
