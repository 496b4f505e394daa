"""Which of a chart's subjects ran on Kafka, and by which protocol their groups shared the partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edasim.charts.subject import comparison_of
from edasim.scenario.broker_options import resolve
from edasim.simulate import Run
from edasim.study.comparison import Comparison


def kafka_runs(subjects: tuple[Run | Comparison, ...]) -> dict[str, Run]:
    """The runs on Kafka among the subjects, by name; of a comparison, the first replication.

    Raises ValueError where there is none.
    """
    runs = {name: run for name, run in comparison_of(subjects).runs.items() if run.architecture == "kafka"}
    if not runs:
        raise ValueError("a chart of partitions needs a run on Kafka: simulate(scenario, \"kafka\")")
    return runs


def service_of(runs: Mapping[str, Run], most: Callable[[Run, str], float]) -> str:
    """The service that has most of something in any of the runs."""
    services = next(iter(runs.values())).scenario.services
    return max(services, key=lambda name: max(most(run, name) for run in runs.values()))


def protocol_words(runs: Mapping[str, Run]) -> dict[str, str]:
    """How each run's groups share their partitions: `range, eager`, `cooperative-sticky`, `consumer protocol`.

    Runs that do not differ in it are numbered.
    """
    words = {name: _protocol(run) for name, run in runs.items()}
    if len(set(words.values())) == len(words):
        return words
    return {name: f"{number}. {text}" for number, (name, text) in enumerate(words.items(), 1)}


def _protocol(run: Run) -> str:
    kafka = run.scenario.architectures.kafka
    assert kafka is not None, "a run on Kafka has its options"
    options = resolve("kafka consumer", kafka.version, kafka.consumer)
    if options.get("group.protocol") == "consumer":
        return "consumer protocol"
    strategy: str = options["partition.assignment.strategy"][0]
    return strategy if strategy == "cooperative-sticky" else f"{strategy}, eager"
