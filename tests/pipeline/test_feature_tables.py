"""Feature tables beside the logs, from the problem file to what rankers learn from."""

import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from label_platform.examples import drawn_sql
from label_platform.lake import Engine, Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluations import evaluations_recipe
from label_platform.pipeline.examples import example_relations, examples_recipe
from label_platform.pipeline.feature_leaks import FeatureLeakError, refuse_leaks_of_draws
from label_platform.pipeline.feature_tables import read_feature_tables, shown_with_features
from label_platform.pipeline.rankers import ranker_features, stored_rankers
from label_platform.pipeline.scoring.choice import ChosenRanker
from label_platform.pipeline.scoring.score import score_day
from label_platform.policy import Negatives, RandomCatalogue
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation

LAST = DAYS[-1]
POLICY = "raw_click"
MIDNIGHT = datetime.combine(DAYS[0], datetime.min.time(), UTC)


def write(shop: Installation, name: str, rows: pd.DataFrame) -> None:
    folder = shop.logs / "features"
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(folder / name, index=False)


def daily(keys: np.ndarray, key: str, *, known_hours_later: int = 0) -> pd.DataFrame:
    """A number of each key, another one every day, known some hours after it holds."""
    parts = []
    for number in range(len(DAYS)):
        since = pd.Timestamp(MIDNIGHT + timedelta(days=number))
        parts.append(
            pd.DataFrame(
                {
                    key: keys,
                    "valid_from": since,
                    "known_at": since + timedelta(hours=known_hours_later),
                    "popularity": (np.arange(len(keys)) * 7 + number) % 11,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def with_table(shop: Installation, **changes: Any) -> None:  # noqa: ANN401 - keys of YAML
    table = {"of": "query", "path": "features/queries.parquet"} | changes
    shop.change_problem({"feature_tables": {"queries": table}})


def queries(context: Context) -> np.ndarray:
    relation = context.lake.scan("impressions", list(DAYS))
    return context.engine.frame(f"select distinct query_id from {relation} order by 1")[
        "query_id"
    ].to_numpy()


@pytest.fixture
def shop(tmp_path: Path, built_once: Path) -> Installation:
    return Installation(Path(shutil.copytree(built_once, tmp_path / "built")))


def test_rankers_learn_from_what_was_joined(shop: Installation) -> None:
    with shop.project().open() as context:
        keys = queries(context)
        partition = Partition("examples", LAST, POLICY)
        before = examples_recipe(context, partition)
        evaluated_before = evaluations_recipe(context, Partition("evaluations", LAST, POLICY))
    assert "feature_tables" not in before
    write(shop, "queries.parquet", daily(keys, "query_id"))
    with_table(shop, known_at="known_at")
    for table in ("examples", "rankers", "evaluations"):
        shop.build(table, LAST, policy=POLICY)
    with shop.project().open() as context:
        assert examples_recipe(context, partition) == before | {
            "feature_tables": context.feature_tables.version
        }
        recipe = evaluations_recipe(context, Partition("evaluations", LAST, POLICY))
        assert recipe["feature_tables"] == context.feature_tables.version
        assert recipe["examples"] != evaluated_before["examples"]
        assert ranker_features(context, Partition("rankers", LAST, POLICY))[-1] == "popularity"
        examples = context.engine.frame(
            f"select examples.query_id, popularity,"
            f" cast(shown_at as date) - date '{DAYS[0]}' as day from"
            f" {context.lake.scan('examples', [LAST], POLICY)} as examples inner join"
            f" {context.lake.scan('impressions', list(DAYS))} as shown using (impression_id)"
        )
        rankers = stored_rankers(context, Partition("rankers", LAST, POLICY))
        scores = score_day(
            context,
            LAST,
            shop.folder / "scores.parquet",
            ChosenRanker(rankers[0][1], "of the day", {}),
        )
        (shown,) = context.engine.row(
            f"select count(*) from {context.lake.scan('impressions', [LAST])}"
        )
    assert scores.rows == shown
    place = np.searchsorted(keys, examples["query_id"].to_numpy())
    day = examples["day"].to_numpy()
    assert examples["popularity"].tolist() == ((place * 7 + day) % 11).tolist()
    assert all("popularity" in ranker.feature_names for _, ranker in rankers)


def test_another_file_is_another_version(shop: Installation) -> None:
    rows = daily(np.arange(5), "query_id")
    write(shop, "queries.parquet", rows)
    with_table(shop)
    with shop.project().open() as context:
        first = context.feature_tables.version
    with shop.project().open() as context:
        assert context.feature_tables.version == first
    write(shop, "queries.parquet", rows.assign(popularity=1, more=2))
    with shop.project().open() as context:
        assert context.feature_tables.version != first


def test_what_was_known_later_is_refused(shop: Installation) -> None:
    with shop.project().open() as context:
        keys = queries(context)
    write(shop, "queries.parquet", daily(keys, "query_id", known_hours_later=24))
    with_table(shop)
    words = re.compile(
        r"product_search: feature_tables\.queries: leak: ([\d,]+) of \1 impressions of "
        rf"{DAYS[0]} would see what was only known after them: the row of query_id \d+ valid from "
        rf"{DAYS[0]} 00:00:00\+00 was known at {DAYS[1]} 00:00:00\+00, the item was shown at "
        rf"{DAYS[0]} .*; write valid_from so that no row holds before it is known"
    )
    with pytest.raises(FeatureLeakError, match=words):
        shop.build("examples", LAST, policy=POLICY)
    with shop.project().open() as context, pytest.raises(FeatureLeakError, match="leak"):
        shown_with_features(context, context.split(LAST).evaluate)
    # without the column nobody can know, and nobody is asked
    write(shop, "queries.parquet", daily(keys, "query_id").drop(columns="known_at"))
    shop.build("examples", LAST, policy=POLICY)


def test_user_tables_meet_the_keys_of_users(
    shop: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", "x" * 32)
    people = pd.DataFrame({"user_id": ["ann", "bob"], "age": [30, 40]})
    write(shop, "people.parquet", people.assign(valid_from=pd.Timestamp(MIDNIGHT)))
    table = {"people": {"of": "user", "path": "features/people.parquet"}}
    problem = shop.project().problem.model_copy(update={"user_ids": "keyed"})
    changed = Problem.model_validate(
        problem.model_dump(by_alias=True) | {"feature_tables": table}
    ).model_copy(update={"folder": problem.folder})
    with Engine() as engine:
        [joined] = read_feature_tables(changed, engine).tables
        found = engine.rows(f"select key_, age from {joined.relation} as rows order by age")
    assert [age for _, age in found] == [30, 40]
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key, _ in found)


GOOD = pd.DataFrame(
    {
        "query_id": [1, 2],
        "valid_from": pd.to_datetime([MIDNIGHT, MIDNIGHT]),
        "clicks": [1.0, 2.0],
        "since": pd.to_datetime([MIDNIGHT, MIDNIGHT]),
    }
)
NUMBERS = {"columns": ["clicks"]}


@pytest.mark.parametrize(
    ("rows", "table", "words"),
    [
        (GOOD, {"columns": ["clicks", "since"]}, "column 'since' is of type TIMESTAMP"),
        (GOOD.drop(columns="clicks"), {}, "columns: found no column of numbers or text"),
        (GOOD, NUMBERS | {"path": "features/querie.parquet"}, "did you mean 'queries.parquet'"),
        (GOOD, NUMBERS | {"key": "query"}, "key: found no column 'query'; did you mean 'query_id'"),
        (GOOD, {"columns": ["clikcs"]}, "'clikcs' matches no column; did you mean 'clicks'"),
        (GOOD, NUMBERS | {"known_at": "clicks"}, "known_at: column 'clicks' is of type DOUBLE"),
        (GOOD, NUMBERS | {"of": "querry"}, "of"),
        (pd.concat([GOOD, GOOD]), NUMBERS, "2 rows with the query_id and valid_from of another"),
        (
            GOOD.assign(query_id=["1", "one"]),
            NUMBERS,
            "1 rows with no query_id of type integer, expected an id in every row",
        ),
        (
            GOOD.assign(valid_from=pd.to_datetime([MIDNIGHT, None])),
            NUMBERS,
            "1 rows with no valid_from, expected the time from which each row holds",
        ),
        (
            GOOD.assign(valid_from=GOOD["valid_from"].dt.tz_localize(None)),
            NUMBERS,
            "expected times with a zone",
        ),
        (GOOD.rename(columns={"clicks": "click"}), {"columns": ["click"]}, "a signal"),
        (GOOD.rename(columns={"clicks": "device"}), {"columns": ["d*"]}, "'device' is taken"),
    ],
)
def test_wrong_tables_are_refused_by_name(
    shop: Installation, rows: pd.DataFrame, table: Mapping[str, Any], words: str
) -> None:
    write(shop, "queries.parquet", rows)
    with pytest.raises(ConfigurationError, match=words):
        learnt_from(shop, table)


def learnt_from(shop: Installation, table: Mapping[str, Any]) -> tuple[str, ...]:
    with_table(shop, **table)
    with shop.project().open() as context:
        return ranker_features(context, Partition("rankers", LAST, POLICY))


def test_a_wildcard_means_numbers_and_text(shop: Installation) -> None:
    write(shop, "queries.parquet", GOOD)
    names = learnt_from(shop, {})
    assert names[-1] == "clicks"
    assert "since" not in names


def test_csv_files_are_read(shop: Installation) -> None:
    folder = shop.logs / "features"
    folder.mkdir()
    text = "query_id,valid_from,clicks\n1,2026-10-01T00:00:00Z,3\n2,2026-10-01T00:00:00Z,4\n"
    (folder / "queries.csv").write_text(text)
    with_table(shop, path="features/*.csv")
    with shop.project().open() as context:
        [table] = context.feature_tables.tables
        rows = context.engine.rows(f"select key_, clicks from {table.relation} as rows order by 1")
    assert rows == [(1, 3.0), (2, 4.0)]


def test_what_only_a_random_item_would_see_too_early_is_refused(shop: Installation) -> None:
    """A row that holds from the moment of a list that drew its item, and is known a bit later."""
    with shop.project().open() as context:
        split = context.split(LAST)
        plain = context.project.policy(POLICY)
        policy = plain.model_copy(update={"negatives": Negatives(random=RandomCatalogue())})
        drawn = drawn_sql(policy, RandomCatalogue(), example_relations(context, policy, split))
        shown = context.lake.scan("impression_signals", list(split.train))
        item, moment = context.engine.row(
            f"select item_id, shown_at from {drawn} as drawn where not exists (select 1 from"
            f" {shown} as shown where shown.item_id = drawn.item_id"
            " and shown.shown_at = drawn.shown_at) order by shown_at, item_id limit 1"
        )
    since = pd.Timestamp(moment)
    row = {"item_id": [item], "valid_from": [since], "stock": [1.0]}
    just_after = since + pd.Timedelta("1us")
    with_table(shop, of="item", path="features/items.parquet")
    for known, leaks in ((since, False), (just_after, True)):
        write(shop, "items.parquet", pd.DataFrame(row | {"known_at": [known]}))
        with shop.project().open() as context:
            relations = example_relations(context, policy, split)  # no impression sees it early
            refuse_leaks_of_draws(context, plain, relations)  # this policy draws nothing
            if not leaks:
                refuse_leaks_of_draws(context, policy, relations)
                continue
            words = (
                rf"product_search: feature_tables\.queries: leak: 1 of [\d,]+ items that {POLICY} "
                rf"draws for negatives\.random would see .*: the row of item_id {item} valid from "
            )
            with pytest.raises(FeatureLeakError, match=words):
                refuse_leaks_of_draws(context, policy, relations)
