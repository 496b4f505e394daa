"""Whatever brokers do, what acks=all and a minimum of two acknowledged is there once and in its order."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as some

from tests.replica_worlds import Replicas


class Step(NamedTuple):
    """After a while, something is done to a node, or (node 0) a record is sent."""

    wait_ms: float
    deed: str
    node: int


STEPS = some.lists(
    some.one_of(
        some.builds(Step, some.sampled_from([0.3, 1.1, 2.2, 40.0, 900.0]), some.just("send"), some.just(0)),
        some.builds(Step, some.sampled_from([0.4, 1.3, 2.6, 300.0, 4000.0, 11_000.0]),
                    some.sampled_from(["kill", "stop", "start", "freeze", "thaw"]), some.sampled_from([1, 2, 3])),
    ), min_size=5, max_size=40)


def play(kafka: Replicas, steps: list[Step], **options: object) -> list[str]:
    """Do the steps, then bring all nodes back and wait; returns what was sent."""
    writer, sent = kafka.producer(delivery_timeout_ms=500_000, **options), []
    for number, (wait_ms, deed, node) in enumerate(steps):
        kafka.advance(wait_ms)
        if deed == "send":
            sent.append(f"m{number}")
            writer.send(sent[-1])
        else:
            getattr(kafka.cluster, deed)(node)
    for node in (1, 2, 3):
        kafka.advance(1)
        kafka.cluster.thaw(node)
        kafka.advance(10)  # A stop that it was asked for while it was stuck is under way by then.
        kafka.start(node)
    kafka.advance(150_000)
    return sent


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, version=some.sampled_from(["3.9", "4.3"]))
@example(steps=[Step(1, "send", 0), Step(1.3, "kill", 1), Step(11_000, "send", 0), Step(1, "kill", 2)], version="4.3")
def test_nothing_acknowledged_by_all_is_lost_repeated_or_reordered(steps: list[Step], version: str) -> None:
    kafka = Replicas(version=version, min_insync_replicas=2)
    payment = kafka.group()
    sent = play(kafka, steps)
    assert kafka.leader is not None and kafka.isr == {1, 2, 3}
    assert kafka.log() == sent == kafka.accepted()
    assert payment.seen == sent


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, version=some.sampled_from(["3.9", "4.0", "4.3"]), unclean=some.booleans(),
       acks=some.sampled_from(["1", "all"]))
def test_the_books_balance_and_the_replicas_agree_in_the_end(
        steps: list[Step], version: str, unclean: bool, acks: str) -> None:
    kafka = Replicas(version=version, unclean_leader_election_enable=unclean)
    payment = kafka.group(auto_commit_interval_ms=200)
    sent = play(kafka, steps, acks=acks, enable_idempotence=False)
    assert kafka.leader is not None and kafka.isr == {1, 2, 3}
    partition = kafka.partition
    assert {replica.end for replica in partition.replicas} == {partition.end}
    assert all(replica.stray is None for replica in partition.replicas)
    assert partition.high_watermark == partition.end == len(kafka.log())
    assert set(kafka.log()) <= set(sent) and payment.committed() == partition.end
    if acks == "all" and not unclean:
        assert set(kafka.accepted()) <= set(kafka.log())
