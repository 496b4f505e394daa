"""Polls, positions and commits of a group member: what is read, what is committed, what a crash repeats."""

from __future__ import annotations

from itertools import pairwise

from tests.worlds import KafkaBench

NEVER = 3_600_000


# --- polls and fetches ---------------------------------------------------------------------------------------


def test_a_member_reads_its_partitions_in_order() -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group()
    kafka.append("a", "b", partition=0)
    kafka.append("c", partition=1)
    kafka.append("d", partition=0)
    kafka.advance(1)
    assert [name for name in group.seen if name != "c"] == ["a", "b", "d"]
    assert set(group.seen) == {"a", "b", "c", "d"}


def test_a_poll_returns_at_most_max_poll_records() -> None:
    kafka = KafkaBench(hop_ms=1)
    kafka.append(*(str(number) for number in range(25)))
    group = kafka.group(max_poll_records=10)
    kafka.advance(100)
    assert group.readers[0].polls == [10, 10, 5]


def test_a_fetch_that_finds_something_is_answered_at_once() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group()
    kafka.advance(1000)
    kafka.append("a")
    kafka.advance(100)
    assert group.readers[0].seen_ms == [1010]


def test_fetch_min_bytes_waits_for_company() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group(fetch_min_bytes=3000, fetch_max_wait_ms=500)
    kafka.advance(100)
    kafka.append("a", "b")
    kafka.advance(100)
    assert group.seen == []
    kafka.append("c")
    kafka.advance(10)
    assert group.readers[0].seen_ms == [210, 210, 210]


def test_fetch_max_wait_ends_the_waiting_for_company() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group(fetch_min_bytes=3000, fetch_max_wait_ms=500)
    kafka.append("a")
    kafka.advance(1000)
    assert group.readers[0].seen_ms == [520]  # asked at 10 ms, waited until 510


def test_a_fetch_that_found_nothing_asks_again_and_then_waits_anew() -> None:
    # The first request is answered empty at 500 ms, the second at 1000, the third waits from 1000 to 1500.
    kafka = KafkaBench(hop_ms=0)
    group = kafka.group(fetch_min_bytes=3000, fetch_max_wait_ms=500)
    kafka.advance(1200)
    kafka.append("a")
    kafka.advance(1000)
    assert group.readers[0].seen_ms == [1500]


def test_a_fetch_brings_no_more_of_a_partition_than_its_bytes_but_at_least_one_record() -> None:
    kafka = KafkaBench(hop_ms=10)
    kafka.append("a", "b", "c", "d", "e")
    group = kafka.group(max_partition_fetch_bytes=2500)
    kafka.advance(200)
    assert group.readers[0].polls[:2] == [2, 2]
    tiny = kafka.group(name="tiny", max_partition_fetch_bytes=1)
    kafka.advance(200)
    assert tiny.readers[0].polls == [1, 1, 1, 1, 1]


def test_a_fetch_limit_of_one_partition_leaves_room_for_another() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=10)
    kafka.append("a", "b", "c", partition=0)
    kafka.append("d", "e", "f", partition=1)
    group = kafka.group(max_partition_fetch_bytes=2500)
    kafka.advance(30)
    assert group.seen == ["a", "b", "d", "e"]


def test_a_member_that_works_fetches_ahead_but_not_more_than_once() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group()
    reader = group.readers[0]
    reader.work_ms = 100
    kafka.append("a")
    kafka.advance(30)
    kafka.append("b")  # arrives while a is at work, and waits at the client
    kafka.advance(500)
    assert reader.seen_ms == [120, 220]


def test_groups_are_independent() -> None:  # K27
    kafka = KafkaBench()
    first, second, pair = kafka.group(name="first"), kafka.group(name="second"), kafka.group(2, "pair")
    names = [str(number) for number in range(100)]
    kafka.append(*names)
    kafka.advance(1)
    assert first.seen == second.seen == pair.seen == names


def test_a_group_of_two_shares_the_partitions() -> None:  # K27
    kafka = KafkaBench(partitions=2)
    pair = kafka.group(members=2)
    kafka.append("a", "b", partition=0)
    kafka.append("c", partition=1)
    kafka.advance(1)
    assert sorted(reader.seen for reader in pair.readers) == [["a", "b"], ["c"]]


def test_a_seek_back_replays() -> None:
    kafka = KafkaBench()
    group = kafka.group()
    kafka.append("a", "b", "c")
    group.readers[0].member.seek(kafka.topic.partitions[0], 1)
    kafka.advance(1)
    assert group.seen == ["a", "b", "c", "b", "c"]


def test_a_seek_to_a_time_replays_from_the_first_record_that_is_not_older() -> None:
    kafka = KafkaBench(hop_ms=1)
    group = kafka.group()
    for name in "abcd":
        kafka.append(name)
        kafka.advance(1000)
    member, partition = group.readers[0].member, kafka.topic.partitions[0]
    member.seek_to_time(partition, 1_500_000_000)
    kafka.advance(10)
    assert group.seen == ["a", "b", "c", "d", "c", "d"]
    member.seek_to_time(partition, 9_000_000_000)
    kafka.append("e")
    kafka.advance(10)
    assert group.seen[6:] == ["e"]


def test_a_replay_is_committed_back_and_forth() -> None:
    kafka = KafkaBench()
    group = kafka.group(enable_auto_commit=False)
    reader = group.readers[0]
    kafka.append("a", "b", "c")
    reader.member.commit()
    reader.member.seek(kafka.topic.partitions[0], 1)
    reader.member.commit({kafka.topic.partitions[0]: 1})
    assert group.committed() == 1
    reader.member.commit()
    assert (group.committed(), kafka.numbers("rewound"), kafka.facts("redelivered")) == (3, [1], ["b", "c"])


def test_a_paused_partition_is_kept_and_read_on_where_it_was() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=1)
    group = kafka.group()
    member, (first, second) = group.readers[0].member, kafka.topic.partitions
    kafka.append("a", partition=0)
    kafka.advance(10)
    member.pause(first)
    kafka.append("b", partition=0)
    kafka.append("c", partition=1)
    kafka.advance(5000)
    assert (group.seen, set(member.assigned)) == (["a", "c"], {first, second})
    member.resume(first)
    kafka.advance(10)
    assert group.seen == ["a", "c", "b"]


def test_what_is_paused_and_moves_away_is_read_by_its_new_reader() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=1)
    group = kafka.group(session_timeout_ms=6000, heartbeat_interval_ms=2000)
    group.readers[0].member.pause(*kafka.topic.partitions)
    kafka.append("a", partition=0)
    kafka.append("b", partition=1)
    newcomer = group.join()
    kafka.advance(10_000)
    assert newcomer.seen == [{0: "a", 1: "b"}[number] for number in newcomer.partitions] != []
    # Eager: the other partition was taken away and given again, and nothing is paused that was.
    assert sorted(group.seen) == ["a", "b"]


# --- commits -------------------------------------------------------------------------------------------------


def manual(kafka: KafkaBench, **options: object) -> object:
    return kafka.group(enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=2000, **options)


def test_a_committed_offset_names_the_next_record() -> None:  # K21
    kafka = KafkaBench()
    group = kafka.group(enable_auto_commit=False)
    kafka.append("0", "1", "2", "3", "4")
    group.readers[0].leave()
    assert group.committed() == 5
    kafka.append("5")
    successor = group.join()
    kafka.advance(10_000)
    assert (successor.seen, group.seen) == (["5"], ["0", "1", "2", "3", "4", "5"])


def test_a_crash_after_handling_and_before_the_commit_repeats() -> None:  # K22
    kafka = KafkaBench()
    group = manual(kafka)
    kafka.append("0", "1", "2")
    group.readers[0].member.commit()
    kafka.append("3", "4")
    group.readers[0].crash()
    successor = group.join()
    kafka.advance(20_000)
    assert (group.committed(), successor.seen) == (3, ["3", "4"])
    assert kafka.facts("redelivered") == ["3", "4"]


def test_a_crash_after_the_commit_and_before_handling_loses() -> None:  # K23
    kafka = KafkaBench()
    group = manual(kafka)
    reader = group.readers[0]
    reader.work_ms = 10
    kafka.append("0", "1", "2", "3", "4")
    reader.member.commit()  # of what the poll returned
    kafka.advance(35)
    reader.crash()
    successor = group.join()
    kafka.append("5")
    kafka.advance(20_000)
    assert (reader.seen, successor.seen) == (["0", "1", "2"], ["5"])


def test_auto_commit_commits_on_its_interval_what_polls_returned() -> None:
    kafka = KafkaBench()
    group = kafka.group(auto_commit_interval_ms=1000)
    for number in range(50):
        kafka.append(str(number))
        kafka.advance(100)
    commits = kafka.times_ms("committed")
    gaps = [later - earlier for earlier, later in pairwise(commits)]
    assert gaps == [1000] * len(gaps) and len(gaps) == 4
    # Each says what had been polled by then, no more and no less.
    appended = kafka.times_ms("appended")
    assert kafka.numbers("committed") == [sum(time <= at for time in appended) for at in commits]
    assert group.lag < 10


def test_auto_commit_waits_for_the_next_poll() -> None:
    kafka = KafkaBench()
    group = kafka.group(auto_commit_interval_ms=1000)
    reader = group.readers[0]
    reader.work_ms = 2500
    kafka.append("a", "b")
    kafka.advance(10_000)
    assert reader.seen_ms == [2500, 5000]
    assert (kafka.times_ms("committed"), kafka.numbers("committed")) == ([5000], [2])


def test_auto_commit_commits_an_idle_member_too() -> None:
    kafka = KafkaBench()
    group = kafka.group(auto_commit_interval_ms=1000)
    kafka.append("a")
    kafka.advance(1000)
    assert (group.committed(), group.lag) == (1, 0)


def test_a_commit_takes_the_way_to_the_broker() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group(enable_auto_commit=False)
    kafka.append("a")
    kafka.advance(100)
    group.readers[0].member.commit()
    kafka.advance(100)
    assert kafka.times_ms("committed") == [110]


def test_a_lost_commit_is_made_again() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group(enable_auto_commit=False)
    kafka.append("a")
    kafka.advance(100)
    member = group.readers[0].member
    member.to_broker.impair(loss=1.0)
    member.commit()
    member.to_broker.impair(loss=0.0)
    kafka.advance(200)
    assert group.committed() == 1


def test_every_lost_commit_is_made_again() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=10)
    group = kafka.group(enable_auto_commit=False)
    kafka.append("a", partition=0)
    kafka.append("b", partition=1)
    kafka.advance(100)
    member = group.readers[0].member
    member.to_broker.impair(loss=1.0)
    for partition in kafka.topic.partitions:  # as an application that commits each record does
        member.commit({partition: 1})
    member.to_broker.impair(loss=0.0)
    kafka.advance(200)
    assert (group.committed(0), group.committed(1)) == (1, 1)


def test_a_lost_fetch_is_made_again() -> None:
    kafka = KafkaBench(hop_ms=10)
    group = kafka.group()
    kafka.advance(100)
    member = group.readers[0].member
    member.to_client.impair(loss=1.0)
    kafka.append("a")
    kafka.advance(5)
    member.to_client.impair(loss=0.0)
    kafka.advance(200)
    assert group.seen == ["a"]


def test_lag_is_what_a_group_has_still_to_pass() -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group(enable_auto_commit=False)
    kafka.append("a", "b", partition=0)
    kafka.append("c", partition=1)
    assert group.lag == 3
    group.readers[0].member.commit({kafka.topic.partitions[0]: 2})
    assert group.lag == 1 and group.group.owes()
    group.readers[0].member.commit()
    assert group.lag == 0 and not group.group.owes()


def test_an_idle_member_commits_what_it_polled_though_a_commit_between_moved_the_interval() -> None:
    # A rebalance's commit at 500 ms moves the interval to 1500; the timer comes due at work and finds it too early.
    kafka = KafkaBench()
    group = kafka.group(auto_commit_interval_ms=1000)
    reader = group.readers[0]
    kafka.append("a")
    kafka.advance(reader.member._next_auto_commit_ns / 1e6 - 10)
    reader.member.commit()
    reader.work_ms = 100
    kafka.append("b")
    kafka.advance(10_000)
    assert (group.seen, group.committed()) == (["a", "b"], 2)
