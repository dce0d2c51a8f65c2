"""Reading that dies half way, and what the next call makes of it."""

import shutil
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Lake
from label_platform.logs import publication
from tests.logs.two_days import on, two_days

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


class PowerCutError(Exception):
    """Stands for a kill -9."""


@pytest.mark.parametrize("files", [0, 1, 2, 4])
def test_a_batch_that_died_before_it_counted_leaves_no_trace(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    two_days(shop)
    shop.ingest()
    undisturbed = shop.hashes()
    shutil.rmtree(shop.lake.folder)
    with monkeypatch.context() as patch:
        _die_after(patch, files, publication, "write_data_file")
        with pytest.raises(PowerCutError):
            shop.ingest()
    assert shop.hashes() == {}
    assert len(shop.ingest().files) == 3
    assert shop.hashes() == undisturbed


@pytest.mark.parametrize("manifests", [0, 1, 2, 4])
def test_a_batch_that_died_after_it_counted_is_finished_by_the_next_call(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, manifests: int
) -> None:
    two_days(shop)
    shop.ingest()
    undisturbed = shop.hashes()
    shutil.rmtree(shop.lake.folder)
    with monkeypatch.context() as patch:
        _die_after(patch, manifests, Lake, "replace_files")
        with pytest.raises(PowerCutError):
            shop.ingest()
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
    with monkeypatch.context() as patch:
        _die_after(patch, 1, Lake, "replace_files")
        with pytest.raises(PowerCutError):
            shop.ingest()
    seen = shop.hashes()
    new.unlink()
    shop.ingest()
    after = shop.hashes()
    assert len(after) > len(before)
    assert seen.items() <= after.items()


def _die_after(patch: pytest.MonkeyPatch, calls: int, owner: object, name: str) -> None:
    """Let a function work a number of times and then fail like a power cut."""
    real = getattr(owner, name)
    done = []

    def dying(*arguments: object) -> object:
        if len(done) == calls:
            raise PowerCutError
        done.append(arguments)
        return real(*arguments)

    patch.setattr(owner, name, dying)
