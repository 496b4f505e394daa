"""Who reads what: the four strategies by which a consumer group divides partitions among its members.

Source: the javadoc of RangeAssignor, RoundRobinAssignor, StickyAssignor and CooperativeStickyAssignor in
apache/kafka, and what their tests expect; racks and generations are left out. Where the real assignors follow
the order of a Java hash map (which of two equally laden members keeps one partition more), members are taken
in the order of their ids.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

TopicPartition = tuple[str, int]
Assignment = dict[str, list[TopicPartition]]
Subscriptions = Mapping[str, Collection[str]]
Owned = Mapping[str, Sequence[TopicPartition]]


def assign(
    strategy: str,
    members: Iterable[str] | Mapping[str, str | None],
    partitions_by_topic: Mapping[str, int],
    subscriptions: Subscriptions,
    owned: Owned | None = None,
) -> Assignment:
    """What each member reads when the rebalance is over; every member is in the answer, if only with nothing.

    `members` are member ids, or {member id: group.instance.id, None for a dynamic member}. `owned` is what
    each member read until now; only the sticky strategies look at it. The order of the arguments' items is of
    no consequence.
    """
    instances = members if isinstance(members, Mapping) else dict.fromkeys(members)
    topics = {member: frozenset(subscriptions.get(member, ())) for member in instances}
    wanted = frozenset().union(*topics.values())
    counts = {topic: count for topic, count in sorted(partitions_by_topic.items()) if topic in wanted}
    if strategy in STICKY:
        kept = _still_valid(owned or {}, counts, topics)
        if len(set(topics.values())) > 1:
            return _sticky_in_general(kept, counts, topics)
        return _sticky_among_equals(kept, _all_partitions(counts, counts), strategy == "sticky")
    return MEMORYLESS[strategy](_static_first(instances), counts, topics)


def assign_as_librdkafka(
    strategy: str,
    members: Mapping[str, str | None],
    partitions_by_topic: Mapping[str, int],
    subscriptions: Subscriptions,
    owned: Owned,
) -> Assignment:
    """The same when the member that divides is librdkafka's, whose cooperative-sticky takes the general way always.

    With equal subscriptions it hands out free partitions from the last one on, and takes from who has most, of equals
    from the last one.  Source: rdkafka_sticky_assignor.c, sortPartitions.
    """
    if strategy != "cooperative-sticky":
        return assign(strategy, members, partitions_by_topic, subscriptions, owned)
    topics = {member: frozenset(subscriptions.get(member, ())) for member in members}
    counts = {topic: count for topic, count in sorted(partitions_by_topic.items())
              if any(topic in mine for mine in topics.values())}
    kept = _still_valid(owned, counts, topics)
    alike = len(set(topics.values())) == 1 and any(kept.values())
    return _sticky_in_general(kept, counts, topics, _from_the_fullest(kept, counts) if alike else None)


def _from_the_fullest(kept: Assignment, counts: Mapping[str, int]) -> list[TopicPartition]:
    """Partitions in the order in which librdkafka would move them: one after the other from who has most left."""
    left = {member: sorted(mine) for member, mine in kept.items()}
    order: list[TopicPartition] = []
    while any(left.values()):
        order.append(left[max(left, key=lambda member: (len(left[member]), member))].pop(0))
    owned = set(order)
    return order + [partition for partition in reversed(_all_partitions(counts, counts)) if partition not in owned]


def cooperative_rounds(owned: Owned, target: Assignment) -> tuple[Assignment, Assignment, Assignment]:
    """The two rounds of the cooperative protocol from `owned` to `target`: (revoked, first, second).

    In the first round a partition that moves between two members is taken from the old one and given to
    nobody, while everything else is read on. Who had to give something up asks for the second round, which
    gives it to the new one. If nothing is revoked, the first round is the last and both are equal.
    """
    keeps = {member: set(partitions) for member, partitions in target.items()}
    revoked = {member: [p for p in owned.get(member, ()) if p not in keeps[member]] for member in target}
    released = {partition for partitions in revoked.values() for partition in partitions}
    first = {member: [p for p in partitions if p not in released] for member, partitions in target.items()}
    second = {member: list(partitions) for member, partitions in target.items()}
    return revoked, first, second


def _static_first(instances: Mapping[str, str | None]) -> list[str]:
    """Static members in the order of their group.instance.id, then dynamic ones in that of their ids."""
    return sorted(instances, key=lambda member: (instances[member] is None, instances[member] or member))


def _all_partitions(counts: Mapping[str, int], topics: Iterable[str]) -> list[TopicPartition]:
    return [(topic, partition) for topic in topics for partition in range(counts[topic])]


def _range(members: list[str], counts: Mapping[str, int], topics: Subscriptions) -> Assignment:
    """Topic by topic, a contiguous share for each subscriber; the first get the remainder, in every topic."""
    assignment: Assignment = {member: [] for member in members}
    for topic, count in counts.items():
        readers = [member for member in members if topic in topics[member]]
        share, longer = divmod(count, len(readers))
        start = 0
        for place, member in enumerate(readers):
            end = start + share + (place < longer)
            assignment[member] += [(topic, partition) for partition in range(start, end)]
            start = end
    return assignment


def _roundrobin(members: list[str], counts: Mapping[str, int], topics: Subscriptions) -> Assignment:
    """All partitions of all topics in order, dealt like cards; a member without the topic is passed over."""
    assignment: Assignment = {member: [] for member in members}
    table = deque(members)
    for topic, partition in _all_partitions(counts, counts):
        while topic not in topics[table[0]]:
            table.rotate(-1)
        assignment[table[0]].append((topic, partition))
        table.rotate(-1)
    return assignment


def _still_valid(owned: Owned, counts: Mapping[str, int], topics: Subscriptions) -> Assignment:
    """What each member may keep: existing partitions of its topics. If two claim one, neither is believed."""
    members = sorted(topics)
    claims = Counter(partition for member in members for partition in set(owned.get(member, ())))
    return {
        member: [
            (topic, partition)
            for topic, partition in dict.fromkeys(owned.get(member, ()))
            if topic in topics[member] and partition < counts.get(topic, 0) and claims[topic, partition] == 1
        ]
        for member in members
    }


def _sticky_among_equals(
    kept: Assignment, partitions: list[TopicPartition], as_documented: bool
) -> Assignment:
    """All members read the same topics: each gets `least` partitions, and `longer` of them one more.

    Free partitions go to the members by turns. When all end up with the same number, the example in
    StickyAssignor's javadoc serves the least laden first, which its code no longer does: `as_documented`.
    """
    if not kept:
        return {}
    least, longer = divmod(len(partitions), len(kept))
    least_laden_first = as_documented and longer == 0
    assignment: Assignment = {}
    for member, mine in kept.items():
        mine = sorted(mine, key=lambda topic_partition: (topic_partition[1], topic_partition[0]))
        keeps_longer = longer > 0 and len(mine) > least
        longer -= keeps_longer
        assignment[member] = mine[: least + keeps_longer]
    held = {partition for mine in assignment.values() for partition in mine}
    free = deque(partition for partition in partitions if partition not in held)
    filled = [member for member, mine in assignment.items() if len(mine) == least]
    hungry = deque(member for member, mine in assignment.items() if len(mine) < least)
    while hungry:
        if least_laden_first:
            hungry = deque(sorted(hungry, key=lambda name: (len(assignment[name]), name)))
        member = hungry.popleft()
        assignment[member].append(free.popleft())
        (filled if len(assignment[member]) == least else hungry).append(member)
    for member, partition in zip(filled, free, strict=False):
        assignment[member].append(partition)
    return assignment


def _sticky_in_general(kept: Assignment, counts: Mapping[str, int], topics: Subscriptions,
                       order: list[TopicPartition] | None = None) -> Assignment:
    """Members read different topics: the scarce go first, then some move while that evens out the load.

    `order` is another order of the partitions than by how scarce they are.
    """
    readers = {topic: [member for member in kept if topic in topics[member]] for topic in counts}
    by_scarcity = sorted(counts, key=lambda topic: (len(readers[topic]), topic))
    partitions = order or _all_partitions(counts, by_scarcity)
    owner = {partition: member for member, mine in kept.items() for partition in mine}
    free = [partition for partition in partitions if partition not in owner]
    for partition in free:
        member = _least_laden(readers[partition[0]], kept)
        kept[member].append(partition)
        owner[partition] = member
    balance = _Balance(kept, owner, readers)
    # What has just been placed moves more cheaply than what somebody was already reading.
    balance.even_out(free)
    balance.even_out(partitions)
    return kept


def _least_laden(members: Iterable[str], assignment: Assignment) -> str:
    return min(members, key=lambda member: (len(assignment[member]), member))


class _Balance:
    """Moves partitions between members as long as a member with at least two fewer could have one.

    Every move narrows the gap between two members, so it comes to an end. `origin` remembers where a moved
    partition came from: two members do not exchange partitions of one topic, since sending the first one back
    costs less.
    """

    def __init__(
        self, assignment: Assignment, owner: dict[TopicPartition, str], readers: Mapping[str, list[str]]
    ) -> None:
        self.assignment = assignment
        self.owner = owner
        self.readers = readers
        self.origin: dict[TopicPartition, str] = {}

    def even_out(self, partitions: list[TopicPartition]) -> None:
        """Pass over the given partitions until a whole pass moves none."""
        moved = True
        while moved:
            moved = False
            for partition in partitions:
                target = _least_laden(self.readers[partition[0]], self.assignment)
                source = self.owner[partition]
                if len(self.assignment[source]) > len(self.assignment[target]) + 1:
                    self._move(self._one_to_send_back(partition, target), target)
                    moved = True

    def _one_to_send_back(self, partition: TopicPartition, target: str) -> TopicPartition:
        """A partition of this topic that came from the target to the same member, else the given one."""
        for other, came_from in self.origin.items():
            same_way = came_from == target and self.owner[other] == self.owner[partition]
            if same_way and other[0] == partition[0]:
                return other
        return partition

    def _move(self, partition: TopicPartition, target: str) -> None:
        source = self.owner[partition]
        self.assignment[source].remove(partition)
        self.assignment[target].append(partition)
        self.owner[partition] = target
        if self.origin.setdefault(partition, source) == target:
            del self.origin[partition]


MEMORYLESS: Mapping[str, Callable[[list[str], Mapping[str, int], Subscriptions], Assignment]] = {
    "range": _range,
    "roundrobin": _roundrobin,
}
STICKY = ("sticky", "cooperative-sticky")
