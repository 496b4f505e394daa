"""`edasim describe`: a scenario in plain words, and who talks to whom as pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from edasim.commands.failing import complain, plainly
from edasim.commands.options import (
    AllowLarge,
    Architectures,
    File,
    Json,
    Pictures,
    Set,
    named,
    read_scenario,
    usable_folder,
)
from edasim.commands.printing import print_text
from edasim.scenario.value import Scenario
from edasim.study.compare import chosen_architectures
from edasim.study.description import Description


@plainly
def describe(
    file: File,
    arch: Architectures = None,
    setting: Set = None,
    out: Pictures = None,
    json: Json = False,
    allow_large: AllowLarge = False,
) -> None:
    """Tell a scenario in plain words; with --out, draw who talks to whom in each architecture.

    Example: edasim describe scenarios/payment-outage.yml --out out/
    """
    scenario = read_scenario(file, setting, allow_large)
    architectures = chosen_architectures(scenario, named(arch))
    description = Description(scenario, architectures)
    if json:
        from edasim.study.comparison import json_text

        sys.stdout.write(json_text(description.as_dict()))
    else:
        for paragraph in description.paragraphs():
            print_text(paragraph)
    if usable_folder(out) is not None:
        assert out is not None
        files = _draw(scenario, architectures, out)
        (complain if json else print_text)(f"Saved in {out}: {', '.join(file.name for file in files)}")


def _draw(scenario: Scenario, architectures: tuple[str, ...], out: Path) -> list[Path]:
    from edasim.charts.saving import save_figure
    from edasim.pictures.topology import topology_figure

    return [
        file
        for architecture in architectures
        for file in save_figure(topology_figure(scenario, architecture), out / f"topology-{architecture}")
    ]
