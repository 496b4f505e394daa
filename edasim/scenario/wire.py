"""How long messages are on the way, and what may happen to them there."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import model_validator

from edasim.core.distribution import Distribution, parse_distribution
from edasim.core.quantity import QuantityError, shown
from edasim.scenario.fields import OptionalRandom, Part, Share, choice

_HOP: Final = "lognormal p50 0.2ms p99 1.1ms"
_FLUSH: Final = "lognormal p50 0.5ms p99 3ms"

# Chosen from a measurement on one machine of 2 cores that client and server share, RabbitMQ 3.10.8, messages
# of 1 kB, one way from publish to delivery (so two hops and a routing): p50 0.42 ms and p99 2.2 ms at 1,000/s
# on a classic queue, and about 0.5 ms (p99 2 to 3 ms) more where the message is persistent and confirmed,
# which is the flush. The p99 of such a machine moves up to 33 times with other load, so these are the right
# order of magnitude and no more.
DEFAULT_LATENCIES: Final[dict[str, str]] = {
    "producer-to-broker": _HOP,
    "broker-to-producer": _HOP,
    "broker-to-consumer": _HOP,
    "consumer-to-broker": _HOP,
    "broker-to-broker": _HOP,
    "gateway-to-service": _HOP,
    "service-to-gateway": _HOP,
    "append": "0.02ms",
    "route": "0.02ms",
    "flush": _FLUSH,
    "database-commit": _FLUSH,
}
_DEFAULTS: Final = {link: parse_distribution(latency) for link, latency in DEFAULT_LATENCIES.items()}
_NOTHING: Final = parse_distribution("0s")


class Wire(Part):
    """Latencies of all hops. `base` says what holds for those that are not given: the defaults, or none at all."""

    base: Annotated[str, choice("default", "none")] = "default"
    loss: Share = 0.0
    duplicates: Share = 0.0
    producer_to_broker: OptionalRandom = None
    broker_to_producer: OptionalRandom = None
    broker_to_consumer: OptionalRandom = None
    consumer_to_broker: OptionalRandom = None
    broker_to_broker: OptionalRandom = None
    gateway_to_service: OptionalRandom = None
    service_to_gateway: OptionalRandom = None
    append: OptionalRandom = None
    route: OptionalRandom = None
    flush: OptionalRandom = None
    database_commit: OptionalRandom = None

    @model_validator(mode="before")
    @classmethod
    def _word(cls, data: Any) -> Any:
        if isinstance(data, str):
            if data not in ("default", "none"):
                raise QuantityError(f"{shown(data)} is not a wire: write default, none, or latencies by link")
            return {"base": data}
        return data

    def latency(self, link: str) -> Distribution:
        """The latency of a hop by its name in the file, such as `producer-to-broker`."""
        given: Distribution | None = getattr(self, link.replace("-", "_"))
        if given is not None:
            return given
        return _DEFAULTS[link] if self.base == "default" else _NOTHING
