"""The animation of the message flow: what it shows is what the journal says, in Python and in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edasim
from edasim.core.journal import Verb
from edasim.measure.orders import Orders
from edasim.measure.reading import Reading
from edasim.measure.services import ServiceReading
from edasim.pictures import flow_data as flow_data_module
from edasim.pictures.flow_data import FlowData, flow_data
from edasim.pictures.flow_layout import WIDTH, layout
from edasim.pictures.flow_tokens import Kind
from edasim.simulate import Run, simulate
from tests.browsing import MISSING
from tests.browsing import browser as chromium
from tests.flow_worlds import CASES, Recount, chain, run_of
from tests.test_engine_redrive import shop as redriven_shop
from tests.worlds import ARCHITECTURES, shop

ROOT = Path(__file__).resolve().parent.parent


def instants(run: Run, number: int = 50, seed: int = 5) -> list[float]:
    """Random times of a run in their order, its beginning and its end among them."""
    end_s = run.end_ns / 1e9
    return [0.0, *np.sort(np.random.default_rng(seed).uniform(0, end_s, number)).tolist(), end_s]


def kinds(data: FlowData) -> set[Kind]:
    return {Kind(kind) for kind in np.unique(data.kind)}


# --- the arrays against the journal ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_counts_at_any_time_are_those_of_the_journal(name: str, architecture: str) -> None:
    run = run_of(name, architecture)
    data, journal = flow_data(run), Recount(run)
    line = {"monolith": ("process", "orders"), "rpc": ("gateway", "gateway")}.get(architecture)
    for time_s in instants(run):
        journal.until(time_s)
        counts = data.counts(time_s)
        for service in run.scenario.services:
            where = f"{service} at {time_s:.6f} s"
            assert counts[f"work {service}"] == journal.working[service], where
            assert counts.get(f"dead {service}", 0) == journal.dead[service], where
            if architecture != "monolith":
                assert data.waiting(service, time_s) == journal.waiting_for(service), where
        if line:
            assert counts[line[0]] == journal.waiting_for(line[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_waits_is_the_backlog_that_is_measured(architecture: str) -> None:
    run = run_of("outage", architecture)
    data, reading = flow_data(run), Reading(run)
    for service in run.scenario.services:
        backlog = ServiceReading(reading, Orders(reading), service).waiting()
        for time_s in instants(run):
            there = int(np.sum(backlog[0] <= time_s) - np.sum(backlog[1] <= time_s))
            shown = data.count("process", time_s) if architecture == "monolith" else data.waiting(service, time_s)
            assert shown == there, f"{service} at {time_s}"


@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_a_token_goes_forward_in_time_without_gaps(name: str, architecture: str) -> None:
    data = flow_data(run_of(name, architecture))
    assert np.all(data.stop_s >= data.start_s)
    assert np.all(np.diff(data.first) > 0)
    within = np.setdiff1d(np.arange(1, len(data.start_s)), data.first)
    assert np.all(data.source[within] == data.target[within - 1]), "a token jumped"
    assert np.all(data.order >= 1)
    assert max(data.source.max(), data.target.max()) < len(data.layout.nodes)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_that_is_quiet_in_the_end_is_gone_or_among_the_dead_letters(architecture: str) -> None:
    run = run_of("dead letters", architecture)
    data = flow_data(run)
    left = {name: count for name, count in data.counts(run.end_ns / 1e9).items() if count}
    assert run.quiet
    assert {name.split()[0] for name in left} <= {"dead"}
    assert sum(left.values()) == Recounted(run).dead_letters


class Recounted:
    """Totals of a run, straight from its frame of facts."""

    def __init__(self, run: Run) -> None:
        self.dead_letters = sum(fact.place.detail == "parking" and fact.verb in ("routed", "appended")
                                for fact in run.journal)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_customer_is_seen_to_get_an_answer(architecture: str) -> None:
    run = run_of("customers retry", architecture)
    data = flow_data(run)
    answers = {kind: int(np.sum(data.kind[data.first[:-1]] == kind)) for kind in (Kind.yes, Kind.no)}
    assert answers[Kind.yes] == len(data.moments(Verb.accepted))
    assert answers[Kind.no] == len(data.moments(Verb.refused))
    assert sum(answers.values()) == len(data.moments(Verb.placed))


@pytest.mark.parametrize(("name", "architecture", "kind"), [
    ("dead letters", "kafka", Kind.dead), ("dead letters", "rabbitmq", Kind.dead),
    ("dead letters", "monolith", Kind.no), ("dead letters", "rpc", Kind.failed), ("aside", "kafka", Kind.retry),
    ("aside", "rabbitmq", Kind.retry), ("crash", "rabbitmq", Kind.retry), ("crash", "kafka", Kind.duplicate),
    ("duplicates", "rpc", Kind.duplicate), ("duplicates", "rabbitmq", Kind.duplicate), ("losses", "rpc", Kind.lost),
    ("no dead letters", "kafka", Kind.lost), ("limits", "rabbitmq", Kind.dead),
    ("customers retry", "monolith", Kind.retry),
])
def test_what_goes_wrong_looks_like_what_it_is(name: str, architecture: str, kind: Kind) -> None:
    assert kind in kinds(flow_data(run_of(name, architecture)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_healthy_run_has_messages_and_yes_only(architecture: str) -> None:
    assert kinds(flow_data(run_of("healthy", architecture))) == {Kind.message, Kind.yes}


def test_a_fault_is_shown_at_what_it_hits() -> None:
    def hit(name: str, architecture: str, number: int = 0) -> set[str]:
        data = flow_data(run_of(name, architecture))
        return {data.layout.nodes[node].name for node in data.bands[number].nodes}

    assert hit("outage", "kafka") == {"work payment", "hand payment"}
    assert hit("outage", "monolith") == {"work payment"}
    assert hit("broker down", "rabbitmq") == {"exchange"}
    assert hit("broker down", "kafka") == {"topic OrderPlaced"}
    assert hit("database down", "monolith") == {"database"}
    assert hit("crash", "monolith", 1) == {"process", "work inventory", "work payment", "work notification"}
    band = flow_data(run_of("outage", "rpc")).bands[0]
    assert (band.text, band.start_s, band.end_s) == ("payment down", 3.0, 6.0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("services", [1, 3, 15])
def test_no_box_lies_on_another(architecture: str, services: int) -> None:
    scenario = shop(services=chain(services), retry={"attempts": 3, "where": "aside"},
                    architectures={architecture: {}})
    made = layout(scenario, architecture, {f"step-{number}": 2 for number in range(services)})
    boxes = made.nodes
    for number, one in enumerate(boxes):
        assert min(one.x, one.y) >= 0
        assert one.x + one.width <= WIDTH
        assert one.y + one.height <= made.height
        for other in boxes[number + 1:]:
            apart = (one.x + one.width <= other.x or other.x + other.width <= one.x
                     or one.y + one.height <= other.y or other.y + other.height <= one.y)
            assert apart, f"{one.name} and {other.name}"


def test_a_run_that_is_too_long_is_refused_with_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_data_module, "MOST_FACTS", 10)
    with pytest.raises(ValueError, match="shorter duration"):
        flow_data(run_of("outage", "kafka"))


# --- the widget ------------------------------------------------------------------------------------------------


def lab_flow() -> Callable[..., Any]:
    """`lab.flow`, where the extra `lab` is installed."""
    pytest.importorskip("anywidget", reason="the animation needs anywidget, which the extra `lab` brings")
    from edasim import lab

    return lab.flow


def test_the_lab_is_light_until_it_is_used() -> None:
    program = ("import sys, edasim, edasim.lab; "
               "print([name for name in ('anywidget', 'ipywidgets', 'matplotlib') if name in sys.modules])")
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_flow_stays_a_function_after_its_module_was_imported() -> None:
    flow = lab_flow()
    import edasim.lab.flow  # noqa: F401 - that is what is tested
    from edasim import lab

    assert lab.flow is flow
    assert callable(lab.flow)
    assert {"flow", "Flow"} <= set(dir(lab))


def test_time_speed_and_playing_can_be_set_and_read() -> None:
    import traitlets

    shown = lab_flow()(run_of("outage", "kafka"), speed=2)
    shown.time_s, shown.playing = 5.0, True
    assert (shown.time_s, shown.playing, shown.speed) == (5.0, True, 2.0)
    shown.time_s = 1e9
    assert shown.time_s == shown.end_s
    with pytest.raises(traitlets.TraitError, match=r"0\.25 to 20"):
        shown.speed = 21
    assert shown.counts(5.0) == [flow_data(run_of("outage", "kafka")).counts(5.0)]


def test_runs_and_comparisons_are_laid_side_by_side() -> None:
    flow = lab_flow()
    scenario = run_of("outage", "kafka").scenario
    both = edasim.compare(scenario, ["monolith", "kafka"], replications=1, seed=7)
    assert [data.title for data in flow(both).data] == ["monolith", "Kafka"]
    twice = flow(run_of("outage", "kafka"), run_of("outage", "kafka", 8), both)
    assert [data.title for data in twice.data] == ["Kafka", "Kafka 2", "monolith", "Kafka 3"]
    assert [data.title for data in flow(run_of("outage", "rpc"), labels=["before"]).data] == ["before"]
    with pytest.raises(ValueError, match="needs a run"):
        flow()
    with pytest.raises(ValueError, match="1 runs, but 2 labels"):
        flow(run_of("outage", "rpc"), labels=["a", "b"])
    with pytest.raises(TypeError, match="not str"):
        flow("kafka")


HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title=1\"> & 'quotes' {title}"


def hostile_page(folder: Path) -> Path:
    parts = {"duration": "2s", "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "poisson 20/s"}}}
    run = simulate(shop(title=HOSTILE, **parts), "kafka", 7)
    return lab_flow()(run, labels=[HOSTILE]).save_html(folder / "hostile.html")


def test_names_cannot_end_the_script_of_the_page(tmp_path: Path) -> None:
    text = hostile_page(tmp_path).read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script>") == 2
    assert "<img" not in text
    data = json.loads(re.search(r'id="run">(.*?)</script>', text)[1])  # type: ignore[index]
    assert data["_panels"][0]["title"] == HOSTILE


def test_the_page_names_nothing_outside_itself(tmp_path: Path) -> None:
    text = lab_flow()(run_of("outage", "kafka")).save_html(tmp_path / "flow.html").read_text(encoding="utf-8")
    assert "http://" not in text and "https://" not in text and "import " not in text.split("</script>")[1]


# --- the page in a browser -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window; tests are skipped where it or Playwright is missing."""
    if MISSING:
        pytest.skip(f"no real browser test: {', '.join(MISSING)} missing")
    with chromium() as started:
        yield started.chromium


class Page:
    """A saved animation in the browser; `complaints` is what the console said, `requests` what was asked for."""

    def __init__(self, browser: Any, file: Path, scheme: str = "light") -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900})
        self.page.set_default_timeout(30_000)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector(".edasim-flow canvas")

    def js(self, expression: str, given: Any = None) -> Any:
        """The value of an expression; `flow` is the animation, `given` what is handed in."""
        return self.page.evaluate(
            f"(given) => {{ const flow = document.getElementById('flow').edasimFlow; return {expression}; }}", given)

    def wait(self, condition: str) -> None:
        """Until an expression is true, at most ten seconds."""
        for _ in range(200):
            if self.js(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"it did not come true that {condition}")

    def scrub(self, time_s: float) -> None:
        """Move the bar as a hand does."""
        self.page.evaluate("""(time) => { const bar = document.querySelector("input[type=range]");
                               bar.value = time; bar.dispatchEvent(new Event("input")); }""", time_s)

    def numbers(self) -> list[dict[str, int]]:
        """For each panel the counts by node as the page's table has them."""
        return self.page.evaluate("""() => [...document.querySelectorAll("table")].map((table) => Object.fromEntries(
            [...table.querySelectorAll("[data-node]")].map((cell) => [cell.dataset.node, +cell.textContent])))""")

    def pixels(self, panel: int = 0) -> str:
        """What a panel's canvas shows."""
        return str(self.js("flow.views[given].canvas.toDataURL()", panel))


@pytest.fixture(scope="module")
def four(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The outage in all four architectures."""
    flow = lab_flow()(*(run_of("outage", architecture) for architecture in ARCHITECTURES))
    return Page(browser, flow.save_html(tmp_path_factory.mktemp("flow") / "flow.html"))


@pytest.mark.parametrize("name", ["outage", "dead letters", "aside", "crash", "duplicates", "cancelled", "fifteen"])
def test_the_browser_counts_as_python_does(name: str, browser: Any, tmp_path: Path) -> None:
    runs = [run_of(name, architecture) for architecture in ARCHITECTURES]
    shown = lab_flow()(*runs)
    page = Page(browser, shown.save_html(tmp_path / "flow.html"))
    times = instants(runs[0], 40)
    states = page.js("given.map((time) => flow.state(time).map((panel) => panel.counts))", times)
    assert states == [shown.counts(time_s) for time_s in times]
    page.scrub(times[20])
    wanted = [{node: count for node, count in panel.items() if node in shown_there}
              for panel, shown_there in zip(shown.counts(times[20]), page.numbers(), strict=True)]
    assert page.numbers() == wanted
    assert page.complaints == []
    page.page.close()


def test_scrubbing_back_shows_the_same_picture_as_before(four: Page) -> None:
    four.scrub(4.5)
    first = [four.pixels(panel) for panel in range(4)]
    four.scrub(6.1)
    assert four.pixels(2) != first[2]
    four.scrub(4.5)
    assert [four.pixels(panel) for panel in range(4)] == first


def test_it_plays_at_its_speed_and_pauses(four: Page) -> None:
    four.scrub(1.0)
    before = four.pixels(2)
    four.page.select_option("select", "5")
    four.page.click("button")
    four.page.wait_for_timeout(300)
    four.wait("flow.time_s > 2.5")
    assert four.pixels(2) != before
    four.page.click("button")
    there = four.js("flow.time_s")
    # In a pause the dots settle where the messages were at that instant, and then nothing is drawn any more.
    four.wait("!flow.request")
    assert four.js("[flow.time_s, flow.hop_s]") == [there, 0]


def test_the_keyboard_does_all_of_it(four: Page) -> None:
    four.scrub(3.0)
    four.page.focus("input[type=range]")
    four.page.keyboard.press("ArrowRight")
    assert four.js("flow.time_s") == 4.0
    four.page.keyboard.press("Home")
    assert four.js("flow.time_s") == 0.0
    four.page.keyboard.press("End")
    assert four.js("flow.time_s") == four.js("flow.end_s")
    speed = four.js("flow.speed")
    four.page.keyboard.press("-")
    assert four.js("flow.speed") < speed
    four.page.keyboard.press("Home")
    four.page.keyboard.press("Space")
    assert four.js("flow.playing")
    four.page.keyboard.press("Space")
    assert not four.js("flow.playing")


def test_a_click_follows_the_same_order_everywhere(four: Page) -> None:
    four.scrub(4.5)
    x, y, order = four.js("[...flow.views[2].drawn.slice(0, 3)]")
    scale = four.js("flow.views[2].scale")
    four.page.locator("canvas").nth(3).click(position={"x": x * scale, "y": y * scale})
    assert four.js("flow.order") == order
    assert four.page.inner_text(".edasim-flow-order") == f"following order-{order}"


def test_nothing_is_asked_of_a_network_and_nothing_complains(four: Page) -> None:
    assert four.complaints == []
    assert [url for url in four.requests if not url.startswith("file:")] == []
    assert len(four.requests) == 1


def test_a_dark_page_gets_light_ink(browser: Any, tmp_path: Path) -> None:
    file = lab_flow()(run_of("outage", "kafka")).save_html(tmp_path / "flow.html")
    inks = {}
    for scheme in ("light", "dark"):
        page = Page(browser, file, scheme)
        inks[scheme] = page.page.evaluate("getComputedStyle(document.querySelector('.edasim-flow')).color")
        page.page.close()
    assert inks == {"light": "rgb(34, 34, 34)", "dark": "rgb(238, 238, 238)"}


def test_hostile_names_are_shown_and_do_nothing(browser: Any, tmp_path: Path) -> None:
    page = Page(browser, hostile_page(tmp_path))
    assert page.page.title() == HOSTILE
    assert page.page.inner_text("h3") == HOSTILE
    assert page.page.locator("img").count() == 0
    assert page.complaints == []
    assert len(page.requests) == 1


@pytest.mark.parametrize("architecture", ["kafka", "rabbitmq"])
def test_a_redriven_dead_letter_leaves_the_place_of_dead_letters(architecture: str) -> None:
    data = flow_data(simulate(redriven_shop(), architecture, 7))
    node = "dead payment"
    assert [data.counts(time_s)[node] for time_s in (1.0, 4.9, 5.05, 8.0)] == [0, 5, 4, 0]
