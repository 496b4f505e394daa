"""What an admin client's requests about groups do at their coordinators.

Source in apache/kafka: GroupMetadataManager (describeGroups, validateDeleteGroup), OffsetMetadataManager.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.admin_values import (
    ConsumerGroupDescription,
    ConsumerGroupListing,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ListConsumerGroupsResult,
    MemberAssignment,
    MemberDescription,
)
from edasim.brokers.kafka.client.client_member import ClientMember
from edasim.brokers.kafka.client.errors import failure
from edasim.brokers.kafka.client.values import TopicPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.coordinator import ClientGroup
    from edasim.brokers.kafka.client.simulated import SimulatedKafka


def _known(kafka: SimulatedKafka, name: str) -> ClientGroup | None:
    """A group that has members or offsets; one that was only named is none."""
    group = kafka.groups.get(name)
    return group if group is not None and (group.members or group.stored) else None


def _state(group: ClientGroup | None) -> ConsumerGroupState:
    if group is None:
        return ConsumerGroupState.DEAD
    if not group.members:
        return ConsumerGroupState.EMPTY
    return ConsumerGroupState.PREPARING_REBALANCING if group.rebalancing else ConsumerGroupState.STABLE


def listed(kafka: SimulatedKafka, states: Any = None) -> ListConsumerGroupsResult:
    """All groups, or those in certain states."""
    found = [(name, _known(kafka, name)) for name in sorted(kafka.groups)]
    return ListConsumerGroupsResult([ConsumerGroupListing(name, not group.members and not group.generation,
                                                          _state(group))
                                     for name, group in found
                                     if group is not None and (not states or _state(group) in states)])


def described(kafka: SimulatedKafka, name: str) -> ConsumerGroupDescription:
    """A group with its members and what they have."""
    group = _known(kafka, name)
    members = [] if group is None else [
        MemberDescription(member.name, member.name.partition("#")[0], "/simulated", MemberAssignment(
            [TopicPartition(*key) for key in group.assignment.get(member.name, ())]), member.instance)
        for member in group.members.values() if isinstance(member, ClientMember)]
    strategy = group.strategy if group is not None and members else ""
    return ConsumerGroupDescription(name, False, members, strategy, _state(group))


def delete(kafka: SimulatedKafka, name: str) -> None:
    """Forget a group and its offsets."""
    group = _known(kafka, name)
    if group is None:
        raise failure("GROUP_ID_NOT_FOUND", f'there is no group "{name}"')
    if group.members:
        raise failure("NON_EMPTY_GROUP", f'group "{name}" still has {len(group.members)} members')
    del kafka.groups[name]


def offsets(kafka: SimulatedKafka, request: ConsumerGroupTopicPartitions) -> ConsumerGroupTopicPartitions:
    """What a group has committed."""
    group = _known(kafka, request.group_id)
    if group is None:
        return ConsumerGroupTopicPartitions(request.group_id, list(request.topic_partitions or []))
    places = request.topic_partitions
    if places is None:
        places = [TopicPartition(*key) for key in sorted(group.stored)]
    return ConsumerGroupTopicPartitions(request.group_id, [group.committed_place(place) for place in places])


def alter(kafka: SimulatedKafka, request: ConsumerGroupTopicPartitions) -> ConsumerGroupTopicPartitions:
    """Set what a group has committed, while it has no members."""
    group = _known(kafka, request.group_id)
    if group is None:
        raise failure("GROUP_ID_NOT_FOUND", f'there is no group "{request.group_id}"')
    group.commit_from(None, request.topic_partitions or [])
    return request
