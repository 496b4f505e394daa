"""`edasim check`: whether a scenario can be used, and if not, why."""

from __future__ import annotations

import sys
from dataclasses import asdict

import typer

from edasim.commands.failing import BAD_INPUT, complain, plainly
from edasim.commands.options import AllowLarge, File, Json, Set, read_scenario
from edasim.scenario.errors import ScenarioError
from edasim.scenario.value import Scenario
from edasim.study.words import capitalised


@plainly
def check(file: File, setting: Set = None, json: Json = False, allow_large: AllowLarge = False) -> None:
    """Say whether a scenario is fine: ok, or one sentence for each mistake, with file, line and cure.

    Example: edasim check scenarios/payment-outage.yml
    """
    try:
        scenario = read_scenario(file, setting, allow_large)
    except ScenarioError as error:
        if not json:
            complain(str(error))
        else:
            _print_json(False, [asdict(problem) for problem in error.problems])
        raise typer.Exit(BAD_INPUT) from None
    if json:
        _print_json(True, [])
    else:
        print("ok")
        for sentence in overload(scenario):
            print(f"{capitalised(sentence)}.")


def overload(scenario: Scenario) -> list[str]:
    """What a scenario asks more of than there is, or nearly so, in the architectures that it lists."""
    from edasim.study.theory.overload import warnings

    return warnings(scenario, scenario.architectures.listed)


def _print_json(fine: bool, problems: list[dict[str, object]]) -> None:
    import json

    sys.stdout.write(json.dumps({"ok": fine, "problems": problems}, indent=2, ensure_ascii=False) + "\n")
