"""One member of a consumer group: heartbeats, joining, what it is assigned, and how it comes to lose that."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.polling import MILLISECOND, Poller
from edasim.brokers.kafka.progress import Progress
from edasim.core.clock import Signal
from edasim.core.link import CALL, RECONNECT_NS, Call, Link
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.group_offsets import GroupOffsets

RETRY_NS = 100 * MILLISECOND
"""retry.backoff.ms: how long a consumer waits before it makes a commit again that was refused for the moment."""


class Member(Poller):
    """A consumer client.  `options` are resolved consumer options by their real names.

    The application calls `poll` when it has handled what the last poll returned; when a poll returns something,
    `on_record` is given the first record and the others are in `polled` (committed beforehand if `commit_before`).
    `assigned` says per partition how far it has come; `instance` is its group.instance.id (None: a dynamic member).

    What an application does: `poll`, `consumed` (its positions), `commit` (what polls returned, or given offsets; the
    group answers only to refuse), `seek`, `seek_to_time`, `pause`, `resume`, `rest` (leave a poll that waits in vain),
    `die` (crash; then `Group.lose`, or `Group.leave` for a close).  What its group says: `assign` (a share, taken in a
    poll), `commit_refused` (Kafka's name of an error).  For who drives a member by hand: `rejoin_pending`,
    `generation`, `_applied` (a share has been taken over), `_poll_interval_over`.  Committed offsets are
    `Group.committed`.
    """

    __slots__ = ("_born_ns", "_evicted", "_heartbeat_phase_ns", "_silent_since_ns", "heartbeat_ns", "instance",
                 "session_ns")

    def __init__(self, world: World, group: GroupOffsets, name: str, links: tuple[Link, Link],
                 options: Mapping[str, Any]) -> None:
        super().__init__(world, group, name, links, options)
        self.instance: str | None = None
        self.heartbeat_ns, self.session_ns = group.heartbeat_times_ns(options)
        self._born_ns = world.clock.now_ns
        phase = world.draws.sequential("phase", name)
        self._heartbeat_phase_ns: int = world.clock.now_ns + round(phase.draw() * self.heartbeat_ns)
        self._next_auto_commit_ns = world.clock.now_ns + round(phase.draw() * self.auto_commit_ns)
        self.on_failure = self._fail
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

    def begin_heartbeats(self) -> None:
        """One is sent now, out of turn; the next follows an interval later."""
        self._heartbeat_phase_ns = self.clock.now_ns

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
        self._evicted = self.rejoin_pending = False
        self.generation = -1
        self._assignment = None
        self.revoke_all()
        self.group.join(self)

    def _poll_interval_over(self) -> None:
        # Its heartbeats go on, but the client itself says goodbye; a static member only falls silent.
        if not self._evicted:
            self._evicted = self.rejoin_pending = True
            self.group.leave(self)

    # --- assignment -------------------------------------------------------------------------------------------

    def assign(self, partitions: Mapping[Partition, int], generation: int) -> None:
        """The group's word: these partitions, from these offsets; partitions kept go on where they are.

        It takes effect in a poll, as all of the protocol does: a member at work first finishes what it has.
        """
        self.generation = generation
        if not self.polling and self.assigned:
            self._assignment = partitions
            return
        lost = [partition for partition in self.assigned if partition not in partitions]
        if lost and self.auto_commit:
            for partition in lost:
                # Said again even if it was said before: that may have been refused while shares were fetched.
                self.assigned[partition].committing = -1
            self.commit({partition: self.assigned[partition].consumed for partition in lost})
        for partition in lost:
            self._revoke(partition)
        for partition, offset in partitions.items():
            if partition not in self.assigned:
                progress = Progress(self, partition, offset, self.group.deliveries[partition])
                self.assigned[partition] = progress
                partition.readers = (*partition.readers, progress)
                self.group.gave(partition, self)
        self._discard_fetch()
        self._applied(lost)
        if self.polling and not self.rejoin_pending:
            self._look_for_records()

    def _applied(self, lost: list[Partition]) -> None:
        """What the group said is done."""
        self.group.applied(self, lost)

    def revoke_all(self) -> None:
        """Give up everything, as the eager protocol has it before a member joins again."""
        for partition in list(self.assigned):
            self._revoke(partition)
        self._discard_fetch()

    def _revoke(self, partition: Partition) -> None:
        progress = self.assigned.pop(partition)
        self.paused.discard(partition)
        partition.readers = tuple(reader for reader in partition.readers if reader is not progress)
        self.group.took(partition, self)
        self._drop_records(progress)

    def _serve_group(self) -> bool:
        """What a poll has to do for the group first; True when nothing is to be read in it."""
        if self._assignment is not None:
            assignment, self._assignment = self._assignment, None
            self.assign(assignment, self.generation)
            if not self.polling or not self.rejoin_pending:
                return True
        if self.rejoin_pending:
            if self._evicted:
                self._join_anew()
            else:
                self.group.member_ready(self)
            # Without latency the group may have answered, and an assignment begun, within the call.
            return not self.polling or self.rejoin_pending
        return False

    # --- connections that break -------------------------------------------------------------------------------

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

    def hear_refusal(self, news: tuple[str, int]) -> None:
        """Something was refused that was sent in a generation or epoch, which may be over: that is tried once more."""
        error, generation = news
        if generation == self.generation or error == "FENCED_INSTANCE_ID":
            self.commit_refused(error)
        elif self.generation >= 0:
            self.commit_refused("REBALANCE_IN_PROGRESS")

    def commit_refused(self, error: str) -> None:
        """The coordinator did not take a commit, or does not take this member at all; the error by Kafka's name.

        While members join or an epoch is on its way it is made again; who is out joins anew when it next polls; who was
        replaced by another with the same group.instance.id ends.  Source: OffsetCommitResponseHandler in apache/kafka.
        """
        if not self.alive or self._evicted:
            return
        if error == "FENCED_INSTANCE_ID":
            self.on_failure()
        elif error in ("REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH"):
            for partition, progress in self.assigned.items():
                progress.committing = min(progress.committing, self.group.committed[partition])
            self.clock.at(self.clock.now_ns + RETRY_NS, self._commit_again)
        else:
            self._evicted = self.rejoin_pending = True
            if self.polling:
                self._join_anew()

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
