"""Files that no manifest names are deleted, but none that a batch still needs."""

from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Lake
from label_platform.logs import collect_garbage
from tests.power_cuts import dies

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def write(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions.jsonl", shop.event())


def test_a_batch_that_counts_already_is_finished_first(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shop)
    assert dies(monkeypatch, 0, Lake, "replace_files", shop.ingest)
    assert shop.hashes() == {}
    assert collect_garbage(shop.lake, delay_s=0) == 0
    assert shop.table("impressions", "request_id, item_id") == [("r1", "i1")]
    assert shop.table("interactions", "item_id, signal") == [("i1", "click")]


def test_files_without_a_name_are_deleted(shop: "Shop") -> None:
    write(shop)
    shop.ingest()
    garbage = next(shop.lake.folder.rglob("impressions/day=*")) / "part-0.parquet"
    garbage.write_text("left by a batch that died")
    assert collect_garbage(shop.lake) == 0  # too young
    assert collect_garbage(shop.lake, delay_s=0) == 1
    assert not garbage.exists()
    assert shop.table("impressions", "item_id") == [("i1",)]


def test_nothing_is_deleted_while_logs_are_read(shop: "Shop") -> None:
    write(shop)
    shop.ingest()
    written = next(shop.lake.folder.rglob("impressions/day=*")) / "part-0.parquet"
    written.write_text("about to be named")
    with shop.lake.locked("ingestion"):
        assert collect_garbage(shop.lake, delay_s=0) == 0
    assert written.exists()
