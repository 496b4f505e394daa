"""The screenshots in docs/images, from a real JupyterLab and a real Voila: `make screenshots`, then look at them."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edasim.commands.opening import app_command, app_notebook, lab_command
from tests.browsing import MISSING, ROOT, Browser, browser, free_port, run_all, served, wait_until_idle

IMAGES = ROOT / "docs" / "images"


def take(page: Any, name: str) -> None:
    """Save what the window shows."""
    page.screenshot(path=str(IMAGES / f"{name}.png"))
    print(f"docs/images/{name}.png")


def first_minute(chromium: Browser, address: str) -> None:
    """The shop in good health, in the outage, and the sentence with its slider."""
    page = chromium.open(f"{address}/", 1400, 900)
    page.click(".edasim-start button:has-text('Start')")
    page.wait_for_selector("button:has-text('Take payment down')")
    page.wait_for_timeout(2_500)
    take(page, "lab-start")
    page.click("button:has-text('Take payment down')")
    page.wait_for_timeout(6_000)
    page.locator(".edasim-flow").first.evaluate("part => part.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(300)
    take(page, "lab-outage")
    page.wait_for_selector(".edasim-told")
    page.wait_for_timeout(1_500)
    page.locator(".edasim-told").first.evaluate("part => part.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(800)
    take(page, "lab-told")
    page.close(run_before_unload=False)


def notebook(chromium: Browser, address: str, name: str) -> None:
    """A notebook at its sliders."""
    page = chromium.open(f"{address}/lab/tree/{name}?reset", 1500, 950)
    wait_until_idle(page)
    run_all(page)
    explorer = page.locator(".edasim-explorer").first
    explorer.evaluate("part => part.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(2_000)
    take(page, f"lab-{name.split('-')[0]}")
    page.close(run_before_unload=False)


def main() -> int:
    """Take them all; 2 when something that is needed is missing."""
    if MISSING:
        print(f"The screenshots need {', '.join(MISSING)}.", file=sys.stderr)
        return 2
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, browser() as chromium:
        folder = Path(place) / "notebooks"
        shutil.copytree(ROOT / "notebooks", folder)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        command = [*lab_command(folder, "00-start-here.ipynb", port, no_browser=True), "--IdentityProvider.token="]
        with served(command, folder, f"{address}/api", Path(place) / "home"):
            first_minute(chromium, address)
            notebook(chromium, address, "02-monolith-or-events.ipynb")
        app = Path(place) / "app"
        app.mkdir()
        shutil.copyfile(ROOT / "scenarios" / "payment-outage.yml", app / "scenario.yml")
        page_file = app / "edasim.ipynb"
        page_file.write_text(json.dumps(app_notebook(["monolith", "kafka"], 7)), encoding="utf-8")
        port = free_port()
        address = f"http://127.0.0.1:{port}/"
        with served(app_command(page_file, port, no_browser=True), app, address, Path(place) / "app-home"):
            page = chromium.open(address, 1400, 700)
            page.wait_for_selector(".edasim-picture img[src^=blob]")
            page.wait_for_timeout(1_500)
            take(page, "app")
    return 0


if __name__ == "__main__":
    sys.exit(main())
