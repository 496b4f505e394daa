"""The broker settings that the scripts run with, on the three real brokers and on the simulated ones alike.

They differ from Kafka's defaults only where a script would otherwise have to wait for minutes, or where three
small nodes would start slowly. Source of the names and defaults: apache/kafka, the *Config classes of `server`,
`group-coordinator`, `transaction-coordinator` and `storage`.
"""

from __future__ import annotations

BROKER_SETTINGS: dict[str, str] = {
    # Internal topics are replicated as in production; few partitions, because each costs time at the start.
    "offsets.topic.replication.factor": "3",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "transaction.state.log.num.partitions": "3",
    "default.replication.factor": "3",
    # Scripts create their topics; a typing mistake shall fail.
    "auto.create.topics.enable": "false",
    # Default 3000: each script with a group would wait for 3 s; members join one after the other instead.
    "group.initial.rebalance.delay.ms": "0",
    # Default 6000: evictions by session timeout are scripted with 2 s.
    "group.min.session.timeout.ms": "500",
    # Consumer protocol, defaults 5000 and 45000: the server's assignment travels with the heartbeats.
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "3000",
    # Default 300000: retention is scripted with seconds.
    "log.retention.check.interval.ms": "500",
    # Default 15000: compaction.
    "log.cleaner.backoff.ms": "500",
    # Default 10000: a transaction that ran into its timeout is aborted when this check next runs.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # Defaults 9000 and 2000: how long a dead broker goes unnoticed.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

# What only a real node has: when it begins to look after its logs (defaults 30000 and 60000 ms), and how large it is.
NODE_SETTINGS: dict[str, str] = {
    "log.initial.task.delay.ms": "500",
    "log.segment.delete.delay.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
}
