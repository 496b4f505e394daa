"""Consume, transform, produce: at least once, and exactly once in a transaction."""

from __future__ import annotations

from typing import Any

from edasim.conform.script import Kafka, script
from edasim.conform.scripts.transactions import COMMITTED, all_ended, transactional
from edasim.conform.steps import Member, Sender, committed, create, error_of, numbers, read_all, reader, send, values

SHORT = {"session.timeout.ms": 2000, **COMMITTED}


def _offsets_after(kafka: Kafka, messages: list[Any]) -> list[Any]:
    last = messages[-1]
    return [kafka.TopicPartition(last.topic(), last.partition(), last.offset() + 1)]


def _transform(kafka: Kafka, producer: Any, member: Member, target: str, count: int, crash: bool = False) -> None:
    """Read `count` records, write one for each and the offsets, and commit - or crash just before the commit."""
    producer.begin_transaction()
    messages = member.take(count)
    for message in messages:
        producer.produce(target, value=b"done " + message.value())
    metadata = member.consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction(_offsets_after(kafka, messages), metadata, 30)
    producer.flush(30)
    if crash:
        kafka.crash(producer)
        kafka.crash(member.consumer)
    else:
        producer.commit_transaction(30)
        all_ended(kafka, target)


@script()
def send_offsets_to_a_transaction(kafka: Kafka) -> None:
    """Offsets that are sent to a transaction are committed with it, and not before."""
    source, target = create(kafka, "orders"), create(kafka, "done")
    send(kafka, source, numbers(0, 9))
    producer, member = transactional(kafka), Member(kafka, "a", [source])
    producer.begin_transaction()
    messages = member.take(4)
    producer.produce(target, value="x")
    metadata = member.consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction(_offsets_after(kafka, messages), metadata, 30)
    other = reader(kafka, {"isolation.level": "read_uncommitted"}, group="group")
    kafka.note("before the commit", committed(kafka, other, source))
    producer.commit_transaction(30)
    kafka.note("after the commit", committed(kafka, member.consumer, source))


@script()
def offsets_of_an_aborted_transaction(kafka: Kafka) -> None:
    """An abort throws the offsets away with the records: the group stays where it was."""
    source, target = create(kafka, "orders"), create(kafka, "done")
    send(kafka, source, numbers(0, 9))
    producer, member = transactional(kafka), Member(kafka, "a", [source])
    _transform(kafka, producer, member, target, 2)
    producer.begin_transaction()
    messages = member.take(4)
    producer.produce(target, value="x")
    metadata = member.consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction(_offsets_after(kafka, messages), metadata, 30)
    producer.abort_transaction(30)
    all_ended(kafka, target)
    kafka.note("committed", committed(kafka, member.consumer, source))
    kafka.note("target", values(read_all(kafka, target, conf=COMMITTED)))


@script(needs="settings")
def exactly_once_with_a_crash(kafka: Kafka) -> None:
    """A crash just before the commit: the successor does the work again, and each result is there once."""
    source, target = create(kafka, "orders"), create(kafka, "done")
    send(kafka, source, numbers(0, 7))
    member = Member(kafka, "a", [source], conf=SHORT)
    producer = transactional(kafka)
    _transform(kafka, producer, member, target, 3)
    _transform(kafka, producer, member, target, 3, crash=True)
    successor = transactional(kafka)
    again = Member(kafka, "b", [source], conf=SHORT)
    _transform(kafka, successor, again, target, 5)
    kafka.note("read_committed", values(read_all(kafka, target, conf=COMMITTED)))
    uncommitted = {"isolation.level": "read_uncommitted"}
    kafka.note("read_uncommitted", values(read_all(kafka, target, conf=uncommitted)))
    kafka.note("committed", committed(kafka, again.consumer, source))


@script(needs="settings")
def at_least_once_with_a_crash(kafka: Kafka) -> None:
    """The same without a transaction: what was written before the crash is written again."""
    source, target = create(kafka, "orders"), create(kafka, "done")
    send(kafka, source, numbers(0, 7))
    member, sender = Member(kafka, "a", [source], conf=SHORT), Sender(kafka)
    sender.send(target, [b"done " + message.value() for message in member.take(3)])
    member.consumer.commit(asynchronous=False)
    sender.send(target, [b"done " + message.value() for message in member.take(3)])
    kafka.crash(member.consumer)
    again = Member(kafka, "b", [source], conf=SHORT)
    sender.send(target, [b"done " + message.value() for message in again.take(5)])
    again.consumer.commit(asynchronous=False)
    kafka.note("target", values(read_all(kafka, target, conf=COMMITTED)))


@script(needs="settings")
def offsets_of_an_evicted_member(kafka: Kafka) -> None:
    """A zombie: after its member was evicted, the offsets of its transaction are refused by the group."""
    source, target = create(kafka, "orders"), create(kafka, "done")
    send(kafka, source, numbers(0, 4))
    conf = {"session.timeout.ms": 2000, "max.poll.interval.ms": 3000}
    producer, zombie = transactional(kafka), Member(kafka, "a", [source], conf=conf)
    producer.begin_transaction()
    messages = zombie.take(3)
    producer.produce(target, value="x")
    metadata = zombie.consumer.consumer_group_metadata()
    kafka.sleep(4.5)
    successor = Member(kafka, "b", [source], conf=conf)
    successor.take(5)
    places = _offsets_after(kafka, messages)
    kafka.note("refused", error_of(kafka, lambda: producer.send_offsets_to_transaction(places, metadata, 30)))
    producer.abort_transaction(30)
    all_ended(kafka, target)
    kafka.note("committed", committed(kafka, successor.consumer, source))
    kafka.note("target", values(read_all(kafka, target, conf=COMMITTED)))


@script()
def a_chain_of_two_steps(kafka: Kafka) -> None:
    """Two consume-transform-produce steps in a row: the second never sees what the first has aborted."""
    orders, payments, shipments = create(kafka, "orders"), create(kafka, "payments"), create(kafka, "shipments")
    send(kafka, orders, numbers(0, 5))
    pay, ship = transactional(kafka, "pay"), transactional(kafka, "ship")
    payer = Member(kafka, "a", [orders], group="payment", conf=COMMITTED)
    pay.begin_transaction()
    for message in payer.take(2):
        pay.produce(payments, value=b"wrong " + message.value())
    pay.flush(30)
    pay.abort_transaction(30)
    payer.consumer.seek(kafka.TopicPartition(orders, 0, 0))
    _transform(kafka, pay, payer, payments, 6)
    shipper = Member(kafka, "b", [payments], group="shipping", conf=COMMITTED)
    _transform(kafka, ship, shipper, shipments, 6)
    kafka.note("shipments", values(read_all(kafka, shipments, conf=COMMITTED)))
    kafka.note("committed of payments", committed(kafka, shipper.consumer, payments))
