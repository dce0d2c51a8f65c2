"""What happens to a label in its training row, against sums done by hand."""

import pytest

from label_platform.explain import TrainingRow
from label_platform.explain.steps import Steps
from label_platform.explain.training import NotRecordedError, training_label
from tests.explain.one_label import MakePolicy


def test_shrinkage_toward_a_model_or_the_mean(make: MakePolicy) -> None:
    given = {"label": 0.8, "expected_examinations": 2.0}
    model = make(
        grain="query_item",
        debias={"method": "coec", "prior": {"toward": "model", "strength": 3.0}},
    )
    row = TrainingRow({"label": 0.0, "prediction": 0.1})
    expected = (0.8 * 2 + 3 * 0.1) / (2 + 3)
    assert training_label(model, given, row, Steps()) == round(expected, 6)
    mean = make(
        grain="query_item", debias={"method": "coec", "prior": {"toward": "empirical_bayes"}}
    )
    fits = TrainingRow({"label": 0.0}, {"prior_mean": 0.2, "prior_strength": 6.0})
    expected = (0.8 * 2 + 6 * 0.2) / (2 + 6)
    assert training_label(mean, given, fits, Steps()) == round(expected, 6)
    with pytest.raises(NotRecordedError, match="prior_mean"):
        training_label(mean, given, TrainingRow({"label": 0.0}), Steps())


def test_a_doubly_robust_label_gets_its_prediction_in_training(make: MakePolicy) -> None:
    policy = make(debias={"method": "doubly_robust"})
    row = TrainingRow({"label": 0.0, "prediction": 0.3})
    given = {"label": -0.1, "prediction_share": 0.6}
    assert training_label(policy, given, row, Steps()) == round(-0.1 + 0.3 * 0.6, 6)


@pytest.mark.parametrize(("label", "grade"), [(0.1, 0), (0.2, 1), (0.5, 1), (0.9, 2)])
def test_grades_by_thresholds(make: MakePolicy, label: float, grade: float) -> None:
    policy = make(grading={"thresholds": [0.2, 0.9]})
    row = TrainingRow({"label": 0.0})
    assert training_label(policy, {"label": label}, row, Steps()) == grade


@pytest.mark.parametrize(("label", "grade"), [(0.1, 0), (0.2, 0), (0.5, 1), (0.91, 2)])
def test_grades_by_quantiles_are_above_their_bounds(
    make: MakePolicy, label: float, grade: float
) -> None:
    policy = make(grading={"quantiles": 3})
    row = TrainingRow({"label": 0.0}, {"bounds": [0.2, 0.9]})
    assert training_label(policy, {"label": label}, row, Steps()) == grade


@pytest.mark.parametrize(
    ("grading", "grade", "verb"), [("thresholds", 1, "reaches"), ("quantiles", 0, "exceeds")]
)
def test_what_a_label_at_a_bound_does_is_worded_as_it_is_counted(
    make: MakePolicy, grading: str, grade: float, verb: str
) -> None:
    policy = make(grading={grading: 2 if grading == "quantiles" else [0.2]})
    steps = Steps()
    row = TrainingRow({"label": 0.0}, {"bounds": [0.2]})
    assert training_label(policy, {"label": 0.2}, row, steps) == grade
    assert [step.formula for step in steps.done] == [f"the number of bounds that the label {verb}"]
