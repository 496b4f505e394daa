"""What every architecture is to a run: it takes orders, has workers that can die, and can be reconfigured."""
from __future__ import annotations

from typing import Protocol

from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.worker import Worker


class Architecture(Protocol):
    """One way to wire the shop."""

    name: str
    parts: frozenset[str]
    """The parts beside the services that a fault can hit here: broker, database, gateway."""

    def submit(self, request: Request) -> None:
        """A customer's try arrives at the shop."""

    def customer_leaves(self, request: Request) -> None:
        """The customer of a try has run out of patience."""

    def begin(self) -> None:
        """Time starts."""

    def crash(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service die without a goodbye (all of them for None); returns what `restart` needs."""

    def stop(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service leave properly."""

    def restart(self, service: str, workers: list[Worker]) -> None:
        """Those workers come back, as new ones."""

    def refuse(self, part: str, share: float) -> None:
        """A part beside the services answers with errors; negative to undo."""

    def configure(self, scenario: Scenario) -> None:
        """Use another scenario value from now on."""

    def capacity(self) -> dict[str, int]:
        """How many workers each service (or the one process) was given."""
