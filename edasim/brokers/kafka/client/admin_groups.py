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
from edasim.brokers.kafka.client.errors import failure
from edasim.brokers.kafka.client.values import TopicPartition

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.group_home import GroupHome
    from edasim.brokers.kafka.client.simulated import SimulatedKafka


def _known(kafka: SimulatedKafka, name: str) -> GroupHome | None:
    """A group that has members or offsets; one that was only named is none."""
    group = kafka.groups.get(name)
    return group if group is not None and (group.active or group.stored) else None


def _state(group: GroupHome | None) -> ConsumerGroupState:
    if group is None:
        return ConsumerGroupState.DEAD
    if group.active is None:
        return ConsumerGroupState.EMPTY
    return ConsumerGroupState.PREPARING_REBALANCING if group.active.moving else ConsumerGroupState.STABLE


def listed(kafka: SimulatedKafka, states: Any = None) -> ListConsumerGroupsResult:
    """All groups, or those in certain states."""
    found = [(name, _known(kafka, name)) for name in sorted(kafka.groups)]
    return ListConsumerGroupsResult([ConsumerGroupListing(name, group.active is None, _state(group))
                                     for name, group in found
                                     if group is not None and (not states or _state(group) in states)])


def described(kafka: SimulatedKafka, name: str) -> ConsumerGroupDescription:
    """A group with its members and what they have."""
    home = _known(kafka, name)
    group = None if home is None else home.active
    if group is None:
        return ConsumerGroupDescription(name, False, [], "", _state(home))
    members = [
        MemberDescription(member.name, member.name.partition("#")[0], "/simulated", MemberAssignment(
            [TopicPartition(*key) for key in sorted(group.shares.get(member.name, ()))]), member.instance)
        for member in group.clients()]
    return ConsumerGroupDescription(name, False, members, group.strategy, _state(home))


def delete(kafka: SimulatedKafka, name: str) -> None:
    """Forget a group and its offsets."""
    group = _known(kafka, name)
    if group is None:
        raise failure("GROUP_ID_NOT_FOUND", f'there is no group "{name}"')
    if group.active is not None:
        raise failure("NON_EMPTY_GROUP", f'group "{name}" still has {len(group.active.members)} members')
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
