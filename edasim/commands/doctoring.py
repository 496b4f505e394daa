"""`edasim doctor`: whether this machine can run edasim and its lab, and one cure for each thing that it cannot."""

from __future__ import annotations

import json as json_module
import shutil
import sys
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import typer

from edasim.commands.failing import BAD_INPUT, plainly
from edasim.commands.options import Json

OLDEST = (3, 11)
ENGINE = ("simpy", "numpy", "pydantic", "yaml", "typer", "rich", "matplotlib", "networkx", "pandas")
LAB = ("ipywidgets", "anywidget", "jupyterlab", "voila")
_BROWSERS = ("firefox", "chromium", "google-chrome", "chromium-browser", "microsoft-edge", "safari")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what, whether it is well, what was seen, and how to cure it ("" when it is well)."""

    what: str
    well: bool
    seen: str
    cure: str = ""


@plainly
def doctor(json: Json = False) -> None:
    """Look whether this machine can run edasim and its lab; one cure for each thing that is wrong.

    Example: edasim doctor
    """
    findings = list(examine())
    if json:
        print(json_module.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.well else 'FAIL'}  {finding.what}: {finding.seen}")
            if finding.cure:
                print(f"      cure: {finding.cure}")
    if not all(finding.well for finding in findings):
        raise typer.Exit(BAD_INPUT)


def examine() -> Iterator[Finding]:
    """Everything that is looked at, in the order in which it matters."""
    yield python(sys.version_info[:2])
    yield _packages("packages", ENGINE, "pip install edasim")
    yield _packages("packages of the lab", LAB, "pip install 'edasim[lab]'")
    yield _of("engine", _engine)
    yield _of("charts", _charts)
    yield _of("widgets", _widgets)
    yield _of("kernel", _kernel)
    yield _browser()
    yield _writable(Path.cwd())


def python(found: tuple[int, ...]) -> Finding:
    """The version of Python."""
    seen = ".".join(map(str, found))
    if found >= OLDEST:
        return Finding("Python", True, seen)
    return Finding("Python", False, seen, "install Python 3.11 or newer and make a new environment with it")


def _packages(what: str, names: tuple[str, ...], cure: str) -> Finding:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        return Finding(what, False, f"{', '.join(missing)} missing", cure)
    return Finding(what, True, ", ".join(f"{name} {_version(name)}" for name in names))


def _version(name: str) -> str:
    try:
        return version({"yaml": "pyyaml"}.get(name, name))
    except PackageNotFoundError:
        return "?"


def _of(what: str, look: Callable[[], Finding]) -> Finding:
    """A look that may fail in any way: then the failure is what was seen."""
    try:
        return look()
    except Exception as error:
        return Finding(what, False, f"{type(error).__name__}: {error}"[:200],
                       "make a new environment: python -m venv .venv, then pip install 'edasim[lab]'")


def _engine() -> Finding:
    from edasim.scenario.reading import load
    from edasim.shipped import scenario_file
    from edasim.simulate import simulate

    shop = load(scenario_file("payment-outage")).change({"duration": "6s", "warm-up": "0s", "faults": None})
    outcomes = simulate(shop, "kafka", seed=1).summary().outcomes
    well = outcomes["placed"] > 0 and outcomes["lost"] == 0
    return Finding("engine", well, f"{outcomes['placed']} orders in a short run, {outcomes['lost']} lost",
                   "" if well else "install edasim again")


def _charts() -> Finding:
    from io import BytesIO

    from edasim.charts.style import picture, styled

    page = BytesIO()
    figure = picture(2.0, 1.0)
    with styled():
        figure.add_subplot().plot([0, 1])
        figure.savefig(page, format="png")
    return Finding("charts", True, f"a chart of {len(page.getvalue()):,} bytes drawn")


def _widgets() -> Finding:
    cure = "pip install --upgrade 'edasim[lab]', then start JupyterLab again"
    if find_spec("ipywidgets") is None or find_spec("anywidget") is None:
        return Finding("widgets", False, "ipywidgets or anywidget is missing", cure)
    found = version("ipywidgets")
    if int(found.split(".")[0]) < 8:
        return Finding("widgets", False, f"ipywidgets {found} is too old", cure)
    import_module("edasim.lab.picture")
    place = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "@jupyter-widgets" / "jupyterlab-manager"
    if not place.is_dir():
        return Finding("widgets", False, "JupyterLab does not find its widgets",
                       "pip install --force-reinstall jupyterlab_widgets")
    return Finding("widgets", True, f"ipywidgets {found} with its part for JupyterLab")


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().find_kernel_specs()
    if "python3" not in specs:
        return Finding("kernel", False, "there is no kernel python3", "python -m ipykernel install --sys-prefix")
    return Finding("kernel", True, f"python3 in {specs['python3']}")


def _browser() -> Finding:
    found = next((name for name in _BROWSERS if shutil.which(name)), None)
    if found is None:
        try:
            found = getattr(webbrowser.get(), "name", "the default browser")
        except webbrowser.Error:
            return Finding("browser", False, "no browser was found",
                           "install Firefox or Chromium, or open the address of edasim lab --no-browser elsewhere")
    return Finding("browser", True, str(found))


def _writable(folder: Path) -> Finding:
    probe = folder / ".edasim-was-here"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding("folder", False, f"{folder} cannot be written: {error.strerror}", "go to a folder of your own")
    return Finding("folder", True, f"{folder} can be written")
