"""The report as a reader opens it: in a real Chromium without a network, on a desk, on a phone and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from edasim.report.writing import report_text
from edasim.scenario.reading import load
from edasim.study.compare import compare
from tests.browsing import MISSING, browser
from tests.study_worlds import SMALL

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no real browser test: {', '.join(MISSING)} missing"),
    pytest.mark.xdist_group("browser"),
]
_SCRIPT = "<script>document.title = 'a script ran'</script><img src='http://127.0.0.1:9/x.png'>"


@pytest.mark.notebooks
def test_a_report_opens_without_a_network_and_runs_no_script(tmp_path: Path) -> None:
    text = report_text(compare(load(SMALL), ["monolith", "kafka"], replications=2, seed=7))
    (tmp_path / "report.html").write_text(text, encoding="utf-8")
    (tmp_path / "tampered.html").write_text(text.replace("<header>", f"<header>{_SCRIPT}"), encoding="utf-8")
    with browser() as chromium:
        asked: list[str] = []
        for width in (1200, 390):
            page = chromium.open("about:blank", width, 900)
            page.context.set_offline(True)
            page.on("request", lambda request: asked.append(request.url[:60]))
            page.goto((tmp_path / "report.html").as_uri())
            assert page.title() == "A small shop"
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 100)")
            assert page.evaluate("document.scripts.length") == 0
            assert chromium.errors == chromium.away == []
            page.close()
        assert "file" in {url.partition(":")[0] for url in asked} <= {"file", "data"}
        page = chromium.open((tmp_path / "tampered.html").as_uri())
        assert page.title() == "A small shop"
        assert len([error for error in chromium.errors if "Content Security Policy" in error]) >= 2
        page.close()
        page = chromium.open((tmp_path / "report.html").as_uri())
        page.emulate_media(media="print")
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
        assert not page.locator("nav").is_visible()
        page.close()
