"""What waits in each partition, what a group passes over, and which partitions a crash leaves unread."""

from __future__ import annotations

import numpy as np
import pytest

from edasim.core.journal import Place, Verb
from edasim.measure.ownership import Ownership
from edasim.measure.partitions import partitions
from edasim.measure.reading import Reading
from edasim.simulate import simulate
from tests.study_worlds import small_shop
from tests.test_charts_kafka import crashed, hot, late


def test_a_crash_leaves_two_partitions_unread_until_the_session_is_over_and_eager_stops_the_others_too() -> None:
    eager, cooperative = (Ownership(crashed(name).summary().reading, "payment")
                          for name in ("range", "cooperative-sticky"))
    for owned in (eager, cooperative):
        dead = {one.partition for one in owned.tenures if one.end_s == pytest.approx(3.1)}
        assert len(dead) == 2
        # Six seconds from its last heartbeat, which was at most two before the crash; then the others hear of it.
        longest = [max(end - start for name, start, end in owned.unread() if name == one) for one in dead]
        assert all(4 <= gap <= 6 + 2.5 for gap in longest)
    assert {name for name, *_ in eager.unread()} == set(eager.by_partition)
    assert len({name for name, *_ in cooperative.unread()}) == 2


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


def test_a_jump_beyond_what_was_begun_passes_nothing_over() -> None:
    run = simulate(small_shop().change({"faults": None}), "kafka", 7)
    run.journal.record(Verb.skipped, 20, Place("group", "payment OrderPlaced-0", "payment", "overtaken"))
    first = partitions(Reading(run), "payment")[0]
    assert first.records > 20
    assert np.isinf(first.passed_s).all()
