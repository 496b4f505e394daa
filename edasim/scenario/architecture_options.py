"""How the same business is built in each architecture: the choices that a scenario may make."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from pydantic import PlainValidator, model_validator

from edasim.core.quantity import count
from edasim.scenario.fields import (
    Boolean,
    FrozenMapping,
    Named,
    Part,
    PositiveDurationOrNone,
    Settings,
    choice,
    many,
    optional_many,
    show_many,
    show_or_word,
    whole,
)

ARCHITECTURES: Final = ("monolith", "rpc", "kafka", "rabbitmq")


Discipline = Annotated[str, choice("fifo", "priority")]
"""Who is served next: the first, or the first of those with the highest priority."""


def _prefetch(value: object) -> int | None:
    """0 is RabbitMQ's own word for unlimited."""
    if value == "unlimited":
        return None
    return count(value, 0, 65_535) or None


class MonolithOptions(Part):
    """One process. `threads` None is the sum of all services' workers; `cancels` stops work whose caller has gone.

    All threads at work share the `cores`; at most `queue_limit` orders wait for a thread (infinite: no limit), in the
    order of the `discipline`.
    """

    threads: Annotated[float | None, optional_many(1, 100_000), show_many] = None
    cancels: Boolean = False
    cores: Annotated[float, many(1, 100_000), show_many] = math.inf
    queue_limit: Annotated[float, many(0, 10**9), show_many] = math.inf
    discipline: Discipline = "fifo"


class RpcOptions(Part):
    """A gateway that calls the services. `timeout` is for each call (nanoseconds; None: only the client's).

    At most `queue_limit` calls wait at each service (infinite: no limit), in the order of the `discipline`, which
    also holds for the orders that wait at the gateway.
    """

    calls: Annotated[str, choice("sequential", "parallel")] = "sequential"
    open_requests: Annotated[int, whole(1, 1_000_000)] = 200
    timeout: PositiveDurationOrNone = None
    cancels: Boolean = False
    queue_limit: Annotated[float, many(0, 10**9), show_many] = math.inf
    discipline: Discipline = "fifo"


class KafkaOptions(Part):
    """Kafka by its real option names in four sections.

    `commit` says when offsets are committed: by a timer, after each record, after each poll, before the work, or after
    each poll in one transaction with what is published because of it; `key` says whether keys are sent;
    `retry_topics`, whether messages that are tried again elsewhere wait in one topic for all attempts, or in one for
    each.
    """

    version: Annotated[str, choice("3.9", "4.0", "4.3")] = "4.3"
    topic: Settings = FrozenMapping()
    producer: Settings = FrozenMapping()
    consumer: Settings = FrozenMapping()
    broker: Settings = FrozenMapping()
    commit: Annotated[str, choice("auto", "record", "poll", "before", "transaction")] = "auto"
    key: Boolean = True
    retry_topics: Annotated[str, choice("one", "each")] = "one"


class RabbitOptions(Part):
    """RabbitMQ: the exchange's type, the x-arguments of all queues and of single ones, and how clients behave.

    `prefetch` None is unlimited, which a file writes 0 or unlimited.
    """

    version: Annotated[str, choice("3.10", "3.13", "4.0", "4.3")] = "4.3"
    exchange: Annotated[str, choice("topic", "direct", "fanout", "headers")] = "topic"
    queue: Settings = FrozenMapping()
    queues: Named[Settings] = FrozenMapping()
    prefetch: Annotated[int | None, PlainValidator(_prefetch), show_or_word("unlimited", int)] = 20
    confirms: Boolean = True
    persistent: Boolean = True
    auto_ack: Boolean = False


class Architectures(Part):
    """Those that are compared; None is one that the file does not list."""

    monolith: MonolithOptions | None = None
    rpc: RpcOptions | None = None
    kafka: KafkaOptions | None = None
    rabbitmq: RabbitOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _listed_empty_is_default(cls, data: Any) -> Any:
        """A listed architecture without options (`kafka:`) has the defaults; no list at all has all four."""
        if data is None:
            return {architecture: {} for architecture in ARCHITECTURES}
        if isinstance(data, dict):
            return {key: {} if options is None else options for key, options in data.items()}
        return data

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of those that are compared, in the order of the comparison."""
        return tuple(architecture for architecture in ARCHITECTURES if getattr(self, architecture) is not None)
