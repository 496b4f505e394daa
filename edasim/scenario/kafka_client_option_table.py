"""The options of Kafka's producer and consumer, release by release.

Source: apache/kafka, ProducerConfig.java, ConsumerConfig.java and CommonClientConfigs.java of 3.9 and 4.x.
The defaults that changed in 4.0 are those of KIP-1030 (linger.ms) and KIP-1102 (metadata.recovery.strategy).
"""

from __future__ import annotations

from edasim.scenario.broker_option import LONG_MAX, BrokerOption, ignored, table

_SECURITY = "security is not modelled"
_NETWORK = "connections are not modelled: a link is a latency and may lose messages"
_METRICS = "edasim measures from its own journal"
_CODE = "names Java code"
_METADATA = "metadata is asked for when a connection breaks or a leader refuses"
_RECONNECTS = "between two questions for metadata while a broker or a leader is missing"
_MEMORY = "counted where a fault hits the broker or it is written; who is blocked waits in line, a service goes on"

_SECRETS = (
    "ssl.key.password", "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.location",
    "ssl.keystore.password", "ssl.keystore.type", "ssl.truststore.certificates", "ssl.truststore.location",
    "ssl.truststore.password", "ssl.truststore.type", "ssl.protocol", "ssl.provider", "ssl.cipher.suites",
    "ssl.enabled.protocols", "ssl.endpoint.identification.algorithm", "ssl.engine.factory.class",
    "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation",
    "sasl.mechanism", "sasl.jaas.config", "sasl.client.callback.handler.class",
    "sasl.login.callback.handler.class", "sasl.login.class", "sasl.kerberos.service.name",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.scope.claim.name", "sasl.oauthbearer.sub.claim.name", "security.providers",
)

_CLIENT = (
    BrokerOption("client.id", "str", "", "ignored", "clients are named by their service"),
    BrokerOption("client.dns.lookup", "enum", "use_all_dns_ips", "ignored", _NETWORK,
                 allowed=("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")),
    BrokerOption("security.protocol", "enum", "PLAINTEXT", "ignored", _SECURITY,
                 allowed=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
    BrokerOption("metadata.recovery.strategy", "enum", {"3.9": "none", "4.0": "rebootstrap"}, "ignored",
                 _METADATA,
                 allowed=("none", "rebootstrap")),
    BrokerOption("metadata.recovery.rebootstrap.trigger.ms", "duration_ms", 300_000, "ignored", _METADATA,
                 low=0, high=LONG_MAX, since="4.0"),
    BrokerOption("auto.include.jmx.reporter", "bool", True, "ignored", _METRICS, until="4.0"),
    BrokerOption("metrics.recording.level", "enum", "INFO", "ignored", _METRICS, allowed=("INFO", "DEBUG",
                 "TRACE")),
    *ignored(_METRICS, "bool", {"enable.metrics.push": True}),
    *ignored(_METRICS, "int", {"metrics.num.samples": 2}, low=1),
    *ignored(_METRICS, "list", {"metric.reporters": ("org.apache.kafka.common.metrics.JmxReporter",)}),
    *ignored(_CODE, "list", {"interceptor.classes": (), "config.providers": ()}),
    *ignored(_NETWORK, "list", {"bootstrap.servers": ()}),
    *ignored(_NETWORK, "bytes", {"send.buffer.bytes": 131_072}, low=-1),
    BrokerOption("reconnect.backoff.ms", "duration_ms", 50, "simplified", _RECONNECTS, low=0, high=LONG_MAX),
    BrokerOption("reconnect.backoff.max.ms", "duration_ms", 1_000, "simplified", _RECONNECTS, low=0, high=LONG_MAX),
    *ignored(_NETWORK, "duration_ms", {
        "connections.max.idle.ms": 540_000,
        "socket.connection.setup.timeout.ms": 10_000, "socket.connection.setup.timeout.max.ms": 30_000,
    }, low=0, high=LONG_MAX),
    *ignored(_METRICS, "duration_ms", {"metrics.sample.window.ms": 30_000}, low=0, high=LONG_MAX),
    *ignored(_METADATA, "duration_ms", {"metadata.max.age.ms": 300_000}, low=0, high=LONG_MAX),
    *ignored(_SECURITY, "str", dict.fromkeys(_SECRETS)),
)

PRODUCER = table(
    BrokerOption("acks", "enum", "all", "modelled", "how many replicas confirm", allowed=("all", "-1", "0",
                 "1")),
    BrokerOption("enable.idempotence", "bool", True, "modelled", "repeats are recognised and appended once"),
    BrokerOption("linger.ms", "duration_ms", {"3.9": 0, "4.0": 5}, "modelled",
                 "how long a batch waits for company",
                 low=0, high=LONG_MAX),
    BrokerOption("batch.size", "bytes", 16_384, "modelled", "a batch this full is sent at once", low=0),
    BrokerOption("retries", "int", 2_147_483_647, "modelled", "of one batch", low=0),
    BrokerOption("retry.backoff.ms", "duration_ms", 100, "modelled", "doubles up to its maximum, jitter 0.2",
                 low=0, high=LONG_MAX),
    BrokerOption("retry.backoff.max.ms", "duration_ms", 1_000, "modelled", "where the doubling stops",
                 low=0, high=LONG_MAX),
    BrokerOption("request.timeout.ms", "duration_ms", 30_000, "modelled", "how long one request waits",
                 low=0),
    BrokerOption("delivery.timeout.ms", "duration_ms", 120_000, "modelled", "from send to the final answer",
                 low=0),
    BrokerOption("max.in.flight.requests.per.connection", "int", 5, "modelled",
                 "unanswered requests at once", low=1),
    BrokerOption("buffer.memory", "bytes", 33_554_432, "simplified", _MEMORY, low=0, high=LONG_MAX),
    BrokerOption("max.block.ms", "duration_ms", 60_000, "simplified", _MEMORY, low=0, high=LONG_MAX),
    BrokerOption("max.request.size", "bytes", 1_048_576, "modelled",
                 "a larger message is refused, a full request leaves the rest to the next; headers are not counted",
                 low=0),
    BrokerOption("transactional.id", "str", None, "ignored",
                 "write commit: transaction, by which each worker of a service has an id of its own"),
    BrokerOption("transaction.timeout.ms", "duration_ms", 60_000, "modelled",
                 "how long a transaction may be open before the coordinator aborts it", low=1),
    BrokerOption("transaction.two.phase.commit.enable", "bool", False, "ignored",
                 "a transaction is committed by its producer alone",
                 since="4.3"),
    BrokerOption("compression.type", "enum", "none", "ignored", "messages keep their size",
                 allowed=("none", "gzip", "snappy", "lz4", "zstd")),
    *ignored("messages keep their size", "int", {
        "compression.gzip.level": -1, "compression.lz4.level": 9, "compression.zstd.level": 3}),
    BrokerOption("partitioner.class", "str", None, "ignored", "the built-in partitioner is always used"),
    BrokerOption("partitioner.ignore.keys", "bool", False, "ignored", "a key always decides its partition"),
    BrokerOption("partitioner.adaptive.partitioning.enable", "bool", True, "ignored",
                 "without a key, the choice of a partition does not look at its queue"),
    BrokerOption("partitioner.availability.timeout.ms", "duration_ms", 0, "ignored",
                 "all partitions are eligible",
                 low=0, high=LONG_MAX),
    BrokerOption("metadata.max.idle.ms", "duration_ms", 300_000, "ignored", _METADATA, low=5_000,
                 high=LONG_MAX),
    *ignored(_NETWORK, "bytes", {"receive.buffer.bytes": 32_768}, low=-1),
    *ignored(_CODE, "str", {"key.serializer": None, "value.serializer": None}),
    *_CLIENT,
)

ASSIGNORS = {
    "org.apache.kafka.clients.consumer.RangeAssignor": "range",
    "org.apache.kafka.clients.consumer.RoundRobinAssignor": "roundrobin",
    "org.apache.kafka.clients.consumer.StickyAssignor": "sticky",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor": "cooperative-sticky",
}

CONSUMER = table(
    BrokerOption("max.poll.records", "int", 500, "modelled", "records that one poll returns at most", low=1),
    BrokerOption("enable.auto.commit", "bool", True, "modelled",
                 "positions are committed from poll and close"),
    BrokerOption("auto.commit.interval.ms", "duration_ms", 5_000, "modelled",
                 "between two automatic commits", low=0),
    BrokerOption("session.timeout.ms", "duration_ms", 45_000, "modelled",
                 "silence after which a member is evicted"),
    BrokerOption("heartbeat.interval.ms", "duration_ms", 3_000, "simplified",
                 "members learn of a rebalance with it; a live one is never late, a dead one silent from its death"),
    BrokerOption("auto.offset.reset", "enum", "latest", "simplified",
                 "where to read if the offset is gone; none fails there, but lets a new group begin at the end",
                 allowed=("latest", "earliest", "none"), takes_duration="by_duration"),
    BrokerOption("fetch.min.bytes", "bytes", 1, "modelled", "how much a fetch waits for", low=0),
    BrokerOption("fetch.max.wait.ms", "duration_ms", 500, "simplified",
                 "watched while there is less than fetch.min.bytes", low=0),
    BrokerOption("partition.assignment.strategy", "list", ("range", "cooperative-sticky"), "modelled",
                 "the first one decides", allowed=(*ASSIGNORS.values(), *ASSIGNORS)),
    BrokerOption("group.protocol", "enum", "classic", "modelled",
                 "classic: members join and a leader divides; consumer: the broker divides, by heartbeats",
                 allowed=("classic", "consumer")),
    BrokerOption("group.remote.assignor", "str", None, "modelled",
                 "uniform or range, for group.protocol: consumer; else the broker's first one"),
    BrokerOption("group.id", "str", None, "ignored", "a group is named after its service"),
    BrokerOption("group.instance.id", "str", None, "simplified",
                 "makes members static; the worker's number is added to it, since all share these options"),
    BrokerOption("max.poll.interval.ms", "duration_ms", 300_000, "modelled",
                 "who does not poll for so long is out of the group; so long a rebalance waits for a member", low=1),
    BrokerOption("fetch.max.bytes", "bytes", 52_428_800, "ignored",
                 "a fetch is bounded by max.partition.fetch.bytes alone", low=0),
    BrokerOption("max.partition.fetch.bytes", "bytes", 1_048_576, "modelled",
                 "how much of a partition a fetch brings at most", low=0),
    BrokerOption("isolation.level", "enum", "read_uncommitted", "modelled",
                 "read_committed leaves out what was aborted and stops at the last stable offset",
                 allowed=("read_uncommitted", "read_committed")),
    BrokerOption("client.rack", "str", "", "ignored", "consumers read from the leader"),
    BrokerOption("check.crcs", "bool", True, "ignored", "records are never corrupted"),
    BrokerOption("exclude.internal.topics", "bool", True, "ignored", "topics are named by the scenario"),
    BrokerOption("allow.auto.create.topics", "bool", True, "ignored", "topics are named by the scenario"),
    BrokerOption("share.acknowledgement.mode", "enum", "implicit", "ignored",
                 "share groups are not modelled yet",
                 allowed=("implicit", "explicit"), since="4.3"),
    BrokerOption("share.acquire.mode", "enum", "batch_optimized", "ignored",
                 "share groups are not modelled yet",
                 allowed=("batch_optimized", "record_limit"), since="4.3"),
    *ignored("commits and fetches are retried at once", "duration_ms",
             {"retry.backoff.ms": 100, "retry.backoff.max.ms": 1_000}, low=0, high=LONG_MAX),
    BrokerOption("request.timeout.ms", "duration_ms", 30_000, "simplified",
                 "how long a consumer waits for a leader that is stuck; a commit waits for ever", low=0),
    *ignored("a consumer waits for its broker", "duration_ms", {"default.api.timeout.ms": 60_000}, low=0),
    *ignored(_NETWORK, "bytes", {"receive.buffer.bytes": 65_536}, low=-1),
    *ignored(_CODE, "str", {"key.deserializer": None, "value.deserializer": None}),
    *_CLIENT,
)
