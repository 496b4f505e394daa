"""The poll loop of a consumer: fetches, what is buffered, positions, and the commits of them.

Source in apache/kafka: ClassicKafkaConsumer.poll, FetchCollector, ConsumerCoordinator.maybeAutoCommitOffsetsAsync.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.fetch import Fetch
from edasim.brokers.kafka.log import FIRST, Partition, Record
from edasim.brokers.kafka.progress import Progress
from edasim.core.clock import Signal, Stage, Timer
from edasim.core.link import CALL, Call, Link
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.group_offsets import GroupOffsets

MILLISECOND = 1_000_000


class Poller(ABC):
    """What a consumer does with the partitions that it has, whoever gave them to it."""

    # More than 30 attributes in a dict would be slow to look up.
    __slots__ = (
        "_assignment",
        "_commit_due",
        "_committer",
        "_fetching",
        "_leaves_out",
        "_left_ns",
        "_next_auto_commit_ns",
        "_poll_overdue",
        "_poll_watch",
        "_wake",
        "_waker",
        "alive",
        "assigned",
        "auto_commit",
        "auto_commit_ns",
        "buffer",
        "clock",
        "commit_before",
        "fetch",
        "fetch_max_wait_ns",
        "fetch_min_bytes",
        "fetched",
        "generation",
        "group",
        "max_poll_ns",
        "max_poll_records",
        "name",
        "on_failure",
        "on_record",
        "partition_fetch_bytes",
        "paused",
        "polled",
        "polling",
        "reads_committed",
        "rejoin_pending",
        "settled",
        "to_broker",
        "to_client",
        "world",
    )

    def __init__(self, world: World, group: GroupOffsets, name: str, links: tuple[Link, Link],
                 options: Mapping[str, Any]) -> None:
        self.world = world
        self.clock = world.clock
        self.group: Any = group
        self.name = name
        self.to_broker, self.to_client = links
        self.max_poll_records: int = options["max.poll.records"]
        self.max_poll_ns: int = options["max.poll.interval.ms"] * MILLISECOND
        self.fetch_min_bytes: int = options["fetch.min.bytes"]
        self.fetch_max_wait_ns: int = options["fetch.max.wait.ms"] * MILLISECOND
        self.partition_fetch_bytes: int = options["max.partition.fetch.bytes"]
        self.auto_commit: bool = options["enable.auto.commit"]
        self.auto_commit_ns: int = options["auto.commit.interval.ms"] * MILLISECOND
        self.reads_committed: bool = options["isolation.level"] == "read_committed"
        self.paused: set[Partition] = set()
        """Partitions that stay assigned and are not read at present."""
        self._next_auto_commit_ns = 0
        self.on_record: Callable[[Record], None] = lambda record: None
        self.on_failure: Callable[[], None] = lambda: None
        """What the application does when a poll raises: by default it ends."""
        self.commit_before = False
        self.alive = True
        self.generation = -1
        self.assigned: dict[Partition, Progress] = {}
        self.settled: dict[Partition, int] = {}
        self.buffer: list[tuple[Progress, list[Record]]] = []
        self.polled: deque[Record] = deque()
        self.polling = False
        self.rejoin_pending = False
        self._assignment: Mapping[Partition, int] | None = None
        self.fetch: Fetch = group.fetch_kind(self)  # type: ignore[arg-type]
        self._fetching = False
        self._leaves_out = False
        self._committer = Timer(self)
        self._commit_due: Stage = self._auto_commit_due
        self._waker = Timer(self)
        self._wake: Stage = self._wake_up
        self._left_ns = 0
        self._poll_watch = Timer(self)
        self._poll_overdue: Stage = self._watch_polls
        self.fetched: Stage = self._on_fetched

    # --- what becomes of what the group says: see Member ------------------------------------------------------

    @abstractmethod
    def _serve_group(self) -> bool:
        """What a poll has to do for the group first; True when nothing is to be read in it."""

    @abstractmethod
    def _poll_interval_over(self) -> None:
        """The application has not polled for max.poll.interval.ms."""

    # --- the poll loop ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Ask for records; `on_record` gets the first of them, which may be at once."""
        if self.auto_commit and self.clock._now >= self._next_auto_commit_ns:
            self.commit()
        self.polling = True
        if (self._assignment is not None or self.rejoin_pending) and self._serve_group():
            return
        if self.buffer or not self._fetching:
            self._look_for_records()

    def _look_for_records(self) -> None:
        if self.buffer:
            self._take_from_buffer()
        if self.polled:
            self._return_from_poll()
            return
        if not self._fetching:
            self._send_fetch()
        if self.buffer:
            self._wake_at(min(records[0].retry.due_ns for _, records in self.buffer))

    def _return_from_poll(self) -> None:
        self.polling = False
        self._left_ns = self.clock._now
        if self._poll_watch.stage is None:
            self.clock.arm_timer(self._poll_watch, self._poll_overdue, self.max_poll_ns)
        if self.auto_commit and self._committer.stage is None:
            self._arm_commit()
        if not self._fetching:
            self._send_fetch()
        if self.commit_before:
            self.commit()
        on_record = self.on_record
        on_record(self.polled.popleft())

    def give_again(self, record: Record) -> None:
        """What the broker knew of a record's handling is lost: the application gets it once more."""
        if not self.alive or record.partition not in self.assigned:
            return
        self.assigned[record.partition].deliveries.redelivered(record.message.id)
        self.polled.appendleft(record)
        if self.polling and not self.rejoin_pending:
            self._return_from_poll()

    def _take_from_buffer(self) -> None:
        now = self.clock._now
        room = self.max_poll_records
        hand_over = self.polled.append
        kept = []
        for progress, records in self.buffer:
            deliveries = progress.deliveries
            taken = 0
            for record in records:
                if taken == room or (record.retry is not FIRST and record.retry.due_ns > now):
                    kept.append((progress, records[taken:]))
                    break
                taken += 1
                hand_over(record)
                progress.consumed = offset = record.offset + 1
                first = offset > deliveries.upto
                if first:
                    deliveries.upto = offset
                (deliveries.delivered if first else deliveries.redelivered)(record.message.id)
            room -= taken
        if self._leaves_out and len(kept) < len(self.buffer):
            # A partition goes on: the request that left it out is replaced.
            self._discard_fetch()
        self.buffer = kept

    def _wake_at(self, due_ns: int) -> None:
        # A record of a retry topic is not due yet: its partition is paused until it is.
        self._waker = self._waker.cancelled()
        self.clock.arm_timer(self._waker, self._wake, max(0, due_ns - self.clock.now_ns))

    def _wake_up(self, _: Signal) -> None:
        if self.alive and self.polling and not self.rejoin_pending:
            self._look_for_records()

    def _send_fetch(self) -> None:
        asked = self.assigned
        if self.paused:
            asked = {partition: progress for partition, progress in asked.items() if partition not in self.paused}
        if self.buffer:
            # Nothing is asked for while something is at hand; what is not due yet is paused, and left out.
            now = self.clock.now_ns
            if any(records[0].retry.due_ns <= now for _, records in self.buffer):
                return
            paused = [progress for progress, _ in self.buffer]
            asked = {partition: progress for partition, progress in asked.items() if progress not in paused}
        if asked:
            self._fetching = True
            self._leaves_out = asked is not self.assigned
            self.fetch.send(asked)

    def _on_fetched(self, fetch: Fetch) -> None:
        if fetch is not self.fetch:
            return
        self._fetching = False
        self.buffer += fetch.answer
        # As in the Java client, only a poll collects what has arrived and asks for more.
        if self.polling and not self.rejoin_pending:
            self._look_for_records()

    def pause(self, *partitions: Partition) -> None:
        """Read no more of these until `resume`; they stay assigned, and what is buffered of them is fetched again."""
        self.paused.update(partitions)
        for partition in self.paused & self.assigned.keys():
            self._drop_records(self.assigned[partition])
        self._fetch_anew()

    def resume(self, *partitions: Partition) -> None:
        """Read these on from where they are."""
        self.paused.difference_update(partitions)
        self._fetch_anew()

    def _fetch_anew(self) -> None:
        self._discard_fetch()
        if self.polling and not self.rejoin_pending:
            self._look_for_records()

    def rest(self) -> None:
        """A poll has waited in vain, and the application does something else before the next one."""
        self.polling = False

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on from another offset, any one: what the log lacks is for auto.offset.reset to decide."""
        assert offset >= 0, "an offset counts from 0"
        assert partition in self.assigned, "only an assigned partition can be sought in"
        progress = self.assigned[partition]
        self._drop_records(progress)
        progress.consumed = offset
        self._fetch_anew()

    def seek_to_time(self, partition: Partition, time_ns: int) -> None:
        """Read on from the first record whose timestamp is not before a time, from the end where there is none."""
        offset = partition.offset_at(time_ns)
        self.seek(partition, partition.high_watermark if offset is None else offset)

    def _watch_polls(self, _: Signal) -> None:
        # Armed once in an interval, not once in a poll: it looks back at when the application left its last poll.
        if not self.alive or self.polling:
            return
        due_ns = self._left_ns + self.max_poll_ns
        if self.clock._now < due_ns:
            self.clock.arm_timer(self._poll_watch, self._poll_overdue, due_ns - self.clock._now)
        else:
            self._poll_interval_over()

    def _drop_records(self, progress: Progress) -> None:
        self.buffer = [(other, records) for other, records in self.buffer if other is not progress]
        # In place: the application reads from this very deque.
        kept = [record for record in self.polled if record.partition is not progress.partition]
        self.polled.clear()
        self.polled.extend(kept)

    def _discard_fetch(self) -> None:
        # One that is under way is not waited for any more; a new one takes its place.
        if self._fetching:
            self._fetching = False
            self.fetch.waiting = False
            self.fetch = self.group.fetch_kind(self)
        self.fetch.news = True

    # --- commits ----------------------------------------------------------------------------------------------

    def consumed(self) -> dict[Partition, int]:
        """For each partition the offset after the last record that a poll returned: what a commit may say."""
        return {partition: progress.consumed for partition, progress in self.assigned.items()}

    def commit(self, upto: Mapping[Partition, int] | None = None) -> None:
        """Commit offsets, by default what polls have returned; the group applies them when they arrive."""
        self._next_auto_commit_ns = self.clock.now_ns + self.auto_commit_ns
        wanted = self.consumed() if upto is None else upto
        offsets = {
            partition: offset for partition, offset in wanted.items()
            if partition in self.assigned and offset != self.assigned[partition].committing
        }
        if offsets:
            for partition, offset in offsets.items():
                self.assigned[partition].committing = offset
            self.settled.update(wanted)
            self.to_broker.send(Call(self.group.commit, (self, self.generation, offsets)), CALL)

    def _arm_commit(self) -> None:
        self.clock.arm_timer(self._committer, self._commit_due, max(0, self._next_auto_commit_ns - self.clock.now_ns))

    def _auto_commit_due(self, _: Signal) -> None:
        # A consumer that waits in poll commits on time; one at work at its next poll, if the interval is over then.
        if self.alive and self.clock.now_ns < self._next_auto_commit_ns:
            self._arm_commit()
        elif self.alive and self.polling:
            self.commit()
