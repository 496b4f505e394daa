"""A real JupyterLab, a real Voila and a real Chromium for tests; everything on loopback, stopped by its process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), "")
NEEDED = ("playwright", "jupyterlab", "voila", "anywidget", "ipywidgets")
MISSING = [name for name in NEEDED if find_spec(name) is None] + ([] if CHROMIUM else ["chromium"])
if MISSING and os.environ.get("EDASIM_BROWSER_TESTS") == "required":
    raise RuntimeError(f"browser tests are required here, but {', '.join(MISSING)} is missing")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(command: list[str], folder: Path, address: str, home: Path) -> Iterator[None]:
    """Run a server until it answers at the address, and stop it afterwards; its own files go to `home`."""
    home.mkdir(parents=True, exist_ok=True)
    own = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **own, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(address, server, home / "server.log")
            yield
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(20)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=60):
                return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError(f"the server did not come up: {log.read_text()[-2000:]}")


class Browser:
    """Chromium with one page at a time; `errors` are what the page complained of, `away` what it asked of others."""

    def __init__(self, chromium: Any) -> None:
        self.chromium = chromium
        self.errors: list[str] = []
        self.away: list[str] = []

    def open(self, address: str, width: int = 1500, height: int = 1000) -> Any:
        """A fresh page at an address."""
        self.errors.clear()
        self.away.clear()
        page = self.chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(90_000)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._note(request.url))
        page.goto(address)
        return page

    def _note(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "blob:", "data:", "file:", "about:")):
            self.away.append(url)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, and stop it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()


def wait_until_idle(page: Any) -> None:
    """Until the notebook's kernel is ready: before that, Run All does nothing."""
    page.wait_for_selector(".jp-Notebook .jp-Cell", state="attached")
    page.wait_for_function("""[...document.querySelectorAll('#jp-main-statusbar *')]
        .some(part => part.children.length === 0 && /\\| Idle/.test(part.textContent))""")


def run_all(page: Any) -> None:
    """Run all cells of the notebook, and wait until every code cell was run.

    One whose source is hidden shows no number, but an output.
    """
    page.click("li.lm-MenuBar-item:has-text('Run')")
    page.click("li.lm-Menu-item:has-text('Run All Cells') >> nth=0")
    page.wait_for_function("""() => {
        const cells = [...document.querySelectorAll('.jp-CodeCell')];
        return cells.length > 0 && cells.every(cell =>
            /^\\[\\d+\\]:?$/.test(cell.querySelector('.jp-InputPrompt').textContent.trim())
            || (cell.querySelector('.jp-Placeholder') && cell.querySelector('.jp-OutputArea-output')));
    }""")
    wait_until_idle(page)


def failures(page: Any) -> list[str]:
    """What cells said that failed."""
    found: list[str] = page.eval_on_selector_all(
        ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error'],"
        ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']",
        "parts => parts.map(part => part.textContent.slice(-400))")
    return found


def move(page: Any, dial: str, key: str = "ArrowRight", times: int = 6) -> tuple[str, str]:
    """Move a slider by its class with the keyboard; returns what it showed before, and shows at last."""
    readout = page.locator(f".{dial} .widget-readout").first
    before = readout.inner_text()
    page.locator(f".{dial} .noUi-handle").first.focus()
    for _ in range(times):
        page.keyboard.press(key)
    page.wait_for_function(
        "([dial, before]) => document.querySelector(`.${dial} .widget-readout`).innerText !== before",
        arg=[dial, before])
    page.wait_for_timeout(400)
    return before, readout.inner_text()
