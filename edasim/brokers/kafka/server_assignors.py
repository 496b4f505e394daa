"""Who reads what when the broker divides (group.protocol=consumer): the assignors uniform and range.

Source: UniformHomogeneousAssignmentBuilder, UniformHeterogeneousAssignmentBuilder and RangeAssignor of the group
coordinator in apache/kafka.  Where these follow the order of a hash map or of random topic ids, members and topics are
taken in the order of their names.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from edasim.brokers.kafka.assignors import Assignment, Owned, TopicPartition, assign

ASSIGNORS = ("uniform", "range")


def assign_at_server(assignor: str, members: Mapping[str, str | None], counts: Mapping[str, int],
                     subscriptions: Mapping[str, Collection[str]], before: Owned) -> Assignment:
    """The target assignment.  `members` are {member id: group.instance.id}, `before` is the target until now."""
    if assignor == "range":
        return assign("range", members, counts, subscriptions)
    if len({frozenset(subscriptions[member]) for member in members}) > 1:
        # Balanced first, sticky second, as the client's sticky assignor has it for unequal subscriptions.
        return assign("sticky", members, counts, subscriptions, before)
    return _uniform(sorted(members), _partitions(counts, subscriptions), before)


def _partitions(counts: Mapping[str, int], subscriptions: Mapping[str, Collection[str]]) -> list[TopicPartition]:
    wanted = {topic for topics in subscriptions.values() for topic in topics}
    return [(topic, number) for topic in sorted(counts) if topic in wanted for number in range(counts[topic])]


def _uniform(members: list[str], partitions: list[TopicPartition], before: Owned) -> Assignment:
    """Everybody keeps what fits into its quota; the first members' is one larger where that does not come out even."""
    least, longer = divmod(len(partitions), len(members)) if members else (0, 0)
    quotas = {member: least + (place < longer) for place, member in enumerate(members)}
    known = set(partitions)
    target = {member: [one for one in before.get(member, ()) if one in known][:quotas[member]] for member in members}
    held = {one for mine in target.values() for one in mine}
    given = {one for mine in before.values() for one in mine}
    # What nobody had goes first, then what exceeded a quota.
    free = deque([*(one for one in partitions if one not in given),
                  *(one for one in partitions if one in given and one not in held)])
    for member in members:
        while len(target[member]) < quotas[member]:
            target[member].append(free.popleft())
    return target
