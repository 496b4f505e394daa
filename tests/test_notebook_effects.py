"""The number that shows each notebook's effect, on its own scenario and seed, with the error bar that it has.

Bounds come from the error bars or from a calculation, and not from one run.  A notebook's shop is read from the
notebook, so that the two cannot part.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import edasim
from edasim.measure.partitions import partitions
from edasim.study.comparison import Comparison
from edasim.study.precision import Interval, difference

pytest.importorskip("ipywidgets", reason="the notebooks need the extra edasim[lab]")

from edasim.lab.counting import history_of, mails

pytestmark = pytest.mark.notebooks
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SEED = 7


@cache
def names_of(number: str, *wanted: str) -> dict[str, Any]:
    """What a notebook has defined once its shop and these names are there, by the cells that assign them."""
    file, = NOTEBOOKS.glob(f"{number}-*.ipynb")
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for source in ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"):
        if set(re.findall(r"^(\w+) = ", source, re.MULTILINE)) & {"shop", *wanted}:
            exec(compile(source, file.name, "exec"), names)
    assert names["SEED"] == SEED
    return names


def study(scenario: Any, architectures: Any) -> Comparison:
    """A comparison as the notebooks make it."""
    return edasim.compare(scenario, architectures, seed=SEED)


def about(found: Interval, low: float, high: float) -> bool:
    """Whether all of an interval is between two bounds."""
    return low <= found.low <= found.high <= high


# --- 00 ---------------------------------------------------------------------------------------------------------


def test_00_impatience_turns_away_most_of_those_in_the_outage_and_patience_only_the_poisoned() -> None:
    names = names_of("00", "guess", "both", "patient")
    both, patient = names["both"], names["patient"]
    placed, refused = (both.interval("monolith", f"focus.{what}") for what in ("placed", "refused"))
    # Whoever orders in the first half of the outage is gone before payment is back.
    assert placed.mean / 2 < refused.low
    assert refused.high < placed.high
    # One order in two hundred is poison, and the error bar of the count is that of a Poisson number of 110.
    assert patient.interval("monolith", "orders.refused").mean == pytest.approx(0.005 * 2196, abs=3 * 110**0.5 / 10)
    assert both.interval("kafka", "orders.refused").high == 0


# --- 01 ---------------------------------------------------------------------------------------------------------


def test_01_a_late_group_hears_nothing_or_all_of_what_was_before_and_a_new_queue_nothing() -> None:
    names = names_of("01", "guess", "analytics", "replaying")
    heard = {name: history_of(names[name], "analytics") for name in ("default", "replay", "rabbit")}
    before, _, since, _ = heard["default"]
    assert before == 1031
    assert heard == {"default": (before, 0, since, since), "replay": (before, before, since, since),
                     "rabbit": (before, 0, since, since)}


def test_01_checkout_does_not_notice_analytics_on_kafka_and_does_in_the_monolith() -> None:
    names = names_of("01", "guess", "analytics")
    with_it = names["wider"].change({"services.analytics.joins": "0s"})
    before, after = (study(shop, ["monolith", "kafka"]) for shop in (names["shop"], with_it))
    assert before.values("kafka", "waiting_s.p50") == after.values("kafka", "waiting_s.p50")
    assert before.values("kafka", "completion_latency_s.p99") == after.values("kafka", "completion_latency_s.p99")
    # 5 ms more of work in a row, of which the median takes about as much.
    longer = difference(after.values("monolith", "waiting_s.p50"), before.values("monolith", "waiting_s.p50"))
    assert about(longer.interval, 0.0035, 0.0065)


def test_01_one_in_twenty_is_thanked_for_a_payment_that_never_was() -> None:
    shop = names_of("01")["shop"]
    runs = [edasim.simulate(shop, "kafka", seed=seed) for seed in range(1, 6)]
    thanked = sum(mails(run).unpaid for run in runs)
    placed = sum(run.summary().outcomes["placed"] for run in runs)
    assert abs(thanked - 0.05 * placed) < 4 * math.sqrt(0.05 * 0.95 * placed)


# --- 02 ---------------------------------------------------------------------------------------------------------


def test_02_refusals_vanish_with_patience_and_the_waiting_does_not() -> None:
    names = names_of("02")
    studies = {timeout: study(names["shop"].change({"client.timeout": timeout}), names["both"])
               for timeout in ("1s", "5s", "30s")}
    away = {timeout: one.interval("monolith", "focus.refused") for timeout, one in studies.items()}
    # All; nearly all but those of the last seconds; only the poison orders, one in two hundred.
    placed = studies["5s"].interval("monolith", "focus.placed")
    assert about(placed, 350, 430)
    assert away["1s"].mean == placed.mean
    assert about(away["5s"], 310, 380)
    assert about(away["30s"].not_below(0), 0, 5)
    assert about(studies["30s"].interval("monolith", "waiting_s.p99"), 9, 10.5)
    assert all(one.interval("kafka", "focus.refused").mean == 0 for one in studies.values())


def test_02_each_pays_its_own_price() -> None:
    names = names_of("02")
    both = study(names["shop"], names["both"])
    assert about(both.interval("kafka", "torn_peak"), 360, 440)
    assert both.interval("monolith", "torn_peak").mean == 0
    assert about(both.interval("monolith", "orphan_effects"), 900, 1200)
    assert both.interval("kafka", "orphan_effects").mean == 0


def test_02_on_a_busy_day_the_monolith_is_the_quicker_one() -> None:
    names = names_of("02")
    shop = names["shop"].change({"faults": None, "producers.checkout.arrivals": "75/s"})
    both = study(shop, names["both"])
    for path in ("completion_latency_s.p50", "completion_latency_s.p95"):
        assert both.difference("kafka", path).sign == 1
        assert both.interval("kafka", path).low > 2 * both.interval("monolith", path).high


# --- 04 ---------------------------------------------------------------------------------------------------------


@cache
def tried(attempts: int, where: str = "worker") -> Comparison:
    """Payment failing for ten seconds, with so many attempts."""
    names = names_of("04")
    return study(names["shop"].change({"retry.attempts": attempts, "retry.where": where}), names["both"])


def test_04_attempts_reach_over_the_fault_and_never_mend_poison() -> None:
    dead = {attempts: tried(attempts).interval("kafka", "dead_lettered") for attempts in (1, 3, 10)}
    # One attempt: all of the 393, and of the 1,795 others the 2% that fail and the 0.5% of poison, about 45 more.
    assert about(dead[1], 410, 470)
    assert about(dead[3], 185, 225)
    # 0.5% of 2,188 are poison: 10.9.
    assert about(dead[10], 5, 17)


def test_04_waiting_in_the_worker_hides_good_orders_and_aside_costs_their_order() -> None:
    worker, aside = tried(10), tried(10, "aside")
    assert worker.interval("kafka", "not_visible").low > 2 * aside.interval("kafka", "not_visible").high
    worker_disorder, disorder = (one.interval("kafka", "ordering_violations") for one in (worker, aside))
    assert worker_disorder.mean == 0 < disorder.low
    assert aside.interval("kafka", "attempts").low > worker.interval("kafka", "attempts").high


def test_04_more_attempts_turn_more_customers_of_the_monolith_away() -> None:
    three, ten = (tried(attempts).values("monolith", "orders.refused") for attempts in (3, 10))
    assert difference(ten, three).sign == 1


def test_04_two_seconds_make_a_storm_at_three_attempts_and_not_at_two() -> None:
    names = names_of("04")
    fault = {"unavailable": "payment", "at": "23s", "for": "2s"}
    calls = names["shop"].change({"faults.outage": fault, "architectures.rpc.timeout": "500ms"})
    one, two, three = (study(calls.change({"retry.attempts": attempts}), "rpc") for attempts in (1, 2, 3))
    assert about(one.interval("rpc", "orders.refused"), 100, 200)
    assert about(two.interval("rpc", "orders.refused"), 150, 350)
    # Everybody who orders from the outage to the end, at 23 of 60 s.
    everybody = 40 * (60 - 23)
    assert about(three.interval("rpc", "orders.refused"), 0.93 * everybody, 1.07 * everybody)
    assert three.interval("rpc", "services.payment.duplicated_effects").low > 2500


# --- 05 ---------------------------------------------------------------------------------------------------------


def test_05_back_to_normal_takes_the_backlog_over_the_capacity_that_is_left() -> None:
    names = names_of("05")
    busy = study(names["shop"], names["names"])
    calm = study(names["shop"].change({"producers.checkout.arrivals": "40/s"}), ["kafka", "rabbitmq"])
    for arrivals, one in ((75, busy), (40, calm)):
        fluid_s = 10 * arrivals / (100 - arrivals)
        for name in ("kafka", "rabbitmq"):
            assert about(one.interval(name, "convergence_s.payment"), 0.75 * fluid_s, 1.35 * fluid_s)
    assert about(busy.interval("kafka", "convergence_s.payment"), 28, 33)


def test_05_who_looks_after_a_second_often_looks_in_vain_unless_yes_means_done() -> None:
    names = names_of("05")
    busy = study(names["shop"], names["names"])
    assert busy.interval("kafka", "not_visible").low > 0.5 * busy.interval("kafka", "orders.accepted").mean
    assert busy.interval("monolith", "not_visible").mean == 0
    assert busy.interval("monolith", "orders.refused").low > 1500


@pytest.mark.parametrize(("workers", "most_s"), [(4, math.inf), (5, math.inf), (6, 10)])
def test_05_a_worker_helps_where_it_gets_a_partition_of_its_own(workers: int, most_s: float) -> None:
    names = names_of("05")
    took = study(names["shop"].change({"services.payment.workers": workers}), "kafka").interval(
        "kafka", "convergence_s.payment")
    assert took.high < most_s
    assert most_s < math.inf or took.low > 25


# --- 06 ---------------------------------------------------------------------------------------------------------


def members(number: int, replications: int) -> Comparison:
    """So many members of payment on six partitions."""
    shop = names_of("06")["shop"].change({"services.payment.workers": number})
    return edasim.compare(shop, "kafka", replications, seed=SEED)


def test_06_a_fourth_member_does_nothing_for_those_who_wait_longest_and_the_sixth_does() -> None:
    two, three, four, six = map(members, (2, 3, 4, 6), (3, 6, 6, 3))
    wait = "services.payment.wait_s.p99"
    # Two do 66.7 a second of the 80 that come for 60 s; 4,800 came and 4,000 went, each give or take its root.
    waiting = two.values("kafka", "services.payment.backlog_max")
    assert abs(sum(waiting) / len(waiting) - 800) < 4 * math.sqrt((4800 + 4000) / len(waiting))
    assert difference(four.values("kafka", wait), three.values("kafka", wait)).sign == 0
    assert six.interval("kafka", wait).high < three.interval("kafka", wait).low / 2
    # The mean does gain, for two partitions got a member of their own.
    mean = "services.payment.wait_s.mean"
    assert difference(four.values("kafka", mean), three.values("kafka", mean)).sign == -1


def test_06_members_beyond_the_partitions_change_nothing_at_all() -> None:
    shop = names_of("06")["shop"]
    six, eight = (edasim.simulate(shop.change({"services.payment.workers": number}), "kafka", seed=SEED).summary()
                  for number in (6, 8))
    assert six.services["payment"].wait_s.tolist() == eight.services["payment"].wait_s.tolist()


def test_06_one_key_too_hot_for_a_member_piles_up_whatever_the_others_could_do() -> None:
    uneven = {"services.payment.workers": 6, "producers.checkout.keys": "zipf 1.8 over 500"}
    shop = names_of("06")["shop"].change(uneven)
    for seed in range(SEED, SEED + 3):
        run = edasim.simulate(shop, "kafka", seed)
        found = sorted(partitions(run.summary().reading, "payment"), key=lambda one: one.records)
        hottest, others = found[-1], found[:-1]
        # A member does 33 a second; it is asked for more than 40, and 60 s of what is left over wait.
        assert 0.5 < hottest.records / sum(one.records for one in found) < 0.6
        assert 300 < hottest.waiting().max(0, math.inf) < 1000
        assert all(one.waiting().max(0, math.inf) < 30 for one in others)
        assert run.summary().services["payment"].utilisation < 0.5


@cache
def crashed(**consumer: object) -> Comparison:
    """A member of payment crashes, and another comes ten seconds later."""
    dies = {"crash": "payment", "workers": 1, "at": "23s", "for": "10s"}
    dotted = {name.replace("_", "."): value for name, value in consumer.items()}
    shop = names_of("06")["shop"].change({"faults.crash": dies, "architectures.kafka.consumer": dotted})
    return edasim.compare(shop, "kafka", 4, seed=SEED)


def test_06_a_dead_member_is_missed_for_45_seconds_not_10_and_eager_stops_the_living_too() -> None:
    eager = crashed()
    longest = eager.interval("kafka", "groups.payment.unread_max_s")
    unread = eager.interval("kafka", "groups.payment.unread_partition_s")
    # 45 s from its last heartbeat, which was up to 3 s before.
    assert about(longest, 42, 45.5)
    # Two partitions for all of it, and four from when the new member asks, at 10 s and the next heartbeats.
    assert about(unread, 2 * 42 + 4 * 30, 2 * 45.5 + 4 * 35)
    cooperative = crashed(partition_assignment_strategy=("cooperative-sticky",))
    assert about(cooperative.interval("kafka", "groups.payment.unread_partition_s"), 2 * 42, 2 * 45.5)
    consumer = crashed(group_protocol="consumer")
    assert about(consumer.interval("kafka", "groups.payment.unread_partition_s"), 2 * 42, 2 * 50)


def test_06_a_shorter_session_is_over_sooner() -> None:
    assert about(crashed(session_timeout_ms=10000).interval("kafka", "groups.payment.unread_max_s"), 7, 13.5)


def test_06_a_new_group_reads_all_that_was_before_or_nothing_of_it() -> None:
    names = names_of("06")
    analytics = {"handles": "OrderPlaced", "workers": 2, "work": "exponential 5ms", "joins": "30s", "required": False}
    passed = {}
    for where in ("earliest", "latest"):
        shop = names["shop"].change({"services.analytics": analytics,
                                     "architectures.kafka.consumer": {"auto.offset.reset": where}})
        found = partitions(edasim.simulate(shop, "kafka", seed=SEED).summary().reading, "analytics")
        passed[where] = sum(int((one.passed_s < math.inf).sum()) for one in found)
        before = sum(int((one.appended_s < 30).sum()) for one in found)
    assert passed["earliest"] == 0
    assert abs(passed["latest"] - before) <= 2
    assert before > 2000
