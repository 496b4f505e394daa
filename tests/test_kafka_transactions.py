"""Transactions on Kafka: what shows and when, who is fenced, and what a hanging transaction holds up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka.compaction import clean, to_clean
from edasim.brokers.kafka.segments import SegmentedPartition
from tests.replica_worlds import Replicas
from tests.worlds import KafkaBench

COMMITTED = {"isolation_level": "read_committed"}


def bench(**options: object) -> KafkaBench:
    return KafkaBench(segments=True, **options)  # type: ignore[arg-type]


def log(kafka: KafkaBench, partition: int = 0) -> SegmentedPartition:
    found = kafka.topic.partitions[partition]
    assert isinstance(found, SegmentedPartition)
    return found


def test_read_committed_leaves_out_what_was_aborted() -> None:  # K25
    kafka = bench()
    loose, strict = kafka.group(name="loose"), kafka.group(name="strict", **COMMITTED)
    first, second, plain = kafka.transactional("T1"), kafka.transactional("T2"), kafka.producer()
    first.send("a", "b")
    first.abort()
    second.send("c")
    second.commit()
    plain.send("d")
    kafka.advance(1)
    assert (loose.seen, strict.seen) == (["a", "b", "c", "d"], ["c", "d"])
    assert first.ended == second.ended == ["", ""]


def test_a_marker_takes_one_offset_in_each_partition() -> None:
    kafka = bench(partitions=2)
    writer = kafka.transactional()
    writer.send("e", key="customer-7")  # into one partition
    writer.send("f", key="order-1")
    writer.commit()
    kafka.advance(1)
    ends = sorted(partition.end for partition in kafka.topic.partitions)
    assert sum(ends) == 2 + len({kafka.topic.partition_of(key) for key in ("customer-7", "order-1")})
    kafka.append("g")
    assert log(kafka).records[-1].offset == log(kafka).end - 1


def test_a_group_moves_past_markers_and_owes_nothing() -> None:
    kafka = bench()
    group = kafka.group(**COMMITTED)
    writer = kafka.transactional()
    writer.send("a")
    writer.abort()
    kafka.advance(1)
    assert group.seen == [] and not group.group.owes()
    kafka.append("b")
    kafka.advance(1)
    group.readers[0].leave()
    kafka.advance(1)
    assert (group.seen, group.committed()) == (["b"], 3)


def test_reading_stops_at_the_last_stable_offset() -> None:
    kafka = bench()
    loose, strict = kafka.group(name="loose"), kafka.group(name="strict", **COMMITTED)
    kafka.append("before")
    writer = kafka.transactional()
    writer.send("a")
    kafka.append("after")
    kafka.advance(1)
    assert (log(kafka).last_stable(), strict.seen, loose.seen) == (1, ["before"], ["before", "a", "after"])
    writer.commit()
    kafka.advance(1)
    assert strict.seen == ["before", "a", "after"]


def test_a_marker_counts_when_all_replicas_have_it() -> None:
    kafka = bench(replicas=3, hop_ms=10)
    strict = kafka.group(**COMMITTED)
    writer = kafka.transactional()
    kafka.advance(20)
    writer.send("a")
    kafka.advance(40)
    writer.commit()
    kafka.advance(29)  # 10 ms there, 20 ms until the followers have it
    assert strict.seen == []
    kafka.advance(11)
    assert strict.seen == ["a"]


def test_a_hanging_transaction_blocks_readers_until_the_coordinator_aborts_it() -> None:
    kafka = bench()
    strict = kafka.group(**COMMITTED)
    writer = kafka.transactional(transaction_timeout_ms=20_000)
    writer.send("a")
    kafka.append("b")
    kafka.advance(20_000)
    assert strict.seen == []
    kafka.advance(10_001)  # transaction.abort.timed.out.transaction.cleanup.interval.ms
    assert strict.seen == ["b"]
    writer.commit()
    kafka.advance(1)
    assert writer.ended == ["", "PRODUCER_FENCED"]


@pytest.mark.parametrize(("version", "epochs"), [("3.9", [0, 0, 0]), ("4.0", [0, 1, 2]), ("4.3", [0, 1, 2])])
def test_the_epoch_grows_with_each_transaction_from_4_0_on(version: str, epochs: list[int]) -> None:
    kafka = bench(version=version)
    writer = kafka.transactional()
    seen = []
    for end in (writer.commit, writer.abort, writer.commit):
        seen.append(writer.transactions.epoch)
        writer.send("a")
        end()
        kafka.advance(1)
    assert seen == epochs
    assert writer.ended == [""] * 4 and len(log(kafka).records) == 3


def test_a_second_producer_with_the_same_id_fences_the_first() -> None:
    kafka = bench()
    old = kafka.transactional("shipping")
    old.send("a")
    new = kafka.transactional("shipping")
    assert new.transactions.id == old.transactions.id
    assert new.transactions.epoch == 2  # one to fence, one to begin
    old.send("zombie")
    old.commit()
    kafka.advance(1)
    new.send("b")
    new.commit()
    kafka.advance(1)
    assert kafka.log() == ["a", "b"]
    assert (old.ended[-1], new.ended[-1]) == ("PRODUCER_FENCED", "")
    assert kafka.answers == [("a", True), ("zombie", False), ("b", True)]
    old.abort()
    assert old.ended[-1] == "PRODUCER_FENCED"


def test_offsets_show_with_the_commit_and_not_before() -> None:
    kafka = bench()
    group = kafka.group(enable_auto_commit=False)
    member, partition = group.readers[0].member, kafka.topic.partitions[0]
    kafka.append("a", "b")
    writer = kafka.transactional()
    for end, expected in ((writer.abort, 0), (writer.commit, 2)):
        writer.send_offsets(group, member, 2)
        assert (group.committed(), group.group.pending[partition]) == (0, 1)
        end()
        assert (group.committed(), group.group.pending[partition]) == (expected, 0)


def test_offsets_of_a_member_that_was_removed_are_refused() -> None:
    kafka = bench()
    group = kafka.group(2, enable_auto_commit=False)
    kafka.append("a")
    gone = group.readers[0].member
    group.group.remove(gone)
    writer = kafka.transactional()
    writer.send_offsets(group, gone, 1)
    writer.commit()
    assert writer.ended == ["", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"]
    writer.abort()
    assert (writer.ended[-1], group.committed()) == ("", 0)


def test_a_new_owner_waits_for_offsets_that_are_not_decided() -> None:
    kafka = bench()
    group = kafka.group(enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=2000)
    kafka.append("a")
    writer = kafka.transactional()
    writer.send_offsets(group, group.readers[0].member, 1)
    group.readers[0].crash()
    successor = group.join()
    kafka.advance(20_000)
    assert successor.partitions == []
    writer.commit()
    kafka.advance(200)
    kafka.append("b")
    assert successor.seen == ["b"]


def test_a_member_of_the_consumer_protocol_waits_for_them_as_well() -> None:
    kafka = bench(broker={"group_consumer_min_session_timeout_ms": 1000, "group_consumer_session_timeout_ms": 6000})
    group = kafka.group(enable_auto_commit=False, group_protocol="consumer")
    kafka.append("a")
    writer = kafka.transactional()
    writer.send_offsets(group, group.readers[0].member, 1)
    group.readers[0].crash()
    successor = group.join()
    kafka.advance(30_000)
    assert successor.seen == []
    writer.commit()
    kafka.advance(10_000)
    kafka.append("b")
    assert successor.seen == ["b"]


def test_a_marker_waits_for_the_leader_of_its_partition() -> None:
    kafka = Replicas(replicas=1)
    strict, writer = kafka.group(**COMMITTED), kafka.transactional()
    kafka.advance(10)
    writer.send("a")
    kafka.advance(10)
    kafka.kill(1)
    writer.commit()
    kafka.advance(10_000)
    assert (writer.ended, kafka.partition.end, strict.seen) == (["", ""], 1, [])
    kafka.start(1)
    kafka.advance(20_000)
    assert (kafka.partition.end, strict.seen) == (2, ["a"])
    writer.send("b")
    writer.commit()
    kafka.advance(100)
    assert (writer.ended, strict.seen) == ([""] * 3, ["a", "b"])


@pytest.mark.parametrize(("end", "seen"), [("commit", ["a"]), ("abort", [])])
def test_a_marker_that_is_lost_with_its_leader_is_written_again(end: str, seen: list[str]) -> None:
    kafka = Replicas()
    strict, writer = kafka.group(**COMMITTED), kafka.transactional()
    kafka.advance(10)
    writer.send("a")
    kafka.advance(50)
    getattr(writer, end)()
    kafka.advance(1.5)  # The marker is written, and on its way to the followers.
    assert kafka.partition.end == 2
    kafka.kill(1)
    kafka.advance(15_000)
    assert (kafka.leader, kafka.partition.end, strict.seen) == (2, 2, seen)
    assert len(kafka.numbers("marked")) == 2


def test_a_resent_batch_is_recognised_within_its_epoch() -> None:
    kafka = bench()
    writer = kafka.transactional()
    writer.to_broker.impair(duplicates=0.9)
    for name in "abc":
        writer.send(name)
        kafka.advance(1000)
    writer.commit()
    kafka.advance(1000)
    assert kafka.log() == ["a", "b", "c"] and kafka.facts("deduplicated")


def test_the_cleaner_drops_aborted_records_and_later_their_marker() -> None:
    kafka = bench(cleanup_policy="compact", min_cleanable_dirty_ratio=0, delete_retention_ms=1000,
                  broker={"log_cleaner_enable": False})
    writer = kafka.transactional()
    writer.send("a", key="k")
    writer.abort()
    writer.send("b", key="k")
    writer.commit()
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [record.offset for record in log(kafka).records] == [2]
    assert [marker.offset for marker in log(kafka).stability.markers] == [1, 3]
    kafka.advance(1000)
    kafka.put(other="c")
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [marker.offset for marker in log(kafka).stability.markers] == [3]


def test_a_keyless_record_in_a_compacted_topic_is_refused() -> None:
    kafka = bench(cleanup_policy="compact")
    kafka.producer().send("a", key=None)
    kafka.producer("other").send("b", key="k")
    kafka.advance(1)
    assert sorted(kafka.answers) == [("a", False), ("b", True)]
    assert kafka.log() == ["b"]


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["send", "commit", "abort"])), max_size=25))
def test_read_committed_sees_committed_transactions_in_the_order_of_the_log(steps: list[tuple[int, str]]) -> None:
    kafka = bench()
    strict = kafka.group(**COMMITTED)
    writers = [kafka.transactional(f"T{number}") for number in range(3)]
    open_: list[list[str]] = [[], [], []]
    fate: dict[str, bool] = {}
    for number, (who, step) in enumerate(steps):
        if step == "send":
            writers[who].send(str(number))
            open_[who].append(str(number))
        else:
            getattr(writers[who], step)()
            fate.update(dict.fromkeys(open_[who], step == "commit"))
            open_[who] = []
    kafka.advance(1)
    decided = []
    for name in kafka.log():
        if name not in fate:
            break
        decided += [name] if fate[name] else []
    assert strict.seen == decided
