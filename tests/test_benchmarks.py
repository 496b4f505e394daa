"""The plain models of the benchmarks do the same work as edasim, and do it right. Nothing here is timed."""
from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import cache
from statistics import mean, stdev

import pytest

from benchmarks import bench, heapq_loop, usual_simpy
from benchmarks.workload import Law, Service, Workload
from edasim.core.journal import Verb
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate

BROKERS = ("rabbitmq", "kafka")
SHOP = Workload(orders=1_500)
SEEDS = range(8)
Log = list[tuple[float, str, str, int]]


@cache
def full(broker: str, seed: int = 7) -> Run:
    return simulate(Scenario.from_dict(SHOP.scenario()), broker, seed=seed)


@cache
def usual(broker: str, seed: int = 7) -> Log:
    model: Callable[[Workload, int], Log] = getattr(usual_simpy, broker)
    return model(SHOP, seed)


@cache
def loop(broker: str, seed: int = 7, in_blocks: bool = False) -> heapq_loop.Counters:
    model: Callable[..., heapq_loop.Counters] = getattr(heapq_loop, broker)
    return model(SHOP, seed, in_blocks=in_blocks)


def counts_of(run: Run) -> Counter[str]:
    return Counter(Verb(number).name for number in run.facts.verbs.tolist())


def within_errors(ours: list[float], theirs: list[float], errors: float = 4.0) -> bool:
    """Whether two means of independent runs agree within so many standard errors of their difference."""
    spread = math.sqrt(stdev(ours) ** 2 / len(ours) + stdev(theirs) ** 2 / len(theirs))
    return abs(mean(ours) - mean(theirs)) < errors * spread


def erlang_c_wait_s(rate: float, work_s: float, workers: int) -> float:
    """The mean wait in M/M/c, from Erlang's formula."""
    load = rate * work_s
    blocked = 1.0
    for number in range(1, workers + 1):
        blocked = load * blocked / (number + load * blocked)
    waits = blocked / (1 - load / workers * (1 - blocked))
    return waits * work_s / (workers - load)


def mean_time_s(log: Log, start: str, end: str, service: str) -> float:
    """The mean time of an order from one fact to another at a service ("" for a fact of no service)."""
    began = {order: time for time, what, where, order in log if what == start and where in (service, "")}
    return mean(time - began[order] for time, what, where, order in log if what == end and where == service)


def log_of(run: Run) -> Log:
    """The full simulator's facts in the shape of the usual model's log."""
    facts, services = run.facts, [place.service for place in run.places]
    names = {"client": "", "partition": ""}
    return [(time / 1e9, Verb(verb).name, names.get(run.places[place].kind, services[place]), number)
            for time, verb, place, number in zip(facts.times_ns.tolist(), facts.verbs.tolist(),
                                                 facts.places.tolist(), facts.numbers.tolist(), strict=True)]


@pytest.mark.parametrize("broker", BROKERS)
def test_the_usual_model_has_the_same_facts_as_edasim(broker: str) -> None:
    ours, theirs = counts_of(full(broker)), Counter(what for _, what, _, _ in usual(broker))
    # When a commit falls due is drawn, so their number differs a little.
    commits = ours.pop("committed", 0), theirs.pop("committed", 0)
    for word in ("rebalanced", "assigned"):
        ours.pop(word, 0)
    assert theirs == ours
    assert commits[1] == pytest.approx(commits[0], rel=0.2)


@pytest.mark.parametrize("in_blocks", [False, True])
@pytest.mark.parametrize("broker", BROKERS)
def test_the_loop_counts_what_edasim_records(broker: str, in_blocks: bool) -> None:
    counters, facts = loop(broker, in_blocks=in_blocks), counts_of(full(broker))
    assert counters.placed == facts["placed"]
    assert counters.accepted == facts["accepted"]
    assert counters.stored == facts["routed"] + facts["appended"]
    assert counters.delivered == facts["delivered"]
    assert counters.acknowledged == facts["acknowledged"]
    assert counters.committed == pytest.approx(facts["committed"], rel=0.2)


def test_a_rabbitmq_order_takes_eight_hops() -> None:
    counters = loop("rabbitmq")
    assert counters.hops == 8 * SHOP.orders
    assert counters.events == 13 * SHOP.orders


@pytest.mark.parametrize("broker", BROKERS)
def test_every_service_handles_every_order_once(broker: str) -> None:
    handled = Counter((service, order) for _, what, service, order in usual(broker) if what == "handled")
    wanted = {(service.name, order) for service in SHOP.services for order in range(1, SHOP.orders + 1)}
    assert set(handled) == wanted
    assert set(handled.values()) == {1}
    assert [set(of_service[1:]) for of_service in loop(broker).handled] == [{1}, {1}, {1}]


@pytest.mark.parametrize("broker", BROKERS)
def test_time_in_the_usual_model_moves_forward(broker: str) -> None:
    times = [time for time, _, _, _ in usual(broker)]
    assert times == sorted(times)


@pytest.mark.parametrize("broker", BROKERS)
def test_answers_take_as_long_as_in_edasim(broker: str) -> None:
    ours = [mean_time_s(log_of(full(broker, seed)), "placed", "accepted", "") for seed in SEEDS]
    theirs = [mean_time_s(usual(broker, seed), "placed", "accepted", "") for seed in SEEDS]
    plain = [loop(broker, seed).accept_s / SHOP.orders for seed in SEEDS]
    assert within_errors(ours, theirs)
    assert within_errors(ours, plain)


@pytest.mark.parametrize("service", range(len(SHOP.services)))
@pytest.mark.parametrize("broker", BROKERS)
def test_orders_are_done_as_soon_as_in_edasim(broker: str, service: int) -> None:
    name = SHOP.services[service].name
    ours = [mean_time_s(log_of(full(broker, seed)), "placed", "applied", name) for seed in SEEDS]
    theirs = [mean_time_s(usual(broker, seed), "placed", "applied", name) for seed in SEEDS]
    plain = [loop(broker, seed).complete_s[service] / SHOP.orders for seed in SEEDS]
    assert within_errors(ours, theirs)
    assert within_errors(ours, plain)


@pytest.mark.parametrize(("broker", "workers"), [("rabbitmq", 1), ("rabbitmq", 3), ("kafka", 1)])
def test_waits_are_those_of_erlang_c(broker: str, workers: int) -> None:
    # One delivery at a time makes a queue with its consumers M/M/c, and one partition makes a member M/M/1.
    work_s = 0.65 * workers / 40
    shop = Workload().without_wire(orders=2_500, prefetch=1, partitions=1, nodes=1,
                                   services=(Service("payment", workers, Law("exponential", work_s)),))
    start = "routed" if broker == "rabbitmq" else "appended"
    logs = [getattr(usual_simpy, broker)(shop, seed) for seed in range(12)]
    simpy_waits = [mean_time_s(log, start, "started", "payment") for log in logs]
    loop_waits = [getattr(heapq_loop, broker)(shop, seed).wait_s[0] / shop.orders for seed in range(12)]
    theory = erlang_c_wait_s(40, work_s, workers)
    for waits in (simpy_waits, loop_waits):
        assert abs(mean(waits) - theory) < 4 * stdev(waits) / math.sqrt(len(waits))


def test_no_consumer_has_more_than_its_prefetch() -> None:
    shop = Workload(orders=400, rate=2_000, prefetch=3)
    log, held, most = usual_simpy.rabbitmq(shop, 1), Counter[str](), Counter[str]()
    for _, what, service, _ in log:
        held[service] += (what == "delivered") - (what == "acknowledged")
        most[service] = max(most[service], held[service])
    assert {service.name: most[service.name] for service in shop.services} == {
        service.name: 3 * service.workers for service in shop.services}


def test_the_table_has_every_model_and_marks_the_targets() -> None:
    speeds = {"kafka": {bench.EDASIM: [30.0, 40.0], bench.USUAL: [10.0, 10.0], bench.HEAPQ: [120.0, 120.0],
                        bench.HEAPQ_IN_BLOCKS: [200.0, 200.0]}}
    lines = bench.table(bench.speed_rows(speeds)).splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["kafka: edasim", "kafka: usual SimPy"]
    assert "3.50" in lines[4] and "met" in lines[4]
    assert "3.50" in lines[5] and "MISSED" in lines[5]


def test_the_benchmark_runs_from_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--orders", "100", "--rounds", "1", "--no-growth", "--no-slider", "--no-peers", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {row["what"].split(":")[0] for row in printed["rows"]} == set(BROKERS)
    growth = {"kafka": {200: bench.measure_one_size("kafka", 200), 400: bench.measure_one_size("kafka", 400)}}
    assert [row.what for row in bench.growth_rows(growth) if row.target] == [
        "kafka: speed at 400 / at 200", "kafka: memory with all facts"]
