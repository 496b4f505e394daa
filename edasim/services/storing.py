"""A service that keeps its state in a replicated store: an attempt has ended well when its write is confirmed."""
from __future__ import annotations

from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.value import Service as ServiceSpec
from edasim.services.replica import Write
from edasim.services.service import Desk, Service, SharedDesk
from edasim.services.store import Store
from edasim.services.worker import Finished, Worker


class StoringDesk(Desk):
    """Where a worker writes what it has worked out, and waits for the write quorum with the message in hands."""

    __slots__ = ("_finished", "_message", "_note_handled", "store")

    def __init__(self, service: Service, worker: Worker, finished: Finished, store: Store) -> None:
        super().__init__(service, worker, self._work_over)
        self.store = store
        self._finished = finished

    def _opens(self, number: int) -> None:
        super()._opens(number)
        # The work's end is not yet the attempt's.
        self._note_handled, self.handled = self.handled, _not_yet

    def start(self, message: Message, again: bool = False) -> None:
        """Start an attempt."""
        self._message = message
        super().start(message, again)

    def _work_over(self, worker: Worker, ok: bool) -> None:
        message = self._message
        if not ok:
            self._finished(worker, False)
        elif self.service.has_applied(message):
            self._note_handled(message.id)
            self._finished(worker, True)
        else:
            worker.message, worker.desk = message, self
            # No work is left that a change of the service's speed could move.
            worker.remaining_ns = -1
            self.store.write(message, worker)

    def outcome(self, ok: bool) -> None:
        """The write is confirmed, or will never be."""
        worker, message = self.worker, self._message
        worker.message = worker.desk = None
        (self._note_handled if ok else self.failed)(message.id)
        self._finished(worker, ok)


class SharedStoringDesk(StoringDesk, SharedDesk):
    """The same where work gets its share of the service's cores; who waits for a write uses none."""

    __slots__ = ()


class StoringService(Service):
    """A service whose every effect is a new version in its store; a failed write is a failed attempt.

    The store is a system of its own: a version that was written stays there, also where a transaction of the monolith
    is rolled back afterwards.
    """

    def __init__(self, world: World, name: str, spec: ServiceSpec) -> None:
        super().__init__(world, name, spec)
        assert spec.store is not None, "a service without a store needs no StoringService"
        self.store = Store(world, name, spec.store)
        self.store.on_outcome = self._written

    def desk(self, worker: Worker, finished: Finished) -> Desk:
        """The place at which a worker does this service's work and writes the result."""
        kind = StoringDesk if self.processor is None else SharedStoringDesk
        return self.desks.get(worker) or kind(self, worker, finished, self.store)

    def _written(self, write: Write, ok: bool) -> None:
        if write.wanted:
            desk = self.desks[write.worker]
            assert isinstance(desk, StoringDesk), "a service with a store has desks that write"
            desk.outcome(ok)


def _not_yet(number: int) -> None:
    """Nothing is recorded when the work is over."""
