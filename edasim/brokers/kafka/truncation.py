"""Cutting the end off a log that has taken another course than its new leader's, and putting such an end on again.

Sources in apache/kafka: UnifiedLog.truncateTo, ProducerStateManager.truncateAndReload; KIP-101 and KIP-279, by which a
follower finds out where its log diverges.
"""
from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import NamedTuple

from edasim.brokers.kafka.log import Record
from edasim.brokers.kafka.segments import Segment, SegmentedPartition
from edasim.brokers.kafka.stability import Marker

_OFFSET = attrgetter("offset")


class Batched(NamedTuple):
    """A batch of an idempotent producer: the offset after it, and what identifies it."""

    end: int
    producer: int
    epoch: int
    sequence: int


class Ending(NamedTuple):
    """What stands in a log from an offset on, up to `end`: records, markers of transactions, batches."""

    records: list[Record]
    markers: list[Marker]
    end: int
    batches: list[Batched]

    def below(self, offset: int) -> Ending:
        """The part of it that is below an offset."""
        return Ending([one for one in self.records if one.offset < offset],
                      [one for one in self.markers if one.offset < offset], min(self.end, offset),
                      [one for one in self.batches if one.end <= offset])

    def above(self, offset: int) -> Ending:
        """The part of it that is at or above an offset."""
        return Ending([one for one in self.records if one.offset >= offset],
                      [one for one in self.markers if one.offset >= offset], self.end,
                      [one for one in self.batches if one.end > offset])

    def followed_by(self, other: Ending) -> Ending:
        """This one and, where it ends, another."""
        return Ending(self.records + other.records, self.markers + other.markers, other.end,
                      self.batches + other.batches)

    def _by_offset(self) -> dict[int, Record | Marker]:
        return {**{one.offset: one for one in self.records}, **{one.offset: one for one in self.markers}}

    def common_end(self, other: Ending, begin: int) -> int:
        """Up to where two endings that begin at the same offset are one and the same."""
        mine, theirs = self._by_offset(), other._by_offset()
        upto = min(self.end, other.end)
        different = [offset for offset in {*mine, *theirs}
                     if offset < upto and mine.get(offset) is not theirs.get(offset)]
        return max(begin, min(different, default=upto))


def cut(partition: SegmentedPartition, offset: int) -> Ending:
    """End the log at an offset; returns what stood there."""
    records, stability = partition.records, partition.stability
    first = bisect_left(records, offset, key=_OFFSET)
    ending = Ending(records[first:], [one for one in stability.markers if one.offset >= offset], partition.end, [])
    del records[first:]
    partition._end = offset
    partition.log_start = min(partition.log_start, offset)
    partition.clean_upto = min(partition.clean_upto, offset)
    stability.cut(offset)
    _cut_segments(partition, ending.records)
    return ending


def _cut_segments(partition: SegmentedPartition, removed: list[Record]) -> None:
    end, segments = partition.end, partition.segments
    bases = [segment.base for segment in segments]
    for record in removed:
        segments[max(0, bisect_left(bases, record.offset + 1) - 1)].bytes -= record.message.size
    partition.segments = [segment for segment in segments if segment.base < end] or [Segment(end)]


def restore(partition: SegmentedPartition, ending: Ending) -> None:
    """Put an ending on again, at the offsets that it had."""
    if ending.end == partition.end:
        return
    segment = partition.segments[-1]
    for record in ending.records:
        partition.records.append(record)
        partition.appended(record.message.id)
        segment.bytes += record.message.size
    partition.stability.put_on(ending.records, ending.markers)
    partition._dense = partition._dense and not ending.markers
    partition._end = ending.end
