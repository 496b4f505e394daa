"""Segments, retention and compaction: what leaves a Kafka log and when, and what a group makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.kafka.compaction import CleanerStats, clean, to_clean
from edasim.brokers.kafka.segments import SegmentedPartition
from edasim.scenario.broker_options import OptionError, resolve
from tests.worlds import KafkaBench

HOUR = 3_600_000


def log(kafka: KafkaBench) -> SegmentedPartition:
    partition = kafka.topic.partitions[0]
    assert isinstance(partition, SegmentedPartition)
    return partition


def offsets(kafka: KafkaBench) -> list[int]:
    return [record.offset for record in log(kafka).records]


def compacted(**options: object) -> KafkaBench:
    return KafkaBench(version="3.9", cleanup_policy="compact", min_cleanable_dirty_ratio=0, **options)  # type: ignore[arg-type]


def test_default_options_keep_a_plain_list_and_arm_no_timer() -> None:
    kafka = KafkaBench()
    assert not isinstance(kafka.topic.partitions[0], SegmentedPartition)
    assert kafka.world.clock.peek() == float("inf")


# --- segments and retention ------------------------------------------------------------------------------------


def test_a_segment_rolls_before_it_would_be_too_large() -> None:
    kafka = KafkaBench(version="3.9", segment_bytes=2500)
    for name in "abcde":
        kafka.append(name)
    assert [segment.base for segment in log(kafka).segments] == [0, 2, 4]


def test_a_segment_rolls_by_the_timestamps_of_its_records() -> None:
    kafka = KafkaBench(segment_ms=1000)
    for wait_ms in (0, 1000, 1):  # more than segment.ms after the first record, not as much
        kafka.advance(wait_ms)
        kafka.append("a")
    assert [segment.base for segment in log(kafka).segments] == [0, 2]


def test_old_segments_go_whole_and_offsets_stay() -> None:
    kafka = KafkaBench(version="3.9", segment_bytes=2000, retention_ms=5000,
                       broker={"log_retention_check_interval_ms": 100})
    kafka.append("a")
    kafka.advance(4000)
    kafka.append("b")
    kafka.append("c")
    kafka.advance(2000)  # a is too old, but b in the same segment is not
    assert offsets(kafka) == [0, 1, 2]
    kafka.advance(3200)
    assert log(kafka).end == 3 and log(kafka).log_start == 3  # the active segment was too old as well


def test_an_active_segment_that_is_too_old_is_rolled_and_deleted() -> None:
    kafka = KafkaBench(retention_ms=1000, broker={"log_retention_check_interval_ms": 100})
    kafka.append("a", "b")
    kafka.advance(999)
    assert offsets(kafka) == [0, 1]
    kafka.advance(200)
    assert (offsets(kafka), log(kafka).log_start, log(kafka).end) == ([], 2, 2)
    kafka.append("c")
    assert offsets(kafka) == [2]


def test_at_least_retention_bytes_are_left() -> None:
    kafka = KafkaBench(version="3.9", segment_bytes=2000, retention_bytes=3000,
                       broker={"log_retention_check_interval_ms": 100})
    for name in "abcdefg":
        kafka.append(name)  # segments of 2, 2, 2 and 1 kB
    kafka.advance(100)
    assert offsets(kafka) == [4, 5, 6]


def test_what_not_all_replicas_have_is_never_deleted() -> None:
    kafka = KafkaBench(replicas=3, hop_ms=1000, retention_ms=10, broker={"log_retention_check_interval_ms": 10})
    kafka.append("a")
    kafka.advance(1999)
    assert offsets(kafka) == [0]
    kafka.advance(20)
    assert offsets(kafka) == []


def test_deleted_records_are_gone_at_once_and_their_segments_later() -> None:
    kafka = KafkaBench(version="3.9", segment_bytes=2000, broker={"log_retention_check_interval_ms": 100})
    for name in "abcde":
        kafka.append(name)
    assert log(kafka).delete_records(3) == 3
    assert (offsets(kafka), len(log(kafka).segments)) == ([3, 4], 3)
    kafka.advance(100)
    assert [segment.base for segment in log(kafka).segments] == [2, 4]
    assert log(kafka).delete_records(-1) == 5
    with pytest.raises(ValueError, match="6 is beyond"):
        log(kafka).delete_records(6)


def test_offsets_are_found_by_time() -> None:
    kafka = KafkaBench(segments=True)
    for name in "abc":
        kafka.append(name)
        kafka.advance(1000)
    times = [0, 1, 1000, 2000, 2001]
    assert [log(kafka).offset_at(time * 1_000_000) for time in times] == [0, 1, 1, 2, None]
    plain = KafkaBench()
    plain.append("a")
    assert (plain.topic.partitions[0].offset_at(0), plain.topic.partitions[0].offset_at(1)) == (0, None)


@given(sizes=st.lists(st.integers(1, 4), max_size=12), begin=st.integers(0, 30), upto=st.integers(0, 30),
       start=st.integers(0, 30))
def test_a_segmented_log_reads_as_the_list_of_its_offsets(sizes: list[int], begin: int, upto: int, start: int) -> None:
    kafka = KafkaBench(segments=True)
    for size in sizes:
        kafka.append(*("x" * size))
    log(kafka).start_at(min(start, log(kafka).end))
    expected = [offset for offset in range(sum(sizes)) if offset >= start and begin <= offset < upto]
    assert [record.offset for record in log(kafka).read(begin, upto)] == expected


# --- groups that are overtaken ----------------------------------------------------------------------------------


def overtaken(policy: str, after_ms: float = 0) -> tuple[KafkaBench, object]:
    """A group of one that has read nothing when the first three of five records are deleted."""
    kafka = KafkaBench(segments=True)
    for name in "abcde":
        kafka.append(name)
        kafka.advance(1000)
    log(kafka).delete_records(3)
    group = kafka.group(auto_offset_reset=policy)
    kafka.append("f")
    kafka.advance(10)
    return kafka, group


@pytest.mark.parametrize(("policy", "seen", "skipped"), [
    ("earliest", ["d", "e", "f"], [0, 3]),
    ("latest", ["f"], [0, 5]),
    ("by_duration:PT1.5S", ["e", "f"], [0, 4]),
])
def test_a_group_whose_records_are_gone_reads_on_as_told(policy: str, seen: list[str], skipped: list[int]) -> None:
    kafka, group = overtaken(policy)
    assert group.seen == seen  # type: ignore[attr-defined]
    assert kafka.numbers("skipped") == skipped
    group.readers[0].leave()  # type: ignore[attr-defined]
    kafka.advance(10)  # and the books balance
    assert group.committed() == 6  # type: ignore[attr-defined]


def test_a_group_that_is_told_nothing_fails() -> None:
    _, group = overtaken("none")
    assert group.seen == [] and not group.readers[0].member.alive  # type: ignore[attr-defined]


def test_what_is_gone_is_owed_no_more() -> None:
    kafka = KafkaBench(segments=True)
    group = kafka.group()
    group.readers[0].crash()
    kafka.append("a", "b")
    kafka.advance(1)
    assert group.group.owes() and len(list(group.group.owed())) == 2
    log(kafka).delete_records(2)
    kafka.advance(1)
    assert not group.group.owes() and not list(group.group.owed())


def test_a_duration_is_written_as_java_does() -> None:
    with pytest.raises(OptionError, match='"1h" is no ISO 8601 duration'):
        resolve("kafka consumer", "4.3", {"auto.offset.reset": "by_duration:1h"})


# --- compaction -------------------------------------------------------------------------------------------------


def test_the_last_value_of_a_key_stays_at_its_offset() -> None:  # K16
    kafka = compacted()
    for address in ("bill@microsoft.com", "bill@gatesfoundation.org", "bill@gmail.com"):
        kafka.put(**{"123": address})
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [(record.offset, record.message.event) for record in log(kafka).records] == [(2, "bill@gmail.com")]
    kafka.advance(1)


def test_offsets_that_were_compacted_away_are_still_positions() -> None:  # K17
    kafka = compacted()
    for number in range(36):
        kafka.put(**{f"k{number}": "v"})
    for value in ("x", "y", "z"):
        kafka.put(same=value)
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [log(kafka).read(begin, 39)[0].offset for begin in (36, 37, 38)] == [38, 38, 38]


def test_a_tombstone_stays_for_its_time() -> None:  # K18
    kafka = compacted()
    kafka.put(a="1")
    kafka.put(b="1")
    kafka.put(a=None)
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [(r.message.key, r.message.tombstone) for r in log(kafka).records] == [("b", False), ("a", True)]
    kafka.advance(24 * HOUR - 1000)
    kafka.put(c="1")
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [record.message.key for record in log(kafka).records] == ["b", "a", "c"]
    kafka.advance(1000)
    kafka.put(d="1")
    log(kafka).roll()
    clean(to_clean(log(kafka)))
    assert [record.message.key for record in log(kafka).records] == ["b", "c", "d"]


def test_the_active_segment_is_left_alone() -> None:  # K19
    kafka = compacted(broker={"log_cleaner_backoff_ms": 100})
    for value in "123":
        kafka.put(k=value)
    kafka.advance(1000)
    assert offsets(kafka) == [0, 1, 2]
    log(kafka).roll()
    kafka.advance(1000)
    assert offsets(kafka) == [2]


def test_the_cleaner_counts_what_it_read_and_wrote() -> None:  # K20
    kafka = compacted()
    for key in "01010":
        kafka.put(**{key: "v"})
    log(kafka).roll()
    log(kafka).clean_upto = 2
    assert clean(to_clean(log(kafka))) == CleanerStats(end_offset=5, messages_read=5, messages_written=2)


def test_the_cleaner_waits_for_its_ratio() -> None:
    kafka = KafkaBench(version="3.9", cleanup_policy="compact", segment_bytes=4000,
                       broker={"log_cleaner_backoff_ms": 100})
    kafka.put(a="1", b="1", c="1", d="1")
    kafka.put(a="2")
    kafka.advance(100)  # all that is closed is dirty
    assert len(kafka.cluster.cleaner.runs) == 1
    kafka.put(e="1", f="1", g="1")
    kafka.put(a="3")
    kafka.advance(1000)  # 4 kB dirty of 8: not more than half
    assert len(kafka.cluster.cleaner.runs) == 1
    kafka.put(b="3", c="3", d="3")
    kafka.put(e="3")
    kafka.advance(1000)
    assert len(kafka.cluster.cleaner.runs) == 2


def test_lags_bound_when_a_log_is_compacted() -> None:
    kafka = compacted(min_compaction_lag_ms=10_000)
    kafka.put(a="1")
    kafka.put(a="2")
    log(kafka).roll()
    kafka.advance(9000)
    assert to_clean(log(kafka)).cleanable_bytes == 0
    kafka.advance(1001)
    assert to_clean(log(kafka)).cleanable_bytes == 2000
    late = KafkaBench(version="3.9", cleanup_policy="compact", min_cleanable_dirty_ratio=1, max_compaction_lag_ms=5000,
                      broker={"log_cleaner_backoff_ms": 100})
    late.put(a="1")
    late.put(a="2")
    log(late).roll()
    late.advance(4999)
    assert late.cluster.cleaner.runs == []
    late.advance(200)
    assert len(late.cluster.cleaner.runs) == 1


@given(puts=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=30),
       rolls=st.sets(st.integers(0, 29)))
def test_compaction_never_changes_what_a_table_of_the_log_holds(puts: list[tuple[str, bool]], rolls: set[int]) -> None:
    kafka = compacted(delete_retention_ms=0)
    table: dict[str, str] = {}
    for number, (key, gone) in enumerate(puts):
        kafka.put(**{key: None if gone else str(number)})
        table[key] = str(number)
        if gone:
            del table[key]
        if number in rolls:
            log(kafka).roll()
            clean(to_clean(log(kafka)))
    kafka.advance(1)
    rebuilt = {}
    for record in log(kafka).read(0, log(kafka).end):
        rebuilt[record.message.key] = record.message.event
        if record.message.tombstone:
            del rebuilt[record.message.key]
    assert rebuilt == table
