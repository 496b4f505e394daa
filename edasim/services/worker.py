"""A worker: one unit of capacity, which does one thing at a time on a timer of its own."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edasim.core.clock import Clock, Stage, Timer
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.services.service import Desk

Finished = Callable[["Worker", bool], None]
"""Told at the end of an attempt: the worker, and whether the attempt ended well."""


class Worker:
    """A thread of the monolith or of an RPC service, a member of a Kafka group, a RabbitMQ consumer.

    `message` is what it holds now (None when idle), `desk` where it works on it, `nth` which start of that
    message this is, `timer` what wakes it (one that it does not hold any more is void), `due_ns` when the work ends
    at the present speed, `remaining_ns` what is left of it while it makes no progress.
    """

    __slots__ = ("alive", "clock", "desk", "due_ns", "message", "name", "nth", "remaining_ns", "timer")

    def __init__(self, clock: Clock, name: str) -> None:
        self.clock = clock
        self.name = name
        self.timer = Timer(self)
        self.alive = True
        self.message: Message | None = None
        self.desk: Desk | None = None
        self.nth = 0
        self.due_ns = 0
        self.remaining_ns = 0

    def wait(self, stage: Stage, delay_ns: int) -> None:
        """Do nothing for a while, then run the stage with the timer (whose owner is this worker)."""
        self.clock.arm_timer(self.timer, stage, delay_ns)

    def forget_timer(self) -> None:
        """What the timer was set for does not happen: go on with a new one."""
        self.timer.cancelled()
        self.timer = Timer(self)

    def drop(self) -> Message | None:
        """Let go of what it holds without finishing it; returns the message."""
        message = self.message
        self.forget_timer()
        self.message = self.desk = None
        return message
