"""Features of text, read back as categories by the programs that they were written for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost as xgb
from sklearn.datasets import load_svmlight_file

from label_platform.export import TARGETS, Export, describe_codes, parse_scale, write_part
from label_platform.lake import Engine
from label_platform.ranking import FeatureCodes

FEATURES = ("f_a", "f hue", "item_c", "f,hue")
HUES = ("", "Grün", "O'Hara", "a,b", "blue", "blue ", "green", "nan", "red", "tea")
"""In the order of their codes."""
KINDS = ("book", "lamp", "sofa")
HUE_VALUE = (0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0)
"""No order of codes tells good hues from bad ones."""
UNSEEN = ("Blue", " red", "purple", "0")
QUIET: dict[str, Any] = {"verbosity": -1, "num_threads": 1, "deterministic": True, "seed": 1}
FILE: dict[str, Any] = QUIET | {"header": True, "label_column": 0, "feature_pre_filter": False}


def example_rows(seed: int, part: str, groups: int = 60) -> pd.DataFrame:
    """Groups of 8 rows; a tenth of all values is missing, and of validation's hues are unseen."""
    random = np.random.default_rng([seed, len(part)])
    rows = groups * 8
    hue = random.integers(0, len(HUES), rows)
    hue[: len(HUES)] = np.arange(len(HUES))
    text = np.array(HUES, dtype=object)[hue]
    good = np.array(HUE_VALUE)[hue]
    if part == "validate":
        text = np.where(random.random(rows) < 0.1, random.choice(UNSEEN, rows), text)
    number = random.normal(size=(2, rows)).astype(np.float32)
    label = (good + number[0] / 2 + random.normal(size=rows) / 4).round(6)
    return pd.DataFrame(
        {
            "part": part,
            "group_id": np.repeat(np.arange(groups), 8),
            "item_id": np.arange(rows),
            "impression_id": np.arange(rows),
            "position": np.tile(np.arange(8) + 1, groups),
            "label": label,
            "weight": random.choice([0.5, 1.0, 2.25], rows),
            "f_a": np.where(random.random(rows) < 0.1, np.nan, number[0]).astype(np.float32),
            "f hue": np.where(random.random(rows) < 0.1, None, text),  # type: ignore[call-overload] # numpy's stubs know no None
            "item_c": number[1],
            "f,hue": random.choice(KINDS, rows),
        }
    )


def matrix(rows: pd.DataFrame) -> np.ndarray:
    """The features as numbers: a text's place among the training rows' texts, else nan."""
    places = {"f hue": HUES, "f,hue": KINDS}
    columns = [
        [places[name].index(text) if text in places[name] else np.nan for text in rows[name]]
        if name in places
        else rows[name]
        for name in FEATURES
    ]
    return np.array(columns, dtype=np.float32).T


@dataclass(frozen=True)
class Written:
    """A folder, and the rows that it was made from."""

    folder: Path
    export: Export
    train: pd.DataFrame
    validate: pd.DataFrame

    @property
    def labels(self) -> np.ndarray:
        own = self.train["label"].to_numpy()
        if not self.export.ranks:
            return own
        return np.rint(255 * (own - own.min()) / (own.max() - own.min()))

    @property
    def described(self) -> dict[str, Any]:
        return describe_codes(self.export.target.name, FEATURES, self.export.codes)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def written(engine: Engine, folder: Path, to: str, seed: int, *, ranks: bool) -> Written:
    parts = {part: example_rows(seed, part) for part in ("train", "validate")}
    target = TARGETS[to]
    codes = FeatureCodes.of(pa.Table.from_pandas(parts["train"]), FEATURES)
    scale = parse_scale(target.ranking_scale if ranks else target.scale)
    export = Export(target, scale, FEATURES, ranks, "rows_train", codes)
    for part, rows in parts.items():
        engine.register(f"rows_{part}", rows.sample(frac=1, random_state=1))
        names = write_part(engine, export, f"rows_{part}", part, folder)
        assert ("feature_codes.json" in names) == (part == "train")
    return Written(folder, export, **parts)


@pytest.mark.parametrize(("seed", "learns_from"), [(1, "lists"), (2, "lists"), (3, "rows")])
def test_lightgbm_learns_categories_from_the_file(
    engine: Engine, tmp_path: Path, seed: int, learns_from: str
) -> None:
    ranks = learns_from == "lists"
    made = written(engine, tmp_path, "lightgbm", seed, ranks=ranks)
    conf = dict(line.split(" = ") for line in (tmp_path / "train.conf").read_text().splitlines())
    header = (tmp_path / "train.csv").read_text().partition("\n")[0]
    assert header == "label,f_a,f_hue,item_c,f_hue_"
    categories = [int(place) for place in conf["categorical_feature"].split(",")]
    assert categories == made.described["categorical_feature"] == [1, 3]
    settings = QUIET | {"objective": conf["objective"], "min_data_in_leaf": 5}
    if ranks:
        settings["label_gain"] = [int(gain) for gain in conf["label_gain"].split(",")]
    read = lgb.Dataset(str(tmp_path / "train.csv"), categorical_feature=categories, params=FILE)
    fields = {
        "label": made.labels,
        "weight": made.train["weight"].to_numpy(),
        "group": [8] * 60 if ranks else None,
    }
    memory = lgb.Dataset(matrix(made.train), categorical_feature=[1, 3], **fields)
    from_file = lgb.train(settings | FILE, read, 8)
    from_memory = lgb.train(settings, memory, 8)
    # of rows in memory and of the file as it stands; a hue never seen before is among them
    expected = from_memory.predict(matrix(made.validate))
    np.testing.assert_array_equal(from_file.predict(matrix(made.validate)), expected)
    by_file = from_file.predict(str(tmp_path / "validate.csv"), data_has_header=True)
    np.testing.assert_array_equal(by_file, expected)
    as_magnitudes = lgb.train(settings, lgb.Dataset(matrix(made.train), **fields), 8)
    assert (as_magnitudes.predict(matrix(made.validate)) != expected).any()


def test_a_feature_called_like_what_orders_rows_does_not_order_them(
    engine: Engine, tmp_path: Path
) -> None:
    rows = pd.DataFrame(
        {
            "group_id": ["1", "2", "3"],
            "position": 1,
            "item_id": "a",
            "impression_id": ["x", "y", "z"],
            "label": [0.0, 1.0, 0.0],
            "weight": [0.5, 1.0, 2.0],
            "group id": [3.0, 2.0, 1.0],
        }
    )
    engine.register("rows_train", rows)
    export = Export(
        TARGETS["lightgbm"], parse_scale("as_is"), ("group id",), ranks=False, train="rows_train"
    )
    write_part(engine, export, "rows_train", "train", tmp_path)
    header, *lines = (tmp_path / "train.csv").read_text().split()
    assert header == "label,group_id_"
    assert [float(line.split(",")[1]) for line in lines] == [3, 2, 1]
    assert (tmp_path / "train.csv.weight").read_text().split() == ["0.5", "1.0", "2.0"]


@pytest.mark.parametrize(("seed", "learns_from"), [(4, "lists"), (5, "rows")])
def test_xgboost_learns_categories_from_the_file(
    engine: Engine, tmp_path: Path, seed: int, learns_from: str
) -> None:
    ranks = learns_from == "lists"
    made = written(engine, tmp_path, "xgboost", seed, ranks=ranks)
    kinds = made.described["feature_types"]
    assert kinds == ["q", "c", "q", "c"]
    categories = {"feature_types": kinds, "enable_categorical": True}
    found = {}
    for part in ("train", "validate"):
        features, label, group = load_svmlight_file(
            str(tmp_path / f"{part}.libsvm"), query_id=True, zero_based=False, n_features=4
        )
        weight = np.loadtxt(tmp_path / f"{part}.libsvm.weights")
        qid = group if ranks else None
        found[part] = xgb.DMatrix(features, label, qid=qid, weight=weight, **categories)
    fields: dict[str, Any] = {"label": made.labels, "weight": made.train["weight"]}
    if ranks:
        fields["weight"] = made.train.groupby("group_id")["weight"].mean()
        fields["qid"] = made.train["group_id"]
    memory = xgb.DMatrix(matrix(made.train), **fields, **categories)
    settings = json.loads((tmp_path / "parameters.json").read_text()) | {"nthread": 1}
    scores = xgb.train(settings, found["train"], 5).predict(found["validate"])
    from_memory = xgb.train(settings, memory, 5)
    # code 0 is a value, and what has no code is missing
    expected = from_memory.predict(xgb.DMatrix(matrix(made.validate), **categories))
    np.testing.assert_array_equal(scores, expected)
    magnitudes = xgb.train(settings, xgb.DMatrix(matrix(made.train), **fields), 5)
    assert (magnitudes.predict(xgb.DMatrix(matrix(made.validate))) != expected).any()


@pytest.mark.parametrize("to", ["lightgbm", "xgboost"])
def test_the_vocabulary_beside_the_file_codes_other_rows_alike(
    engine: Engine, tmp_path: Path, to: str
) -> None:
    made = written(engine, tmp_path, to, 6, ranks=True)
    stored = json.loads((tmp_path / "feature_codes.json").read_text())
    assert stored == {"vocabularies": {"f hue": list(HUES), "f,hue": list(KINDS)}}
    codes = FeatureCodes.from_fields(stored)
    assert made.validate["f hue"].isin(UNSEEN).sum() > 20
    assert made.validate["f hue"].isna().sum() > 20
    by_ranker = codes.numbers("f hue", pa.array(made.validate["f hue"], from_pandas=True))
    np.testing.assert_array_equal(by_ranker, matrix(made.validate)[:, 1])
    if to == "lightgbm":
        in_file = pd.read_csv(tmp_path / "validate.csv")["f_hue"].to_numpy(dtype=np.float32)
        np.testing.assert_array_equal(in_file, by_ranker)
    else:
        lines = (tmp_path / "validate.libsvm").read_text().splitlines()
        pairs = [dict(each.split(":") for each in line.split()[1:]) for line in lines]
        in_file = np.array([float(each.get("2", "nan")) for each in pairs], dtype=np.float32)
        np.testing.assert_array_equal(in_file, by_ranker)


def test_features_that_are_missing_in_all_training_rows_have_no_codes(
    engine: Engine, tmp_path: Path
) -> None:
    rows = example_rows(7, "train")
    engine.register("rows_", rows.astype({"f hue": "string"}))
    codes = FeatureCodes({"f hue": ()})
    export = Export(
        TARGETS["lightgbm"],
        parse_scale("as_is"),
        FEATURES[:3],
        ranks=False,
        train="rows_",
        codes=codes,
    )
    write_part(engine, export, "rows_", "train", tmp_path)
    assert pd.read_csv(tmp_path / "train.csv")["f_hue"].isna().all()
