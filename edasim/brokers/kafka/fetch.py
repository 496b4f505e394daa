"""A fetch: a consumer's standing question for records, answered when there are enough or when it has waited."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.log import Partition, Record
from edasim.core.clock import Signal, Timer

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member
    from edasim.brokers.kafka.progress import Progress


class Fetch(Signal):
    """The fetch requests of one member, one at a time, and their responses.

    `asked` are the partitions asked for, from where polls have come to on; `answer` holds what each had.  A request
    that finds nothing to answer yet is `waiting` at the broker from `arrives_ns` on without an event of its own;
    fetch.max.wait.ms is watched only where its end makes a difference: while there is something, but less than
    fetch.min.bytes.
    `news`: whether there may be something that nobody has looked at.
    """

    __slots__ = ("answer", "arrives_ns", "asked", "member", "news", "patience", "waiting")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.asked: dict[Partition, Progress] = {}
        self.answer: list[tuple[Progress, list[Record]]] = []
        self.arrives_ns = 0
        self.waiting = False
        self.news = True
        self.patience: Timer | None = None

    def send(self, asked: dict[Partition, Progress]) -> None:
        """Ask, over the wire.  Polls only get further when a fetch is answered, so that one may look at them now."""
        self.asked = asked
        link = self.member.to_broker
        foresee = link.foresee
        arrives_ns = foresee()
        if arrives_ns is None:
            link.send(self, _arrives)
            return
        self.arrives_ns = arrives_ns
        if not self.news:
            self.waiting = True
        elif self._enough():
            self._answer_at_arrival(asked.values())
        else:
            self._wait()

    def _answer_at_arrival(self, partitions: Iterable[Progress]) -> None:
        clock = self.member.clock
        ahead_ns: int = self.arrives_ns - clock._now
        if ahead_ns > 0:
            clock.arm(self, _arrives, ahead_ns)
        else:
            self._answer(partitions)

    def look(self) -> None:
        """At the broker: answer if there is enough, else wait for more."""
        if self._enough():
            self._answer(self.asked.values())
        else:
            self._wait()

    def _wait(self) -> None:
        self.waiting = True
        if self.news and self._available_bytes():
            self._arm_patience()

    def see(self, progress: Progress) -> None:
        """While it waits: a partition has more to show."""
        if self.member.fetch_min_bytes > 1:
            if not self._enough():
                self._arm_patience()
                return
            self.waiting = False
            self._answer_at_arrival(self.asked.values())
        elif self.asked.get(progress.partition) is progress:
            # Nothing else has anything, or it would have been seen before.
            self.waiting = False
            if self.arrives_ns > self.member.clock._now:
                self._answer_at_arrival((progress,))
            else:
                self._answer((progress,))
        else:
            self.news = True

    def _arm_patience(self) -> None:
        if self.patience is None:
            clock = self.member.clock
            self.patience = Timer(self)
            # Requests that waited in vain came back and were asked again in the meantime.
            wait_ns = max(1, self.member.fetch_max_wait_ns)
            waited = -(-(clock.now_ns - self.arrives_ns) // wait_ns)
            due_ns = self.arrives_ns + max(1, waited) * wait_ns
            clock.arm_timer(self.patience, _patience_over, max(0, due_ns - clock.now_ns))

    def _enough(self) -> bool:
        if self.member.fetch_min_bytes > 1:
            return self._available_bytes() >= self.member.fetch_min_bytes
        for progress in self.asked.values():
            if progress.consumed < progress.partition.high_watermark:
                return True
        # What was not asked for has not been looked at.
        self.news = self.asked is not self.member.assigned
        return False

    def _available_bytes(self) -> int:
        enough = self.member.fetch_min_bytes
        total = 0
        for progress in self.asked.values():
            partition = progress.partition
            for record in partition.read(progress.consumed, partition.high_watermark):
                total += record.message.size
                if total >= enough:
                    return total
        return total

    def patience_over(self) -> None:
        """fetch.max.wait.ms is over: answer with what there is."""
        if self.waiting:
            self.waiting = False
            self._answer(self.asked.values())

    def _answer(self, partitions: Iterable[Progress]) -> None:
        # What is visible, at most max.partition.fetch.bytes of each partition.
        if self.patience is not None:
            self.patience = self.patience.cancelled() and None
        member = self.member
        answer: list[tuple[Progress, list[Record]]] = []
        for progress in partitions:
            partition = progress.partition
            records = partition.read(progress.consumed, partition.high_watermark)
            if len(records) * partition.largest > member.partition_fetch_bytes:
                del records[self._fitting(records, not answer) :]
            if records:
                answer.append((progress, records))
        self.answer = answer
        send = member.to_client.send
        send(self, member.fetched)

    def _fitting(self, records: list[Record], at_least_one: bool) -> int:
        room = self.member.partition_fetch_bytes
        for number, record in enumerate(records):
            size = record.message.size
            if (room <= 0 or size > room) and (number or not at_least_one):
                self.news = True
                return number
            room -= size
        return len(records)


def _arrives(fetch: Fetch) -> None:
    fetch.arrives_ns = fetch.member.clock.now_ns
    fetch.look()


def _patience_over(timer: Timer) -> None:
    timer.owner.patience_over()
