"""The step-by-step client: confluent-kafka's verbs on the simulated cluster, in simulated time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edasim
from edasim.brokers.kafka.client import SimulatedKafka
from edasim.brokers.kafka.client.partitioners import fnv1a, hash_of

QUICK = {"group.initial.rebalance.delay.ms": 0}


@pytest.fixture
def kafka() -> SimulatedKafka:
    return SimulatedKafka(options=QUICK)


def create(kafka: SimulatedKafka, topic: str = "orders", partitions: int = 1, replicas: int = 3, **config: Any) -> str:
    options = {name.replace("_", "."): value for name, value in config.items()}
    new = kafka.NewTopic(topic, partitions, replicas, config=options)
    kafka.AdminClient({}).create_topics([new])[topic].result()
    return topic


def send(kafka: SimulatedKafka, topic: str, *values: Any, **fields: Any) -> list[tuple[str | None, int | None]]:
    """Send values and return the reports: (error's name, offset)."""
    conf = {"linger.ms": 0, **fields.pop("conf", {})}
    producer, reports = kafka.Producer(conf), []

    def report(error: Any, message: Any) -> None:
        reports.append((error.name() if error else None, message.offset()))

    for value in values:
        producer.produce(topic, value=value, on_delivery=report, **fields)
    assert producer.flush(60) == 0
    return reports


def reader(kafka: SimulatedKafka, group: str = "payment", **conf: Any) -> Any:
    given = {name.replace("_", "."): value for name, value in conf.items()}
    return kafka.Consumer({"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **given})


def read_all(kafka: SimulatedKafka, topic: str, partition: int = 0, **conf: Any) -> list[Any]:
    """The records of a partition from its start to its end."""
    consumer = reader(kafka, "reader", enable_partition_eof=True, **conf)
    consumer.assign([kafka.TopicPartition(topic, partition, kafka.OFFSET_BEGINNING)])
    found = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found.append(message)
    assert message is not None, "the end is reported"
    assert message.error() == kafka.KafkaError._PARTITION_EOF
    consumer.close()
    return found


def values(messages: list[Any]) -> list[str]:
    return [message.value().decode() for message in messages]


def error_of(call: Callable[[], Any]) -> Any:
    with pytest.raises(SimulatedKafka.KafkaException) as raised:
        call()
    return raised.value.args[0]


# --- time -----------------------------------------------------------------------------------------------------


def test_time_stands_still_between_calls_and_goes_on_within_them(kafka: SimulatedKafka) -> None:
    topic, start = create(kafka), kafka.now_ms
    producer = kafka.Producer({"linger.ms": 100})
    producer.produce(topic, "x")
    assert kafka.now_ms == start
    assert producer.poll(0.05) == 0
    assert kafka.now_ms == start + 50
    kafka.sleep(1)
    assert kafka.now_ms == start + 1050


def test_a_poll_without_a_timeout_ends_after_an_hour_when_nothing_comes(kafka: SimulatedKafka) -> None:
    consumer, start = reader(kafka), kafka.now_ms
    consumer.assign([kafka.TopicPartition(create(kafka), 0)])
    assert consumer.poll() is None
    assert 3_600_000 <= kafka.now_ms - start < 3_601_000


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    def play(seed: int) -> list[Any]:
        kafka = SimulatedKafka(seed=seed)
        topic = create(kafka, partitions=6)
        for number in range(30):
            send(kafka, topic, f"{number}")
            kafka.sleep(0.02)
        return [values(read_all(kafka, topic, partition)) for partition in range(6)] + [kafka.now_ms]

    assert play(1) == play(1)
    assert play(1) != play(2)


# --- producers ------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_sent(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    headers = [("trace", b"1"), ("trace", "zwei"), ("none", None)]
    send(kafka, topic, "wert", key=b"\xff\x00", headers=headers, timestamp=1_700_000_000_123)
    message = read_all(kafka, topic)[0]
    assert (message.key(), message.value()) == (b"\xff\x00", b"wert")
    assert message.headers() == [("trace", b"1"), ("trace", b"zwei"), ("none", None)]
    assert message.timestamp() == (kafka.TIMESTAMP_CREATE_TIME, 1_700_000_000_123)
    assert (message.topic(), message.partition(), message.offset(), len(message)) == (topic, 0, 0, 4)


def test_a_null_value_and_an_empty_one_are_two_things(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    send(kafka, topic, None, b"", key="k")
    assert [message.value() for message in read_all(kafka, topic)] == [None, b""]


def test_reports_come_from_poll_and_flush_only(kafka: SimulatedKafka) -> None:
    topic, told = create(kafka), []
    producer = kafka.Producer({"linger.ms": 0})
    producer.produce(topic, "x", on_delivery=lambda error, message: told.append(message.offset()))
    kafka.sleep(1)
    assert (told, len(producer)) == ([], 1)
    assert (producer.poll(0), told, len(producer)) == (1, [0], 0)


def test_acks_0_is_told_no_offset(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    assert send(kafka, topic, "a", conf={"acks": 0}) == [(None, None)]
    assert values(read_all(kafka, topic)) == ["a"]


def test_a_full_queue_is_a_buffer_error_with_a_way_out(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    producer = kafka.Producer({"queue.buffering.max.messages": 2, "linger.ms": 1000})
    producer.produce(topic, "a")
    producer.produce(topic, "b")
    with pytest.raises(BufferError, match=r"full with 2 records: poll\(\) or flush\(\)"):
        producer.produce(topic, "c")
    producer.flush()
    producer.produce(topic, "c")
    assert len(producer) == 1


def test_what_is_too_large_is_refused_before_it_is_sent(kafka: SimulatedKafka) -> None:
    producer = kafka.Producer({"message.max.bytes": 1000})
    error = error_of(lambda: producer.produce(create(kafka), b"x" * 1001))
    assert (error.name(), error.str()) == ("MSG_SIZE_TOO_LARGE", "the record has 1001 bytes, message.max.bytes is 1000")


def test_a_topic_that_is_not_there_fails_the_record_or_is_created_by_the_brokers() -> None:
    strict = SimulatedKafka(options={"auto.create.topics.enable": "false"})
    impatient = {"topic.metadata.propagation.max.ms": 500}
    assert send(strict, "orders", "a", conf=impatient) == [("UNKNOWN_TOPIC_OR_PART", None)]
    assert send(SimulatedKafka(options={"num.partitions": 1}), "orders", "a") == [(None, 0)]


def test_a_forced_partition_wins_over_the_key_and_has_to_exist(kafka: SimulatedKafka) -> None:
    topic, producer = create(kafka, partitions=2), kafka.Producer({})
    for partition in (0, 1, 1):
        producer.produce(topic, "x", key="k", partition=partition)
    producer.flush()
    assert [len(read_all(kafka, topic, partition)) for partition in (0, 1)] == [1, 2]
    error = error_of(lambda: producer.produce(topic, "x", partition=7))
    assert (error.name(), error.str()) == ("_UNKNOWN_PARTITION", 'topic "orders" has 2 partitions, 0 to 1')


def test_batches_end_at_batch_num_messages(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    producer = kafka.Producer({"batch.num.messages": 3, "linger.ms": 1000, "max.in.flight": 1})
    offsets: list[tuple[int, int]] = []
    for _ in range(7):
        producer.produce(topic, "x", on_delivery=lambda _, message: offsets.append((message.offset(), kafka.now_ms)))
    kafka.sleep(0.5)
    producer.poll(0)
    assert [offset for offset, _ in offsets] == [0, 1, 2, 3, 4, 5]
    producer.flush()
    assert len(offsets) == 7


@pytest.mark.parametrize(
    ("kind", "key", "hashed"),
    # CRC32 and FNV-1a check values: "123456789" and "foobar"; murmur2's is Kafka's own (UtilsTest).
    [("consistent_random", b"123456789", 0xCBF43926), ("murmur2_random", b"21", -973932308 & 0x7FFFFFFF)],
)
def test_partitioners_hash_as_published(kind: str, key: bytes, hashed: int) -> None:
    assert hash_of(kind, key) == hashed


def test_fnv1a_as_published() -> None:
    # 0xbf9cf968 of "foobar" is negative as a signed number, and its sign is taken off.
    assert fnv1a(b"foobar") == (1 << 32) - 0xBF9CF968
    assert fnv1a(b"") == (1 << 32) - 0x811C9DC5


# --- configuration and other mistakes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conf", "sentence"),
    [
        ({"group.ids": "x"}, 'there is no configuration property "group.ids"; the nearest one is group.id'),
        ({"linger.ms": "soon"}, 'linger.ms is "soon", but it is a number from 0 to 900000'),
        ({"linger.ms": -1}, "linger.ms is -1, but 0 to 900000 is allowed"),
        ({"enable.idempotence": "maybe"}, 'enable.idempotence is "maybe", but it is true or false'),
        ({"partitioner": "best"}, 'partitioner is "best", but it is one of random, consistent, consistent_random, '
                                  "murmur2, murmur2_random, fnv1a, fnv1a_random"),
        ({"enable.idempotence": True, "acks": 1},
         "enable.idempotence needs acks=all: a record that only the leader has may come twice after all"),
        ({"transactional.id": "shop", "message.timeout.ms": 90_000},
         "message.timeout.ms is longer than transaction.timeout.ms, which ends the transaction first"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(kafka: SimulatedKafka, conf: dict[str, Any], sentence: str) -> None:
    error = error_of(lambda: kafka.Producer(conf))
    assert (error.name(), error.str()) == ("_INVALID_ARG", sentence)


@pytest.mark.parametrize(
    ("conf", "sentence"),
    [
        ({"max.poll.interval.ms": 5000},
         "max.poll.interval.ms is below session.timeout.ms: it has to be at least as long"),
        ({"partition.assignment.strategy": "sticky"},
         'partition.assignment.strategy has "sticky", but range, roundrobin, cooperative-sticky are supported'),
        ({"partition.assignment.strategy": "range,cooperative-sticky"},
         "partition.assignment.strategy mixes cooperative-sticky with eager strategies: choose one kind"),
        ({"group.protocol": "consumer", "session.timeout.ms": 6000},
         "session.timeout.ms is set by the broker when group.protocol is consumer: leave it away"),
    ],
)
def test_a_wrong_consumer_configuration(kafka: SimulatedKafka, conf: dict[str, Any], sentence: str) -> None:
    assert error_of(lambda: kafka.Consumer({"group.id": "g", **conf})).str() == sentence


def test_a_consumer_needs_a_group(kafka: SimulatedKafka) -> None:
    with pytest.raises(ValueError, match=r"a consumer needs a group\.id"):
        kafka.Consumer({})


def test_the_cluster_checks_its_own_options() -> None:
    with pytest.raises(ValueError, match=r"nearest one is min\.insync\.replicas"):
        SimulatedKafka(options={"min.insync.replica": 2})
    with pytest.raises(ValueError, match="brokers is 0, but a cluster has 1 to 99"):
        SimulatedKafka(brokers=0)
    with pytest.raises(ValueError, match=r'version "2\.8" is unknown'):
        SimulatedKafka(version="2.8")


def test_what_is_closed_says_so(kafka: SimulatedKafka) -> None:
    consumer, producer = reader(kafka), kafka.Producer({})
    consumer.close()
    consumer.close()
    producer.close()
    with pytest.raises(RuntimeError, match="this consumer is closed"):
        consumer.poll(0)
    with pytest.raises(RuntimeError, match="this producer is closed"):
        producer.produce("orders", "x")


def test_errors_compare_with_their_codes_and_show_themselves(kafka: SimulatedKafka) -> None:
    error = kafka.KafkaError(kafka.KafkaError._PARTITION_EOF)
    assert error == kafka.KafkaError._PARTITION_EOF == -191
    assert error != kafka.KafkaError.UNKNOWN_TOPIC_OR_PART
    assert repr(error).startswith("KafkaError{code=_PARTITION_EOF,val=-191,str=")
    assert (error.fatal(), error.retriable(), error.txn_requires_abort()) == (False, False, False)
    with pytest.raises(AttributeError, match="KafkaError has no code NO_SUCH"):
        _ = kafka.KafkaError.NO_SUCH


# --- consumers ------------------------------------------------------------------------------------------------


def test_position_and_committed_offset_are_two_numbers(kafka: SimulatedKafka) -> None:
    topic, consumer = create(kafka), reader(kafka)
    place = kafka.TopicPartition(topic, 0)
    send(kafka, topic, *"abcd")
    consumer.assign([place])
    assert consumer.position([place])[0].offset == kafka.OFFSET_INVALID
    messages = consumer.consume(3, timeout=5)
    consumer.commit(message=messages[0], asynchronous=False)
    assert consumer.position([place])[0].offset == 3
    assert consumer.committed([place])[0].offset == 1


def test_seek_and_pause_move_within_the_assignment(kafka: SimulatedKafka) -> None:
    topic, consumer = create(kafka, partitions=2), reader(kafka)
    for partition in (0, 1):
        send(kafka, topic, *(f"{partition}{letter}" for letter in "abc"), partition=partition)
    places = [kafka.TopicPartition(topic, partition, 0) for partition in (0, 1)]
    consumer.assign(places)
    assert len(consumer.consume(6, timeout=5)) == 6
    consumer.seek(kafka.TopicPartition(topic, 0, 1))
    consumer.seek(kafka.TopicPartition(topic, 1, 2))
    consumer.pause(places[:1])
    assert values(consumer.consume(6, timeout=1)) == ["1c"]
    consumer.resume(places[:1])
    assert values(consumer.consume(6, timeout=1)) == ["0b", "0c"]


def test_a_position_beyond_the_end_is_reset_or_an_error(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    send(kafka, topic, "a", "b")
    place = kafka.TopicPartition(topic, 0, 99)
    earliest = reader(kafka)
    earliest.assign([place])
    assert values(earliest.consume(2, timeout=5)) == ["a", "b"]
    strict = reader(kafka, auto_offset_reset="error")
    strict.assign([place])
    event = strict.poll(5)
    assert event.error().name() == "_AUTO_OFFSET_RESET"
    assert strict.poll(1) is None


def test_nothing_to_commit_is_said(kafka: SimulatedKafka) -> None:
    consumer = reader(kafka)
    error = error_of(lambda: consumer.commit(asynchronous=False))
    assert error.str() == "no offset is stored, so there is nothing to commit: read a record first, or say which offset"
    assert consumer.commit() is None


def test_offsets_are_stored_by_hand(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    send(kafka, topic, *"abc")
    consumer = reader(kafka, enable_auto_offset_store=False)
    consumer.assign([kafka.TopicPartition(topic, 0, 0)])
    messages = consumer.consume(3, timeout=5)
    consumer.store_offsets(message=messages[0])
    assert [place.offset for place in consumer.commit(asynchronous=False)] == [1]
    assert error_of(lambda: reader(kafka).store_offsets(message=messages[0])).name() == "_INVALID_ARG"


def test_on_commit_is_called_from_poll(kafka: SimulatedKafka) -> None:
    topic, told = create(kafka), []
    send(kafka, topic, "a")
    consumer = kafka.Consumer({"group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": False,
                               "on_commit": lambda error, places: told.append((error, places[0].offset))})
    consumer.assign([kafka.TopicPartition(topic, 0, 0)])
    consumer.poll(5)
    consumer.commit()
    kafka.sleep(1)
    assert told == []
    consumer.poll(0.1)
    assert told == [(None, 1)]


def test_auto_commit_happens_in_the_background(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    send(kafka, topic, "a", "b")
    consumer = reader(kafka, enable_auto_commit=True, auto_commit_interval_ms=1000)
    place = kafka.TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.consume(2, timeout=0.5)
    assert consumer.committed([place])[0].offset == kafka.OFFSET_INVALID
    kafka.sleep(1)
    assert consumer.committed([place])[0].offset == 2


def test_watermarks_and_offsets_by_time(kafka: SimulatedKafka) -> None:
    topic, consumer = create(kafka, retention_ms=-1), reader(kafka)
    for number in range(3):
        send(kafka, topic, "x", timestamp=1_700_000_000_000 + 1000 * number)
    place = kafka.TopicPartition(topic, 0, 1_700_000_000_500)
    assert consumer.get_watermark_offsets(place) == (0, 3)
    assert consumer.offsets_for_times([place])[0].offset == 1
    late = kafka.TopicPartition(topic, 0, 1_700_000_009_000)
    assert consumer.offsets_for_times([late])[0].offset == kafka.OFFSET_END


def test_a_partition_that_comes_later_is_read_then(kafka: SimulatedKafka) -> None:
    consumer = reader(kafka)
    consumer.assign([kafka.TopicPartition("orders", 0, 0)])
    assert consumer.poll(2) is None
    send(kafka, create(kafka), "a")
    assert consumer.poll(5).value() == b"a"


# --- groups ---------------------------------------------------------------------------------------------------


class Told:
    """A consumer's rebalance callbacks, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []

    def callbacks(self) -> dict[str, Any]:
        return {f"on_{name}": lambda _, places, name=name: self.calls.append((name, [one.partition for one in places]))
                for name in ("assign", "revoke", "lost")}


def settle(*consumers: Any) -> list[list[int]]:
    for _ in range(30):
        for consumer in consumers:
            consumer.poll(0.3)
    return [sorted(place.partition for place in consumer.assignment()) for consumer in consumers]


def test_a_second_member_takes_its_share_and_gives_it_back(kafka: SimulatedKafka) -> None:
    topic, told = create(kafka, partitions=4), Told()
    first, second = reader(kafka), reader(kafka)
    first.subscribe([topic], **told.callbacks())
    assert settle(first) == [[0, 1, 2, 3]]
    second.subscribe([topic])
    assert settle(first, second) == [[0, 1], [2, 3]]
    second.close()
    assert settle(first) == [[0, 1, 2, 3]]
    assert told.calls == [("assign", [0, 1, 2, 3]), ("revoke", [0, 1, 2, 3]), ("assign", [0, 1]), ("revoke", [0, 1]),
                          ("assign", [0, 1, 2, 3])]


@pytest.mark.parametrize("seed", [1, 7, 17, 22, 23, 40])
def test_cooperative_members_settle_whenever_their_heartbeats_come(seed: int) -> None:
    kafka = SimulatedKafka(seed=seed, options=QUICK)
    topic = create(kafka, partitions=7)
    conf = {"partition_assignment_strategy": "cooperative-sticky", "heartbeat_interval_ms": 300}
    members: list[Any] = []
    for count in (1, 2, 3):
        members.append(reader(kafka, **conf))
        members[-1].subscribe([topic])
        held = settle(*members)
        assert sorted(one for mine in held for one in mine) == [0, 1, 2, 3, 4, 5, 6]
        assert sorted(len(mine) for mine in held) == {1: [7], 2: [3, 4], 3: [2, 2, 3]}[count]


def test_the_broker_divides_for_the_consumer_protocol() -> None:
    times = {"group.consumer.heartbeat.interval.ms": 500, "group.consumer.min.heartbeat.interval.ms": 500}
    kafka = SimulatedKafka(options={**QUICK, **times})
    topic, told = create(kafka, partitions=4), Told()
    first, second = (reader(kafka, group_protocol="consumer") for _ in range(2))
    first.subscribe([topic], **told.callbacks())
    assert settle(first) == [[0, 1, 2, 3]]
    second.subscribe([topic])
    held = settle(first, second)
    assert [len(mine) for mine in held] == [2, 2]
    assert told.calls[1:] == [("revoke", held[1])]
    found = kafka.AdminClient({}).describe_consumer_groups(["payment"])["payment"].result()
    assert (found.state.name, found.partition_assignor) == ("STABLE", "uniform")


def test_a_callback_may_commit_and_choose_where_to_begin(kafka: SimulatedKafka) -> None:
    topic = create(kafka, partitions=2)
    for partition in (0, 1):
        send(kafka, topic, *"abc", partition=partition)
    first, second = reader(kafka), reader(kafka)

    def begin_at_2(consumer: Any, places: list[Any]) -> None:
        consumer.assign([kafka.TopicPartition(place.topic, place.partition, 2) for place in places])

    first.subscribe([topic], on_assign=begin_at_2, on_revoke=lambda consumer, _: consumer.commit(asynchronous=False))
    assert values(first.consume(3, timeout=5)) == ["c", "c"]
    second.subscribe([topic])
    settle(first, second)
    places = [kafka.TopicPartition(topic, partition) for partition in (0, 1)]
    assert [place.offset for place in second.committed(places)] == [3, 3]


def test_unsubscribe_takes_effect_at_the_next_poll(kafka: SimulatedKafka) -> None:
    topic, told, consumer = create(kafka), Told(), reader(kafka)
    consumer.subscribe([topic], **told.callbacks())
    settle(consumer)
    consumer.unsubscribe()
    assert (told.calls, len(consumer.assignment())) == ([("assign", [0])], 1)
    consumer.poll(1)
    assert (told.calls, consumer.assignment()) == ([("assign", [0]), ("revoke", [0])], [])


@pytest.mark.parametrize(("strategy", "verb"), [("range", "incremental_assign"), ("cooperative-sticky", "assign")])
def test_a_callback_assigns_as_the_protocol_does(kafka: SimulatedKafka, strategy: str, verb: str) -> None:
    topic, names = create(kafka), []
    consumer = reader(kafka, partition_assignment_strategy=strategy)

    def on_assign(one: Any, places: list[Any]) -> None:
        names.append(error_of(lambda: getattr(one, verb)(places)).name())

    consumer.subscribe([topic], on_assign=on_assign)
    assert settle(consumer) == [[]]
    assert names == ["_STATE"]


def test_who_does_not_poll_in_time_is_told_so_and_comes_back(kafka: SimulatedKafka) -> None:
    topic, told = create(kafka), Told()
    send(kafka, topic, *"abc")
    consumer = reader(kafka, session_timeout_ms=6000, max_poll_interval_ms=10_000)
    consumer.subscribe([topic], **told.callbacks())
    consumer.consume(2, timeout=5)
    kafka.sleep(11)
    assert error_of(lambda: consumer.commit(asynchronous=False)).name() == "_ASSIGNMENT_LOST"
    assert consumer.poll(1).error().name() == "_MAX_POLL_EXCEEDED"
    assert values(consumer.consume(3, timeout=5)) == ["a", "b", "c"]
    assert told.calls == [("assign", [0]), ("lost", [0]), ("assign", [0])]


def test_a_crashed_member_is_missed_after_its_session(kafka: SimulatedKafka) -> None:
    topic = create(kafka, partitions=2)
    first, second = reader(kafka, session_timeout_ms=10_000), reader(kafka, session_timeout_ms=10_000)
    for consumer in (first, second):
        consumer.subscribe([topic])
    assert settle(first, second) == [[0], [1]]
    kafka.crash(second)
    first.poll(5)
    assert [place.partition for place in first.assignment()] == [0]
    assert settle(first) == [[0, 1]]


def test_a_stranger_commits_only_to_an_empty_group(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    member, stranger = reader(kafka), reader(kafka)
    member.subscribe([topic])
    settle(member)
    place = kafka.TopicPartition(topic, 0, 5)
    assert error_of(lambda: stranger.commit(offsets=[place], asynchronous=False)).name() == "UNKNOWN_MEMBER_ID"
    member.close()
    stranger.commit(offsets=[place], asynchronous=False)
    assert stranger.committed([place])[0].offset == 5


def test_a_group_as_its_admin_sees_it(kafka: SimulatedKafka) -> None:
    topic, admin = create(kafka, partitions=2), kafka.AdminClient({})
    member = reader(kafka)
    member.subscribe([topic])
    settle(member)
    found = admin.describe_consumer_groups(["payment"])["payment"].result()
    assert (found.state.name, len(found.members), found.partition_assignor) == ("STABLE", 1, "range")
    assert [place.partition for place in found.members[0].assignment.topic_partitions] == [0, 1]
    assert [one.group_id for one in admin.list_consumer_groups().result().valid] == ["payment"]
    error = error_of(lambda: admin.delete_consumer_groups(["payment"])["payment"].result())
    assert error.str() == 'group "payment" still has 1 members'


def test_a_pattern_finds_topics_that_come_later(kafka: SimulatedKafka) -> None:
    consumer = reader(kafka, topic_metadata_refresh_interval_ms=1000)
    consumer.subscribe(["^order.*"])
    assert settle(consumer) == [[]]
    create(kafka, "orders-2026")
    settle(consumer)
    assert [place.topic for place in consumer.assignment()] == ["orders-2026"]


# --- transactions and brokers -----------------------------------------------------------------------------------


def transactional(kafka: SimulatedKafka, name: str = "shop", **conf: Any) -> Any:
    producer = kafka.Producer({"transactional.id": name, **conf})
    producer.init_transactions(10)
    return producer


def test_a_transaction_shows_when_it_is_committed(kafka: SimulatedKafka) -> None:
    topic, producer = create(kafka), transactional(kafka)
    producer.begin_transaction()
    producer.produce(topic, "aborted")
    producer.flush()
    producer.abort_transaction()
    producer.begin_transaction()
    producer.produce(topic, "committed")
    producer.commit_transaction()
    assert values(read_all(kafka, topic)) == ["committed"]
    assert values(read_all(kafka, topic, isolation_level="read_uncommitted")) == ["aborted", "committed"]
    consumer = reader(kafka)
    assert consumer.get_watermark_offsets(kafka.TopicPartition(topic, 0)) == (0, 4)


def test_verbs_of_transactions_have_their_order(kafka: SimulatedKafka) -> None:
    producer = kafka.Producer({"transactional.id": "shop"})
    assert error_of(producer.begin_transaction).str() == (
        "begin_transaction() is not possible: the producer is not initialised")
    producer.init_transactions()
    error = error_of(lambda: producer.produce("orders", "x"))
    assert error.str() == "produce() is not possible: the producer is without an open transaction"
    assert error_of(kafka.Producer({}).init_transactions).name() == "_NOT_CONFIGURED"


def test_a_fenced_producer_is_of_no_more_use(kafka: SimulatedKafka) -> None:
    topic, first = create(kafka), transactional(kafka)
    first.begin_transaction()
    first.produce(topic, "of the first")
    first.flush()
    second = transactional(kafka)
    error = error_of(first.commit_transaction)
    assert (error.name(), error.fatal()) == ("_FENCED", True)
    assert error_of(first.commit_transaction).name() == "_FENCED"
    assert error_of(first.begin_transaction).name() == "_CONFLICT"
    second.begin_transaction()
    second.produce(topic, "of the second")
    second.commit_transaction()
    assert values(read_all(kafka, topic)) == ["of the second"]


def test_a_failed_record_leaves_only_the_abort(kafka: SimulatedKafka) -> None:
    topic, producer = create(kafka, max_message_bytes=500), transactional(kafka)
    producer.begin_transaction()
    producer.produce(topic, b"x" * 600)
    producer.flush()
    error = error_of(producer.commit_transaction)
    assert (error.name(), error.txn_requires_abort()) == ("_INCONSISTENT", True)
    assert error_of(lambda: producer.produce(topic, "y")).name() == "_STATE"
    producer.abort_transaction()
    producer.begin_transaction()
    producer.produce(topic, "z")
    producer.commit_transaction()
    assert values(read_all(kafka, topic)) == ["z"]


def test_offsets_of_a_transaction_are_committed_with_it(kafka: SimulatedKafka) -> None:
    topic, producer, consumer = create(kafka), transactional(kafka), reader(kafka)
    send(kafka, topic, *"abc")
    consumer.subscribe([topic])
    consumer.consume(3, timeout=5)
    place = kafka.TopicPartition(topic, 0, 3)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([place], consumer.consumer_group_metadata(), 10)
    peek = reader(kafka, isolation_level="read_uncommitted")
    assert peek.committed([place])[0].offset == kafka.OFFSET_INVALID
    assert error_of(lambda: consumer.committed([place], timeout=1)).name() == "_TIMED_OUT"
    producer.commit_transaction()
    assert consumer.committed([place])[0].offset == 3


def test_a_dead_leader_is_followed_by_another(kafka: SimulatedKafka) -> None:
    topic = create(kafka, min_insync_replicas="2")
    producer = kafka.Producer({"acks": "all", "enable.idempotence": True})
    producer.produce(topic, "before")
    producer.flush()
    dead = kafka.leader(topic, 0)
    kafka.kill_broker(dead)
    assert kafka.leader(topic, 0) == -1
    producer.produce(topic, "after")
    assert producer.flush(60) == 0
    assert kafka.leader(topic, 0) not in (dead, -1)
    assert dead not in kafka.in_sync(topic, 0)
    assert values(read_all(kafka, topic)) == ["before", "after"]
    with pytest.raises(ValueError, match="there is no broker 9: they are numbered 1 to 3"):
        kafka.kill_broker(9)


def test_nobody_answers_while_all_brokers_are_dead(kafka: SimulatedKafka) -> None:
    topic, admin, consumer = create(kafka), kafka.AdminClient({}), reader(kafka)
    send(kafka, topic, "a")
    for broker in (1, 2, 3):
        kafka.kill_broker(broker)
    place = kafka.TopicPartition(topic, 0)
    assert error_of(lambda: admin.list_topics(timeout=5)).name() == "_TRANSPORT"
    assert error_of(lambda: consumer.get_watermark_offsets(place, timeout=5)).name() == "_TIMED_OUT"
    assert error_of(lambda: consumer.committed([place], timeout=5)).name() == "_TIMED_OUT"
    for broker in (1, 2, 3):
        kafka.start_broker(broker)
    kafka.sleep(5)
    assert consumer.get_watermark_offsets(place, timeout=60) == (0, 1)


def test_a_dead_broker_is_no_longer_listed_and_gets_no_replicas(kafka: SimulatedKafka) -> None:
    topic = create(kafka, replicas=1)
    dead = kafka.leader(topic, 0)
    kafka.kill_broker(dead)
    kafka.sleep(20)
    listed = kafka.AdminClient({}).list_topics()
    assert sorted(listed.brokers) == sorted({1, 2, 3} - {dead})
    assert (listed.topics[topic].partitions[0].leader, listed.topics[topic].partitions[0].error.name()) == (
        -1, "LEADER_NOT_AVAILABLE")
    create(kafka, "late", partitions=4, replicas=2)
    assert dead not in [one for number in range(4) for one in kafka.in_sync("late", number)]
    place = kafka.TopicPartition(topic, 0)
    assert error_of(lambda: reader(kafka).get_watermark_offsets(place, timeout=2)).name() == "_UNKNOWN_PARTITION"
    assert send(kafka, topic, "a", conf={"message.timeout.ms": 2000}) == [("_MSG_TIMED_OUT", None)]


def test_clients_are_context_managers(kafka: SimulatedKafka) -> None:
    topic = create(kafka)
    with kafka.Producer({}) as producer:
        producer.produce(topic, "a")
    with reader(kafka) as consumer:
        consumer.assign([kafka.TopicPartition(topic, 0, 0)])
        assert consumer.poll(5).value() == b"a"
    with pytest.raises(RuntimeError, match="closed"):
        consumer.poll(0)


def test_too_few_replicas_refuse_acks_all(kafka: SimulatedKafka) -> None:
    topic = create(kafka, min_insync_replicas="2", replicas=2)
    kafka.kill_broker(2)
    kafka.sleep(20)
    once = {"retries": 0, "acks": "all"}
    assert send(kafka, topic, "a", conf=once) == [("NOT_ENOUGH_REPLICAS", None)]


# --- admin ----------------------------------------------------------------------------------------------------


def test_topics_are_created_grown_altered_and_deleted(kafka: SimulatedKafka) -> None:
    admin, topic = kafka.AdminClient({}), create(kafka, partitions=2)
    again = error_of(lambda: create(kafka))
    assert (again.name(), again.str()) == ("TOPIC_ALREADY_EXISTS", 'there is a topic "orders" already')
    admin.create_partitions([kafka.NewPartitions(topic, 5)])[topic].result()
    assert len(admin.list_topics(topic).topics[topic].partitions) == 5
    resource = kafka.ConfigResource("topic", topic, set_config={"retention.ms": "1000"})
    admin.alter_configs([resource])[resource].result()
    entries = admin.describe_configs([resource])[resource].result()
    assert (entries["retention.ms"].value, entries["retention.ms"].is_default) == ("1000", False)
    assert entries["cleanup.policy"].is_default
    admin.delete_topics([topic])[topic].result()
    assert topic not in admin.list_topics().topics
    assert error_of(lambda: admin.delete_topics([topic])[topic].result()).name() == "UNKNOWN_TOPIC_OR_PART"


def test_an_altered_retention_takes_effect() -> None:
    kafka = SimulatedKafka(options={**QUICK, "log.retention.check.interval.ms": 1000})
    topic, admin = create(kafka), kafka.AdminClient({})
    send(kafka, topic, "a")
    kafka.sleep(60)
    place = kafka.TopicPartition(topic, 0)
    assert reader(kafka).get_watermark_offsets(place) == (0, 1)
    resource = kafka.ConfigResource("topic", topic, set_config={"retention.ms": "1000"})
    admin.alter_configs([resource])[resource].result()
    kafka.sleep(5)
    assert reader(kafka).get_watermark_offsets(place) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("a/b", 1, 1), "TOPIC_EXCEPTION"),
        (("x", 0, 1), "INVALID_PARTITIONS"),
        (("x", 1, 4), "INVALID_REPLICATION_FACTOR"),
        (("x", 1, -1, [[1, 9]]), "INVALID_REPLICA_ASSIGNMENT"),
        (("x", 1, 1, None, {"retention.msec": "1"}), "INVALID_CONFIG"),
    ],
)
def test_a_topic_that_cannot_be(kafka: SimulatedKafka, arguments: tuple[Any, ...], name: str) -> None:
    new = kafka.NewTopic(*arguments)
    assert error_of(lambda: kafka.AdminClient({}).create_topics([new])[arguments[0]].result()).name() == name
    assert kafka.cluster.topics == {}


def test_records_are_deleted_up_to_an_offset(kafka: SimulatedKafka) -> None:
    topic, admin = create(kafka), kafka.AdminClient({})
    send(kafka, topic, *"abcd")
    place = kafka.TopicPartition(topic, 0, 2)
    assert admin.delete_records([place])[place].result().low_watermark == 2
    assert values(read_all(kafka, topic)) == ["c", "d"]
    earliest = admin.list_offsets({place: kafka.OffsetSpec.earliest()})[place].result()
    assert earliest.offset == 2


def test_a_future_takes_time_forward_only_when_it_is_asked(kafka: SimulatedKafka) -> None:
    start = kafka.now_ms
    future = kafka.AdminClient({}).create_topics([kafka.NewTopic("orders", 1, 1)])["orders"]
    assert (future.done(), kafka.now_ms, "orders" in kafka.cluster.topics) == (False, start, False)
    kafka.sleep(1)
    assert future.done()
    assert future.result() is None


# --- as it is typed -------------------------------------------------------------------------------------------


def test_reprs_say_what_something_is(kafka: SimulatedKafka) -> None:
    topic = create(kafka, partitions=2)
    consumer = reader(kafka)
    consumer.assign([kafka.TopicPartition(topic, 1, kafka.OFFSET_END)])
    assert repr(kafka) == "<SimulatedKafka 4.3, 3 brokers, topics: orders (2)>"
    assert repr(consumer) == "<Consumer rdkafka#consumer-1 of group payment: orders-1>"
    assert repr(kafka.TopicPartition(topic, 1, kafka.OFFSET_END)) == (
        "TopicPartition{topic=orders,partition=1,offset=OFFSET_END,leader_epoch=None,error=None}")
    assert repr(kafka.Producer({})) == "<Producer rdkafka#producer-1: 0 records not yet answered>"


def test_every_public_name_has_a_docstring() -> None:
    from edasim.brokers.kafka.client.admin import AdminClient
    from edasim.brokers.kafka.client.consumer import Consumer
    from edasim.brokers.kafka.client.producer import Producer

    for kind in (SimulatedKafka, Producer, Consumer, AdminClient):
        bare = [name for name, value in vars(kind).items() if callable(value) and name[0] != "_" and not value.__doc__]
        assert (kind.__name__, bare) == (kind.__name__, [])


def test_the_script_of_the_documentation_runs() -> None:
    text = (Path(__file__).parent.parent / "docs" / "kafka-client.md").read_text(encoding="utf-8")
    story = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(story, names)
    read, again = names["story"](edasim.SimulatedKafka(), {"bootstrap.servers": "anywhere"})
    assert read == 4
    assert 2 <= again <= 5
    assert len(story.splitlines()) <= 20


def test_the_error_shown_in_the_documentation_is_the_one_raised(kafka: SimulatedKafka) -> None:
    text = (Path(__file__).parent.parent / "docs" / "kafka-client.md").read_text(encoding="utf-8")
    with pytest.raises(kafka.KafkaException) as raised:
        kafka.Consumer({"group.ids": "payment"})
    assert f"KafkaException: {raised.value}" in text
