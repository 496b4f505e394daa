"""A producer of a cluster whose nodes can fail: it looks for leaders, and sends again to another what one did not take.

Sources in apache/kafka: Sender (completeBatch, handleProduceResponse), RecordAccumulator.ready, KIP-951 (a batch whose
leader has changed does not wait out its backoff), TransactionManager.canRetry and KIP-360 (the cluster lost what it had
acknowledged: an idempotent producer begins a new epoch).
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from edasim.brokers.kafka.accumulator import Batch
from edasim.brokers.kafka.bounded_producer import BoundedProducer
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.metadata import Metadata
from edasim.brokers.kafka.nodes import NOWHERE
from edasim.brokers.kafka.producer import Request
from edasim.core.link import Link

if TYPE_CHECKING:
    from edasim.brokers.kafka.cluster import Cluster
    from edasim.brokers.kafka.replication import ReplicatedCluster

NOT_LEADER = "NOT_LEADER_OR_FOLLOWER"
OUT_OF_ORDER = "OUT_OF_ORDER_SEQUENCE_NUMBER"
DISCONNECTED = "NETWORK_EXCEPTION"
REFUSED = "KAFKA_STORAGE_ERROR"


class FailoverProducer(BoundedProducer):
    """A producer that sends each batch to the leader that it knows, and keeps it while it knows of none."""

    def __init__(self, cluster: Cluster, name: str, links: tuple[Link, Link], options: Mapping[str, Any]) -> None:
        super().__init__(cluster, name, links, options)
        self.metadata = Metadata(cast("ReplicatedCluster", cluster), self, name, links, options, standing=False)
        self._acknowledged: dict[Partition, tuple[int, int]] = {}
        self._parting: dict[Partition, int] = {}
        """Partitions of which an earlier leader has requests that it has not answered yet."""

    def forget(self) -> None:
        """The client dies: its buffer is lost, and nobody hears what is answered."""
        super().forget()
        self._parting.clear()

    @property
    def alive(self) -> bool:
        """A producer that died is at once another one."""
        return True

    def node_of(self, partition: Partition) -> int:
        """Where a partition's batches wait: at the leader that the producer knows, or NOWHERE."""
        return NOWHERE if partition in self._parting else self.metadata[partition]

    def _drain(self, node: int) -> None:
        # The line of what has no leader goes by NOWHERE and by its place at the end.
        if node not in (NOWHERE, self.cluster.nodes) and node not in self.metadata.unreachable:
            super()._drain(node)
            return
        for batch in self.buffer.expired(node, self.clock.now_ns):
            self._give_up(batch)
        waiting = [batches[0].deadline_ns for batches in self.buffer.lines[node].values()]
        if waiting:
            self._arm(node, min(waiting))

    # --- what the cluster says --------------------------------------------------------------------------------

    def disconnected(self, index: int) -> None:
        """The connection to a node broke; what was asked of it is not answered."""
        for request in [request for request in self._unanswered if request.node == index]:
            self._errors |= dict.fromkeys(request.batches, DISCONNECTED)
            self._request_failed(request)
        self._drain(index)

    def moved(self, partition: Partition, before: int) -> None:
        """A partition has another leader: what waits for it goes there, as soon as the old one has answered."""
        if partition not in self._parting:
            if self._is_unanswered(partition, before):
                self._parting[partition] = before
            self._move(partition, before)

    def _is_unanswered(self, partition: Partition, node: int) -> bool:
        return any(batch.partition is partition for request in self._unanswered if request.node == node
                   for batch in request.batches)

    def _part(self) -> None:
        """Go on with what an earlier leader has answered by now, so that nothing new overtakes what it refused."""
        for partition, before in list(self._parting.items()):
            if not self._is_unanswered(partition, before):
                del self._parting[partition]
                self._move(partition, NOWHERE)

    def _move(self, partition: Partition, before: int) -> None:
        node = self.node_of(partition)
        batches = self.buffer.lines[before].pop(partition, None)
        if batches is not None:
            self.buffer.lines[node][partition] = batches
            for batch in batches:
                if batch.tries:
                    batch.ready_ns = self.clock.now_ns
            self._drain(node)

    def reconnected(self, index: int) -> None:
        """A node can be reached again."""
        self._drain(index)

    # --- answers ----------------------------------------------------------------------------------------------

    def _on_response(self, request: Request) -> None:
        refused = (request.refused or ()) if (request.first or request) in self._unanswered else ()
        errors = {batch: request.errors.get(batch, REFUSED) for batch in refused}
        self._errors |= errors
        super()._on_response(request)
        for batch, error in errors.items():
            if not batch.done:
                self._hear(batch, error)
        self._part()

    def _request_failed(self, request: Request) -> None:
        super()._request_failed(request)
        self._part()
        self.metadata.refresh()

    def _hear(self, batch: Batch, error: str) -> None:
        """A batch was refused: learn from the error what there is to learn."""
        partition = batch.partition
        if error == NOT_LEADER:
            self.metadata.learn((partition, self.metadata.cluster.published(partition)))
            self.metadata.refresh()
        elif error == OUT_OF_ORDER and self.idempotent and self._is_next(batch):
            self._begin_epoch(partition, batch)

    def _is_next(self, batch: Batch) -> bool:
        """Whether all before it were acknowledged, so that a gap means that the cluster has lost them."""
        epoch, sequence = self._acknowledged.get(batch.partition, (batch.epoch, -1))
        return (batch.epoch, batch.sequence) == (epoch, sequence + 1) and sequence >= 0

    def _begin_epoch(self, partition: Partition, first: Batch) -> None:
        sent = [batch for request in self._unanswered for batch in request.batches if batch.partition is partition]
        waiting = self.buffer.of(self.node_of(partition), partition)
        numbered = {batch: None for batch in (first, *sent, *waiting) if batch.sequence >= 0 and not batch.done}
        self._epochs[partition] = self._epochs.get(partition, 0) + 1
        self._sequences[partition] = -1
        self._acknowledged[partition] = (self._epochs[partition], -1)
        for batch in sorted(numbered, key=lambda batch: (batch.epoch, batch.sequence)):
            batch.sequence = -1
            self._number([batch])

    def _try_again(self, batches: list[Batch]) -> None:
        super()._try_again(batches)
        for node in {self.node_of(batch.partition): None for batch in batches}:
            self._drain(node)

    def _complete(self, batch: Batch, ok: bool) -> None:
        if ok and not batch.done and self.idempotent:
            self._acknowledged[batch.partition] = max(
                (batch.epoch, batch.sequence), self._acknowledged.get(batch.partition, (batch.epoch, -1)))
        super()._complete(batch, ok)
