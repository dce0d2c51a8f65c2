"""Reading that dies half way, and what the next call makes of it."""

import shutil
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Lake
from label_platform.logs import publication
from tests.logs.two_days import on, two_days
from tests.power_cuts import dies

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


@pytest.mark.parametrize("files", [0, 1, 2, 4])
def test_a_batch_that_died_before_it_counted_leaves_no_trace(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    undisturbed = _hashes_without_a_power_cut(shop)
    assert dies(monkeypatch, files, publication, "write_data_file", shop.ingest)
    assert shop.hashes() == {}
    assert len(shop.ingest().files) == 3
    assert shop.hashes() == undisturbed


@pytest.mark.parametrize("manifests", [0, 1, 2, 4])
def test_a_batch_that_died_after_it_counted_is_finished_by_the_next_call(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, manifests: int
) -> None:
    undisturbed = _hashes_without_a_power_cut(shop)
    assert dies(monkeypatch, manifests, Lake, "replace_files", shop.ingest)
    assert len(shop.hashes()) == manifests
    again = shop.ingest()
    assert (len(again.files), again.unchanged) == (0, 3)
    assert shop.hashes() == undisturbed


def test_what_a_reader_has_seen_never_goes_away(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    two_days(shop)
    shop.ingest()
    before = shop.hashes()
    new = shop.write("impressions-3.jsonl", shop.impression(request_id="r4", shown_at=on(3)))
    assert dies(monkeypatch, 1, Lake, "replace_files", shop.ingest)
    seen = shop.hashes()
    new.unlink()
    shop.ingest()
    after = shop.hashes()
    assert len(after) > len(before)
    assert seen.items() <= after.items()


def _hashes_without_a_power_cut(shop: "Shop") -> dict[str, str]:
    """What two days of logs become; the lake is empty again afterwards."""
    two_days(shop)
    shop.ingest()
    hashes = shop.hashes()
    shutil.rmtree(shop.lake.folder)
    return hashes
