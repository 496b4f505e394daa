"""One member of a consumer group: the poll loop, positions, and commits."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.fetch import Fetch
from edasim.brokers.kafka.log import FIRST, Partition, Record
from edasim.brokers.kafka.progress import Progress
from edasim.core.clock import Signal, Stage, Timer
from edasim.core.link import CALL, RECONNECT_NS, Call, Link
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.group import Group

MILLISECOND = 1_000_000


class Member:
    """A consumer client.  `options` are resolved consumer options by their real names.

    The application calls `poll` when it has handled what the last poll returned; when a poll returns something,
    `on_record` is given the first record and the others are in `polled` (committed beforehand if `commit_before`).
    `assigned` says per partition how far it has come.
    """

    # More than 30 attributes in a dict would be slow to look up.
    __slots__ = (
        "_assignment", "_born_ns", "_commit_due", "_committer", "_evicted", "_fetching", "_heartbeat_phase_ns",
        "_leaves_out", "_next_auto_commit_ns", "_silent_since_ns", "_wake", "_waker", "alive", "assigned",
        "auto_commit", "auto_commit_ns", "buffer", "clock", "commit_before", "fetch", "fetch_max_wait_ns",
        "fetch_min_bytes", "fetched", "generation", "group", "heartbeat_ns", "max_poll_records", "name",
        "on_failure", "on_record", "partition_fetch_bytes", "paused", "polled", "polling", "reads_committed",
        "rejoin_pending", "session_ns", "settled", "to_broker", "to_client", "world",
    )

    def __init__(self, world: World, group: Group, name: str, links: tuple[Link, Link],
                 options: Mapping[str, Any]) -> None:
        self.world = world
        self.clock = world.clock
        self.group = group
        self.name = name
        self.to_broker, self.to_client = links
        self.max_poll_records: int = options["max.poll.records"]
        self.fetch_min_bytes: int = options["fetch.min.bytes"]
        self.fetch_max_wait_ns: int = options["fetch.max.wait.ms"] * MILLISECOND
        self.partition_fetch_bytes: int = options["max.partition.fetch.bytes"]
        self.auto_commit: bool = options["enable.auto.commit"]
        self.auto_commit_ns: int = options["auto.commit.interval.ms"] * MILLISECOND
        self.heartbeat_ns: int = options["heartbeat.interval.ms"] * MILLISECOND
        self.session_ns: int = options["session.timeout.ms"] * MILLISECOND
        self.reads_committed: bool = options["isolation.level"] == "read_committed"
        self.paused: set[Partition] = set()
        """Partitions that stay assigned and are not read at present."""
        self._born_ns = world.clock.now_ns
        phase = world.draws.sequential("phase", name)
        self._heartbeat_phase_ns: int = world.clock.now_ns + round(phase.draw() * self.heartbeat_ns)
        self._next_auto_commit_ns = world.clock.now_ns + round(phase.draw() * self.auto_commit_ns)
        self.on_record: Callable[[Record], None] = lambda record: None
        self.on_failure: Callable[[], None] = self._fail
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
        self.fetch: Fetch = group.fetch_kind(self)
        self._fetching = False
        self._leaves_out = False
        self._assignment: tuple[Mapping[Partition, int], int] | None = None
        self._committer = Timer(self)
        self._commit_due: Stage = self._auto_commit_due
        self._waker = Timer(self)
        self._wake: Stage = self._wake_up
        self.fetched: Stage = self._on_fetched
        self.to_broker.on_lost = self.to_client.on_lost = self._transmission_lost
        self.to_broker.on_cut = self._cut_off
        self._evicted = False
        self._silent_since_ns = 0

    # --- heartbeats: never simulated one by one, always known ---------------------------------------------------

    def next_heartbeat_ns(self) -> int:
        """The first heartbeat from now on."""
        since = self.clock.now_ns - self._heartbeat_phase_ns
        return self._heartbeat_phase_ns + max(0, -(-since // self.heartbeat_ns)) * self.heartbeat_ns

    def last_heartbeat_ns(self) -> int:
        """The last heartbeat until now (joining counts as one)."""
        since = self.clock.now_ns - self._heartbeat_phase_ns
        return max(self._heartbeat_phase_ns + (since // self.heartbeat_ns) * self.heartbeat_ns, self._born_ns)

    def _cut_off(self, is_cut: bool) -> None:
        """Nothing is heard of a member that is cut off: after session.timeout.ms the group goes on without it."""
        if is_cut:
            self._silent_since_ns = self.last_heartbeat_ns()
            self.clock.at(self._silent_since_ns + self.session_ns, self._session_over)
        elif self._evicted:
            self.clock.at(self.next_heartbeat_ns(), self._hears_of_eviction)

    def _session_over(self) -> None:
        silent_ns = self.clock.now_ns - self._silent_since_ns
        if self.alive and self.to_broker.is_cut and not self._evicted and silent_ns >= self.session_ns:
            self._evicted = True
            self.group.remove(self)

    def _hears_of_eviction(self) -> None:
        # Its next heartbeat is answered with "unknown member": it joins anew when it next polls.
        if self.alive and self._evicted:
            self.rejoin_pending = True
            if self.polling:
                self._join_anew()

    def _join_anew(self) -> None:
        self._evicted = False
        self._assignment = None
        self.revoke_all()
        self.group.join(self)

    # --- assignment -------------------------------------------------------------------------------------------

    def assign(self, partitions: Mapping[Partition, int], generation: int) -> None:
        """The group's word: these partitions, from these offsets; partitions kept go on where they are.

        It takes effect in a poll, as all of the protocol does: a member at work first finishes what it has.
        """
        if not self.polling and self.assigned:
            self._assignment = (partitions, generation)
            return
        self.generation = generation
        lost = [partition for partition in self.assigned if partition not in partitions]
        if lost and self.auto_commit:
            self.commit({partition: self.assigned[partition].consumed for partition in lost})
        for partition in lost:
            self._revoke(partition)
        for partition, offset in partitions.items():
            if partition not in self.assigned:
                progress = Progress(self, partition, offset, self.group.deliveries[partition])
                self.assigned[partition] = progress
                partition.readers = (*partition.readers, progress)
        self.rejoin_pending = False
        self._discard_fetch()
        if self.polling:
            self._look_for_records()

    def revoke_all(self) -> None:
        """Give up everything, as the eager protocol has it before a member joins again."""
        for partition in list(self.assigned):
            self._revoke(partition)
        self._discard_fetch()

    def _revoke(self, partition: Partition) -> None:
        progress = self.assigned.pop(partition)
        partition.readers = tuple(reader for reader in partition.readers if reader is not progress)
        self._drop_records(progress)

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

    # --- the poll loop ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Ask for records; `on_record` gets the first of them, which may be at once."""
        if self.auto_commit and self.clock._now >= self._next_auto_commit_ns:
            self.commit()
        self.polling = True
        if self._assignment is not None:
            assignment, self._assignment = self._assignment, None
            self.assign(*assignment)
            return
        if self.rejoin_pending:
            if self._evicted:
                self._join_anew()
            else:
                self.group.member_ready(self)
            # Without latency the group may have answered, and an assignment begun, within the call.
            if not self.polling or self.rejoin_pending:
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
        for partition in partitions:
            if partition in self.assigned:
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
        """Read on from another offset (what the log does not have is for auto.offset.reset to decide); what is buffered
        of the partition is thrown away.
        """
        assert offset >= 0, "an offset counts from 0"
        assert partition in self.assigned, "only an assigned partition can be sought in"
        self._discard_fetch()
        progress = self.assigned[partition]
        self._drop_records(progress)
        progress.consumed = offset
        if self.polling and not self.rejoin_pending:
            self._look_for_records()

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
        # A consumer that waits in poll commits on time; one that works commits at its next poll.
        # One that is at work commits at its next poll, if the interval is over then.
        if self.alive and self.clock.now_ns < self._next_auto_commit_ns:
            self._arm_commit()
        elif self.alive and self.polling:
            self.commit()

    def _transmission_lost(self, signal: Signal) -> None:
        """The connection broke: what was asked is asked again on the next one."""
        if isinstance(signal, Call):
            self._word_lost(signal)
        elif signal is self.fetch:
            self._discard_fetch()
            self.clock.at(self.clock.now_ns + RECONNECT_NS, self._fetch_again)

    def _word_lost(self, call: Call) -> None:
        """Of the group's protocol: commits are made anew, a goodbye is a death, the rest is said again."""
        due_ns = self.clock.now_ns + RECONNECT_NS
        if call.action == self.group.commit:
            for partition, progress in self.assigned.items():
                progress.committing = min(progress.committing, self.group.committed[partition])
            self.clock.at(due_ns, self._commit_again)
        elif call.action == self.group.remove:
            self.group.lose(self)
        else:
            link = self.to_client if call.action == self.group.assigned else self.to_broker
            self.clock.at(due_ns, lambda: link.send(call, CALL) if self.alive else None)

    def _commit_again(self) -> None:
        if self.alive:
            self.commit(self.settled)

    def _fetch_again(self) -> None:
        if self.alive and not self._fetching:
            self._send_fetch()

    def overtaken(self, progress: Progress) -> None:
        """The records at its position are gone: read on where auto.offset.reset says, or fail."""
        offset = self.group.overtaken(progress.partition, progress.consumed)
        if offset is not None:
            progress.consumed = offset
        elif self.polling:
            self.clock.at(self.clock.now_ns, lambda: self.on_failure() if self.alive and self.polling else None)
        else:
            self._discard_fetch()  # The next poll asks again, and raises.

    def _fail(self) -> None:
        self.die()
        self.group.leave(self)

    def die(self) -> None:
        """No goodbye: fetches, buffers and uncommitted positions are gone with the process."""
        self.alive = False
        self.polling = False
        self.to_broker.forget_held()
        self._discard_fetch()
        self.revoke_all()
        self.polled.clear()
        self._committer = self._committer.cancelled()
        self._waker = self._waker.cancelled()
