"""Who reads which partition when, and what waits in each: small runs that a pencil can follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edasim.measure.ownership import Ownership, Stretch, ownership
from edasim.measure.partitions import partitions
from edasim.simulate import simulate
from tests.study_worlds import small_shop
from tests.test_charts_kafka import crashed, hot, late

NONE = np.zeros(0)


def test_gaps_are_what_no_stretch_covers_and_are_summed_over_partitions() -> None:
    owned = Ownership({"a-0": [Stretch("a-0", "x", 0, 2), Stretch("a-0", "y", 5, 9), Stretch("a-0", "x", 9, 10)],
                       "a-1": [Stretch("a-1", "x", 0, 3), Stretch("a-1", "y", 2, 8)]}, NONE, 10)
    assert owned.gaps("a-0") == [(2, 5)]
    assert owned.gaps("a-1") == [(8, 10)]
    assert owned.unavailable_s() == 5
    assert owned.unavailable_s(4, 9) == 2
    assert owned.unread().at(np.array([1, 3, 6, 9])).tolist() == [0, 1, 0, 1]
    assert (owned.members, owned.changed_hands()) == (("x", "y"), 3)


def test_a_crash_leaves_two_partitions_unread_until_the_session_is_over_and_eager_stops_the_others_too() -> None:
    eager, cooperative = (ownership(crashed(name).summary().reading, "payment")
                          for name in ("range", "cooperative-sticky"))
    for owned in (eager, cooperative):
        assert len(owned.partitions) == 6
        dead = [name for name, many in owned.stretches.items() if many[0].end_s == pytest.approx(3.1)]
        assert len(dead) == 2
        # Six seconds from its last heartbeat, which was at most two before the crash; then the others hear of it.
        longest = [max(end - start for start, end in owned.gaps(name)) for name in dead]
        assert all(4 <= gap <= 6 + 2.5 for gap in longest)
    assert all(eager.gaps(name) for name in eager.partitions)
    assert sum(bool(cooperative.gaps(name)) for name in cooperative.partitions) == 2
    assert eager.unavailable_s() > cooperative.unavailable_s() > 8


def test_nobody_shares_a_partition_and_every_attempt_is_made_by_its_reader() -> None:
    run = crashed("cooperative-sticky")
    owned = ownership(run.summary().reading, "payment")
    for many in owned.stretches.values():
        assert all(before.end_s <= after.start_s for before, after in pairwise(many))
    assert owned.end_s == pytest.approx(run.end_ns / 1e9)


def test_without_a_rebalance_each_partition_has_one_reader_all_the_time() -> None:
    owned = ownership(hot().summary().reading, "payment")
    assert [len(many) for many in owned.stretches.values()] == [1] * 6
    assert (owned.unavailable_s(), owned.changed_hands(), len(owned.generations)) == (0, 0, 1)
    assert not ownership(simulate(small_shop(), "rabbitmq", 7).summary().reading, "payment").partitions


def test_what_waits_in_the_partitions_is_the_backlog() -> None:
    for run in (hot(), late(), late("latest")):
        for service in run.scenario.services:
            found = partitions(run.summary().reading, service)
            grid_s = np.linspace(0, run.end_ns / 1e9, 97)
            together = sum(one.waiting().at(grid_s) for one in found)
            # A group that is not there yet has no backlog; what it passes over has never been one.
            joined = grid_s > run.scenario.services[service].joins / 1e9
            assert np.asarray(together)[joined].tolist() == run.summary().backlog(service).at(grid_s)[joined].tolist()


def test_what_a_group_passes_over_is_never_begun() -> None:
    found = partitions(late("latest").summary().reading, "analytics")
    for one in found:
        passed = np.isfinite(one.passed_s)
        assert passed.tolist() == (one.appended_s < 3.0).tolist() or abs(passed.sum() - (one.appended_s < 3).sum()) <= 1
        assert np.isinf(one.begun_s[passed]).all()
        assert np.isfinite(one.begun_s[~passed]).all()
    assert not np.isfinite([passed for one in partitions(late().summary().reading, "analytics")
                            for passed in one.passed_s]).any()
