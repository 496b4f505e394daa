"""A circuit breaker: when a caller stops calling a service that fails, and how it finds out that it may call again."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from edasim.core.quantity import SECOND_NS, QuantityError, positive_duration_ns, show_duration, show_share
from edasim.scenario.fields import OptionalShare, Part, optional_whole, whole

MOST_CALLS = 1_000_000


class Breaker(Part):
    """Opens after so many `failures` in a row, or when of the last `window` calls a `failure_rate` failed.

    Open, it lets nothing through for `open_for` nanoseconds; then so many `probes`: if all of them succeed it closes,
    with the first that fails it opens again (M. Nygard, "Release It!", 2007; the window is that of resilience4j).
    """

    failures: Annotated[int | None, optional_whole(1, MOST_CALLS)] = None
    failure_rate: OptionalShare = None
    window: Annotated[int | None, optional_whole(1, MOST_CALLS)] = None
    open_for: Annotated[int, PlainValidator(positive_duration_ns), PlainSerializer(show_duration)] = Field(
        default=10 * SECOND_NS, description="how long nothing gets through, such as 10s")
    probes: Annotated[int, whole(1, MOST_CALLS)] = 1

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.failures is None) == (self.failure_rate is None):
            neither = self.failures is None
            found = "nothing says when it opens" if neither else "failures and failure-rate are both given"
            raise QuantityError(f"{found}: write failures: 5, or failure-rate: 50% with window: 20")
        if self.failure_rate is None and self.window is not None:
            raise QuantityError("window belongs to failure-rate: failures counts calls in a row and needs none")
        if self.failure_rate is not None and self.window is None:
            raise QuantityError("failure-rate of how many calls? Write window: 20 beside it")
        if self.failure_rate == 0:
            raise QuantityError("failure-rate 0% would open without a failure: write more, such as 50%")
        return self

    @property
    def words(self) -> str:
        """When it opens and closes, as people say it."""
        opens = (f"after {self.failures} failures in a row" if self.failures is not None
                 else f"when {show_share(self.failure_rate or 0.0)} of the last {self.window} calls failed")
        probes = "1 probe" if self.probes == 1 else f"{self.probes} probes"
        span = show_duration(self.open_for)
        return f"its breaker opens {opens}, for {span}, and closes after {probes} without failure"
