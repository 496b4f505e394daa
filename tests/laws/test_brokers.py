"""What members, outages and prefetch windows cost, to the message.  Laws F11, F14, F15."""

from __future__ import annotations

import pytest

from edasim.core.journal import Verb
from edasim.simulate import Run, simulate
from tests.laws import theory
from tests.laws.estimates import assert_near
from tests.laws.shops import ALL, BROKERS, Parts, Scenario, architectures, shop, single_station

# --- F11 ------------------------------------------------------------------------------------------------------------


def group(partitions: int, members: int, strategy: str, **rest: object) -> Scenario:
    """More arrives than all can handle; each member handles 100 a second."""
    kafka = {"topic": {"partitions": partitions}, "producer": {"linger.ms": 0},
             "consumer": {"partition.assignment.strategy": strategy}}
    return single_station("constant 2000/s", "10ms", members, duration="7s", warm_up="2s", drain="0s",
                          architectures={"kafka": kafka}, **rest)


def handled_by_worker(run: Run) -> dict[str, int]:
    """How many messages each worker finished in the measured span."""
    facts = run.facts
    inside = (facts.verbs == Verb.handled) & (facts.times_ns > run.scenario.warm_up) & (facts.times_ns <= run.closed_ns)
    counts = {f"payment-{number}": 0 for number in range(1, run.scenario.services["payment"].workers + 1)}
    for place in facts.places[inside]:
        counts[run.places[place].name] += 1
    return counts


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
@pytest.mark.parametrize("partitions, members, throughput, idle", [
    (6, 3, 300, 0), (6, 6, 600, 0), (6, 12, 600, 6), (6, 4, 400, 0), (1, 3, 100, 2), (12, 5, 500, 0), (4, 7, 400, 3)])
def test_a_group_handles_as_much_as_it_has_members_or_partitions(
        partitions: int, members: int, throughput: int, idle: int, strategy: str) -> None:
    run = simulate(group(partitions, members, strategy), "kafka", 1)
    counts = handled_by_worker(run)
    assert sorted(counts.values()) == [0] * idle + [500] * (members - idle)
    service = run.summary().services["payment"]
    assert_near(service.throughput_per_s, throughput, 0.001)
    assert_near(service.utilisation, (members - idle) / members, 0.001)


def test_rabbitmq_has_no_such_limit() -> None:
    scenario = single_station("constant 2000/s", "10ms", 12, duration="7s", warm_up="2s", drain="0s")
    run = simulate(scenario, "rabbitmq", 1)
    assert list(handled_by_worker(run).values()) == [500] * 12


# --- F14 ------------------------------------------------------------------------------------------------------------


def outage(arrivals: int, rate: int, down_s: int, fault: Parts | None = None) -> Scenario:
    """Orders and work like clockwork, and a service that does nothing for a while."""
    duration_s = 23 + 1.1 * down_s * rate / (rate - arrivals)
    return single_station(
        f"constant {arrivals}/s", f"{1e9 / rate:.0f}ns", duration=f"{duration_s:.0f}s",
        faults={"outage": {"unavailable": "payment", "at": "23s", "for": f"{down_s}s"} | (fault or {})})


def caught_up_s(run: Run) -> float:
    """From the end of the fault to the first moment at which nobody waits."""
    backlog = run.summary().backlog("payment")
    end_s = run.bands[0].end_ns / 1e9
    return float(backlog.times_s[(backlog.times_s > end_s) & (backlog.values == 0)][0]) - end_s


@pytest.mark.parametrize("arrivals, rate, down_s, architecture", [
    (100, 125, 600, "rabbitmq"), *((100, 125, 60, architecture) for architecture in ALL),
    (50, 200, 120, "kafka"), (80, 100, 45, "rabbitmq"), (30, 40, 100, "rpc"),
])
def test_what_an_outage_leaves_behind_is_worked_off_at_the_rate_that_is_to_spare(
        arrivals: int, rate: int, down_s: int, architecture: str) -> None:
    run = simulate(outage(arrivals, rate, down_s), architecture, 1)
    service = run.summary().services["payment"]
    assert_near(service.backlog_max, arrivals * down_s, 0.002)
    assert_near(caught_up_s(run), theory.catch_up(arrivals, rate, down_s), 0.002)
    assert_near(float(service.wait_s.max()), down_s, 0.002)
    assert_near(run.summary().completion_latency_s.max(), down_s, 0.002)
    if architecture in BROKERS:
        assert_near(service.staleness_max_s, down_s, 0.002)
        assert run.summary().convergence_s("payment") == pytest.approx([caught_up_s(run)], rel=0.002)


def test_a_crash_leaves_behind_as_much_as_a_pause() -> None:
    fault = {"unavailable": None, "crash": "payment"}
    run = simulate(outage(100, 125, 60, fault), "rabbitmq", 1)
    assert_near(run.summary().services["payment"].backlog_max, 6000, 0.002)
    assert_near(caught_up_s(run), 240, 0.002)


# --- F15 ------------------------------------------------------------------------------------------------------------

ROUNDS = 150


def distant(prefetch: int, one_way_ms: int, work_ms: int) -> Scenario:
    """One consumer far from its broker, more to do than it can, measured for a whole number of round trips."""
    round_trip_ms = 2 * one_way_ms + work_ms
    busy_per_s = 1000 / work_ms
    return shop(
        f"constant {1.6 * busy_per_s:.0f}/s", {"payment": {"work": f"{work_ms}ms"}},
        warm_up=f"{20 * round_trip_ms}ms", duration=f"{(20 + ROUNDS) * round_trip_ms}ms", drain="0s",
        wire={"base": "none", "broker-to-consumer": f"{one_way_ms}ms", "consumer-to-broker": f"{one_way_ms}ms"},
        architectures={"rabbitmq": {"prefetch": prefetch, "queue": {"x-queue-type": "classic"}}})


def wait_at_client_s(run: Run, one_way_ms: int) -> float:
    """How long the last messages lay at the client before they were begun."""
    delivered, started = (run.facts.only(run.facts.verbs == verb) for verb in (Verb.delivered, Verb.started))
    # One consumer and one queue: the nth message to be delivered is the nth to be begun.
    assert delivered.numbers[: len(started)].tolist() == started.numbers.tolist()
    waits_ns = started.times_ns - delivered.times_ns[: len(started)] - one_way_ms * 1_000_000
    return float(waits_ns[-100:].mean()) / 1e9


@pytest.mark.parametrize("one_way_ms, work_ms, prefetches", [
    (50, 4, (1, 10, 25, 26, 51)), (10, 5, (1, 4, 5, 6, 20)), (100, 2, (1, 30, 101, 102, 200)), (3, 1, (1, 2, 6, 7, 8)),
])
def test_a_prefetch_window_keeps_a_distant_consumer_as_busy_as_it_reaches(
        one_way_ms: int, work_ms: int, prefetches: tuple[int, ...]) -> None:
    round_trip_ms = 2 * one_way_ms + work_ms
    for prefetch in prefetches:
        run = simulate(distant(prefetch, one_way_ms, work_ms), "rabbitmq", 1)
        service = run.summary().services["payment"]
        utilisation = theory.prefetch_utilisation(prefetch, work_ms, round_trip_ms)
        assert_near(service.utilisation, utilisation, 0.001)
        assert_near(service.throughput_per_s, utilisation * 1000 / work_ms, 0.001)
        waits_ms = max(0, prefetch * work_ms - round_trip_ms)
        assert wait_at_client_s(run, one_way_ms) == pytest.approx(waits_ms / 1000, rel=0.001, abs=1e-6)


def test_a_wider_window_only_makes_messages_wait_at_the_client() -> None:
    narrow, wide = (simulate(distant(prefetch, 50, 4), "rabbitmq", 1) for prefetch in (26, 51))
    assert narrow.summary().services["payment"].throughput_per_s == wide.summary().services["payment"].throughput_per_s
    assert wait_at_client_s(narrow, 50) == pytest.approx(0, abs=1e-6)
    assert wait_at_client_s(wide, 50) == pytest.approx(0.1, rel=0.001)


def test_prefetch_of_one_worker_says_nothing_about_another() -> None:
    three = {"services.payment.workers": 3, "producers.checkout.arrivals": "constant 900/s"}
    scenario = distant(10, 50, 4).change(three)
    service = simulate(scenario, "rabbitmq", 1).summary().services["payment"]
    assert_near(service.throughput_per_s, 3 * 10 / 0.104, 0.001)


def test_architectures_are_as_the_laws_need_them() -> None:
    """A prefetch of 1, no lingering batch, room for every open order: nothing waits but for a worker."""
    built = shop("1/s", {"payment": {"work": "1s"}}, duration="1s", architectures=architectures()).architectures
    assert built.rabbitmq.prefetch == 1
    assert built.kafka.producer["linger.ms"] == 0
    assert built.rpc.open_requests == 1_000_000
