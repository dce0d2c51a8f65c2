from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from label_platform.evaluation import ShownLists, click_yardsticks
from label_platform.evaluation.yardsticks import Yardstick
from label_platform.evaluation_settings import EvaluationSettings, OffPolicyEstimator
from label_platform.propensity import PropensityCurve, Verdict

CURVE = PropensityCurve(
    "randomized",
    (),
    pd.DataFrame({"position": range(1, 7), "propensity": [1 / k for k in range(1, 7)]}),
    Verdict.OK,
    "",
)


def of(impressions: pa.Table, *estimators: OffPolicyEstimator) -> dict[str, Yardstick]:
    shown = ShownLists.from_impressions(impressions, ["f_good"], "click", CURVE)
    settings = EvaluationSettings(off_policy=estimators, cutoff=4)
    found = click_yardsticks(shown, CURVE, settings=settings)
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
    found = of(make_impressions(), "ips", "snips", "clipped", "ips")

    assert list(found) == ["off_policy_dcg", "off_policy_dcg_snips", "off_policy_dcg_clipped"]
    scores = np.random.default_rng(2).random(len(found["off_policy_dcg"].features))
    values = {name: each.measure(scores).value for name, each in found.items()}
    # nothing is clipped where positions are given, so that all are clicks over examination
    frame = make_impressions().to_pandas()
    rank = pd.Series(scores).groupby(frame["request_id"]).rank(ascending=False)
    gain = np.where(rank <= 4, frame["click"] * frame["position"] / np.log2(1 + rank), 0)
    assert list(values.values()) == pytest.approx([gain.sum() / 400] * 3)


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
