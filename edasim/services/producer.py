"""A producer of orders: customers arrive, by the same draws at the same instants in every architecture."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from edasim.core.clock import Signal, Stage
from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.value import Producer as ProducerSpec

OrderNumber = Callable[[], int]
"""Gives the next order's number."""


class Producer:
    """Places the orders of one producer until `until_ns`.  `place` takes each; `down` counts what keeps it closed."""

    def __init__(self, world: World, name: str, spec: ProducerSpec, next_order: OrderNumber,
                 place: Callable[[Message, Producer], None]) -> None:
        self._clock = world.clock
        self._messages = world.messages
        self._new_message = world.messages.placing(spec.priority)
        self.name = name
        self.spec = spec
        self.down = 0
        self.placed = 0
        self._closed = False
        self.until_ns: int | None = None
        self._next_order = next_order
        self._place = place
        self._streams = {purpose: world.draws.stream(f"arrival {purpose}", name)
                         for purpose in ("interval", "phase", "batch", "switch")}
        self._key_index = world.draws.sequential("key", name, spec.keys.index)
        self._key_names: dict[int, str] = {}
        self._instants: Iterator[int] = iter(())
        self._signal = Signal()
        self._due: Stage = self._arrive
        self._next_ns: int | None = None
        self._spent = 0.0
        self._since_ns = 0

    def begin(self, until_ns: int | None) -> None:
        """Start placing orders; with until_ns none is placed after that instant."""
        self.until_ns = until_ns
        self._follow(self.spec, after_ns=0)

    def configure(self, spec: ProducerSpec) -> None:
        """Arrivals follow another law from now on; of the interval that is running, what is over stays over."""
        if spec.arrivals != self.spec.arrivals and not self._closed:
            self._signal = Signal()
            now_ns = self._clock.now_ns
            self._spent += self.spec.arrivals.spent(self._uniforms, self._since_ns, now_ns)
            self._since_ns = now_ns
            self._follow(spec, after_ns=now_ns)
        if spec.priority != self.spec.priority:
            self._new_message = self._messages.placing(spec.priority)
        self.spec = spec

    def _follow(self, spec: ProducerSpec, after_ns: int) -> None:
        blocks = spec.arrivals.instants(self._uniforms, after_ns, self.placed, self._spent)
        self._instants = chain.from_iterable(block.tolist() for block in blocks)
        self._arm_next()

    def _uniforms(self, purpose: str, block: int) -> NDArray[np.float64]:
        return self._streams[purpose].uniforms(block)

    def _arm_next(self) -> None:
        due_ns = self._next_ns = next(self._instants, None)
        if due_ns is None or (self.until_ns is not None and due_ns > self.until_ns):
            self._next_ns = None
            return
        arm = self._clock.arm
        arm(self._signal, self._due, due_ns - self._clock._now)

    def _arrive(self, signal: Signal) -> None:
        if signal is not self._signal:
            return
        self.placed += 1
        self._spent = 0.0
        self._since_ns = now_ns = self._clock._now
        self._arm_next()
        next_order, place, new_message, spec = self._next_order, self._place, self._new_message, self.spec
        order = next_order()
        place(new_message(spec.publishes, order, self._key(order), spec.size, now_ns), self)

    def close(self) -> None:
        """Place no more orders."""
        self._closed = True
        self._next_ns = None
        self._signal = Signal()

    @property
    def finished(self) -> bool:
        """Whether it will place no more orders."""
        return self._next_ns is None

    def _key(self, order: int) -> str | None:
        keys = self.spec.keys
        if keys.kind == "none":
            return None
        if keys.kind == "each":
            return f"{self.spec.key}-{order}"
        draw = self._key_index.draw
        index: int = draw()
        name = self._key_names.get(index)
        if name is None:
            name = self._key_names[index] = f"{self.spec.key}-{index + 1}"
        return name
