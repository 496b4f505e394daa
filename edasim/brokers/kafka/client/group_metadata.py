"""Which consumer, in which generation of its group, has read what a transaction commits."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.client_member import ClientMember


class ConsumerGroupMetadata:
    """What consumer_group_metadata() gives, for send_offsets_to_transaction(); nothing in it is for applications.

    `member` is None for a consumer that assigns its partitions itself.
    """

    def __init__(self, group_id: str, member: ClientMember | None) -> None:
        self.group_id = group_id
        self.member = member

    def __repr__(self) -> str:
        if self.member is None:
            return f"<ConsumerGroupMetadata of group {self.group_id}, no member>"
        return f"<ConsumerGroupMetadata of group {self.group_id}, generation {self.member.generation}>"
