"""Brokers that die, stop and come back; what survives with acks 1 and acks all."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.scripts.transactions import COMMITTED, all_ended, transactional
from edasim.conform.steps import (
    Member,
    Sender,
    committed,
    create,
    numbers,
    offsets,
    read_all,
    reader,
    send,
    values,
    wait,
)


def _followers_have(kafka: Kafka, topic: str, count: int) -> None:
    """Wait until the high watermark is `count`: acks 1 confirms before, and readers see nothing above it."""
    consumer, place = reader(kafka), kafka.TopicPartition(topic, 0)
    wait(kafka, lambda: consumer.get_watermark_offsets(place, timeout=10)[1] == count, "the followers have everything")


def _everyone_is_back(kafka: Kafka, topic: str, brokers: list[int]) -> None:
    wait(kafka, lambda: kafka.in_sync(topic, 0) == brokers, "all replicas are in sync")


@script(needs="brokers")
def failover_with_acks_all(kafka: Kafka) -> None:
    """The leader dies between two rows of records: another of the ISR leads; each confirmed record is there once."""
    topic = create(kafka, "orders", config={"min.insync.replicas": "2"})
    sender = Sender(kafka, {"acks": "all", "enable.idempotence": True})
    sender.send(topic, numbers(0, 49))
    dead = kafka.leader(topic, 0)
    kafka.kill_broker(dead)
    sender.send(topic, numbers(50, 99))
    kafka.note("errors", [error for error, _, _ in sender.reports if error])
    kafka.note("another leads", kafka.leader(topic, 0) not in (dead, -1))
    kafka.note("in sync while it is dead", len(kafka.in_sync(topic, 0)))
    kafka.note("every record once, in order", values(read_all(kafka, topic)) == numbers(0, 99))
    kafka.start_broker(dead)
    _everyone_is_back(kafka, topic, [1, 2, 3])
    kafka.note("the leader did not go back", kafka.leader(topic, 0) != dead)


@script(needs="brokers")
def idempotent_records_through_a_failover(kafka: Kafka) -> None:
    """The leader dies while 300 records are on their way: with idempotence none is lost, doubled or out of order."""
    topic = create(kafka, "orders")
    conf = {"acks": "all", "enable.idempotence": True, "batch.num.messages": 5, "linger.ms": 1}
    sender = Sender(kafka, conf)
    for value in numbers(0, 149):
        sender.produce(topic, value)
    sender.producer.poll(0.005)
    dead = kafka.leader(topic, 0)
    kafka.kill_broker(dead)
    for value in numbers(150, 299):
        sender.produce(topic, value)
    sender.producer.flush(60)
    kafka.note("errors", [error for error, _, _ in sender.reports if error])
    kafka.note("every record once, in order", values(read_all(kafka, topic)) == numbers(0, 299))
    kafka.start_broker(dead)
    _everyone_is_back(kafka, topic, [1, 2, 3])


@script(needs="brokers")
def failover_with_acks_1_loses(kafka: Kafka) -> None:
    """acks 1: records that the leader alone had when it died were confirmed, and are gone."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]])
    sender = Sender(kafka, {"acks": "1", "enable.idempotence": False})
    sender.send(topic, ["kept"])
    _followers_have(kafka, topic, 1)
    kafka.freeze_broker(2)
    # The follower's last fetch was on its way when it froze: its answer may still carry the first one.  After
    # replica.fetch.wait.max.ms (500) it has been answered, and a frozen follower sends no other.
    sender.send(topic, ["r1"])
    kafka.sleep(0.8)
    for value in numbers(2, 9):
        sender.send(topic, [value])
    kafka.note("confirmed", [error for error, _, _ in sender.reports])
    kafka.kill_broker(1)
    kafka.thaw_broker(2)
    wait(kafka, lambda: kafka.leader(topic, 0) == 2, "the follower leads")
    survived = values(read_all(kafka, topic))
    kafka.note("the record that had been copied is kept", survived[:1])
    kafka.note("the last ones are lost", not set(survived) & set(numbers(2, 9)))
    kafka.start_broker(1)
    _everyone_is_back(kafka, topic, [1, 2])
    kafka.note("the old leader has cut them off", values(read_all(kafka, topic)) == survived)


@script(needs="brokers")
def acks_all_waits_for_the_frozen(kafka: Kafka) -> None:
    """acks all: while a follower of the ISR does not answer nothing is confirmed, so nothing confirmed is lost."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]])
    sender = Sender(kafka, {"acks": "all", "enable.idempotence": True})
    sender.send(topic, ["kept"])
    kafka.sleep(1)
    kafka.freeze_broker(2)
    sender.produce(topic, "first")
    sender.produce(topic, "second")
    sender.producer.flush(1)
    kafka.note("confirmed while it is frozen", len(sender.reports) - 1)
    kafka.kill_broker(1)
    kafka.thaw_broker(2)
    sender.producer.flush(30)
    kafka.note("reports", [error for error, _, _ in sender.reports])
    kafka.note("records", values(read_all(kafka, topic)))
    kafka.start_broker(1)
    _everyone_is_back(kafka, topic, [1, 2])


@script(needs="brokers")
def a_clean_stop_loses_nothing(kafka: Kafka) -> None:
    """A broker that is stopped hands over first: no error, and what the followers have is kept, also with acks 1."""
    topic = create(kafka, "orders")
    sender = Sender(kafka, {"acks": "1", "enable.idempotence": False})
    sender.send(topic, numbers(0, 49))
    # A stop does not wait for that: records of a topic whose followers have not begun to fetch are lost.
    _followers_have(kafka, topic, 50)
    stopped = kafka.leader(topic, 0)
    kafka.stop_broker(stopped)
    kafka.note("another leads", kafka.leader(topic, 0) not in (stopped, -1))
    kafka.note("in sync", len(kafka.in_sync(topic, 0)))
    sender.send(topic, numbers(50, 99))
    kafka.note("errors", [error for error, _, _ in sender.reports if error])
    _followers_have(kafka, topic, 100)
    kafka.note("every record", sorted(values(read_all(kafka, topic))) == sorted(numbers(0, 99)))
    kafka.start_broker(stopped)
    _everyone_is_back(kafka, topic, [1, 2, 3])


@script(needs="brokers")
def the_preferred_leader_is_elected(kafka: Kafka) -> None:
    """After a failover the first replica is preferred: it leads again when a preferred election is asked for."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2, 3]])
    kafka.note("at first", kafka.leader(topic, 0))
    kafka.stop_broker(1)
    kafka.note("when 1 has stopped", kafka.leader(topic, 0))
    kafka.start_broker(1)
    _everyone_is_back(kafka, topic, [1, 2, 3])
    kafka.note("when 1 is back", kafka.leader(topic, 0))
    place = kafka.TopicPartition(topic, 0)
    kafka.AdminClient({}).elect_leaders(kafka.ElectionType.PREFERRED, [place]).result()
    wait(kafka, lambda: kafka.leader(topic, 0) == 1, "the preferred replica leads")
    kafka.note("after the election", kafka.leader(topic, 0))


@script(needs="brokers")
def a_consumer_through_a_failover(kafka: Kafka) -> None:
    """A consumer reads on from the new leader, without a gap and without a repeat."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    member.take(10)
    dead = kafka.leader(topic, 0)
    kafka.kill_broker(dead)
    Sender(kafka, {"acks": "all"}).send(topic, numbers(10, 19))
    member.take(10)
    kafka.note("offsets", offsets(member.read))
    kafka.note("errors", sorted(set(member.errors) - {"_TRANSPORT", "_ALL_BROKERS_DOWN"}))
    kafka.start_broker(dead)
    _everyone_is_back(kafka, topic, [1, 2, 3])


@script(needs="brokers")
def commits_survive_every_broker_in_turn(kafka: Kafka) -> None:
    """The offsets topic is replicated: whichever broker coordinates the group, its commits survive that broker."""
    topic = create(kafka, "orders")
    send(kafka, topic, numbers(0, 9))
    member = Member(kafka, "a", [topic])
    member.take(6)
    member.consumer.commit(asynchronous=False)
    found = []
    for broker in (1, 2, 3):
        kafka.kill_broker(broker)
        wait(kafka, lambda: kafka.leader(topic, 0) > 0, "the topic has a leader")
        found.append(committed(kafka, member.consumer, topic))
        kafka.start_broker(broker)
        _everyone_is_back(kafka, topic, [1, 2, 3])
    kafka.note("committed while 1, 2, 3 are dead", found)


@script(needs="brokers")
def a_transaction_through_a_failover(kafka: Kafka) -> None:
    """A transaction that is open while the partition's leader dies can be committed afterwards, and is whole."""
    topic = create(kafka, "orders")
    producer = transactional(kafka)
    producer.begin_transaction()
    for value in numbers(0, 4):
        producer.produce(topic, value=value)
    producer.flush(30)
    dead = kafka.leader(topic, 0)
    kafka.kill_broker(dead)
    for value in numbers(5, 9):
        producer.produce(topic, value=value)
    producer.flush(30)
    producer.commit_transaction(30)
    all_ended(kafka, topic)
    kafka.note("read_committed", values(read_all(kafka, topic, conf=COMMITTED)))
    kafka.start_broker(dead)
    _everyone_is_back(kafka, topic, [1, 2, 3])
