"""The options of a Kafka topic and of a Kafka broker, release by release.

Source: apache/kafka, TopicConfig.java, LogConfig.java and the server's *Config(s).java of 3.9 and 4.x. What
changed in 4.0 is in KIP-1030 (message.timestamp.after.max.ms, the least segment.bytes) and KIP-724 (formats).
`partitions` and `replication.factor` are arguments of a topic's creation, not configurations.
"""

from __future__ import annotations

from edasim.scenario.broker_option import LONG_MAX, MOST_REPLICAS, BrokerOption, ignored, table

_RETENTION = "set the topic's own option instead"
_COMPACTION = "set the topic's own option instead"
_DISK = "files on disk are not modelled"
_TIERED = "tiered storage is not modelled"
_FORMAT = "the message format is not modelled"
_THREADS = "the broker's threads are not modelled"
_CONSUMER_PROTOCOL = "for group.protocol: consumer"
_SHARE = "share groups are not modelled yet"
_OFFSETS = "committed offsets are kept for the whole run"
_TOPIC = "set the topic's own option instead"
_WEEK_MS = 604_800_000
_DAY_MS = 86_400_000

TOPIC = table(
    BrokerOption("partitions", "int", 1, "modelled", "of each topic", low=1, high=10_000),
    BrokerOption("replication.factor", "int", 1, "modelled", "brokers that hold each partition", low=1,
                 high=MOST_REPLICAS),
    BrokerOption("min.insync.replicas", "int", 1, "modelled",
                 "with fewer in sync acks: all is refused and the high watermark stands still", low=1),
    BrokerOption("unclean.leader.election.enable", "bool", False, "modelled",
                 "whether a replica may lead that lacks records, which are lost then"),
    BrokerOption("retention.ms", "duration_ms", _WEEK_MS, "modelled",
                 "checked every log.retention.check.interval.ms", low=-1, high=LONG_MAX),
    BrokerOption("retention.bytes", "bytes", -1, "simplified",
                 "of messages; batches have no headers", high=LONG_MAX),
    BrokerOption("segment.ms", "duration_ms", _WEEK_MS, "modelled",
                 "by the records' timestamps", low=1, high=LONG_MAX),
    BrokerOption("segment.bytes", "bytes", 1_073_741_824, "simplified",
                 "of messages; batches have no headers", low={"3.9": 14,
                 "4.0": 1_048_576}),
    BrokerOption("segment.jitter.ms", "duration_ms", 0, "modelled",
                 "drawn for each segment", low=0, high=LONG_MAX),
    BrokerOption("segment.index.bytes", "bytes", 10_485_760, "ignored", _DISK, low=4),
    BrokerOption("cleanup.policy", "list", ("delete",), "modelled",
                 "delete, compact or both", allowed=("delete",
                 "compact")),
    BrokerOption("min.cleanable.dirty.ratio", "float", 0.5, "modelled",
                 "of the bytes in closed segments", low=0, high=1),
    BrokerOption("delete.retention.ms", "duration_ms", _DAY_MS, "modelled",
                 "tombstones, from the first cleaning on", low=0, high=LONG_MAX),
    BrokerOption("min.compaction.lag.ms", "duration_ms", 0, "modelled",
                 "keeps young segments from the cleaner", low=0, high=LONG_MAX),
    BrokerOption("max.compaction.lag.ms", "duration_ms", LONG_MAX, "modelled",
                 "has the cleaner look at a log in time", low=1,
                 high=LONG_MAX),
    BrokerOption("max.message.bytes", "bytes", 1_048_588, "simplified",
                 "a batch above it is refused, not split", low=0),
    BrokerOption("compression.type", "enum", "producer", "ignored", "messages keep their size",
                 allowed=("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")),
    *ignored("messages keep their size", "int", {
        "compression.gzip.level": -1, "compression.lz4.level": 9, "compression.zstd.level": 3}),
    BrokerOption("message.timestamp.type", "enum", "CreateTime", "modelled",
                 "whose clock stamps a record, for retention and seeking by time",
                 allowed=("CreateTime", "LogAppendTime")),
    BrokerOption("message.timestamp.before.max.ms", "duration_ms", LONG_MAX, "ignored", "clocks agree",
                 low=0, high=LONG_MAX),
    BrokerOption("message.timestamp.after.max.ms", "duration_ms", {"3.9": LONG_MAX, "4.0": 3_600_000},
                 "ignored",
                 "clocks agree", low=0, high=LONG_MAX),
    BrokerOption("message.timestamp.difference.max.ms", "duration_ms", LONG_MAX, "ignored", "clocks agree",
                 low=0, high=LONG_MAX, until="4.0"),
    BrokerOption("message.format.version", "str", "3.0-IV1", "ignored", _FORMAT, until="4.0"),
    BrokerOption("message.downconversion.enable", "bool", True, "ignored", _FORMAT, until="4.0"),
    BrokerOption("flush.messages", "int", LONG_MAX, "ignored", _DISK, low=1, high=LONG_MAX),
    BrokerOption("flush.ms", "duration_ms", LONG_MAX, "ignored", _DISK, low=0, high=LONG_MAX),
    BrokerOption("file.delete.delay.ms", "duration_ms", 60_000, "ignored", _DISK, low=0, high=LONG_MAX),
    BrokerOption("index.interval.bytes", "bytes", 4_096, "ignored", _DISK, low=0),
    BrokerOption("preallocate", "bool", False, "ignored", _DISK),
    *ignored("replication has no throttle", "list", {
        "leader.replication.throttled.replicas": (), "follower.replication.throttled.replicas": ()}),
    *ignored(_TIERED, "bool", {"remote.storage.enable": False, "remote.log.copy.disable": False,
                               "remote.log.delete.on.disable": False}),
    *ignored(_TIERED, "duration_ms", {"local.retention.ms": -2}, low=-2, high=LONG_MAX),
    *ignored(_TIERED, "bytes", {"local.retention.bytes": -2}, low=-2, high=LONG_MAX),
)

BROKER = table(
    BrokerOption("replica.lag.time.max.ms", "duration_ms", 30_000, "modelled",
                 "a replica that lacks a record for so long leaves the ISR; looked at each half of it",
                 low=1, high=LONG_MAX),
    BrokerOption("broker.session.timeout.ms", "duration_ms", 9_000, "modelled",
                 "until a silent broker is fenced and others lead", low=1),
    BrokerOption("broker.heartbeat.interval.ms", "duration_ms", 2_000, "simplified",
                 "says when a dead broker was heard of last; a live one is never late", low=1),
    BrokerOption("group.initial.rebalance.delay.ms", "duration_ms", 3_000, "modelled",
                 "how long an empty group waits for others", low=0),
    *ignored("bounds of the consumer's session.timeout.ms", "duration_ms", {
        "group.min.session.timeout.ms": 6_000, "group.max.session.timeout.ms": 1_800_000}),
    *ignored("a group may be of any size", "int", {"group.max.size": 2_147_483_647}, low=1),
    *ignored(_TOPIC, "int", {"num.partitions": 1, "default.replication.factor": 1, "min.insync.replicas": 1},
             low=1),
    *ignored(_TOPIC, "bool", {"auto.create.topics.enable": True, "delete.topic.enable": True}),
    *ignored(_TOPIC, "bool", {"unclean.leader.election.enable": False}),
    BrokerOption("eligible.leader.replicas.enable", "bool", False, "modelled",
                 "who left an ISR below its minimum may lead all the same", until="4.0"),
    BrokerOption("eligible.leader.replicas.version", "int", {"4.0": 0, "4.3": 1}, "modelled",
                 "who left an ISR below its minimum may lead all the same", low=0, high=1, since="4.0"),
    BrokerOption("auto.leader.rebalance.enable", "bool", True, "modelled",
                 "leadership goes back to a partition's first replica"),
    BrokerOption("leader.imbalance.check.interval.seconds", "int", 300, "modelled", "from a drawn phase on", low=1),
    *ignored("KRaft's controller does not look at it", "int", {"leader.imbalance.per.broker.percentage": 10}),
    BrokerOption("controlled.shutdown.enable", "bool", True, "modelled",
                 "a broker that is stopped hands its leadership over first"),
    BrokerOption("replica.fetch.max.bytes", "bytes", 1_048_576, "simplified",
                 "for each partition, while a replica catches up", low=0),
    BrokerOption("log.retention.check.interval.ms", "duration_ms", 300_000, "modelled",
                 "from a drawn phase on", low=1, high=LONG_MAX),
    *ignored(_RETENTION, "duration_ms", {"log.retention.ms": None, "log.roll.ms": None}, low=-1,
             high=LONG_MAX),
    *ignored(_RETENTION, "int", {"log.retention.minutes": None, "log.retention.hours": 168,
             "log.roll.hours": 168}),
    *ignored(_RETENTION, "bytes", {"log.retention.bytes": -1}, high=LONG_MAX),
    *ignored(_RETENTION, "bytes", {"log.segment.bytes": 1_073_741_824}, low={"3.9": 14, "4.0": 1_048_576}),
    *ignored(_COMPACTION, "list", {"log.cleanup.policy": ("delete",)}, allowed=("delete", "compact")),
    BrokerOption("log.cleaner.enable", "bool", True, "modelled", "whether compacted topics are cleaned"),
    BrokerOption("log.cleaner.backoff.ms", "duration_ms", 15_000, "modelled",
                 "how long the cleaner sleeps when no log is dirty", low=0, high=LONG_MAX),
    *ignored(_COMPACTION, "int", {"log.cleaner.threads": 1}, low=0),
    *ignored(_COMPACTION, "float", {"log.cleaner.min.cleanable.ratio": 0.5}, low=0, high=1),
    *ignored(_COMPACTION, "duration_ms", {
        "log.cleaner.delete.retention.ms": _DAY_MS,
        "log.cleaner.min.compaction.lag.ms": 0, "log.cleaner.max.compaction.lag.ms": LONG_MAX}, low=0,
        high=LONG_MAX),
    *ignored(_DISK, "duration_ms", {
        "log.flush.interval.ms": None, "log.flush.scheduler.interval.ms": LONG_MAX,
        "replica.high.watermark.checkpoint.interval.ms": 5_000}, high=LONG_MAX),
    *ignored(_DISK, "duration_ms", {"log.initial.task.delay.ms": 30_000, "log.segment.delete.delay.ms": 60_000}, low=0,
             high=LONG_MAX),
    *ignored(_COMPACTION, "bytes", {"log.cleaner.dedupe.buffer.size": 134_217_728}, high=LONG_MAX),
    *ignored(_DISK, "int", {"log.flush.interval.messages": LONG_MAX}, low=1, high=LONG_MAX),
    *ignored(_DISK, "str", {"log.dir": "/tmp/kafka-logs", "log.dirs": None}),
    *ignored("clocks agree", "enum", {"log.message.timestamp.type": "CreateTime"},
             allowed=("CreateTime", "LogAppendTime")),
    *ignored("a message may be of any size", "bytes", {"message.max.bytes": 1_048_588,
                                                       "fetch.max.bytes": 57_671_680}, low=0),
    *ignored("messages keep their size", "str", {"compression.type": "producer"}),
    *ignored("a follower copies after one hop", "duration_ms", {
        "replica.fetch.wait.max.ms": 500, "replica.fetch.backoff.ms": 1_000,
        "replica.socket.timeout.ms": 30_000}),
    *ignored("a follower copies after one hop", "bytes", {
        "replica.fetch.min.bytes": 1, "replica.fetch.response.max.bytes": 10_485_760}, low=0),
    *ignored(_THREADS, "int", {
        "num.network.threads": 3, "num.io.threads": 8, "num.replica.fetchers": 1, "background.threads": 10,
        "num.recovery.threads.per.data.dir": {"3.9": 1, "4.0": 2}, "queued.max.requests": 500}, low=1),
    *ignored(_OFFSETS, "int", {"offsets.retention.minutes": 10_080, "offsets.topic.num.partitions": 50,
                               "offsets.topic.replication.factor": 3}, low=1),
    *ignored(_OFFSETS, "duration_ms", {"offsets.retention.check.interval.ms": 600_000,
                                       "offsets.commit.timeout.ms": 5_000}, low=1, high=LONG_MAX),
    BrokerOption("transaction.version", "int", {"3.9": 0, "4.0": 2}, "modelled",
                 "with 2 the end of each transaction raises the producer's epoch (KIP-890); 0 and 1 are alike",
                 low=0, high=2),
    BrokerOption("transaction.max.timeout.ms", "duration_ms", 900_000, "modelled",
                 "a producer with a longer transaction.timeout.ms is refused", low=1),
    BrokerOption("transaction.abort.timed.out.transaction.cleanup.interval.ms", "duration_ms", 10_000, "modelled",
                 "from a drawn phase on", low=1),
    *ignored("transactional ids and producer ids are kept for the whole run", "duration_ms", {
        "transactional.id.expiration.ms": _WEEK_MS, "producer.id.expiration.ms": _DAY_MS}, low=1),
    *ignored("the coordinator's own log takes no time and is there as long as a node is", "int", {
        "transaction.state.log.num.partitions": 50, "transaction.state.log.replication.factor": 3,
        "transaction.state.log.min.isr": 2}, low=1),
    BrokerOption("group.consumer.session.timeout.ms", "duration_ms", 45_000, "modelled",
                 f"{_CONSUMER_PROTOCOL}, silence after which a member is given up", low=1),
    BrokerOption("group.consumer.heartbeat.interval.ms", "duration_ms", 5_000, "modelled",
                 f"{_CONSUMER_PROTOCOL}, how often members hear what to read and what to let go", low=1),
    BrokerOption("group.consumer.assignors", "list", ("uniform", "range"), "modelled",
                 f"{_CONSUMER_PROTOCOL}, the first is used where group.remote.assignor names none",
                 allowed=("uniform", "range")),
    *(BrokerOption(name, "duration_ms", default, "modelled", "bounds of the option that it is named after", low=1)
      for name, default in {
          "group.consumer.min.session.timeout.ms": 45_000, "group.consumer.max.session.timeout.ms": 60_000,
          "group.consumer.min.heartbeat.interval.ms": 5_000,
          "group.consumer.max.heartbeat.interval.ms": 15_000}.items()),
    *ignored("both protocols are there", "list", {
        "group.coordinator.rebalance.protocols": ("classic", "consumer")}),
    *ignored(_SHARE, "duration_ms", {"group.share.record.lock.duration.ms": 30_000,
                                     "group.share.session.timeout.ms": 45_000}, low=1),
    *ignored(_SHARE, "int", {"group.share.delivery.count.limit": 5}, low=2, high=10),
    *ignored("the nodes are named by edasim", "int", {"node.id": None, "broker.id": -1}),
    *ignored("the nodes are named by edasim", "str", {
        "broker.rack": None, "listeners": "PLAINTEXT://:9092", "advertised.listeners": None,
        "process.roles": "", "controller.quorum.voters": "", "inter.broker.listener.name": None}),
    *ignored("security is not modelled", "str", {
        "authorizer.class.name": "", "security.inter.broker.protocol": "PLAINTEXT",
        "listener.security.protocol.map": None, "sasl.enabled.mechanisms": "GSSAPI"}),
    *ignored("connections are not modelled", "int", {"max.connections": 2_147_483_647,
                                                     "max.connections.per.ip": 2_147_483_647}, low=0),
)
