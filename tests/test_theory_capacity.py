"""Theory of unlimited workers, shared cores, lines with little room, priorities, stores, budgets and breakers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario, Service
from edasim.study.compare import compare
from edasim.study.comparison import Comparison
from edasim.study.theory.birth_death import long_run, with_room
from edasim.study.theory.holding import held
from edasim.study.theory.one_server import priority_waits_s
from edasim.study.theory.overload import warnings
from edasim.study.theory.shared_cores import stretched, throughputs
from tests.laws import theory
from tests.laws.estimates import LIMIT
from tests.laws.shops import BROKERS, architectures, shop
from tests.theory_shops import one_station, predicted, reasons

POOLED = ("monolith", "rpc", "rabbitmq")
CALLED = ("monolith", "rpc")
BRIEF: dict[str, Any] = {"duration": "22s", "warm_up": "2s"}


def parts(threads: Any = 1, **options: dict[str, Any]) -> dict[str, Any]:
    """Architectures without Kafka, with further options of each."""
    built = architectures(threads=threads)
    del built["kafka"]
    if threads == "unlimited":
        built["rabbitmq"]["prefetch"] = "unlimited"
    return {name: {**one, **options.get(name, {})} for name, one in built.items()}


def crowded(work: str = "exponential 15ms", workers: Any = 3, cores: int = 1, arrivals: str = "poisson 45/s",
            ) -> Scenario:
    """Workers who share cores, in the one process as well."""
    built = parts(workers, monolith={"threads": workers, "cores": cores})
    return shop(arrivals, {"payment": {"work": work, "workers": workers, "cores": cores}}, architectures=built, **BRIEF)


def urgent(workers: int = 1, work: str = "gamma mean 15ms cv 1.5") -> Scenario:
    """A third of the orders goes first."""
    built = parts(workers, monolith={"discipline": "priority"}, rpc={"discipline": "priority"}, rabbitmq={
        "queue": {"x-queue-type": "classic", "x-max-priority": 5}})
    one = shop(f"poisson {15 * workers}/s", {"payment": {"work": work, "workers": workers}}, architectures=built,
               producer={"priority": 5}, **BRIEF)
    data: dict[str, Any] = json.loads(one.model_dump_json(by_alias=True, exclude_defaults=True))
    data["producers"]["others"] = {"publishes": "OrderPlaced", "arrivals": f"poisson {30 * workers}/s"}
    return Scenario.from_dict(data)


def scores(comparison: Comparison, path: str, exact: float) -> dict[str, float]:
    """How many standard errors a number lies above theory in each architecture."""
    found = {}
    for name in comparison.architectures:
        values = np.array(comparison.values(name, path))
        found[name] = float((values.mean() - exact) / (values.std(ddof=1) / math.sqrt(len(values))))
    return found


def agrees(comparison: Comparison, path: str, exact: float) -> None:
    """By the rule of z."""
    assert {name: z for name, z in scores(comparison, path, exact).items() if not abs(z) <= LIMIT} == {}


# --- formulas -------------------------------------------------------------------------------------------------


def test_a_chain_with_equal_rates_is_the_bounded_queue_of_the_books() -> None:
    for per_s, servers, places in ((30.0, 1, 4), (300.0, 2, 6), (66.0, 1, 0)):
        exact = theory.bounded(per_s, 1 / 0.015, servers, servers + places)
        found = long_run(per_s, np.arange(1, servers + 1) / 0.015, places)
        assert per_s * (1 - found.refused) == pytest.approx(exact["throughput"])
        assert (found.waiting + found.served) / exact["throughput"] == pytest.approx(exact["sojourn"])


@pytest.mark.parametrize("load", [0.5, 1.0, 1.7])
def test_very_much_room_is_about_as_much_as_there_is(load: float) -> None:
    rates = np.array([1.0])
    near, far = long_run(load, rates, 20_000), long_run(load, rates, 20_001)
    assert far.refused == pytest.approx(near.refused, abs=1e-4)
    assert far.waiting == pytest.approx(near.waiting, rel=1e-3)
    assert long_run(load, rates, 10**9).waiting >= 0


def test_the_scaled_chain_is_the_chain_at_scale_1() -> None:
    rates = np.array([1.0, 2.0])
    assert with_room(1.5, rates, 4, 1.0) == long_run(1.5, rates, 4)
    assert with_room(1.5, rates, math.inf, 1.0) == long_run(1.5, rates)
    assert with_room(1.5, rates, 4, 2.0).refused > with_room(1.5, rates, 4, 1.0).refused


def test_one_shared_core_stretches_work_by_what_is_left_of_it() -> None:
    assert stretched(45.0, 0.015, 1) == pytest.approx(1 / (1 - 45 * 0.015))
    assert stretched(45.0, 0.015, math.inf) == 1.0
    assert stretched(45.0, 0.030, 2) == pytest.approx(1 + theory.pooled_wait(45, 1 / 0.030, 2) / 0.030)


def test_throughputs_are_those_of_mean_value_analysis() -> None:
    core_s, elsewhere_s, there = 0.02, 0.05, 0.0
    found = throughputs(core_s, 1, elsewhere_s, 12)
    for number, throughput in enumerate(found.tolist(), start=1):
        stays_s = core_s * (1 + there)
        exact = number / (stays_s + elsewhere_s)
        there = exact * stays_s
        assert throughput == pytest.approx(exact)
    assert throughputs(0.02, 3, 0.0, 5) == pytest.approx([50, 100, 150, 150, 150])
    assert throughputs(0.02, 50, 0.05, 5) == pytest.approx(np.arange(1, 6) / 0.07)


def test_with_too_much_of_the_less_urgent_the_urgent_wait_for_one_at_most() -> None:
    urgent_s, others_s = priority_waits_s([(10.0, 0.02, 0.0008), (100.0, 0.02, 0.0008)])
    assert others_s == math.inf
    assert urgent_s == pytest.approx(0.02 / (1 - 0.2))


def test_a_worker_waits_for_its_store_when_it_has_succeeded() -> None:
    service = Service.model_validate({"handles": "A", "work": "10ms", "fails": "50%", "store": {
        "replicas": 1, "write-quorum": 1, "read-quorum": 1, "write": "exponential 4ms",
        "write-ack": "exponential 4ms"}})
    once = held(service, Retry(attempts=1))
    assert once.mean_s == pytest.approx(0.010 + 0.5 * 0.008, rel=0.01)
    always = held(service.model_copy(update={"fails": 0.0}), Retry(attempts=1))
    assert always.variance_s2 == pytest.approx(2 * 0.004**2, rel=0.05)


# --- what runs measure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["exponential 15ms", "gamma mean 15ms cv 2"])
def test_unlimited_workers_on_one_core_are_processor_sharing_of_any_shape(shape: str) -> None:
    scenario = crowded(shape, "unlimited")
    both = compare(scenario, POOLED, 12, 20)
    for name in POOLED:
        found = predicted(scenario, name)
        assert (found.model[3:], found.law, found.exact) == ("/1-PS", "processor sharing", True)
        assert (found.wait_s, found.utilisation) == (0.0, pytest.approx(0.675))
    agrees(both, "attempt_mean_s.payment", 0.015 * found.stretch)
    agrees(both, "services.payment.utilisation", found.utilisation)
    assert "Shared cores, RPC, payment: work takes 3.1 times" in " ".join(str(both.theory()).split())


def test_few_workers_on_one_core() -> None:
    scenario = crowded()
    both = compare(scenario, POOLED, 16, 20)
    for name in POOLED:
        found = predicted(scenario, name)
        assert (found.model, found.law, found.exact) == ("M/M/1-PS of at most 3", "birth and death", True)
    assert found.wait_s == pytest.approx(theory.single(45, 1 / 0.015)["Wq"] * 0.675**2)
    agrees(both, "services.payment.wait_s.mean", found.wait_s)
    agrees(both, "attempt_mean_s.payment", 0.015 * found.stretch)
    other = predicted(crowded("gamma mean 15ms cv 2"), "rpc")
    assert (other.law, other.exact) == ("Avi-Itzhak and Halfin", False)
    assert other.wait_s == pytest.approx(found.wait_s * 2.5)


def test_commits_use_no_core() -> None:
    scenario = crowded(cores=1).change({"wire.database-commit": "exponential 20ms"})
    found = predicted(scenario, "monolith")
    assert (found.law, found.exact) == ("flow-equivalent server", False)
    agrees(compare(scenario, ["monolith"], 12, 20), "services.payment.wait_s.mean", found.wait_s)


@pytest.mark.parametrize(
    ("work", "room", "model", "law"),
    [("exponential 15ms", 4, "M/M/1/5", "birth and death"), ("gamma mean 15ms cv 2", 0, "M/G/1/1", "Erlang B")])
def test_a_line_with_little_room(work: str, room: int, model: str, law: str) -> None:
    limit = {"queue-limit": room}
    scenario = one_station("poisson 90/s", work, architectures=parts(monolith=limit, rpc=limit),
                           retry={"attempts": 1}, **BRIEF)
    both = compare(scenario, CALLED, 12, 20)
    for name in CALLED:
        found = predicted(scenario, name)
        assert (found.model, found.law, found.exact) == (model, law, True)
        assert not [text for text in reasons(scenario, name) if "made again" in text]
    if room:
        agrees(both, "services.payment.wait_s.mean", found.wait_s)
    agrees(both, "services.payment.utilisation", found.utilisation)
    again = scenario.change({"retry.attempts": 3})
    assert "calls that find no place are made again (3 attempts at most), so that more come" in reasons(again, "rpc")


def test_unlimited_workers_have_a_number_at_work_and_no_share() -> None:
    scenario = one_station("poisson 90/s", "uniform 5ms..40ms", "unlimited", architectures=parts("unlimited"), **BRIEF)
    both = compare(scenario, POOLED, 12, 20)
    for name in POOLED:
        found = predicted(scenario, name)
        assert (found.model, found.wait_s, found.exact) == ("M/G/infinity", 0.0, True)
        assert math.isnan(found.utilisation)
    agrees(both, "at_work_mean.payment", found.at_work)
    printed = f"{both.theory()} {both.table()}"
    assert "nan" not in printed and "inf " not in printed
    assert both.theory().as_dict()["architectures"]["rpc"]["services"]["payment"]["utilisation"]["theory"] is None
    few = scenario.change({"architectures.rabbitmq.prefetch": 3})
    assert predicted(few, "rabbitmq").model == "M/G/3"


@pytest.mark.parametrize("workers", [1, 3])
def test_the_urgent_go_first_and_the_mean_is_kept(workers: int) -> None:
    scenario = urgent(workers)
    both = compare(scenario, CALLED, 12, 20)
    for name in POOLED:
        found = predicted(scenario, name)
        assert found.law == ("Cobham" if workers == 1 else "Allen-Cunneen by the conservation law")
        vip_s, others_s = found.urgency_waits_s["checkout"], found.urgency_waits_s["others"]
        assert (vip_s + 2 * others_s) / 3 == pytest.approx(found.wait_s)
        assert others_s / vip_s == pytest.approx(1 / (1 - 0.675))
        plain = predicted(scenario.change({"producers.checkout.priority": 0}), name)
        assert plain.wait_s == pytest.approx(found.wait_s)
    agrees(both, "services.payment.wait_s.mean", found.wait_s)
    assert "By priority, in theory" in str(both.theory())


# --- what is said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said", "where"),
    [
        ({"services.payment.breaker": {"failures": 5}, "services.payment.fails": "5%"},
         "while the breaker of payment is open nothing comes (its breaker opens after 5 failures in a row, for 10s, "
         "and closes after 1 probe without failure)", (*CALLED, *BROKERS)),
        ({"retry.budget": {"earns": "20%"}, "services.payment.fails": "5%"},
         "a budget bounds retries to 20% of what succeeds, so that there may be fewer of them", (*CALLED, *BROKERS)),
        ({"architectures.rpc.queue-limit": 2, "producers.checkout.arrivals": "poisson 90/s", "client.retries": 2},
         "customers who were refused try again (2 times at most)", ("rpc",)),
        ({"services.payment.cores": 2, "services.payment.workers": 3,
          "architectures.kafka.topic": {"partitions": 3}},
         "3 workers with queues of their own share 2 cores, for which there is no closed form", ("kafka",)),
    ],
)
def test_what_is_planted_is_named(values: dict[str, object], said: str, where: tuple[str, ...]) -> None:
    scenario = one_station().change(values)
    names = (*CALLED, *BROKERS)
    assert tuple(name for name in names if said in reasons(scenario, name)) == where
    assert not [text for name in names for text in reasons(scenario, name) if "does not know" in text]


def test_where_there_is_no_closed_form_nothing_is_said_to_differ() -> None:
    scenario = one_station(workers=3, architectures=architectures(partitions=3), **BRIEF).change(
        {"services.payment.cores": 2})
    both = compare(scenario, ["kafka"], 2, 7)
    row, = both.theory().rows
    assert row.differs is None
    assert "no closed form" in str(both.theory()) and "nan" not in str(both.theory())
    assert both.theory().as_dict()["architectures"]["kafka"]["services"]["payment"]["wait_s"]["theory"] is None


def test_charts_leave_out_what_has_no_number() -> None:
    from edasim.charts import theory as chart

    few = one_station(workers=3, architectures=architectures(partitions=3), duration="5s", warm_up="0s")
    drawn = chart.theory(compare(few.change({"services.payment.cores": 2}), ["kafka", "rpc"], 2, 7))
    strokes = [line for line in drawn.get_lines() if line.get_marker() == "|" and line.get_markersize() == 13]
    assert len(strokes) == 1
    assert all(math.isfinite(value) for line in strokes for value in line.get_xdata())


def test_little_over_rpc_says_that_the_gateway_is_left_out() -> None:
    scenario = one_station("poisson 60/s", **BRIEF)
    said = "orders that wait at the gateway are in the backlog of each service"
    open_, narrow = (compare(one, ["rpc"], 2, 7) for one in (
        scenario, scenario.change({"architectures.rpc.open-requests": 1})))
    assert said not in " ".join(str(open_.theory()).split())
    assert said in " ".join(str(narrow.theory()).split())
    waiting, product = narrow.theory().little("rpc")
    assert product.mean == pytest.approx(waiting.mean, abs=0.02)


# --- overload -------------------------------------------------------------------------------------------------


def test_cores_count_before_the_run() -> None:
    scenario = one_station("poisson 140/s", "exponential 30ms", 8, architectures=architectures(threads=8, partitions=8))
    assert warnings(scenario, ["rpc", "kafka", "rabbitmq"]) == []
    cored = scenario.change({"services.payment.cores": 2, "architectures.monolith.cores": 3})
    tail = "so its backlog grows for as long as orders come"
    assert warnings(cored, ["rpc", "kafka", "rabbitmq"]) == [f"payment needs 4.2 cores and has 2, {tail}"]
    assert warnings(cored, ["monolith"]) == [f"the monolith needs 4.2 cores and has 3, {tail}"]


def test_unlimited_workers_are_always_enough() -> None:
    scenario = one_station("poisson 1000/s", "30ms", "unlimited", architectures=parts("unlimited"))
    assert warnings(scenario, POOLED) == []
    assert warnings(scenario.change({"services.payment.cores": 4}), ["rpc"])[0].startswith(
        "payment needs 30 cores and has 4")
    said, = warnings(scenario.change({"architectures.rabbitmq.prefetch": 20}), ["rabbitmq"])
    assert said.startswith("payment needs a prefetch of 30 and has 20")


def test_a_line_with_little_room_does_not_grow() -> None:
    limit = {"queue-limit": 5}
    scenario = one_station("poisson 140/s", "exponential 30ms", 3, architectures=parts(3, monolith=limit, rpc=limit))
    assert warnings(scenario, ["rpc"]) == [
        "payment needs 4.2 workers and has 3, so that what finds its queue full is refused"]
    assert warnings(scenario.change({"producers.checkout.arrivals": "poisson 95/s"}), CALLED) == []
