"""The report: one file that asks nothing of anybody, says everything, and is the same for the same study."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from edasim.charts.saving import CHARTS, KAFKA_CHARTS, charts_of
from edasim.cli import main
from edasim.core.files import NotWritten
from edasim.report import figures, writing
from edasim.report.fidelity import fidelity
from edasim.report.making import making
from edasim.report.tables import all_differences, all_numbers, main_table
from edasim.report.words import meanings
from edasim.report.writing import report_text, write_report
from edasim.scenario.broker_options import SECTIONS
from edasim.scenario.reading import load
from edasim.study.compare import Interrupted, compare
from edasim.study.comparison import Comparison, json_text
from tests.study_worlds import SMALL, small_comparison, small_shop

HOSTILE = """
title: '<script>alert(1)</script> $$ $\\frac{$ "quoted" ''single'' &amp; =1+1'
description: "</style></pre><img src=x onerror=alert(2)>\\n=HYPERLINK(1)\\n{{ 7 * 7 }} {% raw %}"
duration: 2s
producers: {checkout: {publishes: OrderPlaced, arrivals: every 100ms, key: __proto__}}
services: {payment: {handles: OrderPlaced, work: 10ms}}
architectures:
  rabbitmq: {queue: {x-dead-letter-exchange: "<b>dead</b>", x-dead-letter-routing-key: "\\" onload=\\"alert(3)"}}
"""


class Page(HTMLParser):
    """What is in a page: its tags with their attributes, its headings, and its text outside of the style sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.headings: list[tuple[int, str]] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in ("meta", "link", "img", "wbr"):
            self._inside.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._inside and self._inside[-1] == tag, f"</{tag}> closes {self._inside[-3:]}"
        self._inside.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self._inside:
            return
        self.words.append(data)
        if self._inside and re.fullmatch("h[1-6]", self._inside[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = level, text + data

    def of(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each tag of a name."""
        return [attributes for name, attributes in self.tags if name == tag]


@cache
def small_text() -> str:
    """The report of the small shop with all four architectures, drawn once."""
    return report_text(small_comparison())


@cache
def small_page() -> Page:
    """The same, read."""
    return Page(small_text())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is written: drawing all pictures takes seconds."""
    nothing = {"slide": figures.Shown("slide", "data:image/png;base64,", 1, 1, "nothing", ""), "charts": [],
               "theory": [], "topologies": [], "journey": None, "topology_words": ""}  # fmt: skip
    monkeypatch.setattr(writing, "_drawn", lambda comparison, progress: nothing)


def one_run(text: str = SMALL, architecture: str = "kafka") -> Comparison:
    """One replication of one architecture."""
    return compare(load(text), [architecture], replications=1, seed=3)


def test_nothing_is_asked_of_any_network_and_nothing_can_run() -> None:
    page = small_page()
    unwanted = {"script", "iframe", "object", "embed", "form", "base", "audio", "video"}
    assert {tag for tag, _ in page.tags} & unwanted == set()
    asked = [value for _, attributes in page.tags for name, value in attributes.items()
             if name in ("src", "href", "srcset", "action", "poster", "data", "background")]
    assert asked
    assert [value[:40] for value in asked if not value.startswith(("data:image/png;base64,", "data:,", "#"))] == []
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
    assert re.findall(r"https?:|url\(|@import|javascript:", small_text()) == []
    policy = next(one["content"] for one in page.of("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_every_picture_is_whole_and_has_a_text_that_says_what_is_seen() -> None:
    pictures = small_page().of("img")
    assert len(pictures) == 1 + len(charts_of(small_comparison())) + 4 + 1
    for picture in pictures:
        png = base64.b64decode(picture["src"].partition("base64,")[2], validate=True)
        assert png.startswith(b"\x89PNG")
        assert len(picture["alt"]) > 40 and int(picture["width"]) >= 1200
    alts = [picture["alt"] for picture in pictures]
    assert "Payment down for 2 s" in alts[0]
    assert len(set(alts)) == len(alts)
    assert any("checkout to OrderPlaced" in alt for alt in alts)
    assert len(small_text()) < 3_000_000


def test_headings_go_down_one_step_at_a_time_and_links_lead_somewhere() -> None:
    page = small_page()
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert [text for level, text in page.headings if not text.strip()] == []
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert {link["href"].removeprefix("#") for link in page.of("a")} <= set(names)
    assert page.of("html") == [{"lang": "en"}]


def test_tables_say_what_their_heads_are_heads_of() -> None:
    page = small_page()
    assert len(page.of("caption")) == len(page.of("table")) >= 5
    assert {head.get("scope") for head in page.of("th")} == {"row", "col"}


def test_the_verdict_comes_first_and_every_number_of_the_table_is_there() -> None:
    comparison, page = small_comparison(), small_page()
    assert next(text for level, text in page.headings if level == 2) == "Verdict"
    for sentence in comparison.verdict().splitlines():
        assert sentence in page.text
    table = main_table(comparison)
    assert table.columns == ("monolith", "RPC", "Kafka", "RabbitMQ")
    refused = next(line for group in table.groups for line in group if line.name == "refused")
    assert refused.cells[0].text and refused.cells[0].below == ""
    assert refused.cells[2].below.startswith("−")
    for group in table.groups:
        for line in group:
            for cell in line.cells:
                assert cell.text in page.text and " ".join(cell.below.split()) in page.text


def test_all_numbers_have_the_ends_of_their_intervals_and_differences_their_reduction() -> None:
    comparison = small_comparison()
    numbers = {line.name: line for group in all_numbers(comparison).groups for line in group}
    found = comparison.interval("monolith", "orders.refused")
    refused = numbers["orders.refused"].cells[0]
    assert (refused.text, refused.below) == (f"{found.mean:.4g}", f"{found.low:.4g} to {found.high:.4g}")
    assert set(numbers) >= {"services.payment.wait_s.p99", "torn_peak", "conservation"}
    differences = all_differences(comparison)
    assert differences is not None
    apart = next(line for line in differences.groups[0] if line.name == "orders.refused").cells[1]
    saved = comparison.difference("kafka", "orders.refused").variance_reduction
    assert apart.below.splitlines()[1] == f"{saved:.0%} of the variance".replace("-", "−")
    assert " to " in apart.below.splitlines()[0]
    assert all_differences(one_run()) is None


def test_each_row_of_the_table_is_explained() -> None:
    rows = [line.name for group in main_table(small_comparison()).groups for line in group]
    words = [word for word, _ in meanings(rows)]
    assert [row for row in rows if not any(row.startswith(word) for word in words)] == []
    assert {*CHARTS, *KAFKA_CHARTS} <= set(figures._CAPTIONS)


def test_stress_is_told_item_by_item_from_the_scenario() -> None:
    items = {item.number: item for section in making(small_comparison()) for item in section.items}
    assert list(items) == ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "2.4", "2.5", "3.1", "3.2", "3.3", "3.4",
                           "4.1", "4.2", "4.3", "5.1", "5.2", "5.3", "5.4", "6.1"]  # fmt: skip
    assert all(item.paragraphs and all(item.paragraphs) for item in items.values())
    told = {number: " ".join(item.paragraphs) for number, item in items.items()}
    assert "Payment handles OrderPlaced in exponential 30ms" in told["2.2"]
    assert "payment down for 2 s, from 3.1 s on" in told["2.3"]
    assert "first 1 s" in told["4.1"] and "for 8 s" in told["4.2"]
    assert "3 independent replications" in told["4.3"] and "Common random numbers" in told["4.3"]
    digest = hashlib.sha256(json_text(small_comparison().as_dict()).encode()).hexdigest()
    assert "--replications 3 --seed 7" in told["6.1"] and digest in told["6.1"]
    assert all(paragraph in small_page().text for paragraph in items["2.3"].paragraphs)


def test_the_text_and_the_command_of_a_report_give_its_numbers_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], undrawn: None
) -> None:
    comparison = one_run()
    page = Page(report_text(comparison))
    words = " ".join(page.words)
    text = re.search(r"title: A small shop\n.*?(?=\n\s*Pictures|\n\s*Values)", words, re.DOTALL)
    assert text
    (tmp_path / "scenario.yml").write_text(text[0], encoding="utf-8")
    command = re.search(r"edasim (compare scenario\.yml [^\n]*--json)", words)
    assert command
    arguments = command[1].replace("scenario.yml", str(tmp_path / "scenario.yml")).split()
    assert main(arguments) == 0
    assert hashlib.sha256(capsys.readouterr().out.encode()).hexdigest() in page.text


def test_options_are_told_by_how_they_are_treated() -> None:
    shop = small_shop().change({"architectures.kafka.producer": {"acks": "all", "compression.type": "gzip"}})
    found = fidelity(shop, "kafka")
    assert found is not None and found.title == "Kafka 4.3"
    assert {option: status for option, _, status, _ in found.named} == {
        "topic partitions": SECTIONS["kafka topic"]["partitions"].status,
        "producer acks": SECTIONS["kafka producer"]["acks"].status,
        "producer compression.type": SECTIONS["kafka producer"]["compression.type"].status,
    }
    assert "linger.ms" in found.modelled and "partitions" not in found.modelled
    assert not set(found.modelled) & {name for name, _ in found.simplified}
    assert fidelity(shop, "monolith") is None


def test_theory_of_the_queues_is_in_it(undrawn: None) -> None:
    comparison = one_run()
    names = {row.prediction.name for row in comparison.theory().rows}
    text = Page(report_text(comparison)).text
    assert "Load against capacity" in text
    assert names and all(name in text for name in names)


def test_hostile_texts_stay_texts() -> None:
    comparison = one_run(HOSTILE, "rabbitmq")
    text = report_text(comparison)
    page = Page(text)
    assert page.of("script") == []
    assert [one for one in page.of("img") if not one["src"].startswith("data:image/png;base64,")] == []
    assert [attributes for _, attributes in page.tags if {"onerror", "onload"} & set(attributes)] == []
    assert page.headings[0][1] == comparison.scenario.title
    assert "</style></pre><img src=x onerror=alert(2)> =HYPERLINK(1) {{ 7 * 7 }} {% raw %}" in page.text
    assert "49" not in page.text.partition("{% raw %}")[0].split("HYPERLINK")[-1]


def test_control_characters_are_written_as_what_they_are(undrawn: None) -> None:
    one = one_run()
    renamed = one.scenario.model_copy(update={"title": "a\x00b\x1b[31m\u202ec"})
    text = report_text(Comparison(renamed, one.seed, 1, one.observations, {}))
    assert not {"\x00", "\x1b", "\u202e"} & set(text)
    assert Page(text).headings[0][1] == r"a\x00b\x1b[31m\x202ec"


def test_the_same_study_gives_the_same_bytes() -> None:
    assert report_text(one_run()) == report_text(one_run())


def test_an_interrupted_study_says_so_everywhere(undrawn: None) -> None:
    whole = small_comparison()
    found = {"kafka": whole.observations["kafka"][:2]}
    text = report_text(Comparison(whole.scenario, whole.seed, 5, found, {"kafka": whole.runs["kafka"]}))
    page = Page(text)
    assert "<title>A small shop (incomplete: 2 of 5 replications)</title>" in text
    assert "Incomplete: the study was interrupted (incomplete: 2 of 5 replications)" in page.text
    assert "2 independent replications of each architecture (incomplete: 2 of 5 replications" in page.text
    assert "ncomplete" not in small_page().text


def test_a_study_without_its_runs_has_no_journey_and_no_traffic() -> None:
    whole = small_comparison()
    bare = Comparison(whole.scenario, whole.seed, 3, whole.observations, {})
    assert figures.journeys_shown(bare) is None
    drawn = list(figures.topologies_shown(bare))
    assert [picture.name for picture in drawn] == [f"topology-{name}" for name in whole.architectures]
    assert drawn[2].source != list(figures.topologies_shown(whole))[2].source


def test_the_journey_is_that_of_an_order_from_the_middle_of_the_story() -> None:
    shown = figures.journeys_shown(small_comparison())
    assert shown is not None
    number = int(re.findall(r"order-(\d+)", shown.alt)[0])
    journeys = small_comparison().journey(number)
    assert 4.1 <= journeys["kafka"].placed_s < 4.4
    assert str(journeys) == shown.details


def test_one_run_says_that_it_has_no_error_bars(undrawn: None) -> None:
    page = Page(report_text(one_run()))
    assert "One replication: nothing here has an error bar" in page.text
    assert "paired differences" not in page.text
    assert "One replication" not in small_page().text


def test_the_command_writes_the_file_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.yml").write_text(SMALL, encoding="utf-8")
    page = tmp_path / "new" / "page.html"
    command = ["report", str(tmp_path / "shop.yml"), "--arch", "monolith", "--replications", "2"]
    assert main([*command, "--set", "client.timeout=2s", "--out", str(page), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    content = page.read_bytes()
    assert answer["report"] == {"file": str(page), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert answer["replications"] == 2 and set(answer["architectures"]) == {"monolith"}
    assert b"timeout: 2s" in content
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]


def test_ctrl_c_leaves_a_report_of_what_was_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    def stopped(*_: object, **__: object) -> Comparison:
        one = one_run()
        raise Interrupted(Comparison(one.scenario, one.seed, 4, one.observations, one.runs))

    monkeypatch.setattr("edasim.study.compare.compare", stopped)
    assert main(["report", "payment-outage", "--replications", "4", "--out", str(tmp_path / "page.html")]) == 130
    assert "1 of 4 replications were finished" in capsys.readouterr().err
    assert "Incomplete: the study was interrupted" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_ctrl_c_while_drawing_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_drawn", stopped)
    (tmp_path / "shop.yml").write_text(SMALL, encoding="utf-8")
    command = ["report", str(tmp_path / "shop.yml"), "--arch", "kafka", "--replications", "1"]
    assert main([*command, "--out", str(tmp_path / "page.html")]) == 130
    assert "page.html is not written" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_a_folder_gets_the_report_under_its_usual_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], undrawn: None
) -> None:
    (tmp_path / "shop.yml").write_text(SMALL, encoding="utf-8")
    command = ["report", str(tmp_path / "shop.yml"), "--arch", "rpc", "--replications", "1", "--out", str(tmp_path)]
    assert main(command) == 0
    assert f"Written: {tmp_path / 'report.html'}" in capsys.readouterr().out.replace("\n", "")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], undrawn: None
) -> None:
    (tmp_path / "file").touch()
    assert main(["report", "payment-outage", "--out", str(tmp_path / "file" / "page.html")]) == 2
    assert "file" in capsys.readouterr().err
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(NotWritten):
        write_report(small_comparison(), tmp_path / "taken.html")
