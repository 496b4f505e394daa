"""Unlimited workers, cores, limits of lines and priorities in a file: read, written, changed, told and estimated."""

from __future__ import annotations

import math

import pytest

from edasim.lab.dials import dials
from edasim.scenario.errors import ScenarioError
from edasim.scenario.estimating import estimate
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict, to_yaml
from edasim.study.description import Description

FILE = """
duration: 60s
producers:
  checkout: {publishes: OrderPlaced, arrivals: 40/s, priority: 9}
  batch: {publishes: OrderPlaced, arrivals: 10/s}
services:
  payment: {handles: OrderPlaced, work: 30ms, workers: unlimited, cores: 2}
  mail: {handles: OrderPlaced, work: 10ms, workers: 3}
architectures:
  monolith: {threads: unlimited, cores: 4, queue-limit: 50, discipline: priority}
  rpc: {queue-limit: 0, discipline: priority}
knobs:
  services.mail.workers: 1 .. 8
  services.payment.workers: 1 .. 8
"""


def told(scenario: Scenario, architecture: str) -> str:
    return Description(scenario, scenario.architectures.listed).wiring(architecture)


def test_what_is_read_is_written_so_that_it_reads_the_same() -> None:
    scenario = load(FILE)
    assert load(to_yaml(scenario)) == scenario
    written = to_dict(scenario)
    assert written["services"]["payment"] == {"handles": "OrderPlaced", "work": "30ms", "workers": "unlimited",
                                              "cores": 2}
    assert written["architectures"]["monolith"] == {"threads": "unlimited", "cores": 4, "queue-limit": 50,
                                                    "discipline": "priority"}
    assert (scenario.services["payment"].workers, scenario.services["payment"].at_once) == (math.inf, 2)


def test_what_is_unlimited_anyway_need_not_be_written() -> None:
    scenario = load(FILE).change({"services.payment.cores": "unlimited", "architectures.rpc.queue-limit": "unlimited"})
    assert "cores" not in to_dict(scenario)["services"]["payment"]
    assert to_dict(scenario)["architectures"]["rpc"] == {"discipline": "priority"}


@pytest.mark.parametrize("path, value", [
    ("services.payment.workers", 3), ("services.mail.cores", 1), ("producers.batch.priority", 200),
    ("architectures.monolith.cores", "unlimited"), ("architectures.monolith.queue-limit", 0),
    ("architectures.rpc.queue-limit", "unlimited"),
])
def test_what_may_change_within_a_run(path: str, value: object) -> None:
    assert load(FILE).change({path: value}, at="10s").changes[0].path == path


@pytest.mark.parametrize("path, value", [
    ("architectures.monolith.discipline", "fifo"), ("architectures.rpc.discipline", "fifo"),
    ("architectures.monolith.threads", 3),
])
def test_what_may_not(path: str, value: object) -> None:
    with pytest.raises(ScenarioError, match="cannot change within a run"):
        load(FILE).change({path: value}, at="10s")


def test_a_slider_over_workers_moves_to_numbers_from_unlimited() -> None:
    mail, payment = dials(load(FILE))
    assert payment.texts == mail.texts == tuple("12345678")
    assert load(FILE).change({payment.path: payment.value("5")}).services["payment"].workers == 5


def test_the_words_say_what_is_unlimited_shared_bounded_and_first() -> None:
    scenario = load(FILE)
    description = Description(scenario, scenario.architectures.listed)
    assert "needs 1.5 cores and has 2; its workers share 2 cores" in description.service("payment")
    assert description.producer("checkout").endswith("with priority 9.")
    monolith, rpc = told(scenario, "monolith"), told(scenario, "rpc")
    assert "one process with unlimited threads" in monolith
    assert "All threads at work share 4 cores, and need 2." in monolith
    assert "At most 50 orders wait for a thread, more are refused at once. The highest priority" in monolith
    assert "Cores of payment have no effect here: the cores of the process hold." in monolith
    assert "At most 0 calls wait at each service" in rpc


def test_the_words_say_when_shared_cores_are_not_enough() -> None:
    scenario = load(FILE).change({"services.payment.cores": 1, "architectures.monolith.cores": 2})
    assert "needs 1.5 of its 1 core, so its backlog grows" in Description(scenario, ("rpc",)).service("payment")
    assert "need 2, so its backlog grows" in told(scenario, "monolith")
    free = scenario.change({"services.payment.cores": "unlimited"})
    assert "keeps 1.5 of its unlimited workers at work" in Description(free, ("rpc",)).service("payment")


@pytest.mark.parametrize("architecture, options, noticed", [
    ("kafka", {}, False), ("rabbitmq", {}, False), ("rabbitmq", {"queue": {"x-max-priority": 5}}, True),
    ("rabbitmq", {"queue": {"x-queue-type": "quorum"}}, True),
    ("rabbitmq", {"version": "3.13", "queue": {"x-queue-type": "quorum"}}, False),
    ("rabbitmq", {"queues": {"mail": {"x-max-priority": 5}}}, True), ("monolith", {}, False), ("rpc", {}, False),
])
def test_the_words_say_where_a_priority_has_no_effect(architecture: str, options: dict[str, object],
                                                      noticed: bool) -> None:
    scenario = load(FILE).change({"services.payment.workers": 3, "architectures": {architecture: options}})
    assert ("riority of checkout has no effect here" in told(scenario, architecture)) != noticed


def test_the_words_say_that_one_consumer_is_unlimited_as_far_as_its_prefetch_lets_it() -> None:
    scenario = load(FILE).change({"architectures": {"rabbitmq": {"prefetch": 50}}})
    assert "One consumer of payment starts a handler for every delivery, up to the prefetch of 50 at once." in told(
        scenario, "rabbitmq")


def test_unlimited_workers_cost_memory_as_far_as_they_are_needed() -> None:
    many = load(FILE)
    few = many.change({"services.payment.workers": 1, "architectures.monolith.threads": 4})
    assert estimate(few).bytes < estimate(many).bytes < estimate(few).bytes + 10e6
    held = many.change({"faults.outage": {"unavailable": "payment", "at": "10s", "for": "30s"}})
    assert estimate(held).bytes > estimate(many).bytes
