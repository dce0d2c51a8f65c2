"""A policy's examples as files for another program, from the lake to a folder."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytrec_eval

from label_platform.export import TARGETS
from label_platform.lake import Partition
from label_platform.pipeline.export import ExportReport, export_examples
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, Installation


@pytest.fixture
def shop(built_once: Path) -> Installation:
    return Installation(built_once)


def export(shop: Installation, policy: str, to: str, folder: Path, **changes: str) -> ExportReport:
    with shop.project().open() as context:
        return export_examples(context, policy, to, folder, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("to", list(TARGETS))
def test_every_program_gets_its_files(shop: Installation, tmp_path: Path, to: str) -> None:
    report = export(shop, "multi_signal", to, tmp_path / "out")
    assert not report.is_refused
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {*report.files, "export.json"}
    assert {TARGETS[to].file_of(part) for part in ("train", "validate")} <= written
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert manifest["policy"] == "multi_signal"
    assert manifest["files"] == report.files
    with shop.project().open() as context:
        examples = Partition("examples", DAYS[-1], "multi_signal")
        assert manifest["examples"] == context.require(examples).content_hash
        relation = context.lake.scan("examples", [DAYS[-1]], "multi_signal")
        (rows,) = context.engine.row(
            f"select count(*) from {relation} where part = 'train' and weight > 0"
        )
    assert report.files[TARGETS[to].file_of("train")] == rows


def test_runs_are_the_rankings_of_the_policy(shop: Installation, tmp_path: Path) -> None:
    report = export(shop, "multi_signal", "trec", tmp_path / "out")
    runs = [name for name in report.files if name.startswith("train.") and name.endswith(".run")]
    assert runs
    with (tmp_path / "out" / "train.qrels").open() as file:
        judgments = pytrec_eval.parse_qrel(file)
    evaluator = pytrec_eval.RelevanceEvaluator(judgments, {"ndcg"})
    for name in runs:
        with (tmp_path / "out" / name).open() as file:
            run = pytrec_eval.parse_run(file)
        random = np.random.default_rng(1)
        shuffled = {
            group: dict(zip(items, random.random(len(items)).tolist(), strict=True))
            for group, items in run.items()
        }
        learnt, chance = (
            pd.DataFrame(evaluator.evaluate(each)).T["ndcg"].mean() for each in (run, shuffled)
        )
        # a ranker ranks what it was trained on better than chance does
        assert learnt > chance + 0.02


def test_nothing_is_written_that_cannot_be_read(shop: Installation, tmp_path: Path) -> None:
    report = export(shop, "multi_signal", "ranklib", tmp_path / "out", labels="as_is")
    assert report.is_refused
    assert report.findings["train"][0].text.startswith("ranklib takes whole grades")
    assert not (tmp_path / "out").exists()


def test_wrong_names_are_refused(shop: Installation, tmp_path: Path) -> None:
    for policy, to, words in (
        ("multi_signal", "xgbost", "did you mean 'xgboost'"),
        ("multi_sginal", "xgboost", "did you mean 'multi_signal'"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            export(shop, policy, to, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is there already, expected an empty folder"):
        export(shop, "multi_signal", "parquet", tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
