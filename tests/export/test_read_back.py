"""What was written, read back by the programs that it was written for."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import pytrec_eval
import xgboost as xgb
from sklearn.datasets import load_svmlight_file
from sklearn.metrics import ndcg_score

from label_platform.export import TARGETS, Export, LabelScale, parse_scale, write_part, write_runs
from label_platform.lake import Engine

FEATURES = ("f_a", "f b", "item_c")
Write = Callable[..., list[str]]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def example_rows(seed: int, groups: int = 40) -> pd.DataFrame:
    """Groups of 2 to 9 rows in their fixed order; some values are missing, labels fractional."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 10, groups)
    rows = int(sizes.sum())
    table = pd.DataFrame(
        {
            "part": "train",
            "group_id": np.repeat(np.arange(groups) * 3 + 7, sizes),
            "query_id": 1,
            "item_id": random.permutation(rows),
            "impression_id": np.arange(rows),
            "position": np.concatenate([np.arange(size) + 1 for size in sizes]),
            "label": np.where(random.random(rows) < 0.6, 0.0, random.gamma(2, 1, rows)).round(6),
            "weight": random.choice([0.5, 1.0, 2.25], rows),
        }
    )
    for name in FEATURES:
        values = random.normal(size=rows).astype(np.float32)
        table[name] = np.where(random.random(rows) < 0.1, np.nan, values).astype(np.float32)
    return table


@pytest.fixture
def write(engine: Engine, tmp_path: Path) -> Write:
    def written(
        rows: pd.DataFrame, to: str, *, ranks: bool = True, scale: str | None = None
    ) -> list[str]:
        # rows come in any order
        engine.register("rows_", rows.sample(frac=1, random_state=1))
        target = TARGETS[to]
        chosen = parse_scale(scale or (target.ranking_scale if ranks else target.scale))
        export = Export(target, chosen, FEATURES, ranks, "rows_")
        return write_part(engine, export, "rows_", "train", tmp_path)

    return written


def levels(rows: pd.DataFrame) -> np.ndarray:
    low, high = rows["label"].min(), rows["label"].max()
    return np.rint(255 * (rows["label"].to_numpy() - low) / (high - low))


def matrix(rows: pd.DataFrame) -> np.ndarray:
    return rows[list(FEATURES)].to_numpy(dtype=np.float32)


def sizes(rows: pd.DataFrame) -> list[int]:
    return rows.groupby("group_id").size().tolist()


@pytest.mark.parametrize("seed", [1, 2])
def test_lightgbm_reads_labels_groups_weights_and_features(
    write: Write, tmp_path: Path, seed: int
) -> None:
    rows = example_rows(seed)
    assert sorted(write(rows, "lightgbm")) == [
        "train.conf",
        "train.csv",
        "train.csv.query",
        "train.csv.weight",
    ]
    parameters = {"header": True, "verbosity": -1, "label_column": 0, "feature_pre_filter": False}
    read = lgb.Dataset(str(tmp_path / "train.csv"), params=parameters).construct()
    np.testing.assert_array_equal(read.get_label(), levels(rows))
    np.testing.assert_array_equal(read.get_group(), sizes(rows))
    np.testing.assert_array_equal(read.get_weight(), rows["weight"])
    conf = dict(line.split(" = ") for line in (tmp_path / "train.conf").read_text().splitlines())
    settings = {
        "objective": conf["objective"],
        "label_gain": [int(gain) for gain in conf["label_gain"].split(",")],
        "verbosity": -1,
        "min_data_in_leaf": 2,
        "num_threads": 1,
        "deterministic": True,
    }
    from_file = lgb.train(settings | parameters, read, 5)
    in_memory = lgb.Dataset(
        matrix(rows), levels(rows), weight=rows["weight"].to_numpy(), group=sizes(rows)
    )
    from_memory = lgb.train(settings, in_memory, 5)
    np.testing.assert_array_equal(
        from_file.predict(matrix(rows)), from_memory.predict(matrix(rows))
    )
    assert np.ptp(from_memory.predict(matrix(rows))) > 0


def test_lightgbm_learns_rows_from_labels_as_they_are(write: Write, tmp_path: Path) -> None:
    rows = example_rows(3)
    assert "train.csv.query" not in write(rows, "lightgbm", ranks=False)
    parameters = {"header": True, "verbosity": -1, "label_column": 0}
    read = lgb.Dataset(str(tmp_path / "train.csv"), params=parameters).construct()
    np.testing.assert_array_equal(read.get_label(), rows["label"].astype(np.float32))
    assert "objective = regression" in (tmp_path / "train.conf").read_text()


@pytest.mark.parametrize("learns_from", ["lists", "rows"])
def test_xgboost_reads_labels_groups_and_features(
    write: Write, tmp_path: Path, learns_from: str
) -> None:
    rows, ranks = example_rows(4), learns_from == "lists"
    write(rows, "xgboost", ranks=ranks)
    features, label, group = load_svmlight_file(
        str(tmp_path / "train.libsvm"), query_id=True, zero_based=False, n_features=len(FEATURES)
    )
    weights = np.loadtxt(tmp_path / "train.libsvm.weights")
    parameters = json.loads((tmp_path / "parameters.json").read_text()) | {"nthread": 1}
    own = levels(rows) if ranks else rows["label"].to_numpy()
    read = xgb.DMatrix(features, label, qid=group if ranks else None, weight=weights)
    memory = xgb.DMatrix(matrix(rows), own, qid=rows["group_id"] if ranks else None)
    if ranks:
        assert np.diff(read.get_uint_info("group_ptr")).tolist() == sizes(rows)
        memory.set_weight(rows.groupby("group_id")["weight"].mean().to_numpy())
    else:
        memory.set_weight(rows["weight"].to_numpy())
    # what is left out of the file is missing, and not 0
    scores = xgb.train(parameters, read, 3).predict(read)
    np.testing.assert_array_equal(scores, xgb.train(parameters, memory, 3).predict(memory))
    assert np.ptp(scores) > 0


@pytest.mark.parametrize("to", ["svmrank", "ranklib"])
def test_svmlight_reads_what_svmrank_and_ranklib_take(
    write: Write, tmp_path: Path, to: str
) -> None:
    rows = example_rows(5)
    [name] = write(rows, to)
    features, label, group = load_svmlight_file(
        str(tmp_path / name), query_id=True, zero_based=False, n_features=len(FEATURES)
    )
    np.testing.assert_array_equal(
        features.toarray().astype(np.float32), np.nan_to_num(matrix(rows))
    )
    # SVMrank wants the groups' numbers to ascend
    np.testing.assert_array_equal(group, np.repeat(np.arange(40) + 1, sizes(rows)))
    if to == "svmrank":
        np.testing.assert_array_equal(label, rows["label"])
    else:
        assert sorted(set(label)) == [0, 1, 2, 3, 4]
    ids = [line.split(" # ")[1] for line in (tmp_path / name).read_text().splitlines()]
    assert ids == [f"{a} {b}" for a, b in zip(rows["group_id"], rows["item_id"], strict=True)]


@pytest.mark.parametrize("seed", [6, 7])
def test_trec_eval_judges_a_run_by_the_labels(write: Write, tmp_path: Path, seed: int) -> None:
    rows = example_rows(seed)
    [name] = write(rows, "trec")
    scores = np.random.default_rng(seed).normal(size=len(rows))
    write_runs(rows, scores, "some", tmp_path / "train.run")
    with (tmp_path / name).open() as file:
        judgments = pytrec_eval.parse_qrel(file)
    with (tmp_path / "train.run").open() as file:
        run = pytrec_eval.parse_run(file)
    found = pytrec_eval.RelevanceEvaluator(judgments, {"ndcg"}).evaluate(run)
    grade = {(g, i): r for g, items in judgments.items() for i, r in items.items()}
    for group, part in rows.assign(score=scores).groupby("group_id"):
        grades = [grade[str(group), str(item)] for item in part["item_id"]]
        expected = ndcg_score([grades], [part["score"]]) if any(grades) else 0.0
        assert found[str(group)]["ndcg"] == pytest.approx(expected, abs=1e-12)
    written = pd.read_csv(tmp_path / "train.run", sep=" ", header=None)
    assert written[3].tolist() == (written.groupby(0, sort=False).cumcount() + 1).tolist()
    assert (written.groupby(0)[4].diff().dropna() <= 0).all()


def test_parquet_holds_every_column(write: Write, tmp_path: Path) -> None:
    rows = example_rows(8)
    write(rows, "parquet")
    read = pd.read_parquet(tmp_path / "train.parquet")
    assert list(read.columns) == list(rows.columns)
    for name in ("group_id", "item_id", "position", "label", "weight", *FEATURES):
        np.testing.assert_array_equal(read[name].to_numpy(), rows[name].to_numpy())


def test_grades_are_equally_frequent_above_the_lowest(engine: Engine) -> None:
    engine.register("rows_", pd.DataFrame({"label": [0.0] * 50 + [float(n) for n in range(1, 41)]}))
    relation, expression = LabelScale("grades", 5).sql("rows_")
    found = engine.rows(
        f"select {expression} as grade, count(*) from rows_ cross join {relation} as scale"
        " group by grade order by grade"
    )
    assert found == [(0, 50), (1, 10), (2, 10), (3, 10), (4, 10)]


@pytest.mark.parametrize("scale", ["levels", "grades:2", "grades:5"])
def test_constant_labels_become_the_lowest(engine: Engine, scale: str) -> None:
    engine.register("rows_", pd.DataFrame({"label": [3.5, 3.5]}))
    relation, expression = parse_scale(scale).sql("rows_")
    found = engine.rows(f"select {expression} from rows_ cross join {relation} as scale")
    assert found == [(0,), (0,)]
