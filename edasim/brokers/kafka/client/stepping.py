"""Simulated time, taken forward by calls: each call runs the clock until it has its answer, or its patience is over."""
from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from typing import Any

from edasim.brokers.kafka.client.errors import KafkaError, KafkaException, failure
from edasim.core.clock import SECOND
from edasim.core.link import CALL, Call, Link
from edasim.core.world import World

PATIENCE_S = 3600.0
"""How much simulated time a call without a timeout of its own waits at the most."""


class Stepper:
    """The clock of one simulated cluster, as calls see it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.clock.advance(self.clock.now_ns + max(0, round(seconds * SECOND)))

    def until(self, reached: Callable[[], bool], seconds: float | None) -> bool:
        """Let time pass until something is so, at most so long (None or -1: an hour); whether it is so."""
        if reached():
            return True
        wait_s = PATIENCE_S if seconds is None or seconds < 0 else seconds
        self.clock.advance(self.clock.now_ns + round(wait_s * SECOND), reached)
        return reached()


class Reply:
    """The answer to one request; `value` is a KafkaError or what was asked for, once it is `there`; then `told` is."""

    def __init__(self, told: Callable[[Any], None] | None = None) -> None:
        self.there = False
        self.value: Any = None
        self._told = told

    def give(self, value: Any = None) -> None:
        """Here it is."""
        self.there = True
        self.value = value
        if self._told is not None:
            self._told(value)

    def is_there(self) -> bool:
        """Whether it has come."""
        return self.there


class Wire(tuple[Link, Link]):
    """A client's connection, there and back; `up` says whether any broker is there to answer."""

    up: Callable[[], bool]


LATER = object()
"""What a broker answers that cannot say it yet: the client asks again."""
RETRY_NS = 100_000_000
"""How long a client waits before it asks again: retry.backoff.ms."""


def ask(wire: Wire, at_broker: Callable[[], Any], told: Callable[[Any], None] | None = None) -> Reply:
    """Have something done at the broker, over the wire there and back; a KafkaException there is an error here.

    It is asked again while the answer is LATER, or while no broker is up.
    """
    there, back = wire
    reply = Reply(told)

    def send() -> None:
        there.send(Call(arrive, None), CALL)

    def arrive(_: None) -> None:
        try:
            value = at_broker() if wire.up() else LATER
        except KafkaException as error:
            value = error.args[0]
        if value is LATER:
            there.clock.at(there.clock.now_ns + RETRY_NS, send)
        else:
            back.send(Call(reply.give, value), CALL)

    send()
    return reply


def answered(stepper: Stepper, reply: Reply, seconds: float | None, doing: str, late: str = "_TIMED_OUT") -> Any:
    """Wait for a reply and return its value; KafkaException when it is an error, or does not come in time."""
    if not stepper.until(reply.is_there, seconds):
        raise failure(late, f"{doing}: no answer came in time")
    if isinstance(reply.value, KafkaError):
        raise KafkaException(reply.value)
    return reply.value


class Future(concurrent.futures.Future[Any]):
    """What an AdminClient answers at once; `result()` takes simulated time forward until it is known."""

    def __init__(self, stepper: Stepper) -> None:
        super().__init__()
        self._stepper = stepper
        self.set_running_or_notify_cancel()

    def settle(self, value: Any) -> None:
        """Here is the result, or the KafkaError."""
        if self.done():
            return
        if isinstance(value, KafkaError):
            self.set_exception(KafkaException(value))
        else:
            self.set_result(value)

    def result(self, timeout: float | None = None) -> Any:
        """The result, or the exception raised; concurrent.futures.TimeoutError when it does not come in time."""
        self._stepper.until(self.done, timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception, or None."""
        self._stepper.until(self.done, timeout)
        return super().exception(0)


def promised(stepper: Stepper, wire: Wire, at_broker: Callable[[], Mapping[Any, Any]],
             keys: list[Any]) -> dict[Any, Any]:
    """A future for each key; `at_broker` gives the values (or KafkaErrors) by key when the request arrives there."""
    futures = {key: Future(stepper) for key in keys}

    def settle(values: Mapping[Any, Any]) -> None:
        for key, future in futures.items():
            future.settle(values[key])

    ask(wire, at_broker, settle)
    return futures
