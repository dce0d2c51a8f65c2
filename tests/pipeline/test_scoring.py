"""Files of rows in, files of ids and scores out."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.pipeline.scoring import ChosenRanker, rows, score_file
from label_platform.ranking import Ranker
from label_platform.strict_yaml import ConfigurationError
from tests.tracking.conftest import FEATURES, ranker

__all__ = ["ranker"]

FACTS = {"model": "shop.ranker", "version": "3"}


@pytest.fixture
def chosen(ranker: Ranker) -> ChosenRanker:
    return ChosenRanker(ranker, "version 3", FACTS)


@pytest.fixture
def table() -> pd.DataFrame:
    """Ids that look like numbers, and values that are missing."""
    rng = np.random.default_rng(8)
    found = pd.DataFrame({name: rng.random(1000) for name in FEATURES})
    found.loc[rng.random(1000) < 0.2, "f_price"] = np.nan
    found.insert(0, "item_id", [f"{number:05d}" for number in rng.permutation(1000)])
    return found.assign(note="x")


def write(table: pd.DataFrame, path: Path) -> Path:
    kind = path.name.partition(".")[2]
    if kind == "parquet":
        table.to_parquet(path)
    elif kind == "csv":
        table.to_csv(path, index=False)
    else:
        records = table.astype(object).where(table.notna(), None).to_dict("records")
        data = "".join(f"{json.dumps(each)}\n" for each in records).encode()
        path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    return path


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.jsonl", "rows.jsonl.gz"])
@pytest.mark.parametrize("at_once", [1 << 20, 700])
def test_every_format_gives_the_rankers_scores_in_order(
    tmp_path: Path,
    table: pd.DataFrame,
    chosen: ChosenRanker,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    at_once: int,
) -> None:
    """In one chunk or in many."""
    monkeypatch.setattr(rows, "BYTES_AT_ONCE", at_once)
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", at_once)
    seen: list[tuple[int, int]] = []
    out = tmp_path / "scores.parquet"
    source = write(table, tmp_path / name)
    scored = score_file(source, out, chosen, on_progress=lambda *each: seen.append(each))
    found = pd.read_parquet(out)
    assert scored.rows == len(found) == 1000
    assert list(found.columns) == ["item_id", "score"]
    assert found["item_id"].tolist() == table["item_id"].tolist()
    np.testing.assert_array_equal(found["score"], chosen.ranker.score(table))
    assert len(seen) >= (4 if at_once == 700 and name != "rows.parquet" else 2)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]


def test_scores_as_csv_are_the_same_numbers(
    tmp_path: Path, table: pd.DataFrame, chosen: ChosenRanker
) -> None:
    out = tmp_path / "scores.csv"
    score_file(write(table, tmp_path / "rows.parquet"), out, chosen)
    found = pd.read_csv(out, dtype={"item_id": str})
    assert found["item_id"].tolist() == table["item_id"].tolist()
    np.testing.assert_array_equal(found["score"], chosen.ranker.score(table))


def test_a_parquet_file_says_who_scored_it(
    tmp_path: Path, table: pd.DataFrame, chosen: ChosenRanker
) -> None:
    out = tmp_path / "scores.parquet"
    score_file(write(table, tmp_path / "rows.parquet"), out, chosen)
    notes = pq.read_schema(out).metadata
    assert notes[b"label_platform.model"] == b"shop.ranker"
    assert notes[b"label_platform.version"] == b"3"


def test_rows_without_ids_are_numbered_through_all_chunks(
    tmp_path: Path,
    table: pd.DataFrame,
    chosen: ChosenRanker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 300)
    out = tmp_path / "scores.parquet"
    source = write(table.drop(columns="item_id"), tmp_path / "rows.parquet")
    score_file(source, out, chosen)
    assert pd.read_parquet(out)["row"].tolist() == list(range(1, 1001))
    score_file(source, out, chosen, keep=["note", "f_match", "note"])
    kept = pd.read_parquet(out)
    assert list(kept.columns) == ["note", "f_match", "score"]
    np.testing.assert_array_equal(kept["f_match"], table["f_match"])


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_no_rows_give_no_scores(
    tmp_path: Path, table: pd.DataFrame, chosen: ChosenRanker, name: str
) -> None:
    out = tmp_path / "scores.parquet"
    assert score_file(write(table.head(0), tmp_path / name), out, chosen).rows == 0
    assert pq.read_schema(out).names == ["item_id", "score"]


def test_whole_numbers_and_truths_are_numbers(tmp_path: Path, chosen: ChosenRanker) -> None:
    source = tmp_path / "rows.parquet"
    large = 2**53 + 1
    pq.write_table(
        pa.table({"f_match": pa.array([True, None]), "f_price": pa.array([large, 1])}), source
    )
    out = tmp_path / "scores.parquet"
    score_file(source, out, chosen)
    expected = chosen.ranker.score(np.array([[1.0, float(large)], [np.nan, 1.0]]))
    np.testing.assert_array_equal(pd.read_parquet(out)["score"], expected)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rows.csv", "f_match,f_prize\n1,2\n", "feature 'f_price' is not among the columns; did"),
        ("rows.csv", "f_match,f_price\n1,2\n0.5,cheap\n", "column 'f_price': Row #3: CSV conver"),
        ("rows.csv", "f_match,f_price\n1,2\n3\n", "Row #3: Expected 2 columns, got 1"),
        ("rows.csv", "f_match,f_price,f_match\n1,2,3\n", "found 2 columns 'f_match', expected 1"),
        ("rows.csv", "", "found no readable CSV: Empty CSV file"),
        ("rows.jsonl", "", "found an empty file, expected a JSON object a line"),
        (
            "rows.jsonl",
            '{"f_match": 1, "f_price": 2}\n\n{"f_match": 1, "f_price": "cheap"}\n',
            "line 3: column 'f_price': found a string, expected a number",
        ),
        ("rows.jsonl", '{"f_match": 1, "f_price": 2}\n{"f_match" 1}\n', "line 2: Missing a colon"),
        ("rows.jsonl", '{"f_match": 1, "f_prize": 2}\n', "did you mean 'f_prize'"),
        ("rows.parquet", "no parquet", "found no readable Parquet"),
        ("rows.txt", "f_match f_price", "found a name ending in '.txt', expected .parquet, .csv"),
        ("rows.parquet.gz", "", "expected .parquet, .csv"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, chosen: ChosenRanker, name: str, text: str, words: str
) -> None:
    source, out = tmp_path / name, tmp_path / "scores.parquet"
    source.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        score_file(source, out, chosen)
    assert str(source) in str(refused.value)
    assert words in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == [name], "no unfinished file is left"


def test_a_column_of_texts_is_refused_with_its_type(
    tmp_path: Path, table: pd.DataFrame, chosen: ChosenRanker
) -> None:
    source = write(table.assign(f_match="high"), tmp_path / "rows.parquet")
    with pytest.raises(ConfigurationError, match=r"rows.parquet: feature 'f_match' is of type"):
        score_file(source, tmp_path / "scores.parquet", chosen)


def test_wrong_names_of_files_and_columns(
    tmp_path: Path, table: pd.DataFrame, chosen: ChosenRanker
) -> None:
    source, out = write(table, tmp_path / "rows.parquet"), tmp_path / "scores.parquet"
    with pytest.raises(ConfigurationError, match=r"no such file.*did you mean 'rows.parquet'"):
        score_file(tmp_path / "row.parquet", out, chosen)
    with pytest.raises(ConfigurationError, match=r"--keep: .* no column 'item'.*'item_id'"):
        score_file(source, out, chosen, keep=["item"])
    with pytest.raises(ConfigurationError, match="'score' is the name of what is written"):
        score_file(write(table.assign(score=1), tmp_path / "b.parquet"), out, chosen, ["score"])
    with pytest.raises(ConfigurationError, match=r"ending in '.txt', expected .parquet or .csv"):
        score_file(source, tmp_path / "scores.txt", chosen)
    with pytest.raises(ConfigurationError, match="is the file of rows itself"):
        score_file(source, source, chosen)
    with pytest.raises(ConfigurationError, match="expected a folder that can be written"):
        score_file(source, tmp_path / "nowhere" / "scores.csv", chosen)


def test_a_failure_leaves_the_former_scores(
    tmp_path: Path, table: pd.DataFrame, chosen: ChosenRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of many chunks does not fit."""
    monkeypatch.setattr(rows, "BYTES_AT_ONCE", 700)
    out = tmp_path / "scores.csv"
    source = write(table, tmp_path / "rows.csv")
    score_file(source, out, chosen)
    former = out.read_bytes()
    with source.open("a") as more:
        more.write("00001,high,1,x\n")
    with pytest.raises(ConfigurationError, match="column 'f_match'"):
        score_file(source, out, chosen)
    assert out.read_bytes() == former
    assert len(list(tmp_path.iterdir())) == 2
