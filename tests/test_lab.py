"""The lab without a browser: what stands under every slider, button and band."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ipywidgets", reason="the lab needs the extra edasim[lab]")
pytest.importorskip("anywidget", reason="the lab needs the extra edasim[lab]")

from PIL import Image

import edasim
from edasim.charts import timeline
from edasim.lab.counting import counts
from edasim.lab.dials import STEPS, dials
from edasim.lab.explorer import Explorer, explore
from edasim.lab.guess import COVERED, predict
from edasim.lab.panels import Panels, Scales
from edasim.lab.seen import see, told
from edasim.lab.start import start
from edasim.lab.track import BUSY, CALM, OVER, bottleneck, colour, colours, paint
from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate

SCENARIOS = sorted(Path("scenarios").glob("*.yml"))


def outage() -> Scenario:
    """The payment outage, short enough for many runs."""
    return load("scenarios/payment-outage.yml").change(
        {"duration": "20s", "warm-up": "2s", "faults.outage.at": "6s", "faults.outage.for": "4s",
         "client.timeout": "2s"})


def pixels(png: bytes) -> np.ndarray:
    """A picture as an array."""
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def explorer() -> Explorer:
    """An exploration of two architectures."""
    return explore(outage(), architectures=["monolith", "kafka"], seed=7)


# --- dials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_every_step_of_every_slider_is_a_scenario_that_can_be(file: Path) -> None:
    shop = load(file)
    found = dials(shop)
    assert [dial.path for dial in found] == list(shop.knobs)
    for dial in found:
        knob = shop.knobs[dial.path]
        assert 2 <= len(dial.texts) <= STEPS + 3
        assert list(dial.numbers) == sorted(dial.numbers)
        for text in (dial.texts[0], dial.texts[len(dial.texts) // 2], dial.texts[-1]):
            shop.change({dial.path: dial.value(text)})
        assert shop.change({dial.path: dial.value(dial.texts[0])}) == shop.change({dial.path: dial.value(knob.low)})
        assert shop.change({dial.path: dial.value(dial.texts[-1])}) == shop.change({dial.path: dial.value(knob.high)})
        assert shop.change({dial.path: dial.value(dial.texts[dial.start])}) == shop


@pytest.mark.parametrize(
    ("path", "low", "high", "now"),
    [("services.payment.work", "7.5ms", "120ms", "30ms"), ("services.inventory.workers", "1", "8", "2"),
     ("services.payment.fails", "0.5%", "8%", "2%"), ("producers.checkout.arrivals", "10/s", "160/s", "40/s")],
)
def test_a_path_without_a_knob_gets_a_range_around_its_value(path: str, low: str, high: str, now: str) -> None:
    shop = load("scenarios/payment-outage.yml").change({"knobs": None})
    dial, = dials(shop, [path])
    assert (dial.texts[0], dial.texts[-1], dial.texts[dial.start]) == (low, high, now)


def test_a_length_of_time_without_a_knob_is_not_taken_for_a_count() -> None:
    shop = outage().change({"knobs": None})
    assert dials(shop, ["client.timeout"])[0].texts[-1] == "8s"


@pytest.mark.parametrize("path", ["title", "client.retries", "services.nobody.work", "services.payment.handles"])
def test_what_no_slider_can_move_is_a_sentence(path: str) -> None:
    with pytest.raises(ScenarioError, match=r"slider|range|among|nothing stands at this path"):
        dials(outage(), [path])


# --- a slider moves the curves smoothly -----------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["monolith", "rpc", "kafka", "rabbitmq"])
def test_a_small_change_of_a_knob_makes_a_small_change_of_the_curves(architecture: str) -> None:
    """Work times are the inverse CDF of fixed uniforms: a step of 1% moves each of them by 1%, not to another draw."""
    shop = load("scenarios/order-processing.yml").change({"faults": None, "duration": "20s", "warm-up": "0s"})

    def typical_s(work: str) -> np.ndarray:
        done = see(simulate(shop.change({"services.payment.work": work}), architecture, seed=7)).done_s
        return np.percentile(done, [10, 25, 50, 75, 90])

    here, near, far = typical_s("30ms"), typical_s("30.3ms"), typical_s("45ms")
    assert 0 < np.abs(near / here - 1).max() < 0.06
    assert np.abs(far / here - 1).max() > 0.2
    other = np.percentile(see(simulate(shop, architecture, seed=8)).done_s, [10, 25, 50, 75, 90])
    assert np.abs(near - here).max() < 0.5 * np.abs(other - here).max()


# --- pictures -------------------------------------------------------------------------------------------------


def test_panels_draw_what_a_fresh_figure_would() -> None:
    names = ["monolith", "kafka"]
    seen = [see(simulate(outage(), name, seed=7)) for name in names]
    used, fresh = Panels(names), Panels(names)
    others = [see(simulate(outage().change({"client.timeout": "1s"}), name, seed=7)) for name in names]
    used.fit([*seen, *others])
    first = used.png(others)
    fresh.fit([*seen, *others])
    assert used.png(seen) == fresh.png(seen) != first
    assert pixels(first).shape == (630, 1040, 3)


def test_axes_stay_while_a_slider_is_dragged_and_fit_when_it_rests() -> None:
    seen = [see(simulate(outage(), "kafka", seed=7))]
    longer = [see(simulate(outage().change({"faults.outage.for": "12s"}), "kafka", seed=7))]
    panels = Panels(["kafka"])
    panels.png(seen)
    before = panels.scales
    panels.png(longer)
    assert panels.scales == before == Scales.of(seen)
    assert before.fit(Scales.of(seen))
    assert not before.fit(Scales.of(longer))
    panels.fit(longer)
    assert panels.scales.backlog > 2 * before.backlog


def test_a_pinned_run_stays_as_a_faint_line() -> None:
    one, other = ([see(simulate(outage().change({"faults.outage.for": length}), "kafka", seed=7))]
                  for length in ("4s", "3s"))
    panels = Panels(["kafka"])
    panels.fit(one)
    assert panels.png(other, one) != panels.png(other)


def test_double_charges_are_counted_in_red() -> None:
    shop = load("scenarios/flaky-network.yml")
    panels = Panels(["rabbitmq"])
    seen = see(simulate(shop, "rabbitmq", seed=7))
    assert seen.twice > 100
    image = pixels(panels.png([seen])).astype(int)
    red = (image[..., 0] > 170) & (image[..., 1] < 40) & (image[..., 2] < 40)
    assert red.sum() > 50


def test_the_title_states_the_result_in_the_readers_words() -> None:
    seen = [see(simulate(outage(), name, seed=7)) for name in ("monolith", "kafka")]
    refused = seen[0].outcomes["refused"]
    assert refused > 10
    assert told(seen).startswith(
        f"Payment down: the monolith turned {refused} of {seen[0].outcomes['placed']} customers away; Kafka kept all")
    assert "half done" in told(seen)
    assert told([]) == "Choose an architecture."


# --- the explorer ---------------------------------------------------------------------------------------------


def test_every_slider_moves_the_picture_or_is_told_to_leave_it(explorer: Explorer) -> None:
    """Every knob of the outage changes the picture at one of its ends, and comes back to the very same picture."""
    first = bytes(explorer.picture.png)
    for path, dial in explorer.dials.items():
        changed = []
        for text in (dial.texts[0], dial.texts[-1]):
            explorer.set(path, text)
            assert explorer.problem.value == "", path
            changed.append(bytes(explorer.picture.png) != first)
        assert any(changed), path
        explorer.reset()
    assert explorer.scenario == outage()


def test_toggles_and_seed(explorer: Explorer) -> None:
    explorer.toggles["monolith"].value = False
    assert list(explorer.runs) == ["kafka"]
    assert "monolith" not in explorer.title
    before = bytes(explorer.picture.png)
    explorer.seed.value = 8
    assert bytes(explorer.picture.png) != before
    assert explorer.runs["kafka"].seed == 8
    explorer.toggles["kafka"].value = False
    assert explorer.title == "Choose an architecture."


def test_a_dragged_band_moves_its_fault_and_the_slider_follows(explorer: Explorer) -> None:
    band, = explorer.picture.bands
    assert (band["name"], band["start"], band["end"]) == ("outage", 6.0, 10.0)
    explorer.picture.moved = {"name": "outage", "start": 5.03, "end": 11.26, "number": 1}
    fault = explorer.scenario.faults["outage"]
    assert (fault.at, fault.for_ and fault.for_.text) == (5_000_000_000, "6.5s")
    assert explorer.sliders["faults.outage.for"].value == "6.5s"
    assert explorer.picture.bands[0]["end"] == 11.5
    explorer.picture.moved = {"name": "nothing of that name", "start": 1, "end": 2, "number": 2}
    assert explorer.scenario.faults["outage"] == fault


def test_a_bad_value_says_its_sentence_in_place(explorer: Explorer) -> None:
    before = bytes(explorer.picture.png)
    explorer._values["services.payment.workers"] = -1
    explorer.refresh()
    assert "services.payment.workers" in explorer.problem.value
    assert "Traceback" not in explorer.problem.value
    assert bytes(explorer.picture.png) == before
    explorer.reset()
    assert explorer.problem.value == ""


def test_yaml_and_chart_can_be_taken_home(explorer: Explorer, tmp_path: Path) -> None:
    explorer.set("client.timeout", "12s")
    explorer.copy()
    file = tmp_path / "copied.yml"
    file.write_text(explorer.text.value, encoding="utf-8")
    assert load(file) == explorer.scenario
    names = [explorer.save(tmp_path).name for _ in range(2)]
    assert names == ["payment-is-down-for-ten-seconds.png", "payment-is-down-for-ten-seconds-2.png"]
    assert pixels((tmp_path / names[0]).read_bytes()).shape == (630, 1040, 3)


def test_a_title_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    explorer = explore(outage().change({"title": "../../etc/<script>"}), [], ["kafka"])
    assert explorer.save(tmp_path).parent == tmp_path


def test_a_chart_of_ones_own_takes_the_place_of_the_panels() -> None:
    explorer = explore(outage(), ["client.timeout"], ["kafka"], chart=timeline.backlog)
    before = bytes(explorer.place.children[0].value)
    assert pixels(before).shape[:2] == (750, 1200)
    explorer.seed.value = 9
    assert bytes(explorer.place.children[0].value) != before


def test_explore_is_a_name_of_the_package() -> None:
    assert edasim.explore is explore


def test_dead_letters_are_redriven_at_a_rate_at_the_push_of_a_button() -> None:
    explorer = explore(outage(), ["client.timeout"], ["kafka"], seed=7)
    parked = explorer.runs["kafka"].summary().outcomes["parked"]
    assert parked > 0
    cured = explore(outage().change({"changes": [{"at": "11s", "path": "services.payment.poison", "value": "0%"}]}),
                    ["client.timeout"], ["kafka"], seed=7)
    before = bytes(cured.picture.png)
    cured.redrive.value = True
    assert cured.scenario.services["payment"].redrive is not None
    assert cured.scenario.services["payment"].redrive.at == 15_000_000_000
    assert cured.runs["kafka"].summary().outcomes["parked"] < parked
    assert bytes(cured.picture.png) != before
    cured.redrive_rate.value = "100/s"
    assert cured.scenario.services["payment"].redrive.rate == 100
    cured.reset()
    assert cured.scenario.services["payment"].redrive is None
    assert cured.redrive.value is False


# --- the colour of a track ------------------------------------------------------------------------------------


def test_the_track_is_coloured_by_how_busy_the_bottleneck_is() -> None:
    shop = load("scenarios/payment-outage.yml")
    assert [colour(value) for value in (0.0, 0.69, 0.7, 0.99, 1.0, float("inf"))] == [
        CALM, CALM, BUSY, BUSY, OVER, OVER]
    rate, workers, timeout = (
        next(dial for dial in dials(shop) if dial.path == path)
        for path in ("producers.checkout.arrivals", "services.payment.workers", "client.timeout"))
    along = colours(shop, rate)
    assert (along[0], along[-1]) == (CALM, OVER)
    assert along == sorted(along, key=[CALM, BUSY, OVER].index)
    at_limit = rate.numbers[round(along.index(OVER) / (len(along) - 1) * (len(rate.texts) - 1))]
    exact = 40 / bottleneck(shop)
    assert at_limit == pytest.approx(exact, rel=0.05)
    assert colours(shop, workers)[0] == OVER
    assert colours(shop, timeout) == [colour(bottleneck(shop))]
    sheet = paint(shop, [rate], {rate.path: "edasim-dial-x"})
    assert ".edasim-dial-x .noUi-target" in sheet


# --- a guess --------------------------------------------------------------------------------------------------


def test_a_chart_stays_covered_until_the_reader_commits() -> None:
    drawn = []
    guess = predict("How many of the 400 are refused?", 0, 400)
    place = guess.reveal(lambda: drawn.append(1) or "the chart", answer=391)
    assert COVERED in place.children[0].value
    assert not drawn
    guess.slider.value = 150
    guess.button.click()
    assert guess.committed == 150
    assert drawn == [1]
    assert "the chart" in place.children[1].value
    guess.commit(390)
    assert guess.committed == 150
    later = guess.reveal(lambda: "at once")
    assert "at once" in later.children[0].value


def test_the_guess_is_a_dashed_line_beside_the_answer() -> None:
    guess = predict("How many?", 0, 400)
    guess.commit(150)
    ax, = guess.beside(391).axes
    line = ax.get_lines()[0]
    assert (line.get_xdata()[0], line.get_linestyle()) == (150, "--")
    assert [text.get_text() for text in ax.texts] == ["your guess 150", "it was 391"]


def test_an_exploration_is_covered_until_the_guess(explorer: Explorer) -> None:
    guess = predict("How many?", 0, 100)
    assert explorer.cover(guess) is explorer
    assert explorer.picture.cover == COVERED
    guess.commit(3)
    assert explorer.picture.cover == ""


def test_a_table_behind_a_guess_stays_a_table() -> None:
    guess = predict("How many?", 0, 400)
    place = guess.reveal(counts({"one": simulate(outage(), "kafka", seed=7)}, "done"))
    assert "<table" not in place.children[0].value
    guess.commit(150)
    assert "<table" in place.children[0].value


def test_a_question_is_a_text_and_not_markup() -> None:
    guess = predict("<script>alert(1)</script>", 0, 1)
    assert "<script>" not in guess.children[0].value
    with pytest.raises(ValueError, match="room"):
        predict("?", 3, 3)


# --- the first minute -----------------------------------------------------------------------------------------


def test_the_first_minute_goes_from_a_button_to_one_sentence_and_one_slider() -> None:
    first = start(outage(), seed=7)
    assert [child.description for child in first.place.children] == ["Start"]
    first.take_down()
    assert first.step == 0, "nothing can break before it runs"
    first.start_button.click()
    shop, guess, button = first.place.children
    assert button.description == "Take payment down"
    assert shop.playing
    assert f"{first.placed} customers" in guess.question
    guess.slider.value = 30
    button.click()
    assert guess.committed == 30
    assert first.flow is not None
    assert (first.flow.time_s, first.flow.playing) == (4.0, True)
    assert first.sentence == ""
    first.flow.time_s = 15.0
    refused = int(first.comparison.interval("monolith", "focus.refused").mean)
    assert first.sentence.startswith(f"You guessed 30. Payment down for 4 s: the monolith turned {refused} of")
    assert first.result == refused > 0
    assert first.explorer is not None
    assert list(first.explorer.sliders) == ["client.timeout"]
    first.tell()
    assert first.step == 3


def test_who_does_not_want_to_wait_is_told_at_once() -> None:
    first = start(outage(), seed=7)
    first.begin()
    first.take_down()
    first.skip_button.click()
    assert first.sentence


# --- theory under the picture ---------------------------------------------------------------------------------


def test_theory_follows_the_sliders_and_says_overload(explorer: Explorer) -> None:
    assert "M/G/7 ≈ 530 µs" in explorer.theory.value
    assert "3 x M/G/1: " in explorer.theory.value
    assert "needs" not in explorer.theory.value
    explorer.set("services.payment.workers", "1")
    assert "Payment needs 1.3 workers and has 1, so its backlog grows" in explorer.theory.value
    assert "3 x M/G/1" not in explorer.theory.value
    explorer.toggles["kafka"].value = False
    assert "Kafka" not in explorer.theory.value


def test_error_bars_come_at_a_button_and_go_with_the_next_move(explorer: Explorer) -> None:
    explorer.buttons["With error bars"].click()
    assert "Waits measured in 10 runs" in explorer.theory.value
    table, _, _ = explorer.theory.value.partition("</table>")
    assert table.count(" ± ") == 4  # one line of orders in the monolith, three services on Kafka
    assert "≠ Monolith: payment down from 6 s to 10 s" in explorer.theory.value
    explorer.set("client.timeout", "3s")
    assert " ± " not in explorer.theory.value
