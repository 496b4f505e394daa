"""The order of an order's steps where one caller goes through them: topological by handles and publishes."""
from __future__ import annotations

from edasim.scenario.value import Scenario


def levels(scenario: Scenario) -> dict[str, int]:
    """For each service its level: 0 handles what producers publish, 1 what level 0 publishes, and so on.

    A service that is reached on several ways stands at the longest of them; a cycle counts once.
    """
    publishers: dict[str, list[str]] = {}
    for name, service in scenario.services.items():
        for publication in service.publishes:
            publishers.setdefault(publication.event, []).append(name)
    feeders = {
        name: [other for event in service.handles for other in publishers.get(event, ()) if other != name]
        for name, service in scenario.services.items()
    }
    level = dict.fromkeys(scenario.services, 0)
    for _ in scenario.services:
        before = dict(level)
        for name, others in feeders.items():
            level[name] = min(max((level[other] + 1 for other in others), default=0), len(scenario.services))
        if level == before:
            break
    return level


class StepOrder:
    """Sorts services as a caller goes through them: by level, among equals as the file has them."""

    def __init__(self, scenario: Scenario) -> None:
        self.level = levels(scenario)
        self._place = {name: number for number, name in enumerate(scenario.services)}

    def rank(self, service: str) -> tuple[int, int]:
        """The sort key of a service."""
        return self.level[service], self._place[service]
