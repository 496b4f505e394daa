"""A simulated Kafka with the names of confluent-kafka: a script that drives the one drives the other."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edasim.brokers.kafka.client import admin_values, values
from edasim.brokers.kafka.client.admin import AdminClient
from edasim.brokers.kafka.client.configuration import CONSUMER, PRODUCER, configured
from edasim.brokers.kafka.client.consumer import Consumer
from edasim.brokers.kafka.client.errors import KafkaError, KafkaException, failure
from edasim.brokers.kafka.client.group_home import GroupHome
from edasim.brokers.kafka.client.metadata import BrokerMetadata, ClusterMetadata, PartitionMetadata, TopicMetadata
from edasim.brokers.kafka.client.payload import Payload
from edasim.brokers.kafka.client.producer import Producer
from edasim.brokers.kafka.client.stepping import Stepper, Wire, answered, ask
from edasim.brokers.kafka.cluster import ClusterTimes, Topic
from edasim.brokers.kafka.log import Record
from edasim.brokers.kafka.replicas import ReplicatedPartition
from edasim.brokers.kafka.replication import ReplicatedCluster
from edasim.core.distribution import parse_distribution
from edasim.core.message import Message as EngineMessage
from edasim.core.world import World
from edasim.scenario.broker_option import MOST_REPLICAS
from edasim.scenario.broker_options import OptionError, resolve
from edasim.scenario.wire import DEFAULT_LATENCIES

MS = 1_000_000
Client = Producer | Consumer
NEW_YEAR_2026_MS = 1_767_225_600_000
CONTROLLER = 1


class SimulatedKafka:
    """A cluster of so many brokers in simulated time, and the client library that talks to it.

    It has the names of confluent-kafka: `kafka.Producer(conf)`, `kafka.Consumer(conf)`, `kafka.AdminClient(conf)`,
    `kafka.NewTopic`, `kafka.TopicPartition`, `kafka.KafkaException` and so on.  Time stands still between calls; each
    call that waits takes it forward, `kafka.sleep(seconds)` lets it pass.  The same seed gives the same run.

    `version` is "3.9", "4.0" or "4.3", `options` are broker options by their real names, `latency` is that of one hop
    ("0.5ms", or a distribution), `begins_ms` what the clock shows at the beginning (milliseconds since 1970; the
    default is New Year 2026).
    """

    TopicPartition = values.TopicPartition
    Message = values.Message
    KafkaError = KafkaError
    KafkaException = KafkaException
    OFFSET_BEGINNING, OFFSET_END = values.OFFSET_BEGINNING, values.OFFSET_END
    OFFSET_STORED, OFFSET_INVALID = values.OFFSET_STORED, values.OFFSET_INVALID
    TIMESTAMP_NOT_AVAILABLE = values.TIMESTAMP_NOT_AVAILABLE
    TIMESTAMP_CREATE_TIME = values.TIMESTAMP_CREATE_TIME
    TIMESTAMP_LOG_APPEND_TIME = values.TIMESTAMP_LOG_APPEND_TIME
    NewTopic = admin_values.NewTopic
    NewPartitions = admin_values.NewPartitions
    ConfigResource = admin_values.ConfigResource
    ConfigEntry = admin_values.ConfigEntry
    ResourceType = admin_values.ResourceType
    AlterConfigOpType = admin_values.AlterConfigOpType
    ElectionType = admin_values.ElectionType
    OffsetSpec = admin_values.OffsetSpec
    IsolationLevel = admin_values.IsolationLevel
    ConsumerGroupState = admin_values.ConsumerGroupState
    ConsumerGroupTopicPartitions = admin_values.ConsumerGroupTopicPartitions
    TopicCollection = admin_values.TopicCollection

    def __init__(self, brokers: int = 3, version: str = "4.3", seed: int = 1,
                 options: Mapping[str, Any] | None = None, latency: str = DEFAULT_LATENCIES["producer-to-broker"],
                 begins_ms: int = NEW_YEAR_2026_MS) -> None:
        try:
            self.options = resolve("kafka broker", version, dict(options or {}))
        except OptionError as error:
            raise ValueError(str(error)) from None
        if not 1 <= brokers <= MOST_REPLICAS:
            raise ValueError(f"brokers is {brokers}, but a cluster has 1 to {MOST_REPLICAS}")
        self.version = version
        self.brokers = brokers
        self.replicas = min(3, brokers)
        self._hop = parse_distribution(latency).quantile_ns
        self.world = World(seed)
        self.world.clock.advance(begins_ms * MS)
        self.stepper = Stepper(self.world)
        append = parse_distribution(DEFAULT_LATENCIES["append"]).quantile_ns
        self.cluster = ReplicatedCluster(self.world, ClusterTimes(self._hop, append), brokers, self.options)
        self._payloads: dict[int, Payload] = {}
        self._names: dict[str, int] = {}
        self.groups: dict[str, GroupHome] = {}
        self._views: dict[tuple[str, int], Topic] = {}
        self._configs: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    # --- clients ----------------------------------------------------------------------------------------------

    def Producer(self, conf: Mapping[str, Any] | None = None, **more: Any) -> Producer:
        """A producer of this cluster; conf as for confluent_kafka.Producer."""
        return Producer(self, configured(PRODUCER, conf, more))

    def Consumer(self, conf: Mapping[str, Any] | None = None, **more: Any) -> Consumer:
        """A consumer of this cluster; conf as for confluent_kafka.Consumer."""
        return Consumer(self, configured(CONSUMER, conf, more))

    def AdminClient(self, conf: Mapping[str, Any] | None = None, **more: Any) -> AdminClient:
        """An admin client of this cluster; conf as for confluent_kafka.admin.AdminClient."""
        return AdminClient(self, configured(PRODUCER, conf, more))

    def client_name(self, kind: str, given: str) -> str:
        """A name that no other client of this cluster has."""
        stem = f"{given}#{kind}"
        self._names[stem] = number = self._names.get(stem, 0) + 1
        return f"{stem}-{number}"

    def links(self, name: str) -> Wire:
        """A client's connection, there and back."""
        world = self.world
        wire = Wire((world.link(name, "broker", [self._hop]), world.link("broker", name, [self._hop])))
        wire.up = lambda: any(node.answers for node in self.cluster.brokers)
        return wire

    # --- time and brokers -------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """What the simulated clock shows, in milliseconds since 1970."""
        return self.world.clock.now_ns // MS

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass; clients send, fetch, commit and send heartbeats meanwhile."""
        self.stepper.sleep(seconds)

    def crash(self, client: Client) -> None:
        """The client's process dies without a goodbye: nothing is flushed, committed or left."""
        client.vanish()

    def leader(self, topic: str, partition: int) -> int:
        """The number of the broker that leads a partition; -1 while none does."""
        self.partition(topic, partition)
        return self.cluster.leader(topic, partition) or -1

    def in_sync(self, topic: str, partition: int) -> list[int]:
        """The numbers of the brokers in the ISR of a partition, ascending."""
        self.partition(topic, partition)
        return sorted(self.cluster.in_sync(topic, partition))

    def eligible_leaders(self, topic: str, partition: int) -> list[int]:
        """The eligible leader replicas of a partition (KIP-966), ascending."""
        return sorted(index + 1 for index in self.partition(topic, partition).known.eligible)

    def kill_broker(self, broker: int) -> None:
        """A broker dies without a goodbye; what is on its disk stays."""
        self.cluster.kill(self._broker(broker))

    def stop_broker(self, broker: int) -> None:
        """A broker hands over its leaderships and leaves; returns when it has gone."""
        node = self.cluster.brokers[self._broker(broker) - 1]
        mine = self.cluster.partitions_on(node)
        self.cluster.stop(broker)
        self.stepper.until(lambda: not node.alive and all(one.known is one.registered for one in mine), None)

    def start_broker(self, broker: int) -> None:
        """A broker comes back with the data it had; returns when it answers."""
        node = self.cluster.brokers[self._broker(broker) - 1]
        self.cluster.start(broker)
        self.stepper.until(lambda: node.alive, None)

    def freeze_broker(self, broker: int) -> None:
        """A broker stands still: it neither answers nor forgets."""
        self.cluster.freeze(self._broker(broker))

    def thaw_broker(self, broker: int) -> None:
        """A broker that stood still goes on."""
        self.cluster.thaw(self._broker(broker))

    @property
    def broker_numbers(self) -> set[int]:
        """The brokers' numbers, from 1."""
        return set(range(1, self.brokers + 1))

    def _broker(self, number: int) -> int:
        if not 1 <= number <= self.brokers:
            raise ValueError(f"there is no broker {number}: they are numbered 1 to {self.brokers}")
        return number

    # --- topics -----------------------------------------------------------------------------------------------

    def partition_count(self, name: str, create: bool) -> int:
        """How many partitions a topic has, 0 without it; `create` it if the brokers do that by themselves."""
        if name not in self.cluster.topics and create and self.options["auto.create.topics.enable"]:
            count = self.options["num.partitions"]
            replicas = min(self.options["default.replication.factor"], self.brokers)
            self.create_topic(name, resolve("kafka topic", self.version, {
                "partitions": count, "replication.factor": replicas}), {})
        return len(self.cluster.topics[name].partitions) if name in self.cluster.topics else 0

    def create_topic(self, name: str, options: dict[str, Any], config: Mapping[str, Any],
                     assigned: list[list[int]] | None = None) -> None:
        """At the controller: a topic with resolved options; `config` is what was named of them."""
        for number, nodes in enumerate(assigned or self._places(options)):
            self.cluster.chosen[f"{name}-{number}"] = nodes
        self.cluster.create_topic(name, options)
        self._configs[name] = (options, dict(config))

    def _places(self, options: Mapping[str, Any]) -> list[list[int]]:
        """The brokers of each partition when some are fenced, which get replicas last; else the engine spreads them."""
        fenced = [node.number for node in self.cluster.brokers if node.fenced]
        if not fenced:
            return []
        active, count = sorted(self.broker_numbers - set(fenced)), options["replication.factor"]
        shifts = (number % max(1, len(active)) for number in range(options["partitions"]))
        return [[*active[shift:], *active[:shift], *fenced][:count] for shift in shifts]

    def delete_topic(self, name: str) -> None:
        """At the controller: a topic is gone with its records."""
        for partition in self.cluster.topics[name].partitions:
            self.cluster.chosen.pop(partition.name, None)
        self.cluster.delete_topic(name)
        del self._configs[name]

    def add_partitions(self, name: str, total: int) -> None:
        """At the controller: a topic grows."""
        options, _ = self._configs[name]
        options["partitions"] = total
        self.cluster.add_partitions(name, options)

    def topic_config(self, name: str) -> dict[str, Any]:
        """The options of a topic that somebody has set."""
        return self._configs[name][1]

    def topic_options(self, name: str) -> dict[str, Any]:
        """All options of a topic."""
        return self._configs[name][0]

    def configure_topic(self, name: str, options: dict[str, Any], config: Mapping[str, Any]) -> None:
        """At the controller: a topic has other options from now on."""
        self._configs[name] = (options, dict(config))
        self.cluster.configure_topic(name, options)

    def find(self, topic: str, number: int) -> ReplicatedPartition | None:
        """The engine's partition; None when there is none."""
        partitions = self.cluster.topics[topic].partitions if topic in self.cluster.topics else []
        if not 0 <= number < len(partitions):
            return None
        found = partitions[number]
        assert isinstance(found, ReplicatedPartition), "this cluster makes no others"
        return found

    def partition(self, topic: str, number: int, error: str = "UNKNOWN_TOPIC_OR_PART") -> ReplicatedPartition:
        """The engine's partition; KafkaException when there is none."""
        found = self.find(topic, number)
        if found is None:
            raise failure(error, f"the cluster has no partition {topic} [{number}]")
        return found

    def one_partition(self, name: str, number: int) -> Topic:
        """A topic as a producer sees it that has chosen the partition already."""
        view = self._views.get((name, number))
        partition = self.cluster.topics[name].partitions[number]
        if view is None or view.partitions[0] is not partition:
            view = self._views[name, number] = Topic(f"{name}-{number}", [partition], self.replicas, keyed=False)
        return view

    def metadata(self, links: Wire, topic: str | None, timeout: float | None) -> ClusterMetadata:
        """The cluster as a broker describes it, over the wire."""
        reply = ask(links, lambda: self._metadata(topic))
        found: ClusterMetadata = answered(self.stepper, reply, timeout, "listing topics", late="_TRANSPORT")
        return found

    def _metadata(self, only: str | None) -> ClusterMetadata:
        topics = {name: TopicMetadata(name, {number: self._partition_metadata(topic, number)
                                             for number in range(len(topic.partitions))})
                  for name, topic in self.cluster.topics.items() if only in (None, name)}
        if only is not None and only not in topics:
            topics[only] = TopicMetadata(only, {}, KafkaError("UNKNOWN_TOPIC_OR_PART"))
        brokers = {node.number: BrokerMetadata(node.number) for node in self.cluster.brokers if not node.fenced}
        return ClusterMetadata("simulated", CONTROLLER, brokers, topics)

    def _partition_metadata(self, topic: Topic, number: int) -> PartitionMetadata:
        partition = self.partition(topic.name, number)
        leader = self.cluster.leader(topic.name, number) or -1
        error = None if leader > 0 else KafkaError("LEADER_NOT_AVAILABLE")
        return PartitionMetadata(number, leader, [index + 1 for index in partition.rules.replicas],
                                 list(self.cluster.in_sync(topic.name, number)), error)

    # --- records ----------------------------------------------------------------------------------------------

    def remember(self, topic: str, payload: Payload) -> EngineMessage:
        """The engine's message for a record; what it carries is kept beside it."""
        messages, time_ns = self.world.messages, payload.time_ms * MS
        number = len(messages) + 1
        if payload.value is None and payload.engine_key is not None:
            message = messages.tombstone(topic, number, payload.engine_key, time_ns)
        else:
            message = messages.place(topic, number, payload.engine_key, payload.size, time_ns)
        self._payloads[message.id] = payload
        return message

    def home(self, group: str) -> GroupHome:
        """A group as its coordinator has it, made at its first mention."""
        if group not in self.groups:
            self.groups[group] = GroupHome(self, group)
        return self.groups[group]

    def message(self, record: Record) -> values.Message:
        """A record as applications see it."""
        partition = record.partition
        kind = values.TIMESTAMP_CREATE_TIME
        if self._configs[partition.topic][0]["message.timestamp.type"] == "LogAppendTime":
            kind = values.TIMESTAMP_LOG_APPEND_TIME
        return self._payloads[record.message.id].message(
            partition.topic, partition.number, record.offset, timestamp=(kind, self.time_ms(record)))

    @staticmethod
    def time_ms(record: Record) -> int:
        """A record's timestamp in milliseconds since 1970."""
        time_ns: int = getattr(record, "time_ns", record.message.time_ns)
        return time_ns // MS

    def __repr__(self) -> str:
        topics = ", ".join(f"{name} ({len(topic.partitions)})" for name, topic in self.cluster.topics.items())
        return f"<SimulatedKafka {self.version}, {self.brokers} brokers, topics: {topics or 'none yet'}>"
