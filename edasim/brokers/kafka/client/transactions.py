"""The transactions of one producer: which verb is possible when, and what its errors are called.

Sources in librdkafka: rdkafka_txnmgr.c (states and errors), rdkafka_idempotence.c; a fenced producer's error is fatal.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.client.errors import KafkaError, KafkaException, failure
from edasim.brokers.kafka.client.group_metadata import ConsumerGroupMetadata
from edasim.brokers.kafka.client.sending import TransactionProducer
from edasim.brokers.kafka.client.stepping import Reply, answered, ask
from edasim.brokers.kafka.client.values import TopicPartition
from edasim.brokers.kafka.log import Partition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.producer import Producer

PRODUCE, ABORT = "produce()", "abort_transaction()"
NEW, READY, OPEN = "not initialised", "without an open transaction", "in a transaction"
_FENCED = ("PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "INVALID_PRODUCER_ID_MAPPING")


class Transactions:
    """The state of one producer: `fatal` is the error after which it is of no more use."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.state = NEW
        self.fatal: KafkaError | None = None
        self.unfinished = ""
        """The verb that a fatal error has ended."""
        self.abortable: KafkaError | None = None
        """The error after which the open transaction can only be aborted."""

    # --- which verb when --------------------------------------------------------------------------------------

    def _engine(self) -> TransactionProducer:
        engine = self.producer.engine
        if not isinstance(engine, TransactionProducer):
            raise failure("_NOT_CONFIGURED", "transactions need a transactional.id in the producer's configuration")
        return engine

    def _demand(self, state: str, verb: str) -> TransactionProducer:
        engine = self._engine()
        if self.fatal is not None:
            if self.unfinished not in ("", verb):
                raise failure("_CONFLICT", f"{self.unfinished} has failed for good, and nothing can follow it")
            raise KafkaException(self.fatal)
        if self.abortable is not None and verb not in (ABORT, PRODUCE):
            raise KafkaException(self.abortable)
        if self.state != state or (self.abortable is not None and verb == PRODUCE):
            raise failure("_STATE", f"{verb} is not possible: the producer is {self.state}")
        return engine

    def check_produce(self) -> None:
        """A producer with a transactional.id only sends within a transaction."""
        if isinstance(self.producer.engine, TransactionProducer):
            self._demand(OPEN, PRODUCE)
        elif self.fatal is not None:
            raise KafkaException(self.fatal)

    def failed(self, error: KafkaError) -> None:
        """A record was not delivered: its transaction has to be aborted, or a fenced producer has come to its end."""
        if not isinstance(self.producer.engine, TransactionProducer) or self.state != OPEN:
            return
        if error.name() in _FENCED or self.producer.engine.is_fenced:
            self.fatal = KafkaError("_FENCED", fatal=True)
        elif self.abortable is None:
            reason = f"a record of the transaction failed ({error.name()}): abort it"
            self.abortable = KafkaError("_INCONSISTENT", reason, txn_requires_abort=True)

    # --- verbs ------------------------------------------------------------------------------------------------

    def init(self, timeout: float) -> None:
        """Become the one producer with this transactional.id."""
        engine = self._demand(NEW, "init_transactions()")
        kafka, timeout_ms = self.producer.kafka, self.producer.conf["transaction.timeout.ms"]

        def check() -> None:
            most_ms = kafka.options["transaction.max.timeout.ms"]
            if timeout_ms > most_ms:
                raise failure("INVALID_TRANSACTION_TIMEOUT", f"transaction.timeout.ms is {timeout_ms}, but the brokers "
                                                             f"allow {most_ms} (transaction.max.timeout.ms)")

        answered(kafka.stepper, ask(self.producer.links, check), timeout, "initialising transactions")
        self._wait(engine.init, timeout, "initialising transactions")
        self.state = READY

    def begin(self) -> None:
        """Begin a transaction; the brokers hear of it with the first record."""
        self._demand(READY, "begin_transaction()").begin()
        self.state = OPEN

    def send_offsets(self, places: list[TopicPartition], metadata: ConsumerGroupMetadata, timeout: float) -> None:
        """Commit a group's offsets with the transaction."""
        if not isinstance(metadata, ConsumerGroupMetadata):
            raise TypeError("group_metadata is what a consumer's consumer_group_metadata() gives, "
                            f"not {type(metadata).__name__}")
        engine = self._demand(OPEN, "send_offsets_to_transaction()")
        kafka = self.producer.kafka
        home = kafka.home(metadata.group_id)
        group = metadata.member.group if metadata.member else home.any
        offsets: dict[Partition, int] = {
            kafka.partition(*place.place): place.offset for place in places if place.offset >= 0}
        for place in places:
            home.know(kafka.cluster.topics[place.topic])
        self._wait(lambda done: engine.send_offsets(group, metadata.member, offsets, done), timeout,
                   "sending offsets to the transaction")

    def end(self, commit: bool, timeout: float) -> None:
        """Commit or abort."""
        verb = "commit_transaction()" if commit else ABORT
        engine = self._demand(OPEN, verb)
        if commit:
            self.producer.flush(timeout)
            if self.abortable is not None and self.fatal is None:
                raise KafkaException(self.abortable)
        else:
            engine.blame("_PURGE_QUEUE")
        try:
            self._wait(engine.commit if commit else engine.abort, timeout, "ending the transaction")
        except KafkaException:
            if self.fatal is not None:
                self.unfinished = verb
            raise
        self.producer.serve()
        self.state, self.abortable = READY, None

    def _wait(self, verb: Callable[[Callable[[str], None]], None], timeout: float, doing: str) -> None:
        """Let the engine do something, and wait until it is done."""
        reply = Reply()
        verb(lambda error: reply.give(self._error(error)))
        answered(self.producer.kafka.stepper, reply, timeout, doing)

    def _error(self, name: str) -> KafkaError | None:
        if not name:
            return None
        if name in _FENCED:
            self.fatal = KafkaError("_FENCED", fatal=True)
            return self.fatal
        return KafkaError(name, txn_requires_abort=True)
