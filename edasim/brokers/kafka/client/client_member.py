"""The engine's group member, as the step-by-step client drives it.

What the engine does within a poll by itself, such as giving partitions up for a rebalance, waits here until the
application polls: its callbacks run then, and may take as much simulated time as they like.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.member import Member
from edasim.brokers.kafka.progress import Progress
from edasim.core.link import Link

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.coordinator import ClientGroup


class Owner(Protocol):
    """The consumer that a member belongs to, as far as the member and its group talk to it."""

    def overtaken(self, partition: Partition, position: int) -> int | None:
        """A position is no offset of the log: where to read on, None for nowhere."""

    def rebalance_begins(self) -> None:
        """The group is to share its partitions anew."""

    def assignment_arrives(self, partitions: list[Partition], generation: int) -> None:
        """The group has shared its partitions."""

    def refused(self, error: str) -> None:
        """The group does not take the member; the error by its name."""


class ClientMember(Member):
    """A member that may never join: a consumer that assigns its partitions itself reads through one as well.

    `subscribed`, `strategies` and `instance` are what it tells the coordinator when it joins; `rejoining`: it has asked
    to be let in again and waits for its assignment.
    """

    __slots__ = ("instance", "owner", "rejoining", "strategies", "subscribed")

    def __init__(self, group: ClientGroup, name: str, links: tuple[Link, Link], options: Mapping[str, Any],
                 owner: Owner) -> None:
        super().__init__(group.world, group, name, links, options)
        self.owner = owner
        self.subscribed: tuple[str, ...] = ()
        self.strategies: tuple[str, ...] = tuple(options["partition.assignment.strategy"])
        self.instance: str | None = options["group.instance.id"]
        self.rejoining = False

    @property
    def eager(self) -> bool:
        """Whether it gives up everything before it joins again."""
        return isinstance(self.group, Group) and "cooperative-sticky" not in self.strategies

    def belong_to(self, group: ClientGroup, options: Mapping[str, Any]) -> None:
        """It is about to join this group."""
        self.group = group
        self.heartbeat_ns, self.session_ns = group.heartbeat_times_ns(options)

    def poll(self) -> None:
        """Ask for records; `on_record` gets the next one, which may be at once."""
        self.polling = True
        if self.rejoin_pending and not self.rejoining:
            self.owner.rebalance_begins()
        elif self.buffer or not self._fetching:
            self._look_for_records()

    def assign(self, partitions: Mapping[Partition, int], generation: int) -> None:
        """The group's word; the application hears of it when it polls."""
        self.owner.assignment_arrives(list(partitions), generation)

    def take_over(self, partitions: Mapping[Partition, int], generation: int) -> None:
        """Read these partitions from now on, those that are new from these offsets."""
        polling, self.polling = self.polling, True
        noticed = self.rejoin_pending
        super().assign(partitions, generation)
        self.rejoin_pending = noticed
        self.polling = polling

    def _applied(self, lost: list[Partition]) -> None:
        """The consumer itself joins again when its callbacks have run."""

    def _poll_interval_over(self) -> None:
        """The consumer itself watches max.poll.interval.ms, for its poll() may wait in vain."""

    def commit_refused(self, error: str) -> None:
        """The coordinator does not take this member."""
        self.owner.refused(error)

    def overtaken(self, progress: Progress) -> None:
        """The log has not got the offset at its position."""
        partition = progress.partition
        offset = self.owner.overtaken(partition, progress.consumed)
        # Who is to give up stands still, which is where nothing can be seen.
        progress.consumed = partition.end if offset is None else offset
