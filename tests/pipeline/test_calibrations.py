"""What an evaluation notes of predictions, and which metrics a problem asks for."""

from dataclasses import replace

import numpy as np
import pytest

from label_platform.evaluation import Arm, ArmEvaluation, Side
from label_platform.lake import Partition
from label_platform.pipeline.calibrations import CALIBRATION, calibration_attributes
from label_platform.pipeline.rankers import ranker_features, stored_rankers
from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, TrainingData
from tests.pipeline.conftest import DAYS, Installation

LAST = DAYS[-1]
POLICY = "coec_click"


def judged_by(ranker: Ranker | None, spec: RankerSpec) -> ArmEvaluation:
    return ArmEvaluation(Arm(POLICY, "impression", spec), Side(ranker, ()), None)


def test_pointwise_rankers_are_held_against_the_labels_of_validation_days(
    built: Installation,
) -> None:
    with built.project().open() as context:
        partition = Partition("examples", LAST, POLICY)
        features = ranker_features(context, partition)
        examples = context.engine.arrow(f"from {context.lake.scan('examples', [LAST], POLICY)}")
        stored = stored_rankers(context, Partition("rankers", LAST, POLICY))
    arms = [judged_by(ranker, spec) for spec, ranker in stored]
    pointwise = [arm for arm in arms if arm.arm.spec.objective == "pointwise"]
    assert pointwise
    arms += [judged_by(replace(ranker, objective="lambdarank"), spec) for spec, ranker in stored]

    noted = calibration_attributes(examples, features, arms)[CALIBRATION]

    assert set(noted) == {arm.arm.spec.title for arm in pointwise}
    others = [arm for arm in arms if arm not in pointwise]
    untrained = judged_by(None, pointwise[0].arm.spec)
    assert calibration_attributes(examples, features, [*others, untrained]) == {}
    for arm in pointwise:
        found = noted[arm.arm.spec.title]
        rows = TrainingData.from_examples(examples, arm.arm.spec, features, "validate")
        assert found["rows"] == len(rows)
        mean_label = np.average(rows.label, weights=rows.weight)
        assert found["mean_outcome"] == pytest.approx(mean_label, rel=1e-4)
        assert found["mean_predicted"] == pytest.approx(mean_label, rel=0.5)


def test_metrics_of_the_problem_become_yardsticks(built: Installation) -> None:
    before = built.manifest("evaluations", LAST, POLICY)
    assert before.attributes[CALIBRATION]
    built.change_problem({"evaluation": {"cutoff": 5, "metrics": ["mrr", "map"]}})

    built.build("evaluations", LAST, policy=POLICY)

    after = built.manifest("evaluations", LAST, POLICY)
    assert after.recipe_hash != before.recipe_hash
    with built.project().open() as context:
        relation = context.lake.scan("evaluations", [LAST], POLICY)
        found = {
            name for (name,) in context.engine.rows(f"select distinct yardstick from {relation}")
        }
    assert {"randomized_click_mrr_at_5", "randomized_click_map_at_5"} <= found
    assert "randomized_click_ndcg_at_5" not in found
