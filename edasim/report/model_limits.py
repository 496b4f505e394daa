"""Where the brokers of edasim are simpler than the real ones, beyond single options."""

from __future__ import annotations

from typing import Final

LIMITS: Final[dict[str, tuple[str, ...]]] = {
    "kafka": (
        "The controller, the group coordinators and the transaction coordinator do not fail over: they answer as long "
        "as one node lives. What users notice of a transaction (fencing, the wait for markers, timeouts) is there.",
        "A request for acks=all is refused with NOT_ENOUGH_REPLICAS before it is appended. "
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND does not occur: since 3.7 the high watermark stands still below "
        "min.insync.replicas, so that such a request times out and is repeated.",
        "A node crashes, is stopped or is stuck; it is never slow, and the links between nodes do not fail.",
        "A group keeps the protocol with which it began as long as it has members: online conversion is not modelled. "
        "Neither are KIP-394's second step of joining, group.max.size, share groups, quotas and tiered storage.",
        "Members let go of partitions within a poll, also in the consumer protocol.",
        "Which of several equally laden members keeps one partition more follows the order of their ids; the Java "
        "classes follow a hash map over random ids.",
        "Live checks were made on 4.3; what is particular to 3.9 and 4.0 follows the documents and the source.",
    ),
    "rabbitmq": (
        "Nodes do not fail one by one: a fault of the broker takes all of it, and quorum queues show the time that a "
        "majority takes, and no election.",
        "A queue is classic or quorum; streams and policies are not modelled.",
        "Versions follow the documents and the source.",
    ),
}
"""By broker, one sentence or two for each."""
