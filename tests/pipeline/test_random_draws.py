"""Random items of the catalogue, from the problem file to training rows or a refusal."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from label_platform.examples import refused_draws_sql
from label_platform.explain import as_text_lines
from label_platform.lake import Manifest, Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import example_relations
from label_platform.pipeline.explanation import LabelExplainer
from label_platform.pipeline.feature_leaks import FeatureLeakError
from label_platform.policy import Policy
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


def test_what_was_drawn_for_a_query_trains_and_is_explained(shop: Installation) -> None:
    write(shop, items_of(shop, "items"))
    negatives = RANDOM | {"never_examined": {"rate": 0.5}}
    shop.change_policy("coec_click", {"negatives": negatives})
    for table in ("examples", "rankers"):
        shop.build(table, LAST, policy="coec_click")
    with shop.project().open() as context:
        policy = context.project.policy("coec_click")
        stored = context.lake.scan("examples", [LAST], policy.name)
        rows = context.engine.frame(f"select * from {stored}")
        refused = shop.manifest("examples", LAST, policy.name).attributes["refused"]
        random = rows[rows["origin"] == "random"]
        assert set(rows["origin"]) == {"cell", "random"}
        assert len(random) > 100
        assert "train random: shown for the query" in refused
        # the first query with something drawn and something refused, and one of its cells
        asked = refused_draws(context, policy)
        query = min(set(random["group_id"]) & set(asked["group_id"]))
        cells = rows[(rows["part"] == "train") & (rows["origin"] == "cell")]
        item = cells[(cells["group_id"] == query) & (cells["label"] > 0)]["item_id"].min()
        (found,) = LabelExplainer(context, policy).cells([(query, item)])
    assert found.mismatches == ()
    assert {each.name for each in found.comparisons} >= {"label in training"}
    drawn = random[random["group_id"] == query].sort_values("item_id")
    told = [(row.item_id, row.label, row.origin, row.weight) for row in found.listed if row.weight]
    assert told == [
        (item, 0.0, "random", weight)
        for item, weight in zip(drawn["item_id"], drawn["weight"], strict=True)
    ]
    reasons = {(row.item_id, row.origin) for row in found.listed if row.weight is None}
    assert reasons == {
        (row.item_id, f"refused as random: {row.reason}")
        for row in asked[asked["group_id"] == query].itertuples()
    }
    assert all(row.position is None for row in found.listed)
    assert "Drawn from the catalogue for the query" in "\n".join(as_text_lines(found))
    assert "The list in training" not in "\n".join(as_text_lines(found))


def refused_draws(context: Context, policy: Policy) -> pd.DataFrame:
    query = refused_draws_sql(policy, example_relations(context, policy, context.split(LAST)))
    assert query is not None
    return context.engine.frame(query)
