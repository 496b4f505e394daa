"""One group.id as its coordinator keeps it: what is committed, and the members under the protocol that they speak.

Source in apache/kafka: OffsetMetadataManager (validateOffsetCommit), GroupMetadataManager.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.coordinator import ClassicGroup, ClientGroup, ConsumerGroup
from edasim.brokers.kafka.client.errors import failure
from edasim.brokers.kafka.client.values import OFFSET_INVALID, TopicPartition
from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.log import Partition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.client_member import ClientMember
    from edasim.brokers.kafka.client.simulated import SimulatedKafka


class GroupHome:
    """A group.id.  `stored` is what has been committed, by partition, as (offset, metadata).

    A group speaks the protocol of its first member as long as it has any; who offers the other one joins by that, too
    (real brokers convert such a group when its members can speak both).
    """

    def __init__(self, kafka: SimulatedKafka, name: str) -> None:
        self.kafka = kafka
        self.name = name
        self.stored: dict[tuple[str, int], tuple[int, str]] = {}
        self._groups: dict[str, ClientGroup] = {}

    def speaking(self, options: Mapping[str, Any]) -> ClientGroup:
        """The engine's group for a member with these options."""
        protocol: str = options["group.protocol"]
        if protocol not in self._groups:
            kind = ConsumerGroup if protocol == "consumer" else ClassicGroup
            self._groups[protocol] = kind(self.kafka, self, options)
        return self.active or self._groups[protocol]

    @property
    def any(self) -> ClientGroup:
        """The engine's group that has members, or else the first one that a consumer was made for."""
        return self.active or next(iter(self._groups.values()))

    @property
    def active(self) -> ClientGroup | None:
        """The engine's group that has members; None when there are none."""
        return next((group for group in self._groups.values() if group.members), None)

    def know(self, topic: Topic) -> None:
        """Somebody of the group reads a topic."""
        for group in self._groups.values():
            group.know(topic)

    # --- offsets ----------------------------------------------------------------------------------------------

    def commit_from(self, member: ClientMember | None, places: Sequence[TopicPartition]) -> None:
        """Offsets arrive, of a member or (None) of somebody who is none; KafkaException when they are refused."""
        if member is None:
            error = "" if self.active is None else "UNKNOWN_MEMBER_ID"
        else:
            error = member.group.commit_error(member, member.generation)
        if error:
            raise failure(error)
        for place in places:
            self.store(place)

    def store(self, place: TopicPartition) -> None:
        """Keep a committed offset."""
        partition = self.kafka.partition(*place.place)
        self.know(self.kafka.cluster.topics[place.topic])
        self.stored[place.place] = (place.offset, place.metadata or "")
        for group in self._groups.values():
            group.note_committed(partition, place.offset)

    def committed_place(self, one: TopicPartition) -> TopicPartition:
        """The committed offset and metadata of a partition."""
        offset, metadata = self.stored.get(one.place, (OFFSET_INVALID, None))
        return TopicPartition(*one.place, offset, metadata or None)

    def committed_offset(self, key: tuple[str, int]) -> int | None:
        """The committed offset of a partition, None without one."""
        return self.stored[key][0] if key in self.stored else None

    def unstable(self, keys: Iterable[tuple[str, int]]) -> bool:
        """Whether an open transaction may yet commit an offset of one of these."""
        found = [self.kafka.find(*key) for key in keys]
        partitions: list[Partition] = [partition for partition in found if partition is not None]
        return any(group.pending.get(partition) for group in self._groups.values() for partition in partitions)
