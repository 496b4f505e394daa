"""What a consumer reads that has assigned its partitions itself: nobody decides for it, and it is in no generation.

The engine's Member fetches and polls; this stands where its group would.  Source in apache/kafka: SubscriptionState
(assignFromUser), FetchCollector (OFFSET_OUT_OF_RANGE).
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edasim.brokers.kafka.log import Partition
from edasim.brokers.kafka.progress import Deliveries
from edasim.brokers.kafka.segmented_fetch import SegmentedFetch
from edasim.core.journal import Place
from edasim.core.world import World


class Alone:
    """The surroundings of a member without a group.  `lost_place` is asked where to read on when a position is no
    offset of the log; None: nowhere.
    """

    fetch_kind = SegmentedFetch

    def __init__(self, world: World, name: str, options: Mapping[str, Any],
                 lost_place: Callable[[Partition, int], int | None]) -> None:
        self.world = world
        self.name = name
        self.options = options
        self.reads_committed: bool = options["isolation.level"] == "read_committed"
        self.overtaken = lost_place
        self.committed: dict[Partition, int] = {}
        self.deliveries: dict[Partition, Deliveries] = {}

    def prepare(self, partition: Partition, offset: int) -> None:
        """A partition is about to be read from an offset."""
        if partition not in self.deliveries:
            place = Place("group", f"{self.name} {partition.name}", self.name)
            self.deliveries[partition] = Deliveries(self.world, place, offset)

    def commit(self, request: Any) -> None:
        """Never asked: its consumer commits for itself."""
        raise AssertionError("a member without a group commits nothing")

    assigned = remove = commit

    def leave(self, member: Any) -> None:
        """There is nothing to leave."""

    lose = leave
