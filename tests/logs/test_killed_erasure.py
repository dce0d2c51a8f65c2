"""An erasure that was killed is finished by the next call."""

import itertools
import json
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Lake
from label_platform.logs import erasure, ledger, publication, tombstones, unreconciled
from label_platform.logs.ledger import LEDGER_NAME
from label_platform.logs.privacy import SECRET_VARIABLE
from tests.logs.erased_user import ANN, erase, key_of, traces, write
from tests.power_cuts import dies

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

DAY_1, DAY_2 = date(2026, 10, 1), date(2026, 10, 2)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")


@pytest.fixture
def filled(shop: "Shop") -> "Shop":
    write(shop)
    shop.ingest(user_ids="keyed")
    return shop


STEPS: list[tuple[object, str]] = [
    (publication, "write_data_file"),
    (Lake, "replace_files"),
    (erasure, "show"),
    (erasure, "_delete"),
    (tombstones, "replace_file"),
    (ledger, "replace_file"),
]


@pytest.mark.parametrize(("owner", "name"), STEPS, ids=lambda each: getattr(each, "__name__", each))
def test_an_erasure_that_died_is_finished_by_the_next(
    filled: "Shop", monkeypatch: pytest.MonkeyPatch, owner: object, name: str, tmp_path: Path
) -> None:
    saved = Path(shutil.copytree(filled.lake.folder, tmp_path / "saved"))
    key = key_of(filled, ANN)
    for calls in itertools.count():
        shutil.rmtree(filled.lake.folder)
        shutil.copytree(saved, filled.lake.folder)
        if not dies(monkeypatch, calls, owner, name, lambda: erase(filled)):
            break
        found = erase(filled)
        assert found.tables == {"impressions": 3, "interactions": 3, "rejected_records": 1}
        assert (found.lists, found.mentions, found.days) == (2, 1, {DAY_1, DAY_2})
        assert traces(filled, key, ANN) == []
        assert len(filled.table("impressions")) == 2
        assert unreconciled(filled.engine, filled.lake) == []
        assert json.loads((filled.lake.folder / LEDGER_NAME).read_text())["pending"] == []
        assert erase(filled).is_empty
    assert calls > 0, f"{name} was never called"


def test_ingestion_finishes_what_an_erasure_had_begun_to_show(
    filled: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dies(monkeypatch, 0, erasure, "show", lambda: erase(filled))
    filled.ingest(user_ids="keyed")
    assert len(filled.table("impressions")) == 2
    assert unreconciled(filled.engine, filled.lake) == []
