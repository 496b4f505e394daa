"""The Kafka log: partitions of records whose offsets never change, and the high watermark below which they show."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from edasim.core.clock import Stage
from edasim.core.conservation import Counts
from edasim.core.draws import SequentialDraw
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.accumulator import Outgoing
    from edasim.brokers.kafka.progress import Progress


class Retrying(NamedTuple):
    """The headers of a retry topic: attempts made so far, when the record may be handled, how long that wait is."""

    attempt: int = 0
    due_ns: int = 0
    last_wait_ns: int = 0


FIRST = Retrying()
"""What a record carries that is not in a retry topic."""


class Record:
    """One message at one offset."""

    __slots__ = ("message", "offset", "partition", "retry")

    def __init__(self, message: Message, partition: Partition, offset: int, retry: Retrying) -> None:
        self.message = message
        self.partition = partition
        self.offset = offset
        self.retry = retry

    @property
    def attempt(self) -> int:
        """How many attempts were made before it was appended."""
        return self.retry.attempt

    @property
    def last_wait_ns(self) -> int:
        """How long it is made to wait before it may be handled."""
        return self.retry.last_wait_ns


class ProducerState:
    """The sequence numbers of an idempotent producer that a partition remembers: those of its last five batches.

    Source: KIP-98, KAFKA-5494.
    """

    __slots__ = ("_known", "_next")

    def __init__(self) -> None:
        self._known: deque[int] = deque(maxlen=5)
        self._next = 0

    def accepts(self, sequence: int) -> bool:
        """Whether this batch is the next one; if so it counts as appended."""
        if sequence != self._next:
            return False
        self._next = sequence + 1
        self._known.append(sequence)
        return True

    def remembers(self, sequence: int) -> bool:
        """Whether this batch was appended before."""
        return sequence in self._known


class Partition:
    """One partition of one topic at its leader.

    `node` is the broker that leads it; `replication` draws how long until the leader knows that every in-sync
    follower has a record (None: no followers).
    """

    compacted = False
    picky = False
    """Whether there are batches that it refuses for good."""
    log_start = 0
    """The lowest offset that can be read."""

    def __init__(self, world: World, topic: str, number: int, node: int,
                 replication: SequentialDraw | None, place: Place) -> None:
        self.topic = topic
        self.number = number
        self.node = node
        self.name = f"{topic}-{number}"
        self.records: list[Record] = []
        self.high_watermark = 0
        self.largest = 0
        """The size of the largest record."""
        self.place = place
        self.appended = world.writer(Verb.appended, place)
        self.deduplicated = world.writer(Verb.deduplicated, place)
        self.readers: tuple[Progress, ...] = ()
        """How far the members have come that have it assigned, of all groups."""
        self.replication = replication
        self._arm = world.clock.arm
        self._replicated: Stage = self._advance
        self._waiting_producers: deque[tuple[int, Callable[[Any], None], Any]] = deque()
        self._producers: dict[tuple[int, int], ProducerState] = {}
        world.add_part(self)

    def owes(self) -> bool:
        """A log waits for nobody."""
        return False

    def owed(self) -> tuple[Message, ...]:
        """A log waits for nobody."""
        return ()

    def imbalance(self, counts: Counts) -> str:
        """Whether the records are those that were appended."""
        appended = counts.of(Verb.appended, self.place)
        return "" if appended == self.end else f"{self.place}: {appended} were appended, but the log ends at {self.end}"

    @property
    def end(self) -> int:
        """The offset that the next record gets."""
        return len(self.records)

    def read(self, begin: int, upto: int) -> list[Record]:
        """The records from offset `begin` on, below `upto`."""
        return self.records[begin:upto]

    def readable(self, begin: int, upto: int, committed: bool) -> list[Record]:
        """What a reader of the range is given; `committed`: without what was aborted."""
        return self.read(begin, upto)

    def holds_from(self, offset: int, committed: bool) -> bool:
        """Whether there is something for a reader at or above an offset."""
        return offset < len(self.records)

    def last_stable(self) -> int:
        """The end of what read_committed sees."""
        return self.high_watermark

    def offset_at(self, time_ns: int) -> int | None:
        """The first visible offset whose timestamp is at or after a time; None when there is none."""
        return next((record.offset for record in self.read(0, self.high_watermark)
                     if record.message.time_ns >= time_ns), None)

    def beyond(self, offset: int) -> int:
        """What a commit of an offset beyond the end stands for: only a log that can be cut knows such."""
        raise AssertionError(f"offset {offset} is past the end of {self.name}")

    def producer_state(self, producer: int, epoch: int) -> ProducerState:
        """What the partition knows of an idempotent producer in one of its epochs."""
        state = self._producers.get((producer, epoch))
        if state is None:
            state = self._producers[producer, epoch] = ProducerState()
        return state

    def append(self, outgoing: list[Outgoing]) -> None:
        """Append what a producer sent; consumers see it when the high watermark passes it."""
        records, appended = self.records, self.appended
        offset = len(records)
        for message, retry, _, _ in outgoing:
            records.append(Record(message, self, offset, retry))
            appended(message.id)
            offset += 1
            if message.size > self.largest:
                self.largest = message.size
        if self.replication is None:
            self._advance(offset)
            return
        draw, arm = self.replication.draw, self._arm
        delay_ns = draw()
        if delay_ns:
            arm(offset, self._replicated, delay_ns)
        else:
            self._advance(offset)

    def _advance(self, end: int) -> None:
        # All followers have everything below `end`.
        if end <= self.high_watermark:
            return
        self.high_watermark = end
        waiting = self._waiting_producers
        while waiting and waiting[0][0] <= end:
            _, tell, whom = waiting.popleft()
            tell(whom)
        for progress in self.readers:
            fetch = progress.member.fetch
            if fetch.waiting:
                fetch.see(progress)
            else:
                fetch.news = True

    def await_followers(self, tell: Callable[[Any], None], whom: Any) -> bool:
        """Call `tell(whom)` when all in-sync replicas have what is here now; False when they have it already."""
        end = len(self.records)
        if end <= self.high_watermark:
            return False
        self._waiting_producers.append((end, tell, whom))
        return True
