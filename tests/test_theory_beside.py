"""Theory beside the run: it agrees where its assumptions hold, and names those that are broken where they are."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from edasim.cli import main
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.shipped import scenario_file, scenario_names
from edasim.study.compare import compare
from edasim.study.description import Description
from edasim.study.precision import Interval
from edasim.study.theory import beside
from edasim.study.theory.beside import Beside, predictions
from edasim.study.theory.overload import warnings
from tests.laws.estimates import LIMIT
from tests.laws.shops import ALL, BROKERS, architectures, chain, shop
from tests.study_worlds import made_up, observed, small_comparison, small_shop
from tests.theory_shops import one_station, predicted, reasons

LONG: dict[str, Any] = {"duration": "60s", "warm_up": "6s"}
BRIEF: dict[str, Any] = {"duration": "22s", "warm_up": "2s"}


def scores(scenario: Scenario, architectures_run: tuple[str, ...] = ALL, number: int = 16) -> dict[str, float]:
    """How many standard errors each wait and each utilisation lies above theory."""
    comparison = compare(scenario, architectures_run, number, 20)
    found = {}
    for row in comparison.theory().rows:
        for what, path, exact in (("wait", "wait_s.mean", row.prediction.wait_s),
                                  ("busy", "utilisation", row.prediction.utilisation)):
            values = comparison.values(row.architecture, f"services.{row.service}.{path}")
            mean = math.fsum(values) / number
            error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (number - 1) / number)
            found[f"{what} {row.architecture} {row.service}"] = (mean - exact) / error
    return found


# --- it agrees where its assumptions hold ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrivals", "work", "workers"),
    [
        ("poisson 40/s", "exponential 15ms", 1),
        ("poisson 90/s", "exponential 20ms", 3),
        ("poisson 30/s", "gamma mean 20ms cv 1.5", 1),
        ("constant 40/s", "exponential 15ms", 1),
        ("batches of 3 at poisson 12/s", "uniform 5ms..25ms", 1),
    ],
)
def test_theory_agrees_with_each_architecture(arrivals: str, work: str, workers: int) -> None:
    # Keys are drawn: with a key for each order the same orders would meet the same partitions in every replication.
    drawn = {"key": "customer", "keys": "uniform over 3000"}
    found = scores(one_station(arrivals, work, workers, **BRIEF, producer=drawn))
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}
    assert len(found) == 8


def test_theory_agrees_where_messages_are_dealt_in_turns() -> None:
    parts = architectures(threads=3)
    parts["rabbitmq"]["prefetch"] = 50
    found = scores(one_station("poisson 90/s", "exponential 20ms", 3, **BRIEF, architectures=parts), ("rabbitmq",))
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}


def test_theory_agrees_where_a_hot_key_makes_a_member_busy() -> None:
    producer = {"key": "customer", "keys": "hot 50% over 300"}
    found = scores(one_station("poisson 60/s", "exponential 15ms", 3, **BRIEF, producer=producer), ("kafka",))
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}


def test_theory_agrees_with_retries_on_the_worker_and_in_the_queue() -> None:
    retry = {"attempts": 3, "backoff": "none"}
    scenario = one_station("poisson 40/s", "exponential 12ms", 1, **BRIEF, retry=retry).change(
        {"services.payment.fails": "30%"})
    found = scores(scenario, ("kafka", "rabbitmq", "rpc"))
    # A failed call comes again at once behind whoever waits: for RPC the busy time is exact, the wait is not.
    found.pop("wait rpc payment")
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}


def test_theory_agrees_along_a_chain_and_over_the_modules_of_the_monolith() -> None:
    scenario = chain("poisson 30/s", ["exponential 12ms", "exponential 15ms"], **BRIEF)
    found = scores(scenario)
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}
    assert len(found) == 16


def test_theory_agrees_with_a_bounded_queue() -> None:
    parts = architectures()
    parts["rabbitmq"]["queue"] |= {"x-max-length": 4, "x-overflow": "reject-publish"}
    found = scores(one_station("poisson 80/s", "exponential 15ms", 1, **BRIEF, architectures=parts), ("rabbitmq",))
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}


def test_theory_agrees_with_a_line_of_little_room() -> None:
    parts = architectures(threads=2)
    for name in ("monolith", "rpc"):
        parts[name]["queue-limit"] = 3
    little = one_station("poisson 150/s", "exponential 15ms", 2, **BRIEF, architectures=parts, retry={"attempts": 1})
    found = scores(little, ("monolith", "rpc"), 15)
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}
    for name in ("monolith", "rpc"):
        assert predicted(little, name).model == "M/M/2/5"
        assert [text for text in reasons(little, name) if "begins empty" not in text] == []
    again = little.change({"retry.attempts": 2})
    assert any(text.startswith("calls that find no place are made again") for text in reasons(again, "rpc"))


def test_theory_agrees_with_a_service_whose_state_is_on_replicas() -> None:
    store = {"write": "uniform 2ms..9ms", "write-ack": "exponential 2ms", "readers": False}
    stored = one_station("poisson 25/s", "exponential 12ms", 1, **BRIEF).change({"services.payment.store": store})
    found = scores(stored, number=15)
    assert {name: round(one, 1) for name, one in found.items() if abs(one) > LIMIT} == {}
    assert all(reasons(stored, name) == [] for name in ALL)
    down = stored.change({"faults.disk": {"failing": "payment.replica-2", "at": "20s", "for": "5s"}})
    assert all(any("replica-2" in text for text in reasons(down, name)) for name in ALL)


# --- and says why where they do not ---------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ALL)
def test_a_textbook_shop_breaks_nothing(architecture: str) -> None:
    assert reasons(one_station(duration="10min", warm_up="1min"), architecture) == []


@pytest.mark.parametrize(
    ("values", "said", "where"),
    [
        ({"faults.f": {"unavailable": "payment", "at": "23s", "for": "10s"}}, "payment down from 23 s to 33 s", ALL),
        ({"faults.f": {"slow": "database", "by": "4x", "at": "5s"}},
         "database 4 times slower to the end", ("monolith",)),
        ({"faults.f": {"cut": "payment <-> broker", "at": "5s", "for": "1s"}},
         "payment <-> broker cut off from 5 s to 6 s", BROKERS),
        ({"producers.checkout.arrivals": "ramp 10/s to 30/s over 20s"},
         "arrivals change over time (ramp 10/s to 30/s over 20s)", ALL),
        ({"producers.checkout.arrivals": "times [1s, 2s]"}, "orders come at written times", ALL),
        ({"wire": "default"}, "the wire adds about 262 µs", ("kafka",)),
        ({"wire": "default"}, "the wire adds about 262 µs, during which its worker is idle", ("rabbitmq",)),
        ({"wire": {"base": "none", "duplicates": "5%"}}, "the wire repeats 5% of the messages", ALL),
        ({"architectures.kafka.producer": {"linger.ms": 20}}, "records of 20 ms come together (linger.ms)", ("kafka",)),
        ({"architectures.kafka.consumer": {"fetch.min.bytes": 5000}},
         "a fetch waits for 5000 bytes (fetch.min.bytes)", ("kafka",)),
        ({"architectures.rabbitmq.queue": {"x-max-length": 5}}, "the queue is bounded (x-max-length 5)", ("rabbitmq",)),
        ({"services.payment.redrive": {"at": "20s", "rate": "5/s"}}, "dead letters come back from 20 s on", BROKERS),
        ({"services.payment.joins": "10s"}, "payment joins at 10 s", BROKERS),
        ({"client": {"timeout": "2s", "retries": 2}}, "customers who were refused try again (2 times at most)", ALL),
        ({"client.timeout": "2s", "architectures.rpc.cancels": True},
         "work whose customer has left after 2 s is dropped", ("rpc",)),
        ({"architectures.rpc.timeout": "1s"}, "a call without an answer after 1 s is given up or made again", ("rpc",)),
        ({"architectures.rpc.open-requests": 1},
         "no more than 1 requests are open, so orders wait before the gateway as well", ("rpc",)),
        ({"services.payment.fails": "5%", "retry.where": "aside"},
         "failed messages come back later (aside) and not at random", BROKERS),
        ({"producers.checkout.arrivals": "poisson 65/s"},
         "the run begins empty: a load of 98% needs a warm-up of about 1.1 min", ()),
    ],
)
def test_what_is_planted_is_named(values: dict[str, object], said: str, where: tuple[str, ...]) -> None:
    scenario = one_station(**LONG).change(values)
    assert tuple(name for name in ALL if said in reasons(scenario, name)) == where


@pytest.mark.parametrize("architecture", ALL)
def test_a_high_load_needs_a_long_warm_up(architecture: str) -> None:
    busy = one_station("poisson 63/s", **LONG)
    said, = [text for text in reasons(busy, architecture) if "warm-up" in text]
    assert said.startswith("the run begins empty: a load of 94% needs a warm-up of about 41 s")
    assert not any("warm-up" in text for text in reasons(busy.change({"warm-up": "45s"}), architecture))


@pytest.mark.parametrize("architecture", ALL)
def test_more_load_than_there_is_has_no_steady_state(architecture: str) -> None:
    assert "with a load over 100% there is no steady state" in reasons(one_station("poisson 80/s"), architecture)[0]


def test_a_change_within_the_run_is_named() -> None:
    changed = one_station(**LONG).change({"services.payment.workers": 2}, at="30s")
    assert "services.payment.workers changes at 30 s" in reasons(changed, "rpc")


def test_a_fault_of_one_service_does_not_reach_a_queue_that_it_does_not_feed() -> None:
    scenario = shop("poisson 30/s", {
        "payment": {"work": "5ms", "publishes": "Paid"}, "mail": {"work": "5ms"},
        "shipping": {"work": "5ms", "handles": "Paid"},
    }, **LONG).change({"faults.outage": {"unavailable": "payment", "at": "9s", "for": "1s"}})
    for architecture in ALL:
        hit = [name for name in scenario.services
               if "payment down from 9 s to 10 s" in reasons(scenario, architecture, name)]
        assert hit == (["payment", "shipping"] if architecture in BROKERS else ["payment", "mail", "shipping"])


def test_an_option_that_no_model_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from edasim.study.theory import unknown

    monkeypatch.setitem(unknown._KNOWN, "Service", unknown._KNOWN["Service"] - {"idempotent"})
    idempotent = one_station(**LONG).change({"services.payment.idempotent": True})
    said = "idempotent of payment is True, which the model does not know"
    assert said in reasons(idempotent, "rpc")
    assert said not in reasons(one_station(**LONG), "rpc")


@pytest.mark.parametrize("name", scenario_names())
def test_the_shipped_scenarios_say_what_they_break(name: str) -> None:
    scenario = load(scenario_file(name))
    wanted = {"black-friday": "arrivals change over time", "payment-outage": "payment down from 23 s to 33 s",
              "order-processing": "payment down from 23 s to 33 s", "hot-key": "no steady state",
              "flaky-network": "broker repeating 5% from 23 s to 43 s",
              "kafka-failover": "broker-1 crashed from 13 s to 53 s",
              "poison-messages": "the wire adds", "slow-notification": "notification 8 times slower from 23 s to 43 s"}
    wanted["kafka-exactly-once"] = "comes together, when their transactions end"
    wanted["kafka-retention-overtakes"] = "payment down from 13 s to 38 s"
    wanted["kafka-rebalance-storm"] = "payment 25 times slower from 61 s to 81 s"
    said = [reason.text for _, found in predictions(scenario, "kafka").values() for reason in found]
    assert any(wanted[name] in text for text in said)


# --- what is shown --------------------------------------------------------------------------------------------


def test_a_row_differs_when_theory_is_outside_its_error_bar() -> None:
    prediction = predicted(one_station(), "rpc")
    busy = Interval(0, 0, 0, 10)
    waits = (prediction.wait_s + 0.0009, prediction.wait_s + 0.0011)
    rows = [Beside("rpc", "payment", prediction, Interval(mean, mean - 0.001, mean + 0.001, 10), busy, ())
            for mean in waits]
    assert [row.differs for row in rows] == [False, True]
    assert [row.because for row in rows] == [(), (beside.BY_CHANCE,)]
    alone = Beside("rpc", "payment", prediction, Interval(0.01, math.nan, math.nan, 1), Interval(0, 0, 0, 1), ())
    assert alone.differs is None


def test_the_table_has_theory_and_littles_law_beside_what_was_measured() -> None:
    both = small_comparison()
    text = str(both.table())
    assert "wait, payment" in text
    assert "3 x M/G/1: " in text
    assert "≠ M/G/5 ≈ " in text
    assert "payment down from 3.1 s to 5.1 s" in text
    for name in both.architectures:
        waiting, product = both.theory().little(name)
        assert product.mean == pytest.approx(waiting.mean, rel=0.02)


def test_little_counts_what_still_waits_at_the_end() -> None:
    over = compare(one_station("poisson 90/s", **LONG), ["rpc"], 2, 7)
    waiting, product = over.theory().little("rpc")
    assert product.mean > 1.1 * waiting.mean
    assert "Little: waits that end after the measured time count in full" in " ".join(str(over.theory()).split())


def test_a_comparison_without_such_numbers_shows_a_dash() -> None:
    text = str(made_up({"kafka": [observed("kafka"), observed("kafka")]}).theory())
    assert "–" in text


def test_theory_is_saved_and_the_main_json_is_not_changed(tmp_path: Path) -> None:
    both = small_comparison()
    assert "theory" not in json.dumps(both.as_dict())
    both.save(tmp_path)
    saved = json.loads((tmp_path / "theory.json").read_text(encoding="utf-8"))
    node = saved["architectures"]["kafka"]["services"]["payment"]
    assert (node["model"], node["formula"], node["approximation"]) == ("3 x M/G/1", "Pollaczek-Khinchine", False)
    measured = both.interval("kafka", "services.payment.wait_s.mean").mean
    assert node["wait_s"]["measured"]["mean"] == pytest.approx(measured)
    assert node["differs"] is True
    assert "payment down from 3.1 s to 5.1 s" in node["broken_assumptions"]
    assert (tmp_path / "theory.png").exists()


# --- overload, before the run ---------------------------------------------------------------------------------


def busy_shop(rate: str, **rest: Any) -> Scenario:
    """Three workers for payment, as the sentence has it."""
    return one_station(rate, "exponential 30ms", 3, **LONG, **rest)


def test_overload_is_said_in_servers() -> None:
    assert warnings(busy_shop("poisson 140/s"), ["rpc", "rabbitmq"]) == [
        "payment needs 4.2 workers and has 3, so its backlog grows for as long as orders come"]
    assert warnings(busy_shop("poisson 140/s"), ["monolith"]) == [
        "the monolith needs 4.2 threads and has 3, so its backlog grows for as long as orders come"]
    assert warnings(busy_shop("poisson 60/s"), ALL) == []


def test_nearly_too_much_is_said_too() -> None:
    assert warnings(busy_shop("poisson 96/s"), ["rpc"]) == [
        "payment will be 96% busy: waits will be long and vary much"]
    assert warnings(busy_shop("poisson 100.1/s"), ["rpc"])[0].startswith("payment needs 3.003 workers and has 3")


def test_peaks_are_said_with_their_times() -> None:
    found = warnings(busy_shop("spike 50/s to 140/s at 20s for 15s"), ["rpc", "kafka"])
    assert found[0] == "between 20 s and 35 s payment needs 4.2 workers and has 3, and its backlog grows"
    ramp, = warnings(busy_shop("ramp 50/s to 150/s over 60s"), ["rpc"])
    assert ramp.startswith("between 30 s and 60 s payment needs 4.5 workers and has 3")
    day, = warnings(busy_shop("profile 20/s 120/s each 5s"), ["rpc"])
    assert day.startswith("between 5 s and 10 s, between 15 s and 20 s and 4 more times payment needs 3.6 workers")


def test_overload_is_said_in_whatever_there_is_too_little_of() -> None:
    """Cores where work shares them, workers where they wait for a store, and retries no more than a budget pays for."""
    busy = one_station("poisson 30/s", "exponential 100ms", 4)
    every = ["monolith", "rpc", "rabbitmq"]
    grows = "so its backlog grows for as long as orders come"
    assert warnings(busy, every) == []
    cores = busy.change({"services.payment.cores": 2, "architectures.monolith.cores": 1})
    assert warnings(cores, every) == [f"the monolith needs 3 cores and has 1, {grows}",
                                      f"payment needs 3 cores and has 2, {grows}"]
    called = ["monolith", "rpc"]
    endless = cores.change({"services.payment.workers": "unlimited", "architectures.kafka": None})
    assert [text.removeprefix("on RPC, ") for text in warnings(endless, called)] == warnings(cores, called)
    stored = busy.change({"services.payment.store": {"write": "100ms", "write-ack": "0s"}})
    assert warnings(stored, every) == [f"the monolith needs 6 threads and has 4, {grows}",
                                       f"payment needs 6 workers and has 4, {grows}"]
    failing = busy.change({"services.payment.fails": "50%", "retry.attempts": 9, "retry.backoff": "none"})
    assert len(warnings(failing, every)) == 2
    assert warnings(failing.change({"retry.budget": {"earns": "20%"}}), every) == []


def test_what_faults_do_is_left_out_and_that_is_said() -> None:
    outage = {"outage": {"unavailable": "payment", "at": "9s", "for": "1s"}}
    assert warnings(busy_shop("poisson 140/s", faults=outage), ["rpc"])[0].endswith("orders come (without the outage)")


def test_one_member_may_have_too_much_where_all_together_have_not() -> None:
    producer = {"key": "customer", "keys": "hot 60% over 500"}
    said, = warnings(busy_shop("poisson 60/s", producer=producer), ["kafka", "rpc"])
    assert said.startswith("on Kafka, one worker of payment gets ")
    assert "which need 1." in said


def test_a_wait_between_attempts_keeps_a_worker_busy_on_a_broker_and_not_over_rpc() -> None:
    retry = {"attempts": 4, "backoff": "fixed 1s", "jitter": "none"}
    scenario = busy_shop("poisson 60/s", retry=retry).change({"services.payment.fails": "10%"})
    said, = warnings(scenario, ["rpc", "kafka", "rabbitmq"])
    assert said.startswith("on Kafka and RabbitMQ, payment needs 8.")


def test_messages_that_always_fail_and_never_end_are_said() -> None:
    scenario = busy_shop("poisson 9/s", retry={"attempts": "unlimited"}).change({"services.payment.poison": "1%"})
    assert "no number of workers is enough for payment" in warnings(scenario, ["kafka"])[0]


def test_the_commands_say_it_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.yml"
    text = Path(scenario_file("payment-outage")).read_text(encoding="utf-8")
    text = text.replace("poisson 40/s", "poisson 140/s").replace("duration: 60s", "duration: 8s")
    file.write_text(text, encoding="utf-8")
    assert main(["check", str(file)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "ok"
    assert any(line.startswith("The monolith needs 11 threads and has 7") for line in out)
    assert main(["run", str(file), "--arch", "kafka", "--json"]) == 0
    printed = capsys.readouterr()
    assert "Before the run: payment needs 4.6 workers and has 3" in printed.err
    assert json.loads(printed.out)["architectures"]["kafka"]
    text = "\n".join(Description(load(file), ("rpc",)).paragraphs())
    assert "Payment needs 4.3 workers and has 3, so its backlog grows" in text


def test_a_single_run_prints_theory_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from edasim.scenario.writing import to_yaml

    file = tmp_path / "shop.yml"
    file.write_text(to_yaml(small_shop()), encoding="utf-8")
    assert main(["run", str(file), "--arch", "kafka"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Theory beside the run" in out
    assert "one run has no error bar to tell whether it differs" in out
    assert "payment down from 3.1 s to 5.1 s" in out
