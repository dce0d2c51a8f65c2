"""A real MLflow store: what a ranker's run holds, aliases, several stores at once."""

import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient

from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, TrainingData, fit_ranker
from label_platform.tracking import (
    ComparisonRecord,
    InputColumn,
    RankerRecord,
    TrackingStore,
    as_inputs,
)
from label_platform.tracking.store import code_revision
from tests.tracking.conftest import CONTENT_HASH, FEATURES, PNG

COMPARISON = ComparisonRecord("comparison", "0a1b", {"day": "2026-10-06"}, "policy,value\n")


def test_a_run_holds_what_was_recorded(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    run = MlflowClient(store.uri).get_run(store.log_ranker(record))
    assert run.info.run_name == "raw_click lambdarank"
    assert run.info.experiment_id == store.experiment_id
    assert run.data.tags.items() >= {**record.tags, "code_revision": code_revision()}.items()
    assert run.data.params == {"rounds": "10", "ranker.position": "feature"}
    assert run.data.metrics == {"rounds_used": 10.0}
    artifacts = folder / "artifacts" / "shop" / run.info.run_id / "artifacts"
    assert (artifacts / "policy.yaml").read_text() == record.policy_text
    assert (artifacts / "pictures" / "label_histogram.png").read_bytes() == PNG
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.digest == CONTENT_HASH[-36:]
    assert {tag.key: tag.value for tag in used.tags}["content_hash"] == CONTENT_HASH


def test_a_logged_model_fixes_position_itself(
    folder: Path, record: RankerRecord, ranker: Ranker
) -> None:
    store = TrackingStore(folder, "shop")
    run_id = store.log_ranker(record)
    (logged,) = MlflowClient(store.uri).search_logged_models(
        [store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    assert model.metadata.get_input_schema().input_names() == list(FEATURES)
    rng = np.random.default_rng(6)
    rows = pd.DataFrame({name: rng.random(50) for name in FEATURES})
    scores = model.predict(rows)
    assert len(np.unique(scores)) > 1
    np.testing.assert_array_equal(scores, ranker.score(rows))
    for position in (1.0, 6.0):
        np.testing.assert_array_equal(model.predict(rows.assign(position=position)), scores)
    unfixed = replace(ranker, position="none", feature_names=(*ranker.feature_names, "position"))
    np.testing.assert_array_equal(unfixed.score(rows.assign(position=1.0)), scores)
    assert not np.array_equal(unfixed.score(rows.assign(position=6.0)), scores)


@pytest.mark.parametrize("mode", ["combine", "transfer"])
def test_a_logged_model_adds_both_boosters(folder: Path, record: RankerRecord, mode: str) -> None:
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({name: rng.random(400) for name in FEATURES})
    same = {"part": "train", "weight": 1.0, "raw_weight": 1.0, "raw_label": 0.0}
    examples = rows.assign(
        group_id=rows.index // 8,
        query_id=rows.index // 8,
        item_id=rows.index,
        label=(rows["f_match"] > 0.9).astype(float),
        auxiliary_label=(rows["f_price"] > 0.5).astype(float),
        **same,
    )
    spec = RankerSpec(objective="pointwise", auxiliary=mode)
    train = TrainingData.from_examples(examples, spec, FEATURES)
    both = fit_ranker(train, train, spec, rounds=10, seed=0)
    store = TrackingStore(folder, "shop")
    run_id = store.log_ranker(replace(record, ranker=both))
    (logged,) = MlflowClient(store.uri).search_logged_models(
        [store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    scores = mlflow.pyfunc.load_model(logged.artifact_location).predict(rows)
    np.testing.assert_array_equal(scores, both.score(rows))
    assert not np.array_equal(scores, replace(both, auxiliary=None).score(rows))


def test_a_logged_model_reads_text_as_training_did(folder: Path, record: RankerRecord) -> None:
    rng = np.random.default_rng(8)
    brand = rng.choice(["acme", "bolt", "core"], 400)
    examples = pd.DataFrame(
        {
            "part": "train",
            "group_id": np.arange(400) // 8,
            "query_id": np.arange(400) // 8,
            "item_id": np.arange(400),
            "label": (brand == "bolt").astype(float),
            "weight": 1.0,
            "raw_label": 0.0,
            "raw_weight": 1.0,
            "brand": brand,
            "f_price": rng.random(400),
        }
    )
    names = ("brand", "f_price")
    spec = RankerSpec(objective="pointwise")
    train = TrainingData.from_examples(examples, spec, names)
    ranker = fit_ranker(train, None, spec, rounds=10, seed=0)
    store = TrackingStore(folder, "shop")
    run_id = store.log_ranker(replace(record, ranker=ranker))
    (logged,) = MlflowClient(store.uri).search_logged_models(
        [store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    kinds = [str(each.type) for each in model.metadata.get_input_schema().inputs]
    assert kinds == ["DataType.string", "DataType.double"]
    rows = pd.DataFrame({"brand": ["bolt", "core", "never seen", None], "f_price": 0.5})
    scores = model.predict(rows)
    np.testing.assert_array_equal(scores, ranker.score(rows))
    assert scores[0] > scores[1]
    assert scores[2] == scores[3]


def test_metrics_and_verdicts_are_added_later(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    run_id = store.log_ranker(record)
    store.add(run_id, {"ndcg": 0.5, "ndcg_ci_low": 0.25}, {"verdict.ndcg": "baseline"})
    data = MlflowClient(store.uri).get_run(run_id).data
    assert data.metrics == {"rounds_used": 10.0, "ndcg": 0.5, "ndcg_ci_low": 0.25}
    assert data.tags["verdict.ndcg"] == "baseline"


def test_an_alias_moves_to_the_ranker_that_has_it_now(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    client = MlflowClient(store.uri)
    first, second = store.log_ranker(record), store.log_ranker(replace(record, name="another"))
    registry = store.registry
    registry.set_alias("champion", registry.register(first))
    registry.set_alias("challenger", registry.register(second))
    assert client.get_model_version_by_alias("shop.ranker", "champion").run_id == first
    assert client.get_model_version_by_alias("shop.ranker", "challenger").run_id == second
    registry.set_alias("champion", registry.register(second))
    assert client.get_model_version_by_alias("shop.ranker", "champion").run_id == second


def test_rankers_tell_what_they_were_trained_on(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    tags = {**record.tags, "kind": "ranker", "day": "2026-10-06"}
    tags["train_days"] = "2026-10-01..2026-10-03"
    validated = {**tags, "validate_days": "2026-10-04..2026-10-04"}
    first = store.log_ranker(replace(record, tags=validated))
    store.log_comparison(COMPARISON)
    # a run from before validation days were noted: they end with the day at the latest
    second = store.log_ranker(replace(record, tags=tags))
    registry = store.registry
    registry.set_alias("challenger", registry.register(second))
    for _ in range(2):
        registry.set_alias("champion", registry.register(first))
    found = store.rankers()
    assert [(each.run_id, each.policy) for each in found] == [
        (first, "raw_click"),
        (second, "raw_click"),
    ]
    assert [str(each.first_day) for each in found] == ["2026-10-01", "2026-10-01"]
    assert [str(each.last_day) for each in found] == ["2026-10-04", "2026-10-06"]
    assert found[0].versions == {"2": ("champion",)}
    assert found[1].versions == {"1": ("challenger",)}


def test_without_a_store_there_are_no_rankers(folder: Path, tmp_path: Path) -> None:
    assert TrackingStore(folder, "another").rankers() == []
    assert TrackingStore(tmp_path / "nowhere", "shop").rankers() == []
    assert not (tmp_path / "nowhere").exists()


def test_a_run_without_a_model_cannot_be_champion(folder: Path) -> None:
    store = TrackingStore(folder, "shop")
    run_id = store.log_comparison(COMPARISON)
    with pytest.raises(LookupError, match="has no logged model"):
        store.registry.register(run_id)


def test_two_stores_in_one_process_do_not_mix(
    folder: Path, tmp_path: Path, migrated_once: Path, record: RankerRecord
) -> None:
    """Each is used again after the other one was."""
    other_folder = Path(shutil.copytree(migrated_once, tmp_path / "other"))
    stores = [TrackingStore(folder, "shop"), TrackingStore(other_folder, "videos")]
    logged: list[set[str]] = [set(), set()]
    for turn in "ab":
        for store, runs in zip(stores, logged, strict=True):
            runs.add(store.log_ranker(replace(record, name=turn)))
            runs.add(store.log_comparison(replace(COMPARISON, content=turn)))
    for store, runs in zip(stores, logged, strict=True):
        found = MlflowClient(store.uri).search_runs([store.experiment_id])
        assert {run.info.run_id for run in found} == runs
        assert len(runs) == 2 * 2
        artifacts = store.folder / "artifacts" / store.problem
        assert {path.name for path in artifacts.iterdir()} >= runs


def test_problems_share_a_store_as_experiments(folder: Path) -> None:
    shop, videos = TrackingStore(folder, "shop"), TrackingStore(folder, "videos")
    assert shop.experiment_id != videos.experiment_id
    assert TrackingStore(folder, "shop").experiment_id == shop.experiment_id
    assert shop.link("http://here").endswith(f"/experiments/{shop.experiment_id}/runs")


def test_preparing_makes_the_database_and_no_experiment(migrated_once: Path) -> None:
    assert (migrated_once / "mlflow.db").is_file()
    client = MlflowClient(TrackingStore(migrated_once, "").uri)
    assert [each.name for each in client.search_experiments()] == ["Default"]


def test_the_same_ranker_keeps_its_run(folder: Path, record: RankerRecord) -> None:
    """Trained again on the same rows, by another Dagster run, it is still the same."""
    store = TrackingStore(folder, "shop")
    again = replace(record, tags={**record.tags, "dagster_run_id": "another"})
    first = store.log_ranker(record)
    assert store.log_ranker(again) == first
    changes = (
        replace(record, tags={**record.tags, "policy_version": "another"}),
        replace(record, metrics={"rounds_used": 9.0}),
        replace(record, datasets={"examples": CONTENT_HASH + "0"}),
        replace(record, ranker=replace(record.ranker, position="none")),
    )
    others = {store.log_ranker(changed) for changed in changes}
    assert len({first, *others}) == 1 + len(changes)


def test_a_run_that_was_cut_off_is_logged_anew(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    first = store.log_ranker(record)
    for status in ("RUNNING", "FAILED"):
        store.client.update_run(first, status=status)
        assert store.log_ranker(record) != first
        for run in store.runs(f"attributes.run_id != '{first}'"):
            store.client.delete_run(run.info.run_id)


def test_a_teacher_is_among_the_files(folder: Path, record: RankerRecord, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.txt"
    teacher.write_text("tree")
    store = TrackingStore(folder, "shop")
    taught = replace(record, files={"teacher": teacher})
    run_id = store.log_ranker(taught)
    logged = store.client.download_artifacts(run_id, "teacher/teacher.txt")
    assert Path(logged).read_text() == "tree"
    teacher.write_text("another tree")
    assert store.log_ranker(taught) != run_id


def test_lineage_is_kept_with_the_run(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    lineage = {"labels": {"2026-10-01": "a", "2026-10-02": "b"}, "examples": {"2026-10-06": "c"}}
    run_id = store.log_ranker(replace(record, lineage=lineage))
    assert store.lineage(run_id) == lineage
    assert store.datasets(run_id) == {"examples": CONTENT_HASH}
    assert store.lineage(store.log_comparison(COMPARISON)) == {}


def test_a_comparison_is_the_parent_of_its_rankers(folder: Path, record: RankerRecord) -> None:
    store = TrackingStore(folder, "shop")
    children = tuple(store.log_ranker(replace(record, name=name)) for name in "ab")
    compared = replace(
        COMPARISON, children=children, datasets={"evaluations of raw_click": CONTENT_HASH}
    )
    first = store.log_comparison(compared)
    assert store.log_comparison(replace(compared, tags={"promotion": "anew"})) == first
    assert store.client.get_run(first).data.tags["promotion"] == "anew"
    assert store.datasets(first) == {"evaluations of raw_click": CONTENT_HASH}
    other = store.log_comparison(replace(compared, content="other", children=children[:1]))
    parents = [store.client.get_run(each).data.tags["mlflow.parentRunId"] for each in children]
    assert parents == [other, first]


def test_many_metrics_and_verdicts_are_added(folder: Path, record: RankerRecord) -> None:
    """More than MLflow takes at once: slices have many."""
    store = TrackingStore(folder, "shop")
    run_id = store.log_ranker(record)
    metrics = {f"slice {number}/ndcg": float(number) for number in range(1100)}
    verdicts = {f"verdict.slice {number}": "baseline" for number in range(120)}
    store.add(run_id, metrics, verdicts)
    data = store.client.get_run(run_id).data
    assert data.metrics.items() >= metrics.items()
    assert data.tags.items() >= verdicts.items()


def test_a_logged_model_has_an_example_that_nobody_caused(
    folder: Path, record: RankerRecord, ranker: Ranker
) -> None:
    store = TrackingStore(folder, "shop")
    run_id = store.log_ranker(record)
    (logged,) = store.client.search_logged_models(
        [store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    loaded = mlflow.pyfunc.load_model(logged.artifact_location)
    example = loaded.input_example
    assert example.to_dict("list") == {name: [0.0, 1.0] for name in FEATURES}
    assert {each.name for each in loaded.metadata.get_input_schema().input_types()} == {"double"}
    np.testing.assert_array_equal(loaded.predict(example), ranker.score(example))


def test_numbers_of_every_kind_become_doubles() -> None:
    columns = (InputColumn("a", "double"), InputColumn("b", "double"), InputColumn("c", "double"))
    rows = pa.table(
        {
            "a": pa.array([2**53 + 1, None], pa.int64()),
            "b": pa.array([True, False]),
            "c": pa.array(["x", "y"]),
            "d": pa.array([1, 2], pa.int32()),
        }
    )
    found = as_inputs(rows, columns)
    assert found["a"].to_pylist() == [float(2**53), None]
    assert found["b"].to_pylist() == [1.0, 0.0]
    assert found["c"].to_pylist() == ["x", "y"]  # left to the ranker's refusal
    assert found.schema.field("d").type == pa.int32()
