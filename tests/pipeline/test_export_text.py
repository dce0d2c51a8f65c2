"""Features of text in a policy's examples: as the rankers' codes, as they are, or left out."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.lake import Partition
from label_platform.pipeline.export import ExportReport, export_examples
from label_platform.pipeline.rankers import stored_rankers
from label_platform.ranking import FeatureCodes
from tests.pipeline.conftest import DAYS, Installation

POLICY = "multi_signal"
LAST_TRAINING_DAY = DAYS[2]
HUE = """case when part = 'validate' and item_id % 5 = 0 then 'unseen'
    when item_id % 5 = 1 then null
    else ['red', 'Grün', 'a,b'][item_id % 3 + 1] end"""


def add_text(shop: Installation, name: str, value: str, more_rows: int = 1) -> None:
    """A feature that impressions log, and the examples with it."""
    with shop.project().open() as context:
        for partition, text, copies in (
            (Partition("impression_signals", LAST_TRAINING_DAY), "'red'", 1),
            (Partition("examples", DAYS[-1], POLICY), value, more_rows),
        ):
            stored = context.lake.scan(partition.table, [partition.day], partition.policy)
            query = (
                f"select rows.*, {text} as {name} from {stored} as rows, range({copies}) as copies"
            )
            context.lake.publish(context.engine, partition, query, recipe="with text")


def export(shop: Installation, to: str, folder: Path) -> tuple[ExportReport, dict[str, Any]]:
    with shop.project().open() as context:
        report = export_examples(context, POLICY, to, folder)
    return report, json.loads((folder / "export.json").read_text())


def warnings(report: ExportReport) -> str:
    return "; ".join(each.text for found in report.findings.values() for each in found)


def test_codes_are_those_of_the_trained_rankers(built: Installation, tmp_path: Path) -> None:
    add_text(built, "f_hue", HUE)
    built.build("rankers", DAYS[-1], policy=POLICY)
    with built.project().open() as context:
        rankers = stored_rankers(context, Partition("rankers", DAYS[-1], POLICY))
    for to in ("lightgbm", "xgboost"):
        report, manifest = export(built, to, tmp_path / to)
        assert "text" not in warnings(report)
        assert "feature_codes.json" in report.files
        stored = json.loads((tmp_path / to / "feature_codes.json").read_text())
        assert stored["vocabularies"] == {"f_hue": ["Grün", "a,b", "red"]}
        assert [ranker.codes for _, ranker in rankers] == [
            FeatureCodes.from_fields(stored) for _ in rankers
        ]
        # the file's columns are in the rankers' order
        names = tuple(manifest["features"].values())
        assert all(ranker.feature_names == names for _, ranker in rankers)
        assert manifest["text_features"]["names"] == ["f_hue"]
    assert manifest["text_features"]["feature_types"].count("c") == 1
    assert manifest["text_features"]["feature_types"][names.index("f_hue")] == "c"
    place = names.index("f_hue")
    conf = (tmp_path / "lightgbm" / "train.conf").read_text().splitlines()
    assert f"categorical_feature = {place}" in conf
    train = pd.read_csv(tmp_path / "lightgbm" / "train.csv")
    assert sorted(train["f_hue"].dropna().unique()) == [0, 1, 2]
    assert 0 < train["f_hue"].isna().mean() < 0.5


def test_magnitudes_leave_text_out_and_columns_keep_it(built: Installation, tmp_path: Path) -> None:
    add_text(built, "f_hue", HUE)
    for to in ("svmrank", "ranklib"):
        report, manifest = export(built, to, tmp_path / to)
        assert "1 features are text and are left out: f_hue" in warnings(report)
        assert "f_hue" not in manifest["features"].values()
        assert "feature_codes.json" not in report.files
    report, manifest = export(built, "parquet", tmp_path / "parquet")
    assert "f_hue" in manifest["features"].values()
    assert "text_features" not in manifest
    texts = pd.read_parquet(tmp_path / "parquet" / "validate.parquet")["f_hue"]
    assert set(texts.dropna()) == {"Grün", "a,b", "red", "unseen"}
    assert warnings(report) == ""


@pytest.mark.parametrize("to", ["lightgbm", "xgboost"])
def test_text_of_too_many_values_is_left_out(built: Installation, tmp_path: Path, to: str) -> None:
    unique = "cast(row_number() over () as varchar)"
    add_text(built, "f_id", unique, more_rows=10)
    report, manifest = export(built, to, tmp_path / to)
    assert report.files[f"train.{'csv' if to == 'lightgbm' else 'libsvm'}"] > 10_000
    words = "1 features are text of more than 10,000 values and are left out: f_id"
    assert words in warnings(report)
    assert "f_id" not in manifest["features"].values()
    assert "text_features" not in manifest
