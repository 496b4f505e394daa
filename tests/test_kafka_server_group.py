"""Groups of the consumer protocol in simulated time: no barrier, and only what moves is unread for a while."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edasim.core.journal import Verb
from tests.worlds import KafkaBench, KafkaGroup

SERVER = {"group_protocol": "consumer"}


def group(kafka: KafkaBench, members: int = 1, **options: object) -> KafkaGroup:
    return kafka.group(members=members, **SERVER, **options)


def epochs(kafka: KafkaBench) -> list[int]:
    return kafka.numbers("rebalanced")


def test_a_group_begins_with_everything_given() -> None:
    kafka = KafkaBench(partitions=6)
    one = group(kafka, members=2)
    assert [reader.partitions for reader in one.readers] == [[0, 1, 2], [3, 4, 5]]
    assert epochs(kafka) == [1]


def test_the_brokers_range_assignor_can_be_asked_for() -> None:
    kafka = KafkaBench(partitions=3)
    one = group(kafka, members=2, group_remote_assignor="range")
    assert [reader.partitions for reader in one.readers] == [[0, 1], [2]]


def test_a_first_member_does_not_wait_for_others() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = kafka.group(begin=False, initial_delay_ms=3000, auto_offset_reset="earliest", **SERVER)
    kafka.append("a")
    reader = one.join()
    kafka.advance(20)
    assert (reader.partitions, one.seen) == ([0, 1], ["a"])


def test_what_does_not_move_is_read_on_and_what_moves_waits_for_two_heartbeats() -> None:
    kafka = KafkaBench(partitions=6, hop_ms=5)
    one = group(kafka, members=2)
    for number in range(3000):
        for partition in range(6):
            kafka.append(str(number), partition=partition)
        kafka.advance(10)
        if number == 100:
            newcomer = one.join()
    first = one.readers[0]
    assert [len(reader.partitions) for reader in (*one.readers, newcomer)] == [2, 2, 2]
    kept = [time for record, time in zip(first.records, first.seen_ms, strict=True)
            if record.partition.number == first.partitions[0]]
    assert max(later - earlier for earlier, later in pairwise(kept)) < 40
    # The old reader lets go with its next heartbeat, the new one asks again with its own: 5 s each at most.
    moved = newcomer.partitions[0]
    gone = kafka.times_ms("revoked")[0]
    seen = next(time for record, time in zip(newcomer.records, newcomer.seen_ms, strict=True)
                if record.partition.number == moved)
    assert 0 < seen - gone <= 5000 + 30
    assert kafka.facts("redelivered") == []


def test_a_reader_at_work_lets_go_at_its_next_poll() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = group(kafka)
    working = one.readers[0]
    working.work_ms = 20_000
    kafka.append("long", partition=1)
    kafka.advance(100)
    newcomer = one.join()
    kafka.advance(15_000)
    assert newcomer.partitions == []
    kafka.advance(15_000)
    assert (newcomer.partitions, working.partitions) == ([1], [0])
    assert one.committed(1) == 1  # it was committed before it was let go


def test_who_does_not_let_go_within_max_poll_interval_is_out() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = group(kafka, max_poll_interval_ms=8000)
    working = one.readers[0]
    working.work_ms = 60_000
    kafka.append("long", partition=1)
    kafka.advance(100)
    newcomer = one.join()
    kafka.advance(20_000)
    assert newcomer.partitions == [0, 1]
    assert newcomer.seen == ["long"]  # again, for its first reader had not committed it


@pytest.mark.parametrize("crash_ms", [100, 7000])
def test_a_dead_member_is_noticed_after_the_brokers_session_timeout(crash_ms: int) -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5, broker={"group_consumer_session_timeout_ms": 45_000})
    one = group(kafka, members=2)
    kafka.advance(crash_ms)
    dead, alive = one.readers
    last_ms = dead.member.last_heartbeat_ns() / 1e6
    dead.crash()
    kafka.advance(last_ms + 45_000 - crash_ms - 1)
    assert alive.partitions == [1]
    kafka.advance(5010)
    assert alive.partitions == [0, 1]


def test_who_leaves_frees_its_partitions_at_once() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = group(kafka, members=2)
    kafka.advance(1000)
    one.readers[0].leave()
    kafka.advance(5020)
    assert one.readers[1].partitions == [0, 1]


def test_a_static_member_that_comes_back_in_time_moves_nothing() -> None:
    kafka = KafkaBench(partitions=4, hop_ms=5)
    one = group(kafka, members=2)
    for number, reader in enumerate(one.readers):
        reader.member.instance = f"payment-{number}"
        one.group.reconciliation.seats[reader.name].instance = reader.member.instance
    kafka.advance(1000)
    one.readers[1].leave()
    kafka.advance(20_000)
    assert one.readers[0].partitions == [0, 1]
    back = one.join("payment-1")
    kafka.advance(100)
    assert (back.partitions, one.readers[0].partitions, epochs(kafka)) == ([2, 3], [0, 1], [1])


def test_a_static_member_whose_predecessor_is_not_gone_yet_waits_for_the_name() -> None:
    # UNRELEASED_INSTANCE_ID: the broker does not fence the one that it has, as the classic protocol does.
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = kafka.group(begin=False, **SERVER)
    first = one.join("payment-0")
    kafka.advance(100)
    second = one.join("payment-0")
    kafka.advance(20_000)
    assert (first.partitions, second.partitions) == ([0, 1], [])
    first.leave()
    kafka.advance(6000)
    assert second.partitions == [0, 1]


def test_a_static_member_that_died_is_back_only_after_the_session_timeout() -> None:
    # It did not say that it would be back, so that its name is not free (the classic protocol gives it to it at once).
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = kafka.group(begin=False, **SERVER)
    first = one.join("payment-0")
    kafka.advance(100)
    first.crash()
    second = one.join("payment-0")
    kafka.advance(44_000)
    assert second.partitions == []
    kafka.advance(7000)
    assert second.partitions == [0, 1]


def test_a_commit_in_an_old_epoch_is_refused_and_made_again() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = group(kafka, enable_auto_commit=False)
    member = one.readers[0].member
    kafka.append("a")
    kafka.advance(100)
    member.generation -= 1
    member.commit()
    member.generation += 1
    kafka.advance(11)
    assert (one.committed(), len(kafka.numbers("fenced"))) == (0, 1)
    kafka.advance(200)
    assert one.committed() == 1


def test_the_commit_of_who_is_out_is_refused_for_good() -> None:
    kafka = KafkaBench(partitions=1, hop_ms=5)
    one = group(kafka, enable_auto_commit=False, max_poll_interval_ms=3000)
    slow = one.readers[0]
    slow.work_ms = 10_000
    kafka.append("a")
    kafka.advance(5000)
    slow.member.commit()
    kafka.advance(1000)
    assert (one.committed(), kafka.numbers("fenced")) == (0, [1])


def test_who_is_out_and_polls_again_joins_once() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=5)
    one = group(kafka, members=2, max_poll_interval_ms=4000, auto_commit_interval_ms=1000)
    slow = one.readers[0]
    slow.work_ms = 8000
    kafka.append("long", partition=0)
    kafka.advance(40_000)
    assert (epochs(kafka), len(kafka.numbers("fenced"))) == ([1, 2, 3], 1)
    assert len(slow.partitions) == 1


def test_nothing_is_lost_or_repeated_when_members_come_and_go_properly() -> None:
    kafka = KafkaBench(partitions=5, hop_ms=1)
    one = group(kafka, members=2)
    newcomers = []
    for number in range(600):
        kafka.append(str(number), partition=number % 5)
        kafka.advance(100)
        if number in (20, 60, 300):
            newcomers.append(one.join())
        if number in (100, 140):
            [*one.readers, *newcomers][number // 140].leave()
    kafka.advance(60_000)
    assert sorted(one.seen, key=int) == [str(number) for number in range(600)]
    assert kafka.facts("redelivered") == []


def test_a_partition_never_has_two_readers() -> None:
    kafka = KafkaBench(partitions=5, hop_ms=20)
    one = group(kafka, members=2)
    readers = list(one.readers)
    for number in range(60):
        kafka.advance(1500)
        if number % 20 == 3:
            readers.append(one.join())
        if number % 20 == 13:
            readers.pop(0).leave()
    owned: dict[str, int] = {}
    journal = kafka.world.journal
    facts = journal.facts()
    moves = 0
    for verb, place in zip(facts.verbs, facts.places, strict=True):
        if verb in (Verb.assigned, Verb.revoked):
            name = journal.places[place].name
            owned[name] = owned.get(name, 0) + (1 if verb == Verb.assigned else -1)
            moves += 1
            assert owned[name] in (0, 1), name
    assert moves > 20
