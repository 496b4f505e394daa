"""Which queue a service is closest to: on textbook shops in all architectures, and on the shipped scenarios."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edasim.brokers.kafka.partitioner import partition_for
from edasim.core.distribution import parse_distribution
from edasim.scenario.reading import load
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario, Service
from edasim.shipped import scenario_file, scenario_names
from edasim.study.theory.holding import attempts_of, handled_share, held
from edasim.study.theory.models import predict
from edasim.study.theory.stations import Station, leaves, stations
from edasim.study.theory.streams import Stream, merged
from tests.laws import theory
from tests.laws.shops import ALL, BROKERS, SEPARATE, architectures, chain, fan_out, shop
from tests.theory_shops import BRIEF, one_station, predicted

# --- one station ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize(
    ("arrivals", "work", "model", "law"),
    [
        ("poisson 40/s", "exponential 15ms", "M/M/1", "M/M/1"),
        ("40/s", "15ms", "M/D/1", "Pollaczek-Khinchine"),
        ("every exponential 25ms", "uniform 10ms..20ms", "M/G/1", "Pollaczek-Khinchine"),
        ("constant 40/s", "exponential 15ms", "D/M/1", "G/M/1"),
        ("constant 40/s", "uniform 10ms..20ms", "D/G/1", "Kraemer-Langenbach-Belz"),
        ("every erlang 4 mean 25ms", "exponential 15ms", "G/M/1", "Kraemer-Langenbach-Belz"),
        ("batches of 4 at poisson 10/s", "gamma mean 15ms cv 0.5", "M[X]/G/1", "Pollaczek-Khinchine for batches"),
    ],
)
def test_one_worker(architecture: str, arrivals: str, work: str, model: str, law: str) -> None:
    found = predicted(one_station(arrivals, work), architecture)
    assert (found.model, found.law) == (model, law)
    assert found.exact == (law != "Kraemer-Langenbach-Belz")
    assert ("approximation" in found.name) != found.exact
    assert found.per_s == pytest.approx(40)
    assert found.load == found.utilisation == pytest.approx(0.6)
    assert bool(found.percentiles_s) == (model == "M/M/1")


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "rabbitmq"])
def test_several_workers_at_one_queue(architecture: str) -> None:
    found = predicted(one_station("poisson 150/s", workers=3), architecture)
    assert (found.model, found.law, found.exact) == ("M/M/3", "Erlang C", True)
    assert found.wait_s == pytest.approx(theory.pooled_wait(150, 1 / 0.015, 3))
    assert found.percentiles_s["p99"] > found.percentiles_s["p95"] > found.percentiles_s["p50"]
    shaped = predicted(one_station("poisson 150/s", "gamma mean 15ms cv 2", workers=3), architecture)
    assert shaped.name == "M/G/3, Allen-Cunneen (approximation)"
    assert shaped.wait_s == pytest.approx(found.wait_s * 5 / 2)


def test_partitions_are_queues_of_their_own() -> None:
    found = predicted(one_station("poisson 150/s", workers=3, producer={"keys": "none"}), "kafka")
    assert (found.model, found.exact) == ("3 x M/M/1", True)
    assert found.wait_s == pytest.approx(theory.single(50, 1 / 0.015)["Wq"])
    assert found.percentiles_s["p99"] == pytest.approx(-math.log(0.01 / 0.75) / (1 / 0.015 - 50))


def test_members_without_a_partition_do_nothing() -> None:
    scenario = one_station("poisson 40/s", workers=3, architectures=architectures(threads=3, partitions=2),
                           producer={"keys": "none"})
    found = predicted(scenario, "kafka")
    assert found.model == "2 x M/M/1"
    assert found.load == pytest.approx(20 * 0.015)
    assert found.utilisation == pytest.approx(40 * 0.015 / 3)


def test_a_prefetch_deals_messages_in_turns_before_anybody_is_free() -> None:
    parts = architectures(threads=3)
    parts["rabbitmq"]["prefetch"] = 20
    found = predicted(one_station("poisson 150/s", workers=3, architectures=parts), "rabbitmq")
    assert (found.model, found.law) == ("3 x E3/M/1", "G/M/1")
    pooled, apart = theory.pooled_wait(150, 1 / 0.015, 3), theory.single(50, 1 / 0.015)["Wq"]
    assert pooled < found.wait_s < apart


def test_a_bounded_queue_that_refuses_is_never_overloaded() -> None:
    parts = architectures(threads=2)
    parts["rabbitmq"]["queue"] |= {"x-max-length": 6, "x-overflow": "reject-publish"}
    found = predicted(one_station("poisson 300/s", workers=2, architectures=parts), "rabbitmq")
    exact = theory.bounded(300, 1 / 0.015, 2, 8)
    assert (found.model, found.exact) == ("M/M/2/8", True)
    assert found.wait_s == pytest.approx(exact["sojourn"] - 0.015)
    assert found.per_s == pytest.approx(exact["throughput"])


def test_servers_without_a_limit_make_nobody_wait() -> None:
    stream, work = Stream(40.0), held(Service(handles="A", work="uniform 1s..3s"), Retry())
    found = predict(Station(stream, work, 2.0, math.inf))
    assert (found.model, found.wait_s, found.exact) == ("M/G/infinity", 0.0, True)
    assert leaves(Station(stream, work, 2.0, math.inf)) == stream


@pytest.mark.parametrize("architecture", ALL)
def test_what_is_overloaded_has_no_steady_state(architecture: str) -> None:
    found = predicted(one_station("poisson 80/s"), architecture)
    assert found.wait_s == math.inf
    assert found.load == pytest.approx(1.2)
    assert found.utilisation == 1.0


# --- keys -----------------------------------------------------------------------------------------------------


def test_a_hot_key_loads_one_member_and_the_wait_is_that_of_all_messages() -> None:
    producer = {"key": "customer", "keys": "hot 60% over 500"}
    scenario = one_station("poisson 60/s", workers=3, producer=producer)
    shares = stations(scenario, "kafka")["payment"].shares
    assert sum(shares) == pytest.approx(1)
    assert 0.6 < shares[0] < 0.8
    found = predicted(scenario, "kafka")
    assert found.wait_s == pytest.approx(sum(
        share * theory.single(60 * share, 1 / 0.015)["Wq"] for share in shares))
    assert found.load == pytest.approx(shares[0] * 60 * 0.015)


def test_a_key_for_each_order_puts_known_orders_into_known_partitions() -> None:
    few = one_station("poisson 40/s", workers=2, duration="1s", warm_up="0s")
    shares = stations(few, "kafka")["payment"].shares
    first = sum(partition_for(f"order-{number}", 2) for number in range(1, 41)) / 40
    assert shares == pytest.approx((max(first, 1 - first), min(first, 1 - first)))


def test_more_keys_than_are_looked_at_are_spread_evenly() -> None:
    producer = {"key": "customer", "keys": "zipf 1.1 over 100000"}
    scenario = one_station("poisson 60/s", workers=4, producer=producer)
    shares = stations(scenario, "kafka")["payment"].shares
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > 0.3


# --- retries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jitter", ["none", "full", "equal"])
def test_how_long_retries_hold_a_worker_is_as_a_drawing_of_lots_has_it(jitter: str) -> None:
    service = Service(handles="A", work="gamma mean 30ms cv 0.7", fails="30%", poison="5%")
    retry = Retry.model_validate({"attempts": 4, "backoff": "exponential 20ms x2 max 50ms", "jitter": jitter})
    luck = np.random.default_rng(7)
    number = 200_000
    ends = np.minimum(luck.geometric(0.7, number), 4)
    ends[luck.random(number) < 0.05] = 4
    total = np.zeros(number)
    for made, wait_s in enumerate((0.0, 0.02, 0.04, 0.05)):
        uniform = luck.random(number)
        kept = {"none": 1.0, "full": uniform, "equal": 0.5 + uniform / 2}[jitter]
        total += np.where(ends > made, luck.gamma(1 / 0.49, 0.03 * 0.49, number) + wait_s * kept, 0.0)
    found = held(service, retry)
    assert found.mean_s == pytest.approx(total.mean(), rel=0.01)
    assert found.variance_s2 == pytest.approx(total.var(), rel=0.03)
    assert attempts_of(service, retry) == pytest.approx(ends.mean(), rel=0.01)
    assert handled_share(service, retry) == pytest.approx(0.95 * (1 - 0.3**4))


def test_an_exponential_work_until_it_succeeds_stays_exponential() -> None:
    retry = Retry.model_validate({"attempts": "unlimited", "backoff": "none"})
    found = held(Service(handles="A", work="exponential 10ms", fails="50%"), retry)
    assert found.exponential
    assert found.mean_s == pytest.approx(0.02)
    assert held(Service(handles="A", work="10ms", poison="1%"), retry).mean_s == math.inf


def test_a_retry_holds_the_worker_or_comes_again() -> None:
    retry = {"attempts": 4, "backoff": "fixed 20ms", "jitter": "none"}
    scenario = one_station("poisson 30/s", retry=retry).change({"services.payment.fails": "25%"})
    attempts = theory.attempts_until_given_up(0.25, 4)
    called, kept = predicted(scenario, "rpc"), predicted(scenario, "kafka")
    assert called.per_s == pytest.approx(30 * attempts)
    assert called.load == pytest.approx(30 * attempts * 0.015)
    assert kept.per_s == pytest.approx(30)
    assert kept.load == pytest.approx(30 * (attempts * 0.015 + (attempts - 1) * 0.02))
    assert called.utilisation == pytest.approx(kept.utilisation)
    aside = predicted(scenario.change({"retry.where": "aside"}), "rabbitmq")
    assert (aside.per_s, aside.load) == pytest.approx((called.per_s, called.load))


# --- several services -----------------------------------------------------------------------------------------


def test_in_the_monolith_an_order_holds_a_thread_through_all_modules() -> None:
    scenario = shop("poisson 20/s", {
        "one": {"work": "exponential 10ms", "publishes": {"Paid": "75%", "Refused": "25%"}},
        "two": {"work": "gamma mean 8ms cv 0.5", "handles": "Paid", "publishes": "Shipped"},
        "three": {"work": "4ms", "handles": ["Shipped", "Refused"]},
    }, **BRIEF)
    station = stations(scenario, "monolith")["one"]
    mean = 0.010 + 0.75 * 0.008 + 0.004
    paid, refused = 0.012, 0.004
    branch = 0.75 * (0.004**2 + paid**2) + 0.25 * refused**2 - (0.75 * paid + 0.25 * refused) ** 2
    assert station.hold.mean_s == pytest.approx(mean)
    assert station.hold.variance_s2 == pytest.approx(0.010**2 + branch)
    assert predict(station).wait_s == pytest.approx(theory.pollaczek_khinchine(20, mean, 0.010**2 + branch))
    assert predict(stations(scenario, "monolith")["two"]).utilisation == pytest.approx(20 * 0.75 * 0.008)


def test_events_in_a_circle_that_dies_out_hold_a_thread_for_a_random_sum() -> None:
    scenario = shop("poisson 20/s", {"one": {
        "handles": ["OrderPlaced", "Again"], "work": "exponential 10ms", "publishes": {"Again": "50%"}}}, **BRIEF)
    hold = stations(scenario, "monolith")["one"].hold
    assert hold.mean_s == pytest.approx(0.020)
    assert hold.variance_s2 == pytest.approx(0.020**2)
    assert predicted(scenario, "rpc", "one").per_s == pytest.approx(40)


@pytest.mark.parametrize("architecture", SEPARATE)
def test_burke_a_chain_of_exponential_servers_is_as_many_queues_alone(architecture: str) -> None:
    scenario = chain("poisson 30/s", ["exponential 20ms", "exponential 25ms"], **BRIEF)
    for name, rate in (("step-1", 50), ("step-2", 40)):
        found = predicted(scenario, architecture, name)
        assert (found.model, found.exact) == ("M/M/1", True)
        assert found.wait_s == pytest.approx(theory.single(30, rate)["Wq"])


@pytest.mark.parametrize("architecture", SEPARATE)
def test_behind_another_shape_arrivals_are_no_longer_random(architecture: str) -> None:
    regular = predicted(chain("poisson 30/s", ["20ms", "exponential 25ms"], **BRIEF), architecture, "step-2")
    works = ["gamma mean 20ms cv 3", "exponential 25ms"]
    wild = predicted(chain("poisson 30/s", works, **BRIEF), architecture, "step-2")
    alone = theory.single(30, 40)["Wq"]
    assert (regular.model, regular.exact) == ("G/M/1", False)
    assert regular.wait_s < alone < wild.wait_s


@pytest.mark.parametrize("architecture", BROKERS)
def test_side_by_side_each_service_gets_the_orders_themselves(architecture: str) -> None:
    scenario = fan_out("poisson 30/s", ["20ms", "exponential 25ms"], **BRIEF)
    assert predicted(scenario, architecture, "leaf-2").model == "M/M/1"
    assert predicted(scenario, "rpc", "leaf-2").model == "M/M/1"
    assert predicted(scenario.change({"architectures.rpc.calls": "sequential"}), "rpc", "leaf-2").model == "G/M/1"


def test_what_is_given_up_causes_nothing() -> None:
    scenario = chain("poisson 30/s", ["exponential 5ms", "exponential 5ms"], **BRIEF).change(
        {"services.step-1.fails": "50%", "retry.attempts": 2})
    assert predicted(scenario, "kafka", "step-2").per_s == pytest.approx(30 * 0.75)


def test_streams_together_and_in_turns() -> None:
    assert merged([Stream(2.0), Stream(3.0)]) == Stream(5.0)
    assert merged([]) == Stream(0.0)
    mixed = merged([Stream(2.0), Stream(2.0, 0.0, "D")])
    assert (mixed.letter, mixed.scv, mixed.per_s) == ("G", 0.5, 4.0)
    assert Stream(6.0, 0.0, "D").in_turns(3) == Stream(2.0, 0.0, "D")
    assert Stream(6.0, 0.0, "D").part(0.5) == Stream(3.0, 0.5, "G")


# --- the shipped scenarios ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("order-processing", {"monolith": "M/G/7", "rpc": "G/M/3", "kafka": "3 x M/G/1", "rabbitmq": "3 x E3/G/1"}),
        ("payment-outage", {"monolith": "M/G/7", "rpc": "G/M/3", "kafka": "3 x M/G/1", "rabbitmq": "3 x E3/G/1"}),
        ("poison-messages", {"monolith": "M/G/10", "rpc": "G/M/6", "kafka": "6 x M/G/1", "rabbitmq": "M/G/6"}),
        ("hot-key", {"monolith": "M/G/9", "rpc": "G/M/3", "kafka": "3 x M/M/1", "rabbitmq": "3 x E3/M/1"}),
        ("flaky-network", {"monolith": "M/G/9", "rpc": "G/M/3", "kafka": "3 x M/M/1", "rabbitmq": "3 x E3/M/1"}),
    ],
)
def test_the_payment_of_the_shipped_scenarios(name: str, models: dict[str, str]) -> None:
    scenario = load(scenario_file(name))
    assert {one: predicted(scenario, one).model for one in ALL} == models


@pytest.mark.parametrize("name", scenario_names())
def test_each_service_of_a_shipped_scenario_has_a_model(name: str) -> None:
    scenario: Scenario = load(scenario_file(name))
    for architecture in scenario.architectures.listed:
        found = stations(scenario, architecture)
        assert list(found) == list(scenario.services)
        for station in found.values():
            prediction = predict(station)
            assert prediction.wait_s >= 0
            assert 0 < prediction.utilisation <= 1


def test_the_squared_coefficient_of_each_work_is_its_own() -> None:
    for text in ("lognormal p50 15ms p99 60ms", "hyper 95% 16ms, 5% exponential 300ms", "empirical [1ms, 9ms]"):
        law = parse_distribution(text)
        found = predicted(one_station("poisson 5/s", text), "rpc")
        assert found.wait_s == pytest.approx(theory.pollaczek_khinchine(5, law.mean_s, law.variance_s2))


ODD_WORKS = ["0s", "5ms", "pareto 1ms shape 0.5", "pareto 1ms shape 1.5", "lognormal mean 5ms cv 50"]
ODD_ARRIVALS = ["0/s", "times [0s]", "every pareto 10ms shape 0.8", "batches of 5 at constant 2/s"]


@pytest.mark.parametrize("work", ODD_WORKS)
@pytest.mark.parametrize("arrivals", ODD_ARRIVALS)
def test_odd_works_and_arrivals_have_a_number_or_no_end(arrivals: str, work: str) -> None:
    retries = ({}, {"fails": "100%"}, {"poison": "5%", "retry": {"attempts": "unlimited", "where": "back"}},
               {"poison": "5%", "retry": {"attempts": 2_000, "backoff": "fixed 10ms"}})
    for retry in retries:
        scenario = shop(arrivals, {
            "one": {"work": work, "workers": 2, "publishes": {"Paid": "40%"}, **retry},
            "two": {"work": work, "handles": ["OrderPlaced", "Paid"]},
        }, **{**BRIEF, "warm_up": "0s", "drain": "1s"})
        for architecture in ALL:
            for station in stations(scenario, architecture).values():
                found = predict(station)
                assert found.wait_s >= 0
                assert 0 <= found.utilisation <= 1
