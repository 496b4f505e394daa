"""librdkafka's configuration properties: those that change something here, and those that are accepted and do not.

Names, ranges and defaults are librdkafka's (CONFIGURATION.md of 2.14), which differ from the Java client's in places: a
script is to behave like one of confluent-kafka without a word being added.  The most notable differences from Java:
enable.idempotence false, partitioner consistent_random (CRC32 of the key), batch.size 1,000,000, message.timeout.ms
300,000, isolation.level read_committed, partition.assignment.strategy range,roundrobin, auto.offset.reset error
instead of none.
"""
from __future__ import annotations

from dataclasses import dataclass

BOTH, PRODUCER, CONSUMER = "both", "producer", "consumer"
INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class Property:
    """A property: its default, and its least and largest value or the words that it takes."""

    name: str
    default: bool | float | str | None
    low: float = 0
    high: float = INT_MAX
    allowed: tuple[str, ...] = ()
    side: str = BOTH


def _whole(side: str, **bounds: tuple[int, int, int]) -> list[Property]:
    return [Property(name.replace("_", "."), default, low, high, side=side)
            for name, (default, low, high) in bounds.items()]


_MODELLED = (
    Property("client.id", "rdkafka"),
    Property("metadata.broker.list", None),
    Property("allow.auto.create.topics", False),
    *_whole(
        BOTH,
        message_max_bytes=(1_000_000, 1000, 1_000_000_000),
        max_in_flight_requests_per_connection=(1_000_000, 1, 1_000_000),
        topic_metadata_refresh_interval_ms=(300_000, -1, 3_600_000),
        topic_metadata_propagation_max_ms=(30_000, 0, 3_600_000),
        retry_backoff_ms=(100, 1, 300_000),
        retry_backoff_max_ms=(1000, 1, 300_000),
        reconnect_backoff_ms=(100, 0, 3_600_000),
        reconnect_backoff_max_ms=(10_000, 0, 3_600_000),
        socket_timeout_ms=(60_000, 10, 300_000),
    ),
    Property("enable.idempotence", False, side=PRODUCER),
    Property("transactional.id", None, side=PRODUCER),
    Property("partitioner", "consistent_random", side=PRODUCER, allowed=(
        "random", "consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random")),
    Property("queue.buffering.max.ms", 5.0, 0, 900_000, side=PRODUCER),
    Property("request.required.acks", -1, -1, 1000, side=PRODUCER),
    Property("delivery.report.only.error", False, side=PRODUCER),
    *_whole(
        PRODUCER,
        transaction_timeout_ms=(60_000, 1000, INT_MAX),
        queue_buffering_max_messages=(100_000, 0, INT_MAX),
        queue_buffering_max_kbytes=(1_048_576, 1, INT_MAX),
        message_send_max_retries=(INT_MAX, 0, INT_MAX),
        batch_num_messages=(10_000, 1, 1_000_000),
        batch_size=(1_000_000, 1, INT_MAX),
        sticky_partitioning_linger_ms=(10, 0, 900_000),
        request_timeout_ms=(30_000, 1, 900_000),
        message_timeout_ms=(300_000, 0, INT_MAX),
    ),
    Property("group.id", None, side=CONSUMER),
    Property("group.instance.id", None, side=CONSUMER),
    Property("group.protocol", "classic", side=CONSUMER, allowed=("classic", "consumer")),
    Property("group.remote.assignor", None, side=CONSUMER),
    Property("partition.assignment.strategy", "range,roundrobin", side=CONSUMER),
    Property("enable.auto.commit", True, side=CONSUMER),
    Property("enable.auto.offset.store", True, side=CONSUMER),
    Property("enable.partition.eof", False, side=CONSUMER),
    Property("isolation.level", "read_committed", side=CONSUMER, allowed=("read_uncommitted", "read_committed")),
    Property("auto.offset.reset", "largest", side=CONSUMER, allowed=(
        "smallest", "earliest", "beginning", "largest", "latest", "end", "error")),
    *_whole(
        CONSUMER,
        session_timeout_ms=(45_000, 1, 3_600_000),
        heartbeat_interval_ms=(3000, 1, 3_600_000),
        max_poll_interval_ms=(300_000, 1, 86_400_000),
        auto_commit_interval_ms=(5000, 0, 86_400_000),
        fetch_wait_max_ms=(500, 0, 300_000),
        fetch_message_max_bytes=(1_048_576, 1, 1_000_000_000),
        fetch_min_bytes=(1, 0, INT_MAX),
    ),
)
PROPERTIES: dict[str, Property] = {one.name: one for one in _MODELLED}

ALIASES: dict[str, str] = {
    "bootstrap.servers": "metadata.broker.list",
    "max.in.flight": "max.in.flight.requests.per.connection",
    "linger.ms": "queue.buffering.max.ms",
    "retries": "message.send.max.retries",
    "acks": "request.required.acks",
    "delivery.timeout.ms": "message.timeout.ms",
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
}

CALLBACKS = frozenset({"on_delivery", "dr_cb", "on_commit", "error_cb", "throttle_cb", "stats_cb", "logger",
                       "oauth_cb"})
"""What confluent-kafka takes as a function."""

# Real properties that are accepted and change nothing, each for one of four reasons.
_SECURITY = """security.protocol ssl.cipher.suites ssl.curves.list ssl.sigalgs.list ssl.key.location ssl.key.password
    ssl.key.pem ssl.certificate.location ssl.certificate.pem ssl.ca.location https.ca.location https.ca.pem ssl.ca.pem
    ssl.ca.certificate.stores ssl.crl.location ssl.keystore.location ssl.keystore.password ssl.providers
    ssl.engine.location ssl.engine.id enable.ssl.certificate.verification ssl.endpoint.identification.algorithm
    sasl.mechanisms sasl.mechanism sasl.kerberos.service.name sasl.kerberos.principal sasl.kerberos.kinit.cmd
    sasl.kerberos.keytab sasl.kerberos.min.time.before.relogin sasl.username sasl.password sasl.oauthbearer.config
    enable.sasl.oauthbearer.unsecure.jwt sasl.oauthbearer.method sasl.oauthbearer.client.id
    sasl.oauthbearer.client.secret sasl.oauthbearer.scope sasl.oauthbearer.extensions
    sasl.oauthbearer.token.endpoint.url sasl.oauthbearer.sub.claim.name sasl.oauthbearer.grant.type"""
_NETWORK = """message.copy.max.bytes receive.message.max.bytes metadata.recovery.strategy
    metadata.recovery.rebootstrap.trigger.ms metadata.max.age.ms topic.metadata.refresh.fast.interval.ms
    topic.metadata.refresh.fast.cnt topic.metadata.refresh.sparse topic.blacklist socket.blocking.max.ms
    socket.send.buffer.bytes socket.receive.buffer.bytes socket.keepalive.enable socket.nagle.disable socket.max.fails
    broker.address.ttl broker.address.family socket.connection.setup.timeout.ms connections.max.idle.ms
    reconnect.backoff.jitter.ms api.version.request api.version.request.timeout.ms api.version.fallback.ms
    broker.version.fallback client.dns.lookup client.rack coordinator.query.interval.ms"""
_MEASURES = """debug statistics.interval.ms enabled_events log_level log.queue log.thread.name log.connection.close
    enable.metrics.push builtin.features enable.random.seed internal.termination.signal plugin.library.paths
    produce.offset.report check.crcs"""
_SIZES = """compression.codec compression.type compression.level queue.buffering.backpressure.threshold
    enable.gapless.guarantee queuing.strategy queued.min.messages queued.max.messages.kbytes fetch.queue.backoff.ms
    fetch.max.bytes fetch.error.backoff.ms offset.store.method group.protocol.type consume.callback.max.messages
    offset.store.path offset.store.sync.interval.ms auto.commit.enable"""
IGNORED: dict[str, str] = {
    name: why
    for names, why in ((_SECURITY, "security is not modelled"), (_NETWORK, "connections are not modelled"),
                       (_MEASURES, "edasim measures from its own journal"),
                       (_SIZES, "it would change how bytes are packed, which is not modelled"))
    for name in names.split()
}
