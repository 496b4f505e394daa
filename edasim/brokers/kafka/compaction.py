"""The log cleaner: of each key the last value stays, at its own offset; tombstones and markers stay for a while.

Sources in apache/kafka: LogCleaner.scala (Cleaner.doClean, buildOffsetMap, cleanInto, shouldRetainRecord,
groupSegmentsBySize), LogCleanerManager (cleanableOffsets, grabFilthiestCompactedLog, maxCompactionDelay).  Cleaning
takes no time; a broker has one cleaner thread.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from edasim.brokers.kafka.log import Record
from edasim.brokers.kafka.retention import apply_retention
from edasim.brokers.kafka.segments import MILLISECOND, Kept, Segment, SegmentedPartition
from edasim.core.world import World


@dataclass
class CleanerStats:
    """What one cleaning did.  `end_offset` is the first offset that it did not clean."""

    end_offset: int = 0
    messages_read: int = 0
    messages_written: int = 0
    invalid_messages_read: int = 0


@dataclass(frozen=True)
class LogToClean:
    """A log, from where on it is dirty, and up to where it may be cleaned (a segment's base)."""

    partition: SegmentedPartition
    first_dirty: int
    uncleanable: int
    overdue: bool

    @property
    def cleanable_bytes(self) -> int:
        """The size of the dirty segments that may be cleaned."""
        return sum(segment.bytes for segment in self.partition.segments
                   if self.first_dirty <= segment.base < self.uncleanable)

    @property
    def ratio(self) -> float:
        """The dirty bytes as a share of all that may be cleaned."""
        clean = sum(segment.bytes for segment in self.partition.segments if segment.base < self.first_dirty)
        total = clean + self.cleanable_bytes
        return self.cleanable_bytes / total if total else 0.0


def to_clean(partition: SegmentedPartition) -> LogToClean:
    """What a cleaner would find now: never the active segment, nothing undecided, nothing too young."""
    now_ns, options = partition.clock.now_ns, partition.options
    first_dirty = max(partition.clean_upto, partition.log_start)
    segments = partition.segments
    limit = min(partition.last_stable(), segments[-1].base)
    lag_ns = options["min.compaction.lag.ms"] * MILLISECOND
    dirty = [one for index, one in enumerate(segments[:-1]) if partition.segment_end(index) > first_dirty]
    if lag_ns > 0:
        limit = min([limit, *(one.base for one in dirty if one.largest_ns > now_ns - lag_ns)])
    bases = [segment.base for segment in segments]
    uncleanable = bases[max(0, bisect_right(bases, limit) - 1)]
    oldest_ns = min((one.first_ns for one in dirty if one.first_ns is not None), default=None)
    overdue = oldest_ns is not None and oldest_ns < now_ns - options["max.compaction.lag.ms"] * MILLISECOND
    return LogToClean(partition, first_dirty, max(first_dirty, uncleanable), overdue)


def clean(log: LogToClean) -> CleanerStats:
    """Clean one log now."""
    partition = log.partition
    stability = partition.stability
    latest: dict[str, int] = {}
    for record in partition.read(log.first_dirty, log.uncleanable):
        if record.message.key is not None and not stability.was_aborted(record):
            latest[record.message.key] = record.offset
    stats = CleanerStats(log.uncleanable)
    kept: list[Record] = []
    for record in partition.read(0, log.uncleanable):
        if stability.was_aborted(record):
            continue
        stats.messages_read += 1
        if record.message.key is None:
            stats.invalid_messages_read += 1
        elif record.offset >= latest.get(record.message.key, -1) and _has_value(record, partition):
            kept.append(record)
    _group(partition, log.uncleanable, kept)
    partition.keep(kept, log.uncleanable)
    stats.messages_written = len(kept)
    _clean_markers(partition, kept, stats)
    partition.clean_upto = log.uncleanable
    return stats


def _has_value(record: Record, partition: SegmentedPartition) -> bool:
    """A tombstone stays for delete.retention.ms from the first cleaning that finds it."""
    if not record.message.tombstone:
        return True
    assert isinstance(record, Kept), "a log with segments holds nothing else"
    now_ns = partition.clock.now_ns
    if record.delete_horizon_ns is None:
        record.delete_horizon_ns = now_ns + partition.options["delete.retention.ms"] * MILLISECOND
        return True
    return now_ns < record.delete_horizon_ns


def _clean_markers(partition: SegmentedPartition, kept: list[Record], stats: CleanerStats) -> None:
    """A marker goes when all records of its transaction are gone, and then delete.retention.ms later."""
    now_ns, stability = partition.clock.now_ns, partition.stability
    left = []
    for marker in stability.markers:
        if marker.offset < stats.end_offset:
            first = marker.offset if marker.first is None else marker.first
            needed = any(first <= record.offset < marker.offset and isinstance(record, Kept)
                         and record.producer is not None and record.producer[0] == marker.producer for record in kept)
            if marker.delete_horizon_ns is not None and not needed and marker.delete_horizon_ns <= now_ns:
                continue
            if not needed and marker.delete_horizon_ns is None:
                marker.delete_horizon_ns = now_ns + partition.options["delete.retention.ms"] * MILLISECOND
            stats.messages_read += 1
            stats.messages_written += 1
        left.append(marker)
    stability.markers = left
    stability.aborted = [one for one in stability.aborted if one.last >= stats.end_offset]


def _group(partition: SegmentedPartition, upto: int, kept: list[Record]) -> None:
    """Cleaned segments are joined as long as what they held before fits into segment.bytes."""
    groups: list[list[Segment]] = []
    before = 0
    for segment in partition.segments:
        if segment.base >= upto:
            break
        if groups and before + segment.bytes <= partition.segment_bytes:
            groups[-1].append(segment)
            before += segment.bytes
        else:
            groups.append([segment])
            before = segment.bytes
    rest = partition.segments[sum(map(len, groups)) :]
    for group in groups:
        group[0].largest_ns = max(segment.largest_ns for segment in group)
        group[0].bytes = 0
    joined = [group[0] for group in groups]
    bases = [segment.base for segment in joined]
    for record in kept:
        joined[bisect_right(bases, record.offset) - 1].bytes += record.message.size
    partition.segments = joined + rest


class Cleaner:
    """The cleaner thread of a broker: cleans the dirtiest log, and looks again after log.cleaner.backoff.ms when there
    is none; armed with the first compacted log, from a drawn phase on.
    """

    def __init__(self, world: World, backoff_ms: int) -> None:
        self.clock = world.clock
        self.backoff_ns = max(1, backoff_ms * MILLISECOND)
        self._phase = world.draws.sequential("phase", "log cleaner")
        self.partitions: list[SegmentedPartition] = []
        self._armed = False
        self.runs: list[tuple[str, CleanerStats]] = []
        """What it has done: the partition's name and the statistics, in order."""

    def watch(self, partitions: Iterable[SegmentedPartition]) -> None:
        """Look after these as well from now on."""
        if not self._armed:
            self._armed = True
            self.clock.at(self.clock.now_ns + round(self._phase.draw() * self.backoff_ns), self._look)
        self.partitions += partitions

    def _look(self) -> None:
        while (log := self._filthiest()) is not None:
            self.runs.append((log.partition.name, clean(log)))
        for partition in self.partitions:
            apply_retention(partition)
        self.clock.at(self.clock.now_ns + self.backoff_ns, self._look)

    def _filthiest(self) -> LogToClean | None:
        logs = [to_clean(partition) for partition in self.partitions]
        dirty = [log for log in logs if log.cleanable_bytes and (
            log.overdue or log.ratio > log.partition.options["min.cleanable.dirty.ratio"])]
        return max(dirty, key=lambda log: log.ratio, default=None)
