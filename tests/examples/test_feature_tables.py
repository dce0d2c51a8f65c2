"""Feature tables: joined as they stood when an item was shown, and looked at for leaks."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from label_platform.examples import (
    JoinedTable,
    leaks_sql,
    with_feature_tables_sql,
    wrong_rows_sql,
)
from label_platform.lake import Engine

START = pd.Timestamp("2026-10-01T00:00:00Z")


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def moments(hours: np.ndarray) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(hours, unit="h"))


def impressions(rows: int, random: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "impression_id": np.arange(rows),
            "query_id": random.integers(0, 20, rows),
            "item_id": random.integers(0, 30, rows),
            "user_key": [f"u{code}" for code in random.integers(0, 9, rows)],
            "shown_at": moments(random.integers(0, 200, rows)),
            "excluded_reason": None,
        }
    ).astype({"excluded_reason": "str"})


def versions(random: np.random.Generator, *, keys: int, rows: int, name: str) -> pd.DataFrame:
    drawn = pd.DataFrame(
        {"key_": random.integers(0, keys, rows), "hour": random.integers(0, 200, rows)}
    ).drop_duplicates()
    drawn["from_"] = START + pd.to_timedelta(drawn["hour"], unit="h")
    drawn["known_"] = drawn["from_"]
    drawn[name] = random.normal(size=len(drawn)).astype(np.float32)
    return drawn.drop(columns="hour")


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # of its own join
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_joins_are_those_of_pandas(engine: Engine, seed: int) -> None:
    random = np.random.default_rng(seed)
    shown = impressions(500, random)
    of_query = versions(random, keys=18, rows=60, name="q_clicks")
    of_item = versions(random, keys=30, rows=90, name="i_price")
    engine.register("shown", shown)
    engine.register("queries", of_query)
    engine.register("catalogue", of_item)
    tables = (
        JoinedTable("q", "query", "queries", ("q_clicks",)),
        JoinedTable("i", "item", "catalogue", ("i_price",), max_age=timedelta(hours=30)),
    )
    relation = with_feature_tables_sql("shown", tables)
    found = engine.frame(f"select * from {relation} as rows order by impression_id")

    expected = shown.sort_values("shown_at", kind="stable")
    for table, key, name in ((of_query, "query_id", "q_clicks"), (of_item, "item_id", "i_price")):
        right = table.rename(columns={"key_": key, "from_": "shown_at"}).sort_values("shown_at")
        expected = pd.merge_asof(
            expected,
            right[[key, "shown_at", name]],
            on="shown_at",
            by=key,
            tolerance=timedelta(hours=30) if name == "i_price" else None,
        )
    expected = expected.sort_values("impression_id")
    assert len(found) == len(shown)
    for name in ("q_clicks", "i_price"):
        np.testing.assert_array_equal(found[name].to_numpy(), expected[name].to_numpy())
    assert 0 < found["q_clicks"].isna().sum() < len(found)
    assert found["i_price"].isna().sum() > 0


def test_a_row_holds_from_the_very_moment(engine: Engine) -> None:
    shown = impressions(3, np.random.default_rng(0)).assign(query_id=1)
    shown["shown_at"] = moments(np.array([0, 1, 2]))
    table = pd.DataFrame({"key_": [1], "from_": moments(np.array([1])), "clicks": [7.0]})
    engine.register("shown", shown)
    engine.register("queries", table.assign(known_=table["from_"]))
    relation = with_feature_tables_sql("shown", [JoinedTable("q", "query", "queries", ("clicks",))])
    found = engine.frame(f"select clicks from {relation} as rows order by impression_id")
    assert found["clicks"].isna().tolist() == [True, False, False]


def test_without_tables_impressions_stay_as_they_are() -> None:
    assert with_feature_tables_sql("shown", ()) == "shown"


@pytest.mark.parametrize(("known_hour", "leaks"), [(10, 0), (11, 1), (13, 3), (99, 5)])
def test_impressions_before_a_row_was_known_are_leaks(
    engine: Engine, known_hour: int, leaks: int
) -> None:
    shown = impressions(8, np.random.default_rng(0)).assign(user_key="u1")
    # two before the row holds; then those at 10, 11, 12, 13 and 14 o'clock, and an excluded one
    shown["shown_at"] = moments(np.array([0, 9, 10, 11, 12, 13, 14, 10]))
    shown.loc[7, "excluded_reason"] = "bot"
    table = pd.DataFrame({"key_": ["u1"], "from_": moments(np.array([10])), "age": [30.0]})
    engine.register("shown", shown)
    engine.register("people", table.assign(known_=moments(np.array([known_hour]))))
    joined = JoinedTable("people", "user", "people", ("age",), says_when_known=True)
    found = engine.frame(leaks_sql("shown", joined)).iloc[0]
    assert (found["impressions"], found["leaks"]) == (5, leaks)
    assert pd.isna(found["key_"]) == (leaks == 0)
    if leaks:
        assert found["key_"] == "u1"
        assert found["shown_at"].startswith("2026-10-01 10:00")
        assert found["known_"].startswith(str(START + timedelta(hours=known_hour))[:13])


def test_rows_that_cannot_be_joined_are_counted(engine: Engine) -> None:
    hours = moments(np.array([1, 1, 1, 2, 3]))
    hours.iloc[4] = pd.NaT
    engine.register("table_", pd.DataFrame({"key_": [1, 1, None, 1, 2], "from_": hours}))
    assert engine.row(wrong_rows_sql("table_")) == (1, 1, 1)
