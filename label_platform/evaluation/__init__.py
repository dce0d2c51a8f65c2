"""Judging rankers: metrics, yardsticks, off-policy estimates, comparisons with intervals."""

from label_platform.evaluation.arms import Arm, ArmEvaluation, Side, SideCache, evaluate_arm
from label_platform.evaluation.calibration import Calibration, calibration_of
from label_platform.evaluation.comparison import Estimate, compare
from label_platform.evaluation.metric_yardsticks import metric_yardsticks
from label_platform.evaluation.metrics import (
    Lists,
    Ranking,
    dcg_at_k,
    lists_without_positives,
    ndcg_at_k,
    rank_discounts,
)
from label_platform.evaluation.off_policy import (
    LoggedClicks,
    OffPolicyEstimate,
    Overlap,
    estimate_dcg,
    estimate_value,
    logged_examination,
)
from label_platform.evaluation.off_policy_answer import TargetAnswer, TargetValue
from label_platform.evaluation.off_policy_rankings import Rankings
from label_platform.evaluation.panel import Panel
from label_platform.evaluation.resampling import poisson_counts, row_counts
from label_platform.evaluation.shown_feedback import SHOWN_PREFIX, shown_feedback_yardsticks
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation.yardsticks import (
    Measurement,
    RefusedYardstick,
    Yardstick,
    click_yardsticks,
    true_ndcg_yardsticks,
)

__all__ = [
    "SHOWN_PREFIX",
    "Arm",
    "ArmEvaluation",
    "Calibration",
    "Estimate",
    "Lists",
    "LoggedClicks",
    "Measurement",
    "OffPolicyEstimate",
    "Overlap",
    "Panel",
    "Ranking",
    "Rankings",
    "RefusedYardstick",
    "ShownLists",
    "Side",
    "SideCache",
    "TargetAnswer",
    "TargetValue",
    "Yardstick",
    "calibration_of",
    "click_yardsticks",
    "compare",
    "dcg_at_k",
    "estimate_dcg",
    "estimate_value",
    "evaluate_arm",
    "lists_without_positives",
    "logged_examination",
    "metric_yardsticks",
    "ndcg_at_k",
    "poisson_counts",
    "rank_discounts",
    "row_counts",
    "shown_feedback_yardsticks",
    "true_ndcg_yardsticks",
]
