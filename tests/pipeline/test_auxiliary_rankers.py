"""A policy with a second label, from its file to rankers in MLflow and in the lake."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from label_platform.lake import Partition
from label_platform.pipeline.rankers import rankers_recipe, stored_rankers
from label_platform.ranking.auxiliary import WEIGHTS
from tests.pipeline.conftest import DAYS, POLICIES, PROJECT, Installation

NAME = "purchase_with_clicks"
LAST = DAYS[-1]
LABELLED = DAYS[:4]
TITLE = "pointwise, weight expected_examinations"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, built_once: Path) -> Installation:
    folder = tmp_path_factory.mktemp("auxiliary") / "built"
    built = Installation(Path(shutil.copytree(built_once, folder)))
    shutil.copy(PROJECT / "policies" / f"{NAME}.yaml", built.policy_file(NAME))
    built.change_problem({"policies.use": [*POLICIES, NAME]})
    built.build("labels", *LABELLED, policy=NAME)
    built.build("examples", LAST, policy=NAME)
    built.build("rankers", LAST, policy=NAME)
    return built


def test_rankers_with_a_second_label_are_stored_and_tracked(trained: Installation) -> None:
    manifest = trained.manifest("rankers", LAST, NAME)
    assert manifest.attributes["untrained"] == {}
    assert manifest.attributes["warnings"] == {}
    told = manifest.attributes["auxiliary"]
    assert set(told) == {f"{TITLE}, auxiliary {mode}" for mode in ("combine", "transfer")}

    with trained.project().open() as context:
        stored = stored_rankers(context, Partition("rankers", LAST, NAME))
        rows = context.engine.frame(
            f"select * from {context.lake.scan('examples', [LAST], NAME)} limit 200"
        )
        columns = context.engine.rows(
            f"select rounds, auxiliary_rounds from {context.lake.scan('rankers', [LAST], NAME)}"
        )
    assert rows["auxiliary_label"].mean() > rows["label"].gt(0).mean() > 0
    for spec, ranker in stored:
        run = trained.mlflow().get_run(manifest.attributes["mlflow_runs"][spec.title])
        second = ranker.auxiliary
        assert (second is None) == (spec.auxiliary == "none")
        if second is None:
            assert "auxiliary.weight" not in run.data.params
            continue
        assert told[spec.title] == {
            "weight": second.weight,
            "tuned_by": second.tuned_by,
            "rounds": second.rounds,
        }
        assert float(run.data.params["auxiliary.weight"]) == second.weight
        assert run.data.params["auxiliary.tuned_by"] == second.tuned_by
        assert run.data.metrics["auxiliary_rounds_used"] == second.rounds > 0
        assert (ranker.rounds, second.rounds) in columns
        assert np.isfinite(ranker.score(rows)).all()
        assert spec.auxiliary == "transfer" or second.weight in WEIGHTS


def test_what_lambda_is_tuned_by_makes_other_rankers_and_no_other_labels(
    tmp_path: Path, trained: Installation
) -> None:
    partition = Partition("rankers", LAST, NAME)
    copied = Installation(Path(shutil.copytree(trained.folder, tmp_path / "copied")))
    with copied.project().open() as context:
        before = rankers_recipe(context, partition)
    copied.change_policy(NAME, {"auxiliary.tune": "both"})
    with copied.project().open() as context:
        after = rankers_recipe(context, partition)

    assert {key for key in before if before[key] != after[key]} == {"tune"}


def test_every_ranker_is_judged_against_raw_clicks_alone(trained: Installation) -> None:
    trained.build("evaluations", LAST, policy=NAME)

    with trained.project().open() as context:
        relation = context.lake.scan("evaluations", [LAST], NAME)
        judged = context.engine.frame(
            "select ranker, side, sum(numerator) / sum(denominator) as value "
            f"from {relation} where yardstick = 'true_ndcg_at_10' and fit = 0 group by all"
        )
    values = judged.set_index(["ranker", "side"])["value"].unstack()
    assert len(values) == 3
    assert values["baseline"].nunique() == 1
    assert values["contender"].nunique() == 3
