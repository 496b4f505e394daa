"""A producer with a transactional.id: what it sends between begin and commit shows together, or not at all.

Sources in apache/kafka: KafkaProducer, TransactionManager (beginCompletingTransaction, transitionToAbortableError,
canHandleAbortableError; KIP-360, KIP-890).
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.accumulator import Batch
from edasim.brokers.kafka.failover_producer import OUT_OF_ORDER, FailoverProducer
from edasim.brokers.kafka.log import FIRST, Partition, Retrying
from edasim.brokers.kafka.producer import MILLISECOND, Answer, Producer
from edasim.brokers.kafka.transactions import CONCURRENT, FENCED, OLD_EPOCH, Identity
from edasim.core.clock import Signal
from edasim.core.link import CALL, RECONNECT_NS, Call, Link
from edasim.core.message import Message

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster, Topic
    from edasim.brokers.kafka.group_offsets import GroupOffsets
    from edasim.brokers.kafka.member import Member

Done = Callable[[str], None]
"""Told how it ended: an empty text, or Kafka's name of the error."""
ABORTABLE = "TRANSACTION_ABORTABLE"
CONCURRENT_BACKOFF_NS = 20 * MILLISECOND
"""How long a client waits while its last transaction is still being ended."""


class TransactionalProducer(Producer):
    """Its verbs take a step each and call `done(error)` when they are answered: init, begin, send, send_offsets, commit
    and abort.  `trouble` is what has gone wrong in the open transaction, which can then only be aborted; a fenced
    producer stays so until it is initialised again, as another one with its id would be.

    Any kind of producer becomes transactional when this class is put before it.
    """

    transactional = True

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any]) -> None:
        super().__init__(cluster, name, links, options)
        self.transactional_id: str = options["transactional.id"]
        self.timeout_ms: int = options["transaction.timeout.ms"]
        self.coordinator = cluster.transactions
        self.epoch = -1
        """-1 until init is answered."""
        self.is_open = False
        self.trouble = ""
        self._outstanding = 0
        self._used = False
        self._flushed: Callable[[], None] | None = None
        self._life = 0

    # --- verbs ------------------------------------------------------------------------------------------------

    def init(self, done: Done) -> None:
        """Get the producer id and an epoch; whoever had this transactional.id before is fenced."""
        self._request(lambda: self.coordinator.init(self.transactional_id, self.timeout_ms),
                      lambda identity: self._initialised(identity, done))

    def _initialised(self, identity: Identity, done: Done) -> None:
        if identity.error == CONCURRENT:
            self.clock.at(self.clock.now_ns + CONCURRENT_BACKOFF_NS, self._while_alive(lambda: self.init(done)))
            return
        if not identity.error:
            self.id, self.epoch = identity.producer, identity.epoch
            self._sequences.clear()
            self._close_transaction()
        done(identity.error)

    def begin(self) -> None:
        """Begin a transaction, which the coordinator hears of with the first record or offset."""
        assert self.epoch >= 0, "a transactional producer is initialised before it begins"
        assert not self.is_open, "a transaction is ended before the next one begins"
        self.is_open = True

    def send(self, message: Message, topic: Topic, answer: Answer | None = None, context: Any = None,
             retry: Retrying = FIRST) -> None:
        """Send within the open transaction."""
        assert self.is_open, "a transactional producer sends within a transaction"
        self._outstanding += 1
        self._used = True
        super().send(message, topic, self._answered, (answer, context), retry)

    def _answered(self, context: tuple[Answer | None, Any], ok: bool) -> None:
        answer, whom = context
        self._outstanding -= 1
        if not ok and not self.trouble:
            self.trouble = ABORTABLE
        if answer is not None:
            answer(whom, ok)
        if not self._outstanding and self._flushed is not None:
            flushed, self._flushed = self._flushed, None
            flushed()

    def send_offsets(self, group: GroupOffsets, member: Member | None, offsets: Mapping[Partition, int],
                     done: Done) -> None:
        """Commit offsets of a group with the open transaction; `member` is checked as in any commit of a member."""
        assert self.is_open, "offsets are sent to an open transaction"
        self._used = True

        def answered(error: str) -> None:
            if error == CONCURRENT:
                self._soon(lambda: self.send_offsets(group, member, offsets, done))
                return
            self.trouble = self.trouble or error
            done(error)

        self._request(lambda: self.coordinator.add_offsets(self.transactional_id, self.epoch, group, member, offsets),
                      answered)

    def commit(self, done: Done) -> None:
        """Flush and commit; with a failure in the transaction nothing is committed, and it must be aborted."""
        assert self.is_open, "only an open transaction is committed"
        self.flush(lambda: done(self.trouble) if self.trouble else self._end(True, done))

    def abort(self, done: Done) -> None:
        """Drop what has not been sent, wait for what has, and abort."""
        assert self.is_open, "only an open transaction is aborted"
        for batch in self.buffer.batches():
            self._complete(batch, False)
        self.buffer.clear()
        self.flush(lambda: done(self.trouble) if self.is_fenced else self._end(False, done))

    @property
    def is_fenced(self) -> bool:
        """Whether another producer has taken its transactional.id."""
        return self.trouble in (FENCED, OLD_EPOCH)

    def flush(self, then: Callable[[], None]) -> None:
        """Send what lingers; `then()` is called when all is answered, which may be at once."""
        if not self._outstanding:
            then()
            return
        self._flushed = then
        self.hurry()

    # --- underneath -------------------------------------------------------------------------------------------

    def _end(self, committed: bool, done: Done) -> None:
        if not self._used:
            # Nothing was sent: the coordinator knows of no transaction, and need not.
            self._close_transaction()
            done("")
            return
        self._request(lambda: self.coordinator.end(self.transactional_id, self.epoch, committed),
                      lambda answer: self._ended(answer, committed, done))

    def _ended(self, answer: tuple[str, int], committed: bool, done: Done) -> None:
        error, epoch = answer
        if error == CONCURRENT:
            self._soon(lambda: self._end(committed, done))
            return
        if error:
            self.trouble = error
            done(error)
            return
        failed = bool(self.trouble)
        self._close_transaction()
        if epoch != self.epoch:
            self.epoch = epoch
            self._sequences.clear()
        if failed and not self.coordinator.bumps:
            self.init(done)  # A gap in the sequence needs a new epoch (KIP-360).
        else:
            done("")

    def _close_transaction(self) -> None:
        self.trouble = ""
        self.is_open = self._used = False

    def _number(self, batches: list[Batch]) -> None:
        for batch in batches:
            if batch.sequence < 0:
                partition = batch.partition
                batch.sequence = self._sequences[partition] = self._sequences.get(partition, -1) + 1
                batch.epoch = self.epoch

    def _failed_for_good(self, batch: Batch, error: str) -> None:
        self.trouble = self.trouble or (FENCED if error == OLD_EPOCH else error)
        super()._failed_for_good(batch, error)

    def _give_up(self, batch: Batch) -> None:
        # The gap in the sequence ends with the transaction.
        self._complete(batch, False)

    def _request(self, at_broker: Callable[[], Any], answered: Callable[[Any], None]) -> None:
        """Ask the coordinator, over the wire; `answered` is told what it says, unless the client has died."""
        answered = self._while_alive(answered)

        def arrive(_: None) -> None:
            answer = at_broker()
            self.to_client.send(Call(answered, answer), CALL)

        self.to_broker.send(Call(arrive, None), CALL)

    def _soon(self, action: Callable[[], None]) -> None:
        self.clock.at(self.clock.now_ns + CONCURRENT_BACKOFF_NS, self._while_alive(action))

    def _while_alive(self, action: Callable[..., None]) -> Callable[..., None]:
        life = self._life

        def act(*arguments: Any) -> None:
            if life == self._life:
                action(*arguments)

        return act

    def _transmission_lost(self, signal: Signal) -> None:
        """What was asked of the coordinator, or answered by it, is said again on the next connection."""
        if isinstance(signal, Call):
            link = self.to_broker if signal.action.__name__ == "arrive" else self.to_client
            self.clock.at(self.clock.now_ns + RECONNECT_NS, lambda: link.send(signal, CALL))
        else:
            super()._transmission_lost(signal)

    def forget(self) -> None:
        """The client dies; its transaction stays open until the coordinator aborts it, or a successor comes."""
        super().forget()
        self._life += 1
        self._outstanding = 0
        self._flushed = None
        self.epoch = -1
        self._close_transaction()


class TransactionalFailoverProducer(TransactionalProducer, FailoverProducer):
    """A transactional producer of a cluster whose nodes can fail."""

    def _begin_epoch(self, partition: Partition, first: Batch) -> None:
        # What the cluster had acknowledged in this transaction is lost: it can only be aborted.
        self.trouble = self.trouble or OUT_OF_ORDER
        self._give_up(first)
