"""A partition's offsets, its high watermark, and who may see what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.core.conservation import ConservationError
from tests.worlds import KafkaBench


def test_offsets_count_from_0_without_a_gap() -> None:
    kafka = KafkaBench()
    kafka.append("a", "b")
    kafka.append("c")
    partition = kafka.topic.partitions[0]
    assert [record.offset for record in partition.records] == [0, 1, 2]
    assert partition.end == 3


def test_without_followers_a_record_is_visible_at_once() -> None:
    kafka = KafkaBench(replicas=1)
    group = kafka.group()
    kafka.append("a")
    assert (kafka.topic.partitions[0].high_watermark, group.seen) == (1, ["a"])


def test_consumers_see_nothing_that_followers_lack() -> None:
    kafka = KafkaBench(replicas=3, hop_ms=10)
    group = kafka.group()
    kafka.append("a")
    partition = kafka.topic.partitions[0]
    kafka.advance(19)
    assert (partition.end, partition.high_watermark, group.seen) == (1, 0, [])
    kafka.advance(1)  # there and back again: the leader learns it with the next fetch
    assert partition.high_watermark == 1
    kafka.advance(10)
    assert group.seen == ["a"]


def test_the_high_watermark_never_goes_back() -> None:
    kafka = KafkaBench(replicas=3, hop_ms="exponential 10ms")
    partition = kafka.topic.partitions[0]
    marks = []
    for number in range(100):
        kafka.append(str(number))
        kafka.advance(3)
        marks.append(partition.high_watermark)
    assert marks == sorted(marks)
    kafka.advance(1000)
    assert partition.high_watermark == partition.end == 100


def test_keys_stay_in_their_partition_and_partitions_in_their_order() -> None:  # K26
    kafka = KafkaBench(partitions=6, hop_ms=1)
    writer, group = kafka.producer(), kafka.group(members=2)
    for number in range(20):
        writer.send(f"e{number}", key="customer-7")
        writer.send(f"f{number}", key="order-1")
    kafka.advance(1000)
    assert [kafka.log(1), kafka.log(4)] == [[f"{k}{n}" for n in range(20)] for k in "ef"]
    for letter in "ef":
        assert [name for name in group.seen if name[0] == letter] == [f"{letter}{n}" for n in range(20)]


def test_without_a_key_records_stay_with_one_partition_until_a_batch_is_full() -> None:
    kafka = KafkaBench(partitions=6)
    writer = kafka.producer(batch_size=3000)
    writer.send(*(str(number) for number in range(30)), key=None)
    kafka.advance(1)
    runs = [len(kafka.log(number)) for number in range(6)]
    assert sum(runs) == 30
    assert all(length % 3 == 0 for length in runs)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_each_partition_is_the_concatenation_of_its_batches(sizes: list[int]) -> None:
    kafka = KafkaBench(partitions=2)
    expected: list[list[str]] = [[], []]
    for number, size in enumerate(sizes):
        names = [f"{number}-{place}" for place in range(size)]
        kafka.append(*names, partition=number % 2)
        expected[number % 2] += names
    kafka.advance(1)
    assert [kafka.log(0), kafka.log(1)] == expected
    assert kafka.facts("appended", "orders-0") == expected[0]


def test_a_log_that_loses_a_record_is_found_out() -> None:
    kafka = KafkaBench()
    kafka.append("a", "b")
    kafka.advance(1)
    kafka.topic.partitions[0].records.pop()
    with pytest.raises(ConservationError, match="2 were appended, but the log ends at 1"):
        kafka.advance(1)


def test_a_group_whose_offset_moves_without_a_commit_is_found_out() -> None:
    kafka = KafkaBench()
    group = kafka.group(members=1)
    group.readers[0].crash()
    kafka.append("a", "b")
    kafka.advance(1)
    group.group.committed[kafka.topic.partitions[0]] = 1
    with pytest.raises(ConservationError, match="the log ends at 2"):
        kafka.advance(1)
