"""A fetch: a consumer's standing question for records, answered when there are enough or when it has waited."""
from __future__ import annotations

from typing import TYPE_CHECKING

from edasim.brokers.kafka.log import Partition, Record
from edasim.core.clock import Signal, Stage, Timer

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member


class Fetch(Signal):
    """One fetch request of one member and its response.

    `positions` says from where for each partition; `records` is the answer.  A request that finds nothing to
    answer yet waits at the broker from `arrives_ns` on without an event of its own; fetch.max.wait.ms is watched
    only where its end makes a difference: for one that is not `patient` because it leaves out partitions of its
    member, and while there is something but less than fetch.min.bytes.
    """

    __slots__ = ("answered", "arrives_ns", "member", "patience", "patient", "positions", "records")

    def __init__(self, member: Member, positions: dict[Partition, int], patient: bool) -> None:
        self.callbacks = None
        self.member = member
        self.positions = positions
        self.patient = patient
        self.records: list[Record] = []
        self.arrives_ns = 0
        self.answered = False
        self.patience: Timer | None = None

    def send(self) -> None:
        """Ask, over the wire."""
        link = self.member.to_broker
        arrives_ns = link.foresee()
        if arrives_ns is None:
            link.send(self, _ARRIVES)
            return
        self.arrives_ns = arrives_ns
        if self._enough():
            self._at_arrival()
        else:
            self._wait()

    def _at_arrival(self) -> None:
        clock = self.member.clock
        ahead_ns: int = self.arrives_ns - clock._now  # type: ignore[assignment]
        if ahead_ns <= 0:
            self.answer()
        else:
            clock.arm(self, _ARRIVES, ahead_ns)

    def look(self) -> None:
        """At the broker: answer if there is enough, else wait for more."""
        if self._enough():
            self.answer()
        else:
            self._wait()

    def _wait(self) -> None:
        member = self.member
        for partition in self.positions:
            partition.waiting_fetches[member] = self
        if not self.patient or (self.member.fetch_min_bytes > 1 and self._available_bytes()):
            self._arm_patience()

    def see(self, partition: Partition) -> None:
        """A partition has more to show."""
        if self.answered or self.callbacks is not None:
            return
        if self.member.fetch_min_bytes > 1 and not self._enough():
            partition.waiting_fetches[self.member] = self
            self._arm_patience()
            return
        self._at_arrival()

    def _arm_patience(self) -> None:
        if self.patience is None:
            clock = self.member.clock
            self.patience = Timer(self)
            due_ns = max(clock.now_ns, self.arrives_ns + self.member.fetch_max_wait_ns)
            clock.arm(self.patience, _PATIENCE_OVER, due_ns - clock.now_ns)

    def _enough(self) -> bool:
        if self.member.fetch_min_bytes > 1:
            return self._available_bytes() >= self.member.fetch_min_bytes
        for partition, position in self.positions.items():  # noqa: SIM110 - a generator costs more, on every poll
            if position < partition.high_watermark:
                return True
        return False

    def _available_bytes(self) -> int:
        enough = self.member.fetch_min_bytes
        total = 0
        for partition, position in self.positions.items():
            for offset in range(position, partition.high_watermark):
                total += partition.records[offset].message.size
                if total >= enough:
                    return total
        return total

    def answer(self) -> None:
        """Send what is visible, at most max.partition.fetch.bytes of each partition."""
        self.answered = True
        for partition, position in self.positions.items():
            if position >= partition.high_watermark:
                continue
            size = 0
            records = partition.records
            for offset in range(position, partition.high_watermark):
                record = records[offset]
                size += record.message.size
                if size > self.member.partition_fetch_bytes and size > record.message.size:
                    break
                self.records.append(record)
        self.member.to_client.send(self, self.member.fetched)


def _arrives(fetch: Fetch) -> None:
    fetch.arrives_ns = fetch.member.clock.now_ns
    fetch.look()


def _patience_over(timer: Timer) -> None:
    fetch: Fetch = timer.owner
    if not fetch.answered and fetch.callbacks is None:
        fetch.answer()


_ARRIVES: Stage = (_arrives,)
_PATIENCE_OVER: Stage = (_patience_over,)
