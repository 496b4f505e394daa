"""The model in words: how events flow, what the parts are, which algorithms act, what is assumed."""

from __future__ import annotations

from collections.abc import Sequence

from edasim.scenario.architecture_options import KafkaOptions, RabbitOptions
from edasim.scenario.broker_options import resolve
from edasim.scenario.flow import Flow
from edasim.scenario.value import Scenario
from edasim.study.description import Description, retry_words
from edasim.study.words import capitalised, counted, listed


def flow(scenario: Scenario, description: Description) -> tuple[str, ...]:
    """Who publishes what, and what each service does with it."""
    producers = (capitalised(description.producer(name)) for name in scenario.producers)
    services = (capitalised(description.service(name)) for name in scenario.services)
    return (*producers, *services, _causes(scenario))


def _causes(scenario: Scenario) -> str:
    """Which event is handled by whom, and what follows from it."""
    events = Flow(scenario)
    sentences = []
    for event in sorted(events.reached()):
        handlers = events.handlers.get(event, [])
        caused = [one.event for name in handlers for one in scenario.services[name].publishes]
        then = f", which leads to {listed(dict.fromkeys(caused))}" if caused else ""
        sentences.append(f"{event} is handled by {listed(handlers) if handlers else 'nobody'}{then}")
    return f"{'; '.join(sentences)}."


def retries(scenario: Scenario) -> str:
    """What follows a failed attempt, and where messages go whose attempts are used up."""
    kept = [name for name, service in scenario.services.items() if service.dead_letters]
    parked = f"With a broker, what is given up becomes a dead letter of {listed(kept)}." if kept else ""
    return f"{retry_words(scenario.retry)} {parked}".rstrip()


def algorithms(scenario: Scenario, architectures: Sequence[str]) -> tuple[str, ...]:
    """The rules that act for a person or a product, of the architectures that are compared."""
    retry = scenario.retry
    found = [f"Backoff before a retry: {retry.backoff.text}, jitter {retry.jitter}."] if retry.attempts != 1 else []
    if "monolith" in architectures:
        found.append("Monolith: orders wait for a thread first come, first served; modules run in the order in "
                     "which events lead "
                     "to them, and in that of the file among equals.")
    if "rpc" in architectures:
        found.append("RPC: a service takes requests first come, first served; the gateway keeps only so many "
                     "requests open, "
                     "and orders beyond that wait in line for one.")  # fmt: skip
    kafka, rabbitmq = scenario.architectures.kafka, scenario.architectures.rabbitmq
    if "kafka" in architectures and isinstance(kafka, KafkaOptions):
        found.append(_kafka(kafka))
    if "rabbitmq" in architectures and isinstance(rabbitmq, RabbitOptions):
        found.append("RabbitMQ: the exchange routes a message into every queue whose binding fits; a queue hands "
                     "its oldest "
                     "ready message to the next consumer in turn that has room below its prefetch.")  # fmt: skip
    return tuple(found)


def _kafka(options: KafkaOptions) -> str:
    consumer = resolve("kafka consumer", options.version, options.consumer)
    keys = "the murmur2 hash of its key" if options.key else "no key (batches stick to one partition and move on)"
    strategies = consumer["partition.assignment.strategy"]
    assignors = listed(str(name).rpartition(".")[2] for name in strategies) if strategies else "the broker's assignor"
    protocol = consumer["group.protocol"]
    assigned = assignors if protocol == "classic" else f"the broker (group.protocol {protocol})"
    return (f"Kafka: a record's partition follows from {keys}; partitions are assigned to members by {assigned}; each "
            f"member reads its partitions in order, in batches.")  # fmt: skip


def components(scenario: Scenario, description: Description) -> tuple[str, ...]:
    """Entities, activities, resources, queues, and where entities enter and leave."""
    number = description.orders()
    workers = [f"{name} {service.workers}" for name, service in scenario.services.items()]
    return (
        f"Entities: orders (about {number:,} in a run) and the messages that they cause, each with an id, an "
        "event type, a "
        "key, and a size.",
        f"Activities: handling a message, in {listed(scenario.services)}; each takes a drawn time, and may fail.",
        f"Resources: workers ({', '.join(workers)}); in the monolith threads, as many as there are workers in all, "
        "unless the scenario says otherwise.",
        "Queues: threads' line in the monolith; a line at the gateway and at each service over RPC; partitions of "
        "a topic "
        "on Kafka; a queue for each service on RabbitMQ.",
        f"Entry: {counted(len(scenario.producers), 'producer')} ({listed(scenario.producers)}). Exit: an order is "
        "done, "
        "refused, parked among the dead letters, or lost; what is neither when the run ends is pending.",
    )


def assumptions(scenario: Scenario) -> tuple[str, ...]:
    """What is taken for granted, and what is left out."""
    joining = [name for name, service in scenario.services.items() if service.joins]
    given = "" if not joining else f" {capitalised(listed(joining))} joins later, by the brokers' real rules."
    return (
        "A worker does one thing at a time, and all workers of a service are alike. What a message needs of a service "
        "depends neither on the load nor on the architecture: machines, memory, disks and networks have no limit of "
        "their own beyond the latencies of the links.",
        "At the start every declared consumer group is joined and stable, with committed offset 0, and every queue is "
        f"bound.{given}",
        "Capacity is equal unless the scenario says otherwise: the monolith has as many threads as the services have "
        "workers together.",
        "Customers do not learn: who was refused is gone, apart from the repetitions that the scenario gives to a "
        "client.",
        "Which real broker options are left out is listed under “Fidelity”.",
    )
