"""Judging rankers: metrics, yardsticks, off-policy estimates, comparisons with intervals."""

from label_platform.evaluation.arms import (
    Arm,
    ArmEvaluation,
    Effort,
    Side,
    SideCache,
    evaluate_arm,
    fit_side,
)
from label_platform.evaluation.bootstrap import bootstrap_ratios, bootstrap_weights
from label_platform.evaluation.comparison import compare
from label_platform.evaluation.estimates import Estimate
from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.metrics import (
    Lists,
    dcg_at_k,
    lists_without_positives,
    ndcg_at_k,
    rank_discounts,
)
from label_platform.evaluation.off_policy import (
    OffPolicyEstimate,
    Overlap,
    estimate_dcg,
    logged_examination,
)
from label_platform.evaluation.panel import Panel
from label_platform.evaluation.resampling import poisson_counts, row_counts
from label_platform.evaluation.shown_feedback import SHOWN_PREFIX, shown_feedback_yardsticks
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation.slices import (
    COMPUTED,
    NEW_ITEMS,
    QUERY_FREQUENCY,
    query_frequencies,
    sliced_yardsticks,
)
from label_platform.evaluation.yardsticks import (
    ALL,
    Measurement,
    RefusedYardstick,
    Yardstick,
    click_yardsticks,
    true_ndcg_yardsticks,
)

__all__ = [
    "ALL",
    "COMPUTED",
    "NEW_ITEMS",
    "QUERY_FREQUENCY",
    "SHOWN_PREFIX",
    "Arm",
    "ArmEvaluation",
    "Effort",
    "Estimate",
    "Evidence",
    "Lists",
    "Measurement",
    "OffPolicyEstimate",
    "Overlap",
    "Panel",
    "RefusedYardstick",
    "ShownLists",
    "Side",
    "SideCache",
    "Yardstick",
    "bootstrap_ratios",
    "bootstrap_weights",
    "click_yardsticks",
    "compare",
    "dcg_at_k",
    "estimate_dcg",
    "evaluate_arm",
    "fit_side",
    "lists_without_positives",
    "logged_examination",
    "ndcg_at_k",
    "poisson_counts",
    "query_frequencies",
    "rank_discounts",
    "row_counts",
    "shown_feedback_yardsticks",
    "sliced_yardsticks",
    "true_ndcg_yardsticks",
]
