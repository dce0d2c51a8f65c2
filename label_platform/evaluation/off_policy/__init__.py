"""The value of a ranking that was not shown, from clicks on those that were."""

from label_platform.evaluation.off_policy.estimators import (
    OffPolicyEstimate,
    estimate_dcg,
    estimate_value,
)
from label_platform.evaluation.off_policy.examination import logged_examination
from label_platform.evaluation.off_policy.logged_clicks import LoggedClicks
from label_platform.evaluation.off_policy.overlap import Overlap

__all__ = [
    "LoggedClicks",
    "OffPolicyEstimate",
    "Overlap",
    "estimate_dcg",
    "estimate_value",
    "logged_examination",
]
