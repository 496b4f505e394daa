"""Members that come, go and die: who reads what afterwards, what waits meanwhile, and where a newcomer begins."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.worlds import KafkaBench, KafkaGroup

SESSION = {"session_timeout_ms": 10_000, "heartbeat_interval_ms": 3000}
EAGER = {"partition_assignment_strategy": ["range"]}
COOPERATIVE = {"partition_assignment_strategy": ["cooperative-sticky"]}


def holders(group: KafkaGroup) -> list[list[int]]:
    """The partitions of each living member."""
    return [reader.partitions for reader in group.readers if reader.member.alive]


def test_a_group_begins_joined_and_stable_at_offset_0() -> None:
    kafka = KafkaBench(partitions=6)
    kafka.append("a")
    group = kafka.group(members=2)
    assert holders(group) == [[0, 1, 2], [3, 4, 5]]
    kafka.advance(1)
    assert (group.seen, kafka.times_ms("rebalanced")) == (["a"], [0])


def test_more_members_than_partitions_leave_the_rest_idle() -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group(members=4)
    for number in range(20):
        kafka.append(f"{number}", partition=number % 2)
    kafka.advance(1)
    assert sorted(len(reader.seen) for reader in group.readers) == [0, 0, 10, 10]


# --- dying and leaving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("crash_ms", [100, 2000, 6543, 9999])
def test_a_dead_members_partitions_wait_for_session_timeout_from_its_last_heartbeat(crash_ms: int) -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group(members=2, **SESSION)
    kafka.advance(crash_ms)
    dead, alive = group.readers
    last_heartbeat_ms = dead.member.last_heartbeat_ns() / 1e6
    assert crash_ms - 3000 < last_heartbeat_ms <= crash_ms
    dead.crash()
    kafka.append("a", partition=0)
    kafka.advance(last_heartbeat_ms + 10_000 - crash_ms - 1)
    assert (group.seen, alive.partitions) == ([], [1])
    kafka.advance(3002)  # the other learns of it with its next heartbeat
    assert (alive.seen, alive.partitions) == (["a"], [0, 1])


def test_the_only_members_partitions_wait_as_long_for_a_successor() -> None:
    kafka = KafkaBench()
    group = kafka.group(**SESSION)
    kafka.advance(5000)
    dead = group.readers[0]
    due_ms = dead.member.last_heartbeat_ns() / 1e6 + 10_000
    dead.crash()
    kafka.append("a")
    kafka.advance(100)
    successor = group.join()
    kafka.advance(20_000)
    assert successor.seen_ms == [pytest.approx(due_ms, abs=0.001)]


def test_who_leaves_properly_is_not_waited_for() -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group(members=2, **SESSION)
    kafka.append("before", partition=0)
    kafka.advance(1000)
    leaving, staying = group.readers
    leaving.leave()
    kafka.append("a", partition=0)
    kafka.advance(3001)  # one heartbeat of the other
    assert (staying.seen, staying.partitions) == (["a"], [0, 1])
    assert kafka.facts("redelivered") == []


def test_a_member_that_works_does_not_join_before_its_next_poll() -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group(members=2, **SESSION, **EAGER)
    leaving, working = group.readers
    working.work_ms = 20_000
    kafka.append("long", partition=1)
    kafka.advance(1000)
    leaving.leave()
    kafka.append("a", partition=0)
    kafka.advance(18_999)
    assert group.seen == []
    kafka.advance(2)
    assert group.seen == ["long"]
    kafka.advance(30_000)
    assert group.seen == ["long", "a"]


def test_no_record_is_lost_and_none_repeated_when_members_come_and_go_properly() -> None:
    kafka = KafkaBench(partitions=4, hop_ms=1)
    group = kafka.group(members=2, **SESSION)
    newcomers = []
    for number in range(200):
        kafka.append(str(number), partition=number % 4)
        kafka.advance(100)
        if number in (20, 60):
            newcomers.append(group.join())
        if number in (100, 140):
            [*group.readers, *newcomers][number // 140].leave()
    kafka.advance(20_000)
    assert sorted(group.seen, key=int) == [str(number) for number in range(200)]


# --- eager and cooperative -----------------------------------------------------------------------------------


def rebalance_while_reading(protocol: dict[str, object]) -> tuple[list[float], list[float]]:
    """A third member joins at 1 s, while each of 6 partitions gets a record a ms; the first member's seen times."""
    kafka = KafkaBench(partitions=6, hop_ms=5)
    group = kafka.group(members=2, heartbeat_interval_ms=1000, session_timeout_ms=6000, **protocol)
    for number in range(500):
        for partition in range(6):
            kafka.append(f"{number}", partition=partition)
        kafka.advance(10)
        if number == 100:
            group.join()
    kafka.advance(100)
    first = group.readers[0]
    assert len(first.partitions) == 2
    pairs = list(zip(first.records, first.seen_ms, strict=True))
    kept = [time for record, time in pairs if record.partition.number == first.partitions[0]]
    gaps = [later - earlier for earlier, later in pairwise(kept)]
    return kept, gaps


def test_an_eager_rebalance_stops_everybody() -> None:
    _, gaps = rebalance_while_reading(EAGER)
    assert max(gaps) > 50  # for the time in which the slowest member learns of it


def test_a_cooperative_rebalance_lets_read_on_what_does_not_move() -> None:
    _, gaps = rebalance_while_reading(COOPERATIVE)
    assert max(gaps) < 30


@pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE], ids=["eager", "cooperative"])
def test_a_rebalance_among_the_living_repeats_nothing(protocol: dict[str, object]) -> None:
    kafka = KafkaBench(partitions=6, hop_ms=5)
    group = kafka.group(members=2, heartbeat_interval_ms=1000, session_timeout_ms=6000, **protocol)
    for number in range(300):
        kafka.append(str(number), partition=number % 6)
        kafka.advance(10)
        if number == 100:
            group.join()
    kafka.advance(20_000)
    assert sorted(group.seen, key=int) == [str(number) for number in range(300)]
    assert kafka.facts("redelivered") == []


@pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE], ids=["eager", "cooperative"])
def test_after_a_rebalance_an_idle_group_still_commits(protocol: dict[str, object]) -> None:
    kafka = KafkaBench(partitions=6, hop_ms=5)
    group = kafka.group(members=2, heartbeat_interval_ms=1000, session_timeout_ms=6000, **protocol)
    for number in range(300):
        kafka.append(str(number), partition=number % 6)
        kafka.advance(10)
        if number == 100:
            group.join()
    kafka.advance(20_000)
    assert (len(group.seen), group.lag) == (300, 0)


def test_a_cooperative_group_ends_even() -> None:
    kafka = KafkaBench(partitions=6)
    group = kafka.group(members=1, **COOPERATIVE)
    second, third = group.join(), group.join()
    kafka.advance(30_000)
    sizes = [len(reader.partitions) for reader in (*group.readers, second, third)]
    assert sizes == [2, 2, 2]


# --- late joiners --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reset", "seen"), [("latest", ["new"]), ("earliest", ["old", "new"])])
def test_where_a_new_group_begins_is_auto_offset_resets_word(reset: str, seen: list[str]) -> None:
    kafka = KafkaBench()
    kafka.append("old")
    group = kafka.group(begin=False, auto_offset_reset=reset)
    group.join()
    kafka.append("new")
    kafka.advance(10_000)
    assert group.seen == seen
    assert kafka.numbers("skipped") == ([1] if reset == "latest" else [])


def test_an_empty_group_waits_for_others_before_its_first_assignment() -> None:
    kafka = KafkaBench()
    kafka.append("old")
    group = kafka.group(begin=False, initial_delay_ms=3000, auto_offset_reset="earliest")
    reader = group.join()
    kafka.advance(2999)
    assert reader.partitions == []
    kafka.advance(1)
    assert (reader.partitions, reader.seen_ms) == ([0], [3000])


def test_an_empty_group_that_two_join_waits_as_long() -> None:
    kafka = KafkaBench(partitions=2)
    group = kafka.group(begin=False, initial_delay_ms=3000, auto_offset_reset="earliest")
    readers = [group.join(), group.join()]
    kafka.advance(2999)
    assert [reader.partitions for reader in readers] == [[], []]


def test_a_member_that_dies_soon_after_joining_is_waited_for_from_then() -> None:
    kafka = KafkaBench()
    kafka.advance(1000)
    group = kafka.group(begin=False, initial_delay_ms=0, auto_offset_reset="earliest", **SESSION)
    short_lived = group.join()
    kafka.advance(1)
    short_lived.crash()
    kafka.append("a")
    successor = group.join()
    kafka.advance(30_000)
    assert successor.seen_ms[0] >= 1000 + 10_000


# --- what the coordinator refuses and forgets ----------------------------------------------------------------


def test_the_commit_of_a_member_that_was_given_up_is_refused() -> None:
    kafka = KafkaBench()
    group = kafka.group(enable_auto_commit=False, **SESSION)
    kafka.append("a")
    kafka.advance(1)
    zombie = group.readers[0].member
    offsets = {kafka.topic.partitions[0]: 1}
    group.readers[0].crash()
    kafka.advance(20_000)
    group.group.commit((zombie, zombie.generation, offsets))
    assert (group.committed(), kafka.numbers("committed")) == (0, [])


LOST_WORD = "of the group's protocol, only commits are said again when the wire loses them"


def test_a_member_whose_request_to_join_was_lost_asks_again() -> None:
    kafka = KafkaBench(hop_ms=10)
    kafka.append("a")
    group = kafka.group(begin=False, initial_delay_ms=0, auto_offset_reset="earliest")
    there, _ = kafka.links("payment-1")
    there.impair(loss=1.0)
    group.join()
    there.impair(loss=0.0)
    kafka.advance(10_000)
    assert group.seen == ["a"]


@pytest.mark.parametrize("direction", ["to_broker", "to_client"])
def test_a_rebalance_ends_though_the_wire_loses_a_word_of_it(direction: str) -> None:
    kafka = KafkaBench(partitions=2, hop_ms=10)
    group = kafka.group(members=2, **SESSION)
    leaving, staying = group.readers
    kafka.advance(1000)
    link = getattr(staying.member, direction)
    heartbeat_ms = staying.member.next_heartbeat_ns() / 1e6
    leaving.leave()
    kafka.advance(heartbeat_ms - 1005)
    link.impair(loss=1.0)  # the request to join again, or the assignment
    kafka.advance(30)
    link.impair(loss=0.0)
    kafka.append("a", partition=0)
    kafka.advance(30_000)
    assert group.seen == ["a"]


def test_a_goodbye_that_is_lost_is_a_death() -> None:
    kafka = KafkaBench(partitions=2, hop_ms=10)
    group = kafka.group(members=2, **SESSION)
    leaving = group.readers[0]
    leaving.member.to_broker.impair(loss=1.0)
    leaving.leave()
    kafka.append("a", partition=0)
    kafka.advance(30_000)
    assert group.seen == ["a"]


def test_a_member_that_is_assigned_within_its_poll_takes_one_record_at_a_time() -> None:
    # Without latency the answer to joining again comes within the poll that asked.
    kafka = KafkaBench(partitions=4)
    group = kafka.group(members=1, max_poll_records=1, **COOPERATIVE)
    working = group.readers[0]
    working.work_ms = 10
    for number in range(30):
        kafka.append(*(f"{number}-{partition}" for partition in range(4)), partition=number % 4)
    group.join()
    kafka.advance(10_000)
    assert len(group.seen) == 120
    assert min(later - earlier for earlier, later in pairwise(working.seen_ms)) >= 10
