"""What the estimators of whole lists have in common: cascade, dynamic Bayesian network, UBM."""

from collections.abc import Callable

import numpy as np
import pytest

from label_platform.propensity.estimate import Estimate
from label_platform.propensity.estimators.cascade import estimate_cascade
from label_platform.propensity.estimators.dbn import estimate_dbn
from label_platform.propensity.estimators.ubm import estimate_ubm
from tests.propensity.click_model_logs import DrawnLog, Size, cascade_log, dbn_log, ubm_log


@pytest.mark.parametrize(
    ("estimator", "log_of", "all_lists", "few"),
    [
        (estimate_cascade, cascade_log, Size(100_000, 5_000), Size(4_000, 60)),
        (estimate_dbn, dbn_log, Size(50_000, 5_000, 6, 4), Size(2_000, 60, 6, 4)),
        (estimate_ubm, ubm_log, Size(100_000, 5_000), Size(4_000, 60)),
    ],
)
def test_intervals_hold_the_curve_over_other_queries(
    estimator: Callable[..., Estimate], log_of: Callable[..., DrawnLog], all_lists: Size, few: Size
) -> None:
    truth = log_of(99, size=all_lists).examined[1:]
    held = []
    for seed in range(20):
        estimate = estimator(log_of(seed, size=few).lists, 60)
        held.append((estimate.ci_low[1:] <= truth) & (truth <= estimate.ci_high[1:]))
    assert 0.88 <= np.mean(held) <= 1
