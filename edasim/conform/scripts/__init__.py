"""The scripts, by the part of Kafka that they are about; importing this room registers them."""

from edasim.conform.scripts import (
    compaction,
    exactly_once,
    failover,
    groups,
    members,
    partitioning,
    positions,
    producing,
    random_lives,
    retention,
    seeking,
    server_groups,
    transactions,
    unavailable,
)

__all__ = [
    "compaction",
    "exactly_once",
    "failover",
    "groups",
    "members",
    "partitioning",
    "positions",
    "producing",
    "random_lives",
    "retention",
    "seeking",
    "server_groups",
    "transactions",
    "unavailable",
]
