"""Which partition a record goes to.

librdkafka's own default partitioner hashes keys by CRC32; the scripts ask for `murmur2_random`, which is what the
Java producer does.
"""

from __future__ import annotations

from collections.abc import Sequence

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Sender, create, numbers

UNUSUAL = ("", " ", "é", "événement", "日本", "🙂", "a", "ab", "abc", "abcd",
           "abcde", "k" * 500, "0", "\x00", "\x7f\x80ÿ")


def _partitions(kafka: Kafka, topic: str, keys: Sequence[str | bytes]) -> list[int]:
    """The partition of each key, as the delivery reports name it."""
    found: dict[str, int] = {}
    sender = Sender(kafka, {"linger.ms": 50})
    for place, key in enumerate(keys):
        sender.produce(topic, str(place), key=key, headers=None)
    sender.producer.flush(30)
    by_value = dict(_values_by_partition(kafka, topic, len(keys)))
    for place in range(len(keys)):
        found[str(place)] = by_value[str(place)]
    return list(found.values())


def _values_by_partition(kafka: Kafka, topic: str, count: int) -> list[tuple[str, int]]:
    """(value, partition) of every record of the topic, read back from the log."""
    consumer = kafka.Consumer({"group.id": kafka.name("reader"), "auto.offset.reset": "earliest"})
    known = kafka.AdminClient({}).list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([kafka.TopicPartition(topic, each, kafka.OFFSET_BEGINNING) for each in known])
    found: list[tuple[str, int]] = []
    for _ in range(count + 600):
        if len(found) == count:
            break
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            found.append((message.value().decode(), message.partition()))
    consumer.close()
    return found


@script()
def partition_of_a_thousand_keys(kafka: Kafka) -> None:
    """1,000 keys go to (murmur2(key) & 0x7fffffff) % partitions, for 1, 3, 6, 12 and 17 partitions."""
    keys = [f"customer-{number}" for number in range(1, 1001)]
    for count in (1, 3, 6, 12, 17):
        topic = create(kafka, f"orders-{count}", count)
        kafka.note(f"{count} partitions", _partitions(kafka, topic, keys))


@script()
def partition_of_unusual_keys(kafka: Kafka) -> None:
    """Non-ASCII, very short, very long and control-character keys are hashed as their UTF-8 bytes."""
    topic = create(kafka, "orders", 12)
    kafka.note("partitions", _partitions(kafka, topic, UNUSUAL[1:]))


@script()
def partition_of_bytes_above_127(kafka: Kafka) -> None:
    """Keys with bytes above 127 show whether the hash takes bytes as unsigned: every single byte, and pairs."""
    topic = create(kafka, "orders", 12)
    keys = [bytes([number]) for number in range(256)] + [bytes([number, 255 - number, 200]) for number in range(256)]
    kafka.note("partitions", _partitions(kafka, topic, keys))


@script()
def partition_of_the_empty_key(kafka: Kafka) -> None:
    """An empty key is a key: all its records go to the same partition, that of the hash of no bytes."""
    topic = create(kafka, "orders", 12)
    kafka.note("partitions", _partitions(kafka, topic, [""] * 20))


@script()
def adding_partitions_moves_keys(kafka: Kafka) -> None:
    """When a topic grows from 4 to 6 partitions, old records stay and many keys go elsewhere from then on."""
    topic = create(kafka, "orders", 4)
    keys = [f"customer-{number}" for number in range(1, 201)]
    before = _partitions(kafka, topic, keys)
    kafka.AdminClient({}).create_partitions([kafka.NewPartitions(topic, 6)])[topic].result()
    kafka.sleep(1)
    sender = Sender(kafka, {"linger.ms": 50})
    for key in keys:
        sender.produce(topic, "again", key=key)
    sender.producer.flush(30)
    spread = _values_by_partition(kafka, topic, 400)
    kafka.note("before", before)
    kafka.note("old records by partition", [sum(v != "again" and p == n for v, p in spread) for n in range(6)])
    kafka.note("new records by partition", [sum(v == "again" and p == n for v, p in spread) for n in range(6)])


@script()
def keyless_records_of_one_batch_stay_together(kafka: Kafka) -> None:
    """Records without a key that wait in one batch all go to the same partition, whichever that is."""
    topic = create(kafka, "orders", 6)
    sender = Sender(kafka, {"linger.ms": 300, "sticky.partitioning.linger.ms": 1000})
    # Records that are produced before the producer knows the partitions are spread when it learns of them.
    sender.send(topic, ["first"], partition=0)
    for value in numbers(1, 20):
        sender.produce(topic, value)
    sender.producer.flush(30)
    reports = sender.reports[1:]
    kafka.note("errors", [error for error, _, _ in reports if error])
    kafka.note("partitions used", len({partition for _, partition, _ in reports}))
    kafka.note("one after the other", [offset - reports[0][2] for _, _, offset in reports])


@script()
def keyless_records_spread_over_time(kafka: Kafka) -> None:
    """Records without a key, sent one by one over many batches, reach every partition in the long run."""
    topic = create(kafka, "orders", 3)
    sender = Sender(kafka, {"sticky.partitioning.linger.ms": 5})
    for value in numbers(1, 100):
        sender.send(topic, [value])
        kafka.sleep(0.008)
    kafka.note("partitions used", len({partition for _, partition, _ in sender.reports}))


@script()
def a_given_partition_wins_over_the_key(kafka: Kafka) -> None:
    """produce(partition=n) goes to n whatever the key says; a partition that does not exist is refused locally."""
    topic = create(kafka, "orders", 3)
    sender = Sender(kafka, {"topic.metadata.propagation.max.ms": 500, "message.timeout.ms": 3000})
    for partition in (0, 1, 2):
        sender.send(topic, ["r"], key="customer-1", partition=partition)
    kafka.note("partitions", [partition for _, partition, _ in sender.reports])
    refused = None
    try:
        sender.send(topic, ["r"], partition=9)
        refused = sender.reports[-1][0]
    except kafka.KafkaException as error:
        refused = error.args[0].name()
    kafka.note("partition 9", refused)


@script()
def order_holds_within_a_partition(kafka: Kafka) -> None:
    """Records of one key keep their order and get consecutive offsets; another key's go their own way."""
    topic = create(kafka, "orders", 2)
    sender = Sender(kafka, {"linger.ms": 20})
    for number in range(50):
        sender.produce(topic, f"e{number}", key="customer-1")
        sender.produce(topic, f"f{number}", key="customer-2")
    sender.producer.flush(30)
    spread = _values_by_partition(kafka, topic, 100)
    for first in "ef":
        mine = [(value, partition) for value, partition in spread if value[0] == first]
        kafka.note(f"{first} in order", [value for value, _ in mine] == [f"{first}{number}" for number in range(50)])
        kafka.note(f"partitions of {first}", sorted({partition for _, partition in mine}))
