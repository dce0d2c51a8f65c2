"""Random items of the catalogue, from the problem file to training rows or a refusal."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Manifest, Partition
from label_platform.pipeline.feature_leaks import FeatureLeakError
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation

LAST = DAYS[-1]
POLICY = "raw_click"
RANDOM = {"random": {"per_positive": 2}, "near_duplicates": 0.1}


@pytest.fixture
def shop(tmp_path: Path, built_once: Path) -> Installation:
    """Logs whose only features are those of a table of items."""
    shop = Installation(Path(shutil.copytree(built_once, tmp_path / "built")))
    table = {"of": "item", "path": "features/items.parquet"}
    changes = {"features": [], "item_features": [], "feature_tables": {"counts": table}}
    shop.change_problem(changes)
    shop.change_policy(POLICY, {"negatives": RANDOM})
    return shop


def write(shop: Installation, items: Sequence[int]) -> None:
    """A count and a colour of each of the items, long before the first list."""
    rows = pd.DataFrame({"item_id": items, "clicks": np.arange(len(items)) % 7})
    rows["colour"] = np.where(rows["clicks"] < 3, "red", "blue")
    rows["valid_from"] = rows["known_at"] = pd.Timestamp("2026-01-01", tz="UTC")
    (shop.logs / "features").mkdir(exist_ok=True)
    rows.to_parquet(shop.logs / "features" / "items.parquet", index=False)


def items_of(shop: Installation, relation: str) -> list[int]:
    """All items of the catalogue, or only those that the lists showed."""
    with shop.project().open() as context:
        days = context.item_days if relation == "items" else list(DAYS)
        found = context.lake.scan(relation, days)
        return [item for (item,) in context.engine.rows(f"select distinct item_id from {found}")]


def test_text_and_numbers_of_all_items_train(shop: Installation) -> None:
    write(shop, items_of(shop, "items"))
    shop.build("examples", LAST, policy=POLICY)
    with shop.project().open() as context:
        stored = context.lake.scan("examples", [LAST], POLICY)
        rows = context.engine.frame(f"select * from {stored}")
    random = rows[rows["origin"] == "random"]
    assert len(random) > 100
    assert random["clicks"].notna().all()
    assert set(random["colour"]) == {"red", "blue"}
    order = ["part", "group_id", "position", "item_id"]
    pd.testing.assert_frame_equal(
        rows, rows.sort_values(order, kind="stable", ignore_index=True), check_dtype=False
    )


def test_what_only_shown_items_have_is_refused(shop: Installation) -> None:
    """Nine in ten items of the catalogue were never shown, and so never counted."""
    shown = items_of(shop, "items")
    with shop.project().open() as context:
        first = context.item_days[0]
        stored = context.lake.scan("items", [first])
        more = f"""select items.* replace (item_id + 1000000 * copy as item_id)
            from {stored} as items cross join range(10) as copies(copy)"""
        context.lake.publish(context.engine, Partition("items", first), more, recipe="more")
    write(shop, shown)
    already = published(shop)
    with pytest.raises(FeatureLeakError) as refusal:
        shop.build("examples", LAST, policy=POLICY)
    lines = str(refusal.value).splitlines()
    for line, column in zip(lines, ("clicks", "colour"), strict=True):
        words = (
            rf"product_search: feature_tables\.counts: leak by absence: '{column}' is missing in "
            rf"([\d.]+)% of the rows that {POLICY} draws for negatives\.random and in 0\.0% of the "
            r"shown ones, so its absence gives random items away; expected values for all items"
        )
        found = re.match(words, line)
        assert found, line
        assert float(found[1]) == pytest.approx(90, abs=8)
    assert published(shop) == already
    write(shop, items_of(shop, "items"))
    shop.build("examples", LAST, policy=POLICY)


def published(shop: Installation) -> Manifest | None:
    return shop.workspace.lake("product_search").manifest(Partition("examples", LAST, POLICY))


def test_random_without_a_table_of_items_is_refused(shop: Installation) -> None:
    write(shop, items_of(shop, "items"))
    with shop.project().open() as context:
        days = context.item_days
        for day in days:
            context.lake.remove(Partition("items", day))
    words = (
        rf"product_search: policy {POLICY}: negatives\.random: found no table of items in the logs "
        r"to draw from, expected one: name its files by logs: items, or take random out"
    )
    with pytest.raises(ConfigurationError, match=words):
        shop.build("examples", LAST, policy=POLICY)
