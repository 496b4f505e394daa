"""The admin client, with confluent-kafka's verbs.  Each answers at once with futures; `.result()` lets time pass."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client import admin_groups, admin_topics
from edasim.brokers.kafka.client.admin_values import (
    ConfigResource,
    ConsumerGroupTopicPartitions,
    ElectionType,
    IsolationLevel,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)
from edasim.brokers.kafka.client.configuration import Configuration
from edasim.brokers.kafka.client.errors import KafkaException
from edasim.brokers.kafka.client.metadata import ClusterMetadata
from edasim.brokers.kafka.client.stepping import Future, promised
from edasim.brokers.kafka.client.values import TopicPartition, checked_places

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

Futures = dict[Any, Future]


class AdminClient:
    """Creates, describes, alters and deletes.  Made by `kafka.AdminClient(conf)`."""

    def __init__(self, kafka: SimulatedKafka, conf: Configuration) -> None:
        self._kafka = kafka
        self._name = kafka.client_name("admin", conf["client.id"])
        self._links = kafka.links(self._name)

    def _each(self, keys: Iterable[Any], work: Callable[[Any], Any]) -> Futures:
        """A future for each key, whose value is what `work(key)` gives at the broker, or the error that it raises."""
        wanted = list(keys)
        if not wanted:
            raise ValueError("there is nothing in the list, but at least one is needed")

        def at_broker() -> Mapping[Any, Any]:
            values = {}
            for key in wanted:
                try:
                    values[key] = work(key)
                except KafkaException as error:
                    values[key] = error.args[0]
            return values

        return promised(self._kafka.stepper, self._links, at_broker, wanted)

    # --- topics -----------------------------------------------------------------------------------------------

    def create_topics(self, new_topics: list[NewTopic], operation_timeout: float = 0, request_timeout: float = 0,
                      validate_only: bool = False) -> Futures:
        """Create topics: {name: future of None}."""
        by_name = {new.topic: new for new in new_topics}
        for new in new_topics:
            if new.replica_assignment and len(new.replica_assignment) != new.num_partitions:
                raise ValueError(f"replica_assignment of {new.topic} is for {len(new.replica_assignment)} partitions, "
                                 f"but num_partitions is {new.num_partitions}")
        return self._each(by_name, lambda name: admin_topics.create(self._kafka, by_name[name], validate_only))

    def delete_topics(self, topics: list[str], operation_timeout: float = 0, request_timeout: float = 0) -> Futures:
        """Delete topics with all their records: {name: future of None}."""
        return self._each(topics, lambda name: admin_topics.delete(self._kafka, name))

    def create_partitions(self, new_partitions: list[NewPartitions], operation_timeout: float = 0,
                          request_timeout: float = 0, validate_only: bool = False) -> Futures:
        """Add partitions: {name: future of None}.  Old records stay; keys may go elsewhere from then on."""
        by_name = {new.topic: new for new in new_partitions}
        return self._each(by_name, lambda name: admin_topics.grow(self._kafka, by_name[name], validate_only))

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """The cluster's brokers and topics, or one topic."""
        return self._kafka.metadata(self._links, topic, timeout)

    def describe_configs(self, resources: list[ConfigResource], request_timeout: float = 0) -> Futures:
        """The configuration of topics: {resource: future of {option: ConfigEntry}}."""
        return self._each(resources, lambda one: admin_topics.described(self._kafka, one))

    def alter_configs(self, resources: list[ConfigResource], validate_only: bool = False,
                      request_timeout: float = 0) -> Futures:
        """Set the configuration of topics; what is not named goes back to its default."""
        return self._each(resources, lambda one: admin_topics.alter(self._kafka, one, validate_only))

    def incremental_alter_configs(self, resources: list[ConfigResource], validate_only: bool = False,
                                  request_timeout: float = 0) -> Futures:
        """Change single options of topics."""
        return self._each(resources, lambda one: admin_topics.alter_some(self._kafka, one, validate_only))

    def delete_records(self, topic_partition_offsets: list[TopicPartition], request_timeout: float = 0,
                       operation_timeout: float = 0) -> Futures:
        """Let partitions begin at an offset (OFFSET_END: at the end): {place: future of DeletedRecords}."""
        places = checked_places(topic_partition_offsets)
        return self._each(places, lambda place: admin_topics.delete_records(self._kafka, place))

    def list_offsets(self, topic_partition_offsets: Mapping[TopicPartition, OffsetSpec],
                     isolation_level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
                     request_timeout: float = 0) -> Futures:
        """The earliest or latest offset, or one by time: {place: future of ListOffsetsResultInfo}."""
        committed = isolation_level == IsolationLevel.READ_COMMITTED
        return self._each(topic_partition_offsets, lambda place: admin_topics.offset_of(
            self._kafka, place, topic_partition_offsets[place], committed))

    def elect_leaders(self, election_type: ElectionType, partitions: list[TopicPartition] | None = None,
                      request_timeout: float = 0, operation_timeout: float = 0) -> Future:
        """Let the first replica of partitions lead again: a future of {place: None or KafkaException}."""
        places = None if partitions is None else checked_places(partitions)
        return self._each(["all"], lambda _: admin_topics.elect(self._kafka, election_type, places))["all"]

    # --- groups -----------------------------------------------------------------------------------------------

    def list_consumer_groups(self, request_timeout: float = 0, states: Any = None, types: Any = None) -> Future:
        """All groups: a future of ListConsumerGroupsResult, whose `valid` has a listing for each."""
        return self._each(["all"], lambda _: admin_groups.listed(self._kafka, states))["all"]

    def describe_consumer_groups(self, group_ids: list[str], include_authorized_operations: bool = False,
                                 request_timeout: float = 0) -> Futures:
        """State, members and their partitions: {group: future of ConsumerGroupDescription}."""
        return self._each(group_ids, lambda name: admin_groups.described(self._kafka, name))

    def delete_consumer_groups(self, group_ids: list[str], request_timeout: float = 0) -> Futures:
        """Forget groups and their offsets; one that has members is refused."""
        return self._each(group_ids, lambda name: admin_groups.delete(self._kafka, name))

    def list_consumer_group_offsets(self, requests: list[ConsumerGroupTopicPartitions], require_stable: bool = False,
                                    request_timeout: float = 0) -> Futures:
        """What groups have committed: {group: future of ConsumerGroupTopicPartitions}."""
        by_group = {one.group_id: one for one in requests}
        return self._each(by_group, lambda name: admin_groups.offsets(self._kafka, by_group[name]))

    def alter_consumer_group_offsets(self, requests: list[ConsumerGroupTopicPartitions],
                                     request_timeout: float = 0) -> Futures:
        """Set what a group has committed; only while it has no members."""
        by_group = {one.group_id: one for one in requests}
        return self._each(by_group, lambda name: admin_groups.alter(self._kafka, by_group[name]))

    def poll(self, timeout: float = 0) -> int:
        """Let time pass; there are no callbacks to serve."""
        self._kafka.sleep(max(0.0, timeout))
        return 0

    def __repr__(self) -> str:
        return f"<AdminClient {self._name}>"
