"""An erasure that died anywhere is finished by the next call."""

import itertools
import shutil
from pathlib import Path

import pytest

from label_platform.lake import Lake
from label_platform.logs import erasure
from tests.pipeline.conftest import Installation
from tests.pipeline.erasure.conftest import USER, erase, key_of, lake_of, traces
from tests.power_cuts import dies


@pytest.mark.parametrize(
    ("owner", "name", "step"),
    [
        (erasure, "write_data_file", 5),
        (erasure, "_delete", 7),
        (Lake, "replace_files", 11),
    ],
    ids=["written", "deleted", "shown"],
)
def test_an_erasure_that_died_anywhere_is_finished_by_the_next(
    shop: Installation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    owner: object,
    name: str,
    step: int,
) -> None:
    folder = lake_of(shop).folder
    saved = Path(shutil.copytree(folder, tmp_path / "saved"))
    undisturbed = erase(shop)
    hashes = shop.content_hashes()
    for calls in itertools.count(0, step):
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)
        if not dies(monkeypatch, calls, owner, name, lambda: erase(shop)):
            break
        assert erase(shop) == undisturbed
        assert shop.content_hashes() == hashes
        assert traces(shop, key_of(shop, USER)) == []
    assert calls > step, f"{name} was called too seldom to show anything"
