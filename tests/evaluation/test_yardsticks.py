from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from label_platform.evaluation import ShownLists, click_yardsticks, true_ndcg_yardsticks
from label_platform.evaluation.click_auc import stratified_auc
from label_platform.evaluation_settings import EvaluationSettings
from label_platform.propensity import PropensityCurve, Verdict

CURVE = PropensityCurve(
    "randomized",
    (),
    pd.DataFrame({"position": range(1, 7), "propensity": [1 / k for k in range(1, 7)]}),
    Verdict.OK,
    "",
)


def by_name(yardsticks: tuple[Any, ...]) -> dict[str, Any]:
    return {yardstick.name: yardstick for yardstick in yardsticks}


def shown_of(impressions: pa.Table, curve: PropensityCurve | None = CURVE) -> ShownLists:
    return ShownLists.from_impressions(impressions, ["f_good"], "click", curve)


def test_true_ndcg_is_that_of_all_candidates_of_a_query(truth: pa.Table) -> None:
    seen, unseen = true_ndcg_yardsticks(truth, ["f_good"])
    scores = np.random.default_rng(0).random(60 * 6)

    found = seen.measure(scores)

    relevance = truth["relevance"].to_numpy()[: 60 * 6]
    expected = ndcg_score(relevance.reshape(60, 6), scores.reshape(60, 6), k=10)
    assert found.value == pytest.approx(expected)
    assert sorted(found.units, key=int) == [str(query) for query in range(60)]
    assert unseen.name == "true_ndcg_at_10_unseen"
    assert len(unseen.features) == 30 * 6


def test_without_unseen_queries_their_yardstick_is_refused(truth: pa.Table) -> None:
    seen_only = truth.filter(pa.array(truth["seen_in_log"].to_numpy()))

    _, unseen = true_ndcg_yardsticks(seen_only, ["f_good"])

    assert unseen.measure(np.zeros(0)).refused.startswith("no such query")
    assert np.isnan(unseen.measure(np.zeros(0)).value)


@pytest.mark.parametrize("cutoff", [2, 10])
def test_randomized_click_dcg_is_the_mean_over_randomised_lists(
    make_impressions: Callable[..., pa.Table], cutoff: int
) -> None:
    settings = EvaluationSettings(cutoff=cutoff)
    shown = shown_of(make_impressions())
    yardstick = by_name(click_yardsticks(shown, CURVE, settings=settings))["randomized_click_dcg"]
    frame = make_impressions().to_pandas()
    frame = frame[frame["randomized"]]

    scores = np.random.default_rng(3).random(len(frame))

    found = yardstick.measure(scores)

    rank = pd.Series(scores, frame.index).groupby(frame["request_id"]).rank(ascending=False)
    gains = (frame["click"] / np.log2(1 + rank)).where(rank <= cutoff, 0.0)
    assert found.value == pytest.approx(gains.sum() / 200)
    assert found.denominator.sum() == 200
    assert len(found.units) == 30  # even requests of 60 queries


def test_a_better_order_wins_on_every_click_yardstick(
    make_impressions: Callable[..., pa.Table],
) -> None:
    for yardstick in click_yardsticks(shown_of(make_impressions()), CURVE):
        good = yardstick.features[:, 0].astype(float)

        assert yardstick.measure(good).value > yardstick.measure(-good).value


def test_off_policy_value_is_clicks_over_examination(
    make_impressions: Callable[..., pa.Table],
) -> None:
    impressions = make_impressions()
    yardstick = by_name(click_yardsticks(shown_of(impressions), CURVE))["off_policy_dcg"]
    frame = impressions.to_pandas()

    found = yardstick.measure(-frame["position"].to_numpy(dtype=float))

    # theta is 1/k, and this target ranks as was logged
    worth = frame["click"] * frame["position"] / np.log2(1 + frame["position"])
    assert found.value == pytest.approx(worth.sum() / 400)


def test_rows_may_come_in_any_order(make_impressions: Callable[..., pa.Table]) -> None:
    impressions = make_impressions()
    mixed = impressions.take(np.random.default_rng(1).permutation(impressions.num_rows))

    for straight, shuffled in zip(
        click_yardsticks(shown_of(impressions), CURVE),
        click_yardsticks(shown_of(mixed), CURVE),
        strict=True,
    ):
        np.testing.assert_array_equal(straight.features, shuffled.features)


def test_excluded_impressions_are_left_out(make_impressions: Callable[..., pa.Table]) -> None:
    impressions = make_impressions()
    bot = impressions["request_id"].to_numpy() < 100
    marked = impressions.append_column(
        "excluded_reason", [np.where(bot, "clicks_per_minute", None)]
    )

    assert len(shown_of(marked).lists) == 300


def test_a_log_that_hardly_tells_queries_apart_is_resampled_by_list(
    make_impressions: Callable[..., pa.Table],
) -> None:
    impressions = make_impressions()
    place = impressions.column_names.index("query_id")
    one_query = impressions.set_column(place, "query_id", [["all"] * impressions.num_rows])
    yardstick = by_name(click_yardsticks(shown_of(one_query), CURVE))["off_policy_dcg"]

    assert len(yardstick.measure(yardstick.features[:, 0].astype(float)).units) == 400


def test_refused_propensities_refuse_the_off_policy_yardstick(
    make_impressions: Callable[..., pa.Table],
) -> None:
    refused = PropensityCurve(
        "randomized", (), CURVE.table, Verdict.INSUFFICIENT_INTERVENTIONS, "7 clicks, needed 20"
    )
    found = by_name(click_yardsticks(shown_of(make_impressions(), refused), refused))

    reason = found["off_policy_dcg"].measure(np.zeros(0)).refused
    assert reason == "insufficient_interventions: 7 clicks, needed 20"


def test_without_propensities_there_is_no_off_policy_yardstick(
    make_impressions: Callable[..., pa.Table],
) -> None:
    found = by_name(click_yardsticks(shown_of(make_impressions(), None), None))

    assert "no propensities" in found["off_policy_dcg"].measure(np.zeros(0)).refused


def test_too_little_overlap_is_refused_when_a_ranker_is_measured(
    make_impressions: Callable[..., pa.Table],
) -> None:
    steep = CURVE.table.assign(propensity=[float(k) ** -6 for k in range(1, 7)])
    curve = PropensityCurve("randomized", (), steep, Verdict.OK, "")
    shown = shown_of(make_impressions(), curve)
    yardstick = by_name(click_yardsticks(shown, curve))["off_policy_dcg"]

    found = yardstick.measure(shown.position.astype(float))

    assert found.refused.startswith("no_overlap: ")
    assert np.isnan(found.value)


def test_few_randomised_clicks_are_refused_with_their_number(
    make_impressions: Callable[..., pa.Table],
) -> None:
    impressions = make_impressions(lists=4)
    clicks = impressions.filter(impressions["randomized"])["click"].to_numpy().sum()
    found = by_name(click_yardsticks(shown_of(impressions), CURVE))["randomized_click_dcg"]

    assert found.measure(np.zeros(0)).refused == (
        f"{clicks:.0f} clicks on 2 randomised lists of the evaluation days, needed 10"
    )


def test_lists_of_one_item_leave_nothing_to_re_rank(
    make_impressions: Callable[..., pa.Table],
) -> None:
    found = by_name(click_yardsticks(shown_of(make_impressions(length=1)), CURVE))

    for name in ("randomized_click_dcg", "off_policy_dcg"):
        refused = found[name].measure(np.zeros(0)).refused
        assert refused == "nothing to re-rank: all 400 lists have one item"
    auc = found["randomized_click_auc"]
    score = auc.features[:, 0].astype(float)
    assert auc.measure(score).value == pytest.approx(
        roc_auc_score(auc.shown.clicks, score), abs=1e-12
    )


def test_concordance_compares_within_strata() -> None:
    scores = np.array([3.0, 1.0, 1.0, 9.0])
    clicked = np.array([True, False, False, True])

    parts = stratified_auc(scores, clicked, np.array([1, 1, 1, 2]))
    tied = stratified_auc(np.ones(4), clicked, np.array([1, 1, 2, 2]))

    assert parts.mean() == pytest.approx(1.0)
    assert tied.mean() == pytest.approx(0.5)


def test_concordance_without_opponents_is_refused() -> None:
    with pytest.raises(ValueError, match="both a clicked and an unclicked"):
        stratified_auc(np.ones(2), np.array([True, False]), np.array([1, 2]))


def test_spread_of_concordance_is_that_of_a_bootstrap_over_rows() -> None:
    rng = np.random.default_rng(0)
    strata = rng.integers(1, 4, 600)
    clicked = rng.random(600) < 0.2
    scores = rng.normal(size=600) + clicked

    parts = stratified_auc(scores, clicked, strata)

    draws = (rng.integers(0, 600, 600) for _ in range(300))
    values = [stratified_auc(scores[row], clicked[row], strata[row]).mean() for row in draws]
    # the bootstrap's own standard error over 300 draws is 1/sqrt(600) of it
    assert parts.std(ddof=1) / np.sqrt(600) == pytest.approx(np.std(values), rel=4 / np.sqrt(600))


def test_several_clicks_on_an_impression_are_one() -> None:
    impressions = pa.table(
        {
            "request_id": ["a"] * 2 + ["b"] * 2,
            "query_id": ["q"] * 4,
            "item_id": [1, 2, 1, 2],
            "position": [1, 2, 1, 2],
            "randomized": [True] * 4,
            "click": [0.0, 1.0, 3.0, 0.0],
            "f_good": [0.0, 1.0, 0.0, 1.0],
        }
    )
    shown = shown_of(impressions, None)

    assert shown.clicks.tolist() == [0, 1, 1, 0]
    assert shown.chosen(np.array([False, True])).clicks.tolist() == [1, 0]
