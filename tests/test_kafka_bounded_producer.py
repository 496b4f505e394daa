"""A producer whose memory ends: it blocks its senders, refuses what is too large, and loses nothing by that."""

from __future__ import annotations

from typing import Any

import pytest

from edasim.brokers.kafka.bounded_producer import BoundedProducer
from tests.worlds import KafkaBench, KafkaWriter


class Bounded(KafkaBench):
    """A cluster that answers after 20 ms; `errors` is why it said no."""

    def __init__(self, hop_ms: float = 10, partitions: int = 1) -> None:
        super().__init__(hop_ms=hop_ms, partitions=partitions)
        self.cluster.producer_kind = BoundedProducer  # type: ignore[misc]
        self.errors: list[str] = []

    @property
    def accepted(self) -> list[str]:
        """What the producer was told is in the log."""
        return [name for name, ok in self.answers if ok]

    def bounded(self, **options: object) -> tuple[KafkaWriter, BoundedProducer]:
        writer = self.producer(**options)
        assert isinstance(writer.producer, BoundedProducer)
        return writer, writer.producer


def heard(kafka: Bounded, writer: KafkaWriter) -> list[str]:
    """From now on: the errors of what is told no."""
    producer: Any = writer.producer
    tell = writer._heard

    def listen(message: Any, ok: bool) -> None:
        if not ok:
            kafka.errors.append(producer.error)
        tell(message, ok)

    writer._heard = listen  # type: ignore[method-assign]
    return kafka.errors


def test_a_full_buffer_blocks_until_an_answer_makes_room() -> None:
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=3000, batch_size=1000)
    writer.send("a", "b", "c", "d", "e")
    assert (producer.free_bytes, len(producer.blocked)) == (0, 2)
    kafka.advance(200)
    assert kafka.answers_ms == [20, 20, 20, 40, 40]
    assert (kafka.log(), producer.free_bytes, len(producer.blocked)) == (["a", "b", "c", "d", "e"], 3000, 0)


def test_a_batch_takes_batch_size_bytes_of_memory_however_small_it_is() -> None:
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=32_768, linger_ms=1000)
    writer.send("a", size=10)
    assert producer.free_bytes == 16_384
    writer.send("b", size=10)
    assert producer.free_bytes == 16_384


def test_a_record_larger_than_a_batch_takes_its_own_size() -> None:
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=32_768)
    writer.send("a", size=20_000)
    assert producer.free_bytes == 12_768


def test_who_is_blocked_longer_than_max_block_is_told_no_and_sends_nothing() -> None:
    kafka = Bounded()
    writer, _ = kafka.bounded(buffer_memory=1000, batch_size=1000, max_block_ms=500)
    errors = heard(kafka, writer)
    kafka.world.links["checkout -> broker"].cut()
    writer.send("a", "b", "c")
    kafka.advance(499)
    assert kafka.answers == []
    kafka.advance(2)
    assert (kafka.answers, errors) == ([("b", False), ("c", False)], ["BUFFER_EXHAUSTED"] * 2)
    kafka.world.links["checkout -> broker"].mend()
    kafka.advance(100)
    assert (kafka.log(), kafka.answers[-1]) == (["a"], ("a", True))


def test_with_max_block_0_nobody_waits() -> None:
    kafka = Bounded()
    writer, _ = kafka.bounded(buffer_memory=1000, batch_size=1000, max_block_ms=0)
    writer.send("a", "b")
    kafka.advance(1)
    assert kafka.answers == [("b", False)]


def test_first_blocked_first_sent_also_when_a_later_one_would_fit() -> None:
    """Memory is given out in the order in which it was asked for."""
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=4000, batch_size=1000, linger_ms=0)
    writer.send("a", size=3000)
    writer.send("large", size=3500)
    writer.send("small", size=500)
    assert [waiting.record[0].event for waiting in producer.blocked] == ["large", "small"]
    kafka.advance(100)
    assert kafka.log() == ["a", "large", "small"]


def test_what_is_blocked_is_still_owed() -> None:
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=1000, batch_size=1000)
    kafka.world.links["checkout -> broker"].cut()
    writer.send("a", "b")
    assert producer.owes() and [message.event for message in producer.owed()] == ["a", "b"]
    producer.forget()
    assert (producer.owes(), producer.free_bytes) == (False, 1000)


def test_a_batch_that_is_given_up_frees_its_memory() -> None:
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=1000, batch_size=1000, delivery_timeout_ms=1000,
                                     request_timeout_ms=400, linger_ms=0)
    errors = heard(kafka, writer)
    kafka.world.links["checkout -> broker"].cut()
    writer.send("a")
    kafka.advance(2000)
    assert (kafka.answers, errors, producer.free_bytes) == ([("a", False)], ["TIMED_OUT"], 1000)


def test_without_acks_memory_is_free_when_the_batch_has_left() -> None:
    kafka = Bounded()
    writer, producer = kafka.bounded(buffer_memory=1000, batch_size=1000, acks="0", enable_idempotence=False)
    writer.send("a", "b")
    assert (kafka.answers, len(producer.blocked)) == ([("a", True)], 1)
    kafka.advance(100)
    assert (kafka.log(), kafka.answers_ms) == (["a", "b"], [0, 10])


@pytest.mark.parametrize(("size", "ok"), [(5000, True), (5001, False)])
def test_a_record_larger_than_a_request_may_be_is_refused_at_once(size: int, ok: bool) -> None:
    kafka = Bounded()
    writer, _ = kafka.bounded(max_request_size=5000)
    errors = heard(kafka, writer)
    writer.send("a", size=size)
    assert errors == ([] if ok else ["MESSAGE_TOO_LARGE"])
    kafka.advance(100)
    assert (kafka.answers, kafka.log()) == ([("a", ok)], ["a"] if ok else [])


def test_a_request_takes_along_no_more_than_fits() -> None:
    kafka = Bounded(partitions=6)
    writer, producer = kafka.bounded(max_request_size=2000, linger_ms=5)
    requests, arrives = [], producer._arrives
    producer._arrives = lambda request: (requests.append(len(request.batches)), arrives(request))
    writer.send("a", key="customer-7")
    writer.send("b", key="order-1")
    writer.send("c", key="order-2")
    kafka.advance(100)
    assert (requests, len(kafka.accepted)) == ([2, 1], 3)
