"""How far one member of a consumer group has come on one partition."""
from __future__ import annotations

from typing import TYPE_CHECKING

from edasim.core.journal import Place, Verb, Writer
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.log import Partition
    from edasim.brokers.kafka.member import Member


class Deliveries:
    """What a group was handed of one partition: below `upto` it is handed again."""

    __slots__ = ("delivered", "redelivered", "upto")

    def __init__(self, world: World, place: Place, offset: int) -> None:
        self.delivered: Writer = world.writer(Verb.delivered, place)
        self.redelivered: Writer = world.writer(Verb.redelivered, place)
        self.upto = offset


class Progress:
    """A partition that a member has assigned.

    `consumed` is the offset after the last record that a poll returned: what a commit may say, and what to fetch next,
    since nothing is asked for while something of the partition is in the buffer.  `committing` is what the last commit
    said.
    """

    __slots__ = ("committing", "consumed", "deliveries", "member", "partition")

    def __init__(self, member: Member, partition: Partition, offset: int, deliveries: Deliveries) -> None:
        self.member = member
        self.partition = partition
        self.deliveries = deliveries
        self.consumed = self.committing = offset
