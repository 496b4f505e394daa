"""Fetching from a cluster whose nodes can fail: only the leader of a partition answers, if the consumer finds it.

Sources in apache/kafka: Fetcher and AbstractFetch (a disconnect or a new leader means another fetch), OffsetFetcher and
SubscriptionState.maybeCompleteValidation (KIP-320: after a change of the leader a position is validated, and goes back
to where the log was cut).  One fetch asks all leaders at once here.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from edasim.brokers.kafka.log import Partition, Record
from edasim.brokers.kafka.metadata import Metadata
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.brokers.kafka.segmented_fetch import SegmentedFetch

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member
    from edasim.brokers.kafka.progress import Progress
    from edasim.brokers.kafka.replication import ReplicatedCluster


class Reader:
    """What one member of a group knows of the cluster, and what it does when that changes."""

    def __init__(self, cluster: ReplicatedCluster, member: Member) -> None:
        self.member = member
        self.metadata = Metadata(cluster, self, member.name, (member.to_broker, member.to_client),
                                 member.group.options, standing=True)

    @property
    def alive(self) -> bool:
        """Whether the member is."""
        return self.member.alive

    def disconnected(self, index: int) -> None:
        """A node died: it goes on waiting for the others."""

    def moved(self, partition: Partition, before: int) -> None:
        """A partition has another leader: fetch there."""
        if partition in self.member.assigned:
            self._fetch_anew()

    def reconnected(self, index: int) -> None:
        """A node can be reached again."""
        self._fetch_anew()

    def truncated(self, partition: Partition, offset: int) -> None:
        """The log ends at an offset now: a position beyond goes back there, or the consumer fails without a policy."""
        member = self.member
        progress = member.assigned.get(partition)
        if progress is None or not member.alive:
            return
        member.buffer = [(one, [record for record in records if one is not progress or record.offset < offset])
                         for one, records in member.buffer]
        member.buffer = [(one, records) for one, records in member.buffer if records]
        member._discard_fetch()
        progress.committing = min(progress.committing, offset)
        if progress.consumed > offset:
            progress.consumed = offset
            if member.group.options["auto.offset.reset"] == "none":
                member.on_failure()
        member._fetch_again()

    def _fetch_anew(self) -> None:
        member = self.member
        member.fetch.news = True
        if member.alive and member.fetch.waiting:
            member._discard_fetch()
            member._fetch_again()


class FailoverFetch(SegmentedFetch):
    """Like any fetch, but it sees nothing of a partition whose leader cannot be reached."""

    __slots__ = ()

    def _visible(self, progress: Progress) -> list[Record]:
        partition = progress.partition
        if progress.consumed >= partition.high_watermark:
            return []
        assert isinstance(partition, ReplicatedPartition), "this cluster makes no others"
        reader = partition.cluster.reader(progress.member)
        return super()._visible(progress) if reader.metadata.reaches(partition) else []
