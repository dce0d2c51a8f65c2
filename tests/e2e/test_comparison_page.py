"""A comparison's page in a real browser, as wide as a phone and as a desk."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from label_platform.report import render_page
from tests.report.comparison_pages import page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-background-networking"]

pytestmark = pytest.mark.e2e


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_asks_for_nothing(tmp_path: Path, width: int, scheme: str) -> None:
    path = tmp_path / "page.html"
    # a name without a gap must not push the page wider than the screen
    path.write_text(render_page(page(item="x" * 200, query="y" * 200)), "utf-8")
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type] # one of two words
        )
        shown = context.new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(path.as_uri())
        widths = shown.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        smallest = shown.evaluate(
            "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText)"
            ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        colours = shown.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body)"
            ".backgroundColor]"
        )
        shown.click("summary")
        opened = shown.locator("details table").first.is_visible()
        browser.close()
    assert said == []
    assert asked == [path.as_uri()]
    assert widths[0] <= widths[1]
    assert smallest >= 12
    assert opened
    ink, paper = (sum(map(int, each[4:-1].split(", "))) for each in colours)
    assert (ink < paper) == (scheme == "light")
