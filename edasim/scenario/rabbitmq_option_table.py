"""The optional arguments of a RabbitMQ queue, release by release.

Source: rabbitmq/rabbitmq-server at v3.10.8, v3.13.7, v4.0.9 and v4.3: what each queue type accepts in
rabbit_classic_queue.erl, rabbit_quorum_queue.erl and rabbit_stream_queue.erl, checks in rabbit_amqqueue.erl.
"""

from __future__ import annotations

from edasim.scenario.broker_option import LONG_MAX, MOST_REPLICAS, BrokerOption, table

TEN_YEARS_MS = 315_360_000_000

_NODES = "edasim does not place a queue on named nodes"
_STREAM = "streams are not modelled yet"

QUEUE_ARGUMENTS = table(
    BrokerOption("x-queue-type", "enum", "classic", "modelled", "classic and quorum",
                 allowed=("classic", "quorum"), not_modelled=("stream",)),
    BrokerOption("x-message-ttl", "duration_ms", None, "modelled", "an expired message leaves at the head",
                 low=0, high=TEN_YEARS_MS, queue_types=("classic", "quorum")),
    BrokerOption("x-max-length", "int", None, "modelled", "counts ready messages",
                 low=0, high=LONG_MAX, queue_types=("classic", "quorum")),
    BrokerOption("x-max-length-bytes", "bytes", None, "modelled", "counts bodies of ready messages",
                 low=0, high=LONG_MAX, queue_types=("classic", "quorum", "stream")),
    BrokerOption("x-overflow", "enum", "drop-head", "modelled", "what gives way when a queue is full",
                 allowed=("drop-head", "reject-publish", "reject-publish-dlx"), queue_types=("classic",
                 "quorum")),
    BrokerOption("x-dead-letter-exchange", "str", None, "modelled",
                 "where rejected, expired and dropped messages go",
                 queue_types=("classic", "quorum")),
    BrokerOption("x-dead-letter-routing-key", "str", None, "modelled", "instead of the message's own key",
                 queue_types=("classic", "quorum")),
    BrokerOption("x-delivery-limit", "int", {"3.10": None, "4.0": 20}, "modelled", "-1 lifts the limit",
                 low={"3.10": 0, "4.0": -1}, high=LONG_MAX, queue_types=("quorum",)),
    BrokerOption("x-quorum-initial-group-size", "int", 3, "modelled", "how many nodes hold the queue",
                 low=1, high=MOST_REPLICAS, queue_types=("quorum",)),
    BrokerOption("x-dead-letter-strategy", "enum", "at-most-once", "ignored",
                 "dead-lettering is at-most-once",
                 allowed=("at-most-once", "at-least-once"), queue_types=("quorum",)),
    BrokerOption("x-expires", "duration_ms", None, "ignored", "queues live for the whole run",
                 low=1, high=TEN_YEARS_MS, queue_types=("classic", "quorum")),
    BrokerOption("x-max-priority", "int", None, "modelled", "higher ones first; expiry and drop-head at the head only",
                 low=0, high=255, queue_types=("classic",)),
    BrokerOption("x-single-active-consumer", "bool", False, "ignored", "all consumers are active",
                 queue_types=("classic", "quorum")),
    BrokerOption("x-max-in-memory-length", "int", None, "ignored", "memory is not modelled",
                 low=0, high=LONG_MAX, queue_types=("quorum",)),
    BrokerOption("x-max-in-memory-bytes", "bytes", None, "ignored", "memory is not modelled",
                 low=0, high=LONG_MAX, queue_types=("quorum",)),
    BrokerOption("x-queue-mode", "enum", "default", "ignored", "memory is not modelled",
                 allowed=("default", "lazy"), queue_types=("classic",)),
    BrokerOption("x-queue-version", "int", {"3.10": 1, "4.0": 2}, "ignored", "files on disk are not modelled",
                 low={"3.10": 1, "4.3": 2}, high=2, queue_types=("classic",)),
    BrokerOption("x-queue-leader-locator", "enum", "client-local", "ignored", _NODES,
                 allowed=("client-local", "balanced", "random", "least-leaders", "min-masters")),
    BrokerOption("x-queue-master-locator", "enum", "client-local", "ignored", _NODES,
                 allowed=("client-local", "random", "min-masters"), queue_types=("classic",)),
    BrokerOption("x-member-placement-tag", "str", None, "ignored", _NODES, since="4.3",
                 queue_types=("quorum",)),
    BrokerOption("x-consumer-timeout", "duration_ms", None, "ignored", "consumers are not timed out yet",
                 low=0, high=LONG_MAX, since="4.3", queue_types=("quorum",)),
    BrokerOption("x-consumer-disconnected-timeout", "duration_ms", None, "ignored",
                 "a lost node returns its messages",
                 low=0, high=LONG_MAX, since="4.3", queue_types=("quorum",)),
    BrokerOption("x-delayed-retry-type", "enum", "disabled", "ignored", "a requeued message is ready at once",
                 allowed=("disabled", "all", "failed", "returned"), since="4.3", queue_types=("quorum",)),
    BrokerOption("x-delayed-retry-min", "duration_ms", None, "ignored", "a requeued message is ready at once",
                 low=0, high=LONG_MAX, since="4.3", queue_types=("quorum",)),
    BrokerOption("x-delayed-retry-max", "duration_ms", None, "ignored", "a requeued message is ready at once",
                 low=0, high=LONG_MAX, since="4.3", queue_types=("quorum",)),
    BrokerOption("x-max-age", "str", None, "ignored", _STREAM, queue_types=("stream",)),
    BrokerOption("x-stream-max-segment-size-bytes", "bytes", None, "ignored", _STREAM,
                 low=0, high=LONG_MAX, queue_types=("stream",)),
    BrokerOption("x-stream-filter-size-bytes", "bytes", None, "ignored", _STREAM,
                 low=0, high=255, since="3.13", queue_types=("stream",)),
    BrokerOption("x-initial-cluster-size", "int", None, "ignored", _STREAM, low=1, queue_types=("stream",)),
)
