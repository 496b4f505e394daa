"""A windowed count: late records, stream time by partition, and the table built again from topic or changelog."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim import simulate
from edasim.brokers.kafka.compaction import clean, to_clean
from edasim.brokers.kafka.segments import SegmentedPartition
from edasim.sourcing import Seen, Update, WindowedCount, restored, topic_of
from tests.worlds import KafkaBench, shop

SECOND = 10**9


def seen(*records: tuple[str, float], partition: str = "orders-0") -> list[Seen]:
    return [Seen(partition, key, round(time_s * SECOND)) for key, time_s in records]


def in_seconds(count: WindowedCount) -> dict[tuple[str, float], int]:
    return {(key, start_ns / SECOND): number for (key, start_ns), number in count.table.items()}


def test_a_record_counts_in_the_window_in_which_it_happened() -> None:
    count = WindowedCount("10s", grace="5s")
    count.replay(seen(("a", 1), ("b", 9.999), ("a", 10), ("a", 12), ("a", 8)))
    assert in_seconds(count) == {("a", 0): 2, ("b", 0): 1, ("a", 10): 2}
    assert count.changelog[-1] == Update("a", 0, 2)


@pytest.mark.parametrize(("stream_s", "late"), [(14.999, 0), (15, 1), (99, 1)])
def test_a_window_closes_when_stream_time_has_passed_its_end_and_the_grace(stream_s: float, late: int) -> None:
    count = WindowedCount("10s", grace="5s").replay(seen(("other", stream_s), ("a", 9)))
    assert (count.late, ("a", 0) in count.table) == (late, not late)


def test_time_goes_on_in_each_partition_by_itself() -> None:
    count = WindowedCount("10s")
    count.replay(seen(("a", 50), partition="orders-1"))
    count.replay(seen(("a", 3)))
    assert count.late == 0
    assert count.stream_time_ns == {"orders-0": 3 * SECOND, "orders-1": 50 * SECOND}


RECORDS = st.lists(st.builds(Seen, st.sampled_from(["p-0", "p-1", "p-2"]), st.sampled_from(["a", "b", None]),
                             st.integers(0, 40).map(lambda second: second * SECOND)), max_size=40)


@given(records=RECORDS, grace=st.integers(0, 20))
def test_it_counts_as_ten_plain_lines_do(records: list[Seen], grace: int) -> None:
    expected: Counter[tuple[str, int]] = Counter()
    late, newest = 0, Counter[str]()
    for partition, key, time_ns in records:
        if key is not None:
            newest[partition] = max(newest[partition], time_ns)
            start_s = time_ns // SECOND - time_ns // SECOND % 7
            if start_s + 7 > newest[partition] // SECOND - grace:
                expected[key, start_s * SECOND] += 1
            else:
                late += 1
    count = WindowedCount("7s", f"{grace}s").replay(records)
    assert (count.table, count.late) == (dict(expected), late)
    assert restored(count.changelog) == count.table


@given(records=RECORDS)
def test_how_partitions_come_together_makes_no_difference(records: list[Seen]) -> None:
    one_by_one = sorted(records, key=lambda record: record.partition)
    both = [WindowedCount("7s", "3s").replay(each) for each in (records, one_by_one)]
    assert (both[0].table, both[0].late) == (both[1].table, both[1].late)


# --- a shop of which one half was cut off for a while -------------------------------------------------------------

BOTH = {name: {"publishes": "OrderPlaced", "arrivals": "poisson 20/s", "key": "customer", "keys": "uniform over 5"}
        for name in ("app", "web")}


def run_with_a_cut() -> object:
    return simulate(shop(duration="20s", producers=BOTH, wire="default", client={"timeout": "60s"},
                         faults={"cut": {"cut": "app", "at": "5s", "for": "8s"}},
                         architectures={"kafka": {"topic": {"partitions": 3}}}), "kafka", seed=4)


@pytest.mark.parametrize(("grace", "some_are_late"), [("0s", True), ("2s", True), ("30s", False)])
def test_what_a_cut_held_up_is_late_unless_there_is_grace(grace: str, some_are_late: bool) -> None:
    run = run_with_a_cut()
    records = list(topic_of(run, "OrderPlaced"))  # type: ignore[arg-type]
    count = WindowedCount("1s", grace).replay(records)
    assert (count.late > 50) == some_are_late
    assert sum(count.table.values()) + count.late == len(records) > 700


def test_replay_of_the_topic_and_its_changelog_make_the_same_table_again() -> None:
    records = list(topic_of(run_with_a_cut(), "OrderPlaced"))  # type: ignore[arg-type]
    first = WindowedCount("1s", "2s").replay(records)
    again = WindowedCount("1s", "2s").replay(records)
    assert (again.table, again.changelog) == (first.table, first.changelog)
    assert restored(first.changelog) == first.table


def test_a_compacted_changelog_is_enough_where_the_topic_has_forgotten() -> None:
    records = list(topic_of(run_with_a_cut(), "OrderPlaced"))  # type: ignore[arg-type]
    table = WindowedCount("1s", "2s").replay(records)
    kafka = KafkaBench(cleanup_policy="compact", min_cleanable_dirty_ratio=0, broker={"log_cleaner_enable": False})
    for update in table.changelog:
        kafka.put(**{f"{update.key}@{update.start_ns}": str(update.number)})
    log = kafka.topic.partitions[0]
    assert isinstance(log, SegmentedPartition)
    log.roll()
    clean(to_clean(log))
    kept = [Update(*_window(record.message.key), int(record.message.event)) for record in log.records]
    assert len(kept) == len(table.table) < len(table.changelog)
    assert restored(kept) == table.table
    forgotten = WindowedCount("1s", "2s").replay(records[len(records) // 2 :])
    assert forgotten.table != table.table


def _window(key: str | None) -> tuple[str, int]:
    name, _, start_ns = (key or "").partition("@")
    return name, int(start_ns)


def test_what_was_aborted_is_not_counted() -> None:
    services = {"payment": {"handles": "OrderPlaced", "workers": 3, "work": "exponential 30ms",
                            "publishes": "PaymentCaptured"}}
    run = simulate(shop(orders=300, services=services, wire="default", drain="200s",
                        producers={"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 85/s"}},
                        faults={"kill": {"crash": "payment", "at": "3.3s", "for": "1s"}},
                        architectures={"kafka": {"commit": "transaction", "consumer": {"session.timeout.ms": 6000}}}),
                   "kafka", seed=5)
    assert any(fact.verb == "aborted" for fact in run.journal)
    count = WindowedCount("1s", "60s").replay(topic_of(run, "PaymentCaptured"))
    assert sum(count.table.values()) == 300


def test_only_kafka_has_topics_and_only_a_length_makes_a_window() -> None:
    with pytest.raises(ValueError, match="a run on rabbitmq has no topics"):
        list(topic_of(simulate(shop(), "rabbitmq"), "OrderPlaced"))
    with pytest.raises(ValueError, match="a window has a length"):
        WindowedCount("0s")
