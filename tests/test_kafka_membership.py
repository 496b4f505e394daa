"""Members of the classic protocol that are too slow, come back under their name, or commit what they may not."""

from __future__ import annotations

import pytest

from tests.worlds import KafkaBench, KafkaGroup

SESSION = {"session_timeout_ms": 10_000, "heartbeat_interval_ms": 3000}
EAGER = {"partition_assignment_strategy": ["range"]}
COOPERATIVE = {"partition_assignment_strategy": ["cooperative-sticky"]}
BOTH = pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE], ids=["eager", "cooperative"])


def static(kafka: KafkaBench, members: int, **options: object) -> KafkaGroup:
    """A stable group of static members payment-0, payment-1 and so on."""
    group = kafka.group(members=members, **options)
    for number, reader in enumerate(group.readers):
        reader.member.instance = f"payment-{number}"
    return group


# --- max.poll.interval.ms ------------------------------------------------------------------------------------


@BOTH
def test_a_member_that_does_not_poll_in_time_is_out_though_it_lives(protocol: dict[str, object]) -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = kafka.group(members=2, max_poll_interval_ms=4000, **SESSION, **protocol)
    slow, quick = group.readers
    slow.work_ms = 12_000
    kafka.append("long", partition=0)
    kafka.advance(8000)
    assert quick.partitions == [0, 1]
    assert quick.seen == ["long"]  # the slow one has it in hands and could not commit it
    kafka.advance(20_000)
    assert sorted(slow.partitions + quick.partitions) == [0, 1]
    assert len(slow.partitions) == 1  # it joined again with its next poll


def test_many_short_pieces_of_work_between_polls_count_together() -> None:
    kafka = KafkaBench(partitions=1, hop_ms=5)
    group = kafka.group(max_poll_interval_ms=4000, max_poll_records=10, **SESSION)
    group.readers[0].work_ms = 500
    kafka.append(*(str(number) for number in range(10)))
    kafka.advance(4600)
    assert kafka.times_ms("revoked") == [pytest.approx(4010, abs=11)]


def test_one_record_at_a_time_the_same_work_is_quick_enough() -> None:
    kafka = KafkaBench(partitions=1, hop_ms=5)
    group = kafka.group(max_poll_interval_ms=4000, max_poll_records=1, **SESSION)
    group.readers[0].work_ms = 500
    kafka.append(*(str(number) for number in range(30)))
    kafka.advance(20_000)
    assert (kafka.numbers("revoked"), len(group.seen)) == ([], 30)


def test_who_waits_in_poll_is_never_too_slow() -> None:
    kafka = KafkaBench(partitions=1, hop_ms=5)
    kafka.group(max_poll_interval_ms=4000, **SESSION)
    kafka.append("a")
    kafka.advance(60_000)
    assert kafka.numbers("revoked") == []


def test_a_rebalance_waits_no_longer_than_max_poll_interval() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = kafka.group(members=2, max_poll_interval_ms=6000, **SESSION, **EAGER)
    slow, quick = group.readers
    slow.work_ms = 60_000
    kafka.append("long", partition=0)
    kafka.advance(3000)
    newcomer = group.join()
    kafka.advance(9000)
    assert sorted(quick.partitions + newcomer.partitions) == [0, 1]
    assert slow.name not in group.group.members


# --- static members ------------------------------------------------------------------------------------------


@BOTH
def test_a_static_member_that_is_back_in_time_gets_what_it_had_without_a_rebalance(protocol: dict[str, object]) -> None:
    kafka = KafkaBench(partitions=4, hop_ms=5)
    group = static(kafka, 2, **SESSION, **protocol)
    kept, had = (reader.partitions for reader in group.readers)
    kafka.advance(1000)
    group.readers[1].leave()
    kafka.append("a", partition=3)
    kafka.advance(5000)
    assert (group.readers[0].partitions, group.seen) == (kept, [])
    back = group.join("payment-1")
    kafka.advance(100)
    assert (back.partitions, back.seen, kafka.numbers("rebalanced")) == (had, ["a"], [1])


def test_a_static_member_that_stays_away_is_given_up_after_session_timeout() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = static(kafka, 2, **SESSION)
    kafka.advance(1000)
    gone, there = group.readers
    due_ms = gone.member.last_heartbeat_ns() / 1e6 + 10_000
    gone.leave()
    kafka.advance(due_ms - kafka.now_ms - 1)
    assert there.partitions == [1]
    kafka.advance(3020)
    assert there.partitions == [0, 1]


def test_a_static_member_that_is_missed_twice_is_given_up_the_second_time() -> None:
    """The first watch for its return ends while the second is on."""
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = static(kafka, 2, **SESSION)
    kafka.advance(1000)
    twice, there = group.readers
    group.group.lose(twice.member)
    kafka.advance(3000)
    group.group.join(twice.member)
    kafka.advance(4000)
    twice.member.die()
    group.group.lose(twice.member)
    due_ms = twice.member.last_heartbeat_ns() / 1e6 + 10_000
    kafka.advance(due_ms - kafka.now_ms - 1)
    assert there.partitions == [1]
    kafka.advance(3020)
    assert there.partitions == [0, 1]


def test_a_second_process_with_the_same_instance_id_fences_the_first() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = static(kafka, 1, enable_auto_commit=False, **SESSION)
    kafka.append("a")
    kafka.advance(100)
    first = group.readers[0].member
    second = group.join("payment-0")
    kafka.advance(15)
    first.commit()
    kafka.advance(15)
    assert (second.partitions, first.alive, group.committed()) == ([0, 1], False, 0)
    assert len(kafka.numbers("fenced")) == 1


def test_a_slow_static_member_keeps_its_partitions_until_the_session_timeout() -> None:
    # It does not say goodbye when max.poll.interval.ms is over, it only falls silent.
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = static(kafka, 2, max_poll_interval_ms=2000, **SESSION)
    slow, quick = group.readers
    slow.work_ms = 8000
    kafka.append("long", partition=0)
    kafka.advance(7000)
    assert quick.partitions == [1]
    kafka.advance(5000)
    assert (slow.partitions, quick.partitions, kafka.numbers("rebalanced")) == ([0], [1], [1])


def test_static_members_are_divided_among_in_the_order_of_their_instance_ids() -> None:
    kafka = KafkaBench(partitions=3, hop_ms=5)
    group = kafka.group(begin=False, initial_delay_ms=0, **SESSION, **EAGER)
    first, second = group.join("instance-2"), group.join("instance-1")
    kafka.advance(10_000)
    assert (first.partitions, second.partitions) == ([2], [0, 1])


# --- what moves ----------------------------------------------------------------------------------------------


def test_the_eager_sticky_assignor_knows_what_members_had_though_they_gave_it_up() -> None:
    kafka = KafkaBench(partitions=6, hop_ms=5)
    group = kafka.group(members=3, partition_assignment_strategy=["sticky"], **SESSION)
    before = [set(reader.partitions) for reader in group.readers]
    kafka.advance(1000)
    group.readers[0].leave()
    kafka.advance(5000)
    assert [before[number] <= set(group.readers[number].partitions) for number in (1, 2)] == [True, True]


def test_a_member_at_work_hears_of_two_rounds_and_takes_part_in_both() -> None:
    kafka = KafkaBench(partitions=4, hop_ms=5)
    group = kafka.group(members=1, max_poll_records=1, **SESSION, **COOPERATIVE)
    working = group.readers[0]
    working.work_ms = 4000
    for number in range(20):
        kafka.append(str(number), partition=number % 4)
    newcomer = group.join()
    kafka.advance(40_000)
    assert (len(working.partitions), len(newcomer.partitions)) == (2, 2)


# --- commits that are refused --------------------------------------------------------------------------------


def test_a_commit_of_an_old_generation_is_refused_and_its_member_joins_anew() -> None:
    kafka = KafkaBench(partitions=1, hop_ms=5)
    group = kafka.group(enable_auto_commit=False, **SESSION)
    member = group.readers[0].member
    kafka.append("a")
    kafka.advance(100)
    member.generation -= 1
    member.commit()
    kafka.advance(6)
    assert (group.committed(), kafka.numbers("fenced")) == (0, [0])
    kafka.advance(10_000)
    assert group.readers[0].partitions == [0]
    assert group.seen == ["a", "a"]  # what it could not commit comes again


def test_a_commit_while_shares_are_fetched_is_made_again() -> None:
    # REBALANCE_IN_PROGRESS, which the client takes for a reason to try once more.
    kafka = KafkaBench(partitions=2, hop_ms=20)
    group = kafka.group(members=1, enable_auto_commit=False, **SESSION, **COOPERATIVE)
    member = group.readers[0].member
    kafka.append("a")
    kafka.advance(100)
    group.join()
    while not group.group.syncing:
        kafka.advance(1)
    member.commit()
    kafka.advance(21)
    assert len(kafka.numbers("fenced")) == 1
    kafka.advance(500)
    assert group.committed() == 1


@pytest.mark.parametrize("options", [EAGER, COOPERATIVE], ids=["eager", "cooperative"])
def test_a_refused_commit_of_the_past_does_not_throw_a_member_out_again(options: dict[str, object]) -> None:
    # Its poll commits first, joins anew, and hears of the refusal after that.
    kafka = KafkaBench(partitions=2, hop_ms=5)
    group = kafka.group(members=2, max_poll_interval_ms=4000, auto_commit_interval_ms=1000, **SESSION, **options)
    slow = group.readers[0]
    slow.work_ms = 8000
    kafka.append("long", partition=0)
    kafka.advance(30_000)
    assert len(kafka.numbers("fenced")) == 1
    # It begins, it goes on without the slow one, and with it again (for the cooperative protocol in two rounds).
    assert len(kafka.numbers("rebalanced")) == (3 if options is EAGER else 4)
