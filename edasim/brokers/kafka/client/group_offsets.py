"""What a group has committed, as its coordinator keeps it: offsets with their metadata."""
from __future__ import annotations

from typing import TYPE_CHECKING

from edasim.brokers.kafka.client.values import OFFSET_INVALID, TopicPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka


class GroupOffsets:
    """The committed offsets of one group.id; who is no member commits only while there are none."""

    def __init__(self, kafka: SimulatedKafka, name: str) -> None:
        self.kafka = kafka
        self.name = name
        self._offsets: dict[tuple[str, int], tuple[int, str | None]] = {}

    def commit(self, places: list[TopicPartition]) -> None:
        """Offsets of somebody who is not a member."""
        for place in places:
            self.kafka.partition(place.topic, place.partition)
            self._offsets[place.place] = (place.offset, place.metadata or "")

    def stable(self, key: tuple[str, int]) -> int | None:
        """The committed offset of a partition, None without one."""
        found = self._offsets.get(key)
        return None if found is None else found[0]

    def place(self, one: TopicPartition) -> TopicPartition:
        """The committed offset and metadata of a partition."""
        offset, metadata = self._offsets.get(one.place, (OFFSET_INVALID, None))
        return TopicPartition(*one.place, offset, metadata)
