"""A fetch: a consumer's standing question for records, answered when there are enough or when it has waited."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.log import Partition, Record
from edasim.core.clock import Signal, Stage, Timer

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member


class Fetch(Signal):
    """The fetch requests of one member, one at a time, and their responses.

    `positions` says from where for each partition; `records` is the answer.  A request that finds nothing to
    answer yet is `waiting` at the broker from `arrives_ns` on without an event of its own; fetch.max.wait.ms is
    watched only where its end makes a difference: while there is something, but less than fetch.min.bytes.
    """

    __slots__ = ("arrives_ns", "member", "patience", "positions", "records", "waiting")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.positions: dict[Partition, int] = {}
        self.records: list[Record] = []
        self.arrives_ns = 0
        self.waiting = False
        self.patience: Timer | None = None

    def send(self, positions: dict[Partition, int]) -> None:
        """Ask, over the wire."""
        self.positions = positions
        self.records = []
        link = self.member.to_broker
        arrives_ns = link.foresee()
        if arrives_ns is None:
            link.send(self, _ARRIVES)
            return
        self.arrives_ns = arrives_ns
        if self._enough():
            self._answer_at_arrival(positions)
        else:
            self._wait()

    def _answer_at_arrival(self, partitions: Iterable[Partition]) -> None:
        clock = self.member.clock
        ahead_ns: int = self.arrives_ns - clock._now  # type: ignore[assignment]
        if ahead_ns > 0:
            clock.arm(self, _ARRIVES, ahead_ns)
        else:
            self._answer(partitions)

    def look(self) -> None:
        """At the broker: answer if there is enough, else wait for more."""
        if self._enough():
            self._answer(self.positions)
        else:
            self._wait()

    def _wait(self) -> None:
        self.waiting = True
        if self.member.fetch_min_bytes > 1 and self._available_bytes():
            self._arm_patience()

    def see(self, partition: Partition) -> None:
        """While it waits: a partition has more to show."""
        if self.member.fetch_min_bytes > 1:
            if not self._enough():
                self._arm_patience()
                return
            self.waiting = False
            self._answer_at_arrival(self.positions)
        elif partition in self.positions:
            # Nothing else has anything, or it would have been seen before.
            self.waiting = False
            if self.arrives_ns > self.member.clock._now:
                self._answer_at_arrival((partition,))
            else:
                self._answer((partition,))

    def _arm_patience(self) -> None:
        if self.patience is None:
            clock = self.member.clock
            self.patience = Timer(self)
            # Requests that waited in vain came back and were asked again in the meantime.
            wait_ns = max(1, self.member.fetch_max_wait_ns)
            waited = -(-(clock.now_ns - self.arrives_ns) // wait_ns)
            due_ns = self.arrives_ns + max(1, waited) * wait_ns
            clock.arm_timer(self.patience, _PATIENCE_OVER, max(0, due_ns - clock.now_ns))

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

    def patience_over(self) -> None:
        """fetch.max.wait.ms is over: answer with what there is."""
        if self.waiting:
            self.waiting = False
            self._answer(self.positions)

    def _answer(self, partitions: Iterable[Partition]) -> None:
        # What is visible, at most max.partition.fetch.bytes of each partition.
        if self.patience is not None:
            self.patience = self.patience.cancelled() and None
        member, records = self.member, self.records
        for partition in partitions:
            offset, end = self.positions[partition], partition.high_watermark
            room = member.partition_fetch_bytes
            log = partition.records
            while offset < end and (room > 0 or not records):
                record = log[offset]
                room -= record.message.size
                if room < 0 and records:
                    break
                records.append(record)
                offset += 1
        member.to_client.send(self, member.fetched)


def _arrives(fetch: Fetch) -> None:
    fetch.arrives_ns = fetch.member.clock.now_ns
    fetch.look()


def _patience_over(timer: Timer) -> None:
    timer.owner.patience_over()


_ARRIVES: Stage = _arrives
_PATIENCE_OVER: Stage = _patience_over
