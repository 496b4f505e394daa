"""Which kind of group a group.protocol makes."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edasim.brokers.kafka.cluster import Topic
from edasim.brokers.kafka.group import Group
from edasim.brokers.kafka.group_offsets import MILLISECOND
from edasim.brokers.kafka.server_group import ServerGroup
from edasim.core.world import World


def consumer_group(world: World, name: str, topics: Sequence[Topic], options: Mapping[str, Any],
                   broker: Mapping[str, Any]) -> Group | ServerGroup:
    """A group of members with these resolved consumer options, on a cluster with these resolved broker options."""
    if options["group.protocol"] == "consumer":
        return ServerGroup(world, name, topics, options, broker)
    return Group(world, name, topics, options, broker["group.initial.rebalance.delay.ms"] * MILLISECOND)
