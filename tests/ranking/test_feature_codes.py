import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.policy import RankerSpec
from label_platform.ranking import (
    FeatureCodes,
    ParquetColumns,
    Ranker,
    RankerTrainer,
    TrainingData,
    TrainingError,
    fit_ranker,
    read_features,
)
from label_platform.ranking.feature_codes import MOST_VALUES

FEATURES = ["brand", "f_noise"]
SPECS = [RankerSpec(objective="pointwise"), RankerSpec(objective="lambdarank")]
WORTH = {"amber": 0.1, "beryl": 0.8, "coral": 0.3, "denim": 0.6}


@pytest.fixture
def branded(make_examples: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Clicks follow the brand, whose order by name says nothing."""
    examples = make_examples(lists=600)
    rng = np.random.default_rng(5)
    brand = rng.choice(list(WORTH), len(examples))
    click = rng.random(len(examples)) < np.array([WORTH[each] for each in brand])
    return examples.assign(brand=brand, label=click.astype(float))


def fit(examples: pd.DataFrame | pa.Table, spec: RankerSpec = SPECS[0]) -> Ranker:
    train = TrainingData.from_examples(examples, spec, FEATURES)
    return fit_ranker(train, None, spec, rounds=20, seed=1)


def asked(**columns: Any) -> pd.DataFrame:  # noqa: ANN401 - any column
    return pd.DataFrame({"brand": list(WORTH), "f_noise": 0.5} | columns)


@pytest.mark.parametrize("spec", SPECS)
def test_a_text_feature_is_learned_by_its_values(branded: pd.DataFrame, spec: RankerSpec) -> None:
    ranker = fit(branded, spec)

    scores = dict(zip(WORTH, ranker.score(asked()), strict=True))

    assert sorted(WORTH, key=lambda brand: scores[brand]) == sorted(
        WORTH, key=lambda brand: WORTH[brand]
    )
    assert ranker.codes.vocabularies == {"brand": ("amber", "beryl", "coral", "denim")}
    # not by an order of codes: no two cuts, one set of values
    assert "num_cat=0" not in ranker.booster.split("Tree=1")[0]


def test_stored_text_scores_the_same_and_old_texts_load(branded: pd.DataFrame) -> None:
    ranker = fit(branded)
    again = Ranker.from_json(ranker.to_json())
    assert again == ranker
    np.testing.assert_array_equal(again.score(asked()), ranker.score(asked()))

    numbers = Ranker.from_json(
        json.dumps(
            {
                name: value
                for name, value in json.loads(ranker.to_json()).items()
                if name not in {"codes", "warnings", "loss"}
            }
        )
    )
    assert (numbers.codes, numbers.warnings, numbers.loss) == (FeatureCodes(), (), "squared")
    codes = np.array([[0, 0.5], [1, 0.5], [2, 0.5], [3, 0.5]])
    np.testing.assert_array_equal(numbers.score(codes), ranker.score(asked()))


def test_unseen_and_missing_values_score_alike(branded: pd.DataFrame) -> None:
    ranker = fit(branded)
    rows = asked(brand=["zinc", None, "", "beryl"])

    zinc, missing, empty, beryl = ranker.score(rows)

    assert zinc == missing == empty < beryl
    without = ranker.score(pa.table({"brand": pa.nulls(2), "f_noise": [0.5, 0.5]}))
    assert without.tolist() == [missing, missing]


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
    ids=str,
)
def test_text_is_text_however_it_is_stored(branded: pd.DataFrame, kind: pa.DataType) -> None:
    table = pa.Table.from_pandas(branded, preserve_index=False)
    number = table.column_names.index("brand")
    stored = table.set_column(number, "brand", table.column("brand").cast(pa.string()).cast(kind))

    ranker = fit(stored)

    assert ranker == fit(branded)
    assert ranker == fit(branded.astype({"brand": "category"}))
    np.testing.assert_array_equal(ranker.score(stored), ranker.score(branded))


def test_truths_and_coded_numbers_stay_numbers(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples(lists=1, length=4)
    table = pa.table(
        {
            "brand": pa.array([True, None, False, True]),
            "f_noise": pa.array([7, 8, None, 7]).dictionary_encode(),
        }
    )
    for name in examples.columns.difference(["brand", "f_noise"]):
        table = table.append_column(name, pa.array(examples[name]))

    data = TrainingData.from_examples(table, SPECS[0], FEATURES)

    np.testing.assert_array_equal(data.features.matrix[:, 0], [1, np.nan, 0, 1])
    np.testing.assert_array_equal(data.features.matrix[:, 1], [7, 8, np.nan, 7])
    assert data.features.codes == FeatureCodes()


def test_values_of_validation_rows_alone_are_unseen(branded: pd.DataFrame) -> None:
    later = branded.head(5).assign(part="validate", brand="zinc")
    examples = pd.concat([later, branded])

    validate = TrainingData.from_examples(examples, SPECS[0], FEATURES, "validate")

    assert validate.features.codes.vocabularies["brand"] == tuple(WORTH)
    assert np.isnan(validate.features.matrix[:, 0]).all()


def test_codes_do_not_depend_on_the_order_of_rows(branded: pd.DataFrame) -> None:
    backwards = branded.iloc[::-1]

    assert FeatureCodes.of(backwards, FEATURES) == FeatureCodes.of(branded, FEATURES)


@pytest.mark.parametrize("spec", SPECS)
def test_text_features_stop_early_and_are_resampled_as_numbers_are(
    branded: pd.DataFrame, spec: RankerSpec
) -> None:
    later = branded.tail(1_000).assign(part="validate")
    examples = pd.concat([branded.head(2_000), later])
    train = TrainingData.from_examples(examples, spec, FEATURES)
    validate = TrainingData.from_examples(examples, spec, FEATURES, "validate")

    alone = fit_ranker(train, validate, spec, rounds=100, seed=1)
    trainer = RankerTrainer(train, validate, spec)
    counts = np.random.default_rng(1).poisson(1, 40)[train.units.codes]
    resampled = trainer.fit(rounds=100, seed=1, multiplicity=counts)

    assert 0 < alone.rounds < 80
    assert trainer.fit(rounds=100, seed=1) == alone
    for ranker in (alone, resampled):
        amber, beryl, _, denim = ranker.score(asked())
        assert amber < denim < beryl


def test_evaluation_reads_text_by_the_codes_of_training(branded: pd.DataFrame) -> None:
    ranker = fit(branded)
    codes = FeatureCodes.of(branded, FEATURES)

    matrix = read_features(asked(), FEATURES, codes=codes)

    assert matrix[:, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(ranker.score_rows(matrix), ranker.score(asked()))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (asked(brand=[1, 2, 3, 4]), "feature 'brand' is of type int64, it was text in training"),
        (asked(f_noise="red"), "'f_noise' is of type large_string, and there are no training rows"),
        (asked().drop(columns="brand"), "feature 'brand' is not among the columns"),
        (
            asked(brand=np.array(["a", 1, 2.5, None], dtype=object)),
            "feature 'brand' is of type object with values of different kinds",
        ),
    ],
)
def test_rows_unlike_those_of_training_are_refused_by_name(
    branded: pd.DataFrame, rows: pd.DataFrame, message: str
) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        fit(branded).score(rows)


def test_columns_that_are_no_features_may_be_anything(branded: pd.DataFrame) -> None:
    mixed = pd.Series(["a", 1, *[None] * (len(branded) - 2)], dtype=object)

    assert fit(branded.assign(note=mixed)) == fit(branded)
    with pytest.raises(TrainingError, match="feature 'note' is of type object with values of diff"):
        TrainingData.from_examples(branded.assign(note=mixed), SPECS[0], ["note"])


def test_free_text_is_refused_by_name(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples(lists=MOST_VALUES // 5 + 1)
    examples["brand"] = [f"title {number}" for number in range(len(examples))]

    message = "feature 'brand' has 10,005 distinct values, expected at most 10,000"
    with pytest.raises(TrainingError, match=message):
        TrainingData.from_examples(examples, SPECS[0], FEATURES)


def test_features_that_tell_nothing_apart_are_warned_of_by_name(branded: pd.DataFrame) -> None:
    names = ["brand", "f_noise", "f_gone", "f_flat", "f_rare", "red", "unknown"]
    rare = np.zeros(len(branded))
    rare[-1] = 1
    examples = branded.assign(f_gone=np.nan, f_flat=2.5, f_rare=rare, red="red", unknown=None)
    train = TrainingData.from_examples(examples, SPECS[0], names)

    ranker = fit_ranker(train, None, SPECS[0], rounds=5, seed=1)

    assert ranker.warnings == (
        "feature 'f_gone' is missing in all 3000 training rows: nothing learns from it",
        "feature 'f_flat' is 2.5 in all 3000 training rows: nothing learns from it",
        "feature 'red' is 'red' in all 3000 training rows: nothing learns from it",
        "feature 'unknown' is missing in all 3000 training rows: nothing learns from it",
    )
    assert Ranker.from_json(ranker.to_json()).warnings == ranker.warnings
    known = [name for name in names if name in {"brand", "f_noise", "f_rare"}]
    fewer = TrainingData.from_examples(examples, SPECS[0], known)
    np.testing.assert_array_equal(
        fit_ranker(fewer, None, SPECS[0], rounds=5, seed=1).score(examples), ranker.score(examples)
    )


def test_columns_of_files_train_as_the_table_does(branded: pd.DataFrame, tmp_path: Path) -> None:
    later = branded.head(50).assign(part="validate")
    table = pa.Table.from_pandas(pd.concat([branded, later]), preserve_index=False)
    pq.write_table(table.slice(0, 1_000), tmp_path / "1.parquet", row_group_size=300)
    pq.write_table(table.slice(1_000), tmp_path / "2.parquet")
    columns = ParquetColumns([tmp_path / "1.parquet", tmp_path / "2.parquet"])

    assert len(columns) == columns.num_rows == len(branded) + 50
    assert columns.column_names == table.column_names
    assert columns.column("brand") == table.column("brand")
    for part in ("train", "validate"):
        ours = TrainingData.from_examples(columns, SPECS[1], FEATURES, part)
        theirs = TrainingData.from_examples(table, SPECS[1], FEATURES, part)
        np.testing.assert_array_equal(ours.features.matrix, theirs.features.matrix)
        np.testing.assert_array_equal(ours.label, theirs.label)
        assert ours.group_sizes.tolist() == theirs.group_sizes.tolist()
        assert ours.units.names.tolist() == theirs.units.names.tolist()
