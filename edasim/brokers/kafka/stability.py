"""Which transactions in a partition are open, which were aborted, and what a reader of committed records sees.

Sources in apache/kafka: ProducerStateManager (firstUnstableOffset, completeTxn), TransactionIndex, UnifiedLog
(lastStableOffset).
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edasim.brokers.kafka.log import Record
    from edasim.brokers.kafka.segments import SegmentedPartition


class Aborted(NamedTuple):
    """An aborted transaction: the producer's id, its first offset here, and that of its marker."""

    producer: int
    first: int
    last: int


class Marker:
    """The end of a transaction in a partition; `first` is its first record's offset here, None without any."""

    __slots__ = ("committed", "delete_horizon_ns", "first", "offset", "producer")

    def __init__(self, offset: int, producer: int, first: int | None, committed: bool) -> None:
        self.offset = offset
        self.producer = producer
        self.first = first
        self.committed = committed
        self.delete_horizon_ns: int | None = None


class Stability:
    """The transactions of one partition.  A transaction is open until its marker is below the high watermark."""

    def __init__(self, partition: SegmentedPartition) -> None:
        self.partition = partition
        self.count = 0
        """How many offsets markers have taken."""
        self.markers: list[Marker] = []
        """Those that are still in the log."""
        self.aborted: list[Aborted] = []
        self._open: dict[int, int] = {}
        self._unreplicated: list[tuple[int, int]] = []

    def began(self, producer: tuple[int, int], offset: int) -> None:
        """A producer's transaction has records here, from this offset on."""
        self._open.setdefault(producer[0], offset)

    def ended(self, producer: tuple[int, int], marker: int, committed: bool) -> None:
        """Its marker is written; one without records here leaves no trace but the marker's offset."""
        self.count += 1
        first = self._open.pop(producer[0], None)
        self.markers.append(Marker(marker, producer[0], first, committed))
        if first is None:
            return
        self._unreplicated.append((first, marker))
        if not committed:
            self.aborted.append(Aborted(producer[0], first, marker))

    def first_open(self) -> int | None:
        """The first offset of the oldest transaction that is open, or whose marker not all replicas have."""
        upto = self.partition.high_watermark
        if self._unreplicated:
            self._unreplicated = [(first, marker) for first, marker in self._unreplicated if marker >= upto]
        firsts = [*self._open.values(), *(first for first, _ in self._unreplicated)]
        return min(firsts, default=None)

    def messages_of(self, producer: int) -> list[int]:
        """The ids of the messages in a producer's open transaction."""
        first = self._open.get(producer)
        if first is None:
            return []
        return [record.message.id for record in self.partition.read(first, self.partition.end)
                if record.producer is not None and record.producer[0] == producer]  # type: ignore[attr-defined]

    def is_open(self, producer: int) -> bool:
        """Whether a producer id has an open transaction here."""
        return producer in self._open

    def was_aborted(self, record: Record) -> bool:
        """Whether a record belongs to an aborted transaction."""
        producer = record.producer  # type: ignore[attr-defined]
        return producer is not None and any(
            one.producer == producer[0] and one.first <= record.offset < one.last for one in reversed(self.aborted))

    def cut(self, offset: int) -> None:
        """The log ends at an offset now; a transaction whose marker is gone is open again."""
        gone = [marker for marker in self.markers if marker.offset >= offset]
        self.markers = [marker for marker in self.markers if marker.offset < offset]
        self.aborted = [one for one in self.aborted if one.last < offset]
        self._unreplicated = [(first, marker) for first, marker in self._unreplicated if marker < offset]
        reopened = {marker.producer: marker.first for marker in gone if marker.first is not None}
        self._open = {producer: first for producer, first in {**self._open, **reopened}.items() if first < offset}

    def put_on(self, records: list[Record], markers: list[Marker]) -> None:
        """Records and markers stand again where they stood, at the end of the log."""
        stood: list[Record | Marker] = [*records, *markers]
        for one in sorted(stood, key=lambda one: one.offset):
            if isinstance(one, Marker):
                self.ended((one.producer, 0), one.offset, one.committed)
            elif one.producer is not None:  # type: ignore[attr-defined]
                self.began(one.producer, one.offset)  # type: ignore[attr-defined]

    def forget_below(self, offset: int) -> None:
        """The log begins here now."""
        self.aborted = [one for one in self.aborted if one.last >= offset]
        self.markers = [marker for marker in self.markers if marker.offset >= offset]
