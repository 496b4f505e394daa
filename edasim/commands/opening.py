"""`edasim lab` and `edasim app`: the notebooks in JupyterLab, and the sliders as a web page without code."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from edasim.commands.failing import BAD_INPUT, complain, plainly
from edasim.commands.options import AllowLarge, Architectures, Seed, Set, named, read_scenario
from edasim.commands.printing import print_text
from edasim.scenario.writing import to_yaml
from edasim.shipped import notebooks_folder
from edasim.study.compare import chosen_architectures

_LAB = Path(__file__).resolve().parent.parent / "lab"
FIRST = "00-start-here.ipynb"
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port on this machine; 0 takes a free one.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where the notebooks are, or are copied to.")]
Shown = Annotated[str, typer.Argument(help="The scenario: a YAML file, or the name of a shipped one.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]


@plainly
def lab(
    notebook: Annotated[str, typer.Argument(help="The notebook to open, such as 02.")] = FIRST,
    folder: Folder = Path("notebooks"),
    port: Port = 0,
    no_browser: NoBrowser = False,
) -> None:
    """Open the notebooks in JupyterLab, at the first one; stop it with Ctrl-C.

    Notebooks that are in the folder already are left as they are.

    Example: edasim lab 02
    """
    _need("jupyterlab", "anywidget", "ipywidgets")
    place = usable_notebooks(folder)
    chosen = _chosen(place, notebook)
    raise typer.Exit(_serve(lab_command(place, chosen, _free(port), no_browser), place))


@plainly
def app(  # noqa: PLR0913 - the options of a command
    file: Shown = "payment-outage",
    arch: Architectures = None,
    seed: Seed = 1,
    setting: Set = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    allow_large: AllowLarge = False,
) -> None:
    """Serve the sliders of a scenario as a web page without any code to see; stop it with Ctrl-C.

    Example: edasim app scenarios/black-friday.yml
    """
    _need("voila", "anywidget", "ipywidgets")
    scenario = read_scenario(file, setting, allow_large)
    architectures = chosen_architectures(scenario, named(arch))
    with tempfile.TemporaryDirectory(prefix="edasim-app-") as place:
        (Path(place) / "scenario.yml").write_text(to_yaml(scenario), encoding="utf-8")
        page = Path(place) / "edasim.ipynb"
        page.write_text(json.dumps(app_notebook(list(architectures), seed)), encoding="utf-8")
        taken = _free(port)
        print_text(f"The page is at http://127.0.0.1:{taken}/")
        code = _serve(app_command(page, taken, no_browser), Path(place))
    raise typer.Exit(code)


def usable_notebooks(folder: Path) -> Path:
    """The folder with the notebooks, made from the shipped ones where it lacks them; nothing is written over."""
    shipped = notebooks_folder()
    if folder.resolve() != shipped:
        folder.mkdir(parents=True, exist_ok=True)
        for notebook in sorted(shipped.glob("*.ipynb")):
            if not (folder / notebook.name).exists():
                shutil.copyfile(notebook, folder / notebook.name)
    return folder.resolve()


def _chosen(folder: Path, name: str) -> str:
    """The one notebook whose name begins like that."""
    fitting = sorted(file.name for file in folder.glob("*.ipynb") if file.name.startswith(name.removesuffix(".ipynb")))
    if len(fitting) != 1:
        there = ", ".join(sorted(file.stem for file in folder.glob("*.ipynb")))
        complain(f'"{name}" is not one notebook in {folder}: there are {there}.')
        raise typer.Exit(BAD_INPUT)
    return fitting[0]


def lab_command(folder: Path, notebook: str, port: int, no_browser: bool) -> list[str]:
    """JupyterLab on loopback, with the extension that runs a start cell, and without questions at the first start."""
    return [
        sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}", f"--LabApp.default_url=/lab/tree/{notebook}",
        f"--LabApp.extra_labextensions_path={_LAB / 'labextensions'}", f"--LabApp.app_settings_dir={_LAB / 'settings'}",
        *(["--no-browser"] if no_browser else []), *_as_root(),
    ]  # fmt: skip


def app_command(page: Path, port: int, no_browser: bool) -> list[str]:
    """Voila on loopback."""
    return [sys.executable, "-m", "voila", str(page), "--Voila.ip=127.0.0.1", f"--port={port}",
            "--VoilaConfiguration.show_tracebacks=False", "--theme=light",
            *(["--no-browser"] if no_browser else [])]


def _free(port: int) -> int:
    """The port that was asked for, or a free one for 0: Voila would listen at one and name the other."""
    if port:
        return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_root() -> list[str]:
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def app_notebook(architectures: list[str], seed: int) -> dict[str, object]:
    """The page of `edasim app` as a notebook beside its `scenario.yml`."""
    source = f"import edasim\nedasim.explore(edasim.load('scenario.yml'), architectures={architectures!r}, seed={seed})"
    cell: dict[str, object] = {"cell_type": "code", "id": "explore", "metadata": {}, "execution_count": None,
                               "outputs": [], "source": source}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": [cell], "metadata": {"kernelspec": kernel, "title": "edasim"}, "nbformat": 4, "nbformat_minor": 5}


def _need(*packages: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        complain(f"This needs {' and '.join(missing)}: install it with pip install 'edasim[lab]'.")
        raise typer.Exit(BAD_INPUT)


def _serve(command: list[str], folder: Path) -> int:
    """Run a server until Ctrl-C, which is its ordinary end."""
    print_text("Ctrl-C stops it.")
    server = subprocess.Popen(command, cwd=folder)
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait(20)
        return 0
