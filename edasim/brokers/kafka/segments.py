"""A partition whose log is kept in segments: it may begin later than at offset 0, have gaps, and carry transactions.

Offsets never change.  Which partitions need this is known when a topic is created (`needs_segments`); all others are
the plain list that they can be.  Sources in apache/kafka: UnifiedLog (append, maybeRoll, deletableSegments,
fetchOffsetByTimestamp), LogSegment.shouldRoll, LocalLog.  A segment's size is that of its messages; the headers of
batches are not counted.
"""
from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.log import FIRST, Partition, Record
from edasim.brokers.kafka.stability import Stability
from edasim.core.conservation import Counts
from edasim.core.draws import SequentialDraw
from edasim.core.journal import Place, Verb
from edasim.core.world import World
from edasim.scenario.kafka_broker_option_table import TOPIC

if TYPE_CHECKING:
    from edasim.brokers.kafka.accumulator import Batch, Outgoing

MILLISECOND = 1_000_000
_OFFSET = attrgetter("offset")
LIFE = ("retention.ms", "retention.bytes", "segment.ms", "segment.bytes", "segment.jitter.ms", "cleanup.policy",
        "min.cleanable.dirty.ratio", "delete.retention.ms", "min.compaction.lag.ms", "max.compaction.lag.ms")
"""The topic options that say how long records live."""
LARGEST = "max.message.bytes"
TIMESTAMP = "message.timestamp.type"
_DEFAULT_LARGEST: Any = TOPIC[LARGEST].default("4.3")
BATCH_OVERHEAD, RECORD_OVERHEAD = 61, 7
"""The bytes of a batch's header, and the least that a record has beside its key and value.  Source: DefaultRecordBatch,
DefaultRecord."""


def needs_segments(options: Mapping[str, Any]) -> bool:
    """Whether a topic's options differ from Kafka's defaults, by which nothing is removed for a week."""
    return any(options[name] != TOPIC[name].default("4.3") for name in (*LIFE, LARGEST, TIMESTAMP))


class Kept(Record):
    """A record in a segment; `time_ns` is its timestamp, `producer` (id, epoch) inside a transaction, else None.

    `delete_horizon_ns`: from when on the cleaner may remove a tombstone, set when a cleaner first keeps it.
    """

    __slots__ = ("delete_horizon_ns", "producer", "time_ns")

    def __init__(self, message: Any, partition: Partition, offset: int, retry: Any, time_ns: int,
                 producer: tuple[int, int] | None) -> None:
        super().__init__(message, partition, offset, retry)
        self.time_ns = time_ns
        self.producer = producer
        self.delete_horizon_ns: int | None = None


class Segment:
    """Records from offset `base` on; `largest_ns` is the largest timestamp, `first_ns` that of the first batch."""

    __slots__ = ("base", "bytes", "first_ns", "jitter_ns", "largest_ns")

    def __init__(self, base: int, jitter_ns: int = 0) -> None:
        self.base = base
        self.bytes = 0
        self.first_ns: int | None = None
        self.largest_ns = -1
        self.jitter_ns = jitter_ns


class SegmentedPartition(Partition):
    """A partition with segments.  `log_start` is the lowest offset that can be read, `options` the topic's options.

    `records` holds what is left, in the order of offsets; `clean_upto` is where the cleaner has come to.
    """

    def __init__(self, world: World, topic: str, number: int, node: int, replication: SequentialDraw | None,  # noqa: PLR0913
                 place: Place, options: Mapping[str, Any]) -> None:
        super().__init__(world, topic, number, node, replication, place)
        self.clock = world.clock
        self.configure(options)
        self._jitter = world.draws.sequential("segment jitter", f"{topic}-{number}")
        self.log_start = 0
        self.clean_upto = 0
        self.stability = Stability(self)
        self._marked, self._aborted = world.writer(Verb.marked, place), world.writer(Verb.aborted, place)
        self._end = 0
        self._dense = True
        self.segments = [self._new_segment(0)]

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take over the topic's options, at the beginning and whenever they are altered."""
        self.options = options
        self.compacted = "compact" in options["cleanup.policy"]
        self.deletes = "delete" in options["cleanup.policy"]
        self.segment_bytes: int = options["segment.bytes"]
        self.segment_ns: int = options["segment.ms"] * MILLISECOND
        self._jitter_ns: int = options["segment.jitter.ms"] * MILLISECOND
        self._largest_bytes: int = options[LARGEST]
        self._stamps = options[TIMESTAMP] == "LogAppendTime"
        self.picky = self.compacted or self._largest_bytes < _DEFAULT_LARGEST

    def refusal(self, batch: Batch) -> str:
        """Kafka's name of the error with which a batch is refused for good, or "".  Source: LogValidator."""
        if self.compacted and any(record[0].key is None for record in batch.records):
            return "INVALID_RECORD"
        size: int = batch.bytes + BATCH_OVERHEAD + RECORD_OVERHEAD * len(batch.records)
        return "MESSAGE_TOO_LARGE" if size > self._largest_bytes else ""

    @property
    def has_leader(self) -> bool:
        """Whether something can be appended."""
        return True

    # --- reading ----------------------------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The offset that the next record gets."""
        return self._end

    def read(self, begin: int, upto: int) -> list[Record]:
        """The records from offset `begin` on, below `upto`; what was removed is left out."""
        records = self.records
        if self._dense:
            if not records:
                return []
            first = records[0].offset
            return records[max(0, begin - first) : max(0, upto - first)]
        return records[bisect_left(records, begin, key=_OFFSET) : bisect_left(records, upto, key=_OFFSET)]

    def readable(self, begin: int, upto: int, committed: bool) -> list[Record]:
        """What a reader of the range is given; `committed`: without what was aborted."""
        records = self.read(begin, upto)
        if committed and self.stability.aborted:
            was_aborted = self.stability.was_aborted
            return [record for record in records if not was_aborted(record)]
        return records

    def holds_from(self, offset: int, committed: bool) -> bool:
        """Whether there is something for a reader at or above an offset."""
        if not self.records or self.records[-1].offset < offset:
            return False
        return not committed or bool(self.readable(offset, self._end, True))

    def offset_at(self, time_ns: int) -> int | None:
        """The first offset below the high watermark whose timestamp is at or after a time; None when there is none."""
        for record in self.read(self.log_start, self.high_watermark):
            if record.time_ns >= time_ns:  # type: ignore[attr-defined]
                return record.offset
        return None

    def last_stable(self) -> int:
        """Below this offset every transaction is decided: the end of what read_committed sees."""
        first = self.stability.first_open()
        return self.high_watermark if first is None else min(first, self.high_watermark)

    # --- appending --------------------------------------------------------------------------------------------

    def append(self, outgoing: list[Outgoing], producer: tuple[int, int] | None = None) -> None:
        """Append a batch; `producer` is (id, epoch) of one in a transaction."""
        now_ns = self.clock.now_ns
        times = [message.time_ns if retry is FIRST and not self._stamps else now_ns
                 for message, retry, _, _ in outgoing]
        size = sum(message.size for message, _, _, _ in outgoing)
        segment = self._segment_for(size, max(times))
        if segment.first_ns is None:
            segment.first_ns = max(times)
        offset = self._end
        if producer is not None:
            self.stability.began(producer, offset)
        for (message, retry, _, _), time_ns in zip(outgoing, times, strict=True):
            self.records.append(Kept(message, self, offset, retry, time_ns, producer))
            self.appended(message.id)
            offset += 1
            self.largest = max(self.largest, message.size)
        segment.bytes += size
        segment.largest_ns = max(segment.largest_ns, *times)
        self._grow_to(offset)

    def append_marker(self, producer: tuple[int, int], committed: bool) -> int:
        """End a producer's transaction here with a marker, which takes one offset; returns that offset."""
        now_ns = self.clock.now_ns
        segment = self._segment_for(0, now_ns)
        if segment.first_ns is None:
            segment.first_ns = now_ns
        segment.largest_ns = max(segment.largest_ns, now_ns)
        offset = self._end
        if not committed:
            for message in self.stability.messages_of(producer[0]):
                self._aborted(message)
        self._marked(offset)
        self.stability.ended(producer, offset, committed)
        self._dense = False
        self._grow_to(offset + 1)
        return offset

    def _grow_to(self, end: int) -> None:
        self._end = end
        delay_ns = 0 if self.replication is None else self.replication.draw()
        if delay_ns:
            self._arm(end, self._replicated, delay_ns)
        else:
            self._advance(end)

    def _segment_for(self, size: int, time_ns: int) -> Segment:
        """The active segment, rolled before when the batch would make it too large or it has been open too long."""
        active = self.segments[-1]
        empty = active.base == self._end
        too_long = (active.first_ns is not None
                    and time_ns - active.first_ns > self.segment_ns - active.jitter_ns)
        if not empty and (active.bytes + size > self.segment_bytes or too_long):
            return self.roll()
        return active

    def roll(self) -> Segment:
        """Begin a new active segment; without effect while the active one is empty."""
        if self.segments[-1].base != self._end:
            self.segments.append(self._new_segment(self._end))
        return self.segments[-1]

    def _new_segment(self, base: int) -> Segment:
        longest_ns = min(self._jitter_ns, self.segment_ns)
        return Segment(base, round(self._jitter.draw() * longest_ns) if longest_ns else 0)

    def await_followers(self, tell: Any, whom: Any) -> bool:
        """Call `tell(whom)` when all in-sync replicas have what is here now; False when they have it already."""
        if self._end <= self.high_watermark:
            return False
        self._waiting_producers.append((self._end, tell, whom))
        return True

    # --- removing ---------------------------------------------------------------------------------------------

    def segment_end(self, index: int) -> int:
        """The offset after a segment's last one."""
        return self.segments[index + 1].base if index + 1 < len(self.segments) else self._end

    def delete_records(self, before: int) -> int:
        """Move the log start forward (-1: to the high watermark); returns the new low watermark.

        The records cannot be read any more; their segments go with the next check.  ValueError is Kafka's
        OFFSET_OUT_OF_RANGE: an offset beyond the high watermark.
        """
        upto = self.high_watermark if before == -1 else before
        if not 0 <= upto <= self.high_watermark:
            raise ValueError(f"{self.name} has records up to {self.high_watermark}, and {before} is beyond")
        self.start_at(upto)
        return self.log_start

    def start_at(self, offset: int) -> None:
        """Nothing below the offset can be read any more."""
        if offset <= self.log_start:
            return
        self.log_start = offset
        del self.records[: bisect_left(self.records, offset, key=_OFFSET)]
        self.stability.forget_below(offset)

    def drop_segments(self, number: int) -> None:
        """Delete the first segments; when they are all, a new active one begins at the end."""
        if number == len(self.segments):
            self.roll()
            if len(self.segments) == number:
                number -= 1
        del self.segments[:number]
        self.start_at(self.segments[0].base)

    def keep(self, records: list[Record], upto: int) -> None:
        """The cleaner's word: of the records below an offset only these are left."""
        self.records[: bisect_left(self.records, upto, key=_OFFSET)] = records
        self._dense = False

    def imbalance(self, counts: Counts) -> str:
        """Whether the offsets are those of what was appended, markers included, and nothing lies outside of them."""
        appended, markers = counts.of(Verb.appended, self.place), self.stability.count
        if appended + markers != self._end:
            return (f"{self.place}: {appended} were appended and {markers} markers, "
                    f"but the log ends at {self._end}")
        if self.records and not self.log_start <= self.records[0].offset <= self.records[-1].offset < self._end:
            return f"{self.place}: there are records outside of offsets {self.log_start} to {self._end}"
        return ""
