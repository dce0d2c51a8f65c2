"""From a run in MLflow back to the policy, the propensities and the log days it came from."""

import json

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.entities import Run

from label_platform.lake import Partition, recipe_hash
from label_platform.pipeline.rankers import stored_rankers
from label_platform.policy import label_version, policy_version
from label_platform.ranking import Ranker
from label_platform.tracking.store import code_revision
from tests.pipeline.conftest import DAYS, POLICIES, RUN_IDS, Installation

LAST = DAYS[-1]
TRAIN = DAYS[:3]
USES_A_CURVE = {"coec_click", "multi_signal"}
"""One divides by it, the other weighs examined negatives by it."""
OBJECTIVES = {"raw_click": "pointwise", "multi_signal": "pointwise", "coec_click": "pointwise"}


def run_of(installation: Installation, policy: str) -> Run:
    (run_id,) = installation.manifest("rankers", LAST, policy).attributes["mlflow_runs"].values()
    return installation.mlflow().get_run(run_id)


def artifact(run: Run, path: str) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{path}")


@pytest.mark.parametrize("name", POLICIES)
def test_tags_lead_back_to_what_a_ranker_was_made_from(finished: Installation, name: str) -> None:
    project = finished.project()
    policy = project.policy(name)
    tags = run_of(finished, name).data.tags
    labels = {str(each): finished.manifest("labels", each, name).content_hash for each in TRAIN}
    curve = finished.manifest("propensities", TRAIN[-1])
    expected = {
        "policy": name,
        "policy_version": policy_version(policy, project.problem),
        "label_version": label_version(policy, project.problem),
        "objective": OBJECTIVES[name],
        "day": str(LAST),
        "train_days": f"{TRAIN[0]}..{TRAIN[-1]}",
        "propensity_version": curve.content_hash if name in USES_A_CURVE else "none",
        "propensity_verdict": curve.attributes["verdict"],
        "label_hash": recipe_hash(labels),
        "examples_hash": finished.manifest("examples", LAST, name).content_hash,
        "code_revision": code_revision(),
    }
    assert {tag: tags.get(tag) for tag in expected} == expected
    assert tags["dagster_run_id"] in json.loads((finished.folder / RUN_IDS).read_text())


@pytest.mark.parametrize("name", POLICIES)
def test_the_policy_the_numbers_and_the_data_are_logged(finished: Installation, name: str) -> None:
    run = run_of(finished, name)
    logged = artifact(run, "policy.yaml")
    assert logged == finished.policy_file(name).read_text()
    assert yaml.safe_load(logged)["name"] == name
    examples = finished.manifest("examples", LAST, name)
    assert run.data.metrics["examples"] == examples.rows
    assert run.data.params["rounds"] == "10"
    assert "true_ndcg_at_10" in run.data.metrics
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "examples"
    assert examples.content_hash.endswith(used.dataset.digest)
    assert {tag.key: tag.value for tag in used.tags}["content_hash"] == examples.content_hash


@pytest.mark.parametrize("name", POLICIES)
def test_pictures_are_logged(finished: Installation, name: str) -> None:
    pictures = finished.mlflow().list_artifacts(run_of(finished, name).info.run_id, "pictures")
    expected = {"pictures/label_histogram.png", "pictures/label_health.png"}
    if name in USES_A_CURVE:
        expected |= {"pictures/propensity_curve.png", "pictures/propensity_estimators.png"}
    assert {each.path for each in pictures} == expected


def test_a_logged_model_scores_like_its_ranker_whatever_position_says(
    finished: Installation,
) -> None:
    run = run_of(finished, "multi_signal")
    with finished.project().open() as context:
        ((spec, ranker),) = stored_rankers(context, Partition("rankers", LAST, "multi_signal"))
        rows = context.engine.frame(
            f"select * from {context.lake.scan('examples', [LAST], 'multi_signal')} "
            "where part = 'validate' order by impression_id limit 200"
        )
    assert spec.position == "feature"
    (logged,) = finished.mlflow().search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    features = list(ranker.feature_names)
    assert model.metadata.get_input_schema().input_names() == features
    inputs = rows[features].astype("float64")
    scores = model.predict(inputs)
    np.testing.assert_array_equal(scores, ranker.score(rows))
    np.testing.assert_array_equal(model.predict(inputs.assign(position=7.0)), scores)
    assert not np.array_equal(scores_at(ranker, inputs, 7), scores)
    np.testing.assert_array_equal(scores_at(ranker, inputs, 1), scores)


def scores_at(ranker: Ranker, inputs: pd.DataFrame, position: int) -> np.ndarray:
    """What the trees say of a position that nobody fixed."""
    given = np.column_stack([inputs.to_numpy(), np.full(len(inputs), position)])
    trees = lgb.Booster(model_str=ranker.booster)
    return np.asarray(trees.predict(given.astype(np.float32), raw_score=True))


def test_a_comparison_is_a_run_of_its_own(finished: Installation) -> None:
    run_id = finished.manifest("comparisons", LAST).attributes["mlflow_run"]
    run = finished.mlflow().get_run(run_id)
    assert run.data.tags["kind"] == "comparison"
    header, *lines = artifact(run, "comparison.csv").splitlines()
    assert header.startswith("policy,ranker")
    assert len(lines) == finished.manifest("comparisons", LAST).rows
