"""Retention: from time to time a broker deletes old segments, whole ones, by time and by size.

Sources in apache/kafka: LogManager.cleanupLogs, UnifiedLog.deleteOldSegments and deletableSegments.  The active
segment goes as well when its largest timestamp is too old: a new one begins first.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.segments import MILLISECOND, Segment, SegmentedPartition
from edasim.core.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

Predicate = Callable[[Segment, int], bool]


def apply_retention(partition: SegmentedPartition) -> int:
    """One check of one partition, now; returns how many segments were deleted."""
    deleted = _delete(partition, lambda segment, end: end <= partition.log_start
                      and segment is not partition.segments[-1])
    if partition.deletes:
        deleted += _by_size(partition) + _by_time(partition)
    return deleted


def _by_size(partition: SegmentedPartition) -> int:
    """As long as at least retention.bytes are left."""
    limit: int = partition.options["retention.bytes"]
    surplus = sum(segment.bytes for segment in partition.segments) - limit
    if limit < 0 or surplus < 0:
        return 0

    def too_much(segment: Segment, end: int) -> bool:
        nonlocal surplus
        if surplus < segment.bytes:
            return False
        surplus -= segment.bytes
        return True

    return _delete(partition, too_much)


def _by_time(partition: SegmentedPartition) -> int:
    """Those whose largest timestamp is more than retention.ms ago."""
    limit_ms: int = partition.options["retention.ms"]
    if limit_ms < 0:
        return 0
    before_ns = partition.clock.now_ns - limit_ms * MILLISECOND
    return _delete(partition, lambda segment, end: segment.largest_ns < before_ns)


def _delete(partition: SegmentedPartition, wanted: Predicate) -> int:
    """Delete from the oldest on as long as it is wanted and all replicas have the segment."""
    number = 0
    for index, segment in enumerate(partition.segments):
        end = partition.segment_end(index)
        if segment.base == partition.end or end > partition.high_watermark or not wanted(segment, end):
            break
        number += 1
    if number:
        partition.drop_segments(number)
    return number


class RetentionCheck:
    """Checks partitions every log.retention.check.interval.ms, from a drawn phase on; armed with the first one."""

    def __init__(self, world: World, interval_ms: int) -> None:
        self.clock = world.clock
        self.interval_ns = interval_ms * MILLISECOND
        self._phase = world.draws.sequential("phase", "retention check")
        self.partitions: list[SegmentedPartition] = []
        self._armed = False

    def watch(self, partitions: Iterable[SegmentedPartition]) -> None:
        """Check these as well from now on."""
        if not self._armed:
            self._armed = True
            self.clock.at(self.clock.now_ns + round(self._phase.draw() * self.interval_ns), self._check)
        self.partitions += partitions

    def _check(self) -> None:
        for partition in self.partitions:
            apply_retention(partition)
        self.clock.at(self.clock.now_ns + self.interval_ns, self._check)
