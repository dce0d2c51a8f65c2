"""From a context's statistics to a curve behind its gates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import Verdict, estimate_all
from label_platform.propensity.curves import estimate_curves
from label_platform.propensity.log_statistics import LogStatistics
from label_platform.propensity_settings import PropensitySettings

SETTINGS = PropensitySettings(replicates=20)
SMALL = ClickListSettings(
    n_lists=3_000,
    n_queries=100,
    candidates=8,
    curves=((1, 0.6, 0.4, 0.25),),
    logger="random",
    top_click_rate=0.3,
)


def statistics_of(seed: int, *, with_lists: bool = False) -> LogStatistics:
    shown = simulate_click_lists(SMALL, seed)
    return log_statistics(shown, Setting("small", SMALL), seed, with_lists=with_lists)


def curve_of(name: str, statistics: LogStatistics) -> pd.DataFrame:
    table = estimate_curves(name, statistics, list(statistics.strata()), SETTINGS)
    return table.set_index("position")


@pytest.mark.parametrize("missing", [np.nan, np.inf])
def test_a_missing_feature_value_is_taken_to_be_the_mean(missing: float) -> None:
    statistics = statistics_of(1, with_lists=True)
    features = statistics.list_features
    assert features is not None
    one_missing, one_mean = features.astype(float), features.astype(float)
    one_missing.iloc[5, 0] = missing
    one_mean.iloc[5, 0] = features.iloc[:, 0].drop(features.index[5]).mean()
    found, expected = (
        curve_of("dual_learning", replace(statistics, list_features=each))
        for each in (one_missing, one_mean)
    )
    assert len(found) == len(SMALL.curves[0])
    pd.testing.assert_frame_equal(found, expected)


def test_a_feature_without_any_value_is_no_feature() -> None:
    statistics = statistics_of(1, with_lists=True)
    features = statistics.list_features
    assert features is not None
    more = features.assign(unknown=np.nan)
    pd.testing.assert_frame_equal(
        curve_of("dual_learning", replace(statistics, list_features=more)),
        curve_of("dual_learning", statistics),
    )


def test_what_one_estimator_cannot_read_leaves_the_others() -> None:
    statistics = statistics_of(1)
    shown = statistics.counts["impressions"]
    counts = statistics.counts.assign(viewable=shown, viewed=shown + 1)
    answer = estimate_all(replace(statistics, counts=counts), ("viewport", "pbm"), SETTINGS)
    refused = answer.curves["viewport"]
    assert refused.verdict is Verdict.INSUFFICIENT_INTERVENTIONS
    assert "viewport fails on this log: position 1: 3,001 seen, but only 3,000" in refused.reason
    assert not answer.curves["pbm"].verdict.is_refusal
    assert answer.choice.estimator == "pbm"


@pytest.mark.parametrize("name", ["pbm", "harvest_all_pairs"])
def test_a_position_that_nobody_clicked_is_named(name: str) -> None:
    statistics = statistics_of(1)
    unclicked = statistics.cells["position"] == 3
    clicks = statistics.cells["clicks"].mask(unclicked, 0)
    cells = statistics.cells.assign(clicks=clicks)
    found = curve_of(name, replace(statistics, cells=cells))
    assert found.index.tolist() == [1, 2, 4]
    shown = cells.loc[unclicked, "impressions"].sum()
    words = f"; no propensity at position 3: {shown:,} impressions there without a click"
    assert words in found.loc[1, "reason"]


def test_a_position_that_was_not_shown_is_not_missed() -> None:
    statistics = statistics_of(1)
    cells = statistics.cells[statistics.cells["position"] != 3]
    found = curve_of("pbm", replace(statistics, cells=cells))
    assert found.index.tolist() == [1, 2, 4]
    assert "no propensity at position" not in found.loc[1, "reason"]
