"""The notebooks and the app as people use them: in a real JupyterLab, Voila and Chromium."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edasim.commands.opening import app_command, app_notebook, lab_command
from tests.browsing import MISSING, Browser, browser, failures, free_port, move, run_all, served, wait_until_idle

NOTEBOOKS = sorted(path.name for path in Path("notebooks").glob("*.ipynb"))
PICTURE = ".edasim-picture img"

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no real browser test: {', '.join(MISSING)} missing"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab on copies of the notebooks, started as `edasim lab` starts it; its address."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name in NOTEBOOKS:
        shutil.copyfile(Path("notebooks") / name, folder / name)
    port = free_port()
    command = [*lab_command(folder, "00-start-here.ipynb", port, no_browser=True), "--IdentityProvider.token="]
    address = f"http://127.0.0.1:{port}"
    with served(command, folder, f"{address}/api", tmp_path_factory.mktemp("home")):
        yield address


def close_cleanly(page: Any) -> None:
    """Leave a page without being asked about unsaved work."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.close(run_before_unload=False)


@pytest.mark.notebooks
@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if not name.startswith("00")])
def test_a_notebook_runs_in_a_real_jupyterlab_and_its_slider_moves_the_picture(
    jupyter: str, chromium: Browser, name: str
) -> None:
    page = chromium.open(f"{jupyter}/lab/tree/{name}?reset")
    wait_until_idle(page)
    run_all(page)
    assert failures(page) == []
    explorer = page.locator(".edasim-explorer").first
    explorer.scroll_into_view_if_needed()
    page.wait_for_selector(f"{PICTURE}[src^=blob]")
    dial = explorer.locator("[class*='edasim-dial-']").first.get_attribute("class")
    dial_class = next(part for part in str(dial).split() if part.startswith("edasim-dial-"))
    picture = page.locator(PICTURE).first
    before = picture.get_attribute("src")
    was, became = move(page, dial_class)
    assert was != became
    page.wait_for_function("([what, src]) => document.querySelector(what).src !== src", arg=[PICTURE, before])
    assert failures(page) == []
    assert [error for error in chromium.errors if "Failed to load" not in error] == []
    close_cleanly(page)


def seconds_shown(page: Any) -> float:
    """The time of the run that the animation shows: `12.25 s of 64.7 s`."""
    return float(page.locator(".edasim-flow-time").first.inner_text().split(" s")[0])


def test_the_first_minute(jupyter: str, chromium: Browser) -> None:
    """The browser opens on 00 with the kernel idle: one Start button, no cell to run by hand, no warning."""
    page = chromium.open(f"{jupyter}/")
    page.click(".edasim-start button:has-text('Start')")
    wait_until_idle(page)
    page.wait_for_selector("button:has-text('Take payment down')")
    assert page.locator(".edasim-flow-panel").count() == 2
    before = seconds_shown(page)
    page.wait_for_timeout(1_500)
    assert seconds_shown(page) > before + 0.5
    slider = page.locator(".edasim-start .noUi-handle").first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    guess = page.locator(".edasim-start .widget-readout").first.inner_text()
    page.click("button:has-text('Take payment down')")
    page.wait_for_selector(".edasim-told")
    told = page.inner_text(".edasim-told")
    assert told.startswith(f"You guessed {guess}. Payment down for 10 s: the monolith turned ")
    page.wait_for_selector(f".edasim-start {PICTURE}[src^=blob]")
    assert page.locator(".edasim-start .edasim-explorer [class*=edasim-dial-]").count() == 1
    alt = page.get_attribute(f".edasim-start {PICTURE}", "alt")
    move(page, "edasim-dial-client-timeout", "End", 1)
    page.wait_for_function("([what, alt]) => document.querySelector(what).alt !== alt",
                           arg=[f".edasim-start {PICTURE}", alt])
    assert failures(page) == []
    assert chromium.errors == chromium.away == []
    close_cleanly(page)


@pytest.mark.notebooks
def test_voila_shows_the_controls_without_any_code(chromium: Browser, tmp_path: Path) -> None:
    shutil.copyfile("scenarios/payment-outage.yml", tmp_path / "scenario.yml")
    page_file = tmp_path / "edasim.ipynb"
    page_file.write_text(json.dumps(app_notebook(["monolith", "kafka"], 7)), encoding="utf-8")
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    with served(app_command(page_file, port, no_browser=True), tmp_path, address, tmp_path / "home"):
        page = chromium.open(address)
        page.wait_for_selector(f"{PICTURE}[src^=blob]")
        assert "import edasim" not in page.content()
        alt = page.get_attribute(PICTURE, "alt")
        assert "customers away" in str(alt)
        was, became = move(page, "edasim-dial-client-timeout", times=10)
        assert (was, became) == ("5s", "10s")
        page.wait_for_function("([what, alt]) => document.querySelector(what).alt !== alt", arg=[PICTURE, alt])
        close_cleanly(page)


@pytest.mark.notebooks
def test_the_band_of_a_fault_can_be_stretched(chromium: Browser, tmp_path: Path) -> None:
    shutil.copyfile("scenarios/payment-outage.yml", tmp_path / "scenario.yml")
    page_file = tmp_path / "edasim.ipynb"
    page_file.write_text(json.dumps(app_notebook(["monolith"], 7)), encoding="utf-8")
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    with served(app_command(page_file, port, no_browser=True), tmp_path, address, tmp_path / "home"):
        page = chromium.open(address)
        page.wait_for_selector(".edasim-band")
        alt = page.get_attribute(PICTURE, "alt")
        box = page.locator(".edasim-band").first.bounding_box()
        right, middle = box["x"] + box["width"] - 1, box["y"] + box["height"] / 2
        page.mouse.move(right, middle)
        page.mouse.down()
        page.mouse.move(right + box["width"], middle, steps=8)
        page.mouse.up()
        page.wait_for_function("([what, alt]) => document.querySelector(what).alt !== alt", arg=[PICTURE, alt])
        page.wait_for_timeout(800)
        length = page.locator(".edasim-dial-faults-outage-for .widget-readout").inner_text()
        assert 18 <= float(length.removesuffix("s")) <= 22
        close_cleanly(page)


def test_the_python_that_serves_is_the_one_that_tests() -> None:
    assert lab_command(Path(), "x", 0, no_browser=True)[0] == sys.executable
