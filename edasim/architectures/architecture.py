"""What every architecture is to a run: it takes orders, can be broken, and can be reconfigured."""
from __future__ import annotations

from typing import Protocol

from edasim.scenario.value import Scenario
from edasim.services.client import Request
from edasim.services.faults import Breakable


class Architecture(Breakable, Protocol):
    """One way to wire the shop."""

    name: str
    dead_letters: bool
    """Whether what fails for good is set aside; without a broker its caller is told instead."""

    def submit(self, request: Request) -> None:
        """A customer's try arrives at the shop."""

    def customer_leaves(self, request: Request) -> None:
        """The customer of a try has run out of patience."""

    def begin(self) -> None:
        """Time starts."""

    def configure(self, scenario: Scenario) -> None:
        """Use another scenario value from now on."""

    def capacity(self) -> dict[str, float]:
        """How many workers each service (or the one process) was given; infinite for one for each message."""
