"""A key goes to the same partition as with the real Java client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka.partitioner import murmur2, partition_for

# K13: apache/kafka, UtilsTest.testMurmur2.
HASHES = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}

# K14: for topics of 3, 6 and 12 partitions; checked against two independent clients.
PLACES = {
    "order-1": (1, 4, 10),
    "order-2": (0, 3, 3),
    "order-3": (0, 3, 3),
    "order-42": (0, 0, 0),
    "user-1": (2, 2, 8),
    "user-2": (2, 2, 8),
    "user-3": (2, 5, 11),
    "user-123": (2, 2, 8),
    "customer-7": (1, 1, 7),
    "key": (1, 1, 1),
    "hello": (0, 3, 9),
    "kafka": (1, 4, 4),
    "": (0, 3, 9),
    "événement": (1, 1, 7),
    "日本": (0, 3, 3),
}


@pytest.mark.parametrize(("text", "expected"), HASHES.items())
def test_a_hash_is_the_one_of_the_java_client(text: str, expected: int) -> None:
    assert murmur2(text.encode()) == expected


@pytest.mark.parametrize(("key", "expected"), PLACES.items())
def test_a_key_goes_to_the_partition_of_the_java_client(key: str, expected: tuple[int, ...]) -> None:
    assert tuple(partition_for(key, partitions) for partitions in (3, 6, 12)) == expected


@given(key=st.text(max_size=20), partitions=st.integers(1, 10_000))
def test_a_text_and_its_bytes_share_a_partition_of_the_topic(key: str, partitions: int) -> None:
    partition = partition_for(key, partitions)
    assert partition == partition_for(key.encode(), partitions)
    assert 0 <= partition < partitions


def test_adding_partitions_moves_most_keys() -> None:
    keys = [f"customer-{number}" for number in range(1, 1001)]
    moved = sum(partition_for(key, 6) != partition_for(key, 7) for key in keys)
    assert 800 < moved < 900  # 6 of 7 keys, with an error of 3 standard deviations
