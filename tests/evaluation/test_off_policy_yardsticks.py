from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from label_platform.evaluation import ShownLists, click_yardsticks
from label_platform.evaluation.off_policy_rankings import Rankings, repeated_estimator
from label_platform.evaluation.yardsticks import RefusedYardstick, Yardstick
from label_platform.evaluation_settings import EvaluationSettings, OffPolicyEstimator
from label_platform.propensity import PropensityCurve, Verdict

CURVE = PropensityCurve(
    "randomized",
    (),
    pd.DataFrame({"position": range(1, 7), "propensity": [1 / k for k in range(1, 7)]}),
    Verdict.OK,
    "",
)


def of(
    impressions: pa.Table, *estimators: OffPolicyEstimator, curve: PropensityCurve = CURVE
) -> dict[str, Yardstick]:
    shown = ShownLists.from_impressions(impressions, ["f_good"], "click", curve)
    settings = EvaluationSettings(off_policy=estimators, cutoff=4)
    found = click_yardsticks(shown, curve, settings=settings)
    return {each.name: each for each in found if each.name.startswith("off_policy")}


def of_few_items(make: Callable[..., pa.Table]) -> pa.Table:
    """The same lists, but of six items a query, whose quality is their own."""
    table = make(lists=1200)
    item = np.arange(len(table)) % 6
    order = np.random.default_rng(0).permuted(np.tile(np.arange(6), (1200, 1)), axis=1).ravel()
    good = 0.1 + 0.8 * order / 5
    click = np.random.default_rng(1).random(len(table)) < good / (item + 1)
    for name, values in {"item_id": order, "f_good": good, "click": click.astype(float)}.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def test_the_first_estimator_decides_and_the_others_stand_beside_it(
    make_impressions: Callable[..., pa.Table],
) -> None:
    names = [list(of(make_impressions(), *each)) for each in (("ips",), ("ips", "snips", "ips"))]
    assert names == [["off_policy_dcg"], ["off_policy_dcg", "off_policy_dcg_snips"]]
    alone = [of(make_impressions(), each)["off_policy_dcg"] for each in ("ips", "snips", "clipped")]
    scores = np.random.default_rng(2).random(len(alone[0].features))
    # nothing is clipped where positions are given, so that all are clicks over examination
    frame = make_impressions().to_pandas()
    rank = pd.Series(scores).groupby(frame["request_id"]).rank(ascending=False)
    gain = np.where(rank <= 4, frame["click"] * frame["position"] / np.log2(1 + rank), 0)
    values = [each.measure(scores).value for each in alone]
    assert values == pytest.approx([gain.sum() / 400] * 3)


WITHOUT_LAST = [1 / k for k in range(1, 6)]
"""Propensities of five positions: what is shown at the sixth has none."""


@pytest.mark.parametrize(
    ("thetas", "estimators", "repeated"),
    [
        # of the three only the first is judged, whichever it is; pools are no lists as shown
        (
            [1 / k for k in range(1, 7)],
            ("clipped", "ips", "snips"),
            {"ips": "off_policy_dcg", "snips": "off_policy_dcg"},
        ),
        ([1, 0.5, 0.2, 0.1, 0.05, 0.01], ("snips", "clipped"), {"clipped": "off_policy_dcg"}),
        # the clip of .01 cuts the sixth position
        ([1, 0.5, 0.2, 0.1, 0.05, 0.0099], ("snips", "clipped"), {}),
        ([1, 0.5, 0.2, 0.1, 0.05, 0.0099], ("snips", "clipped", "ips"), {"ips": "off_policy_dcg"}),
        (WITHOUT_LAST, ("snips", "ips"), {}),
        (WITHOUT_LAST, ("snips", "ips", "clipped"), {"clipped": "off_policy_dcg_ips"}),
    ],
)
def test_a_number_that_stands_there_already_is_no_finding_of_its_own(
    make_impressions: Callable[..., pa.Table],
    thetas: list[float],
    estimators: tuple[OffPolicyEstimator, ...],
    repeated: dict[str, str],
) -> None:
    positions = range(1, len(thetas) + 1)
    curve = replace(CURVE, table=pd.DataFrame({"position": positions, "propensity": thetas}))
    found = of(make_impressions(), *estimators, curve=curve)
    refused = {
        name.removeprefix("off_policy_dcg_"): each.reason
        for name, each in found.items()
        if isinstance(each, RefusedYardstick)
    }
    assert refused == {
        name: f"the same number as {other}, of every ranking" for name, other in repeated.items()
    }
    alone = {each: of(make_impressions(), each, curve=curve) for each in estimators}
    rankings = [each["off_policy_dcg"].rankings for each in alone.values()]
    for seed in (1, 2):
        scores = np.random.default_rng(seed).random(len(rankings[0].features))
        discounts = rankings[0].discounts(scores, 4)
        values = {
            name: ranked.estimate(discounts, name).unsupported_value
            for name, ranked in zip(alone, rankings, strict=True)
        }
        distinct = {round(value, 9) for value in values.values()}
        assert len(distinct) == len(estimators) - len(repeated)


def test_shuffled_lists_repeat_no_number(make_impressions: Callable[..., pa.Table]) -> None:
    """There rho is the mean of the list: SNIPS and IPS differ."""
    shown = ShownLists.from_impressions(make_impressions(), ["f_good"], "click", CURVE)
    shuffled = Rankings.of_lists(shown, shuffled=True)
    assert repeated_estimator("snips", ["ips"], shuffled) is None
    assert repeated_estimator("snips", ["ips"], Rankings.of_lists(shown)) == "ips"
    assert repeated_estimator("doubly_robust", ["ips"], Rankings.of_lists(shown)) is None


def test_doubly_robust_ranks_all_items_of_a_query(
    make_impressions: Callable[..., pa.Table],
) -> None:
    impressions = of_few_items(make_impressions)
    yardstick = of(impressions, "doubly_robust")["off_policy_dcg"]

    good = yardstick.features[:, 0].astype(np.float64)
    best, worst = yardstick.measure(good), yardstick.measure(-good)

    assert len(yardstick.features) == 60 * 6
    assert len(best.units) == 60
    assert best.denominator.sum() == 1200
    quality = 0.1 + 0.8 * np.arange(6) / 5
    discount = 1 / np.log2([2, 3, 4, 5])
    assert best.value == pytest.approx(quality[::-1][:4] @ discount, rel=0.06)
    assert worst.value == pytest.approx(quality[:4] @ discount, rel=0.1)


def test_pools_of_few_queries_refuse_only_themselves(
    make_impressions: Callable[..., pa.Table],
) -> None:
    table = make_impressions()
    one = table.set_column(1, "query_id", pa.array(np.zeros(len(table), dtype=int)))
    found = of(one, "snips", "doubly_robust")

    assert (
        "1 queries were shown" in found["off_policy_dcg_doubly_robust"].measure(np.zeros(0)).refused
    )
    scores = found["off_policy_dcg"].features[:, 0].astype(float)
    assert found["off_policy_dcg"].measure(scores).value > 0
