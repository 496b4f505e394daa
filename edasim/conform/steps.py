"""The steps that scripts are made of: create a topic, send, take, let a group settle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edasim.conform.script import Kafka, NotReached

POLL_S = 0.05
PATIENCE_S = 30.0
BROKERS_ASKED = 6
# For records with old timestamps, which the default retention of seven days would take away within half a second.
FOR_EVER = {"retention.ms": "-1"}
# Scripts commit themselves unless they are about auto commit; heartbeats are frequent, so that a rebalance is noticed
# soon (heartbeat.interval.ms defaults to 3000).
GROUP = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "heartbeat.interval.ms": 300}


def create(kafka: Kafka, topic: str, partitions: int = 1, **options: Any) -> str:
    """Create a topic and wait until each partition has a leader; its full name. Options: NewTopic's.

    Whichever broker is asked must know: it is asked several times, as each answer may come from another one.
    """
    full = kafka.name(topic)
    if "replica_assignment" not in options:
        options["replication_factor"] = options.get("replication_factor", kafka.replicas)
    admin = kafka.AdminClient({})
    admin.create_topics([kafka.NewTopic(full, partitions, **options)])[full].result()
    for _ in range(BROKERS_ASKED):
        wait(kafka, lambda: all(kafka.leader(full, each) > 0 for each in range(partitions)), f"{topic} has leaders")
        kafka.sleep(POLL_S)
    return full


def wait(kafka: Kafka, reached: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so; NotReached with its description after `patience_s`."""
    trouble = ""
    for _ in range(int(patience_s / POLL_S)):
        try:
            if reached():
                return
        except (KeyError, kafka.KafkaException) as error:
            trouble = f": {error}"
        kafka.sleep(POLL_S)
    raise NotReached(f"{what} within {patience_s:.0f} s{trouble}")


class Sender:
    """A producer that keeps its delivery reports: (error name or None, partition, offset) in order of arrival."""

    def __init__(self, kafka: Kafka, conf: Mapping[str, Any] | None = None) -> None:
        self.producer = kafka.Producer({"partitioner": "murmur2_random", "linger.ms": 0, **(conf or {})})
        self.reports: list[tuple[str | None, int, int]] = []

    def send(self, topic: str, values: Iterable[Any], seconds: float = PATIENCE_S, **fields: Any) -> None:
        """Produce one record for each value and wait for all reports."""
        for value in values:
            self.produce(topic, value, **fields)
        self.producer.flush(seconds)

    def produce(self, topic: str, value: Any, **fields: Any) -> None:
        self.producer.produce(topic, value=value, on_delivery=self._report, **fields)

    def _report(self, error: Any, message: Any) -> None:
        self.reports.append((error.name() if error else None, message.partition(), message.offset()))


def send(kafka: Kafka, topic: str, values: Iterable[Any], **fields: Any) -> None:
    """Produce records, one after the other, and require that all are confirmed."""
    sender = Sender(kafka)
    for value in values:
        sender.send(topic, [value], **fields)
    failed = [error for error, _, _ in sender.reports if error]
    if failed:
        raise NotReached(f"records were refused: {failed}")


def numbers(first: int, last: int) -> list[str]:
    """The values r<first> .. r<last>, both included."""
    return [f"r{number}" for number in range(first, last + 1)]


class Member:
    """A consumer in a group, with what it was told by its rebalance callbacks and what it read."""

    def __init__(
        self,
        kafka: Kafka,
        name: str,
        topics: Iterable[str],
        group: str = "group",
        conf: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.topics = list(topics)
        self.told: list[list[Any]] = []
        self.read: list[Any] = []
        self.errors: list[str] = []
        identity = {"group.id": kafka.name(group), "client.id": name}
        settings = {**GROUP, **identity, **(conf or {})}
        if settings.get("group.protocol") == "consumer":
            del settings["heartbeat.interval.ms"]
        self.consumer = kafka.Consumer(settings)
        self.consumer.subscribe(
            self.topics,
            on_assign=lambda _, partitions: self._tell("assigned", partitions),
            on_revoke=lambda _, partitions: self._tell("revoked", partitions),
            on_lost=lambda _, partitions: self._tell("lost", partitions),
        )

    def poll(self, seconds: float = POLL_S) -> Any:
        """Poll once; a record is kept in `read`, the name of an error in `errors`."""
        message = self.consumer.poll(seconds)
        if message is not None and message.error():
            self.errors.append(message.error().name())
            return None
        if message is not None:
            self.read.append(message)
        return message

    def take(self, count: int, patience_s: float = PATIENCE_S) -> list[Any]:
        """Poll until `count` more records have come; NotReached if they do not."""
        goal = len(self.read) + count
        for _ in range(int(patience_s / POLL_S) + count):
            if len(self.read) >= goal:
                return self.read[goal - count :]
            self.poll()
        raise NotReached(f"{self.name} read {len(self.read)} records, not {goal}, within {patience_s:.0f} s")

    def idle(self, seconds: float) -> int:
        """Poll for some seconds; how many records came."""
        before = len(self.read)
        for _ in range(int(seconds / POLL_S)):
            self.poll()
        return len(self.read) - before

    def holds(self) -> list[str]:
        """What the consumer is assigned now: topic-partition, ascending."""
        return labels(self.consumer.assignment())

    def drained(self) -> list[list[Any]]:
        """What the rebalance callbacks said since this was last asked."""
        told, self.told = self.told, []
        return told

    def _tell(self, what: str, partitions: Iterable[Any]) -> None:
        self.told.append([what, labels(partitions)])


def labels(partitions: Iterable[Any]) -> list[str]:
    """Partitions as topic-partition, in ascending order of topic and number."""
    return [f"{topic}-{number}" for topic, number in sorted((each.topic, each.partition) for each in partitions)]


def values(messages: Iterable[Any]) -> list[str]:
    """The values of messages as text, None where there is none."""
    return [None if each.value() is None else each.value().decode() for each in messages]  # type: ignore[misc]


def offsets(messages: Iterable[Any]) -> list[int]:
    """The offsets of messages."""
    return [each.offset() for each in messages]


def settle(kafka: Kafka, members: Iterable[Member], partitions: int, calm_s: float = 0.5) -> dict[str, list[str]]:
    """Poll the members in turn until together they hold all partitions, each once, and nothing changes any more.

    Everyone must have been told an assignment before that counts. The holdings by the member's name.
    """
    group = list(members)
    calm, last = 0.0, None
    for _ in range(int(PATIENCE_S / POLL_S)):
        for member in group:
            member.poll(POLL_S / len(group))
        holding = {member.name: member.holds() for member in group}
        held = [each for mine in holding.values() for each in mine]
        told = all(any(what == "assigned" for what, _ in member.told) or member.holds() for member in group)
        complete = told and len(held) == len(set(held)) == partitions
        calm = calm + POLL_S if complete and holding == last else 0.0
        last = holding
        if calm >= calm_s:
            return holding
    raise NotReached(f"the group did not settle: {last}, {[member.told for member in group]}")


def reader(kafka: Kafka, conf: Mapping[str, Any] | None = None, group: str = "reader") -> Any:
    """A consumer that is given its partitions by assign()."""
    return kafka.Consumer({**GROUP, "group.id": kafka.name(group), "enable.partition.eof": True, **(conf or {})})


def read_all(kafka: Kafka, topic: str, partition: int = 0, conf: Mapping[str, Any] | None = None) -> list[Any]:
    """All records of a partition from its start to its end as a reader of its own sees them."""
    consumer = reader(kafka, conf)
    consumer.assign([kafka.TopicPartition(topic, partition, kafka.OFFSET_BEGINNING)])
    found = until_end(kafka, consumer)
    consumer.close()
    return found


def until_end(kafka: Kafka, consumer: Any, patience_s: float = PATIENCE_S) -> list[Any]:
    """Poll until the end of the partition is reported (enable.partition.eof)."""
    found = []
    for _ in range(int(patience_s / POLL_S) + 100_000):
        message = consumer.poll(POLL_S)
        if message is None:
            patience_s -= POLL_S
            if patience_s < 0:
                break
        elif message.error() is None:
            found.append(message)
        elif message.error().code() == kafka.KafkaError._PARTITION_EOF:
            return found
        else:
            raise kafka.KafkaException(message.error())
    raise NotReached("the end of the partition was not reported")


def committed(kafka: Kafka, consumer: Any, topic: str, partition: int = 0) -> int | None:
    """The committed offset of the consumer's group, None if there is none."""
    offset = consumer.committed([kafka.TopicPartition(topic, partition)], timeout=10)[0].offset
    return int(offset) if offset >= 0 else None


def position(kafka: Kafka, consumer: Any, topic: str, partition: int = 0) -> int | None:
    """The offset that the consumer reads next, None before it has read."""
    offset = consumer.position([kafka.TopicPartition(topic, partition)])[0].offset
    return int(offset) if offset >= 0 else None


def error_of(kafka: Kafka, call: Callable[[], Any]) -> str | None:
    """The name of the Kafka error that a call raises, None if it raises none."""
    try:
        call()
    except kafka.KafkaException as error:
        return str(error.args[0].name())
    return None
