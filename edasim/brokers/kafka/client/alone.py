"""What a consumer reads that has assigned its partitions itself: nobody decides for it, and it is in no generation.

The engine's Member fetches and polls; this stands where its group would.  Source in apache/kafka: SubscriptionState
(assignFromUser), FetchCollector (OFFSET_OUT_OF_RANGE).
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.progress import Deliveries
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.brokers.kafka.failover_fetch import FailoverFetch
from edasim.core.journal import Place
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.member import Member


class Alone:
    """The surroundings of a member without a group.  `lost_place` is asked where to read on when a position is no
    offset of the log; None: nowhere.
    """

    fetch_kind = FailoverFetch

    def __init__(self, world: World, name: str, options: Mapping[str, Any],
                 lost_place: Callable[[Partition, int], int | None]) -> None:
        self.world = world
        self.name = name
        self.options = options
        self.reads_committed: bool = options["isolation.level"] == "read_committed"
        self.overtaken = lost_place
        self.committed: dict[Partition, int] = {}
        self.deliveries: dict[Partition, Deliveries] = {}
        self.members: dict[str, Member] = {}

    def prepare(self, partition: Partition, offset: int) -> None:
        """A partition is about to be read from an offset."""
        if partition not in self.deliveries:
            place = Place("group", f"{self.name} {partition.name}", self.name)
            self.deliveries[partition] = Deliveries(self.world, place, offset)
            assert isinstance(partition, ReplicatedPartition), "a client's cluster has no others"
            partition.groups.append(self)  # type: ignore[arg-type]

    def truncated(self, partition: Partition, offset: int) -> None:
        """The log ends at an offset now, and what comes there next was never delivered."""
        self.deliveries[partition].upto = min(self.deliveries[partition].upto, offset)

    def commit(self, request: Any) -> None:
        """Never asked: its consumer commits for itself."""
        raise AssertionError("a member without a group commits nothing")

    assigned = remove = commit

    def leave(self, member: Any) -> None:
        """There is nothing to leave."""

    lose = leave
