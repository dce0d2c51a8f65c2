"""The page of a comparison: what was built stands on it, in the workspace and in MLflow."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

from label_platform.lake import Partition
from label_platform.pipeline.comparison_page import comparison_page, existing_page, page_path
from tests.pipeline.conftest import DAYS, POLICIES, Installation

COMPARISON = Partition("comparisons", DAYS[-1])


def test_the_page_lies_in_the_workspace_and_with_the_run(finished: Installation) -> None:
    with finished.project().open() as context:
        path = page_path(context, COMPARISON)
    assert path.parent == finished.workspace.folder / "reports" / "product_search"
    run = finished.manifest("comparisons", DAYS[-1]).attributes["mlflow_run"]
    client = finished.mlflow()
    names = [each.path for each in client.list_artifacts(run)]
    assert path.name in names
    kept = Path(client.download_artifacts(run, path.name))
    # copies of this installation keep their pages in the same store, each with the last word
    for text in (path.read_text(), kept.read_text()):
        assert text.startswith("<!doctype html>")
        assert text.rstrip().endswith("</html>")
        assert all(name in text for name in POLICIES)


def test_numbers_on_the_page_are_those_of_the_table(finished: Installation) -> None:
    with finished.project().open() as context:
        table = context.engine.frame(f"from {context.lake.scan('comparisons', [DAYS[-1]])}")
        text = unescape(existing_page(context, COMPARISON).read_text())
    whole = table[(table["slice"] == "all") & table["difference"].notna()]
    assert len(whole) > 5
    for row in whole.to_dict(orient="records"):
        assert f"{row['value']:.4f}" in text
        assert f"({row['difference_low']:+.4f} to {row['difference_high']:+.4f})" in text
    for name in POLICIES:
        assert name in text


def test_what_stands_behind_the_numbers_is_on_the_page(finished: Installation) -> None:
    with finished.project().open() as context:
        table = context.engine.frame(f"from {context.lake.scan('comparisons', [DAYS[-1]])}")
        noted = context.require(COMPARISON).attributes
        page = comparison_page(context, COMPARISON, table, noted)
        labels = context.require(Partition("labels", DAYS[2], "raw_click")).rows
    assert {each.title for each in page.curves} >= {"all", "device desktop", "device mobile"}
    assert all(each.propensity[0] == 1 for each in page.curves)
    histograms = {each.title: sum(each.counts) for each in page.histograms}
    assert histograms["raw_click"] == labels
    for each in page.importances:
        assert 0 < sum(share for _, share in each.shares) <= 1 + 1e-9
    assert len(page.examples) == 4
    for example in page.examples:
        # the same items in two orders, one of them clicked
        sides = (example.baseline, example.contender)
        both = [{item.logged_position for item in side} for side in sides]
        assert both[0] == both[1] or min(map(len, both)) == 10
        assert any(item.clicked for item in (*example.baseline, *example.contender))
        assert all(item.moved == 0 for item in example.baseline)
    assert re.fullmatch(r"[0-9a-f]{32}", page.lineage["MLflow run"])


def test_a_page_that_was_removed_is_written_again(built: Installation) -> None:
    with built.project().open() as context:
        path = page_path(context, COMPARISON)
        before = path.read_text()
        path.unlink()
        assert existing_page(context, COMPARISON).read_text() == before


def test_views_of_earlier_times_have_pages_of_their_own(finished: Installation) -> None:
    moment = datetime(2026, 10, 6, 12, tzinfo=UTC)
    with replace(finished.project(), as_of=moment).open() as context:
        assert page_path(context, COMPARISON).name.endswith("_as_of_20261006T120000.html")
