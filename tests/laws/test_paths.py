"""What holds on every path, whatever the draws: the recursion of the queue, and one path in all architectures.

Statistics see a wrong queue only when it is wrong by several per cent; these see a nanosecond.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edasim.core.journal import Place, Verb
from edasim.simulate import Run, simulate
from tests.laws import theory
from tests.laws.shops import ALL, ONE_QUEUE, SEPARATE, Scenario, architectures, chain, fan_out, single_station

Integers = NDArray[np.int64]


def times_ns(run: Run, verb: Verb, service: str) -> Integers:
    """When this happened to each order at a service, the first order at index 0; each must have it once."""
    facts = run.facts.only(run.facts.verbs == verb)
    here = np.array([service in (place.service, place.kind) for place in run.places])
    facts = facts.only(here[facts.places])
    order = np.array([run.messages[number].order for number in facts.numbers]) - 1
    assert sorted(order) == list(range(len(order))), f"{verb.name} happened to some orders never or twice"
    found = np.zeros(len(order), np.int64)
    found[order] = facts.times_ns
    return found


def paths(run: Run, service: str = "payment") -> tuple[Integers, Integers, Integers]:
    """For each order: when it was placed, how long its attempt took, and when that began."""
    started, handled = (times_ns(run, verb, service) for verb in (Verb.started, Verb.handled))
    return times_ns(run, Verb.placed, "client"), handled - started, started


def assert_first_come_first_served(arrived: Integers, work: Integers, started: Integers, servers: int) -> None:
    waits = theory.lindley(arrived.tolist(), work.tolist(), servers)
    assert (started - arrived).tolist() == waits


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("work", ["exponential 1s", "lognormal p50 500ms p99 5s", "1s"])
def test_one_worker_follows_lindleys_recursion_to_the_nanosecond(architecture: str, work: str) -> None:
    run = simulate(single_station("poisson 0.9/s", work, duration="2000s"), architecture, 5)
    assert_first_come_first_served(*paths(run), servers=1)


@pytest.mark.parametrize("architecture", ONE_QUEUE)
@pytest.mark.parametrize("workers", [2, 5])
def test_workers_on_one_queue_follow_kiefer_and_wolfowitz_to_the_nanosecond(architecture: str, workers: int) -> None:
    scenario = single_station("poisson 0.9/s", f"exponential {workers}s", workers, duration="2000s")
    run = simulate(scenario, architecture, 6)
    assert_first_come_first_served(*paths(run), servers=workers)


def test_each_partition_is_a_queue_of_its_own() -> None:
    run = simulate(single_station("poisson 3/s", "exponential 1s", workers=4, duration="700s"), "kafka", 7)
    partition = np.zeros(len(run.messages), np.int64)
    for fact in run.journal:
        if fact.verb == "appended" and fact.place.kind == "partition":
            partition[run.messages[fact.number].order - 1] = int(fact.place.name.rpartition("-")[2])
    assert set(partition) == {0, 1, 2, 3}
    for number in range(4):
        assert_first_come_first_served(*(times[partition == number] for times in paths(run)), servers=1)


@pytest.mark.parametrize("architecture", SEPARATE)
def test_what_leaves_one_service_arrives_at_the_next(architecture: str) -> None:
    run = simulate(chain("poisson 0.8/s", ["exponential 1s", "uniform 500ms..1s"], duration="1500s"), architecture, 8)
    assert_first_come_first_served(*paths(run, "step-1"), servers=1)
    left = times_ns(run, Verb.handled, "step-1")
    _, work, started = paths(run, "step-2")
    assert_first_come_first_served(left, work, started, servers=1)


@pytest.mark.parametrize("architecture", SEPARATE)
def test_services_side_by_side_get_an_order_at_once(architecture: str) -> None:
    run = simulate(fan_out("poisson 0.8/s", ["exponential 1s"] * 3, duration="1500s"), architecture, 9)
    done = np.zeros(len(run.messages), np.int64)
    for leaf in ("leaf-1", "leaf-2", "leaf-3"):
        assert_first_come_first_served(*paths(run, leaf), servers=1)
        done = np.maximum(done, times_ns(run, Verb.handled, leaf))
    found = run.summary().completion_latency_s
    np.testing.assert_allclose(found, (done - times_ns(run, Verb.placed, "client")) * 1e-9, rtol=0, atol=1e-9)


def test_modules_of_a_monolith_are_one_piece_of_work() -> None:
    scenario = fan_out("poisson 0.3/s", ["exponential 1s"] * 3, duration="4000s",
                       architectures=architectures(threads=2))
    run = simulate(scenario, "monolith", 10)
    work = np.sum([times_ns(run, Verb.handled, leaf) - times_ns(run, Verb.started, leaf)
                   for leaf in ("leaf-1", "leaf-2", "leaf-3")], axis=0)
    arrived = times_ns(run, Verb.placed, "client")
    assert_first_come_first_served(arrived, work, times_ns(run, Verb.started, "leaf-1"), servers=2)


@pytest.mark.parametrize("scenario, names", [
    (single_station("poisson 0.9/s", "exponential 1s", duration="1500s"), ALL),
    (single_station("poisson 3/s", "gamma mean 1s cv 1.3", workers=4, duration="500s"), ONE_QUEUE),
    (chain("poisson 0.8/s", ["exponential 1s", "lognormal mean 1s cv 2"], duration="1500s"), SEPARATE),
    (fan_out("poisson 0.8/s", ["exponential 1s", "exponential 1s"], duration="1500s"), SEPARATE),
], ids=["one server", "four workers", "one after another", "side by side"])
def test_without_a_wire_the_same_queue_gives_every_order_the_same_latency(
        scenario: Scenario, names: tuple[str, ...]) -> None:
    latencies = [simulate(scenario, architecture, 11).summary().completion_latency_s.tolist() for architecture in names]
    assert len(latencies[0]) > 1000
    for other in latencies[1:]:
        assert other == latencies[0]


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("fault, pace", [({"unavailable": "payment"}, 0.0), ({"slow": "payment", "by": "4x"}, 0.25)])
def test_work_loses_by_a_fault_what_the_fault_takes_and_no_more(
        architecture: str, fault: dict[str, str], pace: float) -> None:
    """The work done while a fault holds is its pace times the time; whatever was done before it still counts."""
    faults = {f"fault-{start}": fault | {"at": f"{start}.123s", "for": "31s"} for start in (100, 250, 600)}
    scenario = single_station("poisson 0.5/s", "exponential 2s", workers=2, duration="700s")
    calm, hit = (simulate(one, architecture, 13) for one in (scenario, scenario.change({"faults": faults})))
    _, drawn, _ = paths(calm)
    _, took, started = paths(hit)
    overlap = sum(np.maximum(0, np.minimum(started + took, band.end_ns) - np.maximum(started, band.start_ns))
                  for band in hit.bands)
    assert np.sum(overlap > 0) >= 6
    np.testing.assert_allclose(took - (1 - pace) * overlap, drawn, rtol=0, atol=4)


def test_time_is_counted_in_nanoseconds() -> None:
    run = simulate(single_station("poisson 0.9/s", "exponential 1s", duration="100s"), "rabbitmq", 12)
    for place, facts in _times_by_place(run).items():
        assert np.any(facts % 1000), f"every fact at {place} is at a whole microsecond"


def _times_by_place(run: Run) -> dict[Place, Integers]:
    facts = run.facts
    return {place: facts.times_ns[facts.places == number] for number, place in enumerate(run.places)
            if np.any(facts.places == number)}
