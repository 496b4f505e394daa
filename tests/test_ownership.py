"""Who read which partition, and for how long nobody did: from the journal of a whole run."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import pytest

from edasim.charts.rebalance import rebalance
from edasim.charts.style import picture
from edasim.measure.ownership import Ownership
from edasim.simulate import Run, simulate
from edasim.study.observation import observe
from tests.worlds import shop

mpl.use("Agg")
SESSION = {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 3000}


def deployed(consumer: dict[str, object] | None = None, fault: dict[str, object] | None = None) -> Run:
    """40 s of a payment service on four partitions, hit by a fault at 11.3 s."""
    fault = fault or {"deploy": "payment", "rolling": "2s"}
    return simulate(shop(
        duration="40s", faults={"hit": {"at": "11.3s", **fault}},
        services={"payment": {"handles": "OrderPlaced", "workers": 2, "work": "exponential 30ms"}},
        architectures={"kafka": {"version": "4.3", "topic": {"partitions": 4},
                                 "consumer": {**SESSION, **(consumer or {})}}}), "kafka")


def group(run: Run) -> Ownership:
    return Ownership(run.summary().reading, "payment")


def by_hand(run: Run) -> float:
    """Partition-seconds without a reader, fact by fact."""
    readers: dict[str, int] = {}
    since: dict[str, float] = {}
    total = 0.0
    for fact in run.journal:
        if fact.place.kind != "group" or fact.verb not in ("assigned", "revoked"):
            continue
        partition = fact.place.name
        if fact.verb == "assigned":
            if readers.get(partition) == 0:
                total += fact.time_s - since[partition]
            readers[partition] = readers.get(partition, 0) + 1
        else:
            readers[partition] -= 1
            since[partition] = fact.time_s
    end_s = run.end_ns / 1e9
    return total + sum(end_s - since[partition] for partition, number in readers.items() if not number)


def test_a_quiet_group_has_all_its_partitions_read_all_the_time() -> None:
    run = deployed(fault={"slow": "payment", "by": "1x", "for": "1s"})
    numbers = observe(run).further["groups"]["payment"]
    assert (numbers["rebalances"], numbers["unread_partition_s"], numbers["moves"]) == (0, 0.0, 0)
    assert [(one.partition, one.member) for one in group(run).tenures] == [
        ("OrderPlaced-0", "payment-1"), ("OrderPlaced-1", "payment-1"),
        ("OrderPlaced-2", "payment-2"), ("OrderPlaced-3", "payment-2")]


@pytest.mark.parametrize("consumer", [
    {}, {"partition.assignment.strategy": "cooperative-sticky"}, {"partition.assignment.strategy": "sticky"},
    {"group.instance.id": "static"}], ids=str)
def test_unread_partition_seconds_are_those_of_the_journal(consumer: dict[str, object]) -> None:
    run = deployed(consumer)
    numbers = group(run).numbers(0.0, run.end_ns / 1e9)
    assert numbers.unread_partition_s == pytest.approx(by_hand(run))
    assert numbers.unread_partition_s > 0.1


def test_only_the_time_between_the_two_times_counts() -> None:
    run = deployed()
    one = group(run)
    edges = [0.0, 12.0, 13.5, 15.0, run.end_ns / 1e9]
    parts = [one.numbers(start, end) for start, end in pairwise(edges)]
    whole = one.numbers(edges[0], edges[-1])
    assert sum(part.unread_partition_s for part in parts) == pytest.approx(whole.unread_partition_s)
    assert sum(part.rebalances for part in parts) == whole.rebalances > 0


def test_a_crash_leaves_partitions_unread_for_the_session_timeout_and_a_heartbeat() -> None:
    run = deployed(fault={"crash": "payment", "workers": 1, "for": "25s"})
    _, crashed_s, _ = next(group(run).unread())
    gaps = {partition: until - begun for partition, begun, until in group(run).unread() if begun == crashed_s}
    assert sorted(gaps) == ["OrderPlaced-0", "OrderPlaced-1"]
    assert all(10 - 3 <= gap <= 10 + 3.1 for gap in gaps.values())


def test_static_members_that_restart_move_nothing_but_are_away_meanwhile() -> None:
    numbers = observe(deployed({"group.instance.id": "static"})).further["groups"]["payment"]
    assert (numbers["rebalances"], numbers["commits_refused"]) == (0, 0)
    # Two members with two partitions each, away for 2 s.
    assert numbers["unread_partition_s"] == pytest.approx(2 * 2 * 2.0, abs=0.5)


def test_no_group_no_partitions() -> None:
    run = simulate(shop(), "rabbitmq")
    assert observe(run).further["unread_partition_s"] == 0
    assert group(run).tenures == []


def test_a_run_tells_what_its_rebalances_cost() -> None:
    told = next(line for line in str(deployed()).splitlines() if line.startswith("group of payment"))
    assert "rebalances" in told and "partition-seconds" in told
    assert "group of payment" not in str(simulate(shop(), "kafka"))


def test_the_chart_has_a_line_a_partition_and_black_where_nobody_reads() -> None:
    run = deployed()
    ax = rebalance(run, ax=picture().add_subplot(), service="payment")
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{number}" for number in range(4)]
    black = [bar for bar in ax.patches if bar.get_facecolor()[:3] == pytest.approx((0.102, 0.102, 0.102), abs=0.01)]
    assert sum(bar.get_width() for bar in black) == pytest.approx(by_hand(run))
    assert "payment" in ax.get_title(loc="left") + ax.get_title()
