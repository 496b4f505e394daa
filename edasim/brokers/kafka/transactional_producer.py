"""A producer with a transactional.id: what it sends between begin and commit shows together, or not at all.

Sources in apache/kafka: KafkaProducer, TransactionManager.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.accumulator import Batch
from edasim.brokers.kafka.log import FIRST, Partition, Retrying
from edasim.brokers.kafka.producer import Answer, Producer
from edasim.brokers.kafka.transactions import FENCED, OLD_EPOCH
from edasim.core.clock import Signal
from edasim.core.link import CALL, RECONNECT_NS, Call, Link
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster, Topic
    from edasim.brokers.kafka.group import Group
    from edasim.brokers.kafka.member import Member

Done = Callable[[str], None]
"""Told how it ended: an empty text, or Kafka's name of the error."""


class TransactionalProducer(Producer):
    """`epoch` is -1 until init is answered; `trouble` is what has gone wrong in the transaction that is open.

    A fenced producer stays so until it is initialised again, as another one with its id would be.
    """

    transactional = True

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any]) -> None:
        super().__init__(cluster, name, links, options)
        self.transactional_id: str = options["transactional.id"]
        self.timeout_ms: int = options["transaction.timeout.ms"]
        self.coordinator = cluster.transactions
        self.epoch = -1
        self.trouble = ""
        self._outstanding = 0
        self._used = False
        self._flushed: Callable[[], None] | None = None
        self._life = 0

    # --- verbs ------------------------------------------------------------------------------------------------

    def init(self, done: Done) -> None:
        """Get the producer id and an epoch; whoever had this transactional.id before is fenced."""

        def at_broker() -> None:
            identity = self.coordinator.init(self.transactional_id, self.timeout_ms)
            self._reply(lambda: self._initialised(identity, done))

        self._ask(at_broker)

    def _initialised(self, identity: tuple[int, int], done: Done) -> None:
        self.id, self.epoch = identity
        self._sequences.clear()
        self.trouble = ""
        self._used = False
        done("")

    def send(self, message: Message, topic: Topic, answer: Answer | None = None, context: Any = None,
             retry: Retrying = FIRST) -> None:
        """Send within the open transaction."""
        assert self.epoch >= 0, "a transactional producer is initialised before it sends"
        self._outstanding += 1
        self._used = True
        super().send(message, topic, self._answered, (answer, context), retry)

    def _answered(self, context: tuple[Answer | None, Any], ok: bool) -> None:
        answer, whom = context
        self._outstanding -= 1
        if not ok and not self.trouble:
            self.trouble = "TRANSACTION_ABORTABLE"
        if answer is not None:
            answer(whom, ok)
        if not self._outstanding and self._flushed is not None:
            flushed, self._flushed = self._flushed, None
            flushed()

    def send_offsets(self, group: Group, member: Member | None, offsets: Mapping[Partition, int], done: Done) -> None:
        """Commit offsets of a group with the open transaction."""
        self._used = True

        def answered(error: str) -> None:
            self.trouble = self.trouble or error
            done(error)

        def at_broker() -> None:
            error = self.coordinator.add_offsets(self.transactional_id, self.epoch, group, member, offsets)
            self._reply(lambda: answered(error))

        self._ask(at_broker)

    def commit(self, done: Done) -> None:
        """Flush and commit; with an error in the transaction nothing is committed, and it must be aborted."""
        self._flush(lambda: done(self.trouble) if self.trouble else self._end(True, done))

    def abort(self, done: Done) -> None:
        """Drop what has not been sent, wait for what has, and abort."""
        for batch in self.buffer.batches():
            self._complete(batch, False)
        self.buffer.clear()
        self._flush(lambda: done(self.trouble) if self.trouble in (FENCED, OLD_EPOCH) else self._end(False, done))

    def _end(self, committed: bool, done: Done) -> None:
        if not self._used:
            # Nothing was sent: the coordinator knows of no transaction, and need not.
            self.trouble = ""
            done("")
            return

        def at_broker() -> None:
            error, epoch = self.coordinator.end(self.transactional_id, self.epoch, committed)
            self._reply(lambda: self._ended(error, epoch, done))

        self._ask(at_broker)

    def _ended(self, error: str, epoch: int, done: Done) -> None:
        failed, self.trouble = bool(self.trouble), error
        self._used = False
        if epoch != self.epoch:
            self.epoch = epoch
            self._sequences.clear()
        if failed and not error and not self.coordinator.bumps:
            self.init(done)  # A gap in the sequence needs a new epoch (KIP-360).
        else:
            done(error)

    # --- underneath -------------------------------------------------------------------------------------------

    def _flush(self, then: Callable[[], None]) -> None:
        if not self._outstanding:
            then()
            return
        self._flushed = then
        now_ns = self.clock.now_ns
        for batch in self.buffer.batches():
            if not batch.tries:
                batch.ready_ns = min(batch.ready_ns, now_ns)
        for node in range(self.cluster.nodes):
            self._drain(node)

    def _number(self, batches: list[Batch]) -> None:
        for batch in batches:
            if batch.sequence < 0:
                partition = batch.partition
                batch.sequence = self._sequences[partition] = self._sequences.get(partition, -1) + 1
                batch.epoch = self.epoch

    def _failed_for_good(self, batch: Batch, error: str) -> None:
        self.trouble = FENCED if error == OLD_EPOCH else error
        self._give_up(batch)

    def _give_up(self, batch: Batch) -> None:
        self._complete(batch, False)

    def _ask(self, action: Callable[[], None]) -> None:
        self.to_broker.send(Call(lambda _: action(), None), CALL)

    def _reply(self, action: Callable[[], None]) -> None:
        life = self._life
        self.to_client.send(Call(lambda _: action() if life == self._life else None, None), CALL)

    def _transmission_lost(self, signal: Signal) -> None:
        """What was asked of the coordinator, or answered by it, is said again on the next connection."""
        if isinstance(signal, Call):
            self.clock.at(self.clock.now_ns + RECONNECT_NS, lambda: self.to_broker.send(signal, CALL))
        else:
            super()._transmission_lost(signal)

    def forget(self) -> None:
        """The client dies; its transaction stays open until the coordinator aborts it."""
        super().forget()
        self._life += 1
        self._outstanding = 0
        self._flushed = None
