"""Options that no textbook queue here has: what a scenario says beyond what the models know of."""

from __future__ import annotations

from collections.abc import Iterator

from edasim.scenario.fields import Part
from edasim.scenario.value import Scenario

_KNOWN = {
    "Service": {"handles", "work", "workers", "fails", "poison", "required", "idempotent", "publishes", "joins",
                "retry", "dead_letters", "redrive", "cores", "breaker", "store"},
    "Producer": {"publishes", "arrivals", "key", "keys", "size", "priority"},
    "Retry": {"attempts", "backoff", "jitter", "where", "budget"},
    "Client": {"timeout", "retries", "backoff", "budget"},
    "MonolithOptions": {"threads", "cancels", "cores", "queue_limit", "discipline"},
    "RpcOptions": {"calls", "open_requests", "timeout", "cancels", "queue_limit", "discipline"},
    "KafkaOptions": {"version", "topic", "producer", "consumer", "broker", "commit", "key", "retry_topics"},
    "RabbitOptions": {"version", "exchange", "queue", "queues", "prefetch", "confirms", "persistent", "auto_ack"},
}


def unknown_options(scenario: Scenario, architecture: str, service: str) -> Iterator[str]:
    """`discipline of payment is priority`, for each option that is not at its default and not in a model."""
    spec = scenario.services[service]
    parts: list[tuple[str, Part | None]] = [
        (service, spec), *scenario.producers.items(), ("the retry policy", spec.retry or scenario.retry),
        ("the client", scenario.client), (architecture, getattr(scenario.architectures, architecture)),
    ]
    for name, part in parts:
        if part is not None:
            yield from _beyond(name, part)


def _beyond(name: str, part: Part) -> Iterator[str]:
    known = _KNOWN.get(type(part).__name__, set())
    for field, info in type(part).model_fields.items():
        value = getattr(part, field)
        if field not in known and value != info.get_default(call_default_factory=True):
            yield f"{field.replace('_', '-')} of {name} is {value}, which the model does not know"
