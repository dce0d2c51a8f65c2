"""A comparison's page says what the comparison found, and needs nothing but itself."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from label_platform.evaluation import verdicts
from label_platform.report import Histogram, render_page
from tests.report.comparison_pages import page, table


class Outline(HTMLParser):
    """Which elements are open, which text they hold, and what they would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)
        self.loads += [str(value) for name, value in attrs if name in {"src", "href", "srcset"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text.append(data.strip())


def outline(text: str) -> Outline:
    parser = Outline()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def words(text: str) -> str:
    return " ".join(part for part in outline(text).text if part)


def test_the_answer_stands_on_top() -> None:
    said = words(render_page(page()))
    assert "ips_click is better than raw_click, and worse nowhere." in said
    assert "ips_click, lambdarank becomes champion" in said
    assert said.index("ips_click is better") < said.index("Verdicts") < said.index("The numbers")


def test_without_evidence_the_page_says_so() -> None:
    found = table()
    found["verdict"] = found["verdict"].str.replace("better than raw_click", "no difference shown")
    bare = replace(page(), table=found, verdicts=verdicts(found, "raw_click"), supported=())
    assert "Nothing that a real log has shows any policy to be better" in words(render_page(bare))


def test_numbers_intervals_slices_and_refusals_are_all_there() -> None:
    said = words(render_page(page()))
    # 1 + .05, its difference, and .05 -+ .02
    for text in ("1.0500", "+0.0500", "+0.0300 to +0.0700", "device=mobile", "too few clicks"):
        assert text in said
    assert "no answer" in said
    assert "worse for device=mobile" in said
    assert "same sign in 3 of 4 tests" in said
    assert "! a day is missing" in said
    assert "✓ lists come in equal shares" in said
    assert "5,000" in said


def test_places_on_the_plot_are_those_of_the_numbers() -> None:
    text = render_page(page())
    # from -.03 to .07 with 6% on both sides: -.036 to .076, .112 wide
    zero, dot = 100 * 0.036 / 0.112, 100 * (0.05 + 0.036) / 0.112
    found = [float(each) for each in re.findall(r'class="zero" style="left:([\d.]+)%"', text)]
    assert found == pytest.approx([zero] * len(found), abs=1e-3)
    dots = [float(each) for each in re.findall(r'class="dot" style="left:([\d.]+)%"', text)]
    assert max(dots) == pytest.approx(dot, abs=1e-3)


def test_what_strangers_typed_is_text() -> None:
    query = "<script>alert('x')</script>"
    text = render_page(page(query=query, item='"><img src=x onerror=alert(1)>'))
    assert "<script" not in text
    assert "<img" not in text
    assert query in words(text)


def test_nothing_is_loaded_from_anywhere() -> None:
    text = render_page(page())
    assert outline(text).loads == ["data:,"]
    assert not re.search(r"url\(|@import|https?://", text)


def test_histograms_keep_rare_labels_visible() -> None:
    text = render_page(replace(page(), histograms=(Histogram("x", 0.0, 1.0, (400, 100, 0, 4)),)))
    heights = [float(each) for each in re.findall(r'<i style="height:([\d.]+)%"', text)]
    # square roots: 20, 10, 0 and 2 of 20
    assert heights == pytest.approx([100, 50, 0, 10])


def test_a_page_without_pictures_has_no_empty_headings() -> None:
    bare = replace(
        page(),
        promotion="",
        curves=(),
        histograms=(),
        importances=(),
        examples=(),
        agreement=(),
        checks=(),
        lineage={},
    )
    said = words(render_page(bare))
    for heading in ("How far people look", "Labels ", "Example lists", "online tests"):
        assert heading not in said


def test_a_comparison_that_was_refused_everywhere_is_shown() -> None:
    found = table().assign(verdict="refused: no clicks", reason="no clicks")
    found.loc[:, list(found.columns[6:15])] = np.nan
    said = words(render_page(replace(page(), table=found, verdicts=verdicts(found, "raw_click"))))
    assert "No answer: no clicks" in said
