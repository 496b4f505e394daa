"""Writing a scenario back, as plain data and as YAML; both read back as an equal scenario."""

from __future__ import annotations

from typing import Any

import yaml

from edasim.scenario.document import scalar
from edasim.scenario.value import Scenario


def to_dict(scenario: Scenario) -> dict[str, Any]:
    """The texts of a file as plain data, without what has its default; the architectures are always listed."""
    data = scenario.model_dump(by_alias=True, exclude_defaults=True)
    data["architectures"] = {
        architecture: getattr(scenario.architectures, architecture).model_dump(by_alias=True, exclude_defaults=True)
        for architecture in scenario.architectures.listed
    }
    if "changes" in data:
        data["changes"] = [change.model_dump(by_alias=True) for change in scenario.changes]
    return data


def to_yaml(scenario: Scenario) -> str:
    """A file's text."""
    return yaml.dump(to_dict(scenario), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes what `document` reads: no aliases, and quotes around a text that YAML 1.2 would take for a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _quoted_if_needed(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted_if_needed)
