"""A fetch from partitions whose logs may begin later, have gaps, and carry transactions.

Source in apache/kafka: FetchCollector (aborted transactions are left out, positions move past markers and gaps).
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.fetch import Fetch
from edasim.brokers.kafka.log import Record

if TYPE_CHECKING:
    from edasim.brokers.kafka.progress import Progress


class SegmentedFetch(Fetch):
    """Like any fetch, but it looks for what can be read at all, below the last stable offset for read_committed."""

    __slots__ = ()

    def see(self, progress: Progress) -> None:
        """While it waits: a partition has more to show, or its log has moved."""
        if self.asked.get(progress.partition) is not progress:
            self.news = True
        elif self._enough():
            self.waiting = False
            self._answer_at_arrival(self.asked.values())
        elif self.member.fetch_min_bytes > 1 and self._available_bytes():
            self._arm_patience()

    def _enough(self) -> bool:
        for progress in tuple(self.asked.values()):
            partition, member = progress.partition, self.member
            if not partition.log_start <= progress.consumed <= partition.end:
                member.overtaken(progress)
                if not partition.log_start <= progress.consumed <= partition.end:
                    return False
        if self.member.fetch_min_bytes > 1:
            return self._available_bytes() >= self.member.fetch_min_bytes
        if any(self._visible(progress) for progress in self.asked.values()):
            return True
        self.news = self.asked is not self.member.assigned
        return False

    def _available_bytes(self) -> int:
        return sum(record.message.size for progress in self.asked.values() for record in self._visible(progress))

    def _visible(self, progress: Progress) -> list[Record]:
        """What can be read from the position on; past what cannot, the position moves by itself."""
        partition, committed = progress.partition, self.member.reads_committed
        limit = partition.last_stable() if committed else partition.high_watermark
        if progress.consumed >= limit:
            return []
        records = partition.readable(progress.consumed, limit, committed)
        if not records:
            progress.consumed = limit
        return records

    def _answer(self, partitions: Iterable[Progress]) -> None:
        if self.patience is not None:
            self.patience = self.patience.cancelled() and None
        answer: list[tuple[Progress, list[Record]]] = []
        for progress in partitions:
            records = self._visible(progress)
            if len(records) * progress.partition.largest > self.member.partition_fetch_bytes:
                del records[self._fitting(records, not answer) :]
            if records:
                answer.append((progress, records))
        self.answer = answer
        # Markers and gaps may follow what was answered: the next request looks, so that the position passes them.
        self.news = True
        self.member.to_client.send(self, self.member.fetched)
