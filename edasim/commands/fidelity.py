"""`edasim fidelity`: what edasim makes of each real option of the brokers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import plainly
from edasim.commands.options import usable_folder


class UnknownBroker(ValueError):
    """A broker that is none of edasim's."""


@plainly
def fidelity(
    broker: Annotated[str, typer.Argument(metavar="BROKER", help="kafka or rabbitmq; both without.")] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write fidelity.md into this folder.")
    ] = None,
) -> None:
    """Tell of every real option of the brokers whether it is modelled, simplified or ignored, and its default.

    Example: edasim fidelity kafka
    """
    from edasim.core.files import write_whole
    from edasim.report.fidelity_page import fidelity_page
    from edasim.scenario.broker_options import SECTIONS

    chosen = [section for section in SECTIONS if not broker or section.split()[0] == broker]
    if not chosen:
        raise UnknownBroker(f'"{broker}" is no broker that edasim knows: choose kafka or rabbitmq')
    page = fidelity_page(chosen)
    if usable_folder(out) is None:
        sys.stdout.write(page)
        return
    assert out is not None
    write_whole(out / "fidelity.md", page)
    print(f"Written: {out / 'fidelity.md'}")
