"""What is fitted on training rows, by hand: priors, posteriors, scales, grades, decay."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import (
    BASE,
    PREDICTED,
    TAUGHT,
    Fitted,
    base_sql,
    bounds_of,
    bounds_sql,
    dense_scale,
    dense_weights_sql,
    examples_sql,
    finished_sql,
    needs_finish,
)
from label_platform.policy import Policy
from tests.examples.conftest import Shop

MakePolicy = Callable[..., Policy]
COEC = {
    "grain": "query_item",
    "debias": {"method": "coec"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
SECOND = date(2026, 10, 2)


def finished(
    shop: Shop,
    policy: Policy,
    predictions: Sequence[float] = (),
    fitted: Fitted | None = None,
    thetas: Sequence[float] = (1.0, 0.5),
) -> pd.DataFrame:
    """The training rows, with predictions and scores for the base rows in their order."""
    relations = shop.relations(policy, shop.theta(thetas))
    sql = base_sql(examples_sql(policy, shop.problem, relations))
    shop.engine.execute(f"create or replace temp table {BASE} as {sql}")
    for name, column in ((PREDICTED, "prediction"), (TAUGHT, "score")):
        rows = pd.DataFrame({"row_id": range(1, len(predictions) + 1), column: predictions})
        shop.engine.register(name, rows.astype({"row_id": "int64", column: "float64"}))
    rows = shop.engine.frame(finished_sql(policy, fitted or Fitted()))
    return rows[rows["part"] == "train"].reset_index(drop=True)


def two_items(shop: Shop) -> None:
    """Item 11 at position 1, clicked once of twice; item 12 at position 2, clicked once."""
    shop.show(1, [11, 12], clicked=[1, 2])
    shop.show(2, [11, 12])


def test_a_prior_draws_toward_the_prediction(shop: Shop, make_policy: MakePolicy) -> None:
    two_items(shop)
    prior = {"method": "coec", "prior": {"toward": "model", "strength": 2.0}}
    rows = finished(shop, make_policy(**COEC | {"debias": prior}), [0.2, 0.6, 0.0, 0.0])
    assert rows["label"].tolist() == [(1 + 2 * 0.2) / (2 + 2), round((1 + 2 * 0.6) / (1 + 2), 6)]
    assert rows["prediction"].tolist() == [0.2, 0.6]


def test_an_empirical_prior_draws_toward_the_mean(shop: Shop, make_policy: MakePolicy) -> None:
    two_items(shop)
    prior = {"method": "coec", "prior": {"toward": "empirical_bayes"}}
    fitted = Fitted(prior_mean=0.4, prior_strength=3.0)
    rows = finished(shop, make_policy(**COEC | {"debias": prior}), fitted=fitted)
    expected = [(1 + 3 * 0.4) / (2 + 3), (1 + 3 * 0.4) / (1 + 3)]
    assert rows["label"].tolist() == pytest.approx(expected)


def test_a_doubly_robust_label_is_affine_unless_clipped(
    shop: Shop, make_policy: MakePolicy
) -> None:
    two_items(shop)
    policy = make_policy(**COEC | {"debias": {"method": "doubly_robust", "clip": 0.8}})
    rows = finished(shop, policy, [0.3, 0.4, 0.0, 0.0])
    # position 2: theta .5 is raised to .8: r + (sum c - r sum theta) / sum max(theta, clip)
    expected = [1 / 2, 0.4 + (1 - 0.4 * (0.5 + 0.5)) / (0.8 + 0.8)]
    assert rows["label"].tolist() == pytest.approx(expected)
    assert "prediction_share" not in rows


def test_what_was_not_clicked_weighs_what_it_was_looked_at(
    shop: Shop, make_policy: MakePolicy
) -> None:
    two_items(shop)
    policy = make_policy(
        debias={"method": "posterior"},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
    )
    rows = finished(shop, policy, [0.3, 0.4, 0.3, 0.4, *[0.0] * 4])
    weights = dict(
        zip(zip(rows["group_id"], rows["item_id"], strict=True), rows["weight"], strict=True)
    )
    assert weights == pytest.approx(
        {
            (1, 11): 1,
            (1, 12): 1,
            (2, 11): 1 * (1 - 0.3) / (1 - 1 * 0.3),
            (2, 12): 0.5 * (1 - 0.4) / (1 - 0.5 * 0.4),
        }
    )


def test_a_complaint_shows_that_somebody_looked(shop: Shop, make_policy: MakePolicy) -> None:
    shop.show(1, [11, 12, 13], clicked=[1])
    shop.show(2, [11, 12, 13], clicked=[3], purchase=1)
    policy = make_policy(
        signals={"click": {"gain": 1.0}, "purchase": {"gain": -1.0}},
        debias={"method": "posterior"},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
    )
    rows = finished(shop, policy, [0.3] * 12, thetas=(1.0, 0.5, 0.2))
    weights = dict(
        zip(zip(rows["group_id"], rows["item_id"], strict=True), rows["weight"], strict=True)
    )
    assert weights == pytest.approx(
        {
            (1, 11): 1,
            (1, 12): 0.5 * (1 - 0.3) / (1 - 0.5 * 0.3),
            (1, 13): 0.2 * (1 - 0.3) / (1 - 0.2 * 0.3),
            # labels of -1, and one of 1 - 1: clicked
            (2, 11): 1,
            (2, 12): 1,
            (2, 13): 1,
        },
        abs=1e-6,
    )


def test_a_teacher_speaks_for_a_share_of_the_label(shop: Shop, make_policy: MakePolicy) -> None:
    two_items(shop)
    policy = make_policy(**COEC, teacher={"model": "teacher.txt", "share": 0.25})
    rows = finished(shop, policy, [0.8, -0.4, 0.0, 0.0])
    assert rows["label"].tolist() == [0.75 * 0.5 + 0.25 * 0.8, 0.75 * 1.0 + 0.25 * -0.4]
    assert rows["teacher_score"].tolist() == [0.8, -0.4]


@pytest.mark.parametrize(
    ("dense", "primary", "most", "expected"),
    [
        (6.0, 2.0, 0.5, 2.0 / 6.0),
        (6.0, 2.0, 0.75, 1.0),
        (6.0, 2.0, 0.9, 1.0),
        (6.0, 0.0, 0.5, 1.0),
        (0.0, 2.0, 0.5, 1.0),
        (30.0, 1.0, 0.8, 4 / 30),
    ],
)
def test_the_scale_of_dense_weights(
    dense: float, primary: float, most: float, expected: float
) -> None:
    scale = dense_scale(dense, primary, most)
    assert scale == pytest.approx(expected)
    if primary > 0 and scale < 1:
        assert scale * dense / (scale * dense + primary) == pytest.approx(most)


def test_dense_positives_keep_to_their_share(shop: Shop, make_policy: MakePolicy) -> None:
    shop.show(1, [11, 12, 13], clicked=[1, 2, 3])
    shop.show(2, [11], clicked=[1], purchase=1)
    policy = make_policy(
        signals={"click": {"gain": 0.5}, "purchase": {"gain": 1.0}},
        combine={"dual": ["purchase"], "dense_share": 0.2},
    )
    assert needs_finish(policy)
    finished(shop, policy, [0.0] * 8)
    assert shop.engine.row(dense_weights_sql()) == (3 * 0.5, 1.0)
    scale = dense_scale(1.5, 1.0, 0.2)
    rows = finished(shop, policy, [0.0] * 8, Fitted(dense_scale=scale))
    assert rows["weight"].tolist() == pytest.approx([0.5 * scale] * 3 + [1.0], abs=1e-6)


def test_quantiles_grade_what_is_above_the_lowest_label(
    shop: Shop, make_policy: MakePolicy
) -> None:
    # clicks of 10 lists: item i in i of them; items 10 and 11 in none
    for request in range(10):
        shop.show(request, list(range(12)), clicked=[i + 1 for i in range(10) if request < i])
    policy = make_policy(grain="query_item", grading={"quantiles": 4})
    finished(shop, policy)
    lowest, above = shop.engine.row(bounds_sql(policy, Fitted()))
    # labels above 0 are .1 to .9: thirds end with .3 and .6
    assert (lowest, above) == (0, [0.3, 0.6])
    rows = finished(shop, policy, fitted=Fitted(bounds=(lowest, *above)))
    grades = dict(zip(rows["item_id"], rows["label"], strict=True))
    assert grades == dict(enumerate([0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 0]))


@pytest.mark.parametrize(
    ("quantiles", "bounds", "grades"),
    [
        # -1 | 0 | halves of the nine positive labels
        (4, (-5e-7, 0, 0.5), [1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 0, 1]),
        (3, (-5e-7, 0), [1, *[2] * 9, 0, 1]),
        (2, (0,), [0, *[1] * 9, 0, 0]),
    ],
)
def test_quantiles_leave_grade_0_to_complaints(
    shop: Shop,
    make_policy: MakePolicy,
    quantiles: int,
    bounds: tuple[float, ...],
    grades: list[float],
) -> None:
    # clicks of 10 lists: item i in i of them; items 10 and 11 in none, and nobody likes 10
    for request in range(10):
        shop.show(request, list(range(12)), clicked=[i + 1 for i in range(10) if request < i])
    for row in shop.shown[SECOND - timedelta(1)]:
        row["purchase"] = int(row["item_id"] == 10)
    signals = {"click": {"gain": 1.0}, "purchase": {"gain": -1.0}}
    policy = make_policy(grain="query_item", signals=signals, grading={"quantiles": quantiles})
    finished(shop, policy)
    lowest, above = shop.engine.row(bounds_sql(policy, Fitted()))
    assert bounds_of(policy, lowest, tuple(above or ())) == bounds
    rows = finished(shop, policy, fitted=Fitted(bounds=bounds))
    assert dict(zip(rows["item_id"], rows["label"], strict=True)) == dict(enumerate(grades))


def test_thresholds_grade_from_each_on(shop: Shop, make_policy: MakePolicy) -> None:
    for request in range(4):
        shop.show(request, [11, 12, 13], clicked=[i + 1 for i in range(3) if request < 2 * i])
    policy = make_policy(grain="query_item", grading={"thresholds": [0.5, 0.9]})
    assert finished(shop, policy)["label"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("grain", ["impression", "query_item"])
def test_decay_halves_gains_and_examinations_alike(
    shop: Shop, make_policy: MakePolicy, grain: str
) -> None:
    shop.show(1, [11], clicked=[1])
    shop.show(2, [11], day=SECOND)
    policy = make_policy(grain=grain, decay={"half_life": "1d"})
    relations: Any = shop.relations(policy)
    first, second = (
        shop.lake.scan("labels", [day], policy.name) for day in (SECOND - timedelta(1), SECOND)
    )
    decayed = (
        f"(select *, 0.5 as decay from {first} union all select *, 1.0 as decay from {second})"
    )
    relations = type(relations)(
        **{**relations.__dict__, "labels_train": decayed, "labels_validate": decayed}
    )
    rows = shop.engine.frame(examples_sql(policy, shop.problem, relations))
    rows = rows[rows["part"] == "train"]
    if grain == "impression":
        assert rows[["label", "weight"]].to_numpy().tolist() == [[1, 0.5], [0, 1.0]]
    else:
        assert rows[["label", "expected_examinations"]].to_numpy().tolist() == [
            [pytest.approx(0.5 / (0.5 + 1), abs=1e-6), 0.5 + 1]
        ]


def test_plain_policies_need_nothing_of_other_rows(make_policy: MakePolicy) -> None:
    assert not needs_finish(make_policy())
    assert not needs_finish(make_policy(**COEC, decay={"half_life": "3d"}))
