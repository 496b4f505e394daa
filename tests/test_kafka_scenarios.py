"""What the comments of the scenarios about Kafka's promises say, in one run each."""

from __future__ import annotations

from functools import cache

from edasim import load, simulate
from edasim.measure.summary import Summary


@cache
def run(name: str, *changes: tuple[str, object]) -> Summary:
    return simulate(load(f"scenarios/{name}.yml").change(dict(changes)), "kafka", seed=2).summary()


def twice(commit: str, *more: tuple[str, object]) -> dict[str, int]:
    services = run("kafka-exactly-once", ("architectures.kafka.commit", commit), *more).services
    return {name: numbers.duplicated_effects for name, numbers in services.items()}


def lost(reset: str = "earliest", kept: str = "20s") -> int:
    return run("kafka-retention-overtakes", ("architectures.kafka.consumer.auto.offset.reset", reset),
               ("architectures.kafka.topic.retention.ms", kept)).outcomes["lost"]


def test_exactly_once_is_inside_kafka_and_a_charge_is_outside() -> None:
    assert min(twice("poll").values()) > 30
    assert twice("transaction")["payment"] > 30
    assert twice("transaction")["shipping"] == 0
    assert min(twice("auto").values()) > 2 * max(twice("poll").values())
    assert twice("transaction", ("services.payment.idempotent", True)) == {"payment": 0, "shipping": 0}


def test_a_transaction_keeps_readers_waiting_until_its_end() -> None:
    waits = [run("kafka-exactly-once", ("architectures.kafka.commit", commit)).torn_peak
             for commit in ("poll", "transaction")]
    assert waits[1] > 5 * waits[0]


def test_who_is_overtaken_by_retention_reads_on_as_auto_offset_reset_says() -> None:
    assert lost(kept="60s") == 0
    assert 0 < lost("earliest") < 300 < lost("latest") < 1200 < lost("none")
