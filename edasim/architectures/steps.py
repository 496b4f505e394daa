"""The order of an order's steps where one caller goes through them: topological by handles and publishes."""
from __future__ import annotations

from edasim.scenario.value import Scenario


def levels(scenario: Scenario) -> dict[str, int]:
    """For each service its level: 0 handles what producers publish, 1 what level 0 publishes, and so on.

    A service that is reached on several ways stands at the longest of them; a cycle counts once.
    """
    level = dict.fromkeys(scenario.services, 0)
    published = {producer.publishes for producer in scenario.producers.values()}
    for _ in scenario.services:
        for name, service in scenario.services.items():
            feeders = [
                level[other] + 1 for other, spec in scenario.services.items()
                if other != name and any(publication.event in service.handles for publication in spec.publishes)
            ]
            first = [0] if published & set(service.handles) else []
            level[name] = min(max(first + feeders, default=0), len(scenario.services))
    return level


class StepOrder:
    """Sorts services as a caller goes through them: by level, among equals as the file has them."""

    def __init__(self, scenario: Scenario) -> None:
        self.level = levels(scenario)
        self._place = {name: number for number, name in enumerate(scenario.services)}

    def rank(self, service: str) -> tuple[int, int]:
        """The sort key of a service."""
        return self.level[service], self._place[service]
