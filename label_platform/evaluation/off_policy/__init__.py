"""The value of a ranking that was not shown, from clicks on those that were."""

from label_platform.evaluation.off_policy.bandit import estimate_click_rate
from label_platform.evaluation.off_policy.estimators import (
    DEFAULT_CLIP,
    OffPolicyEstimate,
    estimate_dcg,
    estimate_value,
)
from label_platform.evaluation.off_policy.examination import (
    logged_examination,
    logged_trust_offset,
)
from label_platform.evaluation.off_policy.intervals import Interval, interval_by_unit, units_of
from label_platform.evaluation.off_policy.logged_clicks import LoggedClicks
from label_platform.evaluation.off_policy.overlap import Overlap
from label_platform.evaluation.off_policy.relevance import cross_fitted_relevance

__all__ = [
    "DEFAULT_CLIP",
    "Interval",
    "LoggedClicks",
    "OffPolicyEstimate",
    "Overlap",
    "cross_fitted_relevance",
    "estimate_click_rate",
    "estimate_dcg",
    "estimate_value",
    "interval_by_unit",
    "logged_examination",
    "logged_trust_offset",
    "units_of",
]
