"""The example of docs/log-formats.md, installed like a package of somebody else's."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from label_platform.logs import formats
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

PAGE = Path(__file__).parents[2] / "docs" / "log-formats.md"


def example(language: str) -> str:
    section = PAGE.read_text().split("## Adding a format")[1]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site-packages"
    metadata = folder / "bookshop_logs-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bookshop-logs\nVersion: 1.0\n")
    groups = tomllib.loads(example("toml"))["project"]["entry-points"]
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in groups.items()
        )
    )
    (folder / "bookshop_logs.py").write_text(example("python"))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "bookshop_logs", raising=False)
    formats._registered.cache_clear()  # noqa: SLF001 - a package that was not there before
    yield folder
    formats._registered.cache_clear()  # noqa: SLF001 - and will not be there after


@pytest.mark.usefixtures("package")
def test_the_documented_example_reads_files(shop: "Shop") -> None:
    shop.write(
        "books.csv",
        "list,searched,book,rank,at,reader,bought",
        "l1,poems,b1,1,2026-10-01T10:00:00Z,anna,0",
        "l1,poems,b2,2,2026-10-01T10:00:00Z,anna,1",
        "l2,maps,b3,zero,2026-10-01T11:00:00Z,bert,0",
    )
    report = shop.ingest(logs=[{"format": "bookshop", "path": "*.csv"}])
    [counts] = report.files
    assert (counts.accepted, counts.rejected) == (2, 1)
    assert shop.table("impressions", "request_id, query_text, item_id, position, user_key") == [
        ("l1", "poems", "b1", 1, "anna"),
        ("l1", "poems", "b2", 2, "anna"),
    ]
    assert shop.table("interactions", "request_id, item_id, signal") == [("l1", "b2", "purchase")]
    assert shop.table("rejected_records", "line, reason") == [(4, "wrong_type")]


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_bought_of_a_row_sent_again_after_midnight_counts_once(
    shop: "Shop", *, at_once: bool
) -> None:
    """Also where rows are read again, for a signal that was not asked for before."""
    head = "list,searched,book,rank,at,reader,bought"
    rows = [f"l1,poems,b1,1,{at},anna,1" for at in ("2026-10-01T23:59:59Z", "2026-10-02T00:00:02Z")]
    files = [rows] if at_once else [[row] for row in rows]
    for number, each in enumerate(files):
        shop.write(f"books-{number}.csv", head, *each)
    logs = [{"format": "bookshop", "path": "*.csv"}]
    for signals in (["click"], ["click", "purchase"]):
        shop.ingest(logs=logs, signals={name: {"window": "30m"} for name in signals})
    assert shop.table("impressions", "day(shown_at)") == [(1,)]
    assert shop.table("interactions", "signal, day(occurred_at)") == [("purchase", 1)]


def test_a_package_that_cannot_be_loaded_is_named(shop: "Shop", package: Path) -> None:
    (package / "bookshop_logs.py").write_text("import a_module_that_is_not_there")
    with pytest.raises(ConfigurationError, match=r"bookshop_logs:BookshopFormat.*cannot be loaded"):
        shop.ingest(logs=[{"format": "bookshop", "path": "*.csv"}])


def test_an_unknown_format_names_the_nearest(shop: "Shop") -> None:
    with pytest.raises(ConfigurationError, match=r"logs\.0: format: 'kuairnd'.*'kuairand'"):
        shop.ingest(logs=[{"format": "kuairnd", "path": "*.csv"}])
